"""A household that was left with a cache, a manifest and backups, and `ondeckd restore --offline` for it."""

from __future__ import annotations

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from daemon.storage.manifest import NAME as MANIFEST
from daemon.storage.paths import OWN_FOLDER
from tests.support.command_line import Said, config_file, ondeckd
from tests.support.files import LONG_AGO, Tiers

PLACEMENTS = [
    {"serve": "union", "original": "keep"},
    {"serve": "union", "original": "backup"},
    {"serve": "union", "original": "remove"},
    {"serve": "symlink", "original": "backup"},
    {"serve": "symlink", "original": "remove"},
]
NAMES = [f"{one['serve']}+{one['original']}" for one in PLACEMENTS]
SYMLINK_BACKUP, SYMLINK_REMOVE = PLACEMENTS[3:]
FILES = {
    "Show/Season 1/e1.mkv": b"one",
    "Show/Season 1/e1.en.srt": b"words",
    "Show/Season 1/e2.mkv": b"two",
    "Film.mkv": b"film",
}
VIDEOS = [name for name in FILES if name.endswith(".mkv")]
REMEDY = "get the file anew, or remove its link"
NOTHING = "Everything is on the array already; there was nothing to do."


class Home:
    """Two tiers with files on them, and the configuration by which the command finds them."""

    def __init__(self, root: Path, executor: ThreadPoolExecutor, *, rate_limit: str = "0", **mapping: Any) -> None:
        self.root = root
        self.tiers = Tiers(root, executor, transfer={"sidecars": "all"}, **mapping)
        self.array, self.cache = self.tiers.array, self.tiers.cache
        self.config = config_file(
            root / "etc",
            {
                "mapping": [self.tiers.mapping.model_dump()],
                "transfer": {"rate_limit": rate_limit},
                "state": {"directory": str(root / "state")},
                "web": {"listen": "127.0.0.1:1"},
            },
        )

    async def fill(self, files: dict[str, bytes] = FILES) -> None:
        """Put files on the array and bring all of them in."""
        for name, content in files.items():
            self.tiers.film(name, content)
        for name in files:
            if name.endswith(".mkv"):
                await self.tiers.cache_in(self.tiers.file(name))

    async def restore(self, *words: str) -> Said:
        return await ondeckd(self.config, "restore", "--offline", *words)

    def stat(self, name: str) -> os.stat_result:
        return (self.array / name).lstat()

    def lose_manifest(self) -> None:
        (self.cache / OWN_FOLDER / MANIFEST).unlink()

    def lose_cache(self) -> None:
        shutil.rmtree(self.cache)
        self.cache.mkdir()


def back(home: Home, files: dict[str, bytes] = FILES) -> None:
    """Demand that the array has these files, whole and under their own names, and that nothing else is anywhere."""
    assert home.tiers.on_array() == files
    assert home.tiers.cached() == {}
    assert not any(path.is_symlink() for path in home.array.rglob("*"))
    assert {home.stat(name).st_mtime_ns for name in files} == {LONG_AGO}
    assert home.tiers.folders() == set()


@pytest.fixture(params=PLACEMENTS, ids=NAMES)
def home(tmp_path: Path, executor: ThreadPoolExecutor, request: pytest.FixtureRequest) -> Home:
    return Home(tmp_path, executor, **request.param)
