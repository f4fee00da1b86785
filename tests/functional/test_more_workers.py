"""More workers than the daemon was started with: they copy at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import pytest

from daemon.config import build
from daemon.errors import ConfigError
from daemon.executor import MOST_WORKERS, executor_for
from daemon.model import TaskState
from daemon.storage.mover import Copy
from tests.support.daemon import PATIENCE
from tests.support.plex import small_library
from tests.support.reloads import change, from_file

WORKERS = 20


class Gate:
    """Holds up every copy in the middle, until it is opened."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self._held: list[int] = []

    @property
    def count(self) -> int:
        """How many steps were held up so far."""
        return len(self._held)

    def wait(self) -> None:
        self._held.append(threading.get_ident())
        self.open.wait(PATIENCE)


@contextmanager
def gate() -> Iterator[Gate]:
    made, step = Gate(), Copy.step

    def _step(copy: Copy, most: int | None = None) -> None:
        made.wait()
        step(copy, most)

    with patch.object(Copy, "step", _step):
        try:
            yield made
        finally:
            made.open.set()


async def test_workers_that_a_reload_adds_copy_at_the_same_time(tmp_path: Path) -> None:
    transfer = {"to_cache": 1, "to_array": 1}
    with gate() as held:
        async with from_file(tmp_path, library=small_library(movies=WORKERS), transfer=transfer) as house:
            for movie in house.library.movies[:WORKERS]:
                status, _ = await house.post("/api/v1/cache", {"target": movie})
                assert status == 202
            await house.until(lambda: held.count == 1)
            await change(house, transfer={"to_cache": WORKERS})
            await house.until(lambda: held.count == WORKERS)
            assert len(await house.tasks(TaskState.RUNNING)) == WORKERS
            held.open.set()
            await house.quiet()
            assert house.is_cached(*house.library.movies[:WORKERS])


@pytest.mark.parametrize("kind", ["to_cache", "to_array"])
def test_there_is_a_thread_for_as_many_workers_as_the_settings_may_ask_for(kind: str) -> None:
    most = MOST_WORKERS // 2
    settings = build({"plex": {"token": "t"}, "transfer": {kind: most}})
    with executor_for(settings) as executor:
        assert executor._max_workers > 2 * MOST_WORKERS
        assert len(executor._threads) == 0
    with pytest.raises(ConfigError):
        build({"plex": {"token": "t"}, "transfer": {kind: most + 1}})
