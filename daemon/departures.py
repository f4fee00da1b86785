"""How a copy that an audit wants off the cache gets there: through the queue of a daemon, or at once without one."""

from __future__ import annotations

from collections.abc import Callable

from daemon.custody import Custody
from daemon.dispatch import Dispatcher
from daemon.emptying import PRIORITY
from daemon.errors import OndeckdError, UnsafeEvict
from daemon.live import Live
from daemon.model import Entry, TaskKind
from daemon.repairs import Evict
from daemon.state import demands, plays, tasks
from daemon.state.store import Connection, Store


class Waits(OndeckdError):
    """It goes on by itself, as these tasks."""

    def __init__(self, message: str, tasks: tuple[int, ...]) -> None:
        self.tasks = tasks
        super().__init__(message)


def queued(
    dispatcher: Dispatcher, live: Live, *, sessions_known: Callable[[], bool], now: Callable[[], float]
) -> Evict:
    """Return what queues the eviction of a copy."""

    async def evict(entry: Entry) -> str:
        if not sessions_known():
            raise UnsafeEvict("Plex cannot say what plays now, so nothing is evicted; try again when it answers")
        ids: list[int] = []

        def work(connection: Connection) -> None:
            _demand_unplayed(connection, entry, live)
            new = tasks.NewTask(TaskKind.EVICT, entry.file, PRIORITY, "found by an audit", forced=True)
            ids.append(tasks.put(connection, new, now()))

        await dispatcher.change(work)
        dispatcher.tasks_added.ring()
        raise Waits(f"its eviction is queued as task {ids[0]}", tuple(ids))

    return evict


def at_once(store: Store, live: Live, custody: Custody) -> Evict:
    """Return what evicts a copy here and now."""

    async def evict(entry: Entry) -> str:
        await store.run(lambda connection: _demand_unplayed(connection, entry, live))
        path = entry.file.array_path
        gone = await custody.evict(path)
        if path not in {one.file.array_path for one in gone}:
            raise UnsafeEvict("it has to stay; the log says why")
        return "it left the cache; the array has its content"

    return evict


def _demand_unplayed(connection: Connection, entry: Entry, live: Live) -> None:
    """Raise UnsafeEvict while the file, or the video that it belongs to, is being played."""
    video = live.mappings.from_local(entry.parent or entry.file.array_path)
    playing = {play.rating_key for play in plays.open_plays(connection)}
    if playing & set(demands.keys_of_file(connection, video.plex_path)):
        raise UnsafeEvict("it is being played; it can leave once that has stopped")
