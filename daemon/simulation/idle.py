"""The policy that does nothing: every play is read from the array."""

from __future__ import annotations

from typing import ClassVar

from daemon.simulation.engine import Playing, Stage
from daemon.simulation.history import Listing, Title


class Idle:
    """Copies nothing; what other policies do not care about they inherit from it."""

    name: ClassVar[str] = "nothing"

    def __init__(self, stage: Stage) -> None:
        self.stage = stage

    def started(self, play: Playing) -> None:
        """Let it play."""

    def confirmed(self, play: Playing) -> None:
        """Let it play."""

    def watched(self, play: Playing) -> None:
        """Change nothing."""

    def stopped(self, play: Playing) -> None:
        """Change nothing."""

    def listed(self, listing: Listing) -> None:
        """Change nothing."""

    def arrived(self, title: Title) -> None:
        """Change nothing."""

    def tick(self) -> None:
        """Change nothing."""

    def copied(self, title: Title) -> None:
        """Change nothing."""

    def next_copy(self) -> Title | None:
        """Copy nothing."""
        return None
