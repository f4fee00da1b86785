"""The handlers: what plays, stops and scrobbles change."""

from __future__ import annotations

from dataclasses import replace

import pytest

from daemon.config import build
from daemon.model import (
    Changes,
    DemandKind,
    PlaybackChanged,
    PlaybackConfirmed,
    PlaybackStarted,
    PlaybackStopped,
    Watched,
)
from handlers import playback, retention, scrobble
from tests.support.values import ALICE, BOB, NOW, demand, episode, play

SETTINGS = build({"users": {"exclude": ["Bob"]}})
ITEM = episode(1)
FOLLOWING = [episode(2), episode(3)]
HOUR = 3600.0


def test_a_play_demands_the_item_and_what_follows_in_order() -> None:
    changes = playback.started(PlaybackStarted(play(ITEM), NOW), ITEM, FOLLOWING, SETTINGS)

    assert [(one.rating_key, one.kind, one.position) for one in changes.put_demands] == [
        (ITEM.rating_key, DemandKind.PLAYING, 0),
        (FOLLOWING[0].rating_key, DemandKind.NEXT_UP, 1),
        (FOLLOWING[1].rating_key, DemandKind.NEXT_UP, 2),
    ]
    assert {(one.play, one.show, one.user, one.until) for one in changes.put_demands} == {("p1", "100", "1", None)}


def test_cache_current_off_demands_only_what_follows() -> None:
    settings = build({"playback": {"cache_current": False}})
    changes = playback.started(PlaybackStarted(play(ITEM), NOW), ITEM, FOLLOWING, settings)

    assert [one.position for one in changes.put_demands] == [1, 2]


def test_an_excluded_user_demands_nothing_by_title_or_id() -> None:
    event = PlaybackStarted(play(ITEM, BOB), NOW)

    assert playback.started(event, ITEM, FOLLOWING, SETTINGS) == Changes()
    assert playback.started(event, ITEM, FOLLOWING, build({"users": {"exclude": ["22"]}})) == Changes()
    assert playback.started(event, ITEM, FOLLOWING, build({})) != Changes()


def test_a_library_that_is_not_selected_demands_nothing() -> None:
    item = replace(ITEM, selected=False)
    made = [demand(DemandKind.PLAYING, play="p1")]

    assert playback.started(PlaybackStarted(play(item), NOW), item, FOLLOWING, SETTINGS) == Changes()
    changes = playback.identified(PlaybackChanged(play(item), NOW, "identified"), item, [], made, SETTINGS)
    assert changes == Changes(drop_demands=tuple(made))


def test_a_confirmed_play_replaces_earlier_plays_but_not_those_on_other_screens() -> None:
    mine = demand(DemandKind.NEXT_UP, "5", play="p1")
    earlier = demand(DemandKind.NEXT_UP, "6", play="p0")
    elsewhere = demand(DemandKind.NEXT_UP, "7", play="p9")
    other_kind = demand(DemandKind.ON_DECK, "8")
    changes = playback.confirmed(PlaybackConfirmed(play(ITEM), NOW), [mine, earlier, elsewhere, other_kind], ["p9"])

    assert changes.drop_demands == (earlier,)
    assert changes.drop_retentions == ((ITEM.rating_key, ALICE.id),)


def test_a_play_shorter_than_min_play_is_taken_back_whole() -> None:
    made = [demand(DemandKind.PLAYING, play="p1"), demand(DemandKind.NEXT_UP, "2", play="p1")]
    changes = playback.stopped(PlaybackStopped(play(ITEM), NOW + 29), made, SETTINGS)

    assert changes == Changes(drop_demands=tuple(made), waived=(("1", NOW), ("2", NOW)))


def test_a_stop_half_way_keeps_the_item_and_what_follows_for_after_stopped() -> None:
    current, following = demand(DemandKind.PLAYING, play="p1"), demand(DemandKind.NEXT_UP, "2", play="p1")
    changes = playback.stopped(PlaybackStopped(play(ITEM), NOW + 600), [current, following], SETTINGS)

    week = NOW + 600 + 7 * 24 * HOUR
    assert changes.drop_demands == (current,)
    assert changes.put_demands == (replace(following, until=week),)
    assert [(one.user, one.until, one.why) for one in changes.put_retentions] == [("1", week, "stopped half-way")]


def test_a_watched_item_stays_only_for_after_watched() -> None:
    changes = playback.stopped(PlaybackStopped(play(ITEM, watched=True), NOW + 5), [], SETTINGS)

    assert [(one.until, one.why) for one in changes.put_retentions] == [(NOW + 5 + 12 * HOUR, "watched")]


@pytest.mark.parametrize(("days", "kept"), [(0.1, 0.5), (3, 6), (30, 60), (31, 0.5)])
def test_what_is_watched_again_before_long_stays_for_twice_the_time_in_between(days: float, kept: float) -> None:
    stop = PlaybackStopped(play(ITEM, watched=True), NOW + 5)
    made = [demand(DemandKind.NEXT_UP, "2", play="p1")]
    changes = playback.stopped(stop, made, SETTINGS, watched_before=NOW + 5 - days * 24 * HOUR)

    assert [one.until for one in changes.put_retentions] == [pytest.approx(NOW + 5 + kept * 24 * HOUR)]
    assert changes.put_demands[0].until == NOW + 5 + 7 * 24 * HOUR


def _kept(lately: list[str], *, watched: bool = True) -> float:
    """Return for how many days the item stays for a user who watched these lately."""
    stop = PlaybackStopped(play(ITEM, watched=watched), NOW + 600)
    (retention,) = playback.stopped(stop, [], SETTINGS, lately=lately).put_retentions
    return (retention.until - NOW - 600) / (24 * HOUR)


def test_what_the_same_user_has_seen_again_stays_for_a_month() -> None:
    assert _kept([ITEM.rating_key]) == pytest.approx(30)
    assert _kept(["5", "6"]) == pytest.approx(0.5)
    assert _kept([ITEM.rating_key], watched=False) == pytest.approx(7)


def test_all_that_is_watched_by_who_sees_much_again_stays_for_a_month() -> None:
    assert _kept(["5", "5", "6", "7"]) == pytest.approx(30)
    assert _kept(["5", "5", "6", "7", "8"]) == pytest.approx(0.5)
    assert _kept(["5", "5", "6"]) == pytest.approx(0.5)


def test_no_favourite_stays_where_nothing_watched_does() -> None:
    stop = PlaybackStopped(play(ITEM, watched=True), NOW + 600)
    none = build({"retention": {"after_watched": "0"}})

    assert playback.stopped(stop, [], none, lately=[ITEM.rating_key]).put_retentions == ()


def test_a_favourite_that_was_not_watched_to_its_end_stays_as_anything_else() -> None:
    changes = playback.stopped(
        PlaybackStopped(play(ITEM), NOW + 600), [], SETTINGS, watched_before=NOW - 30 * 24 * HOUR
    )

    assert [one.until for one in changes.put_retentions] == [NOW + 600 + 7 * 24 * HOUR]


def test_a_retention_of_0_retains_nothing() -> None:
    settings = build({"retention": {"after_stopped": "0", "after_watched": "0"}})

    assert playback.stopped(PlaybackStopped(play(ITEM), NOW + 600), [], settings).put_retentions == ()


def test_a_scrobble_ends_only_this_users_wishes() -> None:
    mine, theirs = demand(DemandKind.NEXT_UP, "5"), demand(DemandKind.NEXT_UP, "5", user=BOB.id)
    pinned = demand(DemandKind.PINNED, "5")
    changes = scrobble.watched(Watched("5", ALICE, NOW, "webhook"), [mine, theirs, pinned], SETTINGS, playing=False)

    assert changes.drop_demands == (mine,)
    assert [one.until for one in changes.put_retentions] == [NOW + 12 * HOUR]


def test_a_scrobble_while_it_still_plays_leaves_the_retention_to_the_stop() -> None:
    changes = scrobble.watched(Watched("5", ALICE, NOW, "playback"), [], SETTINGS, playing=True)

    assert changes.put_retentions == ()


def test_an_eviction_by_hand_drops_every_wish_but_a_play() -> None:
    playing, listed = demand(DemandKind.PLAYING), demand(DemandKind.WATCHLIST)

    assert retention.released([playing, listed], []).drop_demands == (listed,)
    assert retention.expired([playing, listed], []).drop_demands == (playing, listed)
