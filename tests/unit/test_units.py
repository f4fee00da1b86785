"""Durations, sizes and spans of time mean what the documentation says, and nothing else means anything."""

from __future__ import annotations

from datetime import time

import pytest

from daemon.units import Size, Window, WrongValue, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("15m", 900), ("12h", 43_200), ("30d", 2_592_000), ("2w", 1_209_600), ("0", 0), ("0s", 0)],
)
def test_a_duration_is_a_number_and_a_unit(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "90", "1.5h", "-5m", "5 m", " 5m", "5m ", "5M", "5min", "1h30m", "h", "0.0", "00", "1e3s"),
        *("\u0665m", "5m\n", "inf", "never", "1y", 90, 90.0, True, None, ["5m"]),
    ],
)
def test_anything_else_is_no_duration(text: object) -> None:
    with pytest.raises(WrongValue):
        parse_duration(text)


@pytest.mark.parametrize("text", ["36501d", pytest.param("9" * 5000 + "s", id="thousands of digits")])
def test_a_duration_that_no_calendar_holds_is_refused(text: str) -> None:
    with pytest.raises(WrongValue, match="longer than 100 years"):
        parse_duration(text)


def test_a_bare_number_is_told_that_its_unit_is_missing() -> None:
    with pytest.raises(WrongValue, match="has no unit"):
        parse_duration("90")
    with pytest.raises(WrongValue, match="has no unit"):
        Size.parse("500")


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("500MB", 500_000_000),
        ("50 GiB", 50 * 1024**3),
        ("3.7TB", 3_700_000_000_000),
        ("1KB", 1000),
        ("1KiB", 1024),
        ("1MiB", 1024**2),
        ("1TiB", 1024**4),
        ("20GB", 20_000_000_000),
        ("0.5KiB", 512),
    ],
)
def test_an_amount_is_a_number_and_a_unit(text: str, size: int) -> None:
    assert Size.parse(text) == Size(bytes=size)
    assert Size.parse_absolute(text) == Size(bytes=size)


@pytest.mark.parametrize(("text", "percent"), [("80%", 80.0), ("7.5%", 7.5), ("100%", 100.0), ("5 %", 5.0)])
def test_a_share_is_a_percentage(text: str, percent: float) -> None:
    assert Size.parse(text) == Size(percent=percent)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            " ",
            "500",
            "0.0",
            "5B",
            "5gb",
            "5Gb",
            "5kB",
            "5G",
            "5GBs",
            "GB",
            "-5GB",
            "1,5GB",
            "5PB",
            "5  GB",
        ),
        *(
            "5GB ",
            " 5GB",
            "0GB",
            "0%",
            "0.0%",
            "0.0001KB",
            "101%",
            "-1%",
            "%",
            "9999999999TB",
            "1e3GB",
            "inf",
        ),
        *("unlimited", "\u0665GB", 500, 0, 1.5, True, None, ["5GB"]),
        pytest.param("9" * 5000 + "GB", id="thousands of digits"),
    ],
)
def test_anything_else_is_no_size_and_never_no_limit(text: object) -> None:
    with pytest.raises(WrongValue):
        Size.parse(text)


def test_a_share_is_refused_where_there_is_nothing_to_share() -> None:
    with pytest.raises(WrongValue, match="cannot be a percentage"):
        Size.parse_absolute("80%")


def test_only_a_size_that_is_switched_off_is_false() -> None:
    assert not Size.parse("0")
    assert Size.parse("1KB")
    assert Size.parse("1%")


def test_a_size_is_told_for_a_file_system() -> None:
    assert Size.parse("90%").of(1_000_000_000_000) == 900_000_000_000
    assert Size.parse("7.5%").of(1000) == 75
    assert Size.parse("20GB").of(10) == 20_000_000_000
    assert Size.parse("0").of(1000) == 0


@pytest.mark.parametrize("text", ["20GB", "50GiB", "3700GB", "80%", "7.5%", "100%", "0", "1.5KB"])
def test_a_size_is_written_as_people_write_it(text: str) -> None:
    assert str(Size.parse(text)) == text


def test_a_window_is_two_times_of_day() -> None:
    window = Window.parse("22:30-06:00")

    assert window == Window(time(22, 30), time(6))
    assert str(window) == "22:30-06:00"
    assert Window.parse("") is None


@pytest.mark.parametrize(
    "text",
    ["2:00-6:00", "02:00", "02:00-06:00-07:00", "24:00-06:00", "02:60-06:00", "02:00-02:00", " ", 5, None],
)
def test_anything_else_is_no_window(text: object) -> None:
    with pytest.raises(WrongValue):
        Window.parse(text)
