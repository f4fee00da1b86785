"""What the tests of the placement share: one file's name, settings, and the fixtures.

A test file takes the fixtures by name: ``tiers = placement.tiers``.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from daemon.model import Entry
from tests.support.files import Tiers, threads

E1 = "Show/Season 1/e1.mkv"
SLOW = {"rate_limit": "1MB"}
"""Settings under which 100 kB are a slice of 100 ms."""


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with threads() as found:
        yield found


@pytest.fixture
def tiers(tmp_path: Path, executor: ThreadPoolExecutor) -> Tiers:
    return Tiers(tmp_path, executor)


def known(entries: list[Entry]) -> dict[str, Entry]:
    return {entry.file.array_path: entry for entry in entries}
