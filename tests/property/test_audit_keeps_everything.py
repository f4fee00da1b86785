"""Whatever stands on the tiers, and whatever the ledger says of it: fixing all that is found loses no content."""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daemon.model import Entry
from daemon.state import ledger
from daemon.storage.paths import OWN_FOLDER
from daemon.storage.states import BACKUP_SUFFIX
from tests.support.audits import Audited, audited
from tests.support.files import LONG_AGO

TMPFS = "/dev/shm" if Path("/dev/shm").is_dir() else None
NAMES = ("Show/a.mkv", "Show/a.en.srt", "Show/b.mkv", "c.mkv")
# Of the first two only the bytes tell which is which, once their times are gone.
CONTENTS = (b"first", b"other", b"third one", b"")
PLACEMENTS = ("union+keep", "union+backup", "union+remove", "symlink+backup", "symlink+remove")


@dataclass(frozen=True)
class Standing:
    """What stands at one name: a content (by number) with its own time or another, or a link."""

    content: int = 0
    touched: bool = False
    link: str = ""


contents = st.builds(Standing, st.integers(0, 3), st.booleans())
links = st.sampled_from(["{cache}/{name}", "{cache}/gone.mkv", "/somewhere/else.mkv", "always.txt", "{cache}/c.mkv"])
originals = st.one_of(st.none(), contents, st.builds(Standing, link=links))


@dataclass(frozen=True)
class Place:
    """One file's three names, and what the ledger says."""

    name: str
    original: Standing | None
    backup: Standing | None
    copy: Standing | None
    malformed: Standing | None
    entry: str | None


places = st.tuples(
    *(
        st.builds(
            Place,
            st.just(name),
            originals,
            st.one_of(st.none(), contents),
            st.one_of(st.none(), contents),
            st.one_of(st.none(), st.none(), contents),
            st.one_of(st.none(), st.sampled_from(PLACEMENTS)),
        )
        for name in NAMES
    )
)
mappings = st.sampled_from(
    [dict[str, Any](), {"original": "backup"}, {"original": "remove"}, {"serve": "symlink", "original": "backup"}]
)


@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(places, mappings, st.booleans())
def test_fixing_everything_loses_nothing(standing: tuple[Place, ...], mapping: dict[str, Any], array: bool) -> None:
    with tempfile.TemporaryDirectory(dir=TMPFS) as folder:
        asyncio.run(_live(Path(folder), standing, mapping, array=array))


async def _live(root: Path, standing: tuple[Place, ...], mapping: dict[str, Any], *, array: bool) -> None:
    async with audited(root, **mapping) as house:
        (house.tiers.cache / OWN_FOLDER).mkdir()
        for place in standing:
            await _arrange(house, place)
        before = _contents(house)
        on_array = house.tiers.on_array()
        readable = _readable(house)
        for _ in range(3):
            outcomes = await house.fix("all", array=array)
            assert before <= _contents(house), outcomes
            assert readable <= _readable(house), outcomes
        if not array:
            assert house.tiers.on_array() == on_array
        assert await house.journal() == []


async def _arrange(house: Audited, place: Place) -> None:
    array, cache = house.tiers.array, house.tiers.cache
    _put(house, array / place.name, place, place.original, 10)
    _put(house, array / (place.name + BACKUP_SUFFIX), place, place.backup, 20)
    _put(house, cache / place.name, place, place.copy, 30)
    _put(house, (array / place.name).with_suffix(BACKUP_SUFFIX), place, place.malformed, 40)
    if place.entry:
        file = house.tiers.file(place.name)
        link = file.cache_path if place.entry.startswith("symlink") else ""
        entry = Entry(replace(file, size=len(_content(0, place.name))), LONG_AGO, 1.0, placement=place.entry, link=link)
        await house.store.run(partial(ledger.put_entries, entries=[entry]))


def _put(house: Audited, path: Path, place: Place, standing: Standing | None, offset: int) -> None:
    if standing is None:
        return
    if standing.link:
        path.parent.mkdir(exist_ok=True)
        path.symlink_to(standing.link.format(cache=house.tiers.cache, name=place.name))
        return
    when = LONG_AGO + standing.content + (offset if standing.touched else 0)
    house.write(path, _content(standing.content, place.name), mtime_ns=when)


def _content(number: int, name: str) -> bytes:
    """Return a content that no other file has."""
    return CONTENTS[number] and CONTENTS[number] + name.encode()


def _contents(house: Audited) -> set[bytes]:
    """Return everything that stands in any file under any name."""
    roots = (house.tiers.array, house.tiers.cache)
    files = [path for root in roots for path in root.rglob("*") if path.is_file() and not path.is_symlink()]
    return {path.read_bytes() for path in files if OWN_FOLDER not in path.parts} - {b""}


def _readable(house: Audited) -> set[str]:
    """Return the names under which a player can read something on either tier, but for what is another name's."""
    roots = (house.tiers.array, house.tiers.cache)
    own = {root / name: name for root in roots for name in NAMES}
    return {name for path, name in own.items() if path.is_file() and own.get(path.resolve(), name) == name}
