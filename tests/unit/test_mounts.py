"""Which paths share a file system, read from the kernel's table."""

from __future__ import annotations

import os
from pathlib import Path

from daemon.mounts import file_systems

TABLE = b"""22 1 8:1 / / rw - ext4 /dev/sda1 rw
30 22 8:17 / /mnt/disk1 rw - xfs /dev/sdb1 rw
31 22 8:33 / /mnt/disk10 rw - xfs /dev/sdc1 rw
32 22 0:52 / /mnt/user0 rw shared:7 - fuse.shfs shfs rw
33 32 0:60 / /mnt/user0/far\\040away rw - nfs4 nas:/tv rw
34 22 0:61 / /mnt/over rw - tmpfs tmpfs rw
35 34 0:62 / /mnt/over rw - tmpfs tmpfs rw
"""


def test_each_path_lies_on_the_deepest_mount_above_it() -> None:
    expected = {
        "/srv/tv": "8:1",
        "/mnt/disk1": "8:17",
        "/mnt/disk1/tv": "8:17",
        "/mnt/disk10/tv": "8:33",
        "/mnt/user0/tv": "0:52",
        "/mnt/user0/films": "0:52",
        "/mnt/user0/far away/tv": "0:60",
        "/mnt/over/tv": "0:62",
    }

    assert file_systems(expected, TABLE) == expected


def test_the_kernels_own_table_agrees_with_what_a_stat_says(tmp_path: Path) -> None:
    found = file_systems([str(tmp_path), "/proc/self", "/dev/shm"])

    major, minor = (int(number) for number in found[str(tmp_path)].split(":"))
    assert os.makedev(major, minor) == tmp_path.stat().st_dev
    assert len({found["/proc/self"], found["/dev/shm"]}) == len(
        {Path(path).stat().st_dev for path in ("/proc/self", "/dev/shm")}
    )
