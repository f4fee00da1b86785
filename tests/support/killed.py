"""A process of ours that is killed at a chosen system call."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

from tests.support.process import CHECKOUT


def actor(root: Path, placement: str, *actions: str, kill: str = "") -> list[str]:
    """Have `tests.support.actor` do something with the tiers below `root`; return what it says.

    `kill` names a system call at whose second time it is killed; then nothing is returned. Needs strace.
    """
    serve, _, original = placement.partition("+")
    for name in ("array", "cache", "state"):
        (root / name).mkdir(exist_ok=True)
    given = json.dumps({"root": str(root), "serve": serve, "original": original})
    command = [sys.executable, "-m", "tests.support.actor", given, *actions]
    if kill:
        inject = f"inject={kill}:signal=KILL:when=2"
        command = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={kill}", "-e", inject, *command]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == (-signal.SIGKILL if kill else 0), done.stderr
    return [] if kill else done.stdout.splitlines()
