"""What Sonarr and Radarr send is understood as they mean it, and nothing else is acted on."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.interop.arr import ArrEvent, ArrFile, Did, parse, read
from tests.support import arr

E1, E2 = "/data/tv/Show/Season 1/e1.mkv", "/data/tv/Show/Season 1/e1 - better.mkv"
FILM = "/data/movies/Film (2001)"


def test_an_import_names_the_new_file() -> None:
    assert parse("sonarr", arr.imported(E1, 500)) == ArrEvent(Did.IMPORTED, "sonarr", (ArrFile(E1, 500),))


def test_an_upgrade_names_what_it_replaced_too() -> None:
    payload = arr.imported(E2, 500, arr.file(E1, 400), arr.file(E1 + ".old", 4, recycleBinPath="/bin/x.mkv"))
    gone = (ArrFile(E1, 400), ArrFile(E1 + ".old", 4, binned=True))
    assert parse("sonarr", payload) == ArrEvent(Did.IMPORTED, "sonarr", (ArrFile(E2, 500),), gone)


def test_a_whole_download_names_all_its_files_once() -> None:
    files = [arr.file(E1, 1), arr.file(E2, 2), arr.file(E1, 1)]
    payload = arr.sonarr("Download", episodeFiles=files, fileCount=3, sourcePath="/downloads/x")
    assert parse("sonarr", payload) == ArrEvent(Did.IMPORTED, "sonarr", (ArrFile(E1, 1), ArrFile(E2, 2)))


def test_a_renaming_names_both_paths() -> None:
    event = ArrEvent(Did.RENAMED, "sonarr", (ArrFile(E2, 1000, E1),))
    assert parse("sonarr", arr.renamed((E1, E2))) == event


def test_a_renaming_without_the_files_tells_nothing() -> None:
    assert parse("sonarr", arr.sonarr("Rename")) is None  # older versions
    assert parse("sonarr", arr.sonarr("Rename", renamedEpisodeFiles=[arr.file(E1)])) is None


def test_a_file_deleted_by_hand_is_deleted() -> None:
    event = ArrEvent(Did.DELETED, "sonarr", gone=(ArrFile(E1, 400),))
    assert parse("sonarr", arr.deleted(E1, 400)) == event
    assert parse("sonarr", arr.deleted(E1, 400, "Manual")) == event


@pytest.mark.parametrize("reason", ["missingFromDisk", "noLinkedEpisodes", "manualOverride", "", "other"])
def test_a_file_that_was_only_forgotten_is_not_deleted(reason: str) -> None:
    assert parse("sonarr", arr.deleted(E1, 400, reason)) is None


def test_a_file_deleted_for_a_better_one_is_only_expected_to_be_replaced() -> None:
    event = ArrEvent(Did.REPLACING, "sonarr", gone=(ArrFile(E1, 400),))
    assert parse("sonarr", arr.deleted(E1, 400, "upgrade")) == event


def test_a_series_deleted_with_its_files_is_a_folder_deleted() -> None:
    assert parse("sonarr", arr.series_deleted(with_files=True)) == ArrEvent(Did.DELETED, "sonarr", folder=arr.SERIES)
    assert parse("sonarr", arr.series_deleted(with_files=False)) is None
    for odd in ("true", 1, None, [True]):
        assert parse("sonarr", arr.sonarr("SeriesDelete", deletedFiles=odd)) is None


def test_radarr_speaks_of_movies() -> None:
    new, old = {"relativePath": "Film.mkv", "size": 9}, {"relativePath": "Film.avi", "path": f"{FILM}/Film.avi"}
    upgrade = arr.radarr("Download", movieFile=new, isUpgrade=True, deletedFiles=[old])
    event = ArrEvent(Did.IMPORTED, "radarr", (ArrFile(f"{FILM}/Film.mkv", 9),), (ArrFile(f"{FILM}/Film.avi"),))
    assert parse("radarr", upgrade) == event

    moved = {**new, "previousPath": f"{FILM}/a.mkv", "previousRelativePath": "a.mkv"}
    renaming = arr.radarr("Rename", renamedMovieFiles=[moved])
    assert parse("radarr", renaming) == ArrEvent(
        Did.RENAMED, "radarr", (ArrFile(f"{FILM}/Film.mkv", 9, f"{FILM}/a.mkv"),)
    )
    gone = arr.radarr("MovieFileDelete", movieFile=new, deleteReason="manual")
    assert parse("radarr", gone) == ArrEvent(Did.DELETED, "radarr", gone=(ArrFile(f"{FILM}/Film.mkv", 9),))
    everything = arr.radarr("MovieDelete", deletedFiles=True, movieFolderSize=9)
    assert parse("radarr", everything) == ArrEvent(Did.DELETED, "radarr", folder=FILM)


def test_paths_of_windows_are_kept_as_they_are() -> None:
    payload = arr.sonarr("Download", episodeFile={"relativePath": "S1\\e1.mkv"})
    payload["series"]["path"] = "D:\\TV\\Show"
    assert parse("sonarr", payload) == ArrEvent(Did.IMPORTED, "sonarr", (ArrFile("D:\\TV\\Show\\S1\\e1.mkv"),))


@pytest.mark.parametrize("event", ["Test", "Grab", "Health", "ManualInteractionRequired", "SeriesAdd", "", None, 7])
def test_what_is_about_no_file_tells_nothing(event: Any) -> None:
    assert parse("sonarr", arr.sonarr(event, episodeFile=arr.file(E1, 4), deletedFiles=True)) is None


@pytest.mark.parametrize("path", ["", "e1.mkv", "../e1.mkv", "/data/tv/\0", "/" + "x" * 5000, None, 7, ["/a"], {}])
def test_a_path_that_is_none_is_left_out(path: Any) -> None:
    assert parse("sonarr", arr.sonarr("Download", episodeFile={"path": path, "size": 4})) is None


@pytest.mark.parametrize("size", [-1, 0, True, 1.5, "4", None, 1 << 70])
def test_a_size_that_is_none_counts_as_unknown(size: Any) -> None:
    event = parse("sonarr", arr.sonarr("Download", episodeFile={"path": E1, "size": size}))
    assert event == ArrEvent(Did.IMPORTED, "sonarr", (ArrFile(E1),))


def test_a_huge_list_is_cut_short() -> None:
    files = [arr.file(f"/data/tv/Show/{number}.mkv") for number in range(50_000)]
    event = parse("sonarr", arr.sonarr("Download", episodeFiles=files, deletedFiles=files))
    assert event
    assert len(event.new) == len(event.gone) == 2_000


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(), below, max_size=3),
    max_leaves=10,
)
_FILES = ("episodeFile", "movieFile", "episodeFiles", "deletedFiles", "renamedEpisodeFiles", "renamedMovieFiles")
_PATHS = ("path", "relativePath", "previousPath", "folderPath", "size", "recycleBinPath")
fields = st.sampled_from([*_FILES, *_PATHS, "series", "movie", "deleteReason"])
nested = st.dictionaries(fields, json | st.dictionaries(fields, json, max_size=4), max_size=6)
events = st.sampled_from(["Download", "Rename", "EpisodeFileDelete", "MovieFileDelete", "SeriesDelete", "MovieDelete"])


@given(events, nested)
def test_nothing_that_is_sent_raises_and_what_is_understood_survives_the_database(
    event: str, payload: dict[str, Any]
) -> None:
    found = parse("sonarr", payload | {"eventType": event})
    if found:
        assert read(found.text()) == found
        found.text().encode()
