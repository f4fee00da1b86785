"""What the planner looks at, read from the rows; and the plan, written as tasks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from daemon.config import Settings
from daemon.errors import UnmappedPath
from daemon.model import Demand, Entry, File, Holding, Plan, PlayState, Room, Task, TaskKind, TaskState, Want
from daemon.planning.counting import Counting
from daemon.planning.planner import FULL, Situation
from daemon.state import demands, ledger, plays, retentions, sources, tasks
from daemon.state.store import Connection
from daemon.storage.paths import Mappings

Rooms = Mapping[str, tuple[str, int, int]]
"""For each mapping's name: the cache file system's id, its total and its free bytes."""


_READING = {PlayState.PLAYING, PlayState.BUFFERING}


@dataclass(frozen=True, slots=True)
class Picture:
    """The situation, and what surrounds it.

    `streaming` are the mappings from whose array somebody plays; `unmapped` the Plex paths that no mapping covers, and
    why.
    """

    situation: Situation
    streaming: frozenset[str]
    unmapped: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Outside:
    """What is not in the rows, as it was at `now`. `copying`: by array path, the bytes a copy has still to write."""

    rooms: Rooms
    copying: Mapping[str, int]
    sessions_known: bool
    now: float


def counting(connection: Connection, settings: Settings) -> Counting:
    """Return what says which demands count, as the users are now."""
    return Counting(settings, demands.users(connection), sources.last_plays(connection), sources.declined(connection))


class _Files:
    """What demanded and playing files are called on every tier, found once each.

    `mapped` are the array paths of those that may be brought in: their mapping is not switched off.
    """

    def __init__(self, mappings: Mappings) -> None:
        self._mappings = mappings
        self.unmapped: dict[str, str] = {}
        self.mapped: set[str] = set()

    def locate(self, plex_path: str, size: int) -> File | None:
        """Return the file, or None if no mapping covers it."""
        file = None
        try:
            file = self._mappings.locate(plex_path, size)
            self._mappings.demand_enabled(file)
            self.mapped.add(file.array_path)
        except UnmappedPath as error:
            self.unmapped[plex_path] = str(error)
        return file


def look(
    connection: Connection,
    mappings: Mappings,
    outside: Outside,
    min_stay: float,
    *,
    everything: bool,
    among: Collection[str] = (),
) -> Picture:
    """Read what the planner needs.

    Without `everything` the holdings are only those that nobody wants and that need not stay: enough while there is
    room for all wishes, and quick however much is on the cache. `among` names more of them by their array paths: where
    there is no room, those that leave next are enough for what one event wants.
    """
    now = outside.now
    files = _Files(mappings)
    open_plays = plays.open_plays(connection)
    playing = {play.rating_key for play in open_plays}
    known, played = _played(connection, files, playing)
    # Who has paused overnight keeps no disk awake.
    _, running = _played(connection, files, {play.rating_key for play in open_plays if play.state in _READING})
    if everything:
        wanted = _wanted(connection, files, now)
        entries, keep_until = ledger.all_entries(connection), retentions.retained(connection, now)
        held = {entry.file.array_path for entry in entries}
    else:
        wanted = _missing(connection, files, now)
        entries, keep_until = ledger.unwanted(connection, now - min_stay, now), {}
        named = ledger.entries_of(connection, among)
        entries = list({entry.file.array_path: entry for entry in (*entries, *named)}.values())
        held = ledger.held(connection, played)
    apart = set() if everything else {entry.file.array_path for entry in entries}.difference(among)
    holdings = list(_holdings(entries, wanted, keep_until, ledger.remembered_sidecars(connection, apart)))
    situation = Situation(
        wants=_wants(connection, wanted, files.mapped - held),
        holdings=_wished(connection, holdings, among, now),
        rooms=_rooms(connection, outside, mappings),
        playing=frozenset(played),
        running=frozenset(outside.copying),
        resting=frozenset(tasks.failed_until(connection, now)),
        # A play whose files are not known yet may be of any cached file.
        sessions_known=outside.sessions_known and playing <= known,
    )
    streaming = frozenset(mapping for path, mapping in running.items() if path not in held)
    return Picture(situation, streaming, files.unmapped)


def survey(connection: Connection, mappings: Mappings, now: float) -> tuple[Iterator[Holding], list[Want]]:
    """Return what is on the cache, read one by one while the transaction lasts, and what is wanted there."""
    files = _Files(mappings)
    wanted = _wanted(connection, files, now)
    keep_until = retentions.retained(connection, now)
    sidecars = ledger.sidecar_sizes(connection)
    holdings = (
        _holding(entry, wanted, keep_until, sidecars)
        for entry in ledger.each_entry(connection)
        if entry.parent not in sidecars
    )
    return holdings, _wants(connection, wanted, files.mapped - ledger.held(connection, wanted.keys()))


_Wanted = Mapping[str, tuple[File, list[Demand]]]
"""By array path: the file and who demands it."""


def _wanted(connection: Connection, files: _Files, now: float) -> _Wanted:
    """Return every file that somebody who counts demands."""
    by_key: dict[str, list[File]] = defaultdict(list)
    for key, plex_path, size in demands.files_that_matter(connection):
        if file := files.locate(plex_path, size):
            by_key[key].append(file)
    wanted: dict[str, tuple[File, list[Demand]]] = {}
    for demand in demands.counted_demands(connection, now):
        for file in by_key.get(demand.rating_key, ()):
            wanted.setdefault(file.array_path, (file, []))[1].append(demand)
    return wanted


def _missing(connection: Connection, files: _Files, now: float) -> _Wanted:
    """Return the files that somebody who counts demands and that are not on the cache."""
    wanted: dict[str, tuple[File, list[Demand]]] = {}
    located: dict[str, File | None] = {}
    for demand, plex_path, size in demands.missing_wishes(connection, now):
        if plex_path not in located:
            located[plex_path] = files.locate(plex_path, size)
        if file := located[plex_path]:
            wanted.setdefault(file.array_path, (file, []))[1].append(demand)
    return wanted


def _wished(connection: Connection, holdings: Sequence[Holding], among: Collection[str], now: float) -> list[Holding]:
    """Return the holdings; those that are `among` these array paths with what keeps them."""
    named = {one.entry.file.plex_path for one in holdings if one.entry.file.array_path in among}
    wishes, kept = demands.wishes_for(connection, sorted(named), now)
    return [
        replace(one, demands=tuple(wishes.get(path, ())), keep_until=kept.get(path))
        if (path := one.entry.file.plex_path) in named
        else one
        for one in holdings
    ]


def _played(connection: Connection, files: _Files, keys: Collection[str]) -> tuple[set[str], dict[str, str]]:
    """Return which of these items have known files, and the mapping of each of the files by its array path."""
    known, played = set(), {}
    for key, plex_path, size in demands.files_of(connection, keys):
        known.add(key)
        if file := files.locate(plex_path, size):
            played[file.array_path] = file.mapping
    return known, played


def _wants(connection: Connection, wanted: _Wanted, missing: Collection[str]) -> list[Want]:
    sidecars = ledger.remembered_sidecars(connection, missing)
    return [Want(file, tuple(whys), sidecars.get(path, 0)) for path, (file, whys) in wanted.items() if path in missing]


def _holding(entry: Entry, wanted: _Wanted, keep_until: Mapping[str, float], sidecars: Mapping[str, int]) -> Holding:
    path = entry.file.array_path
    whys = tuple(wanted[path][1]) if path in wanted else ()
    return Holding(entry, whys, keep_until.get(entry.file.plex_path), sidecars.get(path, 0))


def _holdings(
    entries: Collection[Entry], wanted: _Wanted, keep_until: Mapping[str, float], apart: Mapping[str, int]
) -> Iterable[Holding]:
    """Yield the videos with the bytes of their sidecars: those that are among the entries, or `apart` from them."""
    videos = {entry.file.array_path for entry in entries if not entry.parent}
    sidecars: dict[str, int] = defaultdict(int, apart)
    for entry in entries:
        if entry.parent in videos:
            sidecars[entry.parent] += entry.file.size
    for entry in entries:
        if entry.parent not in videos:  # a video, or a sidecar that its video left behind
            yield _holding(entry, wanted, keep_until, sidecars)


def _rooms(connection: Connection, outside: Outside, mappings: Mappings) -> dict[str, Room]:
    rooms, arriving = outside.rooms, tasks.arriving(connection)
    sidecars = ledger.remembered_sidecars(connection, outside.copying)
    own: dict[str, int] = defaultdict(int)
    reserved: dict[str, int] = defaultdict(int)
    for mapping, size in ledger.sizes(connection).items():
        if mapping in rooms:
            own[rooms[mapping][0]] += size
    for path, left in outside.copying.items():
        try:
            mapping = mappings.from_local(path).mapping
        except UnmappedPath:  # the mapping went away while the copy runs
            continue
        if mapping in rooms:
            reserved[rooms[mapping][0]] += left
            # What it has written already, of which there is no entry yet.
            own[rooms[mapping][0]] += max(0, arriving[path] + sidecars.get(path, 0) - left) if path in arriving else 0
    return {mapping: Room(key, total, free, own[key], reserved[key]) for mapping, (key, total, free) in rooms.items()}


@dataclass(frozen=True, slots=True)
class Enqueued:
    """What became of a plan on the queue: the new tasks by id, and the running tasks that must end."""

    added: Mapping[int, tasks.NewTask] = field(default_factory=dict)
    unwanted: tuple[int, ...] = ()


def enqueue(connection: Connection, plan: Plan, situation: Situation, now: float) -> Enqueued:
    """Make the queue say what the plan says: put what is missing, take back what is no longer planned."""
    goals = {
        one.file.array_path: tasks.NewTask(TaskKind.CACHE_IN, one.file, one.score, one.why, urgent=one.urgent)
        for one in plan.cache_ins
        if not one.waits
    } | {
        one.entry.file.array_path: tasks.NewTask(
            TaskKind.EVICT, one.entry.file, 100 - one.score, one.why, urgent=one.urgent
        )
        for one in plan.evictions
    }
    wanted = {want.file.array_path for want in situation.wants}
    queue = tasks.in_state(connection, TaskState.QUEUED, TaskState.RUNNING)
    unwanted = []
    for task in queue:
        goal = goals.get(task.file.array_path)
        if not _is_over(connection, task, goal, situation, wanted, now):
            continue
        if task.state is TaskState.RUNNING:
            unwanted.append(task.id)
        else:
            tasks.finish(connection, task.id, TaskState.CANCELLED, now, error="no longer planned")
    standing = {(task.file.array_path, task.kind, task.priority, task.why, task.urgent) for task in queue}
    added = {
        tasks.put(connection, goal, now): goal
        for path, goal in goals.items()
        if (path, goal.kind, goal.priority, goal.why, goal.urgent) not in standing
    }
    return Enqueued(added, tuple(unwanted))


def _is_over(
    connection: Connection,
    task: Task,
    goal: tasks.NewTask | None,
    situation: Situation,
    wanted: Collection[str],
    now: float,
) -> bool:
    """Say whether a task has to end or not to begin, because the plan is another by now."""
    path, waits = task.file.array_path, task.state is TaskState.QUEUED
    if task.kind is TaskKind.EVICT:
        # What plays stays, whoever asked; an eviction that has begun goes on otherwise, for it is soon over.
        if path in situation.playing:
            return True
        planned = task.forced or (goal is not None and goal.kind is TaskKind.EVICT)
        # What makes room down to `evict_to` goes on when the limit is no longer reached: that is what it is for.
        relieves = task.why == FULL and situation.sessions_known
        return (
            waits and not planned and not (relieves and not demands.is_demanded(connection, task.file.plex_path, now))
        )
    if task.forced or goal is not None:
        return False
    if path in wanted:
        return waits  # there is no room for it, or it rests; what runs has its room already
    # A copy for an item that was stopped half-way goes on: the user will come back to it.
    return not retentions.is_retained(connection, task.file.plex_path, now, half_way=waits)
