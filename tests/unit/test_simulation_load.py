from __future__ import annotations

from pathlib import Path

import pytest

from daemon.simulation.history import Title, Viewing
from daemon.simulation.load import HistoryFault, assemble, latest
from daemon.simulation.load_csv import from_csv

HEAD = "at,user,rating_key"


def write(folder: Path, *lines: str) -> Path:
    path = folder / "h.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def faults(folder: Path, *lines: str) -> tuple[str, ...]:
    with pytest.raises(HistoryFault) as raised:
        from_csv(write(folder, *lines))
    return raised.value.faults


def test_three_columns_are_enough(tmp_path: Path) -> None:
    read = from_csv(write(tmp_path, HEAD, "1714593600,Ann,7", "1714680000.5,Ben,7"))
    assert [(one.at, one.user, one.key, one.begin, one.end) for one in read.household.viewings] == [
        (1714593600.0, "Ann", "7", 0.0, 1.0),
        (1714680000.5, "Ben", "7", 0.0, 1.0),
    ]
    (title,) = read.household.titles.values()
    assert (title.size, title.duration, title.show) == (8_000_000_000, 6600.0, "")
    assert len(read.notes) == 2


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("1714593600", 1714593600.0),
        ("2024-05-01T20:00:00Z", 1714593600.0),
        ("2024-05-01 20:00:00", 1714593600.0),
        ("2024-05-01T22:00+02:00", 1714593600.0),
    ],
)
def test_a_moment_is_written_as_seconds_or_as_iso_8601(tmp_path: Path, text: str, at: float) -> None:
    assert from_csv(write(tmp_path, HEAD, f"{text},Ann,7")).household.viewings[0].at == at


def test_plays_come_in_order_whatever_the_file_s(tmp_path: Path) -> None:
    read = from_csv(write(tmp_path, HEAD, "300,Ann,7", "100,Ann,8", "200,Ben,9"))
    assert [one.at for one in read.household.viewings] == [100.0, 200.0, 300.0]


def test_what_the_rows_say_of_a_title_is_put_together(tmp_path: Path) -> None:
    read = from_csv(
        write(
            tmp_path,
            f"{HEAD},type,show,season,episode,size,duration,begin,end",
            "100,Ann,7,episode,Show,2,3,1.5GB,,0,0.5",
            "200,Ann,7,episode,,,,,45m,0.5,1",
            "300,Ann,8,episode,Show,,4,2000,2700,,",
            "400,Ann,9,episode,Show,0,1,3000,60,,",
        )
    )
    first, second, special = read.household.titles.values()
    assert (first.show, first.season, first.episode, first.size, first.duration) == (
        "Show",
        2,
        3,
        1_500_000_000,
        2700.0,
    )
    assert (second.season, second.episode, second.size, second.duration) == (1, 4, 2000, 2700.0)
    assert (special.season, special.episode) == (0, 1)
    assert [(one.begin, one.end) for one in read.household.viewings][:2] == [(0.0, 0.5), (0.5, 1.0)]


def test_unknown_sizes_are_those_of_the_others_of_the_kind(tmp_path: Path) -> None:
    read = from_csv(write(tmp_path, f"{HEAD},show,size", "1,Ann,1,S,3GB", "2,Ann,2,S,", "3,Ann,3,,9GB", "4,Ann,4,,"))
    assert [one.size for one in read.household.titles.values()] == [3e9, 3e9, 9e9, 9e9]
    assert any("2 titles without a size" in note for note in read.notes)


def test_unknown_columns_other_types_and_deleted_items_are_left_out_with_a_note(tmp_path: Path) -> None:
    read = from_csv(
        write(tmp_path, f"{HEAD},type,mood", "1,Ann,1,movie,good", "2,Ann,2,track,", "3,Ann,,movie,", "4,Ann,5,,")
    )
    assert [one.key for one in read.household.viewings] == ["1", "5"]
    notes = "\n".join(read.notes)
    assert "'mood'" in notes
    assert "1 plays of type track" in notes
    assert "1 plays of what has no rating key" in notes


def test_episodes_of_which_only_the_played_are_known_are_noted(tmp_path: Path) -> None:
    notes = from_csv(write(tmp_path, f"{HEAD},show,episode", "1,Ann,1,S,")).notes
    assert any("1 episodes without a number" in note for note in notes)
    assert any("--plex adds the others" in note for note in notes)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("yesterday,Ann,7,,,,,,", "at: 'yesterday' is neither"),
        ("1714593600000,Ann,7,,,,,,", "at: '1714593600000' is neither"),
        (",Ann,7,,,,,,", "at: ''"),
        ("1,,7,,,,,,", "user: is empty"),
        ("1,Ann,7,,,,12 apples,,", "size: '12 apples' is not a size"),
        ("1,Ann,7,,,,2%,,", "size: '2%'"),
        ("1,Ann,7,,x,,,,", "season: 'x' is no number"),
        ("1,Ann,7,,,-1,,,", "episode: '-1' is no number"),
        ("1,Ann,7,,,,,1.5,", "begin: 1.5 is no share"),
        ("1,Ann,7,,,,,0.5,0.2", "end: 0.2 is not after begin, 0.5"),
        ("1,Ann,7,,,,,,nan", "end: 'nan' is no number"),
        ("1,Ann,7,,", "has fewer fields"),
        ("1,Ann,7,,,,,,,,", "has more fields"),
    ],
)
def test_a_fault_is_named_with_its_line(tmp_path: Path, row: str, said: str) -> None:
    (fault,) = faults(tmp_path, f"{HEAD},show,season,episode,size,begin,end", "1,Ann,1,,,,,,", row)
    assert fault.startswith(f"h.csv:3: {said}")


def test_a_quoted_field_with_a_line_break_counts_its_lines(tmp_path: Path) -> None:
    (fault,) = faults(tmp_path, f"{HEAD},title", '1,Ann,7,"two\nlines"', "x,Ann,7,b")
    assert fault.startswith("h.csv:4: at:")


def test_a_type_that_does_not_fit_its_show_is_a_fault(tmp_path: Path) -> None:
    found = faults(tmp_path, f"{HEAD},type,show", "1,Ann,7,movie,S", "1,Ann,8,episode,")
    assert found[0].startswith("h.csv:2: show: a movie belongs to none")
    assert found[1].startswith("h.csv:3: show: is empty")


def test_many_faults_are_counted_and_not_all_named(tmp_path: Path) -> None:
    found = faults(tmp_path, HEAD, *["x,Ann,7"] * 25)
    assert len(found) == 11
    assert found[-1] == "and 15 more"


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ((), "h.csv:1: no column at, user, rating_key"),
        (("at,user,key", "1,Ann,7"), "h.csv:1: no column rating_key"),
        ((f"{HEAD},at", "1,Ann,7,2"), "h.csv:1: two columns are called at"),
        ((HEAD,), "h.csv: there is no play in it"),
        ((HEAD, '1,Ann,"7'), "h.csv:2:"),
    ],
)
def test_a_file_that_is_no_history_is_said_to_be_none(tmp_path: Path, lines: tuple[str, ...], said: str) -> None:
    assert faults(tmp_path, *lines)[0].startswith(said)


def test_a_file_that_is_no_text_is_said_to_be_none(tmp_path: Path) -> None:
    path = tmp_path / "h.csv"
    path.write_bytes(b"at,user,rating_key\n1,\xff\xfe,7\n")
    with pytest.raises(HistoryFault, match="not UTF-8"):
        from_csv(path)


def test_a_spreadsheet_s_byte_order_mark_and_capitals_do_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "h.csv"
    path.write_bytes(b"\xef\xbb\xbfAt,User,Rating_Key\r\n1,Ann,7\r\n")
    assert len(from_csv(path).household.viewings) == 1


def test_the_last_days_are_counted_from_the_last_play(tmp_path: Path) -> None:
    day = 86_400
    read = from_csv(write(tmp_path, HEAD, *[f"{n * day},Ann,{n}" for n in range(1, 11)]))
    assert [one.key for one in latest(read, 3).household.viewings] == ["7", "8", "9", "10"]


def test_what_was_played_was_there_whatever_its_date_says_and_the_rest_comes_when_it_was_added() -> None:
    titles = [Title(key, 1, 60.0, "s", 1, n, added_at=500.0) for n, key in enumerate("abc", 1)]
    read = assemble("x", titles, [Viewing(700.0, "Ann", "a"), Viewing(100.0, "Ann", "b"), Viewing(300.0, "Ben", "b")])
    assert [read.household.titles[key].added_at for key in "abc"] == [500.0, 100.0, 500.0]
