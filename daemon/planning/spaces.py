"""How much room a cache file system still offers under all limits together."""

from __future__ import annotations

from daemon.config import SpaceSettings
from daemon.model import Room


class Budget:
    """The bytes that may still be placed in one room, while a plan takes and gives.

    `was_pressed` is for the planner to set when something had to leave because the file system is too full.
    """

    def __init__(self, room: Room, space: SpaceSettings) -> None:
        self._used = room.total - room.free + room.reserved
        self._own = room.own + room.reserved
        self._total = room.total
        self._limit = min(
            space.limit.of(room.total) if space.limit else room.total,
            room.total - (space.min_free.of(room.total) if space.min_free else 0),
        )
        self._quota = space.quota.of(room.total) if space.quota else None
        self._target = space.evict_to.of(room.total) if space.evict_to else self._limit
        self._given = 0
        self.was_pressed = False

    @property
    def available(self) -> int:
        """Return how many bytes fit now; negative when a limit is already passed."""
        room = self._limit - self._used
        return room if self._quota is None else min(room, self._quota - self._own)

    def is_full_for(self, size: int) -> bool:
        """Say whether `size` does not fit because of the file system's limits, whatever the quota says."""
        return self._used + size > self._limit

    @property
    def over_target(self) -> int:
        """Return how many bytes must go until the use is down to ``evict_to``."""
        return self._used - min(self._target, self._limit)

    def take(self, size: int) -> bool:
        """Count a file that will be placed; say whether it fits before anything that was given has left."""
        self._used += size
        self._own += size
        return self.available >= self._given

    def give(self, size: int) -> None:
        """Count a file that will leave."""
        self._used -= size
        self._own -= size
        self._given += size
