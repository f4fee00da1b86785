"""The vocabulary as types. Frozen, and free of any input or output.

Times are seconds since the Unix epoch (UTC) as float; durations and offsets are seconds as float;
sizes are bytes. A *rating key* is Plex's id of an item, an opaque string. A *user* is a Plex account id
as a string; the owner is always ``OWNER``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

OWNER = "1"
"""The server owner's account id on the server itself (``/accounts``, ``/status/sessions``)."""

UNKNOWN_USER = ""
"""Somebody whom Plex has not named."""


HALF_WAY = "stopped half-way"
"""Why something is retained that was not watched to its end."""


class ItemType(StrEnum):
    """What kind of Plex item this is; types that ondeckd ignores never become an `Item`."""

    MOVIE = "movie"
    SHOW = "show"
    SEASON = "season"
    EPISODE = "episode"


class DemandKind(StrEnum):
    """Why somebody wants an item on the cache."""

    PLAYING = "playing"
    NEXT_UP = "next_up"
    ON_DECK = "on_deck"
    WATCHLIST = "watchlist"
    PINNED = "pinned"
    RECENT = "recent"
    TRENDING = "trending"


class PlayState(StrEnum):
    """State of a playback session as Plex reports it."""

    PLAYING = "playing"
    PAUSED = "paused"
    BUFFERING = "buffering"
    STOPPED = "stopped"
    ERROR = "error"


class TaskKind(StrEnum):
    """What a task does."""

    CACHE_IN = "cache_in"
    EVICT = "evict"


class TaskState(StrEnum):
    """Where a task is in its life."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class User:
    """A Plex account: `id` is stable, `title` is what people call it."""

    id: str
    title: str


class Role(StrEnum):
    """How a user came to this server."""

    OWNER = "owner"
    HOME = "home"
    MANAGED = "managed"
    SHARED = "shared"


@dataclass(frozen=True, slots=True)
class Person:
    """A user as the sources see one.

    `server_token` reads this server as that user, `account_token` plex.tv and its watchlist; empty: there is none, and
    `problem` says in one line why. `uuid` is the user's id at plex.tv's community.
    """

    user: User
    role: Role
    server_token: str = field(default="", repr=False)
    account_token: str = field(default="", repr=False)
    uuid: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class MediaFile:
    """The file behind one ``Part`` of an item, as Plex sees it; `size` as Plex reports it (0: unknown)."""

    plex_path: str
    size: int
    part_id: str = ""


@dataclass(frozen=True, slots=True)
class Item:
    """A movie or an episode (or the show or season above it) with all its files, optimized versions left out.

    `show`, `season` and `episode` are set for episodes; season 0 holds specials. `watched` and
    `view_offset` are those of the token that asked. `selected` says whether its library counts: a play of any
    other is protected, but demands nothing.
    """

    rating_key: str
    type: ItemType
    title: str
    guid: str = ""
    library: str = ""
    duration: float = 0.0
    files: tuple[MediaFile, ...] = ()
    show: str = ""
    show_title: str = ""
    season: int = 0
    episode: int = 0
    watched: bool = False
    view_offset: float = 0.0
    selected: bool = True
    last_viewed_at: float = 0.0
    """When the token that asked last viewed it; 0.0: never, or Plex does not say."""
    added_at: float = 0.0

    @property
    def label(self) -> str:
        """Return a name for people: ``Show - S01E02 - Title`` or ``Title``."""
        if self.type is ItemType.EPISODE:
            return f"{self.show_title} - S{self.season:02}E{self.episode:02} - {self.title}"
        return self.title


@dataclass(frozen=True, slots=True)
class Play:
    """One play of one item by one user, from its start to its stop.

    `id` is ours and durable: Plex's `session_key` restarts from 1 with the server. `confirmed` says that
    it lasted at least ``min_play``; `watched` that it passed 90 % or was scrobbled.
    """

    id: str
    session_key: str
    rating_key: str
    user: User
    client: str
    player: str
    state: PlayState
    started_at: float
    last_seen: float
    view_offset: float = 0.0
    duration: float = 0.0
    confirmed: bool = False
    watched: bool = False


@dataclass(frozen=True, slots=True)
class PlaybackStarted:
    """A play began, and who plays what is known (as far as it can be)."""

    play: Play
    at: float


@dataclass(frozen=True, slots=True)
class PlaybackConfirmed:
    """A play has lasted ``min_play``."""

    play: Play
    at: float


@dataclass(frozen=True, slots=True)
class PlaybackChanged:
    """Paused, resumed, sought, or only now is it known who plays."""

    play: Play
    at: float
    what: str
    """``paused``, ``resumed``, ``seeked`` or ``identified``."""


@dataclass(frozen=True, slots=True)
class PlaybackStopped:
    """A play ended: stopped, replaced by another item, gone from Plex, or silent for too long."""

    play: Play
    at: float


@dataclass(frozen=True, slots=True)
class Watched:
    """A user has finished an item: 90 % reached, a scrobble, or a new row of Plex's history."""

    rating_key: str
    user: User
    at: float
    source: str
    """``playback``, ``webhook`` or ``history``."""


Event = PlaybackStarted | PlaybackConfirmed | PlaybackChanged | PlaybackStopped | Watched


@dataclass(frozen=True, slots=True)
class Demand:
    """One reason for an item to be on the cache: who wants it, why, since when, and until when.

    `until` None means "as long as it stands". `play` names the play that made it, if one did. `position`
    is 0 for the item itself, n for the n-th episode after it. `show` groups a user's demands of one show.
    """

    rating_key: str
    kind: DemandKind
    user: str
    since: float
    until: float | None = None
    position: int = 0
    show: str = ""
    play: str = ""


@dataclass(frozen=True, slots=True)
class Fetched:
    """All that one user wants by one kind of demand, as a source has just read it; it replaces what was known.

    `items` are the movies and episodes of `demands`, with their files. `unmatched` names what is wanted and is not in
    the library, or names nothing by which it could be found. `unchanged`: the source says that what was read last
    still holds; then the rest is empty. `note` is what people should know of it though nothing is amiss.
    """

    demands: tuple[Demand, ...] = ()
    items: tuple[Item, ...] = ()
    unmatched: tuple[str, ...] = ()
    unchanged: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True)
class SourceState:
    """How one source of one user is: when it was last read whole, and since when and why it cannot be read.

    `user` is empty for a source that speaks for nobody in particular. Where it can be read, `problem` is only what
    people should know of it. `found` counts the demands it made,
    `unmatched` names what it wanted in vain.
    """

    kind: DemandKind
    user: str
    read_at: float | None = None
    failed_since: float | None = None
    problem: str = ""
    found: int = 0
    unmatched: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Retention:
    """Keep an item's cached files at least until `until`, because of what `user` did."""

    rating_key: str
    user: str
    until: float
    why: str


@dataclass(frozen=True, slots=True)
class Changes:
    """What a handler wants changed. Applied in one transaction, drops before puts."""

    drop_demands: tuple[Demand, ...] = ()
    put_demands: tuple[Demand, ...] = ()
    drop_retentions: tuple[tuple[str, str], ...] = ()
    """Pairs of rating key and user."""
    put_retentions: tuple[Retention, ...] = ()
    waived: tuple[tuple[str, float], ...] = ()
    """Pairs of rating key and moment: what was cached for it since then need not stay for ``min_stay``."""


@dataclass(frozen=True, slots=True)
class File:
    """One media file (or sidecar) in all three views. `mapping` names the mapping that covers it."""

    plex_path: str
    array_path: str
    cache_path: str
    mapping: str
    size: int = 0


@dataclass(frozen=True, slots=True)
class Entry:
    """The ledger's record of one file that ondeckd placed on the cache.

    `mtime_ns` and `size` are the original's at the time of copying. `copy_mtime_ns` is the copy's own time, where the
    cache cannot hold the original's exactly, else 0. `checksum` is empty unless ``verify = "checksum"``. `link` is
    what the symbolic link at the original's path says; empty for a placement without one. `parent` is the array path
    of the video that a sidecar belongs to, else empty. `waived`: it was cached for a play that was taken back, so
    ``min_stay`` does not hold it.
    """

    file: File
    mtime_ns: int
    cached_at: float
    last_played_at: float | None = None
    checksum: str = ""
    parent: str = ""
    placement: str = "union+keep"
    waived: bool = False
    copy_mtime_ns: int = 0
    link: str = ""

    @property
    def keeps_original(self) -> bool:
        """Say whether the original stays where it is, so that the copy is never the only way to it."""
        return self.placement.endswith("+keep")


class Goal(StrEnum):
    """What a file is on its way to."""

    CACHED = "cached"
    UNCACHED = "uncached"
    DELETED = "deleted"
    """Somebody has deleted it on purpose: nothing of it is to come back."""
    SET_ASIDE = "set aside"
    """The same, but one copy of it is to be left under the backup's name."""


@dataclass(frozen=True, slots=True)
class Intent:
    """A row of the journal: which step is about to be done with a file, and on the way to what."""

    entry: Entry
    goal: Goal
    step: str


@dataclass(frozen=True, slots=True)
class Want:
    """A file that somebody demands, with all its demands; the sidecars are those that came with it last, if it did."""

    file: File
    demands: tuple[Demand, ...]
    sidecar_bytes: int = 0

    @property
    def bytes(self) -> int:
        """Return what it takes to bring it in, as far as that is known."""
        return self.file.size + self.sidecar_bytes


@dataclass(frozen=True, slots=True)
class Holding:
    """A cached file as the planner sees it: its entry, who demands it, and how long it must stay."""

    entry: Entry
    demands: tuple[Demand, ...] = ()
    keep_until: float | None = None
    sidecar_bytes: int = 0

    @property
    def bytes(self) -> int:
        """Return what evicting it frees."""
        return self.entry.file.size + self.sidecar_bytes

    @property
    def used_at(self) -> float:
        """Return when it was of use last: played, or brought in."""
        return max(self.entry.last_played_at or 0.0, self.entry.cached_at)


@dataclass(frozen=True, slots=True)
class Room:
    """Space on one cache file system. `id` tells file systems apart; all sizes in bytes.

    `own` is what ondeckd placed there; `reserved` what running copies still have to write.
    """

    id: str
    total: int
    free: int
    own: int = 0
    reserved: int = 0


@dataclass(frozen=True, slots=True)
class Task:
    """One cache-in or eviction on the durable queue."""

    id: int
    kind: TaskKind
    file: File
    state: TaskState
    priority: int
    why: str
    created_at: float
    attempts: int = 0
    not_before: float = 0.0
    error: str = ""
    bytes_done: int = 0
    bytes_total: int = 0
    started_at: float | None = None
    finished_at: float | None = None
    forced: bool = False
    """Asked for by a person: the planner does not take it back."""
    urgent: bool = True
    """Whether it wakes the array rather than wait until that is awake anyway."""


@dataclass(frozen=True, slots=True)
class PlannedCacheIn:
    """The planner's wish to cache one file. `waits`: it fits only once the planned evictions are done.

    `urgent`: it is needed so soon that disks may be woken for it.
    """

    file: File
    score: int
    why: str
    demands: tuple[Demand, ...]
    waits: bool = False
    urgent: bool = True


@dataclass(frozen=True, slots=True)
class PlannedEviction:
    """The planner's wish to take one file off the cache. `urgent`: what comes needs its room, or a limit is passed."""

    entry: Entry
    bytes: int
    score: int
    why: str
    urgent: bool = False
    demands: tuple[Demand, ...] = ()


@dataclass(frozen=True, slots=True)
class Refusal:
    """A demanded file that the plan leaves on the array, and why."""

    file: File
    score: int
    why: str
    demands: tuple[Demand, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """What goes in and what goes out, in order. `next_due`: when time alone changes the answer.

    `pressed`: something did not fit, or a limit is passed. `over`: a limit stays passed, since nothing more may leave.
    `ranking` are the array paths and scores of what would leave next, the first of many. `rooms`: the cache file system
    of each mapping, as it was.
    """

    cache_ins: tuple[PlannedCacheIn, ...] = ()
    evictions: tuple[PlannedEviction, ...] = ()
    refused: tuple[Refusal, ...] = ()
    next_due: float | None = None
    pressed: bool = False
    over: bool = False
    reach: int = 0
    ranking: tuple[tuple[str, int], ...] = ()
    rooms: Mapping[str, Room] = field(default_factory=dict)
