"""When the sources are read again: by interval, by cron, and at once where that was missed."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from daemon.config import ScheduleSettings
from daemon.schedule import next_refresh

BERLIN = ZoneInfo("Europe/Berlin")
HOUR = 3600.0
NOON = datetime(2026, 5, 1, 12, tzinfo=BERLIN).timestamp()
EVERY_HOUR = ScheduleSettings()
AT_FOUR = ScheduleSettings(cron="0 4 * * *")
NEVER = ScheduleSettings.model_validate({"refresh": "0"})
NO_JITTER = "ivwt"
"""A seed whose checksum is nearly zero."""


def wall(moment: float) -> str:
    return datetime.fromtimestamp(moment, BERLIN).isoformat(" ", "minutes")


def due(schedule: ScheduleSettings, last_done: float | None, now: float, seed: str = NO_JITTER) -> float:
    found = next_refresh(schedule, last_done, now, seed, BERLIN)
    assert found is not None
    return found


def at(text: str, fold: int = 0) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN, fold=fold).timestamp()


@pytest.fixture
def in_berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Europe/Berlin")
        time.tzset()
        yield
    assert os.environ.get("TZ") != "Europe/Berlin"
    time.tzset()


def test_what_was_never_read_is_read_at_once() -> None:
    assert due(EVERY_HOUR, None, NOON) == NOON
    assert due(AT_FOUR, None, NOON) == NOON
    assert next_refresh(NEVER, None, NOON, "", BERLIN) == NOON


def test_the_interval_counts_from_the_last_time() -> None:
    found = due(EVERY_HOUR, NOON, NOON + 600, "a server")

    assert NOON + HOUR < found < NOON + HOUR + 60


def test_one_that_was_missed_while_the_daemon_was_down_is_caught_up_at_once_and_only_once() -> None:
    assert due(EVERY_HOUR, NOON - 5 * HOUR, NOON) == NOON
    assert due(AT_FOUR, NOON - 48 * HOUR, NOON) == NOON
    assert due(EVERY_HOUR, NOON, NOON) > NOON
    assert wall(due(AT_FOUR, NOON, NOON)) == "2026-05-02 04:00+02:00"


def test_one_that_was_not_missed_is_not_caught_up() -> None:
    assert wall(due(AT_FOUR, NOON - HOUR, NOON)) == "2026-05-02 04:00+02:00"


def test_cron_replaces_the_interval() -> None:
    both = ScheduleSettings.model_validate({"cron": "0 4 * * *", "refresh": "5m"})
    none = ScheduleSettings.model_validate({"cron": "0 4 * * *", "refresh": "0"})

    assert due(both, NOON, NOON) == due(none, NOON, NOON) == due(AT_FOUR, NOON, NOON)


def test_without_interval_and_cron_nothing_is_due_by_time_alone() -> None:
    assert next_refresh(NEVER, NOON, NOON + 1000 * HOUR, "", BERLIN) is None


def test_a_clock_that_was_set_back_does_not_put_the_next_one_off() -> None:
    assert due(EVERY_HOUR, NOON + 1000 * HOUR, NOON) <= NOON + HOUR + 60


@given(st.text(), st.floats(60, 1e7), st.floats(0, 1e6))
def test_the_jitter_is_small_and_the_same_each_time(seed: str, interval: float, waited: float) -> None:
    schedule = ScheduleSettings().model_copy(update={"refresh": interval})
    found = due(schedule, NOON, NOON, seed)

    assert NOON + interval <= found <= NOON + interval + min(0.05 * interval, 60.0) + 1e-6
    assert due(schedule, NOON, NOON + waited, seed) == max(found, NOON + waited)


def test_servers_do_not_all_come_at_once() -> None:
    moments = {int(due(AT_FOUR, NOON, NOON, f"server {number}")) for number in range(200)}

    assert len(moments) > 30
    assert all(wall(moment) == "2026-05-02 04:00+02:00" for moment in moments)


@pytest.mark.parametrize("zone", [BERLIN, None], ids=["a named zone", "the machine's"])
@pytest.mark.parametrize(
    ("cron", "begin", "expected"),
    [
        ("30 2 * * *", "2026-03-28 12:00", ["2026-03-29 03:00+02:00", "2026-03-30 02:30+02:00"]),
        ("30 2 * * *", "2026-10-24 12:00", ["2026-10-25 02:30+02:00", "2026-10-26 02:30+01:00"]),
        ("0 * * * *", "2026-03-29 01:00", ["2026-03-29 03:00+02:00", "2026-03-29 04:00+02:00"]),
        ("0 * * * *", "2026-10-25 01:30", ["2026-10-25 02:00+02:00", "2026-10-25 02:00+01:00"]),
        ("0 4 * * MON-FRI", "2026-05-01 12:00", ["2026-05-04 04:00+02:00", "2026-05-05 04:00+02:00"]),
        ("0 0 1 * *", "2026-03-15 12:00", ["2026-04-01 00:00+02:00", "2026-05-01 00:00+02:00"]),
    ],
)
@pytest.mark.usefixtures("in_berlin")
def test_cron_keeps_to_local_time_when_the_clocks_change(
    cron: str, begin: str, expected: list[str], zone: ZoneInfo | None
) -> None:
    schedule = ScheduleSettings(cron=cron)
    moments = [at(begin)]
    for _ in expected:
        found = next_refresh(schedule, moments[-1], moments[-1], NO_JITTER, zone)
        assert found
        moments.append(found)

    assert [wall(moment) for moment in moments[1:]] == expected


def test_in_the_second_of_two_equal_hours_nothing_is_due_again_and_again() -> None:
    half_past_two = ScheduleSettings(cron="30 2 * * *")
    done = at("2026-10-25 02:10", fold=1)

    assert wall(due(half_past_two, done, done + 1)) == "2026-10-26 02:30+01:00"


@given(
    st.sampled_from(["0 4 * * *", "*/15 * * * *", "30 2 * * *", "5 1-3 * * *", "0 0 1 * MON"]),
    st.floats(at("2026-01-01"), at("2027-01-01")),
)
def test_the_next_one_by_cron_always_lies_ahead(cron: str, done: float) -> None:
    assert due(ScheduleSettings(cron=cron), done, done) > done


@pytest.mark.parametrize(
    ("cron", "fault"),
    [
        ("* * * *", "has 4 fields"),
        ("0 * * * * *", "has 6 fields"),
        ("60 * * * *", 'is out of range at "60" \\(0 to 59\\)'),
        ("0 1-24 * * *", 'is out of range at "1-24" \\(0 to 23\\)'),
        ("0 0 0 * *", 'is out of range at "0" \\(1 to 31\\)'),
        ("5-1 * * * *", 'is out of range at "5-1"'),
        ("*/0 * * * *", 'does not make sense at "\\*/0"'),
        ("0 0 * * MOON", 'does not make sense at "MOON"'),
        ("1,,2 * * * *", 'does not make sense at ""'),
        ("0 0 30 2 *", "never comes"),
        ("0 0 31 4,6 *", "never comes"),
    ],
)
def test_what_cron_would_not_run_is_refused_with_its_reason(cron: str, fault: str) -> None:
    with pytest.raises(ValidationError, match=fault):
        ScheduleSettings(cron=cron)


@pytest.mark.parametrize(
    "cron", ["", "15 */2 1,15 1-6 7", "0 4 * * mon-fri", "0 3 L * *", "0 3 * * SUN#1", "5/10 * * * *"]
)
def test_what_cron_runs_is_accepted(cron: str) -> None:
    schedule = ScheduleSettings(cron=cron)

    assert due(schedule, NOON, NOON) > NOON
