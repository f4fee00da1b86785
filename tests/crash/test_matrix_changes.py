"""``kill -9`` at every change of a name while a deletion or a renaming by somebody else is followed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.injection import Actors, actors
from tests.support.judge import read
from tests.support.kills import Call, calls, killed
from tests.support.matrix import CONTENTS, SUBTITLE, VIDEO, Scene, quick_folder
from tests.support.needs import needs_strace
from tests.support.stage import PLACEMENTS

pytestmark = needs_strace

NEW_VIDEO, NEW_SUBTITLE = "Show/Season 1/first.mkv", "Show/Season 1/first.en.srt"
RENAMED = {NEW_VIDEO: CONTENTS[VIDEO], NEW_SUBTITLE: CONTENTS[SUBTITLE]}
KEPT = "kept.nfo"

everywhere = pytest.mark.parametrize("placement", PLACEMENTS)


@pytest.fixture(scope="module")
def crew() -> Iterator[Actors]:
    with actors() as found:
        yield found


def branches(scene: Scene, name: str) -> list[Path]:
    return [tier / name for tier in (scene.cache, scene.array) if os.path.lexists(tier / name)]


def delete(scene: Scene) -> None:
    """Delete both files as Sonarr does: through the union, or the links."""
    for name in CONTENTS:
        links = scene.placement.startswith("symlink")
        for path in [scene.array / name] if links else branches(scene, name):
            path.unlink()


def rename(scene: Scene) -> None:
    """Give both files another name in another folder, as Sonarr does."""
    for name, new in ((VIDEO, NEW_VIDEO), (SUBTITLE, NEW_SUBTITLE)):
        links = scene.placement.startswith("symlink")
        for path in [scene.array / name] if links else branches(scene, name):
            tier = scene.array if path.is_relative_to(scene.array) else scene.cache
            (tier / new).parent.mkdir(exist_ok=True)
            path.rename(tier / new)


def files(scene: Scene) -> dict[str, bytes]:
    """Return everything on both tiers that is no file of ondeckd's own."""
    found = {}
    for tier in (scene.array, scene.cache):
        for path in sorted(tier.rglob("*")):
            if path.is_symlink() or (path.is_file() and ".ondeckd" not in path.parts):
                found[f"{tier.parent.name}/{path.relative_to(tier)}"] = path.read_bytes() if path.exists() else b""
    return found


def shown(scene: Scene) -> list[str]:
    """Return which of the renamed files Plex does not see whole."""
    links = scene.placement.startswith("symlink")
    seen = {name: [scene.array / name] if links else branches(scene, name) for name in RENAMED}
    return [name for name, paths in seen.items() if not _is_whole(paths, RENAMED[name])]


def _is_whole(paths: list[Path], content: bytes) -> bool:
    return bool(paths) and paths[0].exists() and paths[0].read_bytes() == content


def entered(scene: Scene) -> tuple[set[str], int]:
    rows = read(scene.home / "state")
    paths = {str(Path(row["array_path"]).relative_to(scene.array)) for row in rows.entries}
    return paths, len(rows.journal)


def kill_everywhere(
    crew: Actors,
    base: Path,
    scene: Scene,
    action: list[str],
    judge: Callable[[str], None],
    *,
    every: bool,
) -> int:
    """Kill the action at each of its calls; `judge` hears of the kill, the recovery, and the action done again."""
    trace, kept = base / "trace", base / "kept"
    scene.save(kept)
    whole = crew.traced(scene.given, action, [], trace)
    assert whole.code == 0
    assert [line for line in whole.said if line.startswith("failed")] == []
    judge("whole")
    found: list[Call] = [call for call in calls(whole, base) if every or call.renames]
    for call in found:
        scene.load(kept)
        assert killed(crew, scene.given, action, call, trace) == []
        judge("killed")
        assert crew.run(scene.given, "recover").code == 0
        judge("recovered")
        assert crew.run(scene.given, *action).code == 0
        judge("again")
    return len(found)


def begin(crew: Actors, base: Path, placement: str, change: Callable[[Scene], None]) -> Scene:
    scene = Scene(base, "scene", placement)
    for tier in ("array", "cache", "home"):
        (base / tier).mkdir(exist_ok=True)
    scene.build()
    (scene.array / KEPT).write_bytes(b"so that the array is not empty")
    assert crew.run(scene.given, "recover", "cache_in", VIDEO).said == ["done recover", "done cache_in"]
    change(scene)
    return scene


def follow_deletion(crew: Actors, placement: str, *, every: bool) -> int:
    with quick_folder() as base:
        scene = begin(crew, base, placement, delete)
        known = {*RENAMED.values(), *CONTENTS.values(), b"so that the array is not empty", b""}

        def judge(when: str) -> None:
            assert set(files(scene).values()) <= known, when
            if when in {"whole", "again"}:
                assert (set(files(scene)), entered(scene)) == ({f"array/{KEPT}"}, (set(), 0)), when
            if when == "recovered":
                # What is left is either as it was before or on its way out: nothing is back under its name.
                assert entered(scene)[1] == 0, when
                assert not any(os.path.lexists(scene.array / name) for name in CONTENTS), when

        return kill_everywhere(crew, base, scene, ["delete", VIDEO], judge, every=every)


def follow_renaming(crew: Actors, placement: str, *, every: bool) -> int:
    with quick_folder() as base:
        scene = begin(crew, base, placement, rename)

        def judge(when: str) -> None:
            assert shown(scene) == [], f"{when}: {files(scene)}"
            if when == "recovered":
                assert entered(scene)[1] == 0, when
            if when in {"whole", "again"}:
                assert entered(scene) == (set(RENAMED), 0), when
                assert not any(branches(scene, name) for name in CONTENTS), when
                aside = [name for name in files(scene) if name.endswith(".plexcached")]
                backups = [f"array/{name}.plexcached" for name in RENAMED]
                assert sorted(aside) == (sorted(backups) if placement.endswith("+backup") else []), when

        return kill_everywhere(crew, base, scene, ["follow", f"{VIDEO}>{NEW_VIDEO}"], judge, every=every)


@everywhere
def test_a_deletion_that_is_killed_is_finished_and_nothing_comes_back(crew: Actors, placement: str) -> None:
    kills = follow_deletion(crew, placement, every=False)
    assert kills >= (0 if placement in {"union+keep", "union+remove"} else 2)


@everywhere
def test_a_renaming_that_is_killed_is_followed_and_the_file_always_shown(crew: Actors, placement: str) -> None:
    kills = follow_renaming(crew, placement, every=False)
    assert kills >= (0 if placement.startswith("union") else 4)


@pytest.mark.long
@pytest.mark.timeout(900)
@everywhere
def test_a_kill_at_any_system_call_of_either_is_recovered_from(crew: Actors, placement: str) -> None:
    assert follow_deletion(crew, placement, every=True) > 5
    assert follow_renaming(crew, placement, every=True) > 10
