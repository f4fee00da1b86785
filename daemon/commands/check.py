"""``ondeckd check``: one line for each thing that works or does not."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass

import click

from daemon.clock import Clock
from daemon.config import Loaded, Settings, missing_to_run, state_directory, unbuilt_placements
from daemon.errors import OndeckdError, PlexError, UnmappedPath
from daemon.plex.elements import Section
from daemon.plex.library import PlexLibrary
from daemon.storage.paths import Mappings
from daemon.storage.probe import check_mapping
from daemon.webhook_secret import webhook_secret

EXIT_UNAVAILABLE = 69
EXIT_CONFIG = 78


@dataclass(frozen=True, slots=True)
class Line:
    """One finding. `level`: ``ok``, ``note``, ``warning`` or ``fault``; `exit_code` counts for a fault."""

    about: str
    level: str
    text: str
    exit_code: int = 0


async def check(loaded: Loaded, env: Mapping[str, str], *, as_json: bool) -> int:
    """Look at everything, print what was found, and return the exit code: 0, 69 or 78."""
    lines = [*_configuration(loaded, env)]
    lines += await _plex(loaded.settings)
    for mapping in loaded.settings.mapping:
        if not mapping.enabled:
            lines.append(Line("mapping", "note", f"{mapping.name}: switched off"))
            continue
        for finding in await asyncio.to_thread(check_mapping, mapping):
            level = "ok" if finding.ok else _LEVELS[finding.level]
            lines.append(Line("mapping", level, finding.text, EXIT_CONFIG if level == "fault" else 0))
    if as_json:
        click.echo(json.dumps([asdict(line) for line in lines], indent=2))
    else:
        for line in lines:
            click.echo(f"{_MARKS[line.level]} {line.about}: {line.text}")
    return max((line.exit_code for line in lines), default=0)


_LEVELS = {"debug": "note", "info": "note", "warning": "warning", "error": "fault"}
_MARKS = {"ok": "ok     ", "note": "note   ", "warning": "warning", "fault": "FAULT  "}


def _configuration(loaded: Loaded, env: Mapping[str, str]) -> Iterator[Line]:
    where = str(loaded.path) if loaded.path else "no file: environment and defaults"
    yield Line("configuration", "ok", where)
    for fault in (*missing_to_run(loaded.settings), *unbuilt_placements(loaded.settings)):
        yield Line("configuration", "fault", fault, EXIT_CONFIG)
    for key, variable in loaded.variables.items():
        yield Line("configuration", "note", f"{key} comes from the environment: {variable}")
    for key in loaded.not_yet:
        yield Line("configuration", "note", f"{key} is set but not yet effective in this version")
    directory = state_directory(loaded.settings, env)
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        secret, made = webhook_secret(loaded.settings, directory)
    except (OndeckdError, OSError) as error:
        yield Line("state", "fault", f"{directory}: {error}", EXIT_CONFIG)
        return
    yield Line("state", "ok", str(directory))
    address = f"http://{loaded.settings.web.listen}/webhook/plex?secret="
    if made:
        yield Line("webhook", "note", f"{address}{secret} (made just now, shown only this once)")
    else:
        yield Line("webhook", "ok", f"{address}… (the secret is in the settings or in {directory})")


async def _plex(settings: Settings) -> list[Line]:
    if missing := [line for line in missing_to_run(settings) if line.startswith("plex")]:
        return [Line("plex", "fault", "not asked: " + missing[0], EXIT_CONFIG)]
    plex = settings.plex
    library = PlexLibrary(
        url=plex.url,
        token=plex.token.get_secret_value(),
        clock=Clock(),
        libraries=plex.libraries,
        verify_tls=plex.verify_tls,
    )
    async with library:
        try:
            server = await library.connect()
            lines = [Line("plex", "ok", f"{server.name} {server.version} at {plex.url}")]
            await library.sessions()
            lines.append(Line("plex", "ok", "the token may see all sessions"))
            sections = await library.sections()
        except PlexError as error:
            return [Line("plex", "fault", f"{plex.url}: {error}", EXIT_UNAVAILABLE)]
    return [*lines, *_libraries(sections, settings)]


def _libraries(sections: list[Section], settings: Settings) -> Iterator[Line]:
    videos = [section for section in sections if section.type in {"movie", "show"}]
    names = {section.title.casefold() for section in videos} | {section.id for section in videos}
    for wanted in settings.plex.libraries:
        if wanted.casefold() not in names:
            yield Line("plex.libraries", "fault", f"Plex has no movie or show library {wanted!r}", EXIT_CONFIG)
    mappings = Mappings([mapping for mapping in settings.mapping if mapping.enabled])
    for section in videos:
        for location in section.locations:
            try:
                covered = mappings.resolve(f"{location.rstrip('/')}/x").mapping
            except UnmappedPath:
                text = f"{location}: no [[mapping]] covers it, so nothing in it is cached"
                yield Line(f"library {section.title}", "warning", text)
            else:
                yield Line(f"library {section.title}", "ok", f"{location}: mapping {covered}")
