from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from daemon.cli import cli
from daemon.errors import PlexUnavailable, TargetBusy, TargetNotFound
from daemon.web.service import Check
from tests.support.web import (
    API_KEY,
    MemoryService,
    Site,
    cheap_hash,
    file_row,
    serving,
    session_row,
    task_row,
)

pytestmark = pytest.mark.usefixtures("_no_environment")


@pytest.fixture
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("ONDECKD_")]:
        monkeypatch.delenv(name)


@asynccontextmanager
async def _daemon(tmp_path: Path, service: MemoryService, **web: Any) -> AsyncIterator[tuple[Site, Path]]:
    """Serve, and write the configuration by which the commands find the server."""
    async with serving(service, **web) as site:
        yield site, _config(tmp_path, site.url.removeprefix("http://"), web.get("api_key", ""))


def _config(tmp_path: Path, listen: str, api_key: str = "") -> Path:
    path = tmp_path / "config.toml"
    path.write_text(f'[plex]\ntoken = "t"\n[web]\nlisten = "{listen}"\napi_key = "{api_key}"\n')
    return path


async def _run(config: Path, *words: str) -> Result:
    runner = CliRunner()
    return await asyncio.to_thread(runner.invoke, cli, ["--config", str(config), *words])


def _full() -> MemoryService:
    return MemoryService(
        rows={
            "files": [file_row("a.mkv"), file_row("b.mkv", state="caching", demands=[], keep_until=None)],
            "tasks": [task_row(1, "running", bytes_done=50_000_000, bytes_total=100_000_000)],
            "sessions": [session_row()],
        },
        checks=[Check("plex", True, "answers"), Check("space", False, "the cache is full")],
    )


async def test_status_says_how_the_daemon_is(tmp_path: Path) -> None:
    async with _daemon(tmp_path, _full()) as (_, config):
        result = await _run(config, "status")
        assert result.exit_code == 0, result.output
        said = ("1.2.3", "running", "2 files, 3.0 GB", "1 queued", "space", "the cache is full", "plex.tv is away")
        for text in said:
            assert text in result.stdout


@pytest.mark.parametrize("name", ["status", "plan", "files", "tasks", "sessions"])
async def test_json_is_what_the_api_answers(tmp_path: Path, name: str) -> None:
    async with _daemon(tmp_path, _full()) as (site, config):
        result = await _run(config, name, "--json")
        async with site.http.get(f"/api/v1/{name}") as response:
            assert json.loads(result.stdout) == await response.json()


@pytest.mark.parametrize(
    ("name", "texts"),
    [
        ("files", ["/data/tv/a.mkv", "1.5 GB", "cached", "next up for Ann", "2025-03-02 08:15", "caching"]),
        ("tasks", ["cache_in", "running", "50.0 MB of 100.0 MB", "next up"]),
        ("sessions", ["Show - S01E01 - Pilot", "Ann", "playing", "cache", "1:23 of 30:00"]),
        ("plan", ["/data/tv/b.mkv", "2.0 GB", "next up for Ann", "cache 1 files (2.0 GB)", "evict 0"]),
    ],
)
async def test_lists_are_tables(tmp_path: Path, name: str, texts: list[str]) -> None:
    async with _daemon(tmp_path, _full()) as (_, config):
        result = await _run(config, name)
        assert result.exit_code == 0, result.output
        for text in texts:
            assert text in result.stdout, text


@pytest.mark.parametrize("name", ["files", "tasks", "sessions"])
async def test_an_empty_list_says_so(tmp_path: Path, name: str) -> None:
    async with _daemon(tmp_path, MemoryService()) as (_, config):
        assert (await _run(config, name)).stdout == f"no {name}\n"


async def test_a_list_can_be_cut_searched_and_sorted(tmp_path: Path) -> None:
    async with _daemon(tmp_path, _full()) as (site, config):
        result = await _run(config, "files", "--limit", "1", "--offset", "1", "-q", "mkv", "--sort", "-plex_path")
        assert "a.mkv" in result.stdout
        assert "1 of 2" in result.stdout
        query = site.service.queries[-1]
        assert (query.limit, query.offset, query.q, query.sort) == (1, 1, "mkv", "-plex_path")


async def test_a_sort_that_means_nothing_is_a_usage_error_that_names_what_is_allowed(tmp_path: Path) -> None:
    async with _daemon(tmp_path, _full()) as (_, config):
        result = await _run(config, "files", "--sort", "colour")
        assert result.exit_code == 2
        assert "plex_path" in result.stderr


async def test_names_cannot_steer_the_terminal(tmp_path: Path) -> None:
    evil = "\x1b[2Jcaf\udce9\n\r\x07[bold]x[/bold].mkv"
    async with _daemon(tmp_path, MemoryService(rows={"files": [file_row(evil)]})) as (_, config):
        out = (await _run(config, "files")).stdout
        assert "\\x1b[2Jcaf\\udce9\\n\\r\\x07[bold]x[/bold].mkv" in out
        assert "\x1b" not in out


@pytest.mark.parametrize("name", ["cache", "evict"])
async def test_a_target_is_asked_for(tmp_path: Path, name: str) -> None:
    async with _daemon(tmp_path, MemoryService()) as (site, config):
        assert (await _run(config, name, "11")).stdout == "tasks 7\n"
        assert json.loads((await _run(config, name, "11", "--json")).stdout) == {"tasks": [7]}
        assert site.service.asked == [(name, "11"), (name, "11")]
        site.service.ids = []
        assert "nothing to do" in (await _run(config, name, "11")).stdout


async def test_a_path_here_is_sent_as_a_whole_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.mkv").touch()
    monkeypatch.chdir(tmp_path)
    async with _daemon(tmp_path, MemoryService()) as (site, config):
        await _run(config, "cache", "a.mkv")
        await _run(config, "cache", "/data/tv/elsewhere.mkv")
        assert site.service.asked == [("cache", f"{tmp_path}/a.mkv"), ("cache", "/data/tv/elsewhere.mkv")]


@pytest.mark.parametrize("name", ["pause", "resume", "stop"])
async def test_the_daemon_is_told(tmp_path: Path, name: str) -> None:
    async with _daemon(tmp_path, MemoryService()) as (site, config):
        assert (await _run(config, name)).exit_code == 0
        assert json.loads((await _run(config, name, "--json")).stdout) == {"tasks": []}
        assert site.service.asked == [(name, ""), (name, "")]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (TargetNotFound("no such item"), 1),
        (TargetBusy("it is being played"), 1),
        (PlexUnavailable("Plex is down"), 69),
    ],
)
async def test_what_the_daemon_refuses_ends_with_one_line(tmp_path: Path, error: Exception, code: int) -> None:
    async with _daemon(tmp_path, MemoryService(error=error)) as (_, config):
        result = await _run(config, "evict", "11")
        assert (result.exit_code, result.stderr) == (code, f"ondeckd: {error}\n")


async def test_without_a_daemon_the_exit_code_is_69(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    result = await _run(_config(tmp_path, f"127.0.0.1:{port}"), "status")
    assert result.exit_code == 69
    assert f"no daemon answers at http://127.0.0.1:{port}" in result.stderr


@pytest.mark.parametrize("answer", [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", b"SSH-2.0-x\r\n", b""])
async def test_something_else_at_the_address_is_no_daemon(tmp_path: Path, answer: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        result = await _run(_config(tmp_path, f"127.0.0.1:{port}"), "status")
    assert result.exit_code == 69, result.output
    assert result.stderr.startswith("ondeckd: ")


async def test_where_a_password_is_set_the_commands_use_the_api_key(tmp_path: Path) -> None:
    web = {"password_hash": cheap_hash("x"), "api_key": API_KEY}
    async with _daemon(tmp_path, MemoryService(), **web) as (site, config):
        assert (await _run(config, "status")).exit_code == 0
        result = await _run(_config(tmp_path, site.url.removeprefix("http://")), "status")
        assert result.exit_code == 78
        assert "web.api_key" in result.stderr


async def _wait_for(site: Site, config: Path, *words: str) -> asyncio.Task[Result]:
    loop = asyncio.get_running_loop()
    running = loop.create_task(_run(config, "cache", "11", "--wait", *words))
    await site.service.was_read.wait()
    return running


async def test_waiting_ends_when_the_tasks_do(tmp_path: Path) -> None:
    row = task_row(7, "running", "/data/tv/a.mkv")
    async with _daemon(tmp_path, MemoryService(rows={"tasks": [row, task_row(8)]})) as (site, config):
        running = await _wait_for(site, config)
        site.feed.publish("task", {"id": 8, "state": "succeeded"})
        site.feed.publish("progress", {"id": 7, "bytes_done": 50, "bytes_total": 100})
        row |= {"state": "succeeded", "bytes_done": 100}
        site.feed.publish("task", {"id": 7, "state": "succeeded"})
        result = await running
    assert result.exit_code == 0, result.output
    assert "succeeded" in result.stdout


async def test_waiting_for_what_fails_ends_with_1_and_says_why(tmp_path: Path) -> None:
    row = task_row(7, "running")
    async with _daemon(tmp_path, MemoryService(rows={"tasks": [row]})) as (site, config):
        running = await _wait_for(site, config, "--json")
        row |= {"state": "failed", "error": "the source is gone"}
        site.feed.publish("resync", {})
        result = await running
    assert result.exit_code == 1
    assert json.loads(result.stdout)["items"][0]["error"] == "the source is gone"


async def test_waiting_for_what_is_done_already_does_not_wait(tmp_path: Path) -> None:
    rows = {"tasks": [task_row(7, "succeeded")]}
    async with _daemon(tmp_path, MemoryService(rows=rows)) as (site, config):
        assert (await _run(config, "cache", "11", "--wait")).exit_code == 0
        site.service.ids = []
        result = await _run(config, "evict", "11", "--wait")
        assert (result.exit_code, result.stdout) == (0, "no tasks\n")


async def test_waiting_ends_with_69_when_the_daemon_goes(tmp_path: Path) -> None:
    async with _daemon(tmp_path, MemoryService(rows={"tasks": [task_row(7, "running")]})) as (site, config):
        running = await _wait_for(site, config)
    result = await running
    assert result.exit_code == 69
    assert "the daemon ended" in result.stderr


async def _process(config: Path, *words: str, **more: Any) -> asyncio.subprocess.Process:
    program = [sys.executable, "-m", "daemon", "--config", str(config), *words]
    return await asyncio.create_subprocess_exec(*program, stderr=subprocess.PIPE, **more)


async def test_ctrl_c_ends_quietly(tmp_path: Path) -> None:
    async with _daemon(tmp_path, MemoryService(rows={"tasks": [task_row(7, "running")]})) as (site, config):
        process = await _process(config, "cache", "11", "--wait")
        await site.service.was_read.wait()
        process.send_signal(signal.SIGINT)
        _, errors = await process.communicate()
        assert (process.returncode, errors) == (130, b"")


async def test_a_reader_that_has_seen_enough_is_no_fault(tmp_path: Path) -> None:
    rows = {"files": [file_row(f"{number}.mkv") for number in range(1000)]}
    async with _daemon(tmp_path, MemoryService(rows=rows)) as (_, config):
        read, write = os.pipe()
        os.close(read)
        try:
            process = await _process(config, "files", "--limit", "1000", stdout=write)
        finally:
            os.close(write)
        _, errors = await process.communicate()
        assert (process.returncode, errors) == (0, b"")


async def test_the_daemon_never_loads_what_only_the_commands_need() -> None:
    code = "import sys, daemon.cli, daemon.web.server, daemon.client; print('rich.progress' in sys.modules)"
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=subprocess.PIPE)
    out, _ = await process.communicate()
    assert out == b"False\n"
