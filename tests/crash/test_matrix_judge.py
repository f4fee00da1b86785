"""Those who judge the kills at every system call find what they have to find."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.injection import Actors, actors
from tests.support.kills import Call, calls, killed
from tests.support.matrix import SUBTITLE, VIDEO, Scene
from tests.support.needs import needs_strace
from tests.support.stage import PLACEMENTS
from tests.support.watcher import Watcher, look, watched, watcher

_CONTENT = bytes(range(256)) * 10


@pytest.fixture(scope="module")
def warm() -> Iterator[Actors]:
    with actors() as found:
        yield found


@pytest.fixture(scope="module")
def watching() -> Iterator[Watcher]:
    with watcher() as found:
        yield found


def cached(base: Path, placement: str, warm: Actors) -> Scene:
    scene = Scene(base, "scene", placement)
    scene.build()
    assert warm.run(scene.given, "recover", "cache_in", VIDEO).said == ["done recover", "done cache_in"]
    return scene


def rows(scene: Scene, statement: str) -> None:
    connection = sqlite3.connect(scene.home / "state" / "ondeckd.db")
    connection.execute(statement)
    connection.commit()
    connection.close()


def backup(scene: Scene) -> Path:
    return scene.array / f"{VIDEO}.plexcached"


def shorten(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(1000)


_JOURNAL = "INSERT INTO journal SELECT *, 'cached', 'publish' FROM entries"
_LEFT = f"{'0' * 32}.part"

ANYWHERE: dict[str, Callable[[Scene], object]] = {
    "the media path has not": lambda scene: shorten(scene.cache / VIDEO),
    "and in the ledger": lambda scene: os.utime(scene.cache / SUBTITLE),
    "and not in the ledger": lambda scene: rows(scene, "DELETE FROM entries"),
    "ledger and manifest differ": lambda scene: (scene.cache / ".ondeckd/manifest").unlink(),
    "in the journal": lambda scene: rows(scene, _JOURNAL),
    "left behind: {cache}/.ondeckd/": lambda scene: (scene.cache / ".ondeckd" / _LEFT).touch(),
    "left behind: {cache}/Show/": lambda scene: (scene.cache / "Show" / f".ondeckd-{_LEFT}").touch(),
    "left behind: {array}/Show/": lambda scene: (scene.array / "Show" / f".ondeckd-{_LEFT}").touch(),
    "left behind: {cache}/Other": lambda scene: (scene.cache / "Other").mkdir(),
}


@pytest.mark.parametrize("placement", PLACEMENTS)
@pytest.mark.parametrize("finding", ANYWHERE)
def test_what_is_wrong_after_a_recovery_is_found(tmp_path: Path, warm: Actors, placement: str, finding: str) -> None:
    scene = cached(tmp_path, placement, warm)
    assert scene.unsettled() == []
    assert scene.is_at("cache_in") == []
    assert scene.is_at("evict")

    ANYWHERE[finding](scene)

    expected = finding.format(cache=scene.cache, array=scene.array)
    assert any(expected in line for line in scene.unsettled())


@pytest.mark.parametrize(
    ("placement", "spoil"),
    [
        ("union+keep", lambda scene: (scene.array / VIDEO).unlink()),
        ("union+keep", lambda scene: backup(scene).touch()),
        ("union+backup", lambda scene: backup(scene).unlink()),
        ("union+backup", lambda scene: shorten(backup(scene))),
        ("union+remove", lambda scene: backup(scene).touch()),
        ("symlink+backup", lambda scene: backup(scene).rename(scene.array / VIDEO)),
        ("symlink+remove", lambda scene: backup(scene).symlink_to(scene.cache / VIDEO)),
    ],
)
def test_a_state_that_is_not_that_of_the_placement_is_found(
    tmp_path: Path, warm: Actors, placement: str, spoil: Callable[[Scene], object]
) -> None:
    scene = cached(tmp_path, placement, warm)

    spoil(scene)

    assert any("and in the ledger" in line for line in scene.unsettled())


@pytest.mark.parametrize(
    ("placement", "lost"),
    [("union+keep", ("array", "cache")), ("union+remove", ("cache",)), ("symlink+backup", ("array",))],
)
def test_a_media_path_that_leads_nowhere_is_found_at_once(
    tmp_path: Path, warm: Actors, placement: str, lost: tuple[str, ...]
) -> None:
    scene = cached(tmp_path, placement, warm)
    assert scene.wrong() == []

    for tier in lost:
        (tmp_path / tier / "scene" / VIDEO).unlink()

    assert any("media path" in line for line in scene.wrong())
    assert any("no complete copy" in line for line in scene.wrong()) == (placement != "symlink+backup")


def test_a_change_by_a_second_recovery_is_found(tmp_path: Path, warm: Actors) -> None:
    scene = cached(tmp_path, "union+backup", warm)
    before = scene.everything()
    assert scene.everything() == before

    backup(scene).rename(tmp_path / "aside")
    (tmp_path / "aside").rename(backup(scene))

    assert scene.everything() != before


@needs_strace
def test_a_kill_that_does_not_happen_where_it_should_is_found(tmp_path: Path, warm: Actors) -> None:
    scene = cached(tmp_path, "symlink+backup", warm)
    scene.save(tmp_path / "kept")
    trace = tmp_path / "trace"
    found = calls(warm.traced(scene.given, ["evict", VIDEO], [], trace), tmp_path)
    [wanted] = [call for call in found if call.name == "unlinkat" and call.given.endswith("Show e1.mkv.plexcached")]

    for call in (wanted, Call("renameat2", 99, ""), Call(wanted.name, wanted.nth, "another")):
        scene.load(tmp_path / "kept")
        wrong = killed(warm, scene.given, ["evict", VIDEO], call, trace)
        assert bool(wrong) == (call is not wanted)


@pytest.mark.parametrize(
    ("spoil", "finding"),
    [
        (lambda path: path.unlink(), "ENOENT"),
        (shorten, "1000 bytes of 2560"),
        (lambda path: path.write_bytes(_CONTENT[::-1]), "or other bytes"),
        (lambda path: (path.unlink(), path.symlink_to("nowhere")), "ENOENT"),
    ],
)
def test_the_watcher_sees_a_fault(
    tmp_path: Path, watching: Watcher, spoil: Callable[[Path], object], finding: str
) -> None:
    path = tmp_path / "film"
    path.write_bytes(_CONTENT)
    wrong: list[str] = []

    with watching.watching([watched([path], _CONTENT)], wrong):
        assert look(watched([path], _CONTENT)) == ""
    assert wrong == []
    assert watching.looks

    with watching.watching([watched([path], _CONTENT)], wrong):
        spoil(path)
    assert finding in wrong[-1]


def test_the_watcher_sees_a_gap_between_two_names_that_is_often_there(tmp_path: Path, watching: Watcher) -> None:
    path, other = tmp_path / "film", tmp_path / "other"
    path.write_bytes(_CONTENT)
    wrong: list[str] = []

    while not wrong:
        with watching.watching([watched([path], _CONTENT)], wrong):
            for _ in range(1000):
                path.rename(other)
                other.rename(path)

    assert "ENOENT" in wrong[0]


def test_in_a_union_a_file_that_changes_its_branch_is_always_there(tmp_path: Path) -> None:
    copy, original = tmp_path / "copy", tmp_path / "original"
    file = watched([copy, original], _CONTENT, union=True)
    copy.write_bytes(_CONTENT)

    assert look(file) == ""
    copy.rename(original)
    assert look(file) == ""
    original.unlink()
    assert "ENOENT" in look(file)
