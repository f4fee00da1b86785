"""What the planner looks at, read from the rows; and the plan, written as tasks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from daemon.errors import UnmappedPath
from daemon.model import Demand, Entry, File, Holding, Plan, Room, Task, TaskKind, TaskState, Want
from daemon.planning.planner import Situation
from daemon.state import demands, ledger, plays, tasks
from daemon.state.store import Connection
from daemon.storage.paths import Mappings

Rooms = Mapping[str, tuple[str, int, int]]
"""For each mapping's name: the cache file system's id, its total and its free bytes."""


@dataclass(frozen=True, slots=True)
class Picture:
    """The situation, and what surrounds it.

    `retained` are the array paths that are kept for their retention; `streaming` the mappings from whose array
    somebody plays; `unmapped` the Plex paths that are left alone because no mapping covers them, each with the reason.
    """

    situation: Situation
    retained: frozenset[str]
    streaming: frozenset[str]
    unmapped: Mapping[str, str]


class _Files:
    """All files of items that are demanded, retained or playing, by rating key."""

    def __init__(self, connection: Connection, mappings: Mappings) -> None:
        rows = demands.files_that_matter(connection)
        self.by_key: dict[str, list[File]] = defaultdict(list)
        self.known = {key for key, _, _ in rows}
        self.unmapped: dict[str, str] = {}
        for key, plex_path, size in rows:
            try:
                self.by_key[key].append(mappings.resolve(plex_path, size))
            except UnmappedPath as error:
                self.unmapped[plex_path] = str(error)


def look(
    connection: Connection,
    mappings: Mappings,
    rooms: Rooms,
    *,
    copying: Mapping[str, int],
    sessions_known: bool,
    now: float,
) -> Picture:
    """Read everything the planner needs. `copying`: array path and bytes still to write of each running copy."""
    files = _Files(connection, mappings)
    wanted: dict[str, tuple[File, list[Demand]]] = {}
    for demand in demands.all_demands(connection):
        for file in files.by_key.get(demand.rating_key, ()):
            wanted.setdefault(file.array_path, (file, []))[1].append(demand)
    keep_until: dict[str, float] = {}
    for key, until in demands.retained(connection, now):
        for file in files.by_key.get(key, ()):
            keep_until[file.array_path] = max(until, keep_until.get(file.array_path, 0.0))
    entries = ledger.all_entries(connection)
    held = {entry.file.array_path for entry in entries}
    playing = [play.rating_key for play in plays.open_plays(connection)]
    played = [file for key in playing for file in files.by_key.get(key, ())]
    situation = Situation(
        wants=[Want(file, tuple(whys)) for path, (file, whys) in wanted.items() if path not in held],
        holdings=list(_holdings(entries, wanted, keep_until)),
        rooms=_rooms(entries, rooms, copying, mappings),
        playing=frozenset(file.array_path for file in played),
        running=frozenset(copying),
        resting=frozenset(tasks.failed_until(connection, now)),
        # A play whose files are not known yet may be of any cached file.
        sessions_known=sessions_known and all(key in files.known for key in playing),
    )
    streaming = frozenset(file.mapping for file in played if file.array_path not in held)
    return Picture(situation, frozenset(keep_until), streaming, files.unmapped)


def _holdings(
    entries: Iterable[Entry],
    wanted: Mapping[str, tuple[File, list[Demand]]],
    keep_until: Mapping[str, float],
) -> Iterable[Holding]:
    entries = list(entries)
    videos = {entry.file.array_path for entry in entries if not entry.parent}
    sidecars: dict[str, int] = defaultdict(int)
    for entry in entries:
        if entry.parent in videos:
            sidecars[entry.parent] += entry.file.size
    for entry in entries:
        if entry.parent not in videos:  # a video, or a sidecar that its video left behind
            path = entry.file.array_path
            whys = tuple(wanted[path][1]) if path in wanted else ()
            yield Holding(entry, whys, keep_until.get(path), sidecars[path])


def _rooms(entries: Iterable[Entry], rooms: Rooms, copying: Mapping[str, int], mappings: Mappings) -> dict[str, Room]:
    own: dict[str, int] = defaultdict(int)
    reserved: dict[str, int] = defaultdict(int)
    for entry in entries:
        if entry.file.mapping in rooms:
            own[rooms[entry.file.mapping][0]] += entry.file.size
    for path, left in copying.items():
        try:
            mapping = mappings.from_local(path).mapping
        except UnmappedPath:  # the mapping went away while the copy runs
            continue
        if mapping in rooms:
            reserved[rooms[mapping][0]] += left
    return {mapping: Room(key, total, free, own[key], reserved[key]) for mapping, (key, total, free) in rooms.items()}


@dataclass(frozen=True, slots=True)
class Enqueued:
    """What became of a plan on the queue: new task ids, and running copies that nobody wants any more."""

    added: tuple[int, ...] = ()
    unwanted: tuple[int, ...] = ()


def enqueue(connection: Connection, plan: Plan, picture: Picture, now: float) -> Enqueued:
    """Make the queue say what the plan says: put what is missing, take back what is no longer planned."""
    queue = tasks.in_state(connection, TaskState.QUEUED, TaskState.RUNNING)
    goals = {
        one.file.array_path: tasks.NewTask(TaskKind.CACHE_IN, one.file, one.score, one.why)
        for one in plan.cache_ins
        if not one.waits
    } | {
        one.entry.file.array_path: tasks.NewTask(TaskKind.EVICT, one.entry.file, 100 - one.score, one.why)
        for one in plan.evictions
    }
    wanted = {want.file.array_path for want in picture.situation.wants} | picture.retained
    unwanted = []
    for task in queue:
        if task.state is TaskState.RUNNING:
            if task.kind is TaskKind.CACHE_IN and not task.forced and task.file.array_path not in wanted:
                unwanted.append(task.id)
        elif _taken_back(task, goals, picture):
            tasks.finish(connection, task.id, TaskState.CANCELLED, now, error="no longer planned")
    standing = {(task.file.array_path, task.kind, task.priority, task.why) for task in queue}
    added = [
        tasks.put(connection, goal, now)
        for path, goal in goals.items()
        if (path, goal.kind, goal.priority, goal.why) not in standing
    ]
    return Enqueued(tuple(added), tuple(unwanted))


def _taken_back(task: Task, goals: Mapping[str, tasks.NewTask], picture: Picture) -> bool:
    path = task.file.array_path
    if task.kind is TaskKind.EVICT:
        planned = path in goals and goals[path].kind is TaskKind.EVICT
        return path in picture.situation.playing or not (planned or task.forced)
    if path in goals or task.forced:
        return False
    # A copy that waits for an item which was stopped half-way goes on: the user will come back to it.
    demanded = any(want.file.array_path == path for want in picture.situation.wants)
    return demanded or path not in picture.retained
