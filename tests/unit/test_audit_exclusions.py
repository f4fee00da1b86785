"""The list of what Unraid's mover leaves alone: the user's own lines stay, ours are kept up to date."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from daemon.model import Entry
from daemon.storage.exclusions import MARKER, MARKERS, bring_up_to_date, read, renewed, stale, unlisted, wanted
from daemon.storage.paths import file_below
from tests.support.files import mapping

OWN = "/mnt/cache/appdata\n# a remark  \n\n/mnt/cache/kept by hand.mkv\n"


def test_a_new_list_has_the_marker_and_the_copies() -> None:
    assert renewed("", ["/c/b.mkv", "/c/a.mkv"]) == f"{MARKER}\n/c/a.mkv\n/c/b.mkv\n"


@pytest.mark.parametrize("marker", MARKERS)
def test_the_lines_above_a_marker_stay_and_those_below_are_written_anew(marker: str) -> None:
    assert renewed(f"{OWN}{marker}\n/c/gone.mkv\n/c/a.mkv\n", ["/c/a.mkv"]) == f"{OWN}{marker}\n/c/a.mkv\n"


@pytest.mark.parametrize("own", [OWN, OWN.rstrip("\n"), OWN.replace("\n", "\r\n")], ids=["lf", "no end", "crlf"])
def test_a_list_without_a_marker_is_all_the_users_own(own: str) -> None:
    after = renewed(own, ["/c/a.mkv"])
    assert after.startswith(own)
    assert after[len(own) :].lstrip("\n") == f"{MARKER}\n/c/a.mkv\n"


def test_writing_twice_changes_nothing() -> None:
    once = renewed(OWN, ["/c/a.mkv"])
    assert renewed(once, ["/c/a.mkv"]) == once


def test_what_is_missing_and_what_is_stale() -> None:
    text = f"/c/own.mkv\n{MARKER}\r\n/c/a.mkv\r\n/c/gone.mkv\n\n"
    held = ["/c/a.mkv", "/c/b.mkv", "/c/own.mkv"]
    assert unlisted(text, held) == ["/c/b.mkv"]
    assert stale(text, held) == ["/c/gone.mkv"]
    assert stale("/c/own.mkv\n", held) == []


def test_a_name_with_a_line_break_is_on_no_list() -> None:
    path = "/c/a\n/mnt/cache"
    assert unlisted(renewed("", [path]), [path]) == [path]
    assert renewed("", [path]) == f"{MARKER}\n"


def test_the_file_is_replaced_in_one_step_and_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "list"
    path.write_bytes(b"/c/\xff own\n")
    path.chmod(0o640)
    name = os.fsdecode(b"/c/\xfe.mkv")
    before = path.stat().st_ino
    bring_up_to_date(str(path), [name])
    assert path.read_bytes() == b"/c/\xff own\n" + MARKER.encode() + b"\n/c/\xfe.mkv\n"
    assert unlisted(read(str(path)), [name]) == []
    assert (path.stat().st_mode & 0o777, path.stat().st_ino != before) == (0o640, True)
    assert list(tmp_path.iterdir()) == [path]


def test_a_list_that_is_right_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "list"
    bring_up_to_date(str(path), ["/c/a.mkv"])
    before = path.stat()
    bring_up_to_date(str(path), ["/c/a.mkv"])
    assert path.stat() == before


def test_a_link_to_the_list_stays_a_link(tmp_path: Path) -> None:
    path, link = tmp_path / "list", tmp_path / "link"
    path.write_text("/c/own\n")
    link.symlink_to(path)
    bring_up_to_date(str(link), ["/c/a.mkv"])
    assert link.is_symlink()
    assert path.read_text() == f"/c/own\n{MARKER}\n/c/a.mkv\n"


def test_a_folder_that_is_missing_is_told(tmp_path: Path) -> None:
    assert read(str(tmp_path / "no/list")) == ""
    with pytest.raises(FileNotFoundError):
        bring_up_to_date(str(tmp_path / "no/list"), ["/c/a.mkv"])


def test_the_folder_of_ours_on_each_cache_is_wanted_once_and_each_copy() -> None:
    tv = mapping(Path("/mnt"))
    movies = tv.model_copy(update={"name": "Movies", "array": "/mnt/movies", "cache": "/mnt/fast/"})
    shared = tv.model_copy(update={"name": "Kids", "array": "/mnt/kids"})
    entry = Entry(file_below(tv, "Show/e1.mkv", 4), 1, 0.0)
    found = wanted([tv, movies, shared], [entry])
    assert found == ["/mnt/cache/.ondeckd", "/mnt/fast/.ondeckd", "/mnt/cache/Show/e1.mkv"]
