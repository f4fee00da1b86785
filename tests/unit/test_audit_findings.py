"""What an audit makes of what it sees: names, links, temporary names, and the table of findings."""

from __future__ import annotations

from itertools import product
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
    is_media,
    looks_temporary,
    parent_of,
)
from daemon.storage.paths import file_below, link_text
from daemon.storage.states import At, Seen, Step, decide
from daemon.storage.verdicts import copy_led_to, of_entry, of_link, of_malformed, of_missing
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
    "duplicate",
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


def _chosen(*wanted: str) -> set[Name]:
    is_chosen = chosen(wanted)
    return {name for name in Name if is_chosen(Finding(name, "/a", ""))}


def test_what_may_be_asked_for() -> None:
    assert _chosen(ALL) == set(Name)
    assert _chosen(ADOPT) == {Name.FOREIGN_COPY, Name.UNENTERED_LINK}
    assert _chosen("wrong-owner", "missing-copy") == {Name.WRONG_OWNER, Name.MISSING_COPY}
    assert _chosen(*FIXES) == set(Name)
    assert chosen([ADOPT])(Finding(Name.DUPLICATE, "/a", "", adopts=True))
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
        ("union+backup", (At.RECORDED, At.NOTHING, At.RECORDED), Name.DUPLICATE),
        ("union+backup", (At.RECORDED, At.RECORDED, At.RECORDED), Name.DUPLICATE),
        ("union+remove", (At.RECORDED, At.NOTHING, At.RECORDED), Name.DUPLICATE),
        ("symlink+backup", (At.RECORDED, At.NOTHING, At.RECORDED), Name.DUPLICATE),
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


def test_no_text_has_a_name_of_a_step_in_it() -> None:
    words = {str(step) for step in Step} - {Step.REMOVE}
    for placement in ("union+keep", "union+backup", "union+remove", "symlink+backup", "symlink+remove"):
        entry = Entry(file_below(mapping(Path("/mnt")), "e1.mkv", 4), 1, 0.0, placement=placement)
        for standing in product(At, At, [At.RECORDED], [False, True]):
            seen = Seen(*standing)
            found = of_entry(entry, seen, decide(placement, Goal.CACHED, seen))
            assert found is None or not words & set(found.text.split()), found
        texts = [of_missing(entry).text, *(of_missing(entry, Seen(*standing)).text for standing in product(At, At, At))]
        assert not words & {word for text in texts for word in text.split()}
    assert not words & {word for kind in KINDS.values() for word in kind.fix.split()}


@pytest.mark.parametrize(
    ("placement", "seen", "told"),
    [
        ("union+keep", None, "left in its place"),
        ("union+backup", None, "was put aside"),
        ("symlink+remove", None, "was deleted when it was cached"),
        ("union+remove", None, "was deleted when it was cached"),
        ("union+remove", Seen(At.NOTHING, At.NOTHING, At.NOTHING), "may be lost"),
        ("union+remove", Seen(At.RECORDED, At.NOTHING, At.NOTHING), "its original stands at its name"),
        ("union+backup", Seen(At.RECORDED, At.NOTHING, At.NOTHING), "its original stands at its name"),
        ("union+backup", Seen(At.OTHER, At.NOTHING, At.NOTHING), "another version of its original stands"),
        ("union+backup", Seen(At.NOTHING, At.RECORDED, At.NOTHING), "is put aside"),
    ],
)
def test_a_missing_copy_is_told_by_where_its_original_is(placement: str, seen: Seen | None, told: str) -> None:
    entry = Entry(file_below(mapping(Path("/mnt")), "e1.mkv", 4), 1, 0.0, placement=placement)
    assert told in of_missing(entry, seen).text


@pytest.mark.parametrize(
    ("held", "beside", "name"),
    [
        ({}, {"x.srt": 295}, None),
        ({}, {"x.mkv": 295}, None),
        ({}, {"x.mkv": 2900}, "x.mkv"),
        ({"x.srt": 295}, {}, None),
        ({"x.mkv": 2800}, {"x.srt": 295}, "x.mkv"),
        ({"x.mkv": 2800, "x.mp4": 2900}, {}, "x.mp4"),
        ({"x.mkv": 2900}, {"x.mkv": 2900}, "x.mkv"),
        ({"x.mkv": 2900}, {"x.mp4": 2900}, None),
        ({"x.mkv": 2800, "x.mp4": 2700}, {}, None),
        ({}, {}, None),
    ],
)
def test_what_tells_the_name_of_a_malformed_backup(
    held: dict[str, int], beside: dict[str, int], name: str | None
) -> None:
    found = of_malformed(mapping(Path("/mnt")), ("Film", "x.plexcached"), 2900, held, beside)
    assert found.fixable == (name is not None)
    assert (found.entry and Path(found.entry.file.array_path).name) == name
    assert found.fixable or "rename it by hand to its right name, such as x.mkv.plexcached" in found.text
