"""``ondeckd restore``: who else is at work, what is broken beside it, and how it is ended early."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from tests.support import placement
from tests.support.command_line import config_file, free_port, ondeckd
from tests.support.daemon import at_home
from tests.support.files import Tiers
from tests.support.needs import needs_root
from tests.support.plex import small_library
from tests.support.process import python
from tests.support.web import API_KEY, MemoryService, cheap_hash, serving

executor = placement.executor

FILES = {"Show/a.mkv": b"a", "Show/b.mkv": b"b"}
ENDLESS = """
import sys
from daemon.cli import main
from daemon.storage import strays

walk = strays._walk

def endless(survey, root):
    print("walking", flush=True)
    while True:
        yield from walk(survey, root)

strays._walk = endless
sys.argv[0] = "ondeckd"
main()
"""


async def cached(root: Path, executor: ThreadPoolExecutor, state: Path, *, listen: str = "") -> tuple[Tiers, Path]:
    """Return two tiers with files on the cache, and the configuration by which the command finds them."""
    tiers = Tiers(root, executor, serve="symlink", original="backup")
    for name, content in FILES.items():
        tiers.film(name, content)
        await tiers.cache_in(tiers.file(name))
    settings = {
        "mapping": [tiers.mapping.model_dump()],
        "state": {"directory": str(state)},
        "web": {"listen": listen or f"127.0.0.1:{free_port()}"},
    }
    return tiers, config_file(root / "etc", settings)


@pytest.mark.parametrize("how", ["no folder", pytest.param("read-only", marks=needs_root)])
async def test_offline_a_dead_state_disk_is_a_note_and_no_end(
    tmp_path: Path, executor: ThreadPoolExecutor, how: str
) -> None:
    from tests.support.bad_input import memory_disk, remount  # noqa: PLC0415 - only root has disks to mount

    state = tmp_path / "disk/state"
    with ExitStack() as stack:
        if how == "read-only":
            stack.enter_context(memory_disk(state.parent, "1m"))
            remount(state.parent, "ro")
        else:
            state.parent.write_bytes(b"no disk")
        tiers, config = await cached(tmp_path, executor, state)

        said = await ondeckd(config, "restore", "--offline")

        assert said.code == 0, said
        [note] = said.lines
        assert note.startswith(f"note: cannot use the state folder {state}: ")
        assert tiers.on_array() == FILES
        assert tiers.cached() == {}
        assert (await ondeckd(config, "restore")).code == 1  # without the ledger's folder there is only --offline


async def test_offline_refuses_beside_a_daemon_with_its_state_elsewhere(tmp_path: Path) -> None:
    library = small_library()
    async with at_home(tmp_path, library, web={"listen": f"127.0.0.1:{free_port()}"}) as house:
        await house.post("/api/v1/cache", {"target": library.movies[0]})
        await house.until(lambda: house.is_cached(library.movies[0]))
        await house.quiet()
        elsewhere = {"state": {"directory": str(tmp_path / "elsewhere")}}

        said = await ondeckd(config_file(house.folder / "etc", house.settings | elsewhere), "restore", "--offline")

        assert said.code == 1
        assert "a daemon answers at web.listen; stop it first" in said.err
        assert house.is_cached(library.movies[0])


async def test_a_missing_key_is_a_fault_of_the_configuration_and_offline_a_daemon_all_the_same(
    tmp_path: Path, executor: ThreadPoolExecutor
) -> None:
    async with serving(MemoryService(), password_hash=cheap_hash("x"), api_key=API_KEY) as site:
        listen = site.url.removeprefix("http://")
        tiers, config = await cached(tmp_path, executor, tmp_path / "state", listen=listen)
        asked = await ondeckd(config, "restore")
        offline = await ondeckd(config, "restore", "--offline")

    assert asked.code == 78
    assert "web.api_key" in asked.err
    assert offline.code == 1
    assert "a daemon answers at web.listen; stop it first" in offline.err
    assert set(tiers.cached()) == set(FILES)


async def test_ctrl_c_ends_a_search_that_is_under_way(tmp_path: Path, executor: ThreadPoolExecutor) -> None:
    tiers, config = await cached(tmp_path, executor, tmp_path / "state")
    async with python(["-c", ENDLESS, "--config", str(config), "restore", "--offline"]) as process:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"walking\n"
        process.send_signal(signal.SIGINT)
        out, err = await process.communicate()

    assert (process.returncode, out, err) == (130, b"", b"ondeckd: interrupted; run this again to go on\n")
    assert set(tiers.cached()) == set(FILES)


async def _interrupted(process: asyncio.subprocess.Process) -> int:
    """Press Ctrl-C until the process ends; one that comes just before it waits for a key is not noticed by Python."""
    while True:
        process.send_signal(signal.SIGINT)
        with suppress(TimeoutError):
            return await asyncio.wait_for(process.wait(), 2.0)


async def test_ctrl_c_is_an_answer_to_the_question(tmp_path: Path, executor: ThreadPoolExecutor) -> None:
    tiers, config = await cached(tmp_path, executor, tmp_path / "state")
    above, below = os.openpty()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "daemon", "--config", str(config), "restore", "--offline"),
        stdin=below,
        stdout=below,
        stderr=below,
    )
    os.close(below)
    try:
        seen = b""
        while b"[y/N]" not in seen:
            seen += await asyncio.to_thread(os.read, above, 65536)
        code = await _interrupted(process)
    finally:
        os.close(above)

    assert code == 1
    assert set(tiers.cached()) == set(FILES)


async def test_a_path_that_is_too_long_for_the_kernel_is_looked_up_all_the_same(
    tmp_path: Path, executor: ThreadPoolExecutor
) -> None:
    tiers, config = await cached(tmp_path, executor, tmp_path / "state")
    (tiers.cache / ".ondeckd/manifest").unlink()
    for root in (tiers.array, tiers.cache):
        folder = os.open(root, os.O_RDONLY)
        for _ in range(17):
            os.mkdir("d" * 250, dir_fd=folder)
            folder, above = os.open("d" * 250, os.O_RDONLY, dir_fd=folder), folder
            os.close(above)
        os.close(os.open("both.mkv", os.O_CREAT | os.O_WRONLY, dir_fd=folder))
        os.close(folder)

    said = await ondeckd(config, "restore", "--offline")

    assert said.code == 0, said
    assert f"note: 1 file on {tiers.cache} is on the array too" in said.out
