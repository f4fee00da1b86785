"""The simulated disks: an array that sleeps when nobody reads from it, a cache of limited size, a lane for copies."""

from __future__ import annotations

from dataclasses import dataclass, field

from daemon.simulation.history import Title

SPIN_DOWN = 30 * 60.0
"""Seconds without any access after which the array goes to sleep."""

COPY_SPEED = 150e6
"""Bytes a second that are copied from the array, one file after the other: what one hard disk reads."""


@dataclass(slots=True)
class Array:
    """The slow disks: when they are awake, how often they woke, and how long they were awake.

    Accesses come in order of their begin. They are taken as one disk: any access wakes it.
    """

    wakeups: int = 0
    seconds: float = 0.0
    until: float = float("-inf")
    """When it goes to sleep, as far as is known now."""

    def awake(self, now: float) -> bool:
        """Say whether it turns."""
        return now < self.until

    def idle(self, now: float) -> float:
        """Return for how long nothing has used it."""
        return max(0.0, now - (self.until - SPIN_DOWN))

    def use(self, now: float, length: float = 0.0) -> None:
        """Access it from `now` on, for `length` seconds without a pause."""
        if not self.awake(now):
            self.wakeups += 1
            self.until = now
        end = now + length + SPIN_DOWN
        self.seconds += max(0.0, end - self.until)
        self.until = max(self.until, end)


@dataclass(slots=True)
class Held:
    """One complete copy on the cache. `plays` counts the plays it has served."""

    title: Title
    cached_at: float
    last_played_at: float | None = None
    waived: bool = False
    plays: int = 0


@dataclass(slots=True)
class Disks:
    """Array and cache, and the one copy that may be under way."""

    capacity: int
    array: Array = field(default_factory=Array)
    held: dict[str, Held] = field(default_factory=dict)
    copying: Title | None = None
    used: int = 0
    written: int = 0
    evictions: int = 0

    @property
    def free(self) -> int:
        """Return the bytes that neither a copy nor one under way takes."""
        return self.capacity - self.used - (self.copying.size if self.copying else 0)

    def begin(self, title: Title, now: float) -> float:
        """Begin to copy `title` to the cache; return when that will be done."""
        if self.copying is not None or title.key in self.held or title.size > self.free:
            raise ValueError(f"{title.key} cannot be copied now")
        self.copying = title
        length = title.size / COPY_SPEED
        self.array.use(now, length)
        return now + length

    def finish(self, now: float) -> Title:
        """Complete the copy that is under way."""
        if self.copying is None:
            raise ValueError("nothing is being copied")
        title, self.copying = self.copying, None
        self.held[title.key] = Held(title, now)
        self.used += title.size
        self.written += title.size
        return title

    def evict(self, key: str, now: float) -> None:
        """Take a copy off the cache; the array is touched, for the original must be there."""
        self.used -= self.held.pop(key).title.size
        self.evictions += 1
        self.array.use(now)
