"""``ondeckd restore --offline``: everything back on the array, by what the folders say alone."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from daemon.lock import single_instance
from daemon.storage.manifest import NAME as MANIFEST
from daemon.storage.paths import OWN_FOLDER
from tests.support import placement
from tests.support.command_line import Said, config_file, ondeckd
from tests.support.files import LONG_AGO, Tiers
from tests.support.needs import needs_root
from tests.support.process import python
from tests.support.restorer import KILLED

executor = placement.executor

PLACEMENTS = [
    {"serve": "union", "original": "keep"},
    {"serve": "union", "original": "backup"},
    {"serve": "union", "original": "remove"},
    {"serve": "symlink", "original": "backup"},
    {"serve": "symlink", "original": "remove"},
]
NAMES = [f"{one['serve']}+{one['original']}" for one in PLACEMENTS]
SYMLINK_BACKUP, SYMLINK_REMOVE = PLACEMENTS[3:]
FILES = {
    "Show/Season 1/e1.mkv": b"one",
    "Show/Season 1/e1.en.srt": b"words",
    "Show/Season 1/e2.mkv": b"two",
    "Film.mkv": b"film",
}
VIDEOS = [name for name in FILES if name.endswith(".mkv")]
REMEDY = "get the file anew, or remove its link"
NOTHING = "Everything is on the array already; there was nothing to do."


class Home:
    """Two tiers with files on them, and the configuration by which the command finds them."""

    def __init__(self, root: Path, executor: ThreadPoolExecutor, *, rate_limit: str = "0", **mapping: Any) -> None:
        self.root = root
        self.tiers = Tiers(root, executor, transfer={"sidecars": "all"}, **mapping)
        self.array, self.cache = self.tiers.array, self.tiers.cache
        self.config = config_file(
            root / "etc",
            {
                "mapping": [self.tiers.mapping.model_dump()],
                "transfer": {"rate_limit": rate_limit},
                "state": {"directory": str(root / "state")},
                "web": {"listen": "127.0.0.1:1"},
            },
        )

    async def fill(self, files: dict[str, bytes] = FILES) -> None:
        """Put files on the array and bring all of them in."""
        for name, content in files.items():
            self.tiers.film(name, content)
        for name in files:
            if name.endswith(".mkv"):
                await self.tiers.cache_in(self.tiers.file(name))

    async def restore(self, *words: str) -> Said:
        return await ondeckd(self.config, "restore", "--offline", *words)

    def stat(self, name: str) -> os.stat_result:
        return (self.array / name).lstat()

    def lose_manifest(self) -> None:
        (self.cache / OWN_FOLDER / MANIFEST).unlink()

    def lose_cache(self) -> None:
        shutil.rmtree(self.cache)
        self.cache.mkdir()


def back(home: Home, files: dict[str, bytes] = FILES) -> None:
    """Demand that the array has these files, whole and under their own names, and that nothing else is anywhere."""
    assert home.tiers.on_array() == files
    assert home.tiers.cached() == {}
    assert not any(path.is_symlink() for path in home.array.rglob("*"))
    assert {home.stat(name).st_mtime_ns for name in files} == {LONG_AGO}
    assert home.tiers.folders() == set()


@pytest.fixture(params=PLACEMENTS, ids=NAMES)
def home(tmp_path: Path, executor: ThreadPoolExecutor, request: pytest.FixtureRequest) -> Home:
    return Home(tmp_path, executor, **request.param)


async def test_everything_comes_back_and_the_second_run_has_nothing_to_do(home: Home) -> None:
    await home.fill()
    assert len(home.tiers.cached()) == 4

    first = await home.restore()
    assert (first.code, first.err) == (0, "")
    assert first.out.splitlines()[0] == "4 files came back to the array. Nothing of ondeckd's is left on the cache."
    back(home)
    after = {name: home.stat(name) for name in FILES}

    second = await home.restore("--yes")
    assert (second.code, second.out.splitlines()[0]) == (0, NOTHING)
    back(home)
    assert {name: home.stat(name) for name in FILES} == after


async def test_names_of_odd_bytes_come_back(home: Home) -> None:
    odd = {os.fsdecode(b"Sh\xffow/\xe9pisode\n1.mkv"): b"odd", "Show \U0001f600/" + "x" * 230 + ".mkv": b"long"}
    await home.fill(odd)

    said = await home.restore("--json")

    assert said.code == 0, said
    assert json.loads(said.out) == {"restored": 2, "left": [], "kept": [], "notes": [], "paused": False}
    back(home, odd)


@pytest.mark.parametrize("lost", ["links", "backups"])
async def test_a_lost_manifest_is_no_matter_where_links_or_backups_say_enough(
    tmp_path: Path, executor: ThreadPoolExecutor, lost: str
) -> None:
    chosen = {"links": SYMLINK_REMOVE, "backups": PLACEMENTS[1]}[lost]
    home = Home(tmp_path, executor, **chosen)
    await home.fill()
    home.lose_manifest()

    said = await home.restore()

    assert said.code == 0, said
    back(home)


async def test_without_a_manifest_a_copy_that_nothing_speaks_of_stays_and_is_named(
    tmp_path: Path, executor: ThreadPoolExecutor
) -> None:
    home = Home(tmp_path, executor, serve="union", original="remove")
    await home.fill({"Film.mkv": b"film", "Other/o.mkv": b"other"})
    home.tiers.film("Other/o.mkv", b"other")
    home.lose_manifest()

    said = json.loads((await home.restore("--json")).out)

    assert [row["path"] for row in said["left"]] == [str(home.cache / "Film.mkv")]
    assert said["notes"][0].startswith("1 file on ")
    assert home.tiers.cached() == {"Film.mkv": b"film", "Other/o.mkv": b"other"}


@pytest.mark.parametrize("how", ["empty", "missing"])
async def test_backups_come_back_without_the_cache(tmp_path: Path, executor: ThreadPoolExecutor, how: str) -> None:
    home = Home(tmp_path, executor, **SYMLINK_BACKUP)
    await home.fill()
    other = home.array / "Show/Season 1/e1.mkv"
    home.lose_cache()
    if how == "missing":
        home.cache.rmdir()

    said = await home.restore()

    assert said.code == 0, said
    assert other.read_bytes() == b"one"
    assert home.tiers.on_array() == FILES
    assert "is empty or cannot be read" in said.out
    assert not home.cache.exists() or not list(home.cache.iterdir())


async def test_what_had_no_backup_is_named_when_the_cache_is_gone(tmp_path: Path, executor: ThreadPoolExecutor) -> None:
    home = Home(tmp_path, executor, **SYMLINK_REMOVE)
    await home.fill({"a.mkv": b"a", "b.mkv": b"b"})
    (home.array / "kept.mkv").write_bytes(b"kept")
    home.lose_cache()

    said = await home.restore("--json")

    assert said.code == 1
    assert json.loads(said.out)["left"] == [
        {"path": str(home.array / name), "why": f"its copy is gone, and there is no {name}.plexcached; {REMEDY}"}
        for name in ("a.mkv", "b.mkv")
    ]
    assert (home.array / "a.mkv").is_symlink()


@needs_root
async def test_a_cache_that_has_become_read_only_still_gives_everything_back(
    tmp_path: Path, executor: ThreadPoolExecutor
) -> None:
    from tests.support.bad_input import memory_disk, remount  # noqa: PLC0415 - only root has disks to mount

    (tmp_path / "cache").mkdir()
    with memory_disk(tmp_path / "cache", "4m"):
        home = Home(tmp_path, executor, **SYMLINK_BACKUP)
        await home.fill({"a.mkv": b"a"})
        gone = Home(tmp_path, executor, **SYMLINK_REMOVE)
        await gone.fill({"b.mkv": b"b"})
        remount(home.cache, "ro")

        said = await home.restore("--json")

        assert said.code == 1
        left = json.loads(said.out)["left"]
        assert [row["why"].partition(":")[0] for row in left] == ["the original is there, but its copy stays"] * 2
        assert home.tiers.on_array() == {"a.mkv": b"a", "b.mkv": b"b"}
        assert not (home.array / "a.mkv").is_symlink()
        assert not (home.array / "b.mkv").is_symlink()
        remount(home.cache, "rw")
        assert (await home.restore()).code == 0
        back(home, {"a.mkv": b"a", "b.mkv": b"b"})


@pytest.mark.parametrize("manifest", ["kept", "lost"])
async def test_newer_content_on_the_cache_wins_and_the_old_backup_is_kept(
    tmp_path: Path, executor: ThreadPoolExecutor, manifest: str
) -> None:
    home = Home(tmp_path, executor, **SYMLINK_BACKUP)
    await home.fill({"a.mkv": b"old"})
    (home.cache / "a.mkv").write_bytes(b"newer content")
    if manifest == "lost":
        home.lose_manifest()

    for restored in (1, 0):
        said = json.loads((await home.restore("--json")).out)
        assert (said["restored"], said["left"]) == (restored, [])
        assert [row["path"] for row in said["kept"]] == [str(home.array / "a.mkv")]
        assert home.tiers.on_array() == {"a.mkv": b"newer content", "a.mkv.plexcached": b"old"}
        assert home.tiers.cached() == {}


async def test_an_older_copy_never_takes_the_place_of_a_newer_backup(
    tmp_path: Path, executor: ThreadPoolExecutor
) -> None:
    home = Home(tmp_path, executor, **SYMLINK_BACKUP)
    await home.fill({"a.mkv": b"content", "b.mkv": b"b"})
    home.lose_manifest()
    (home.cache / "a.mkv").write_bytes(b"something shorter")
    os.utime(home.cache / "a.mkv", ns=(LONG_AGO - 10, LONG_AGO - 10))

    said = await home.restore("--json")

    assert said.code == 1
    why = "its copy and its backup differ, and the copy is not the newer one"
    assert json.loads(said.out)["left"] == [{"path": str(home.array / "a.mkv"), "why": why}]
    assert (home.array / "a.mkv.plexcached").read_bytes() == b"content"
    assert (home.cache / "a.mkv").read_bytes() == b"something shorter"
    assert not (home.array / "b.mkv").is_symlink()


async def test_original_and_copy_both_changed_stay_and_are_named(tmp_path: Path, executor: ThreadPoolExecutor) -> None:
    home = Home(tmp_path, executor, serve="union", original="keep")
    await home.fill({"a.mkv": b"old"})
    (home.cache / "a.mkv").write_bytes(b"changed here")
    (home.array / "a.mkv").write_bytes(b"and there, too")

    said = await home.restore("--json")

    assert said.code == 1
    assert "nobody can tell which is newer" in json.loads(said.out)["left"][0]["why"]
    assert home.tiers.on_array() == {"a.mkv": b"and there, too"}
    assert home.tiers.cached() == {"a.mkv": b"changed here"}


class TestOthersBackups:
    """What PlexCache-R has put aside: no manifest, no folder of ours, times that its copies may not have kept."""

    @pytest.fixture
    def home(self, tmp_path: Path, executor: ThreadPoolExecutor) -> Home:
        return Home(tmp_path, executor, serve="union", original="backup")

    def put(self, home: Home, copy: bytes | None, *, mtime_ns: int = LONG_AGO, original: bytes | None = None) -> None:
        home.tiers.film("a.mkv.plexcached", b"content")
        home.tiers.film("other.mkv", b"other")
        if original is not None:
            home.tiers.film("a.mkv", original)
        (home.cache / "other.mkv").touch()
        if copy is not None:
            (home.cache / "a.mkv").write_bytes(copy)
            os.utime(home.cache / "a.mkv", ns=(mtime_ns, mtime_ns))

    @pytest.mark.parametrize("later", [0, 1_000_000_000, -1_000_000_000])
    async def test_the_same_content_is_told_whatever_its_time(self, home: Home, later: int) -> None:
        self.put(home, b"content", mtime_ns=LONG_AGO + later)

        assert (await home.restore()).code == 0
        assert home.tiers.on_array() == {"a.mkv": b"content", "other.mkv": b"other"}
        assert home.tiers.cached() == {"other.mkv": b""}
        assert not (home.cache / OWN_FOLDER).exists()

    async def test_a_copy_of_the_same_size_and_an_older_time_that_is_another_file_stays(self, home: Home) -> None:
        self.put(home, b"CONTENT", mtime_ns=LONG_AGO - 1_000_000_000)

        assert (await home.restore()).code == 1
        assert home.tiers.on_array() == {"a.mkv.plexcached": b"content", "other.mkv": b"other"}
        assert home.tiers.cached() == {"a.mkv": b"CONTENT", "other.mkv": b""}

    async def test_without_its_copy_a_backup_comes_back(self, home: Home) -> None:
        self.put(home, None)

        assert (await home.restore()).code == 0
        assert home.tiers.on_array() == {"a.mkv": b"content", "other.mkv": b"other"}

    async def test_a_backup_beside_the_same_original_goes(self, home: Home) -> None:
        self.put(home, None, original=b"content")

        assert (await home.restore()).code == 0
        assert home.tiers.on_array() == {"a.mkv": b"content", "other.mkv": b"other"}

    async def test_a_backup_beside_another_original_is_kept_and_told(self, home: Home) -> None:
        self.put(home, None, original=b"upgraded")

        said = await home.restore("--json")
        assert said.code == 0
        assert [row["path"] for row in json.loads(said.out)["kept"]] == [str(home.array / "a.mkv")]
        assert home.tiers.on_array() == {
            "a.mkv": b"upgraded",
            "a.mkv.plexcached": b"content",
            "other.mkv": b"other",
        }


async def test_an_array_that_is_not_mounted_is_left_alone(tmp_path: Path, executor: ThreadPoolExecutor) -> None:
    home = Home(tmp_path, executor, serve="union", original="keep")
    await home.fill({"a.mkv": b"a"})
    home.array.rename(tmp_path / "unmounted")
    home.array.mkdir()

    said = await home.restore()

    assert said.code == 1
    assert f"LEFT: {home.array}: its anchor is missing, or it is empty; is the array mounted?" in said.out
    assert home.tiers.cached() == {"a.mkv": b"a"}


async def test_a_mapping_inside_of_another_looks_after_its_own(tmp_path: Path, executor: ThreadPoolExecutor) -> None:
    home = Home(tmp_path, executor, **SYMLINK_BACKUP)
    await home.fill({"a.mkv": b"a", "Kids/k.mkv": b"k"})
    home.lose_manifest()
    inner = {"name": "Kids", "plex": "/data/kids", "array": f"{home.array}/Kids", "cache": f"{home.cache}/Kids"}
    mappings = [home.tiers.mapping.model_dump(), {**inner, **SYMLINK_BACKUP}]
    config_file(tmp_path / "etc", {"mapping": mappings, "state": {"directory": str(tmp_path / "state")}})

    said = await home.restore("--json")

    assert json.loads(said.out)["restored"] == 2
    assert home.tiers.on_array() == {"a.mkv": b"a", "Kids/k.mkv": b"k"}
    assert home.tiers.cached() == {}


async def test_what_is_no_backup_or_link_of_ours_is_not_touched(home: Home) -> None:
    await home.fill()
    target = home.array / "Film.mkv"
    strange = {"elsewhere.mkv": "/somewhere/else.mkv", "beside.mkv": "Film.mkv", "folder": "Show"}
    for name, text in strange.items():
        (home.array / name).symlink_to(text)
    (home.array / "dir.plexcached").mkdir()
    (home.array / ".plexcached").write_bytes(b"no name before it")
    (home.cache / "mine.mkv").write_bytes(b"mine")

    said = json.loads((await home.restore("--json")).out)

    why = "nothing says who put it there, and the array has no such file"
    assert said["left"] == [{"path": str(home.cache / "mine.mkv"), "why": why}]
    assert said["restored"] == 4
    assert {name: str((home.array / name).readlink()) for name in strange} == strange
    assert (home.array / "dir.plexcached").is_dir()
    assert (home.array / ".plexcached").read_bytes() == b"no name before it"
    assert home.tiers.cached() == {"mine.mkv": b"mine"}
    assert target.read_bytes() == b"film"


async def test_it_refuses_beside_a_daemon(home: Home) -> None:
    await home.fill()
    with single_instance(home.root / "state"):
        said = await home.restore()

    assert said.code == 1
    assert f"another ondeckd (process {os.getpid()}) uses the state folder" in said.err
    assert said.err.endswith("; stop it first\n")
    assert len(home.tiers.cached()) == 4


@pytest.fixture
def many(tmp_path: Path, executor: ThreadPoolExecutor) -> Home:
    return Home(tmp_path, executor, rate_limit="10MB", **SYMLINK_REMOVE)


async def test_killed_at_any_point_it_is_finished_by_the_next_run(many: Home) -> None:
    files = {f"Show/e{number}.mkv": bytes([number]) * 1_000_000 for number in range(5)}
    await many.fill(files)
    kills = 0
    while True:
        async with python(["-m", "daemon", "--config", str(many.config), "restore", "--offline"]) as process:
            before = len(many.tiers.cached())
            finished = asyncio.ensure_future(process.wait())
            # Killed once another file has left the cache, in the middle of one that is still on its way.
            while not finished.done() and len(many.tiers.cached()) == before:
                await asyncio.wait({finished}, timeout=0.005)
            if finished.done():
                break
            process.kill()
            await finished
            kills += 1
        for name, content in files.items():
            assert (many.array / name).read_bytes() == content
    assert process.returncode == 0
    assert kills > 1
    assert not any(path.name.startswith(".ondeckd-") for path in many.array.rglob("*"))
    back(many, files)


async def test_a_link_that_was_renamed_leads_to_its_file_all_the_same(
    tmp_path: Path, executor: ThreadPoolExecutor
) -> None:
    home = Home(tmp_path, executor, **SYMLINK_REMOVE)
    await home.fill({"Show/a.mkv": b"a", "Show/b.mkv": b"b"})
    home.lose_manifest()
    (home.array / "Show/a.mkv").rename(home.array / "Show/a - Title.mkv")
    (home.array / "mine.mkv").symlink_to(home.cache / "Show/b.mkv")

    said = await home.restore("--json")

    assert said.code == 0, said
    assert [row["path"] for row in json.loads(said.out)["kept"]] == [str(home.array / "mine.mkv")]
    assert sorted(path.read_bytes() for path in (home.array / "Show").iterdir()) == [b"a", b"b"]
    assert not any(path.is_symlink() for path in (home.array / "Show").iterdir())
    assert home.tiers.cached() == {}


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("settings", PLACEMENTS, ids=NAMES)
async def test_killed_before_each_change_of_the_disks_nothing_is_lost_and_the_next_run_ends_it(
    tmp_path: Path, executor: ThreadPoolExecutor, settings: dict[str, Any]
) -> None:
    files = {"Show/e1.mkv": b"one", "Show/e1.en.srt": b"words"}
    code: int | None = KILLED
    nth = 0
    while code == KILLED:
        nth += 1
        root = tmp_path / str(nth)
        root.mkdir()
        home = Home(root, executor, **settings)
        await home.fill(files)
        async with python(["-m", "tests.support.restorer", str(home.config), str(nth)]) as process:
            await process.communicate()
            code = process.returncode
        for name, content in files.items():
            served = [path for path in (home.cache / name, home.array / name) if path.exists()]
            assert {path.read_bytes() for path in served} == {content}, (nth, name)
            assert settings["serve"] == "union" or (home.array / name).exists(), (nth, name)
        assert (await home.restore()).code == 0, nth
        back(home, files)
        assert not any(path.name.startswith(".ondeckd-") for path in home.array.rglob("*")), nth
        shutil.rmtree(root)
    assert code == 0
    assert nth > 10


@pytest.mark.parametrize("more", [{"link": "relative"}, {"link_target": "/plex/cache"}], ids=["relative", "target"])
async def test_links_are_known_however_they_are_written(
    tmp_path: Path, executor: ThreadPoolExecutor, more: dict[str, str]
) -> None:
    home = Home(tmp_path, executor, **SYMLINK_REMOVE, **more)
    await home.fill()
    home.lose_manifest()

    assert (await home.restore()).code == 0
    back(home)


@pytest.mark.parametrize("cached", ["cached", "not cached"])
@pytest.mark.parametrize("placement", ["union+keep", "union+backup"])
async def test_an_original_is_never_replaced_by_a_backup_of_other_bytes(
    tmp_path: Path, executor: ThreadPoolExecutor, placement: str, cached: str
) -> None:
    home = Home(tmp_path, executor, **PLACEMENTS[NAMES.index(placement)])
    files = {"f.mkv": b"the original"} if cached == "cached" else {}
    await home.fill({"other.mkv": b"other", **files})
    if (home.array / "f.mkv.plexcached").exists():
        (home.array / "f.mkv.plexcached").rename(home.array / "f.mkv")
    home.tiers.film("f.mkv", b"the original")
    home.tiers.film("f.mkv.plexcached", b"the ROTTEN1l")

    for _ in range(2):
        said = await home.restore("--json")
        assert said.code == 1
        [left] = json.loads(said.out)["left"]
        assert left["path"] == str(home.array / "f.mkv")
        assert "f.mkv.plexcached has its size and time, but other bytes" in left["why"]
        assert home.tiers.on_array() == {
            "f.mkv": b"the original",
            "f.mkv.plexcached": b"the ROTTEN1l",
            "other.mkv": b"other",
        }


@pytest.mark.parametrize("times", ["the same time", "another time"])
async def test_a_backup_goes_where_the_original_and_the_copy_have_the_same_bytes(
    tmp_path: Path, executor: ThreadPoolExecutor, times: str
) -> None:
    home = Home(tmp_path, executor, serve="union", original="backup")
    await home.fill({"f.mkv": b"film"})
    home.lose_manifest()
    home.tiers.film("f.mkv", b"film")
    if times == "another time":
        os.utime(home.array / "f.mkv.plexcached", ns=(LONG_AGO + 5, LONG_AGO + 5))

    said = await home.restore("--json")

    assert (said.code, json.loads(said.out)["restored"]) == (0, 1)
    back(home, {"f.mkv": b"film"})


async def test_a_link_of_somebody_elses_is_never_replaced_by_a_backup(
    tmp_path: Path, executor: ThreadPoolExecutor
) -> None:
    home = Home(tmp_path, executor, serve="union", original="backup")
    await home.fill({"other.mkv": b"other"})
    home.tiers.film("kept/f.mkv", b"film")
    home.tiers.film("f.mkv.plexcached", b"film")
    (home.array / "f.mkv").symlink_to("kept/f.mkv")

    said = await home.restore("--json")

    assert said.code == 1
    assert "a link of somebody else's" in json.loads(said.out)["left"][0]["why"]
    assert (home.array / "f.mkv").is_symlink()
    assert (home.array / "f.mkv.plexcached").read_bytes() == b"film"


@pytest.mark.parametrize("settings", PLACEMENTS, ids=NAMES)
async def test_a_mapping_that_was_renamed_gets_back_what_the_manifest_names_by_its_former_name(
    tmp_path: Path, executor: ThreadPoolExecutor, settings: dict[str, Any]
) -> None:
    home = Home(tmp_path, executor, **settings)
    await home.fill()
    renamed = {**home.tiers.mapping.model_dump(), "name": "z"}
    config_file(tmp_path / "etc", {"mapping": [renamed], "state": {"directory": str(tmp_path / "state")}})

    said = await home.restore()

    assert said.code == 0, said
    back(home)


@pytest.mark.parametrize("lost", ["lines", "manifest", "folder"])
async def test_the_only_copies_are_named_whatever_has_become_of_the_manifest(
    tmp_path: Path, executor: ThreadPoolExecutor, lost: str
) -> None:
    home = Home(tmp_path, executor, serve="union", original="remove")
    (home.array / "kept.mkv").write_bytes(b"kept")
    await home.fill({"a.mkv": b"a", "b.mkv": b"b"})
    (home.array / "b.mkv").symlink_to("../there/b.mkv")
    (tmp_path / "there").symlink_to(home.cache)
    if lost == "lines":
        (home.cache / OWN_FOLDER / MANIFEST).write_bytes(b"")
    else:
        home.lose_manifest()
    if lost == "folder":
        shutil.rmtree(home.cache / OWN_FOLDER)

    said = await home.restore("--json")

    assert said.code == 1
    named = {row["path"] for row in json.loads(said.out)["left"]}
    assert named == {str(home.cache / "a.mkv"), str(home.cache / "b.mkv")}
    assert home.tiers.cached() == {"a.mkv": b"a", "b.mkv": b"b"}


@pytest.mark.parametrize("words", [(), ("--offline",)])
async def test_without_a_mapping_it_says_so(tmp_path: Path, words: tuple[str, ...]) -> None:
    config = config_file(tmp_path, {"state": {"directory": str(tmp_path / "state")}, "web": {"listen": "127.0.0.1:1"}})

    said = await ondeckd(config, "restore", *words)

    assert (said.code, said.out) == (78, "")
    assert "no [[mapping]] is configured" in said.err


async def test_nothing_is_claimed_of_a_cache_that_cannot_be_read(tmp_path: Path, executor: ThreadPoolExecutor) -> None:
    home = Home(tmp_path, executor, **SYMLINK_BACKUP)
    await home.fill({"a.mkv": b"a"})
    home.lose_cache()

    first, second = await home.restore(), await home.restore()

    assert first.out.splitlines()[0] == "1 file came back to the array."
    assert second.out.splitlines()[0] == "Nothing was found to bring back."
