"""What other services call a movie or a show, in one form: ``plex://…``, ``imdb://…``, ``tmdb://…``, ``tvdb://…``."""

from __future__ import annotations

import re

PLEX = "plex://"
_SHAPES = {"imdb": r"tt\d{5,12}", "tmdb": r"\d{1,12}", "tvdb": r"\d{1,12}"}
_KNOWN = {name: re.compile(shape) for name, shape in _SHAPES.items()}
_PLEX = re.compile(r"plex://(?:movie|show)/[0-9a-f]{8,40}")
_AGENTS = {
    "themoviedb": "tmdb",
    "thetvdb": "tvdb",
    "thetvdbdvdorder": "tvdb",
    "xbmcnfo": "imdb",
    "xbmcnfotv": "tvdb",
}
"""What the agents of old named by themselves call the databases; ``imdb`` is called by its own name."""
_HAMA = re.compile(r"(imdb|tmdb|tvdb)\d?-(\w+)")
"""The anime agent puts the database before the id: ``com.plexapp.agents.hama://tvdb-371310?lang=en``."""


def normalised(text: str) -> str:
    """Return an id in the one form; empty for what names nothing outside the server that said it.

    The agents of old wrote ``com.plexapp.agents.imdb://tt0133093?lang=en``, and behind a slash what lies below it.
    """
    guid = text.strip().casefold()
    if _PLEX.fullmatch(guid):
        return guid
    source, _, rest = guid.rpartition("://")
    agent = source.rpartition(".")[2]
    name = re.split(r"[/?#]", rest, maxsplit=1)[0]
    if agent == "hama" and (found := _HAMA.fullmatch(name)):
        agent, name = found[1], found[2]
    database = _AGENTS.get(agent, agent)
    return f"{database}://{name}" if database in _KNOWN and _KNOWN[database].fullmatch(name) else ""
