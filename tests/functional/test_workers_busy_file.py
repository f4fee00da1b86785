"""A task whose file is busy begins when the other task of that file has ended."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from daemon.custody import Custody
from daemon.model import TaskKind
from tests.support.household import household


async def test_what_is_wanted_again_while_it_leaves_comes_back_as_soon_as_it_has_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()
    evict = Custody.evict

    async def slowly(custody: Custody, *args: Any, **kwargs: Any) -> Any:
        begun.set()
        await go_on.wait()
        return await evict(custody, *args, **kwargs)

    monkeypatch.setattr(Custody, "evict", slowly)
    async with household(tmp_path, tv="union+keep") as home:
        film = home.film("tv", 1)
        await home.ask(TaskKind.CACHE_IN, film)
        await home.until_done(1)
        await home.ask(TaskKind.EVICT, film)
        await begun.wait()
        await home.ask(TaskKind.CACHE_IN, film)
        await home.store.run(lambda _: None)  # by now the worker has looked, in vain
        await home.store.run(lambda _: None)
        go_on.set()
        await home.until_done(3)
        assert home.copies("tv") == 1
