"""The sources, wired together: who there is, what each of them wants, and what reads it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from daemon.dispatch import Dispatcher
from daemon.feed import Feed
from daemon.given import Given
from daemon.live import Live
from daemon.model import Person
from daemon.plex.library import PlexLibrary
from daemon.refreshing import Refresher
from daemon.sources.base import CommonSource, PersonalSource


class Sourcing:
    """Everything that asks who wants what."""

    def __init__(
        self,
        given: Given,
        live: Live,
        feed: Feed,
        dispatcher: Dispatcher,
        library: PlexLibrary,
        *,
        also: Callable[[], Awaitable[None]],
    ) -> None:
        personal: list[PersonalSource] = []
        common: list[CommonSource] = []
        self.refresher = Refresher(
            given.store,
            live,
            given.clock,
            feed,
            dispatcher,
            people=self._people,
            personal=personal,
            common=common,
            also=also,
            seed=lambda: library.machine_identifier,
            is_current=lambda _connection, _kind: True,
        )

    async def _people(self) -> tuple[Sequence[Person], bool]:
        return (), False
