"""Whatever arrives, in whatever order: what the tracker says as a whole makes sense."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from daemon.model import PlaybackStarted, PlaybackStopped, PlayState, User
from daemon.plex.frames import Edge, FrameParser
from daemon.plex.plays import SessionInfo
from tests.support.tracker import ALICE, BOB, Watch, broken_rules, frame, hook, listed

KEYS = st.sampled_from(["", "1", "2", "3"])
ITEMS = st.sampled_from(["100", "101", "102"])
CLIENTS = st.sampled_from(["", "tv", "phone"])
STATES = st.sampled_from([state.value for state in PlayState])
OFFSETS = st.none() | st.floats(0, 1100)
USERS = st.sampled_from([ALICE, BOB, User("", "")])
SESSIONS = st.lists(
    st.builds(
        listed,
        OFFSETS,
        STATES,
        key=KEYS.filter(bool),
        item=ITEMS,
        client=CLIENTS,
        user=USERS,
        video=st.sampled_from([True, True, True, False]),
    ),
    max_size=4,
)


class Household(RuleBasedStateMachine):
    """A tracker under frames, webhooks, snapshots, losses and time in any order, lost and repeated."""

    def __init__(self) -> None:
        super().__init__()
        self.watch = Watch()

    @rule(seconds=st.sampled_from([0.0, 0.5, 3.0, 10.0, 40.0, 400.0, 2000.0, 90_000.0, -50.0]))
    def time_passes(self, seconds: float) -> None:
        self.watch.after(seconds).tick()

    @rule(
        state=STATES,
        offset=OFFSETS,
        key=KEYS.filter(bool),
        item=st.one_of(ITEMS, st.just("")),
        client=CLIENTS,
    )
    def frame_arrives(self, state: str, offset: float | None, key: str, item: str, client: str) -> None:
        self.watch.frame(state, offset, key=key, item=item, client=client)

    @rule(edge=st.sampled_from(list(Edge)), offset=OFFSETS, item=ITEMS, client=CLIENTS, user=USERS)
    def webhook_arrives(self, edge: Edge, offset: float | None, item: str, client: str, user: User) -> None:
        self.watch.hook(hook(edge, offset, item=item, client=client, user=user))

    @rule(sessions=SESSIONS, lag=st.sampled_from([0.0, 0.3, 8.0]))
    def plex_answers(self, sessions: list[SessionInfo], lag: float) -> None:
        self.watch.snapshot(*sessions, asked_at=self.watch.now - lag)

    @rule(user=USERS)
    def somebody_says_who_plays(self, user: User) -> None:
        self.watch.identify(user)

    @rule()
    def the_socket_is_lost(self) -> None:
        self.watch.tracker.disconnected()

    @rule()
    def the_socket_is_back(self) -> None:
        self.watch.tracker.connected(self.watch.now)

    @precondition(lambda self: self.watch.tracker.pending())
    @rule()
    def an_item_turns_out_to_be_none_of_ours(self) -> None:
        self.watch.tracker.ignore(self.watch.tracker.pending()[0].id, self.watch.now)

    @precondition(lambda self: self.watch.tracker.pending())
    @rule()
    def an_item_is_not_found(self) -> None:
        self.watch.tracker.drop(self.watch.tracker.pending()[0].id)

    @rule()
    def the_daemon_restarts(self) -> None:
        stored = self.watch.tracker.plays()
        fresh = Watch(connected=False, start=self.watch.now)
        fresh.tracker._open._new_id = self.watch.tracker._open._new_id
        fresh.tracker.load(stored)
        fresh.events = self.watch.events
        self.watch = fresh

    @invariant()
    def every_life_is_in_order(self) -> None:
        assert broken_rules(self.watch.events) == []

    @invariant()
    def no_two_plays_share_a_session(self) -> None:
        plays = [*self.watch.tracker.plays(), *self.watch.tracker.pending()]
        keys = Counter(play.session_key for play in plays if play.session_key)
        assert all(times == 1 for times in keys.values())

    @invariant()
    def what_is_announced_and_not_ended_is_open(self) -> None:
        begun = {event.play.id for event in self.watch.events if isinstance(event, PlaybackStarted)}
        ended = {event.play.id for event in self.watch.events if isinstance(event, PlaybackStopped)}
        assert {play.id for play in self.watch.tracker.plays()} == begun - ended

    @invariant()
    def nothing_that_is_due_lies_in_the_past_for_good(self) -> None:
        self.watch.tick()
        due = self.watch.tracker.next_due()
        assert due is None or due > self.watch.now

    def teardown(self) -> None:
        """End everything: once Plex has said for long enough that nothing plays, every play has its stop."""
        self.watch.after(max(0.0, 1_000_000.0 - self.watch.now) + 100_000.0).snapshot()
        assert self.watch.tracker.plays() == self.watch.tracker.pending() == []
        assert broken_rules(self.watch.events) == []
        begun = [event.play.id for event in self.watch.events if isinstance(event, PlaybackStarted)]
        ended = [event.play.id for event in self.watch.events if isinstance(event, PlaybackStopped)]
        assert sorted(begun) == sorted(ended)


Household.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestHousehold = Household.TestCase


@given(
    st.permutations([("playing", 0.0), ("playing", 10.0), ("paused", 15.0), ("playing", 15.0), ("stopped", 40.0)]),
    st.lists(st.integers(0, 4), max_size=4),
)
@settings(max_examples=150, deadline=None)
def test_one_play_s_frames_in_any_order_make_at_most_one_play_at_a_time(
    frames: list[tuple[str, float]], repeated: list[int]
) -> None:
    watch = Watch()
    for state, offset in [*frames, *(frames[index] for index in repeated)]:
        watch.after(1.0).frame(state, offset)
        watch.identify()
        assert len(watch.tracker.plays()) <= 1
    watch.after(4000.0).snapshot()
    assert broken_rules(watch.events) == []
    assert watch.tracker.plays() == []


@given(st.binary() | st.text() | st.recursive(st.none() | st.text(), st.lists).map(str))
def test_the_parser_never_raises(raw: str | bytes) -> None:
    assert FrameParser().parse(raw) == []


@given(STATES, OFFSETS)
def test_a_single_frame_never_makes_an_event(state: str, offset: float | None) -> None:
    watch = Watch()
    assert watch.tracker.frame(frame(state, offset), watch.now) == []
