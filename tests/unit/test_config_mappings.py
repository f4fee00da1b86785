"""Mappings are checked against each other, so that no two files can ever meet in one place."""

from __future__ import annotations

from typing import Any

import pytest

from daemon.config import build
from tests.support.configs import FILMS, TV, faults_of


def found(*mappings: dict[str, Any]) -> str:
    return "\n".join(faults_of(mapping=list(mappings)))


@pytest.mark.parametrize("key", ["plex", "array", "cache"])
@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        ("", "is empty"),
        ("tv", "is a relative path"),
        ("./tv", "is a relative path"),
        ("~/tv", "is a relative path"),
        ("/mnt/../tv", 'holds ".."'),
        ("/", "is the root of the file system"),
        ("/tv\0", "holds control characters"),
        (5, "must be text in quotes"),
    ],
)
def test_a_root_is_an_absolute_path(key: str, path: object, wrong: str) -> None:
    assert f"mapping.0.{key}: {wrong}" in found(TV | {key: path})


@pytest.mark.parametrize("path", ["D:\\TV", "D:/TV", "\\\\nas\\media\\tv"])
def test_plex_may_see_a_root_of_windows_which_this_machine_never_does(path: str) -> None:
    build({"mapping": [TV | {"plex": path}]})

    assert "mapping.0.array: is a relative path" in found(TV | {"array": path})
    assert 'mapping.0.plex: holds ".."' in found(TV | {"plex": f"{path}\\.."})


@pytest.mark.parametrize("key", ["name", "plex", "array", "cache"])
def test_a_mapping_needs_a_name_and_three_roots(key: str) -> None:
    assert f"mapping.0.{key}: is missing" in found({name: value for name, value in TV.items() if name != key})


def test_two_mappings_have_two_names() -> None:
    assert "mapping.1.name: another mapping has this name" in found(TV, FILMS | {"name": "tv"})


@pytest.mark.parametrize("key", ["plex", "array", "cache"])
def test_two_mappings_have_no_root_in_common(key: str) -> None:
    text = found(TV, FILMS | {key: TV[key] + "/"})

    assert f'mapping.1.{key}: mapping "TV" has the same root' in text


def test_roots_may_nest_where_they_nest_the_same_way() -> None:
    inner = {key: f"{value}/Kids" for key, value in TV.items()}

    build({"mapping": [TV, inner]})
    build({"mapping": [inner, TV]})


def test_a_root_is_within_another_only_by_whole_names() -> None:
    build({"mapping": [TV, FILMS | {"cache": "/mnt/cache/tv films", "array": "/mnt/user0/tv-films"}]})
    build({"mapping": [TV | {"cache": "/mnt/user0/tv-cache"}]})


def test_caches_that_nest_unlike_their_arrays_are_refused() -> None:
    text = found(TV, FILMS | {"cache": "/mnt/cache/tv/films"})

    assert 'mapping.1.cache: lies inside that of mapping "TV", but its array does not likewise' in text
    assert 'array = "/mnt/user0/tv/films"' in text


def test_arrays_that_nest_unlike_their_caches_are_refused() -> None:
    assert "mapping.1.array: lies inside" in found(TV, FILMS | {"array": "/mnt/user0/tv/films"})


@pytest.mark.parametrize(
    ("cache", "how"),
    [
        ("/mnt/user0/tv", "is its own array root"),
        ("/mnt/user0/tv/cache", "lies inside its own array root"),
        ("/mnt/user0", "contains its own array root"),
        ("/mnt/user0/films/tv", 'lies inside mapping "Films"\'s array root'),
        ("/mnt/user0/films", 'is mapping "Films"\'s array root'),
    ],
)
def test_a_cache_is_apart_from_every_array(cache: str, how: str) -> None:
    assert f"mapping.0.cache: {how}" in found(TV | {"cache": cache}, FILMS)


def test_a_mapping_that_is_switched_off_disturbs_no_other() -> None:
    build({"mapping": [TV, TV | {"name": "old", "enabled": False}]})


def test_a_link_and_the_original_cannot_share_a_name() -> None:
    text = found(TV | {"serve": "symlink"})

    assert "mapping.0.original:" in text
    assert "would need the same name" in text
    assert '"backup" or "remove", or serve = "union"' in text


@pytest.mark.parametrize(
    ("keys", "key"),
    [
        ({"serve": "symlink", "original": "backup", "union": "/mnt/user/tv"}, "union"),
        ({"link": "relative"}, "link"),
        ({"link_target": "/cache/tv"}, "link_target"),
    ],
)
def test_a_key_of_the_other_way_to_serve_is_refused(keys: dict[str, str], key: str) -> None:
    assert f"mapping.0.{key}: means nothing" in found(TV | keys)


@pytest.mark.parametrize("union", ["/mnt/user0/tv", "/mnt/cache/tv", "/mnt/cache/tv/merged"])
def test_the_merged_view_is_neither_of_the_tiers(union: str) -> None:
    assert "mapping.0.union:" in found(TV | {"union": union})


@pytest.mark.parametrize("anchor", ["/mnt/user0/tv/.mounted", "../.mounted"])
def test_an_anchor_lies_below_its_array(anchor: str) -> None:
    assert "mapping.0.anchor:" in found(TV | {"anchor": anchor})


def test_a_faulty_mapping_hides_no_fault_of_the_others() -> None:
    text = found(FILMS | {"array": ""}, TV, TV | {"name": "other"})

    assert "mapping.0.array: is empty" in text
    assert 'mapping.2.cache: mapping "TV" has the same root' in text
