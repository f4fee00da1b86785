"""``ondeckd check``: one line for each thing that works or does not."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

import click

from daemon.clock import Clock
from daemon.commands.check_links import link_lines
from daemon.commands.check_sources import source_lines
from daemon.commands.findings import EXIT_CONFIG, Line, space_lines
from daemon.config import Loaded, Settings, missing_to_run, state_directory
from daemon.errors import PlexError, PlexUnauthorized, StateError, UnmappedPath
from daemon.health import stranded_text
from daemon.model import User
from daemon.plex.elements import Section
from daemon.plex.library import PlexLibrary
from daemon.state.peek import mappings_in_use
from daemon.storage.paths import Mappings
from daemon.storage.probe import check_mapping
from daemon.webhook_secret import NAME as SECRET_FILE
from daemon.webhook_secret import is_first_showing, webhook_secret

EXIT_UNAVAILABLE = 69


async def check(loaded: Loaded, env: Mapping[str, str], *, as_json: bool) -> int:
    """Look at everything, print what was found, and return the exit code: 0, 69 or 78."""
    lines = [*_configuration(loaded, env)]
    lines += await _plex(loaded.settings, state_directory(loaded.settings, env))
    lines += await asyncio.to_thread(lambda: [*_mappings(loaded.settings, env), *space_lines(loaded.settings)])
    if as_json:
        click.echo(json.dumps([asdict(line) for line in lines], indent=2))
    else:
        for line in lines:
            click.echo(f"{_MARKS[line.level]} {line.about}: {line.text}")
    return max((line.exit_code for line in lines), default=0)


_LEVELS = {"debug": "note", "info": "note", "warning": "warning", "error": "fault"}
_MARKS = {"ok": "ok     ", "note": "note   ", "warning": "warning", "fault": "FAULT  "}


def _mappings(settings: Settings, env: Mapping[str, str]) -> Iterator[Line]:
    used = mappings_in_use(state_directory(settings, env))
    for mapping in settings.mapping:
        if not mapping.enabled:
            count = used.get(mapping.name, 0)
            still = f"; {count} file{'s'[: count > 1]} of it will leave the cache in time" if count else ""
            yield Line("mapping", "note", f"{mapping.name}: switched off{still}")
            continue
        for finding in check_mapping(mapping, used=mapping.name in used):
            level = "ok" if finding.ok else _LEVELS[finding.level]
            yield Line("mapping", level, finding.text, EXIT_CONFIG if level == "fault" else 0)
    for name in sorted(used.keys() - {mapping.name for mapping in settings.mapping}):
        yield Line("mapping", "fault", stranded_text(name, used[name]), EXIT_CONFIG)


def _configuration(loaded: Loaded, env: Mapping[str, str]) -> Iterator[Line]:
    where = str(loaded.path) if loaded.path else "no file: environment and defaults"
    yield Line("configuration", "ok", where)
    for fault in missing_to_run(loaded.settings):
        yield Line("configuration", "fault", fault, EXIT_CONFIG)
    for key, variable in loaded.variables.items():
        yield Line("configuration", "note", f"{key} comes from the environment: {variable}")
    for key in loaded.not_yet:
        yield Line("configuration", "note", f"{key} is set but not yet effective in this version")
    directory = state_directory(loaded.settings, env)
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        secret, _ = webhook_secret(loaded.settings, directory)
        configured = bool(loaded.settings.web.webhook_secret.get_secret_value())
        show = not configured and is_first_showing(directory)
    except (StateError, OSError) as error:
        why = f"{directory}: {error.strerror}" if isinstance(error, OSError) else str(error)
        advice = "let this user write it, or change state.directory"
        yield Line("state", "fault", f"{why}; {advice}", EXIT_CONFIG)
        return
    yield Line("state", "ok", str(directory))
    web = loaded.settings.web
    listen = web.listen if web.port else f"{web.listen.rpartition(':')[0]}:(chosen at each start)"
    address = f"http://{listen}/webhook/plex?secret="
    if show:
        yield Line("webhook", "note", f"{address}{secret} (shown only this once)")
    else:
        place = "web.webhook_secret" if configured else directory / SECRET_FILE
        yield Line("webhook", "ok", f"{address}… (the secret is in {place})")


async def _plex(settings: Settings, directory: Path) -> list[Line]:
    if missing := [line for line in missing_to_run(settings) if line.startswith("plex")]:
        return [Line("plex", "fault", "not asked: " + missing[0], EXIT_CONFIG)]
    plex = settings.plex
    async with PlexLibrary.of(plex, Clock()) as library:
        try:
            server = await library.connect()
            lines = [Line("plex", "ok", f"{server.name} {server.version} at {plex.url}")]
            await library.sessions()
            lines.append(Line("plex", "ok", "the token may see all sessions"))
            sections = await library.sections()
            people = await library.accounts() if settings.users.exclude or settings.users.people else []
            links = [line async for line in link_lines(library, settings, directory)]
            sources = await source_lines(library, settings, directory)
        except PlexError as error:
            what = "plex.token" if isinstance(error, PlexUnauthorized) else "plex.url, unless Plex is only down"
            return [Line("plex", "fault", f"{plex.url}: {error}; change {what}", EXIT_UNAVAILABLE)]
    return [*lines, *_libraries(sections, settings), *links, *sources, *_strangers(people, settings)]


def _strangers(people: Iterable[User], settings: Settings) -> Iterator[Line]:
    known = {name.casefold() for person in people for name in (person.id, person.title)}
    for name in settings.users.exclude:
        if name.casefold() not in known:
            yield Line("users.exclude", "warning", f"Plex knows nobody called {name!r}, so nobody is excluded by it")
    for name in settings.users.people:
        if name.casefold() not in known:
            yield Line(
                f'users."{name}"', "warning", f"Plex knows nobody called {name!r}, so these settings count for nobody"
            )


def _libraries(sections: list[Section], settings: Settings) -> Iterator[Line]:
    videos = [section for section in sections if section.type in {"movie", "show"}]
    names = {section.title.casefold() for section in videos} | {section.id for section in videos}
    for wanted in settings.plex.libraries:
        if wanted.casefold() not in names:
            there = ", ".join(section.title for section in videos) or "none"
            text = f"Plex has no movie or show library {wanted!r}; change it to one that is there: {there}"
            yield Line("plex.libraries", "fault", text, EXIT_CONFIG)
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
