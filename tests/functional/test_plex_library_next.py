from __future__ import annotations

from dataclasses import replace

from daemon.model import Item, ItemType, MediaFile
from daemon.plex.episodes import following, next_up

SHOW = "10"


def episode(season: int, number: int, *, file: str = "", minutes: float = 40.0) -> Item:
    return Item(
        rating_key=f"{season}x{number}",
        type=ItemType.EPISODE,
        title=f"{number}",
        duration=minutes * 60,
        files=(MediaFile(file or f"/tv/{season}x{number}.mkv", 1),),
        show=SHOW,
        season=season,
        episode=number,
    )


def names(items: list[Item]) -> list[str]:
    return [item.rating_key for item in items]


SEASONS = [episode(season, number) for season in (0, 1, 2) for number in (1, 2, 3)]


def test_the_order_is_that_of_the_numbers_whatever_plex_s_is() -> None:
    assert names(following(SEASONS[3], SEASONS[::-1], (), count=3)) == ["1x2", "1x3", "2x1"]


def test_fewer_are_left_at_the_end_of_a_show() -> None:
    assert names(following(SEASONS[7], SEASONS, (), count=5)) == ["2x3"]
    assert following(SEASONS[8], SEASONS, (), count=5) == []


def test_watched_ones_are_skipped_and_do_not_count() -> None:
    assert names(following(SEASONS[3], SEASONS, {"1x2", "2x1"}, count=2)) == ["1x3", "2x2"]


def test_specials_follow_only_a_special() -> None:
    assert names(following(SEASONS[0], SEASONS, (), count=5)) == ["0x2", "0x3"]
    assert names(following(SEASONS[5], SEASONS, (), count=1)) == ["2x1"]


def test_more_are_added_until_they_last_long_enough() -> None:
    assert len(following(SEASONS[3], SEASONS, (), count=1, min_runtime=100 * 60)) == 3
    assert len(following(SEASONS[3], SEASONS, (), count=4, min_runtime=100 * 60)) == 4
    assert following(SEASONS[3], SEASONS, (), count=0, min_runtime=0) == []
    assert len(following(SEASONS[3], SEASONS, (), count=0, min_runtime=1)) == 1


def test_an_unknown_length_is_taken_for_the_show_s_usual_one() -> None:
    silent = [episode(1, number, minutes=0 if number > 1 else 20) for number in range(1, 9)]
    assert len(following(silent[0], silent, (), count=1, min_runtime=60 * 60)) == 3
    mute = [episode(1, number, minutes=0) for number in range(1, 9)]
    assert len(following(mute[0], mute, (), count=1, min_runtime=90 * 60)) == 2


def test_episodes_in_one_file_count_once() -> None:
    shared = [episode(1, 1), *(episode(1, number, file="/tv/double.mkv") for number in (2, 3)), episode(1, 4)]
    assert names(following(shared[0], shared, (), count=2)) == ["1x2", "1x3", "1x4"]
    assert names(following(shared[1], shared, (), count=1)) == ["1x3", "1x4"]


def test_an_episode_that_plex_no_longer_lists_is_placed_by_its_number() -> None:
    gone = episode(1, 2)
    rest = [one for one in SEASONS if one.rating_key != "1x2"]
    assert names(following(gone, rest, (), count=2)) == ["1x3", "2x1"]


DAY = 86_400.0
BEGUN = 100 * DAY


def after(current: Item, views: dict[str, int], *, count: int = 5) -> list[str]:
    """Return what follows for somebody who watched these on these days and plays `current` on the hundredth."""
    seen = {key for key, at in views.items() if current.rating_key not in views}
    rows = [(key, day * DAY) for key, day in views.items()]
    return names(next_up(current, SEASONS, seen, rows, BEGUN, count=count))


def test_who_has_finished_a_show_and_begun_it_anew_sees_again_what_was_watched_before() -> None:
    finished = {"2x1": 50, "2x2": 51, "2x3": 52}

    assert after(SEASONS[4], finished | {"1x1": 99}) == ["1x3", "2x1", "2x2", "2x3"]
    assert after(SEASONS[4], finished | {"1x1": 40}) == ["1x3"]
    assert after(SEASONS[4], {"2x1": 50, "2x2": 51, "1x1": 99}) == ["1x3", "2x3"]


def test_what_was_watched_since_the_show_was_begun_anew_is_skipped() -> None:
    assert after(SEASONS[4], {"2x1": 50, "2x3": 52, "1x1": 98, "1x3": 99}) == ["2x1", "2x2", "2x3"]


def test_who_sees_a_show_again_in_order_goes_on_at_its_beginning() -> None:
    again = {"1x1": 60, "2x1": 61, "2x3": 62}

    assert after(SEASONS[8], again | {"2x2": 99}) == ["1x1", "1x2", "1x3", "2x1", "2x2"]
    assert after(SEASONS[8], again | {"2x2": 99}, count=2) == ["1x1", "1x2"]
    assert after(SEASONS[7], again | {"2x1": 99, "2x2": 63}, count=2) == ["2x3", "1x1"]


def test_nothing_follows_the_last_episode_where_it_is_new_or_only_picked_again() -> None:
    assert after(SEASONS[8], {"2x2": 99}) == []
    assert after(SEASONS[8], {"2x3": 62}) == []
    assert after(SEASONS[8], {"2x2": 62, "2x3": 63}) == []


def test_of_a_very_long_show_what_follows_is_found_without_walking_every_view_for_every_episode() -> None:
    class Counted(str):
        """A rating key that counts how often it is compared."""

        __slots__ = ()
        compared = 0
        __hash__ = str.__hash__

        def __eq__(self, other: object) -> bool:
            Counted.compared += 1
            return str.__eq__(self, other)

    keys = [Counted(number) for number in range(300)]
    show = [replace(episode(1, number), rating_key=key) for number, key in enumerate(keys)]
    views = [(Counted(key), at * DAY) for at in (1, 2, 3) for key in keys]
    assert names(next_up(show[10], show, set(keys), views, BEGUN, count=2)) == []
    assert Counted.compared < 30 * len(keys)
