"""What a test needs of the machine: it is skipped, with the reason, where that is missing."""

from __future__ import annotations

import os
import shutil

import pytest


def _program(name: str, package: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(name) is None, reason=f"needs {name}: apt-get install {package}")


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
needs_btrfs = _program("mkfs.btrfs", "btrfs-progs")
needs_ext4 = _program("mkfs.ext4", "e2fsprogs")
needs_mergerfs = _program("mergerfs", "mergerfs")
needs_openssl = _program("openssl", "openssl")
needs_setfacl = _program("setfacl", "acl")
needs_strace = _program("strace", "strace")
needs_systemd = _program("systemd-nspawn", "systemd-container")
needs_xfs = _program("mkfs.xfs", "xfsprogs")
