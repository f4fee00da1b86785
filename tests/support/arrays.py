"""Households whose arrays sleep: what they are asked, and what Unraid would say of them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from daemon.model import TaskState
from daemon.quiet import Disks
from tests.support.household import PATIENCE, Household, household
from tests.support.turned import TurnedClock

HOUR = 3600.0
EVENING = datetime.fromisoformat("2026-05-01T20:00").timestamp()
AT_NIGHT = {"array_window": "02:00-06:00"}
ANY_TIME: dict[str, str] = {}


def at_home(
    folder: Path, clock: TurnedClock, schedule: Mapping[str, str], disks: Disks | None = None
) -> AbstractAsyncContextManager[Household]:
    """Have two mappings with an array each."""
    return household(folder, clock=clock, schedule=schedule, disks=disks, tv="union+keep", films="union+keep")


def wakeups(house: Household) -> dict[str, int]:
    """Return how often which reason has woken an array."""
    return {
        sample.labels["reason"]: int(sample.value)
        for family in text_string_to_metric_families(house.metrics.text().decode())
        if family.name == "ondeckd_array_wakeups"
        for sample in family.samples
        if sample.value
    }


def awake(house: Household) -> set[str]:
    """Return the mappings whose array is awake, as the metrics say."""
    return {
        sample.labels["mapping"]
        for family in text_string_to_metric_families(house.metrics.text().decode())
        if family.name == "ondeckd_array_awake"
        for sample in family.samples
        if sample.value
    }


async def looked(house: Household, clock: TurnedClock) -> None:
    """Return when the workers have looked at the queue since now, and sleep again."""
    async with asyncio.timeout(PATIENCE):
        house.dispatcher.tasks_added.ring()
        # Its own database thread works one call after the other: the workers' come before the last of these.
        for _ in range(20):
            await house.tasks(TaskState.QUEUED)
    assert clock.next_due()


def disks_ini(**spundown: str) -> str:
    """Return what Unraid's management writes of its disks: slots, each with its values in quotes."""
    slots = [
        ("parity", {"type": "Parity", "status": "DISK_OK", "rotational": "1", "spundown": "0"}),
        ("disk9", {"type": "Data", "status": "DISK_NP", "rotational": "", "spundown": "0"}),
        ("cache", {"type": "Cache", "status": "DISK_OK", "rotational": "0", "spundown": "0"}),
        ("flash", {"type": "Flash", "status": "DISK_OK", "rotational": "1", "spundown": "0"}),
    ]
    slots += [
        (name, {"type": "Data", "status": "DISK_OK", "rotational": "1", "spundown": value})
        for name, value in spundown.items()
    ]
    lines = [[f'["{name}"]', *(f'{key}="{value}"' for key, value in values.items())] for name, values in slots]
    return "\n".join(line for slot in lines for line in slot) + "\n"
