"""Whether Plex can follow the links that serve a mapping: only Plex itself can tell."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

import structlog

from daemon.clock import Clock
from daemon.config import MappingSettings
from daemon.errors import PlexError, Skipped
from daemon.live import Live
from daemon.model import Entry
from daemon.state import demands
from daemon.state.store import Store

log = structlog.get_logger()

_AGAIN = 600.0
"""Seconds after which one more file may try: it can be put right on Plex's side too, without a word to us."""


class PlexLinks:
    """Has Plex open the first file that is served by a link, for each mapping and its settings.

    `can_open` asks Plex about a rating key and a path, and answers None where Plex does not say.
    """

    def __init__(
        self, store: Store, live: Live, clock: Clock, can_open: Callable[[str, str], Awaitable[bool | None]]
    ) -> None:
        self._store = store
        self._live = live
        self._clock = clock
        self._can_open = can_open
        self._proven: set[MappingSettings] = set()
        self._refused: dict[MappingSettings, tuple[str, float]] = {}

    def demand(self, name: str) -> None:
        """Raise Skipped where Plex could not follow the links of this mapping, as its settings are, a while ago."""
        why, until = self._refused.get(self._live.mappings.by_name(name), ("", 0.0))
        if until > self._clock.now():
            raise Skipped(why)

    async def look(self, entry: Entry) -> None:
        """Ask Plex about a file that is served by a link now, unless that is known; Skipped if Plex cannot open it.

        While Plex does not answer nothing is known, and it is asked about the next file.
        """
        mapping = self._live.mappings.by_name(entry.file.mapping)
        if not entry.link or mapping in self._proven:
            return
        path = entry.file.plex_path
        for key in await self._store.run(partial(demands.keys_of_file, plex_path=path)):
            try:
                opens = await self._can_open(key, path)
            except PlexError as error:
                log.debug("links_unproven", mapping=mapping.name, why=str(error))
                return
            if opens:
                self._proven.add(mapping)
                return
            if opens is False:
                why = (
                    f"Plex cannot open {path} while a link stands there that says {entry.link}; give Plex that path, "
                    f"or set link_target of {mapping.name} to the cache as Plex sees it"
                )
                self._refused[mapping] = (why, self._clock.now() + _AGAIN)
                log.error("links_unreadable", mapping=mapping.name, path=path, why=why)
                raise Skipped(why)
