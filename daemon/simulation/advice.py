"""Which settings would have done better: a few variations of those there are, replayed on the same history."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from daemon.config import Settings
from daemon.simulation.engine import Result
from daemon.simulation.history import Household
from daemon.simulation.report import OURS
from daemon.simulation.report_runs import Job, Tell, run
from daemon.units import Size, Window, parse_duration

_EPISODES = (2, 3, 5, 8, 10)
_TO_THEIR_END = ("0", "12h", "3d")
_HALFWAY = ("2d", "7d", "30d")
_STAYS = ("0", "12h", "2d")
_WINDOWS = ("", "02:00-06:00", "16:00-20:00")
_NOISE = 0.02
_CLEAR = 0.05
"""Shares: a difference below the first is none; one above the second is worth a change."""


@dataclass(frozen=True, slots=True)
class Variation:
    """A change of settings, as one would write it, or of the cache's size."""

    text: str
    settings: Settings
    factor: float = 1.0


@dataclass(frozen=True, slots=True)
class Advice:
    """A variation that wins: `gains` says in words at what, `costs` what it does worse."""

    text: str
    result: Result
    gains: tuple[str, ...]
    costs: tuple[str, ...]


def variations(settings: Settings) -> Iterator[Variation]:
    """Yield what is tried: each differs from `settings` in one respect."""
    for count in _EPISODES:
        if (count, count) != (settings.playback.next_episodes, settings.on_deck.episodes):
            text = f"playback.next_episodes = {count}, on_deck.episodes = {count}"
            yield Variation(text, _with(settings, playback={"next_episodes": count}, on_deck={"episodes": count}))
    current = not settings.playback.cache_current
    yield Variation(
        f"playback.cache_current = {str(current).lower()}", _with(settings, playback={"cache_current": current})
    )
    for key, choices in (("after_watched", _TO_THEIR_END), ("after_stopped", _HALFWAY), ("min_stay", _STAYS)):
        for choice in choices:
            if (seconds := parse_duration(choice)) != getattr(settings.retention, key):
                yield Variation(f'retention.{key} = "{choice}"', _with(settings, retention={key: seconds}))
    needed = not settings.retention.until_needed
    yield Variation(
        f"retention.until_needed = {str(needed).lower()}", _with(settings, retention={"until_needed": needed})
    )
    for text in _WINDOWS:
        if (window := Window.parse(text)) != settings.schedule.array_window:
            yield Variation(f'schedule.array_window = "{text}"', _with(settings, schedule={"array_window": window}))
    yield Variation("half the cache (space.quota)", settings, 0.5)
    yield Variation("twice the cache (space.quota, space.limit)", settings, 2.0)


def advise(household: Household, settings: Settings, capacity: int, base: Result, tell: Tell) -> list[Advice]:
    """Return the variations that do better than `base`, those that miss least first."""
    tried = list(variations(settings))
    jobs = [Job(household, OURS, one.settings, Size(bytes=int(capacity * one.factor))) for one in tried]
    return winners(base, list(zip(tried, run(jobs, tell), strict=True)))


def winners(base: Result, tried: Sequence[tuple[Variation, Result]]) -> list[Advice]:
    """Return which of `tried` miss fewer plays or leave the array asleep longer and do neither worse.

    What writes less wins too, and so does half the cache that does as well.
    """
    found = []
    for variation, result in tried:
        changes = _changes(base, result)
        gains = [text for _, change, text in changes if change <= -_CLEAR]
        worse = [name for name, change, _ in changes if change > _NOISE and name != _WRITTEN]
        smaller = variation.factor < 1.0
        if worse or not (gains or smaller):
            continue
        costs = [text for name, change, text in changes if change >= _CLEAR and name == _WRITTEN]
        found.append(Advice(variation.text, result, (*gains, *["half the space"] * smaller), tuple(costs)))
    return sorted(found, key=lambda one: (_missed(one.result), one.result.hours_awake, one.result.bytes_written))


_WRITTEN = "GB written"
_LARGE = 100


def _changes(base: Result, result: Result) -> list[tuple[str, float, str]]:
    """Return by which share each figure that should be small changes, and how that reads."""
    figures: Mapping[str, tuple[float, float]] = {
        "plays missed": (_missed(base), _missed(result)),
        "hours awake": (base.hours_awake, result.hours_awake),
        "wake-ups": (base.wakeups, result.wakeups),
        _WRITTEN: (base.bytes_written / 1e9, result.bytes_written / 1e9),
    }
    return [
        (name, (after - before) / before if before else float(after > 0), f"{name} {_short(before)} → {_short(after)}")
        for name, (before, after) in figures.items()
    ]


def _short(figure: float) -> str:
    return f"{figure:.0f}" if figure == int(figure) or figure >= _LARGE else f"{figure:.1f}"


def _missed(result: Result) -> int:
    return result.plays - result.plays_cached


def _with(settings: Settings, **tables: Mapping[str, Any]) -> Settings:
    changed = {name: getattr(settings, name).model_copy(update=keys) for name, keys in tables.items()}
    return settings.model_copy(update=changed)
