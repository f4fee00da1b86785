"""What works and what does not, as one list of checks. Everything here is known already; nobody waits who asks."""

from __future__ import annotations

from collections.abc import Mapping

import structlog

from daemon.clock import Clock
from daemon.errors import AnchorMissing, NoSpace, TierUnavailable
from daemon.feed import Feed
from daemon.holds import Holds
from daemon.plex.listener import Listener
from daemon.rooms import Rooms
from daemon.state.store import Store
from daemon.web.service import Check

log = structlog.get_logger()

_EVERY = 5.0
"""Seconds between two looks at the checks."""


class Health:
    """Gathers the checks of ``/readyz``, ``ondeckd status`` and systemd's status line.

    `config_faults` are those of the last rejected reload; `needs_restart` the changed keys that wait for one;
    `stranded` counts the files on the cache by mapping, for the mappings that are no longer in the configuration.
    """

    def __init__(self, store: Store, rooms: Rooms, holds: Holds, listener: Listener, *, dry_run: bool) -> None:
        self._store = store
        self._rooms = rooms
        self._holds = holds
        self._listener = listener
        self.dry_run = dry_run
        self.config_faults: tuple[str, ...] = ()
        self.needs_restart: tuple[str, ...] = ()
        self.stranded: Mapping[str, int] = {}

    def state(self, *, paused: bool) -> str:
        """Return the daemon's state in one word."""
        if self.dry_run:
            return "dry-run"
        return "paused" if paused else "running"

    def checks(self) -> list[Check]:
        """Return every check, in the order in which a person would look."""
        return [
            self._plex(),
            self._notifications(),
            self._all_well("mounts", self._rooms.problems, "every cache answers"),
            self._all_well("anchors", self._why_held(AnchorMissing), "every array is mounted, as far as was looked"),
            self._all_well("space", self._why_held(NoSpace) | self._rooms.full, "there is room"),
            self._database(),
            self._all_well("queue", self._why_held(TierUnavailable), "nothing is held back"),
            self._config(),
        ]

    async def watch(self, feed: Feed, clock: Clock) -> None:
        """Tell of each check that turns bad or good again. Never returns."""
        if self._store.problem:
            feed.publish("notice", {"level": "warning", "text": f"store: {self._store.problem}"})
        amiss = {check.name: check.text for check in self.checks() if not check.ok}
        while True:
            await clock.sleep(_EVERY)
            await self._store.answers()
            checks = self.checks()
            found = {check.name: check.text for check in checks if not check.ok}
            for name, text in found.items() - amiss.items():
                if name == "plex" and self._listener.notifications.connected:
                    log.warning("plex_lost", why=text)  # otherwise the socket has said it
                feed.publish("notice", {"level": "warning", "text": f"{name}: {text}"})
            for check in checks:
                if check.ok and check.name in amiss:
                    feed.publish("notice", {"level": "info", "text": f"{check.name}: {check.text}"})
            amiss = found

    def _database(self) -> Check:
        trouble = self._store.trouble
        # One that was replaced at the start is worth a word, but it works.
        return Check("store", not trouble, trouble or self._store.problem or "the database answers")

    def _config(self) -> Check:
        if self.config_faults:
            return Check("config", False, "; ".join(self.config_faults))
        if self.stranded:
            return Check("config", False, "; ".join(stranded_text(*one) for one in sorted(self.stranded.items())))
        if self.needs_restart:
            return Check("config", True, f"needs a restart: {', '.join(self.needs_restart)}")
        return Check("config", True, "in force")

    def _why_held(self, kind: type[Exception]) -> dict[str, str]:
        return {mapping: hold.why for mapping, hold in self._holds.problems().items() if hold.kind is kind}

    def _all_well(self, name: str, problems: Mapping[str, str], well: str) -> Check:
        texts = [f"{mapping}: {why}" for mapping, why in problems.items()]
        return Check(name, not texts, "; ".join(texts) or well)

    def _plex(self) -> Check:
        problem = self._listener.plex_problem
        return Check("plex", not problem, problem or "answers")

    def _notifications(self) -> Check:
        state = self._listener.notifications
        return Check("notifications", state.connected, state.problem or "connected")


def stranded_text(mapping: str, count: int) -> str:
    """Return what to do about files whose mapping is no longer in the configuration."""
    files, them = (f"{count} files", "they") if count > 1 else ("1 file", "it")
    return (
        f"{files} of mapping {mapping} {'are' if count > 1 else 'is'} still on the cache; put the mapping back "
        f"(enabled = false is enough) so that {them} can leave"
    )
