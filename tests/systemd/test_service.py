"""The shipped unit under a real systemd, against the simulated Plex server."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping

import pytest

from tests.support.needs import needs_root, needs_systemd
from tests.support.process import CHECKOUT
from tests.support.systemd import System, booted

pytestmark = [pytest.mark.systemd, needs_root, needs_systemd]

UNIT = "/etc/systemd/system/ondeckd.service"
CONFIG = "/etc/ondeckd/config.toml"

PROGRAM = f"""#!/bin/sh
cd {CHECKOUT}
PYTHONDONTWRITEBYTECODE=1 exec {sys.executable} -m daemon "$@"
"""
# The unit's own /tmp is empty, and a checkout may lie there.
LOCAL = f"""
[Service]
BindReadOnlyPaths={CHECKOUT}
LoadCredential=plex-token:/etc/ondeckd/plex-token
RestartSec=100ms
WatchdogSec=3s
TimeoutAbortSec=5s
"""


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    with booted() as system:
        system.write("/usr/local/bin/ondeckd", PROGRAM)
        system.run("chmod", "755", "/usr/local/bin/ondeckd")
        system.write(UNIT, (CHECKOUT / "systemd/ondeckd.service").read_text())
        system.write(f"{UNIT}.d/local.conf", LOCAL)
        system.run("systemctl", "daemon-reload")
        place = [f"--working-directory={CHECKOUT}", f"--setenv=PYTHONPATH={CHECKOUT}"]
        stage = [sys.executable, str(CHECKOUT / "tests/systemd/stage.py"), "/mnt", "/etc/ondeckd"]
        system.run("systemd-run", "--unit=plex", "--service-type=notify", *place, *stage)
        yield system


@pytest.fixture
def service(system: System) -> Iterator[System]:
    """The service, running."""
    config = (system.root / CONFIG.lstrip("/")).read_text()
    system.run("systemctl", "start", "ondeckd")
    yield system
    system.write(CONFIG, config)
    system.ask("systemctl", "reset-failed", "ondeckd")


def unit(system: System) -> Mapping[str, str]:
    return system.show("ondeckd")


def test_systemd_finds_no_fault_with_the_unit(system: System) -> None:
    result = system.ask("systemd-analyze", "verify", UNIT)

    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_the_unit_gives_away_little(system: System) -> None:
    report = system.run("systemd-analyze", "security", "--no-pager", "ondeckd")

    assert float(report.rpartition("ondeckd.service: ")[2].split()[0]) <= 4.0


def test_start_returns_when_the_daemon_is_ready(service: System) -> None:
    shown = unit(service)

    assert (shown["ActiveState"], shown["SubState"]) == ("active", "running")
    assert shown["StatusText"]
    assert (service.root / "var/lib/ondeckd").stat().st_mode & 0o777 == 0o700


def test_the_journal_shows_events_as_json_with_their_priority(service: System) -> None:
    ready = service.logged("ondeckd", "daemon_ready", after=last_start(service))

    assert ready["PRIORITY"] == "6"
    assert ready["level"] == "info"
    assert ready["timestamp"].endswith("Z")


def test_the_token_comes_from_the_credential_and_is_never_logged(service: System) -> None:
    token = (service.root / "etc/ondeckd/plex-token").read_text()
    service.logged("ondeckd", "plex_connected", after=last_start(service))

    assert token not in service.run("journalctl", "--unit=ondeckd", "--output=json", "--all")


def test_a_play_puts_the_movie_on_the_cache_with_the_owner_and_mode_of_the_original(service: System) -> None:
    assert_a_play_is_cached(service)


def test_another_user_with_the_capabilities_of_the_example_does_the_same(service: System) -> None:
    example = (CHECKOUT / "systemd/ondeckd.service.d/example.conf").read_text()
    capabilities = example.rpartition("#AmbientCapabilities=")[2].strip()
    service.write(f"{UNIT}.d/user.conf", f"[Service]\nUser=games\nAmbientCapabilities={capabilities}\n")
    service.run("systemctl", "stop", "ondeckd")
    service.run("sh", "-c", "rm -r /mnt/cache/*/* /var/lib/ondeckd; systemctl daemon-reload")
    try:
        service.run("systemctl", "start", "ondeckd")

        assert (service.root / "var/lib/ondeckd").owner() == "games"
        assert_a_play_is_cached(service)
    finally:
        service.run("rm", f"{UNIT}.d/user.conf")
        service.run("systemctl", "daemon-reload")
        service.run("systemctl", "stop", "ondeckd")
        service.run("chown", "--recursive", "root:root", "/var/lib/ondeckd")


def test_reload_reads_the_configuration_in_the_same_process(service: System) -> None:
    before, mark = unit(service)["MainPID"], service.mark()

    service.run("systemctl", "reload", "ondeckd")

    service.logged("ondeckd", "config_reloaded", after=mark)
    assert unit(service)["MainPID"] == before


def test_reload_of_a_bad_file_keeps_the_old_one(service: System) -> None:
    mark = service.mark()
    change(service, "limit", "limmit")
    service.logged("ondeckd", "config_rejected", after=mark)  # seen without being told
    mark = service.mark()

    service.run("systemctl", "reload", "ondeckd")

    rejected = service.logged("ondeckd", "config_rejected", after=mark)
    assert "limmit" in json.dumps(rejected)
    assert rejected["PRIORITY"] == "3"
    assert unit(service)["ActiveState"] == "active"


def test_a_killed_daemon_is_started_again(service: System) -> None:
    before, mark = unit(service)["MainPID"], service.mark()

    service.run("systemctl", "kill", "--signal=KILL", "ondeckd")

    service.logged("ondeckd", "daemon_ready", after=mark)
    assert unit(service)["MainPID"] not in (before, "0")


def test_a_daemon_that_hangs_is_killed_and_started_again(service: System) -> None:
    before, mark = unit(service)["MainPID"], service.mark()

    service.run("systemctl", "kill", "--signal=STOP", "ondeckd")

    service.logged("ondeckd", "daemon_ready", after=mark)
    assert unit(service)["MainPID"] not in (before, "0")
    assert "Watchdog timeout" in service.run("journalctl", "--unit=ondeckd", f"--after-cursor={mark}")


def test_stop_ends_it_with_success(service: System) -> None:
    service.run("systemctl", "stop", "ondeckd")

    shown = unit(service)
    assert (shown["ActiveState"], shown["Result"], shown["ExecMainStatus"]) == ("inactive", "success", "0")


def test_a_bad_configuration_ends_with_78_and_is_not_tried_again(service: System) -> None:
    service.run("systemctl", "stop", "ondeckd")
    change(service, "limit", "limmit")

    assert service.ask("systemctl", "start", "ondeckd").returncode != 0

    shown = unit(service)
    assert (shown["ActiveState"], shown["ExecMainStatus"], shown["NRestarts"]) == ("failed", "78", "0")
    assert "limmit" in service.run("journalctl", "--unit=ondeckd")


def assert_a_play_is_cached(service: System) -> None:
    service.logged("ondeckd", "plex_connected", after=last_start(service))
    mark = last_start(service)
    service.run("systemctl", "kill", "--signal=USR1", "plex")

    started = service.logged("ondeckd", "playback_started", after=mark)
    finished = service.logged("ondeckd", "cache_in_finished", after=mark)

    assert started["rating_key"]
    original = service.root / finished["path"].lstrip("/")
    copy = service.root / "mnt/cache" / original.relative_to(service.root / "mnt/array")
    assert copy.read_bytes() == original.read_bytes()
    for mine, theirs in ((copy, original), (copy.parent, original.parent)):
        assert (mine.stat().st_uid, mine.stat().st_gid) == (1234, 2345)
        assert mine.stat().st_mode == theirs.stat().st_mode


def last_start(system: System) -> str:
    """Return the place where this start of the service begins in the journal."""
    invocation = unit(system)["InvocationID"]
    first = system.run("journalctl", f"_SYSTEMD_INVOCATION_ID={invocation}", "--output=json", "--lines=all")
    return str(json.loads(first.splitlines()[0])["__CURSOR"])


def change(system: System, old: str, new: str) -> None:
    text = (system.root / CONFIG.lstrip("/")).read_text()
    assert old in text
    system.write(CONFIG, text.replace(old, new))
