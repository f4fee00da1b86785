"""What a copy keeps of its original beside the bytes: times, modes, owners, attributes, ACLs."""

from __future__ import annotations

import os
import stat
import struct

import pytest
import structlog

from tests.support import placement
from tests.support.files import LONG_AGO, Tiers
from tests.support.placement import E1

executor = placement.executor
tiers = placement.tiers


async def test_mode_time_and_attributes_come_along(tiers: Tiers) -> None:
    file = tiers.film()
    original, folder = tiers.array / E1, tiers.array / "Show"
    os.setxattr(original, "user.rating", b"5")
    original.chmod(0o640)
    folder.chmod(0o2770)
    os.utime(original, ns=(LONG_AGO, LONG_AGO))

    await tiers.cache_in(file)

    copy = tiers.cache / E1
    assert copy.stat().st_mtime_ns == LONG_AGO
    assert stat.S_IMODE(copy.stat().st_mode) == 0o640
    assert os.getxattr(copy, "user.rating") == b"5"
    assert stat.S_IMODE((tiers.cache / "Show").stat().st_mode) == 0o2770


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
async def test_the_owner_of_files_and_folders_comes_along(tiers: Tiers) -> None:
    file = tiers.film()
    for path in (tiers.array / E1, tiers.array / "Show/Season 1"):
        os.chown(path, 1234, 2345)
        path.chmod(0o6755)

    await tiers.cache_in(file)

    for path in (tiers.cache / E1, tiers.cache / "Show/Season 1"):
        found = path.stat()
        assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (1234, 2345, 0o6755)
    assert (tiers.cache / "Show").stat().st_uid == 0


def acl(*, owner: int, for_user: int, group: int) -> bytes:
    """Return a POSIX ACL as the kernel stores it: owner, one user r, group, mask rwx, others nothing."""
    entries = [(1, owner, -1), (2, 4, for_user), (4, group, -1), (16, 7, -1), (32, 0, -1)]
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHi", *entry) for entry in entries)


async def test_an_acl_comes_along_and_one_that_the_original_lacks_does_not(tiers: Tiers) -> None:
    file = tiers.film()
    try:
        os.setxattr(tiers.array / E1, "system.posix_acl_access", acl(owner=6, for_user=1234, group=4))
    except OSError:
        pytest.skip("the temporary folder's file system has no ACLs")
    os.setxattr(tiers.cache, "system.posix_acl_default", acl(owner=7, for_user=4321, group=7))
    original = os.getxattr(tiers.array / E1, "system.posix_acl_access")

    await tiers.cache_in(file)

    assert os.getxattr(tiers.cache / E1, "system.posix_acl_access") == original
    assert (tiers.cache / E1).stat().st_mode == (tiers.array / E1).stat().st_mode
    assert not any("acl" in name for name in os.listxattr(tiers.cache / "Show"))


async def test_attributes_that_cannot_be_kept_are_said_once(tiers: Tiers, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    files = [tiers.film(f"e{n}.mkv") for n in range(3)]
    os.setxattr(tiers.array / "e0.mkv", "user.rating", b"5")
    os.setxattr(tiers.array / "e1.mkv", "user.rating", b"5")
    monkeypatch.setattr(os, "setxattr", refuse)

    with structlog.testing.capture_logs() as logs:
        for file in files:
            await tiers.cache_in(file)

    assert [line["why"] for line in logs if line["event"] == "attributes_lost"] == ["user.rating"]


async def test_folders_that_were_there_keep_their_mode_and_stay(tiers: Tiers) -> None:
    file = tiers.film()
    (tiers.cache / "Show").mkdir(mode=0o711)

    [entry] = await tiers.cache_in(file)
    await tiers.placement.evict(entry)

    assert stat.S_IMODE((tiers.cache / "Show").stat().st_mode) == 0o711
    assert tiers.folders() == {"Show"}
