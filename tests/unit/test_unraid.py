"""What Unraid says of its disks."""

from __future__ import annotations

from pathlib import Path

import pytest

from daemon.interop.unraid import read_spinning, spinning, spins


def slot(name: str, kind: str, spundown: str, *, status: str = "DISK_OK", rotational: str = "1") -> str:
    """Return what the management's file says of one slot."""
    values = {"name": name, "type": kind, "status": status, "rotational": rotational, "spundown": spundown}
    return "\n".join([f'["{name}"]', *(f'{key}="{value}"' for key, value in values.items()), "comment=\"a [b] = 'c'\""])


BOX = "\n".join(
    [
        slot("parity", "Parity", "0"),
        slot("disk1", "Data", "1"),
        slot("disk2", "Data", "0"),
        slot("disk3", "Data", "0", status="DISK_NP", rotational=""),
        slot("cache", "Cache", "0", rotational="0"),
        slot("tank", "Cache", "0"),
        slot("tank2", "Cache", "1"),
        slot("slow", "Cache", "1"),
        slot("flash", "Flash", "0"),
    ]
)


def test_disks_and_pools_are_told_apart() -> None:
    assert spinning(BOX) == {"disk1": False, "disk2": True, "tank": True, "slow": False}


@pytest.mark.parametrize(
    ("root", "expected"),
    [
        ("/mnt/user0/tv", True),
        ("/mnt/user/tv", True),
        ("/mnt/disk1/tv", False),
        ("/mnt/disk2/tv", True),
        ("/mnt/disk10/tv", None),
        ("/mnt/tank/tv", True),
        ("/mnt/slow/tv", False),
        ("/mnt/disks/usb/tv", None),
        ("/mnt", None),
        ("/srv/user0/tv", None),
    ],
)
def test_an_arrays_root_says_which_disks_count(root: str, expected: bool | None) -> None:
    assert spins(spinning(BOX), root) is expected


def test_all_asleep_is_asleep() -> None:
    assert spins({"disk1": False, "disk2": False, "tank": True}, "/mnt/user0/tv") is False


@pytest.mark.parametrize("text", ["", "garbage", '["disk1"]\n', '[disk1]\ntype="Data"\nspundown="?"\n'])
def test_what_says_nothing_tells_nothing(text: str) -> None:
    assert spins(spinning(text), "/mnt/user0/tv") is None


def test_elsewhere_there_is_no_such_file(tmp_path: Path) -> None:
    assert read_spinning(tmp_path / "disks.ini") is None
    (tmp_path / "disks.ini").write_text(BOX.replace("\n", "\r\n"))
    assert read_spinning(tmp_path / "disks.ini") == spinning(BOX)
