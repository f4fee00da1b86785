"""The list on each cache of what ondeckd placed there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from daemon.config import MappingSettings
from daemon.model import Entry
from daemon.storage import manifest
from daemon.storage.paths import OWN_FOLDER, file_below
from daemon.storage.sites import vanished

NAMES = ("Show/e1.mkv", "Show/e\udcff2.mkv", "Show/\n\u2028 e3.mkv")


@pytest.fixture
def mapping(tmp_path: Path) -> MappingSettings:
    for name in ("array", "cache"):
        (tmp_path / name).mkdir()
    return MappingSettings(name="TV", plex="/tv", array=str(tmp_path / "array"), cache=str(tmp_path / "cache"))


def _placed(mapping: MappingSettings, below: str, *, parent: str = "") -> Entry:
    """Return the entry of a copy that stands."""
    file = file_below(mapping, below, 4)
    copy = Path(file.cache_path)
    copy.parent.mkdir(parents=True, exist_ok=True)
    copy.write_bytes(b"copy")
    return Entry(file, copy.stat().st_mtime_ns, 1.5, checksum="blake2b:0", parent=parent)


def _text(mapping: MappingSettings) -> Path:
    return Path(mapping.cache, OWN_FOLDER, manifest.NAME)


def test_what_is_recorded_comes_back_whatever_its_name(mapping: MappingSettings) -> None:
    entries = [_placed(mapping, name) for name in NAMES]
    entries.append(_placed(mapping, "Show/e1.srt", parent=entries[0].file.array_path))
    for entry in entries:
        manifest.record(mapping.cache, entry)

    assert manifest.standing(mapping) == entries


def test_what_left_or_changed_or_belongs_to_another_mapping_does_not_come_back(mapping: MappingSettings) -> None:
    left, gone, changed, stays = [_placed(mapping, f"{name}.mkv") for name in "abcd"]
    for entry in (left, gone, changed, stays):
        manifest.record(mapping.cache, entry)
    manifest.forget(mapping.cache, left)
    Path(gone.file.cache_path).unlink()
    Path(changed.file.cache_path).write_bytes(b"something else")

    assert manifest.standing(mapping) == [stays]
    assert manifest.standing(mapping.model_copy(update={"name": "Films"})) == []


def test_a_torn_or_strange_line_costs_only_itself(mapping: MappingSettings) -> None:
    first, second = _placed(mapping, "a.mkv"), _placed(mapping, "b.mkv")
    manifest.record(mapping.cache, first)
    strange = [b"[1]", b"7", b'{"path": 5}', b"\xff", b'{"path": ".%s/x", "mapping": "TV"}' % b".", b'{"path": "c.m']
    with _text(mapping).open("ab") as file:
        file.write(b"\n".join(strange))
    manifest.record(mapping.cache, second)

    assert manifest.standing(mapping) == [first, second]


def test_it_is_tidied_up_to_what_the_ledger_says(mapping: MappingSettings) -> None:
    first, second = _placed(mapping, "a.mkv"), _placed(mapping, "b.mkv")
    for _ in range(3):
        manifest.record(mapping.cache, first)
    other = json.dumps({"path": "x.mkv", "mapping": "One that was here before"})
    with _text(mapping).open("a") as file:
        file.write(other)
    manifest.rewrite(mapping, [second])
    (kept, new) = _text(mapping).read_text().splitlines()
    assert (kept, json.loads(new)["path"]) == (other, "b.mkv")

    before = _text(mapping).stat()
    manifest.rewrite(mapping, [second])
    assert _text(mapping).stat() == before


def test_an_empty_folder_where_the_cache_was_mounted_stays_empty(mapping: MappingSettings) -> None:
    entry = Entry(file_below(mapping, "a.mkv", 4), 1, 1.0)
    manifest.rewrite(mapping, [entry])
    manifest.forget(mapping.cache, entry)

    assert manifest.standing(mapping) == []
    assert list(Path(mapping.cache).iterdir()) == []


def test_of_many_copies_the_few_that_are_gone_are_found(mapping: MappingSettings) -> None:
    entries = [_placed(mapping, f"{number}/film.mkv") for number in range(50)]
    manifest.record(mapping.cache, entries[0])
    Path(entries[7].file.cache_path).unlink()

    assert vanished(mapping, entries) == [entries[7]]
