"""Whatever is typed, a unit is understood or refused, and what is written is read back as the same."""

from __future__ import annotations

import contextlib

from hypothesis import given
from hypothesis import strategies as st

from daemon.units import Size, Window, WrongValue, parse_duration

UNITS = {"KB": 1000, "MB": 1000**2, "GB": 1000**3, "TB": 1000**4} | {
    "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3, "TiB": 1024**4
}  # fmt: skip


@given(st.text() | st.from_regex(r"[0-9.,% -]{0,6}[kKMGTiBsmhdw%]{0,3}", fullmatch=True))
def test_any_text_is_understood_or_refused(text: str) -> None:
    for parse in (parse_duration, Size.parse, Size.parse_absolute, Window.parse):
        with contextlib.suppress(WrongValue):
            parse(text)


@given(st.integers(0, 100 * 365 * 86_400))
def test_seconds_are_read_as_they_are_written(seconds: int) -> None:
    assert parse_duration(f"{seconds}s") == seconds


@given(st.integers(1, 1_000_000), st.sampled_from(sorted(UNITS)))
def test_amounts_are_exact_and_survive_being_written_and_read(number: int, unit: str) -> None:
    size = Size.parse(f"{number}{unit}")

    assert size.bytes == number * UNITS[unit]
    assert Size.parse(str(size)) == size


@given(st.integers(1, 10_000), st.integers(0, 2**62))
def test_a_share_never_exceeds_the_whole_and_survives_being_written_and_read(hundredths: int, total: int) -> None:
    size = Size.parse(f"{hundredths / 100}%")

    assert 0 <= size.of(total) <= total
    assert Size.parse(str(size)) == size


@given(st.floats(0.01, 100), st.floats(0.01, 100), st.integers(0, 2**62))
def test_a_larger_share_is_never_less(one: float, other: float, total: int) -> None:
    small, large = sorted([one, other])

    assert Size(percent=small).of(total) <= Size(percent=large).of(total)
