"""The generated library: its names, its structure, its files."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest

from daemon.demo.files import all_files, intact, local_path, sidecar_files, video_files, write
from daemon.demo.generate import Shape, generate
from daemon.demo.library import Library
from daemon.demo.media import Kind
from daemon.demo.names import AWKWARD, NAME_LIMIT


@pytest.fixture(scope="module")
def library() -> Library:
    return generate(Shape(movies=30, shows=17, seasons=2, episodes=6))


def test_the_same_arguments_give_the_same_library() -> None:
    first, second = generate(Shape(movies=20)), generate(Shape(movies=20))
    assert first.items == second.items
    assert list(all_files(first)) == list(all_files(second))


def test_another_seed_gives_other_sizes_at_the_same_paths() -> None:
    first, second = dict(video_files(generate(seed=1))), dict(video_files(generate(seed=2)))
    assert first.keys() == second.keys()
    assert first != second


def test_every_file_name_fits_and_stays_below_the_root(library: Library) -> None:
    for path, _ in all_files(library):
        parts = PurePosixPath(path).parts
        assert path.startswith("/data/")
        assert ".." not in parts
        assert "\0" not in path
        assert all(len(part.encode()) <= NAME_LIMIT for part in parts)
        assert all(part[0] != "." and part == part.strip() for part in parts[1:])


def test_some_file_names_are_exactly_as_long_as_file_systems_allow(library: Library) -> None:
    longest = max(len(PurePosixPath(path).name.encode()) for path, _ in video_files(library))
    assert longest == NAME_LIMIT


def test_paths_are_as_different_as_the_titles(library: Library) -> None:
    paths = [path for path, _ in all_files(library)]
    assert len(set(paths)) == len(paths)


@pytest.mark.parametrize("sign", ["&", '"', "'", "[", "{", "#", "%", "$", "千", "🎬", "\u0301", "\u200b", "?"])
def test_the_names_hold_what_breaks_careless_programs(library: Library, sign: str) -> None:
    assert any(sign in path for path, _ in video_files(library))


def test_a_title_may_begin_with_dots_but_no_file_does(library: Library) -> None:
    assert any(title.startswith("...") for title in AWKWARD)
    assert any(library[key].title.startswith("...") for key in library.movies)


def test_movies_come_with_versions_parts_optimized_and_missing_files(library: Library) -> None:
    movies = [library[key] for key in library.movies]
    assert any(len(node.versions) == 2 and node.versions[1].resolution == "4k" for node in movies)
    assert any(len(node.versions[0].parts) == 2 for node in movies)
    assert any(version.optimized for node in movies for version in node.versions)
    assert any(not part.exists for node in movies for part in node.parts)


def test_shows_come_with_specials_hidden_seasons_and_double_episodes(library: Library) -> None:
    shows = [library[key] for key in library.shows]
    assert any(show.skip_parent for show in shows)
    show = next(show for show in shows if not show.skip_parent)
    assert [season.index for season in library.seasons(show.key)] == [0, 1, 2]
    files = [library[key].parts[0].file for key in library.episodes(show.key)]
    assert files[2] == files[3]
    assert len(library.find_path(files[2])) == 2


def test_a_plain_library_has_one_file_for_each_item() -> None:
    library = generate(Shape(awkward=False, movies=5, shows=2))
    leaves = [node for node in library.items.values() if node.kind in (Kind.MOVIE, Kind.EPISODE)]
    assert [len(node.parts) for node in leaves] == [1] * len(leaves)
    assert [library[key].title for key in library.shows] == ["Show 1", "Show 2"]
    assert len(list(video_files(library))) == len(leaves)


def test_what_follows_an_episode_crosses_seasons_and_leaves_out_specials(library: Library) -> None:
    show = next(key for key in library.shows if not library[key].skip_parent)
    keys = library.episodes(show)
    assert library.following(library[keys[0]]) == keys[1:]
    last_of_first = library[keys[5]]
    assert library[library.following(last_of_first)[0]].index == 1
    special = next(node for node in library.leaves(show) if library[node.parent].index == 0)
    assert not set(library.following(special)) & set(keys)


def test_removing_the_last_episode_of_a_season_removes_the_season() -> None:
    library = generate(Shape(awkward=False, shows=1, seasons=2, episodes=2))
    show = library.shows[0]
    first, second = library.episodes(show)[:2]
    assert [node.key for node in library.remove(first)] == [first]
    gone = library.remove(second)
    assert [node.kind for node in gone] == [Kind.EPISODE, Kind.SEASON]
    assert [season.index for season in library.seasons(show)] == [2]


def test_removing_a_show_removes_all_below_it() -> None:
    library = generate(Shape(awkward=False, movies=0, shows=2, seasons=2, episodes=2))
    library.remove(library.shows[0])
    assert len(library.shows) == 1
    assert len(library.items) == 1 + 2 + 4


def test_written_files_are_intact_and_a_changed_byte_is_found(tmp_path: Path) -> None:
    library = generate(Shape(movies=6, shows=1, seasons=1, episodes=4))
    paths = write(library, tmp_path)
    expected = {local_path(library, tmp_path, path): (path, size) for path, size in all_files(library)}
    assert set(paths) == expected.keys()
    assert {path for path in tmp_path.rglob("*") if path.is_file()} == expected.keys()
    for path, (plex_path, size) in expected.items():
        assert path.stat().st_size == size
        assert intact(library, plex_path, size, path)
    path, (plex_path, size) = next(iter(expected.items()))
    spoilt = bytearray(path.read_bytes())
    spoilt[-1] ^= 1
    path.write_bytes(spoilt)
    assert not intact(library, plex_path, size, path)
    path.write_bytes(path.read_bytes()[:-1])
    assert not intact(library, plex_path, size, path)


def test_a_file_larger_than_a_block_is_checked_to_its_end(tmp_path: Path) -> None:
    size = (1 << 20) + 4321
    library = generate(Shape(awkward=False, movies=1, shows=0, sizes=(size, size)))
    (path, *_) = write(library, tmp_path)
    plex_path = library[library.movies[0]].parts[0].file
    assert intact(library, plex_path, size, path)
    path.write_bytes(path.read_bytes() + b"!")
    assert not intact(library, plex_path, size, path)


def test_subtitles_lie_beside_their_videos_in_all_the_usual_ways(library: Library) -> None:
    names = [path for video, _ in video_files(library) for path, _ in sidecar_files(video)]
    assert any(name.endswith(".en.srt") for name in names)
    assert any(name.endswith(".EN.forced.SRT") for name in names)
    assert any("/Subs/" in name for name in names)


def test_an_item_that_is_added_gets_a_new_key_and_its_place() -> None:
    library = generate(Shape(awkward=False, movies=3, shows=0))
    node = library[library.movies[0]]
    library.remove(node.key)
    old_key, node.key = node.key, ""
    library.add(node)
    assert node.key != old_key
    assert library.movies[0] == node.key
