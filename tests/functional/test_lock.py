"""One ondeckd per state folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from daemon.errors import StateError
from daemon.lock import LOCK_NAME, single_instance
from tests.support.process import python

HOLD = """
import sys, time
from pathlib import Path
from daemon.lock import single_instance
with single_instance(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_instance_is_told_who_holds_the_folder(tmp_path: Path) -> None:
    with (
        single_instance(tmp_path),
        pytest.raises(StateError, match=rf"another ondeckd \(process {os.getpid()}\) uses .*{tmp_path.name}"),
        single_instance(tmp_path),
    ):
        pass


def test_the_folder_is_made_for_its_user_alone(tmp_path: Path) -> None:
    with single_instance(tmp_path / "a" / "state"):
        assert (tmp_path / "a" / "state").stat().st_mode & 0o777 == 0o700


def test_the_lock_is_free_again_after_the_end(tmp_path: Path) -> None:
    for _ in range(2):
        with single_instance(tmp_path):
            assert (tmp_path / LOCK_NAME).read_text() == f"{os.getpid()}\n"


def test_what_an_earlier_process_wrote_is_replaced(tmp_path: Path) -> None:
    (tmp_path / LOCK_NAME).write_text("999999999999\n")

    with single_instance(tmp_path):
        assert (tmp_path / LOCK_NAME).read_text() == f"{os.getpid()}\n"


def test_two_folders_do_not_disturb_each_other(tmp_path: Path) -> None:
    with single_instance(tmp_path / "one"), single_instance(tmp_path / "two"):
        pass


async def test_a_killed_process_leaves_no_lock_behind(tmp_path: Path) -> None:
    async with python(["-c", HOLD, str(tmp_path)]) as process:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"held\n"
        with pytest.raises(StateError, match=f"process {process.pid}"), single_instance(tmp_path):
            pass
        process.kill()
        await process.wait()

        with single_instance(tmp_path):
            pass


def test_a_link_in_place_of_the_lock_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("precious")
    (tmp_path / LOCK_NAME).symlink_to(tmp_path / "elsewhere")

    with pytest.raises(StateError, match="cannot use the state folder"), single_instance(tmp_path):
        pass
    assert (tmp_path / "elsewhere").read_text() == "precious"


def test_a_folder_that_cannot_be_made_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with (
        pytest.raises(StateError, match=r"cannot use the state folder .*: Not a directory"),
        single_instance(tmp_path / "file" / "state"),
    ):
        pass
