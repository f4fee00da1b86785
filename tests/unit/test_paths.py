from __future__ import annotations

from typing import Any

import pytest

from daemon.config import MappingSettings
from daemon.errors import UnmappedPath
from daemon.model import File
from daemon.storage.paths import Mappings, parts_below


def mapping(**settings: Any) -> MappingSettings:
    chosen = {"name": "TV", "plex": "/data/tv", "array": "/mnt/disks/tv", "cache": "/mnt/ssd/tv"} | settings
    return MappingSettings(**chosen)


def test_a_path_of_plex_is_the_same_file_on_both_tiers() -> None:
    file = Mappings([mapping()]).resolve("/data/tv/Dark/S01/e1.mkv", 7)

    assert file == File(
        plex_path="/data/tv/Dark/S01/e1.mkv",
        array_path="/mnt/disks/tv/Dark/S01/e1.mkv",
        cache_path="/mnt/ssd/tv/Dark/S01/e1.mkv",
        mapping="TV",
        size=7,
    )


def test_a_root_covers_whole_components_only() -> None:
    with pytest.raises(UnmappedPath, match="no mapping covers"):
        Mappings([mapping()]).resolve("/data/tv2/e1.mkv")


def test_the_longest_root_decides_whatever_the_order() -> None:
    outer = mapping()
    inner = mapping(name="Kids", plex="/data/tv/kids", array="/mnt/disks/kids", cache="/mnt/ssd/kids")

    for mappings in (Mappings([outer, inner]), Mappings([inner, outer])):
        assert mappings.resolve("/data/tv/kids/e1.mkv").mapping == "Kids"
        assert mappings.resolve("/data/tv/kidsland/e1.mkv").mapping == "TV"


@pytest.mark.parametrize(
    "path",
    [
        "/data/tv/../../etc/passwd",
        "/data/tv/a/..",
        "/data/tv/./e1.mkv",
        "/data/tv/e1\0.mkv",
        "data/tv/e1.mkv",
        "",
        "/",
        "/data/tv",
        "/data/tv/",
        "/elsewhere/e1.mkv",
        "/data/TV/e1.mkv",
        "/data/tv/\ud800.mkv",
        "/data/tv/.ondeckd/0123.part",
        "/data/tv/Dark/.ondeckd-0123.part",
        "file:///data/tv/e1.mkv",
    ],
)
def test_what_plex_may_not_send_is_refused(path: str) -> None:
    with pytest.raises(UnmappedPath):
        Mappings([mapping()]).resolve(path)


@pytest.mark.parametrize("name", ["a\\b.mkv", "  .mkv", "ünïcödé.mkv", "\udcff.mkv", "..e1.mkv", "C:.mkv", "e\n1.mkv"])
def test_any_other_byte_in_a_name_is_kept(name: str) -> None:
    assert Mappings([mapping()]).resolve(f"/data/tv/{name}").array_path == f"/mnt/disks/tv/{name}"


def test_needless_slashes_do_not_make_another_file() -> None:
    mappings = Mappings([mapping()])

    assert mappings.resolve("/data//tv/Dark//e1.mkv") == mappings.resolve("/data/tv/Dark/e1.mkv")


@pytest.mark.parametrize("root", ["D:\\Media\\TV", "D:/Media/TV", "\\\\nas\\Media\\TV"])
@pytest.mark.parametrize("slash", ["\\", "/"])
def test_a_plex_on_windows_has_paths_of_its_own(root: str, slash: str) -> None:
    plain = root.replace("/", "\\")
    sent = f"{plain}\\Dark\\e1.mkv".replace("\\", slash) if root[1] == ":" else f"{plain}\\Dark\\e1.mkv"

    file = Mappings([mapping(plex=root)]).resolve(sent)

    assert (file.plex_path, file.array_path) == (f"{plain}\\Dark\\e1.mkv", "/mnt/disks/tv/Dark/e1.mkv")


def test_a_windows_root_is_found_in_any_case_but_the_names_below_it_keep_theirs() -> None:
    file = Mappings([mapping(plex="D:\\Media")]).resolve("d:\\MEDIA\\Dark\\E1.mkv")

    assert file.array_path == "/mnt/disks/tv/Dark/E1.mkv"


@pytest.mark.parametrize("path", ["D:\\Media\\..\\x.mkv", "E:\\Media\\x.mkv", "D:\\Mediathek\\x.mkv"])
def test_a_windows_path_is_refused_like_any_other(path: str) -> None:
    with pytest.raises(UnmappedPath):
        Mappings([mapping(plex="D:\\Media")]).resolve(path)


@pytest.mark.parametrize(
    "path",
    [
        "/mnt/disks/tv/Dark/e1.mkv",
        "/mnt/ssd/tv/Dark/e1.mkv",
        "/mnt/user/tv/Dark/e1.mkv",
        "/data/tv/Dark/e1.mkv",
    ],
)
def test_a_file_is_found_by_its_path_on_any_tier(path: str) -> None:
    mappings = Mappings([mapping(union="/mnt/user/tv")])

    assert mappings.from_local(path) == mappings.resolve("/data/tv/Dark/e1.mkv")


def test_a_local_path_outside_of_every_tier_is_refused() -> None:
    with pytest.raises(UnmappedPath):
        Mappings([mapping()]).from_local("/mnt/other/e1.mkv")


def test_a_sidecar_lies_in_the_mapping_of_its_video() -> None:
    mappings = Mappings([mapping()])
    video = mappings.resolve("/data/tv/Dark/e1.mkv")

    sidecar = mappings.sidecar(video, "/mnt/disks/tv/Dark/e1.en.srt")

    assert (sidecar.plex_path, sidecar.mapping) == ("/data/tv/Dark/e1.en.srt", "TV")


def test_a_mapping_is_found_by_its_name() -> None:
    mappings = Mappings([mapping(), mapping(name="Films", plex="/data/films")])

    assert mappings.by_name("Films").plex == "/data/films"
    with pytest.raises(UnmappedPath, match="there is no mapping 'Music'"):
        mappings.by_name("Music")


def test_a_path_recorded_below_another_root_is_refused() -> None:
    with pytest.raises(UnmappedPath, match="is not below"):
        parts_below("/mnt/old/tv/e1.mkv", "/mnt/disks/tv")
