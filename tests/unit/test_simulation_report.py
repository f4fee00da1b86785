from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest

from daemon.config import Settings
from daemon.simulation.advice import Variation, variations, winners
from daemon.simulation.disks import COPY_SPEED
from daemon.simulation.engine import Result
from daemon.simulation.history import Household, Listing, Title, Viewing
from daemon.simulation.plot import Line, chart
from daemon.simulation.plot_sizes import plot, short
from daemon.simulation.report import EXPLAINED, HEADS, Case, average, document, failures, played_bytes, row
from daemon.simulation.report_floor import Floor, floor
from daemon.simulation.report_runs import Job, Recipe, run
from daemon.simulation.report_table import cases_document, page
from daemon.units import Size

GB = 1_000_000_000
BASE = Result(
    kind="binge",
    policy="ondeckd",
    capacity=100 * GB,
    days=10.0,
    plays=200,
    plays_cached=150,
    hours=100.0,
    hours_cached=60.0,
    followed=80,
    followed_missed=4,
    wakeups=12,
    hours_awake=15.0,
    bytes_written=40 * GB,
    bytes_missed=30 * GB,
    evictions=9,
)
BATCH = replace(BASE, policy="batch", followed_missed=16, wakeups=30, hours_awake=30.0, bytes_written=40 * GB)
FLOOR = Floor(wakeups=9, hours_awake=12.0, followed_bytes=20 * GB)
OTHERS = {policy: replace(BASE, policy=policy) for policy in EXPLAINED}


def case(*, ours: Result = BASE, bare: Result = BASE, batch: Result = BATCH, played: int = 20 * GB) -> Case:
    return Case("binge", "2%", played, {**OTHERS, "ondeckd": ours, "batch": batch}, bare, FLOOR)


def household() -> Household:
    titles = {str(n): Title(str(n), 2 * GB, 2700.0, "s", 1, n) for n in range(1, 9)}
    return Household("few", titles, tuple(Viewing(3600.0 * n, "Ann", str(n)) for n in range(1, 7)))


def nothing(done: int, total: int) -> None:
    del done, total


def test_a_row_has_the_figures_of_a_result() -> None:
    assert row(BASE) == ("ondeckd", "75.0 %", "60.0 %", "95.0 %", "4 of 80", "1.20", "1.50", "4.0")
    assert len(row(BASE)) == len(HEADS)


def test_nothing_of_nothing_is_a_dash_and_for_a_program_null() -> None:
    empty = replace(BASE, plays=0, plays_cached=0, hours=0.0, hours_cached=0.0, followed=0, followed_missed=0)
    assert row(empty)[1:5] == ("-", "-", "-", "0 of 0")
    assert document(empty)["plays_cached_share"] is None


def test_a_program_gets_the_shares_and_the_figures_of_a_day() -> None:
    said = document(BASE)
    assert said["followed_missed_share"] == 0.05
    assert said["wakeups_a_day"] == 1.2
    assert said["bytes_written_a_day"] == 4 * GB
    assert said["evictions"] == 9


def test_bounds_compare_with_the_batch() -> None:
    more = replace(BASE, bytes_written=50 * GB)
    assert [bound.ratio for bound in case(ours=more).bounds()] == [0.25, 0.4, 0.5, 1.0, 0.5]
    assert all(bound.holds for bound in case(ours=more).bounds())


@pytest.mark.parametrize(
    ("place", "wrong"),
    [
        (0, case(ours=replace(BASE, followed_missed=9))),
        (1, case(ours=replace(BASE, wakeups=19))),
        (2, case(ours=replace(BASE, hours_awake=18.1))),
        (3, case(bare=replace(BASE, bytes_written=49 * GB))),
        (4, case(ours=replace(BASE, bytes_written=61 * GB))),
    ],
)
def test_each_bound_can_fail_alone(place: int, wrong: Case) -> None:
    bounds = wrong.bounds()
    assert [number for number, bound in enumerate(bounds) if not bound.holds] == [place]
    assert str(bounds[place]).endswith("✗")
    (said,) = failures([wrong])
    assert said.startswith(f"binge at 2%: {bounds[place].name} {bounds[place].ratio:.2f}, at most")


def test_where_the_batch_misses_nothing_only_nothing_holds() -> None:
    perfect = replace(BATCH, followed_missed=0)
    assert not case(batch=perfect).bounds()[0].holds
    both = case(ours=replace(BASE, followed_missed=0), batch=perfect)
    assert both.bounds()[0].holds
    assert average([both]).ratio is None


def test_the_average_is_that_of_the_kinds_whatever_their_sizes() -> None:
    other = case(ours=replace(BASE, followed_missed=160), batch=replace(BATCH, followed_missed=320))
    assert average([case(), other]).ratio == 0.375
    assert not average([case(), other]).holds


def test_played_bytes_count_each_title_once() -> None:
    home = household()
    assert played_bytes(replace(home, viewings=home.viewings * 2)) == 12 * GB


def test_what_could_be_foreseen_needs_no_access_and_the_rest_does() -> None:
    hour = 3600.0
    titles = {
        "new film": Title("new film", GB, hour),
        "listed film": Title("listed film", GB, hour),
        **{f"s{n}": Title(f"s{n}", 2 * GB, hour, "s", 1, n) for n in (1, 2)},
        "t1": Title("t1", GB, hour, "t", 1, 1),
    }
    plays = ["new film", "listed film", "s1", "s2", "t1", "new film", "s2"]
    viewings = tuple(Viewing(86_400.0 * n, "Ann", key, 0.0, 0.5) for n, key in enumerate(plays, 1))
    listings = (Listing(1.0, "Ben", "listed film"), Listing(2.0, "Ben", "t"), Listing(9e9, "Ben", "s"))
    found = floor(Household("x", titles, viewings, listings))
    # What was listed goes along with the new film.
    assert found == Floor(wakeups=2, hours_awake=2.0, followed_bytes=2 * GB)


def test_what_somebody_brings_wakes_the_array_and_what_was_listed_before_goes_along() -> None:
    hour = 3600.0
    titles = {
        "old": Title("old", GB, hour),
        "new": Title("new", GB, hour, added_at=10 * hour),
        "listed film": Title("listed film", GB, hour),
    }
    viewings = tuple(Viewing(at * hour, "Ann", key) for at, key in ((1, "old"), (20, "listed film"), (30, "new")))
    before, after = (Listing(at * hour, "Ann", "listed film") for at in (2, 19))
    written = hour * 0.5 + GB / COPY_SPEED

    # A play of what nobody knew, then the writer; the last play is of something else that nobody listed.
    along = floor(Household("x", titles, viewings, (before,)))
    assert along.wakeups == 3
    assert along.hours_awake * hour == pytest.approx(2 * 1.5 * hour + written)
    assert floor(Household("x", titles, viewings, (after,))).wakeups == 4


def test_the_page_has_every_kind_at_every_capacity_with_marks() -> None:
    bad = replace(case(ours=replace(BASE, wakeups=29)), kind="serial")
    text = page([case(), replace(bad, capacity="5%")], command="ondeckd simulate --generated", about="3 days.")
    assert "`ondeckd simulate --generated`" in text
    assert "Of 10 bounds 9 hold." in text
    assert "- serial at 5%: wake-ups 0.97, at most 0.6 wanted, 0.30 can be reached at best" in text
    assert "## A cache of 2% of the library" in text
    assert "| binge | 80 | 4 | 16 | 4 | 4 | 4 | 0.25 ✓ |" in text
    assert "0.97 ✗" in text
    assert "Two people watch one series at a time" in text


def test_every_line_of_a_table_has_as_many_cells_as_its_head() -> None:
    lines = page([case()], command="c", about="a.").splitlines()
    for one, after in pairwise(lines):
        if one.startswith("|") and after.startswith("|"):
            assert one.count("|") == after.count("|"), after


def test_a_program_gets_the_bounds_and_no_infinity() -> None:
    said = cases_document([case(batch=replace(BATCH, followed_missed=0))])
    assert said["cases"][0]["bounds"][0] == {
        "name": "followed plays missed",
        "ratio": None,
        "floor": None,
        "most": 0.5,
        "holds": False,
    }
    assert [one["policy"] for one in said["cases"][0]["policies"]] == list(EXPLAINED)


def test_a_chart_is_well_formed_and_refers_to_nothing_outside() -> None:
    text = chart("A < B", "c & d", points=["1", "2"], along="x > y", lines=[Line("<script>", [0.0, 100.0])])
    root = ET.fromstring(text)
    for element in root.iter():
        assert element.tag.rpartition("}")[2] not in {"script", "image", "use", "foreignObject", "a"}
        assert not any("href" in name or name.startswith("on") for name in element.attrib)
    assert text.count("http") == text.count('xmlns="http://www.w3.org/2000/svg"') == 1
    assert "url(" not in text
    assert "@import" not in text
    assert root.get("viewBox")


def test_a_chart_draws_every_point_inside_its_frame() -> None:
    lines = [Line(str(number), [-5.0, 50.0, 130.0]) for number in range(5)]
    root = ET.fromstring(chart("t", "s", points=["a", "b", "c"], along="x", lines=lines))
    marks = [element for element in root.iter("{http://www.w3.org/2000/svg}circle") if element.find("*") is not None]
    assert len([mark for mark in marks if mark[0].text]) == 6
    assert all(150 <= float(mark.get("cy", 0)) <= 404 for mark in marks if mark[0].text)


def test_the_plot_shows_every_policy_and_five_sizes() -> None:
    text = plot(household(), Settings(), 6 * GB, nothing)
    root = ET.fromstring(text)
    texts = {element.text for element in root.iter("{http://www.w3.org/2000/svg}text")}
    assert set(EXPLAINED) <= texts
    assert {"1.5 GB", "3.0 GB", "6.0 GB", "12 GB", "24 GB"} <= texts
    assert [short(size) for size in (200_000, 5 * 10**6, 1_300 * GB)] == ["0.2 MB", "5.0 MB", "1.3 TB"]


def test_variations_differ_from_the_settings_and_from_each_other() -> None:
    settings = Settings()
    found = list(variations(settings))
    assert len({one.text for one in found}) == len(found) > 12
    assert all(one.settings != settings or one.factor != 1.0 for one in found)
    changed = next(one for one in found if one.text == "playback.cache_current = false").settings
    assert not changed.playback.cache_current
    assert {one.factor for one in found} == {0.5, 1.0, 2.0}


def test_advice_is_what_does_better_in_one_thing_and_worse_in_none() -> None:
    settings = Settings()
    tried = {
        "fewer misses, more bytes": replace(BASE, plays_cached=170, bytes_written=60 * GB),
        "less awake": replace(BASE, hours_awake=12.0),
        "fewer misses, more wake-ups": replace(BASE, plays_cached=190, wakeups=20),
        "the same": BASE,
        "more bytes": replace(BASE, bytes_written=60 * GB),
        "hardly better": replace(BASE, plays_cached=151),
    }
    found = winners(BASE, [(Variation(text, settings), result) for text, result in tried.items()])
    assert [(one.text, one.gains, one.costs) for one in found] == [
        ("fewer misses, more bytes", ("plays missed 50 → 30",), ("GB written 40 → 60",)),
        ("less awake", ("hours awake 15 → 12",), ()),
    ]


def test_half_the_cache_wins_where_it_does_as_well() -> None:
    half = Variation("half", Settings(), 0.5)
    assert [one.gains for one in winners(BASE, [(half, BASE)])] == [("half the space",)]
    assert winners(BASE, [(half, replace(BASE, plays_cached=140))]) == []


def test_replays_in_other_processes_come_in_the_order_of_the_jobs() -> None:
    told: list[tuple[int, int]] = []
    recipes = [Recipe("starters", days=5), Recipe("couple", days=5)]
    jobs = [Job(recipe, "lru", Settings(), Size(bytes=50 * GB)) for recipe in recipes]
    assert [result.kind for result in run(jobs, lambda *how_far: told.append(how_far))] == ["starters", "couple"]
    assert told == [(1, 2), (2, 2)]


def test_the_whole_capacity_may_be_used_whatever_the_limits_of_a_real_cache() -> None:
    settings = Settings()
    result = Job(household(), "ondeckd", settings, Size(bytes=19 * GB)).run()
    # The limits of the settings would leave nothing of it: 20 GB are to stay free.
    assert result.plays_cached > 0
    assert result.capacity == 19 * GB
