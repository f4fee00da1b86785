from __future__ import annotations

from pathlib import Path

import pytest

from daemon.storage.sidecars import Kinds, find


def sidecars(root: Path, video: str, files: list[str], kinds: Kinds = "subtitles") -> set[str]:
    for name in [video, *files]:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return {"/".join(parts) for parts in find(str(root), tuple(video.split("/")), kinds)}


@pytest.mark.parametrize(
    "name",
    [
        "Film.srt",
        "Film.SRT",
        "film.srt",
        "Film.en.srt",
        "Film.eng.ass",
        "Film.pt-BR.srt",
        "Film.pt-BR.forced.sdh.ass",
        "Film.zh-Hans.srt",
        "Film.English.srt",
        "Film.en.forced.vtt",
        "Film.2.en.srt",
        "Film.idx",
        "Film.sub",
        "Film.de.sup",
    ],
)
def test_a_subtitle_of_the_exact_stem_belongs_to_the_video(tmp_path: Path, name: str) -> None:
    assert sidecars(tmp_path, "A/Film.mkv", [f"A/{name}"]) == {f"A/{name}"}


@pytest.mark.parametrize(
    "name",
    [
        "Filmed.srt",
        "Film 2.srt",
        "Film-extra.srt",
        "Film.Directors Cut.srt",
        "Fil.srt",
        "Other.srt",
        "Film.txt",
        ".srt",
    ],
)
def test_another_stem_does_not(tmp_path: Path, name: str) -> None:
    assert sidecars(tmp_path, "A/Film.mkv", [f"A/{name}"]) == set()


def test_a_subtitle_goes_with_the_longest_name_that_fits(tmp_path: Path) -> None:
    files = ["A/Film.mkv", "A/Film.cut.mkv", "A/Film.cut.srt", "A/Film.srt"]

    assert sidecars(tmp_path, "A/Film.mkv", files) == {"A/Film.srt"}
    assert sidecars(tmp_path, "A/Film.cut.mkv", files) == {"A/Film.cut.srt"}


def test_of_two_names_that_differ_in_case_the_exact_one_has_the_subtitle(tmp_path: Path) -> None:
    files = ["A/film.mkv", "A/FILM.mkv", "A/film.srt"]

    assert sidecars(tmp_path, "A/film.mkv", files) == {"A/film.srt"}
    assert sidecars(tmp_path, "A/FILM.mkv", files) == set()


def test_the_other_episodes_of_a_season_keep_theirs(tmp_path: Path) -> None:
    files = [f"S/e{n}.mkv" for n in range(1, 12)] + [f"S/e{n}.en.srt" for n in range(1, 12)]

    assert sidecars(tmp_path, "S/e1.mkv", files) == {"S/e1.en.srt"}


@pytest.mark.parametrize("folder", ["Subs", "subs", "Subtitles"])
def test_a_single_film_has_the_whole_subtitle_folder(tmp_path: Path, folder: str) -> None:
    files = [f"A/{folder}/2_English.srt", f"A/{folder}/readme.txt", "A/film-sample.mkv"]

    assert sidecars(tmp_path, "A/Film.mkv", files) == {f"A/{folder}/2_English.srt"}


def test_in_a_shared_subtitle_folder_a_video_has_its_own_files_and_folder(tmp_path: Path) -> None:
    files = [
        "S/e1.mkv",
        "S/e2.mkv",
        "S/Subs/e1.en.srt",
        "S/Subs/e2.en.srt",
        "S/Subs/2_English.srt",
        "S/Subs/e1/2_English.srt",
        "S/Subs/e2/2_English.srt",
    ]

    assert sidecars(tmp_path, "S/e1.mkv", files) == {"S/Subs/e1.en.srt", "S/Subs/e1/2_English.srt"}


def test_other_folders_are_not_looked_into(tmp_path: Path) -> None:
    assert sidecars(tmp_path, "A/Film.mkv", ["A/Extras/Film.srt"]) == set()


def test_all_takes_images_and_descriptions_of_the_exact_stem_too(tmp_path: Path) -> None:
    files = ["A/Film.nfo", "A/film.JPG", "A/Film.en.srt", "A/poster.jpg", "A/Film.en.jpg", "A/Film.txt"]

    assert sidecars(tmp_path, "A/Film.mkv", files, "all") == {"A/Film.nfo", "A/film.JPG", "A/Film.en.srt"}
    assert sidecars(tmp_path, "A/Film.mkv", [], "subtitles") == {"A/Film.en.srt"}
    assert sidecars(tmp_path, "A/Film.mkv", [], "none") == set()


def test_a_subtitle_folder_that_leads_out_of_the_root_has_none(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "1.srt").touch()
    (tmp_path / "root/A").mkdir(parents=True)
    (tmp_path / "root/A/Subs").symlink_to(outside)

    assert sidecars(tmp_path / "root", "A/Film.mkv", []) == set()


def test_a_name_that_is_not_unicode_is_a_name(tmp_path: Path) -> None:
    assert sidecars(tmp_path, "A/Film.mkv", ["A/Subs/2_Fran\udce7ais.srt"]) == {"A/Subs/2_Fran\udce7ais.srt"}
