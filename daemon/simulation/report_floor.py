"""The least that any policy can reach that does not know the future: what nobody could foresee comes from the array."""

from __future__ import annotations

from dataclasses import dataclass

from daemon.simulation.disks import Array
from daemon.simulation.history import Household, Viewing


@dataclass(frozen=True, slots=True)
class Floor:
    """What is left where all that could be foreseen is on the cache in time, copied while the array is awake anyway.

    To be foreseen are plays of what was played or listed before, and of shows of which somebody began an episode or
    which somebody listed. `followed_bytes`: of the episodes of shows begun before, each once.
    """

    wakeups: int
    hours_awake: float
    followed_bytes: int


def floor(household: Household) -> Floor:
    """Return the floor of a household."""
    array = Array()
    known: set[str] = set()
    begun: set[str] = set()
    followed: set[str] = set()
    listings = list(reversed(household.listings))
    for viewing in household.viewings:
        while listings and listings[-1].at <= viewing.at:
            known.add(listings.pop().key)
        title = household.titles[viewing.key]
        if title.show in begun:
            followed.add(title.key)
        if not known & {title.key, title.show}:
            array.use(viewing.at, _length(viewing, title.duration))
        known |= {title.key, title.show} - {""}
        begun |= {title.show} - {""}
    size = sum(household.titles[key].size for key in followed)
    return Floor(array.wakeups, array.seconds / 3600, size)


def _length(viewing: Viewing, duration: float) -> float:
    return (viewing.end - viewing.begin) * duration
