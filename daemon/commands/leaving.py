"""Everything back to the array by a running daemon, as it is asked for and waited for from outside."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from daemon.client import Client, DaemonUnreachable
from daemon.config import MappingSettings
from daemon.feed import RESYNC
from daemon.model import TaskState
from daemon.restoring import AGAIN, Report, Show, Tally
from daemon.storage.losses import all_lost, caches_lost
from daemon.storage.paths import Mappings

Row = dict[str, Any]

_PAGE = 1000
_ROUNDS = 3
"""A copy that ended just when it was told to stop is found in the next round."""
_TIERS = ("mounts", "anchors", "queue")
"""The checks without which no file leaves."""


class ThroughDaemon:
    """By the queue of the daemon that runs, which knows what plays."""

    def __init__(self, client: Client, mappings: Sequence[MappingSettings]) -> None:
        self._client = client
        self._mappings = Mappings(mappings)
        self._lost: dict[str, str] = {}
        self.interrupted = AGAIN
        """What to tell a person who ends it early now."""
        self._waiting: dict[int, int] = {}
        self._ended: set[int] = set()

    async def survey(self) -> Tally:
        """Count what the ledger has."""
        rows = [row for row in await self._pages("files") if row["placement"]]
        pairs = [(row["array_path"], row["cache_path"]) for row in rows if not row["placement"].endswith("+keep")]
        self._lost = await asyncio.to_thread(all_lost, pairs, self._mappings)
        aside = sum(row["size"] for row in rows if row["placement"].endswith("+remove"))
        return Tally(len(rows), aside)

    async def run(self, tally: Tally, show: Show) -> Report:
        """Ask for it and wait until all has ended, or the daemon says that it cannot go on."""
        report = Report(paused=True)
        playing: set[str] = set()
        for _ in range(_ROUNDS):
            trouble, playing = await self._round(tally, show)
            held = [row["array_path"] for row in await self._pages("files") if row["placement"]]
            if trouble or not set(held) - playing - set(await self._failed()):
                break
        failed, lost = await self._failed(), self._lost
        report.left += lost.items()
        left = [path for path in held if path not in lost]
        for path in left:
            why = "it is being played" if path in playing else failed.get(path) or trouble or "its turn has not come"
            report.left.append((path, why))
        report.restored = max(0, tally.files - len(left) - len(lost))
        report.notes += await asyncio.to_thread(caches_lost, [path for path, _ in report.left], self._mappings)
        return report

    async def _round(self, tally: Tally, show: Show) -> tuple[str, set[str]]:
        """Return why the daemon waits, if it does, and what plays. Listening begins before asking."""
        async with self._client.events() as events:
            answer = await self._client.post("restore")
            self.interrupted = "the daemon goes on by itself; `ondeckd stop` ends it"
            self._waiting = dict.fromkeys(answer["tasks"], 0)
            tally.files = max(tally.files, tally.done + len(self._waiting))
            while self._waiting:
                kind, data = await anext(events, ("", {}))
                if not kind:
                    raise DaemonUnreachable("the daemon has ended; run this again to bring back what is left")
                if trouble := await self._heard(kind, data, tally):
                    return trouble, set(answer["playing"])
                show(tally)
        return "", set(answer["playing"])

    async def _heard(self, kind: str, data: Row, tally: Tally) -> str:
        if kind == RESYNC:
            for row in await self._pages("tasks"):
                self._note(row, tally)
        elif kind == "progress" and data["id"] in self._waiting:
            tally.copied += data["bytes_done"] - self._waiting[data["id"]]
            self._waiting[data["id"]] = data["bytes_done"]
        elif kind == "task":
            self._note(data, tally)
            if data["id"] in self._waiting and data["state"] == TaskState.QUEUED:
                # Put back: for a moment, or because a whole tier cannot be used.
                checks = (await self._client.get("status"))["checks"]
                return "; ".join(each["text"] for each in checks if each["name"] in _TIERS and not each["ok"])
        return ""

    def _note(self, row: Row, tally: Tally) -> None:
        if row["id"] not in self._waiting:
            return
        if row["state"] == TaskState.RUNNING:
            tally.path = row["file"]
        elif row["state"] != TaskState.QUEUED:
            del self._waiting[row["id"]]
            self._ended.add(row["id"])
            tally.done += 1

    async def _failed(self) -> dict[str, str]:
        """Return why what has ended did not succeed, by array path."""
        paths = {row["plex_path"]: row["array_path"] for row in await self._pages("files")}
        return {
            paths[row["file"]]: row["error"] or "it was taken back"
            for row in await self._pages("tasks")
            if row["id"] in self._ended and row["state"] != TaskState.SUCCEEDED and row["file"] in paths
        }

    async def _pages(self, name: str) -> list[Row]:
        rows: list[Row] = []
        while True:
            page = await self._client.get(name, {"limit": str(_PAGE), "offset": str(len(rows))})
            rows += page["items"]
            if len(rows) >= page["total"] or not page["items"]:
                return rows
