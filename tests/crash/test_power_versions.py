"""The power fails while a file leaves the cache that was changed on one side: no version of it is lost."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from tests.support.judge import read
from tests.support.needs import needs_btrfs, needs_ext4, needs_root, needs_xfs
from tests.support.outage import KINDS, PLACEMENTS, House
from tests.support.power import disks

pytestmark = [needs_root, needs_ext4, needs_xfs, needs_btrfs]

VIDEO = "Film/c.mkv"
OLD, NEW = b"old" * 50_000, b"newer" * 50_000


def changed(house: House, side: str) -> set[bytes]:
    """Have a video on the cache, and one side of it changed since; return the versions that there are."""
    original, backup, copy = house.names(VIDEO)
    with house.disks.running():
        original.parent.mkdir(parents=True)
        original.write_bytes(OLD)
        assert house.act([("cache_in", VIDEO)]) == []
        if side == "copy":
            copy.write_bytes(NEW)
            return {NEW} | ({OLD} if backup.exists() or house.placement.endswith("keep") else set())
        original.unlink(missing_ok=True)
        original.write_bytes(NEW)
        return {OLD, NEW}


def wrong_after(house: House, versions: set[bytes], served: set[bytes]) -> list[str]:
    """Return what is wrong with the files after a power cut, a start, and an eviction."""
    wrong = [] if house.served(VIDEO) in served else ["at once: not served"]
    wrong += house.act([("recover", "")])
    if house.served(VIDEO) not in served or _present(house) != versions:
        wrong.append("recovered: a version is missing")
    wrong += house.act([("evict", VIDEO)])
    found = [path.read_bytes() if path.exists() else None for path in house.names(VIDEO)]
    if found != [NEW, OLD if OLD in versions else None, None]:
        wrong.append(f"evicted: found {[content and content[:5] for content in found]}")
    rows = read(house.disks.root / "state")
    return wrong + house.strange(VIDEO) + [f"still a row: {row}" for row in rows.entries + rows.journal]


def _present(house: House) -> set[bytes]:
    return {path.read_bytes() for path in house.names(VIDEO) if path.exists()}


def judged(folder: Path, placement: str, side: str, sample: int, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return what is wrong after each of some power cuts."""
    number = PLACEMENTS.index(placement)
    wrong = []
    with disks(folder, **KINDS[number % len(KINDS)]) as found:
        house = House(found, placement)
        versions = changed(house, side)
        cuts = house.cut_at_every_change([("evict", VIDEO)], monkeypatch)
        # A union shows the copy as long as it is there.
        served = {NEW} if side == "copy" else versions
        for cut in Random(number).sample(cuts, min(sample, len(cuts))):
            with found.restarted(cut.image):
                wrong += [f"{cut.when}, {line}" for line in wrong_after(house, versions, served)]
    return wrong


@pytest.mark.parametrize(("placement", "side"), [("union+remove", "copy"), ("symlink+remove", "original")])
def test_after_a_power_cut_both_versions_of_a_changed_file_are_there(
    tmp_path: Path, placement: str, side: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert judged(tmp_path, placement, side, 3, monkeypatch) == []


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.parametrize("side", ["copy", "original"])
@pytest.mark.parametrize("placement", PLACEMENTS)
def test_after_a_power_cut_at_any_change_both_versions_of_a_changed_file_are_there(
    tmp_path: Path, placement: str, side: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert judged(tmp_path, placement, side, 50, monkeypatch) == []
