"""Reads a history from a CSV file: ``at,user,rating_key`` and whatever else is known."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from daemon.simulation.history import Title, Viewing
from daemon.simulation.load import History, HistoryFault, assemble
from daemon.units import Size, WrongValue, parse_duration

_NEEDED = ("at", "user", "rating_key")
_OPTIONAL = ("title", "show", "season", "episode", "size", "duration", "begin", "end", "type")
_PLAYED = {"", "movie", "episode"}
_LONGEST, _LONGEST_NUMBER = 18, 6
"""Digits of a size, and of a season's or an episode's number."""


def from_csv(path: Path) -> History:
    """Return the history in a file. Raise HistoryFault that names each fault by its line."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return _read(path.name, csv.DictReader(file, strict=True))
    except OSError as error:
        raise HistoryFault([f"{path}: {error.strerror}"]) from error
    except UnicodeDecodeError as error:
        raise HistoryFault([f"{path}: is not UTF-8 text"]) from error


def _read(name: str, rows: csv.DictReader[str]) -> History:
    reader = _Reader()
    try:
        heads = [head.strip().casefold() for head in rows.fieldnames or ()]
        rows.fieldnames = heads
        if missing := [needed for needed in _NEEDED if needed not in heads]:
            raise HistoryFault([f"{name}:1: no column {', '.join(missing)}; the first line must name the columns"])
        if twice := [head for head, count in Counter(heads).items() if count > 1 and head]:
            raise HistoryFault([f"{name}:1: two columns are called {twice[0]}"])
        for row in rows:
            try:
                reader.take(row)
            except _Wrong as error:
                reader.faults.append(f"{name}:{rows.line_num}: {error}")
    except csv.Error as error:
        reader.faults.append(f"{name}:{rows.reader.line_num}: {error}")
    if not reader.faults and not reader.viewings:
        reader.faults.append(f"{name}: there is no play in it")
    if reader.faults:
        raise HistoryFault(reader.faults)
    return assemble(name, reader.titles.values(), reader.viewings, reader.notes(heads))


class _Wrong(Exception):
    """A row that cannot be meant."""


class _Reader:
    """Takes row after row; of each title it keeps what the rows say together."""

    def __init__(self) -> None:
        self.titles: dict[str, Title] = {}
        self.viewings: list[Viewing] = []
        self.faults: list[str] = []
        self._others: Counter[str] = Counter()
        self._deleted = 0

    def take(self, row: Mapping[str, str | None]) -> None:
        if None in row:
            raise _Wrong("has more fields than the first line")
        if None in row.values():
            raise _Wrong("has fewer fields than the first line")
        cells = {head: (value or "").strip() for head, value in row.items()}
        kind = cells.get("type", "").casefold()
        at = _moment(cells["at"])
        if kind not in _PLAYED:
            self._others[kind] += 1
        elif not cells["rating_key"]:
            self._deleted += 1
        elif not cells["user"]:
            raise _Wrong("user: is empty")
        else:
            title = self._title(cells, kind)
            begin, end = _share(cells, "begin", 0.0), _share(cells, "end", 1.0)
            if begin >= end:
                raise _Wrong(f"end: {end:g} is not after begin, {begin:g}")
            self.titles[title.key] = title
            self.viewings.append(Viewing(at, cells["user"], title.key, begin, end))

    def _title(self, cells: Mapping[str, str], kind: str) -> Title:
        before = self.titles.get(cells["rating_key"]) or Title(cells["rating_key"], 0, 0.0)
        show = cells.get("show", "") or before.show
        if kind == "movie" and show:
            raise _Wrong(f"show: a movie belongs to none, but this says {show!r}")
        if kind == "episode" and not show:
            raise _Wrong("show: is empty, but the type is episode")
        return Title(
            key=before.key,
            size=int(_cell(cells, "size", _size, before.size)),
            duration=_cell(cells, "duration", _seconds, before.duration),
            show=show,
            # As everywhere: without a season's number an episode is a regular one, not a special.
            season=int(_cell(cells, "season", _whole, before.season or (1 if show else 0))),
            episode=int(_cell(cells, "episode", _whole, before.episode)),
        )

    def notes(self, heads: Iterable[str]) -> list[str]:
        """Return what is left out or not known."""
        unknown = [head for head in heads if head not in {*_NEEDED, *_OPTIONAL}]
        notes = [f"columns that mean nothing here: {', '.join(map(repr, unknown))}"] * bool(unknown)
        notes += [f"{count} plays of type {kind}, left out" for kind, count in sorted(self._others.items())]
        notes += [f"{self._deleted} plays of what has no rating key (any more), left out"] * bool(self._deleted)
        episodes = [title for title in self.titles.values() if title.show]
        unnumbered = sum(not title.episode for title in episodes)
        notes += [f"{unnumbered} episodes without a number: nobody can say what follows them"] * bool(unnumbered)
        if episodes:
            notes.append("of a show only the episodes in the file are known; --plex adds the others")
        return notes


def _cell(cells: Mapping[str, str], name: str, parse: Callable[[str], float], default: float) -> float:
    text = cells.get(name, "")
    if not text:
        return default
    try:
        return parse(text)
    except ValueError as error:
        raise _Wrong(f"{name}: {text[:40]!r} {error}") from error


def _moment(text: str) -> float:
    try:
        return _seconds_since(text)
    except (ValueError, OverflowError) as error:
        raise _Wrong(
            f"at: {text[:40]!r} is neither seconds since 1970 nor a moment like 2024-05-01T20:15:00Z"
        ) from error


def _seconds_since(text: str) -> float:
    if not _is_number(text):
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    # What lies beyond is milliseconds or nonsense; the conversion says so.
    return datetime.fromtimestamp(float(text), UTC).timestamp()


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).isdecimal() and text.isascii()


def _share(cells: Mapping[str, str], name: str, default: float) -> float:
    share = _cell(cells, name, _number, default)
    if not 0.0 <= share <= 1.0:
        raise _Wrong(f"{name}: {share:g} is no share of the whole, 0 to 1")
    return share


def _number(text: str) -> float:
    if not _is_number(text):
        raise ValueError("is no number")
    return float(text)


def _size(text: str) -> float:
    try:
        return int(text) if text.isdecimal() and len(text) <= _LONGEST else Size.parse_absolute(text).bytes or 0
    except WrongValue as error:
        raise ValueError(f"{error}; allowed: bytes, or {error.allowed}") from error


def _seconds(text: str) -> float:
    if _is_number(text):
        return float(text)
    try:
        return parse_duration(text)
    except WrongValue as error:
        raise ValueError(f"{error}; allowed: seconds, or {error.allowed}") from error


def _whole(text: str) -> float:
    if not (text.isdecimal() and len(text) <= _LONGEST_NUMBER):
        raise ValueError("is no number")
    return int(text)
