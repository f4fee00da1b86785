"""The file that ships documents every key, and each key either works or says that it does not yet."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import tomlkit

from daemon.config import Settings, load
from daemon.settings.effective import NOT_YET, waits
from daemon.settings.tree import dotted, leaves
from tests.support.configs import write

SHIPPED = Path(__file__).parents[2] / "config.toml"

EFFECTIVE = {
    "plex": {
        "url",
        "token",
        "token_file",
        "libraries",
        "verify_tls",
        "tv_url",
        "clients_url",
        "discover_url",
        "metadata_url",
        "community_url",
    },
    "mapping.*": {
        "name",
        "plex",
        "array",
        "cache",
        "serve",
        "original",
        "union",
        "link",
        "link_target",
        "enabled",
        "anchor",
    },
    "playback": {"cache_current", "next_episodes", "next_min_runtime", "min_play", "stale_session"},
    "on_deck": {"enabled", "episodes", "max_age"},
    "watchlist": {"enabled", "episodes", "max_age", "rss"},
    "recent": {"enabled", "max_age", "watched_shows_only"},
    "trending": {"enabled", "url", "client_id", "movies", "refresh"},
    "users": {"exclude", "inactive_after"},
    "users.*": {"on_deck", "watchlist", "on_deck_max_age", "watchlist_max_age", "token", "pin"},
    "retention": {"after_watched", "after_stopped", "min_stay", "until_needed"},
    "space": {"limit", "min_free", "quota", "evict_to"},
    "transfer": {
        "to_cache",
        "to_array",
        "verify",
        "rate_limit",
        "yield_to_playback",
        "sidecars",
        "hardlinks",
    },
    "schedule": {"refresh", "cron", "array_window", "spin_down"},
    "web": {"listen", "password_hash", "api_key", "webhook_secret", "trusted_proxies"},
    "log": {"level", "format", "file"},
    "state": {"directory", "shutdown_grace"},
}
KEYS = [dotted(leaf) for leaf in leaves()]


def documented() -> dict[str, str]:
    """Return the comment above each key of the shipped file, those that are commented out included."""
    found = {}
    table = ""
    comment: list[str] = []
    for line in SHIPPED.read_text().splitlines():
        bare = line.removeprefix("# ")
        if header := re.fullmatch(r"\[+([\w.\"]+)\]+", bare):
            table = re.sub(r'"\w+"', "*", header[1])
            table += ".*" if bare.startswith("[[") else ""
            comment = []
        elif key := re.match(r"(\w+) = ", bare):
            found[f"{table}.{key[1]}"] = " ".join(comment)
            comment = []
        elif line.startswith("#"):
            comment.append(bare)
        else:
            comment = []
    return found


def test_the_shipped_file_sets_every_key_to_its_default() -> None:
    loaded = load(SHIPPED, {})

    assert loaded.settings == Settings()
    assert loaded.not_yet == ()
    values = tomlkit.parse(SHIPPED.read_text()).unwrap()
    assert {f"{table}.{key}" for table, keys in values.items() for key in keys} == {
        key for key in KEYS if "*" not in key
    }


def test_every_key_is_documented_in_the_shipped_file() -> None:
    found = documented()

    assert sorted(found) == sorted(KEYS)
    assert [key for key, comment in found.items() if not comment] == []


def test_the_examples_in_the_shipped_file_are_valid(tmp_path: Path) -> None:
    text = "\n".join(
        line.removeprefix("# ") if re.match(r"# (\w+ = |\[)", line) else line
        for line in SHIPPED.read_text().splitlines()
    )

    loaded = load(write(tmp_path, text), {})

    (mapping,) = loaded.settings.mapping
    assert mapping.model_dump(exclude={"name", "plex", "array", "cache"}) == {
        "serve": "union",
        "original": "keep",
        "union": "",
        "link": "absolute",
        "link_target": "",
        "enabled": True,
        "anchor": "",
    }
    assert loaded.settings.users.people.keys() == {"Alice"}


def test_every_key_either_does_something_or_is_listed_as_later() -> None:
    effective = {f"{table}.{key}" for table, keys in EFFECTIVE.items() for key in keys}
    later = {dotted(leaf) for leaf in leaves() if waits(leaf)}

    assert effective | later == set(KEYS)
    assert effective.isdisjoint(later)


def test_nothing_is_listed_as_later_that_does_not_exist() -> None:
    tables = {key[: key.rfind(".")] for key in KEYS} | set(KEYS) | {"arr"}

    assert set(NOT_YET) <= tables


@pytest.mark.parametrize("key", [dotted(leaf) for leaf in leaves() if waits(leaf)])
def test_the_shipped_file_marks_what_comes_later(key: str) -> None:
    assert documented()[key].startswith("(later)")


def test_what_is_effective_is_not_marked_as_later() -> None:
    marked = {key for key, comment in documented().items() if comment.startswith("(later)")}

    assert marked == {dotted(leaf) for leaf in leaves() if waits(leaf)}


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("[notify]\nlevels = ['error']\n", ("notify.levels",)),
        ("[[arr.instance]]\nname='s'\nkind='sonarr'\nurl='http://h'\napi_key='k'\n", ("arr.instance",)),
    ],
)
def test_what_is_set_and_has_no_effect_yet_is_named(text: str, keys: tuple[str, ...], tmp_path: Path) -> None:
    assert load(write(tmp_path, text), {}).not_yet == keys
