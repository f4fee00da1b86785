"""Ten thousand frames at once, every tenth of them garbage."""

from __future__ import annotations

import json
import tracemalloc

from daemon.demo.server import DemoServer
from tests.support.listener import household
from tests.support.plex import small_library

_FRAMES = 10_000
_SESSIONS = 7
_RUBBISH: tuple[str | bytes, ...] = ("{", "[]", b"\xff\xfe", '{"NotificationContainer": 7}', "x" * 300)


def playing(session: int, key: str, offset: int, state: str) -> str:
    entry = {
        "sessionKey": str(session + 1),
        "clientIdentifier": f"client-{session}",
        "ratingKey": key,
        "viewOffset": offset,
        "state": state,
    }
    body = {"type": "playing", "size": 1, "PlaySessionStateNotification": [entry]}
    return json.dumps({"NotificationContainer": body})


def burst(keys: list[str]) -> list[str | bytes]:
    """Return frames of many sessions with garbage in between: all pause once, and every second one stops."""
    frames: list[str | bytes] = []
    for number in range(_FRAMES):
        if number % 10 == 0:
            frames.append(_RUBBISH[number // 10 % len(_RUBBISH)])
            continue
        session = number % _SESSIONS
        state = "paused" if _FRAMES // 2 < number < _FRAMES // 2 + 100 else "playing"
        if number > _FRAMES - 100 and session % 2:
            state = "stopped"
        frames.append(playing(session, keys[session], number, state))
    return [*frames, playing(_SESSIONS - 1, keys[_SESSIONS - 1], _FRAMES, "stopped")]


async def test_in_a_burst_no_frame_that_matters_is_lost_and_memory_stays_flat() -> None:
    async with DemoServer(small_library(episodes=8)) as plex, household(plex) as house:
        await plex.frames.wait_for_listeners()
        await house.marked()
        keys = plex.library.episodes(plex.library.shows[0])
        for session in range(_SESSIONS):
            await plex.engine.play("Ben", keys[session], client=f"client-{session}")
        await house.hears(*(f"started {keys[session]} by Ben" for session in range(_SESSIONS)))
        frames = burst(keys)
        tracemalloc.start()
        for frame in frames:
            plex.frames.send_raw(frame)
        before, _ = tracemalloc.get_traced_memory()
        await house.hears(
            *(f"{word} {keys[session]} by Ben" for session in range(_SESSIONS) for word in ("paused", "resumed")),
            *(f"stopped {keys[session]} by Ben" for session in (1, 3, 5, 6)),
        )
        after, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert house.listener.garbage == _FRAMES // 10
        assert sorted(play.session_key for play in house.listener.plays()) == ["1", "3", "5"]
        assert after - before < 2_000_000
