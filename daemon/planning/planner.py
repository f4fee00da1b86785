"""The planner: what goes in, what goes out, in which order, and why. A pure function."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from daemon.config import Settings
from daemon.model import (
    DemandKind,
    Holding,
    Plan,
    PlannedCacheIn,
    PlannedEviction,
    Refusal,
    Room,
    Want,
)
from daemon.planning.candidates import Held, Wanted
from daemon.planning.scores import burden, score, score_held
from daemon.planning.spaces import Budget

NO_ROOM = "no room"
_NEXT = 100
"""So many of what would leave next are named: enough for what one event may want."""
FULL = "the cache is full"


@dataclass(frozen=True, slots=True)
class Situation:
    """Everything the planner looks at.

    `wants` are the demanded files that are not on the cache; `running` the array paths being copied right now;
    `playing` the array paths of what plays; `sessions_known` False means that nobody can say what plays, so
    nothing leaves. `rooms` gives the cache file system of each mapping; a mapping without one (its cache cannot be
    read) takes part in nothing. `resting` are array paths whose last task failed and that are left alone for now.
    """

    wants: Sequence[Want]
    holdings: Sequence[Holding]
    rooms: Mapping[str, Room]
    playing: frozenset[str] = frozenset()
    running: frozenset[str] = frozenset()
    resting: frozenset[str] = frozenset()
    sessions_known: bool = True


def plan(situation: Situation, settings: Settings, now: float) -> Plan:
    """Return what to cache and what to evict now."""
    by_room: dict[str, tuple[Room, list[Wanted], list[Held]]] = {}
    for room in situation.rooms.values():
        by_room.setdefault(room.id, (room, [], []))
    alone = settings.transfer.sidecars == "none"
    for want in situation.wants:
        if place := situation.rooms.get(want.file.mapping):
            comes = replace(want, sidecar_bytes=0) if alone and want.sidecar_bytes else want
            by_room[place.id][1].append(Wanted(comes, score(want.demands, now), now))
    for holding in situation.holdings:
        if place := situation.rooms.get(holding.entry.file.mapping):
            by_room[place.id][2].append(_rate(holding, situation, settings, now))
    parts = [
        _plan_room(Budget(room, settings.space), wanted, held, situation, until_needed=settings.retention.until_needed)
        for room, wanted, held in by_room.values()
    ]
    return Plan(
        cache_ins=tuple(one for part in parts for one in part.cache_ins),
        evictions=tuple(one for part in parts for one in part.evictions),
        refused=tuple(one for part in parts for one in part.refused),
        next_due=_next_due(situation.holdings, settings, now),
        pressed=any(part.pressed for part in parts),
        over=any(part.over for part in parts),
        reach=max((part.reach for part in parts), default=0),
        ranking=tuple(one for part in parts for one in part.ranking),
        rooms=situation.rooms,
    )


def is_enough(made: Plan) -> bool:
    """Say whether a plan that saw only some of what is on the cache says what a whole one would.

    What it saw leaves first. So more of it could help only a wish that reaches beyond what it did not even need.
    """
    return not made.over and made.reach <= max((score for _, score in made.ranking), default=-1)


def _rate(holding: Holding, situation: Situation, settings: Settings, now: float) -> Held:
    pinned = any(demand.kind in {DemandKind.PINNED, DemandKind.PLAYING} for demand in holding.demands)
    path = holding.entry.file.array_path
    return Held(
        holding,
        score_held(holding, now),
        stays=pinned or not situation.sessions_known or path in situation.playing or path in situation.resting,
        fresh=not holding.entry.waived and holding.entry.cached_at + settings.retention.min_stay > now,
        burden=burden(holding, now),
    )


def _plan_room(
    budget: Budget, wanted: list[Wanted], held: list[Held], situation: Situation, *, until_needed: bool
) -> Plan:
    evictions: list[PlannedEviction] = []

    def evict(one: Held, why: str, *, urgent: bool) -> None:
        holding = one.holding
        evictions.append(
            PlannedEviction(holding.entry, holding.bytes, one.score.value, why, urgent, demands=holding.demands)
        )
        budget.give(one.holding.bytes)

    victims: list[Held] = []
    for one in sorted((one for one in held if not one.stays), key=lambda one: one.rank):
        if one.score.value == 0 and not one.fresh and not until_needed:
            evict(one, one.score.why, urgent=False)
        else:
            victims.append(one)
    cache_ins, refused, reach = _admit(budget, wanted, victims, situation, evict)
    relief = _relieve(budget, victims, to_target=not until_needed)
    for one in relief:
        evict(one, FULL, urgent=True)
    left = [one for one in victims if one not in relief]
    pressed = budget.available < 0 or any(one.why == NO_ROOM for one in refused)
    if any(one.urgent and one.waits for one in cache_ins):
        # Whatever leaves makes the room that is needed soon.
        evictions = [replace(one, urgent=True) for one in evictions]
    return Plan(
        cache_ins,
        tuple(evictions),
        refused,
        pressed=pressed or budget.was_pressed or bool(relief),
        over=budget.available < 0,
        reach=reach,
        ranking=tuple((one.holding.entry.file.array_path, one.score.value) for one in _next_out(left)),
    )


class Evict(Protocol):
    """Plans an eviction, and gives its room."""

    def __call__(self, one: Held, why: str, *, urgent: bool) -> None: ...


def _next_out(left: list[Held]) -> list[Held]:
    """Return what leaves next of what nobody wants any more, and of what somebody wants; `left` is in order."""
    idle = [one for one in left if not one.holding.demands]
    return [*idle[:_NEXT], *[one for one in left if one.holding.demands][:_NEXT]]


def _admit(
    budget: Budget,
    wanted: list[Wanted],
    victims: list[Held],
    situation: Situation,
    evict: Evict,
) -> tuple[tuple[PlannedCacheIn, ...], tuple[Refusal, ...], int]:
    """Fit the wishes in one by one, the best first; take from `victims` what must leave for them.

    With what goes in and what does not comes the furthest reach of those that found no room.
    """
    cache_ins: list[PlannedCacheIn] = []
    refused: list[Refusal] = []
    reach = 0
    for one in sorted(wanted, key=lambda one: one.rank):
        file, size = one.want.file, one.want.bytes
        if file.array_path in situation.running or one.is_late(situation.playing):
            continue
        if file.array_path in situation.resting:
            refused.append(
                Refusal(file, one.score.value, "its last copy failed and is tried again later", one.want.demands)
            )
            continue
        chosen = _make_room(budget, size, one, victims)
        if chosen is None:
            refused.append(Refusal(file, one.score.value, NO_ROOM, one.want.demands))
            reach = max(reach, one.reach)
            continue
        budget.was_pressed |= bool(chosen) and budget.is_full_for(size)
        for victim in chosen:
            victims.remove(victim)
            evict(victim, f"makes room for {file.plex_path}", urgent=one.urgent)
        waits = not budget.take(size)
        cache_ins.append(PlannedCacheIn(file, one.score.value, one.score.why, one.want.demands, waits, one.urgent))
    return tuple(cache_ins), tuple(refused), reach


def _make_room(budget: Budget, size: int, wanted: Wanted, victims: list[Held]) -> list[Held] | None:
    """Return what must leave so that `size` fits (maybe nothing), or None if it cannot fit."""
    if size <= budget.available:
        return []
    if wanted.is_far:
        return None
    missing = size - budget.available
    chosen: list[Held] = []
    for victim in victims:
        if victim.score.value >= wanted.score.value:
            break
        if not wanted.displaces(victim):
            continue
        chosen.append(victim)
        missing -= victim.holding.bytes
        if missing <= 0:
            return _without_needless(chosen, -missing)
    return None


def _without_needless(chosen: list[Held], surplus: int) -> list[Held]:
    """Return the victims without those that, after all, need not leave; the worthiest is spared first."""
    kept = []
    for victim in reversed(chosen):
        if victim.holding.bytes <= surplus:
            surplus -= victim.holding.bytes
        else:
            kept.append(victim)
    return kept[::-1]


def _relieve(budget: Budget, victims: list[Held], *, to_target: bool) -> list[Held]:
    """Return what leaves because a limit is passed (anything that may), or was reached (retained only).

    Reaching a limit frees down to ``evict_to`` (`to_target`), so that the next copy does not press at once again.
    """
    chosen: list[Held] = []
    over = budget.available < 0
    freed = 0
    for victim in _in_order(victims):
        beyond = over and budget.available + freed < 0
        retained = not (victim.fresh or victim.holding.demands)
        if beyond or (to_target and retained and (over or budget.was_pressed) and budget.over_target > freed):
            chosen.append(victim)
            freed += victim.holding.bytes
    wanted = [victim for victim in chosen if victim.holding.demands]
    kept = _without_needless(wanted, budget.available + freed)
    return [victim for victim in chosen if not victim.holding.demands or victim in kept]


def _in_order(victims: list[Held]) -> list[Held]:
    """Return what may leave for a limit, best first.

    ``min_stay`` holds what is fresh, unless what is next up had to leave in its place: that would be back at once, and
    push the fresh one out after all.
    """
    soon = [victim for victim in victims if victim.soon]
    rested = [victim for victim in victims if not victim.soon and not victim.fresh]
    fresh = [victim for victim in victims if not victim.soon and victim.fresh] if soon else []
    return [*rested, *fresh, *soon]


def _next_due(holdings: Sequence[Holding], settings: Settings, now: float) -> float | None:
    moments = [
        max(holding.keep_until or 0.0, holding.entry.cached_at + settings.retention.min_stay)
        for holding in holdings
        if not holding.demands
    ]
    return min((moment for moment in moments if moment > now), default=None)
