"""``ondeckd restore``: by a running daemon, by ledger and journal without one, and what a daemon finds afterwards."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest

from daemon.lock import single_instance
from daemon.restoring import amount
from daemon.state.store import Store
from tests.support.command_line import config_file, free_port, ondeckd
from tests.support.files import LONG_AGO
from tests.support.judge import read
from tests.support.process import python

NOTHING = "Everything is on the array already; there was nothing to do."
PAUSED = "ondeckd stays paused: it caches nothing until `ondeckd resume`."
PLACEMENTS = ["union+keep", "union+backup", "union+remove", "symlink+backup", "symlink+remove"]


FILES = {"S/a.mkv": b"a", "S/a.en.srt": b"words", "S/b.mkv": b"b"}


class Alone:
    """Two tiers, a database that knows what is on the cache, and no daemon."""

    def __init__(self, root: Path, placement: str) -> None:
        self.array, self.cache = root / "array", root / "cache"
        for folder in (self.array, self.cache, root / "state"):
            folder.mkdir()
        serve, _, original = placement.partition("+")
        self._given = {"root": str(root), "serve": serve, "original": original}
        mapping = {"name": "TV", "plex": "/data/tv", "array": str(self.array), "cache": str(self.cache)}
        self.state = root / "state"
        self.config = config_file(
            root / "etc",
            {
                "mapping": [{**mapping, "serve": serve, "original": original}],
                "state": {"directory": str(self.state)},
                "web": {"listen": f"127.0.0.1:{free_port()}"},
            },
        )

    async def fill(self) -> None:
        """Put files on the array and have them brought in, as the daemon does it."""
        for name, content in FILES.items():
            (self.array / name).parent.mkdir(exist_ok=True)
            (self.array / name).write_bytes(content)
            os.utime(self.array / name, ns=(LONG_AGO, LONG_AGO))
        words = ["-m", "tests.support.actor", json.dumps(self._given), "cache_in", "S/a.mkv", "cache_in", "S/b.mkv"]
        async with python(words) as process:
            out, err = await process.communicate()
        assert out.split(b"\n") == [b"done cache_in", b"done cache_in", b""], err

    def files(self, root: Path) -> dict[str, bytes]:
        found = [path for path in root.rglob("*") if path.is_file() and path.name != "manifest"]
        return {str(path.relative_to(root)): path.read_bytes() for path in found}


@pytest.fixture(params=PLACEMENTS)
async def alone(tmp_path: Path, request: pytest.FixtureRequest) -> Alone:
    made = Alone(tmp_path, request.param)
    await made.fill()
    return made


async def test_without_a_daemon_everything_comes_back_and_the_next_daemon_is_paused(alone: Alone) -> None:
    said = await ondeckd(alone.config, "restore")

    assert (said.code, said.err) == (0, "")
    assert said.out.splitlines() == [
        "3 files came back to the array. Nothing of ondeckd's is left on the cache.",
        PAUSED,
    ]
    assert alone.files(alone.array) == FILES
    assert not any(path.is_symlink() for path in alone.array.rglob("*"))
    assert alone.files(alone.cache) == {}
    rows = read(alone.state)
    assert rows.entries == rows.journal == []
    async with Store(alone.state) as store:
        paused = await store.run(lambda c: c.execute("SELECT value FROM meta WHERE key = 'paused'").fetchone())
    assert paused == ("1",)

    again = await ondeckd(alone.config, "restore", "--json")
    assert json.loads(again.out) == {"restored": 0, "left": [], "kept": [], "notes": [], "paused": True}


async def test_without_a_daemon_a_lost_database_is_read_from_the_manifest(alone: Alone) -> None:
    for path in alone.state.iterdir():
        path.unlink()

    said = await ondeckd(alone.config, "restore")

    assert (said.code, said.out.splitlines()[0][:7]) == (0, "3 files")
    assert alone.files(alone.array) == FILES


async def test_without_a_daemon_what_cannot_leave_is_named(tmp_path: Path) -> None:
    alone = Alone(tmp_path, "union+keep")
    await alone.fill()
    (alone.array / "S/a.mkv").write_bytes(b"changed there")
    (alone.cache / "S/a.mkv").write_bytes(b"changed here, too")

    said = await ondeckd(alone.config, "restore", "--json")

    assert said.code == 1
    report = json.loads(said.out)
    assert [row["path"] for row in report["left"]] == [str(alone.array / "S/a.mkv"), str(alone.array / "S/a.en.srt")]
    assert "nobody can tell which is newer" in report["left"][0]["why"]
    assert report["restored"] == 1
    assert {"S/a.mkv", "S/a.en.srt"} == set(alone.files(alone.cache))


async def test_a_daemon_that_does_not_answer_is_not_worked_beside(tmp_path: Path) -> None:
    alone = Alone(tmp_path, "union+keep")
    await alone.fill()
    with single_instance(alone.state):
        said = await ondeckd(alone.config, "restore")

    assert said.code == 1
    assert "uses the state folder" in said.err
    assert len(alone.files(alone.cache)) == 3


async def test_on_a_terminal_it_asks_first(tmp_path: Path) -> None:
    alone = Alone(tmp_path, "union+remove")
    await alone.fill()
    for words, answer, code in (((), b"n\n", 1), ((), b"y\n", 0)):
        told, seen = await on_a_terminal(alone.config, *words, answer=answer)
        assert told == code, seen
        assert "Bring 3 files back to the array; 7 bytes of them have to be copied? [y/N]:" in seen
        assert (alone.files(alone.cache) == {}) is (code == 0)
    assert "3 of 3 files" in seen
    assert (await on_a_terminal(alone.config, "--yes", answer=b""))[0] == 0
    told, seen = await on_a_terminal(alone.config, answer=b"")
    assert (told, "Bring" in seen, NOTHING in seen) == (0, False, True)


async def on_a_terminal(config: Path, *words: str, answer: bytes) -> tuple[int, str]:
    """Run the command at a terminal of its own; return its code and all that was to be seen."""
    above, below = os.openpty()
    os.write(above, answer)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "daemon", "--config", str(config), "restore", *words),
        stdin=below,
        stdout=below,
        stderr=below,
        env={**os.environ, "COLUMNS": "200", "TERM": "xterm"},
    )
    os.close(below)
    reading = asyncio.create_task(asyncio.to_thread(read_all, above))
    code = await process.wait()
    seen = await reading
    os.close(above)
    return code, seen


def read_all(terminal: int) -> str:
    seen = b""
    while True:
        try:
            seen += os.read(terminal, 65536)
        except OSError:  # nobody has the other end open any more
            return seen.decode()


async def test_without_a_daemon_what_is_lost_is_never_counted_and_holds_nothing_else(tmp_path: Path) -> None:
    alone = Alone(tmp_path, "symlink+remove")
    await alone.fill()
    for name in ("S/a.mkv", "S/b.mkv"):
        (alone.cache / name).unlink()
    (alone.array / "S/b.mkv").unlink()

    said = await ondeckd(alone.config, "restore", "--json")

    assert said.code == 1
    report = json.loads(said.out)
    assert report["restored"] == 1
    assert {row["path"]: row["why"] for row in report["left"]} == {
        str(
            alone.array / "S/a.mkv"
        ): "its copy is gone, and there is no a.mkv.plexcached; get the file anew, or remove its link",
        str(alone.array / "S/b.mkv"): "its original and its copy are both gone; get the file anew",
    }
    assert alone.files(alone.array) == {"S/a.en.srt": b"words"}
    (alone.array / "S/a.mkv").unlink()
    assert (await ondeckd(alone.config, "restore")).code == 1
    assert (await ondeckd(alone.config, "restore")).out.splitlines() == [NOTHING, PAUSED]


async def test_without_a_daemon_a_lost_cache_has_its_remedy_named(tmp_path: Path) -> None:
    alone = Alone(tmp_path, "union+backup")
    await alone.fill()
    alone.cache.rename(tmp_path / "gone")
    alone.cache.mkdir()

    said = await ondeckd(alone.config, "restore")

    assert said.code == 1
    assert "run `ondeckd restore --offline`: it gives the originals that were put aside their names back" in said.out
    assert (await ondeckd(alone.config, "restore", "--offline")).code == 0
    assert alone.files(alone.array) == FILES


async def test_without_a_daemon_copies_that_nothing_speaks_of_are_named(tmp_path: Path) -> None:
    alone = Alone(tmp_path, "union+remove")
    await alone.fill()
    for path in (*alone.state.iterdir(), alone.cache / ".ondeckd/manifest"):
        path.unlink()
    (alone.array / "kept.mkv").touch()

    said = await ondeckd(alone.config, "restore", "--json")

    assert said.code == 1
    assert {row["path"] for row in json.loads(said.out)["left"]} == {str(alone.cache / name) for name in FILES}


def test_amounts_are_told_in_a_unit_that_fits() -> None:
    sizes = [3, 4_200, 12_000_000, 999_900_000, 1_500_000_000]
    assert [amount(size) for size in sizes] == ["3 bytes", "4.2 kB", "12.0 MB", "999.9 MB", "1.5 GB"]
