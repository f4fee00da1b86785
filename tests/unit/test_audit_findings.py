"""What an audit makes of what it sees: names, links, temporary names, and the table of findings."""

from __future__ import annotations

from pathlib import Path

import pytest

from daemon.config import MappingSettings
from daemon.model import Entry, Goal
from daemon.storage.findings import (
    ADOPT,
    ALL,
    FIXES,
    KINDS,
    UNFIXED,
    Finding,
    Name,
    chosen,
    copy_led_to,
    is_media,
    looks_temporary,
    of_entry,
    of_link,
    parent_of,
)
from daemon.storage.paths import file_below, link_text
from daemon.storage.states import At, Seen, decide
from tests.support.files import mapping

STABLE = [
    "not-audited",
    "partial-file",
    "foreign-temporary",
    "missing-copy",
    "dangling-link",
    "malformed-backup",
    "orphaned-backup",
    "foreign-copy",
    "unentered-link",
    "unfinished-placement",
    "changed-copy",
    "missing-original",
    "redundant-backup",
    "superseded-backup",
    "foreign-link",
    "wrong-owner",
    "mover-exclusion",
]
REPORTED_ONLY = {"not-audited", "foreign-temporary", "foreign-link", "superseded-backup"}


def test_the_names_stay_as_they_are() -> None:
    assert [name.value for name in Name] == STABLE


def test_every_finding_says_what_it_means_and_how_it_is_fixed() -> None:
    assert list(KINDS) == list(Name)
    assert all(kind.means for kind in KINDS.values())
    assert {name.value for name, kind in KINDS.items() if not kind.fix} == REPORTED_ONLY


def test_what_may_be_asked_for() -> None:
    assert chosen([ALL]) == set(Name)
    assert chosen([ADOPT]) == {Name.FOREIGN_COPY, Name.UNENTERED_LINK}
    assert chosen(["wrong-owner", "missing-copy"]) == {Name.WRONG_OWNER, Name.MISSING_COPY}
    assert chosen(FIXES) == set(Name)
    for name in ("everything", *REPORTED_ONLY):
        with pytest.raises(ValueError, match=name):
            chosen([name])


def test_what_is_only_reported_says_so_to_those_who_want_it_fixed() -> None:
    assert UNFIXED.keys() == REPORTED_ONLY
    assert not UNFIXED.keys() & set(FIXES)
    assert "superseded-backup has no fix" in UNFIXED["superseded-backup"]
    assert "by hand" in UNFIXED["superseded-backup"]


def test_a_finding_that_cannot_be_fixed_names_no_fix() -> None:
    assert Finding(Name.ORPHANED, "/a", "").fix
    assert not Finding(Name.ORPHANED, "/a", "", fixable=False).fix


@pytest.mark.parametrize(
    "name",
    [
        "a.mkv.partial~",
        ".a.mkv.Ab3dE9",
        ".fuse_hidden0000abcd00000001",
        ".nfs00000000012ab",
        "a.tmp",
        "a.mkv.!qB",
        "a.PART",
    ],
)
def test_names_of_unfinished_files(name: str) -> None:
    assert looks_temporary(name)


@pytest.mark.parametrize(
    "name", ["a.mkv", "a.en.forced.srt", ".hidden.mkv", "Film.partial.mkv", "a.temp.mkv", ".a.nfo"]
)
def test_names_of_finished_files(name: str) -> None:
    assert not looks_temporary(name)
    assert is_media(name)


@pytest.mark.parametrize(
    "name", ["Thumbs.db", "film", "Film.2010", "Mr. Robot S01E01", "Show.S01E02", "Film.1080p.x264"]
)
def test_names_of_no_media(name: str) -> None:
    assert not is_media(name)


@pytest.mark.parametrize(
    ("name", "video"),
    [
        ("a.en.srt", "a.mkv"),
        ("a.nfo", "a.mkv"),
        ("a 2.srt", "a 2.mkv"),
        ("b.srt", ""),
        ("a.mkv", ""),
        ("a.srt", "a.mkv"),
    ],
)
def test_a_sidecar_belongs_to_the_video_of_its_name(name: str, video: str) -> None:
    assert parent_of(name, ["a.mkv", "a 2.mkv", "a.en.srt"]) == video


SYMLINKS = [
    {},
    {"link": "relative"},
    {"link_target": "/fast/tv"},
    {"link": "relative", "link_target": "/data/fast"},
]


def _mapping(**more: str) -> MappingSettings:
    return mapping(Path("/mnt"), serve="symlink", original="backup", **more)


@pytest.mark.parametrize("settings", SYMLINKS, ids=str)
def test_a_link_of_ours_leads_to_its_copy_however_it_is_written(settings: dict[str, str]) -> None:
    tv = _mapping(**settings)
    file = file_below(tv, "Show/e1.mkv", 0)
    assert copy_led_to(tv, file, link_text(tv, file)) == "/mnt/cache/Show/e1.mkv"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("../always.mkv", None),
        ("/mnt/array/Show/e2.mkv", None),
        ("/mnt/arrayed/e1.mkv", Name.FOREIGN_LINK),
        ("../../outside.mkv", Name.FOREIGN_LINK),
        ("/mnt/cached/e1.mkv", Name.FOREIGN_LINK),
        ("/mnt/cache/Show/e1.mkv", Name.DANGLING_LINK),
        ("/mnt/cache/Show/../../array/e1.mkv", None),
    ],
)
def test_where_a_link_leads_decides(text: str, told: Name | None) -> None:
    tv = _mapping()
    found = of_link(tv, file_below(tv, "Show/e1.mkv", 0), text, None, None)
    assert (found.name if found else None) == told


@pytest.mark.parametrize(
    ("placement", "seen", "told"),
    [
        ("union+keep", (At.RECORDED, At.NOTHING, At.RECORDED), None),
        ("union+keep", (At.RECORDED, At.OTHER, At.RECORDED), None),
        ("union+keep", (At.NOTHING, At.NOTHING, At.RECORDED), Name.MISSING_ORIGINAL),
        ("union+keep", (At.OTHER, At.NOTHING, At.RECORDED), Name.CHANGED_COPY),
        ("union+keep", (At.RECORDED, At.NOTHING, At.NEWER), Name.CHANGED_COPY),
        ("union+backup", (At.NOTHING, At.RECORDED, At.RECORDED), None),
        ("union+backup", (At.NOTHING, At.NOTHING, At.RECORDED), Name.MISSING_ORIGINAL),
        ("union+backup", (At.RECORDED, At.NOTHING, At.RECORDED), Name.UNFINISHED),
        ("union+remove", (At.NOTHING, At.NOTHING, At.RECORDED), None),
        ("union+remove", (At.NOTHING, At.RECORDED, At.RECORDED), Name.UNFINISHED),
        ("symlink+backup", (At.LINK, At.RECORDED, At.RECORDED), None),
        ("symlink+backup", (At.LINK, At.NOTHING, At.RECORDED), Name.MISSING_ORIGINAL),
        ("symlink+remove", (At.LINK, At.NOTHING, At.RECORDED), None),
        ("symlink+remove", (At.NOTHING, At.NOTHING, At.RECORDED), Name.MISSING_ORIGINAL),
    ],
)
def test_what_is_said_of_an_entry(placement: str, seen: tuple[At, At, At], told: Name | None) -> None:
    entry = Entry(file_below(mapping(Path("/mnt")), "e1.mkv", 4), 1, 0.0, placement=placement)
    looked = Seen(*seen)
    found = of_entry(entry, looked, decide(placement, Goal.CACHED, looked))
    assert (found.name if found else None) == told
