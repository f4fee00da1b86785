"""Reads the sources: on schedule, and at once when something happened that changes what they say."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial

import structlog

from daemon.census import Census, Counting
from daemon.clock import Clock
from daemon.config import Settings
from daemon.dispatch import Dispatcher
from daemon.doubts import Doubts
from daemon.errors import PlexUnauthorized, RemoteRefused
from daemon.feed import Feed
from daemon.live import Live
from daemon.model import DemandKind, Fetched, Person, User
from daemon.readers import EVERYBODY, Key, Outcome, asked_for, enabled, read, reads
from daemon.retries import Retries
from daemon.schedule import next_refresh
from daemon.situation import counting
from daemon.sources.base import CommonSource, PersonalSource
from daemon.state import demands, sources
from daemon.state.store import Connection, Store

log = structlog.get_logger()

USERS = "the list of users"
"""In place of a source's name: what plex.tv says of who there is."""
_USERS: Key = (USERS, "")

_SETTLE = 2.0
"""Seconds for which what has happened may go on happening, and Plex may lag, before it is asked."""
_AT_ONCE = 4
_PATIENCE = 5.0
"""Seconds after which what has been read is recorded, and what has not come yet by itself."""


class Refresher:
    """Keeps the demands of all sources current. One refresh at a time; what is asked for meanwhile comes next.

    `people` says who there is; `refused` is told whose token did not do. A source that fails changes no demand; it is
    tried again sooner than the schedule says. `also` is what else belongs to a scheduled refresh; `seed` sets this
    installation's jitter apart from others'. What is not `is_current` any more when it has been read is left out.
    Whatever takes longer than `patience` seconds holds up nothing else.
    """

    _group: asyncio.TaskGroup

    def __init__(
        self,
        store: Store,
        live: Live,
        clock: Clock,
        feed: Feed,
        dispatcher: Dispatcher,
        *,
        people: Callable[[], Coroutine[None, None, Census]],
        refused: Callable[[Person], None],
        personal: Sequence[PersonalSource],
        common: Sequence[CommonSource],
        also: Callable[[], Awaitable[None]],
        seed: Callable[[], str],
        is_current: Callable[[Connection, DemandKind], bool],
        patience: float = _PATIENCE,
    ) -> None:
        self._store = store
        self._live = live
        self._clock = clock
        self._feed = feed
        self._dispatcher = dispatcher
        self._patience = patience
        self._refused = refused
        self._personal = personal
        self._common = common
        self._also = also
        self._seed = seed
        self._is_current = is_current
        self._wanted: set[Key] = set()
        self._whole, self._wake = asyncio.Event(), asyncio.Event()
        self._whole.set()
        self._counting = Counting(people, patience, heard=self._wake.set)
        self._retries: Retries[Key] = Retries()
        self._met: set[str] = set()
        self._last: float | None = None
        self._followed: set[str] = set()
        self._doubts = Doubts()
        self._sure = False
        self._late: set[Key] = set()

    def everything_soon(self, *, sure: bool = False) -> None:
        """Have every source read now. `sure`: other settings are in force, so whatever they leave out is meant."""
        self._sure |= sure
        self._whole.set()
        self._wake.set()

    def soon(self, kinds: Collection[DemandKind], user: str = EVERYBODY) -> None:
        """Have these sources read in a moment, because something happened: those of one user, or of everybody."""
        self._wanted.update((kind, user) for kind in kinds)
        self._wake.set()

    async def run(self) -> None:
        """Refresh at the start, then whenever it is due or asked for. Never returns."""
        async with asyncio.TaskGroup() as group:
            self._group = self._counting.group = group
            await self._refresh()
            while True:
                await self._until_due()
                await self._refresh()

    async def _until_due(self) -> None:
        scheduled, again = self._scheduled(), self._retries.next
        due = min((one for one in (scheduled, again, self._doubts.next) if one is not None), default=None)
        # Asked for while the last refresh ran, or by an event: what happens at once is read at once, and what a
        # person asks for without waiting for more.
        asked = await self._clock.wait(self._wake, None if due is None else max(0.0, due - self._clock.now()))
        if asked:
            await self._clock.wait(self._whole, _SETTLE)
        now = self._clock.now() if asked or due is None else max(due, self._clock.now())
        if scheduled is not None and scheduled <= now:
            self._whole.set()
        self._wanted |= self._retries.take(now) | self._doubts.take(now)

    def _scheduled(self) -> float | None:
        return next_refresh(self._live.settings.schedule, self._last, self._clock.now(), self._seed())

    async def _refresh(self) -> None:
        whole, wanted, self._wanted = self._whole.is_set(), self._wanted, set()
        self._whole.clear()
        self._wake.clear()
        if whole:
            await self._also()
        settings = self._live.settings
        census = await self._count(settings)
        people = census.people if census else ()
        ids = {person.user.id for person in people}
        # Whoever is new has not been read at all.
        wanted |= {(source.kind, user) for source in self._personal for user in ids - self._met}
        self._met = ids
        # Who is not known to be here may only not have been asked for.
        here = ids | {""} if census and not census.problem else None
        sure = whole and self._sure
        self._sure = self._sure and not whole
        jobs = self._jobs(settings, people, wanted, whole=whole)
        asked = await self._read_all(jobs, lambda some: self._record(some, people, here, sure=sure))
        if whole:
            self._last = self._clock.now()
            self._retries.forget_all_but(asked | {_USERS})

    async def _read_all(
        self,
        jobs: Iterable[tuple[Key, Coroutine[None, None, Outcome]]],
        record: Callable[[Sequence[Outcome]], Awaitable[None]],
    ) -> set[Key]:
        """Read all and record it; what takes long is recorded by itself when it comes, and read again only then.

        Return what was asked for and has been, or is still to be, recorded.
        """
        tasks = {key: self._group.create_task(job) for key, job in jobs}
        if tasks:
            await asyncio.wait(tasks.values(), timeout=self._patience)
        late = {key: task for key, task in tasks.items() if not task.done()}
        self._late |= late.keys()
        await record([task.result() for key, task in tasks.items() if key not in late])
        for key, task in late.items():
            self._group.create_task(self._record_late(key, task, record))
        return self._late | tasks.keys()

    async def _record_late(
        self, key: Key, task: asyncio.Task[Outcome], record: Callable[[Sequence[Outcome]], Awaitable[None]]
    ) -> None:
        outcome = await task
        self._late.discard(key)
        await record([outcome])

    def _follow(self, outcomes: Sequence[Outcome]) -> None:
        """Have what is new read again where somebody has begun another show: that may decide what of it counts."""
        decks = [one.fetched.demands for one in outcomes if one.kind is DemandKind.ON_DECK and one.fetched]
        shows = {demand.show for deck in decks for demand in deck if demand.show}
        if not shows <= self._followed:
            self._followed |= shows
            self.soon({DemandKind.RECENT}, "")

    async def _count(self, settings: Settings) -> Census | None:
        """Return whom to read; None: nobody's own wishes are read."""
        if not any(enabled(settings, source.kind) for source in self._personal):
            return None
        census = await self._counting.count()
        if not census.new:
            return census
        if not census.problem:
            if self._retries.worked(_USERS):
                self._say([USERS], "")
        elif self._retries.failed(_USERS, census.problem, self._clock.now(), again=census.again):
            self._say([USERS], census.problem)
        return census

    def _jobs(
        self, settings: Settings, people: Sequence[Person], wanted: Collection[Key], *, whole: bool
    ) -> Iterator[tuple[Key, Coroutine[None, None, Outcome]]]:
        wishes: list[tuple[DemandKind, User, Callable[[], Awaitable[Fetched]]]] = []
        for source in self._personal:
            users = (person for person in people if reads(settings, source.kind, person.user))
            wishes += ((source.kind, person.user, partial(self._fetch, source, person)) for person in users)
        nobody = User("", "")
        wishes += ((one.kind, nobody, one.fetch) for one in self._common if enabled(settings, one.kind))
        # What the server itself is asked for goes first: one service of the many others is the likeliest to be slow.
        wishes.sort(key=lambda wish: (wish[0] is not DemandKind.ON_DECK, wish[1].id != ""))
        limit = asyncio.Semaphore(_AT_ONCE)
        for kind, user, fetch in wishes:
            key = kind, user.id
            if key not in self._late and (whole or asked_for(wanted, *key)):
                yield key, read(limit, kind, user, fetch)

    async def _fetch(self, source: PersonalSource, person: Person) -> Fetched:
        try:
            return await source.fetch(person)
        except PlexUnauthorized:
            self._refused(person)
            raise
        except RemoteRefused:
            if person.account_token:  # without one it is a friend's list that is private
                self._refused(person)
            raise

    async def _record(
        self, outcomes: Sequence[Outcome], people: Sequence[Person], here: Collection[str] | None, *, sure: bool
    ) -> None:
        now = self._clock.now()

        def work(connection: Connection) -> None:
            sources.put_people(connection, [(person.user, person.role) for person in people])
            for one in outcomes:
                if one.fetched is None:
                    sources.put_failure(connection, one.kind, one.user.id, one.problem, now)
                elif self._is_current(connection, one.kind):
                    believed = self._believed(connection, one, now, sure=sure)
                    sources.put_fetched(connection, one.kind, one.user.id, believed, now)
            states = sources.states(connection)
            gone = self._doubts.gone({state.user for state in states}, here, now) if here is not None else set()
            for state in states:
                if state.user in gone:
                    sources.forget(connection, state.kind, state.user)
            demands.recount(connection, counting(connection, self._live.settings).until)

        await self._dispatcher.change(work)
        self._tell(outcomes)
        self._follow(outcomes)

    def _believed(self, connection: Connection, one: Outcome, now: float, *, sure: bool) -> Fetched:
        """Return what is taken for what a source says: what it leaves out all of a sudden stands for a while."""
        assert one.fetched is not None, "a failure says nothing"
        if one.fetched.unchanged:
            return one.fetched
        known = sources.said(connection, one.kind, one.user.id)
        finished = partial(sources.finished, connection, one.user.id)
        standing = self._doubts.standing(one.key, known, one.fetched.demands, now, finished, sure=sure)
        if standing:
            log.info("source_doubted", source=one.name, missing=len(standing))
        return replace(one.fetched, demands=(*one.fetched.demands, *standing))

    def _tell(self, outcomes: Sequence[Outcome]) -> None:
        """Say what fails from now on and what works again, once each."""
        now = self._clock.now()
        news: dict[str, list[str]] = defaultdict(list)
        for one in outcomes:
            if one.fetched is None:
                if self._retries.failed(one.key, one.problem, now, again=one.again, after=one.after):
                    news[one.problem].append(one.name)
                continue
            if self._retries.worked(one.key):
                news[""].append(one.name)
            if one.fetched.unmatched:
                log.debug("source_unmatched", source=one.name, items=list(one.fetched.unmatched))
        for problem, names in news.items():
            self._say(names, problem)

    def _say(self, names: Sequence[str], problem: str) -> None:
        who = ", ".join(names)
        if problem:
            log.warning("source_failed", sources=names, why=problem)
            self._feed.publish("notice", {"level": "warning", "text": f"{who}: {problem}; what was known stands"})
        else:
            log.info("source_recovered", sources=names)
            self._feed.publish("notice", {"level": "info", "text": f"{who}: can be read again"})
