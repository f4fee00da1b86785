"""Which files beside a video belong to it: by name only, and never another video's."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import PurePath
from typing import Literal

from daemon.errors import UnmappedPath
from daemon.storage import tree

Kinds = Literal["none", "subtitles", "all"]

VIDEOS = re.compile(
    r"\.(3gp|asf|avi|divx|flv|iso|m2ts|m4v|mk3d|mkv|mov|mp4|mpe?g|mts|og[mv]|strm|ts|vob|webm|wmv)",
    re.IGNORECASE,
)
"""Extensions of videos."""
SUBTITLES = re.compile(r"\.(aqt|ass|idx|jss|psb|rt|smi|srt|ssa|sub|sup|usf|utf-?8?|vtt)", re.IGNORECASE)
"""Extensions of subtitles."""
OTHERS = re.compile(r"\.(nfo|jpe?g|png|tbn|webp)", re.IGNORECASE)
"""Extensions of what else belongs to a video."""
_FOLDERS = frozenset({"subs", "subtitles"})
_LANGUAGES = (
    "arabic|bulgarian|chinese|croatian|czech|danish|dutch|english|estonian|finnish|french|german|greek|hebrew|hindi|"
    "hungarian|icelandic|indonesian|italian|japanese|korean|latvian|lithuanian|malay|norwegian|persian|polish|"
    "portuguese|romanian|russian|serbian|slovak|slovenian|spanish|swedish|thai|turkish|ukrainian|vietnamese"
)
_FLAGS = "forced|foreign|sdh|cc|hi|default|full|signs|songs|commentary|lyrics|external"
_TOKENS = re.compile(rf"(\.([a-z]{{2,3}}([-_][a-z0-9]{{2,8}})*|{_LANGUAGES}|{_FLAGS}|[0-9]{{1,2}}))*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Listing:
    files: list[str]
    folders: list[str]


def find(root: str, video: tuple[str, ...], kinds: Kinds) -> list[tuple[str, ...]]:
    """Return the sidecars of the video at `video` below `root`, as paths below it like that one.

    Lists the video's folder once, and its subtitle folders if it has any; looks at no file.
    """
    if kinds == "none":
        return []
    above, name = video[:-1], video[-1]
    listing = _list(root, above)
    videos = [file for file in listing.files if _is(file, VIDEOS)]
    found = [(*above, file) for file in listing.files if belongs(file, name, videos, kinds)]
    for folder in listing.folders:
        if folder.casefold() in _FOLDERS:
            found += _in_subtitle_folder(root, (*above, folder), name, videos)
    return sorted(found)


def _in_subtitle_folder(root: str, above: tuple[str, ...], video: str, videos: list[str]) -> list[tuple[str, ...]]:
    listing = _list(root, above)
    alone = all(file == video or _is_sample(file) for file in videos)
    found = [
        (*above, file)
        for file in listing.files
        if _is(file, SUBTITLES) and (alone or belongs(file, video, videos, "subtitles"))
    ]
    for folder in listing.folders:
        if _owns(folder, video, videos, whole=True):
            inner = (*above, folder)
            found += [(*inner, file) for file in _list(root, inner).files if _is(file, SUBTITLES)]
    return found


def belongs(file: str, video: str, videos: Iterable[str], kinds: Kinds) -> bool:
    """Say whether `file` is a sidecar of `video`, and of no better-fitting one of `videos` beside it."""
    if _is(file, SUBTITLES):
        return kinds != "none" and _owns(_stem(file), video, videos, whole=False)
    return kinds == "all" and _is(file, OTHERS) and _owns(_stem(file), video, videos, whole=True)


def _owns(stem: str, video: str, videos: Iterable[str], *, whole: bool) -> bool:
    """Say whether `stem` begins with the name of `video`: the longest that fits, same case first."""
    fits = {_stem(one) for one in [video, *videos] if _fits(stem, _stem(one), whole=whole)}
    longest = max(map(len, fits), default=0)
    best = {one for one in fits if len(one) == longest}
    exact = {one for one in best if stem.startswith(one)}
    return _stem(video) in (exact or best)


def _fits(stem: str, wanted: str, *, whole: bool) -> bool:
    rest = stem[len(wanted) :]
    same = stem[: len(wanted)].casefold() == wanted.casefold()
    return same and (not rest if whole else _TOKENS.fullmatch(rest) is not None)


def _stem(name: str) -> str:
    return PurePath(name).stem


def _is(name: str, kind: re.Pattern[str]) -> bool:
    return kind.fullmatch(PurePath(name).suffix) is not None


def _is_sample(name: str) -> bool:
    return re.search(r"(^|[-_. ])sample$", _stem(name), re.IGNORECASE) is not None


def _list(root: str, parts: tuple[str, ...]) -> _Listing:
    listing = _Listing([], [])
    # A folder that is not there, or leads out of the root, has no sidecars.
    gone = suppress(FileNotFoundError, NotADirectoryError, UnmappedPath)
    with gone, tree.folder(root, parts) as folder, os.scandir(folder) as items:
        for item in items:
            (listing.folders if item.is_dir() else listing.files).append(item.name)
    return listing
