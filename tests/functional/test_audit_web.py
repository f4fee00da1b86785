"""The audit over HTTP and at the command line, beside a running daemon and without one."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest

from daemon.lock import single_instance
from daemon.storage.findings import FIXES
from daemon.web.api import MOST_ITEMS
from daemon.web.openapi import document
from tests.support.command_line import config_file, free_port, ondeckd
from tests.support.daemon import House, at_home
from tests.support.plex import small_library
from tests.support.web import MemoryService, Site, serving

ROW = {
    "name": "partial-file",
    "path": "/mnt/cache/tv/.ondeckd/x.part",
    "text": "no running copy uses it",
    "mapping": "TV",
    "fix": "remove it",
    "fixed": False,
    "said": "",
}


def _service() -> MemoryService:
    return MemoryService(rows={"audit": [ROW, ROW | {"name": "wrong-owner", "path": "/mnt/cache/tv/a.mkv"}]})


async def _fix(site: Site, body: Any) -> tuple[int, Any]:
    async with site.http.post("/api/v1/audit/fix", data=json.dumps(body)) as response:
        return response.status, await response.json()


@pytest.mark.parametrize(("query", "asked"), [("", ""), ("?array=1", "with the array"), ("?array=false", "")])
async def test_the_array_is_looked_at_only_if_that_is_asked_for(query: str, asked: str) -> None:
    async with serving(_service()) as site:
        async with site.http.get(f"/api/v1/audit{query}") as response:
            assert response.status == 200
            body = await response.json()
        assert (body["total"], len(body["items"])) == (2, 2)
        assert site.service.asked == [("audit", asked)]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("?q=A.MKV", ["wrong-owner"]),
        ("?limit=1", ["partial-file"]),
        ("?limit=1&offset=1", ["wrong-owner"]),
        ("?limit=1&offset=1&all=1", ["partial-file", "wrong-owner"]),
        ("?sort=-name", ["wrong-owner", "partial-file"]),
    ],
)
async def test_the_findings_are_a_list_like_any_other(query: str, names: list[str]) -> None:
    async with serving(_service()) as site, site.http.get(f"/api/v1/audit{query}") as response:
        assert [row["name"] for row in (await response.json())["items"]] == names


@pytest.mark.parametrize("query", ["?array=perhaps", "?all=perhaps", "?array=1&array=0", "?sort=text", "?other=1"])
async def test_an_address_that_means_nothing_is_refused(query: str) -> None:
    async with serving(_service()) as site:
        async with site.http.get(f"/api/v1/audit{query}") as response:
            assert (response.status, (await response.json())["error"]["code"]) == (400, "bad_query")
        assert site.service.asked == []


async def test_a_fix_says_what_became_of_each_finding() -> None:
    async with serving(_service()) as site:
        status, body = await _fix(site, {"fix": "partial-file", "array": True})
        assert (status, body["total"], body["tasks"]) == (202, 2, [7])
        assert [row["fixed"] for row in body["items"]] == [True, False]
        await _fix(site, {"fix": ["adopt", "all"]})
        assert site.service.asked == [("fix", "partial-file with the array"), ("fix", "adopt all")]


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"fix": "everything"},
        {"fix": []},
        {"fix": "all", "array": 1},
        {"fix": "all", "more": 1},
        {"fix": 3},
        {"fix": [["all"]]},
    ],
)
async def test_a_fix_that_means_nothing_is_refused(body: Any) -> None:
    async with serving(_service()) as site:
        status, answer = await _fix(site, body)
        assert (status, answer["error"]["code"][:4]) == (400, "bad_")
        assert site.service.asked == []


async def test_a_fix_of_what_is_only_reported_is_refused_with_what_to_do() -> None:
    async with serving(_service()) as site:
        for wanted in ("superseded-backup", ["partial-file", "superseded-backup"]):
            status, answer = await _fix(site, {"fix": wanted})
            assert (status, answer["error"]["code"]) == (400, "bad_fix")
            assert "has no fix" in answer["error"]["message"]
            assert "by hand" in answer["error"]["message"]
        assert site.service.asked == []


async def test_all_findings_come_in_one_answer_however_many() -> None:
    many = [ROW | {"path": f"/mnt/cache/tv/{number}"} for number in range(MOST_ITEMS + 5)]
    async with serving(MemoryService(rows={"audit": many})) as site:
        async with site.http.get("/api/v1/audit?all=1") as response:
            body = await response.json()
        assert (body["total"], body["items"]) == (len(many), many)
        assert len(site.service.asked) == 1


async def test_what_is_found_has_the_documented_fields() -> None:
    schema = document()["components"]["schemas"]["Finding"]
    assert set(schema["required"]) == set(ROW)


def _leave_behind(house: House, name: str) -> Path:
    """Leave a temporary file on the first mapping's cache, as a crash does."""
    own = Path(house.settings["mapping"][0]["cache"], ".ondeckd")
    own.mkdir(exist_ok=True)
    path = own / f"{name * 32}.part"
    path.touch()
    return path


async def test_a_daemon_audits_itself_and_queues_what_has_to_leave(tmp_path: Path) -> None:
    library = small_library()
    movie = library.movies[0]
    async with at_home(tmp_path, library) as house:
        await house.post("/api/v1/cache", {"target": movie})
        await house.until(lambda: house.is_cached(movie))
        await house.quiet()
        (copy,), (original,) = house.cache(movie), house.array(movie)
        old = original.read_bytes()
        copy.write_bytes(b"a newer version")
        left = _leave_behind(house, "a")
        found = await house.get("/api/v1/audit")
        assert [row["name"] for row in found["items"]] == ["partial-file", "changed-copy"]
        status, fixed = await house.post("/api/v1/audit/fix", {"fix": "all", "array": True})
        assert (status, len(fixed["tasks"])) == (202, 1)
        assert [row["fixed"] for row in fixed["items"][:2]] == [True, False]
        assert not left.exists()
        await house.until(lambda: original.read_bytes() == b"a newer version")
        await house.quiet()
        assert original.with_name(original.name + ".plexcached").read_bytes() == old
        assert not copy.exists()


async def test_the_command_prints_all_that_a_daemon_finds_and_says_how_many(tmp_path: Path) -> None:
    async with at_home(tmp_path, small_library()) as house:
        own = Path(house.settings["mapping"][0]["cache"], ".ondeckd")
        own.mkdir(exist_ok=True)
        for number in range(MOST_ITEMS + 5):
            (own / f"{number:032x}.part").touch()
        listen = house.app.url.removeprefix("http://")
        config = config_file(tmp_path / "etc", house.settings | {"web": {"listen": listen}})
        printed, said = await ondeckd(config, "audit", "--json"), await ondeckd(config, "audit")
        assert len(json.loads(printed.out)["items"]) == MOST_ITEMS + 5
        assert said.out.rstrip().endswith(f"{MOST_ITEMS + 5} findings")


async def test_the_command_asks_a_daemon_that_runs(tmp_path: Path) -> None:
    async with at_home(tmp_path, small_library()) as house:
        left = _leave_behind(house, "a")
        listen = house.app.url.removeprefix("http://")
        config = config_file(tmp_path / "etc", house.settings | {"web": {"listen": listen}})
        assert (await ondeckd(config, "audit")).code == 1
        assert (await ondeckd(config, "audit", "--fix", "partial-file")).code == 0
        assert not left.exists()
        assert (await ondeckd(config, "audit")).code == 0


def _at_rest(folder: Path) -> Path:
    """Return the configuration of a household whose daemon does not run."""
    for tier in ("array/Show", "cache/.ondeckd", "state"):
        (folder / tier).mkdir(parents=True)
    (folder / "array/Show/e1.mkv.plexcached").write_bytes(b"the only copy")
    (folder / "cache/.ondeckd" / ("b" * 32 + ".part")).touch()
    mapping = {"name": "TV", "plex": "/data/tv", "array": f"{folder}/array", "cache": f"{folder}/cache"}
    settings = {
        "plex": {"token": "t"},
        "mapping": [mapping],
        "state": {"directory": f"{folder}/state"},
        "web": {"listen": f"127.0.0.1:{free_port()}"},
    }
    return config_file(folder / "etc", settings)


async def test_the_command_audits_by_itself_where_no_daemon_runs(tmp_path: Path) -> None:
    config = _at_rest(tmp_path)
    first = await ondeckd(config, "audit", "--json")
    assert (first.code, [row["name"] for row in json.loads(first.out)["items"]]) == (1, ["partial-file"])
    second = await ondeckd(config, "audit", "--array")
    assert second.code == 1
    for text in ("orphaned-backup", "e1.mkv.plexcached", "the only copy", "give it its name back"):
        assert text in second.out


async def test_the_code_is_0_once_all_that_was_found_is_fixed(tmp_path: Path) -> None:
    config = _at_rest(tmp_path)
    first = await ondeckd(config, "audit", "--array", "--fix", "orphaned-backup")
    assert first.code == 1, "one finding is left"
    assert (tmp_path / "array/Show/e1.mkv").read_bytes() == b"the only copy"
    second = await ondeckd(config, "audit", "--array", "--fix", "all")
    assert (second.code, "removed" in second.out) == (0, True)
    assert second.out.rstrip().endswith("1 finding, 1 fixed")
    third = await ondeckd(config, "audit", "--array")
    assert (third.code, third.err) == (0, "")
    assert "all is as it should be" in third.out


async def test_the_command_does_nothing_beside_a_daemon_that_it_cannot_reach(tmp_path: Path) -> None:
    config = _at_rest(tmp_path)
    with single_instance(tmp_path / "state"):
        said = await ondeckd(config, "audit", "--array", "--fix", "all")
    assert (said.code, f"process {os.getpid()}" in said.err) == (1, True)
    assert (tmp_path / "array/Show/e1.mkv.plexcached").exists()


async def test_an_unknown_fix_is_a_mistake_of_usage_and_help_names_them_all(tmp_path: Path) -> None:
    config = _at_rest(tmp_path)
    wrong, helped = await asyncio.gather(
        ondeckd(config, "audit", "--fix", "everything"), ondeckd(config, "audit", "--help")
    )
    assert wrong.code == 2
    assert helped.code == 0
    assert all(name in helped.out for name in FIXES)


async def test_a_fix_of_what_is_only_reported_is_a_mistake_of_usage_that_says_what_to_do(tmp_path: Path) -> None:
    said = await ondeckd(_at_rest(tmp_path), "audit", "--fix", "superseded-backup")
    assert said.code == 2
    words = " ".join(said.err.split())
    assert "superseded-backup has no fix" in words
    assert "compare the two and delete one by hand" in words


@pytest.mark.parametrize("more", [(), ("--array", "--fix", "all"), ("--json",)], ids=str)
async def test_an_audit_of_no_mapping_is_a_mistake_of_configuration(tmp_path: Path, more: tuple[str, ...]) -> None:
    listen = {"listen": f"127.0.0.1:{free_port()}"}
    settings = {"plex": {"token": "t"}, "state": {"directory": f"{tmp_path}/state"}, "web": listen}
    said = await ondeckd(config_file(tmp_path / "etc", settings), "audit", *more)
    assert (said.code, said.out) == (78, "")
    assert "no [[mapping]] is configured" in said.err


async def test_a_malformed_backup_never_gets_the_name_of_a_subtitle(tmp_path: Path) -> None:
    config = _at_rest(tmp_path)
    backup, subtitle = tmp_path / "array/Show/X.plexcached", tmp_path / "array/Show/X.srt"
    backup.write_bytes(b"v" * 2900)
    subtitle.write_bytes(b"s" * 295)
    said = await ondeckd(config, "audit", "--array", "--fix", "all", "--json")
    (row,) = [row for row in json.loads(said.out)["items"] if row["name"] == "malformed-backup"]
    assert (said.code, row["fixed"], row["fix"]) == (1, False, "")
    assert "rename it by hand to its right name" in row["said"]
    assert backup.stat().st_size == 2900
    assert not subtitle.with_name("X.srt.plexcached").exists()
