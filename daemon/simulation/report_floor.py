"""The least that any policy can reach that does not know the future: what nobody could foresee comes from the array."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from daemon.simulation.disks import COPY_SPEED, Array
from daemon.simulation.history import Household, Listing, Viewing


@dataclass(frozen=True, slots=True)
class Floor:
    """What is left where all that could be foreseen is on the cache in time, copied while the array is awake anyway.

    To be foreseen are plays of what was played or listed before, and of shows of which somebody began an episode or
    which somebody listed. Whoever brings something new wakes the array, whatever the policy; and what was listed while
    it slept, and is played before anything else wakes it, needs a copy of its own: the latest that is early enough
    serves all that was listed until then. `followed_bytes`: of the episodes of shows begun before, each once.
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
    since: dict[str, float] = {}
    listings = list(reversed(household.listings))
    arrivals = sorted(_arrivals(household), reverse=True)
    for viewing in household.viewings:
        while listings and listings[-1].at <= viewing.at:
            listing = listings.pop()
            since.setdefault(listing.key, listing.at)
        while arrivals and arrivals[-1][0] <= viewing.at:
            array.use(*arrivals.pop())
        title = household.titles[viewing.key]
        if title.show in begun:
            followed.add(title.key)
        listed = min((since[key] for key in (title.key, title.show) if key in since), default=None)
        if not known & {title.key, title.show}:
            if listed is None:
                array.use(viewing.at, _length(viewing, title.duration))
            elif array.until <= listed:
                array.use(viewing.at, title.size / COPY_SPEED)
        known |= {title.key, title.show} - {""}
        begun |= {title.show} - {""}
    size = sum(household.titles[key].size for key in followed)
    return Floor(array.wakeups, array.seconds / 3600, size)


def _arrivals(household: Household) -> Iterator[tuple[float, float]]:
    """Yield when the array is written to, and for how long."""
    acts: tuple[Viewing | Listing, ...] = (*household.viewings, *household.listings)
    first = min((one.at for one in acts), default=0.0)
    for title in household.titles.values():
        if title.added_at > first:
            yield title.added_at, title.size / COPY_SPEED


def _length(viewing: Viewing, duration: float) -> float:
    return (viewing.end - viewing.begin) * duration
