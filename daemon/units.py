"""Durations, sizes and times of day as people write them in the configuration."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import time
from decimal import Decimal
from typing import Self

DURATIONS = 'a whole number and a unit: "90s", "15m", "12h", "30d", "2w"; "0" switches off'
SIZES = 'a number and a unit: "500MB", "50 GiB", "3.7TB" (KB MB GB TB, KiB MiB GiB TiB); "0" switches off'
SIZES_OR_PERCENT = (
    'a number and a unit: "500MB", "50 GiB", "3.7TB" (KB MB GB TB, KiB MiB GiB TiB), '
    'or a share: "80%", "7.5%"; "0" switches off'
)
WINDOWS = 'two times of day: "02:00-06:00"; "": work waits three days'

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_LONGEST = 100 * 365 * 86400
"""A century. Anything longer is a slip, and added to a date it would overflow."""

_FACTORS = {
    **{unit: 1000**power for power, unit in enumerate(("KB", "MB", "GB", "TB"), 1)},
    **{unit: 1024**power for power, unit in enumerate(("KiB", "MiB", "GiB", "TiB"), 1)},
}
_LARGEST = 2**63 - 1
"""What a database column holds."""

_DURATION = re.compile(r"([0-9]+)([smhdw])")
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?([KMGT]i?B)")
_PERCENT = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?%")
_BARE = re.compile(r"[0-9]+(?:\.[0-9]+)?")
_WINDOW = re.compile(r"([0-9]{2}:[0-9]{2})-([0-9]{2}:[0-9]{2})")


class WrongValue(ValueError):
    """A value that cannot be meant. `allowed` says in words what could be."""

    def __init__(self, wrong: str, allowed: str) -> None:
        super().__init__(wrong)
        self.allowed = allowed


def parse_duration(text: object) -> float:
    """Return the seconds that `text` means, 0.0 for ``"0"``. Raise WrongValue for anything but a duration."""
    if not isinstance(text, str):
        raise WrongValue("must be a duration in quotes", DURATIONS)
    if text == "0":
        return 0.0
    match = _DURATION.fullmatch(text)
    if match is None:
        raise WrongValue("has no unit" if _BARE.fullmatch(text) else "is not a duration", DURATIONS)
    number, unit = match.groups()
    # The digits are counted first: Python refuses to convert thousands of them.
    if len(number) > len(str(_LONGEST)) or int(number) * _SECONDS[unit] > _LONGEST:
        raise WrongValue("is longer than 100 years", DURATIONS)
    return float(int(number) * _SECONDS[unit])


@dataclass(frozen=True, slots=True)
class Size:
    """An amount of space: either `bytes`, or `percent` of a file system; neither when switched off."""

    bytes: int | None = None
    percent: float | None = None

    def __bool__(self) -> bool:
        return self.bytes is not None or self.percent is not None

    def __str__(self) -> str:
        if self.percent is not None:
            return f"{Decimal(repr(self.percent)).normalize():f}%"
        if self.bytes is None:
            return "0"
        exact = [unit for unit, factor in _FACTORS.items() if self.bytes % factor == 0]
        unit = max(exact, key=_FACTORS.__getitem__, default="KB")
        return f"{Decimal(self.bytes) / _FACTORS[unit]:f}{unit}"

    def of(self, total: int) -> int:
        """Return the amount in bytes on a file system of `total` bytes; 0 when switched off."""
        if self.percent is not None:
            return int(total * Decimal(repr(self.percent)) / 100)
        return self.bytes or 0

    @classmethod
    def parse(cls, text: object) -> Self:
        """Return what `text` means, a share included. Raise WrongValue for anything but a size."""
        if isinstance(text, str) and (share := _PERCENT.fullmatch(text)):
            percent = float(share[1])
            if not 0 < percent <= 100:  # noqa: PLR2004 - a hundred percent
                raise WrongValue("must be above 0% and at most 100%", SIZES_OR_PERCENT)
            return cls(percent=percent)
        return cls._amount(text, SIZES_OR_PERCENT)

    @classmethod
    def parse_absolute(cls, text: object) -> Self:
        """Return what `text` means where a share means nothing. Raise WrongValue for anything else."""
        if isinstance(text, str) and _PERCENT.fullmatch(text):
            raise WrongValue("cannot be a percentage", SIZES)
        return cls._amount(text, SIZES)

    @classmethod
    def _amount(cls, text: object, allowed: str) -> Self:
        if not isinstance(text, str):
            raise WrongValue("must be a size in quotes", allowed)
        if text == "0":
            return cls()
        match = _SIZE.fullmatch(text)
        if match is None:
            raise WrongValue("has no unit" if _BARE.fullmatch(text) else "is not a size", allowed)
        size = int(Decimal(match[1]) * _FACTORS[match[2]])
        if size == 0:
            # Nobody can tell whether "0GB" means "nothing" or "no limit".
            raise WrongValue("is nothing", allowed)
        if size > _LARGEST:
            raise WrongValue("is larger than any disk", allowed)
        return cls(bytes=size)


@dataclass(frozen=True, slots=True)
class Window:
    """A daily span of local time; it passes midnight when `end` is before `start`."""

    start: time
    end: time

    def __str__(self) -> str:
        return f"{self.start:%H:%M}-{self.end:%H:%M}"

    @classmethod
    def parse(cls, text: object) -> Self | None:
        """Return the span, None for ``""``. Raise WrongValue for anything else."""
        if text == "":
            return None
        match = _WINDOW.fullmatch(text) if isinstance(text, str) else None
        if match is None:
            raise WrongValue("is not a span of time", WINDOWS)
        try:
            start, end = (time.fromisoformat(part) for part in match.groups())
        except ValueError:
            raise WrongValue("is not a time of day", WINDOWS) from None
        if start == end:
            raise WrongValue("begins when it ends", WINDOWS)
        return cls(start, end)
