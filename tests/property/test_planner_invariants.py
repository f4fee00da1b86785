"""The planner under any situation: what must hold always."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from daemon.config import build
from daemon.model import Demand, DemandKind, Entry, Holding, Room, Want
from daemon.planning.planner import Situation, plan
from tests.support.values import GB, NOW, file

sizes = st.integers(0, 60).map(lambda n: n * GB)
demands = st.builds(
    Demand,
    rating_key=st.just("1"),
    kind=st.sampled_from(DemandKind),
    user=st.sampled_from(["1", "2", "3"]),
    since=st.floats(NOW - 1e6, NOW),
    position=st.integers(0, 9),
)
some_demands = st.lists(demands, min_size=1, max_size=3).map(tuple)


@st.composite
def situations(draw: st.DrawFn) -> Situation:
    mapping = st.sampled_from(["TV", "Films"])
    wants = [
        Want(file(f"w{n}", draw(sizes), draw(mapping)), draw(some_demands)) for n in range(draw(st.integers(0, 6)))
    ]
    holdings = [
        Holding(
            Entry(file(f"h{n}", draw(sizes), draw(mapping)), 1, draw(st.floats(NOW - 1e6, NOW))),
            draw(some_demands | st.just(())),
            draw(st.none() | st.floats(NOW - 1e5, NOW + 1e6)),
        )
        for n in range(draw(st.integers(0, 6)))
    ]
    total = 200 * GB
    own = sum(holding.bytes for holding in holdings)
    room = Room("fast", total, draw(st.integers(0, 200)) * GB, own)
    other = Room("other", total, draw(st.integers(0, 200)) * GB, own)
    paths = [holding.entry.file.array_path for holding in holdings]
    return Situation(
        wants,
        holdings,
        {"TV": room, "Films": draw(st.sampled_from([room, other]))},
        playing=frozenset(draw(st.sets(st.sampled_from(paths)))) if paths else frozenset(),
        sessions_known=draw(st.booleans()),
    )


settings = st.builds(
    lambda limit, low, free, quota: build(
        {"space": {"limit": f"{limit}%", "evict_to": f"{min(low, limit)}%", "min_free": free, "quota": quota}}
    ),
    st.integers(10, 100),
    st.integers(10, 100),
    st.sampled_from(["0", "10GB", "100GB", "20%"]),
    st.sampled_from(["0", "30GB", "50%"]),
)


@given(situations(), settings)
def test_the_plan_keeps_its_promises(situation: Situation, rules: object) -> None:
    made = plan(situation, rules, NOW)  # type: ignore[arg-type]  # built by the strategy above
    evicted = [one.entry.file.array_path for one in made.evictions]
    cached = [one.file.array_path for one in made.cache_ins]
    held = {holding.entry.file.array_path: holding for holding in situation.holdings}

    assert len(set(evicted)) == len(evicted)
    assert len(set(cached)) == len(cached)
    assert not set(evicted) & situation.playing
    if not situation.sessions_known:
        assert not evicted
    for path in evicted:
        kinds = {demand.kind for demand in held[path].demands}
        assert not kinds & {DemandKind.PINNED, DemandKind.PLAYING}
    assert set(cached) | {one.file.array_path for one in made.refused} == {
        want.file.array_path for want in situation.wants
    }
    _room_is_kept(situation, made, evicted)


def _room_is_kept(situation: Situation, made: object, evicted: list[str]) -> None:
    for room in {room.id: room for room in situation.rooms.values()}.values():
        here = {name for name, one in situation.rooms.items() if one.id == room.id}
        goes_in = sum(one.file.size for one in made.cache_ins if one.file.mapping in here)  # type: ignore[attr-defined]  # a Plan
        goes_out = sum(
            holding.bytes
            for holding in situation.holdings
            if holding.entry.file.array_path in evicted and holding.entry.file.mapping in here
        )
        assert goes_in == 0 or room.free - goes_in + goes_out >= 0


@given(situations(), settings)
def test_a_plan_carried_out_asks_for_nothing_more(situation: Situation, rules: object) -> None:
    first = plan(situation, rules, NOW)  # type: ignore[arg-type]  # built by the strategy above
    evicted = {one.entry.file.array_path for one in first.evictions}
    arrived = [Holding(Entry(one.file, 1, NOW), one.demands) for one in first.cache_ins]
    kept = [holding for holding in situation.holdings if holding.entry.file.array_path not in evicted]
    rooms = {}
    for name, room in situation.rooms.items():
        here = {other for other, one in situation.rooms.items() if one.id == room.id}
        more = sum(one.bytes for one in arrived if one.entry.file.mapping in here)
        less = sum(
            one.bytes
            for one in situation.holdings
            if one.entry.file.array_path in evicted and one.entry.file.mapping in here
        )
        rooms[name] = Room(room.id, room.total, room.free - more + less, room.own + more - less)
    after = Situation(
        [want for want in situation.wants if want.file.array_path in {one.file.array_path for one in first.refused}],
        [*kept, *arrived],
        rooms,
        situation.playing,
        sessions_known=situation.sessions_known,
    )

    second = plan(after, rules, NOW)  # type: ignore[arg-type]  # built by the strategy above

    assert not {one.entry.file.array_path for one in second.evictions} & {one.entry.file.array_path for one in arrived}
