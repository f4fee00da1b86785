"""Names of the generated library: ordinary ones, and those that break careless programs."""

from __future__ import annotations

from itertools import count
from pathlib import PurePosixPath

NAME_LIMIT = 255
"""The longest file name in bytes on the usual Linux file systems."""

AWKWARD = (
    "Tom & Jerry: The <Lost> Reel",
    "Amélie – 千と千尋の神隠し",
    "Ame\u0301lie, decomposed",
    'The "Quoted" Man\'s `Tale`',
    "[Bracketed] {Braces} (Parens)",
    "...And Then There Was None",
    "100% Wolf #1; a $HOME? Or *not*",
    "AC/DC: Let There Be Rock",
    "  Spaces   all  around  ",
    "-rf --no-preserve-root",
    "🎬 Émojis 🍿 ünd Ümläute",
    "שלום عالم",
    "The Title That Would Not End " * 12,
    "長い" * 90,
    "Back\tTabbed\u00a0and\u200bZero-Width",
    "%2e%2e%2f encoded + plus",
)

_FIRST = ("Silent", "Golden", "Broken", "Distant", "Crimson", "Hidden", "Last", "Paper", "Winter", "Second")
_SECOND = ("River", "Harbour", "Letter", "Garden", "Witness", "Signal", "Orchard", "Station", "Mirror")


def titles(amount: int, *, awkward: bool, plain: str) -> list[str]:
    """Return so many different titles; with `awkward` the odd ones come first, else ``plain N``."""
    if not awkward:
        return [f"{plain} {number + 1}" for number in range(amount)]
    ordinary = (f"{_FIRST[number % len(_FIRST)]} {_SECOND[number % len(_SECOND)]} {number + 1}" for number in count())
    return [*AWKWARD[:amount], *(next(ordinary) for _ in range(amount - len(AWKWARD)))]


def clean(title: str) -> str:
    """Return a title as people write it into a file name: no slash, no leading dot, no blank at an end."""
    return title.replace("/", "-").strip().lstrip(".").strip() or "_"


def fit(stem: str, suffix: str = "") -> str:
    """Return `stem` + `suffix`, the stem cut between characters so that both fit into a file name."""
    room = NAME_LIMIT - len(suffix.encode())
    return stem.encode()[:room].decode(errors="ignore").rstrip() + suffix


def movie_folder(root: str, title: str, year: int) -> PurePosixPath:
    return PurePosixPath(root) / fit(clean(title), f" ({year})")


def season_folder(root: str, show: str, year: int, season: int) -> PurePosixPath:
    return PurePosixPath(root) / fit(clean(show), f" ({year})") / (f"Season {season:02}" if season else "Specials")


def episode_file(show: str, season: int, first: int, last: int, title: str) -> str:
    """Return the file name of one episode, or of several in one file."""
    number = f" - S{season:02}E{first:02}" + (f"-E{last:02}" if last != first else "")
    return fit(fit(clean(show)[:60], number) + f" - {clean(title)}", ".mkv")
