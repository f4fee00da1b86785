"""Things done to files on disks that lose their power, and what is left of them."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest

from daemon.storage.manifest import NAME as MANIFEST
from daemon.storage.paths import OWN_FOLDER
from daemon.storage.states import BACKUP_SUFFIX
from tests.support.actor import act
from tests.support.power import Disks, EveryChange, Said
from tests.support.process import CHECKOUT

PLACEMENTS = ("union+keep", "union+backup", "union+remove", "symlink+backup", "symlink+remove")
KINDS = (
    {"array": "ext4", "cache": "xfs", "state": "ext4"},
    {"array": "xfs", "cache": "btrfs", "state": "xfs"},
    {"array": "btrfs", "cache": "ext4", "state": "btrfs"},
)
"""What the disks are formatted with."""

Actions = list[tuple[str, str]]
"""What the actor does, and to which video."""


@dataclass(frozen=True)
class Cut:
    """What the disks held at one instant. `done` actions had been said to be done, and no more than `begun` begun."""

    image: Path
    when: str
    done: int
    begun: int


class House:
    """Disks, and a placement between them."""

    def __init__(self, disks: Disks, placement: str) -> None:
        self.disks = disks
        self.placement = placement

    def names(self, name: str) -> tuple[Path, Path, Path]:
        """Return the paths of a file's original, backup and copy."""
        original = self.disks.root / "array" / name
        return original, original.with_name(original.name + BACKUP_SUFFIX), self.disks.root / "cache" / name

    def served(self, name: str) -> bytes | None:
        """Return what Plex reads: it sees a union of both tiers, or follows a link on the array."""
        original, _, copy = self.names(name)
        path = copy if self.placement.startswith("union") and os.path.lexists(copy) else original
        return path.read_bytes() if path.exists() else None

    def strange(self, *names: str) -> list[str]:
        """Return what stands on the tiers beside these files, their backups and their copies."""
        tiers = [self.disks.root / "array", self.disks.root / "cache"]
        ours = {path for name in names for path in self.names(name)} | {tiers[1] / OWN_FOLDER / MANIFEST}
        ours |= {folder for path in ours for folder in path.parents}
        found = (path for tier in tiers for path in tier.rglob("*"))
        return [f"left behind: {path}" for path in found if path not in ours and path.name != "lost+found"]

    def act(self, actions: Actions) -> list[str]:
        """Do this; return what failed."""
        said: list[str] = []
        asyncio.run(act(json.loads(self._settings()), _words(actions), tell=said.append))
        return [line for line in said if not line.startswith("done")]

    def cut_at_every_change(self, actions: Actions, monkeypatch: pytest.MonkeyPatch) -> list[Cut]:
        """Do this, and cut before and after each change of a disk."""
        said: list[str] = []
        cuts = []

        def cut(when: str) -> None:
            cuts.append(Cut(self.disks.cut(), when, len(said), len(said) + 1))

        with self.disks.running(), monkeypatch.context() as patched:
            EveryChange(patched, cut)
            asyncio.run(act(json.loads(self._settings()), _words(actions), tell=said.append))
        assert [line for line in said if not line.startswith("done")] == []
        return cuts

    def cut_at_random(self, actions: Actions, random: Random, count: int) -> list[Cut]:
        """Have a process do this at full speed, and cut at so many random moments."""
        cuts = []
        with self.disks.running(), self._actor(actions) as process:
            try:
                assert process.stdout is not None
                assert process.stdout.readline() == b"done recover\n"
                said = Said(process.stdout)
                for number in range(count):
                    # Not a wait for anything: the moment is what is random here.
                    time.sleep(random.uniform(0, 0.05))
                    done, image = said.lines(), self.disks.cut()
                    cuts.append(Cut(image, f"random cut {number}", done, said.lines() + 1))
                assert process.poll() is None, "it was done too soon"
            finally:
                process.kill()
        assert b"failed" not in said.text
        return cuts

    def _actor(self, actions: Actions) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "tests.support.actor", self._settings(), "recover", *_words(actions)]
        return subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0)

    def _settings(self) -> str:
        serve, _, original = self.placement.partition("+")
        return json.dumps({"root": str(self.disks.root), "serve": serve, "original": original})


def _words(actions: Actions) -> Iterator[str]:
    return (word for action in actions for word in action if word)
