"""Everything wrong with a configuration is said at once: where, what is wrong, and what is allowed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from daemon.config import Settings, build, load
from tests.support.configs import HASH, TV, faults, faults_of, faults_of_file

MANY = """
[plex]
token_file = "token"
libaries = ["TV"]

[[mapping]]
name = "TV"
plex = "/data/tv"
array = "/mnt/user0/tv"
cache = "/mnt/user0/tv/.cache"

[[mapping]]
name = "Films"
array = "films"
cache = "/mnt/cache/films"

[playback]
min_play = 30

[space]
limit = "70%"
evict_to = "80%"
"""


def test_all_faults_are_listed_at_once_each_with_its_line(tmp_path: Path) -> None:
    found = faults_of_file(tmp_path, MANY, {"ONDECKD_SPACE__QUOTA": "5", "ONDECKD_LOG_LEVEL": "info"})

    assert [line.split(": ")[:2] for line in found] == [
        ["ONDECKD_LOG_LEVEL", "there is no such setting; did you mean ONDECKD_LOG__LEVEL?"],
        ["config.toml:3", "plex.token_file"],
        ["config.toml:4", "plex.libaries"],
        ["config.toml:12", "mapping.1.plex"],
        ["config.toml:14", "mapping.1.array"],
        ["config.toml:18", "playback.min_play"],
        ["ONDECKD_SPACE__QUOTA", "space.quota"],
        ["config.toml:22", "space.evict_to"],
        ["config.toml:10", "mapping.0.cache"],
    ]


def test_a_fault_says_what_is_wrong_what_was_there_and_what_is_allowed(tmp_path: Path) -> None:
    assert faults_of_file(tmp_path, '[transfer]\nverify = "md5"\n') == [
        'config.toml:2: transfer.verify: is not one of the choices (got "md5"); allowed: "size" or "checksum"'
    ]


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("[playback]\nnext_episode = 3", "playback.next_episode: unknown key; did you mean next_episodes?"),
        ("[playbak]\nmin_play = '1m'", "playbak: unknown key; did you mean playback?"),
        ("tokn = 'x'", "tokn: unknown key; did you mean plex.token?"),
        ("[web]\nmin_free = '5GB'", "web.min_free: unknown key; did you mean space.min_free?"),
        ("[users]\nexlude = ['Bob']", "users.exlude: unknown key; did you mean exclude?"),
        ("[users.Bob]\nondeck = true", "users.Bob.ondeck: unknown key; did you mean on_deck?"),
        ("[[mapping]]\ncach = '/x'", "mapping.0.cach: unknown key; did you mean cache?"),
        ("[log]\nzzz = 1", "log.zzz: unknown key; allowed: level, format, file"),
    ],
)
def test_an_unknown_key_is_told_the_nearest_known_one(text: str, hint: str, tmp_path: Path) -> None:
    assert any(hint in line for line in faults_of_file(tmp_path, text))


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("ONDECKD_LOGGING_LEVEL", "did you mean ONDECKD_LOG__LEVEL?"),
        ("ONDECKD_PLEX_URL", "did you mean ONDECKD_PLEX__URL?"),
        ("ONDECKD_MAPPING__0__PLEXX", "did you mean ONDECKD_MAPPING__0__PLEX?"),
        ("ONDECKD_PLEX", "there is no such setting"),
        ("ONDECKD_", "there is no such setting"),
        ("ONDECKD_PLEX__URL__0", "there is no such setting"),
        ("ONDECKD_MAPPING__TV__PLEX", "there is no such setting"),
        ("ONDECKD_USERS__Bob", "there is no such setting"),
        ("ONDECKD_USERS____ON_DECK", "there is no such setting"),
        ("ONDECKD_MAPPING__5__PLEX", "there is no number 4"),
    ],
)
def test_a_variable_that_means_nothing_is_a_fault(name: str, hint: str) -> None:
    (line,) = faults(lambda: load(None, {name: "x"}))

    assert line.startswith(f"{name}: ")
    assert hint in line


def test_variables_of_others_are_none_of_our_business() -> None:
    load(None, {"ONDECKD": "x", "PLEX_URL": "x", "XONDECKD_PLEX__URL": "x", "ONDECKD_CONFIG": "x"})


@pytest.mark.parametrize(
    ("tables", "expected"),
    [
        (
            {"playback": {"next_episodes": "3"}},
            'must be a whole number (got "3"); allowed: a number from 0 to 1000',
        ),
        ({"playback": {"next_episodes": True}}, "must be a whole number (got true)"),
        ({"playback": {"next_episodes": 3.0}}, "must be a whole number (got 3.0)"),
        ({"playback": {"next_episodes": -1}}, "is out of range (got -1); allowed: a number from 0 to 1000"),
        ({"playback": {"cache_current": "yes"}}, 'must be true or false (got "yes")'),
        ({"playback": {"cache_current": 1}}, "must be true or false (got 1)"),
        ({"playback": {"stale_session": "0"}}, 'cannot be switched off (got "0")'),
        ({"playback": {"min_play": 30}}, "must be a duration in quotes (got 30)"),
        ({"playback": 5}, "must be a table; allowed: [playback]"),
        ({"mapping": {"name": "TV"}}, "must be a list (got a table); allowed: [[mapping]] tables"),
        ({"plex": {"libraries": "TV"}}, 'must be a list (got "TV")'),
        ({"plex": {"libraries": [True]}}, "plex.libraries.0: must be text in quotes (got true)"),
        ({"space": {"limit": "80"}}, 'has no unit (got "80")'),
        ({"space": {"limit": 80}}, "must be a size in quotes (got 80)"),
        ({"transfer": {"rate_limit": "50%"}}, "cannot be a percentage"),
        ({"transfer": {"to_cache": 0}}, "is out of range (got 0); allowed: a number from 1 to 32"),
        ({"transfer": {"to_array": 0}}, "is out of range (got 0); allowed: a number from 1 to 32"),
        ({"plex": {"url": "plex.lan:32400"}}, "is not an address"),
        ({"plex": {"url": "http://plex.lan:0"}}, "is not an address"),
        ({"plex": {"url": "http://plex.lan:99999"}}, "is not an address"),
        ({"plex": {"url": ""}}, "is not an address"),
        ({"plex": {"url": "http://me@plex.lan"}}, "holds more than an address"),
        ({"plex": {"url": "http://plex.lan/?X-Plex-Token=x"}}, "holds more than an address"),
        ({"plex": {"url": "http://plex.lan/#!/server"}}, "holds more than an address"),
        ({"web": {"listen": "5757"}}, "is not an address to listen on"),
        ({"web": {"listen": ":5757"}}, "is not an address to listen on"),
        ({"web": {"listen": "::1:5757"}}, "is not an address to listen on"),
        ({"web": {"listen": "[::z]:5757"}}, "is not an address to listen on"),
        ({"web": {"listen": "127.0.0.1:65536"}}, "has no such port"),
        ({"web": {"trusted_proxies": ["nas"]}}, "is not an address or a network"),
        ({"watchlist": {"rss": ["rss.plex.tv/a"]}}, "is not an address"),
        ({"watchlist": {"rss": [""]}}, "is not an address"),
        ({"watchlist": {"rss": ["ftp://rss.plex.tv/a"]}}, "is not an address"),
        ({"log": {"file": "ondeckd.log"}}, "is a relative path"),
        ({"state": {"directory": "state"}}, "is a relative path"),
        ({"schedule": {"cron": "* * * *"}}, "has 4 fields"),
        ({"schedule": {"cron": "60 * * * *"}}, 'is out of range at "60" (0 to 59)'),
        ({"schedule": {"cron": "5-1 * * * *"}}, "is out of range"),
        ({"schedule": {"cron": "*/0 * * * *"}}, "does not make sense"),
        ({"schedule": {"cron": "a b c d e"}}, "does not make sense"),
        ({"schedule": {"array_window": "2-6"}}, "is not a span of time"),
        ({"notify": {"levels": ["all"]}}, "notify.levels.0: is not one of the choices"),
        ({"trending": {"enabled": True}}, "trending.client_id: is needed"),
        (
            {"arr": {"instance": [{"name": "x"}]}},
            'arr.instance.0.kind: is missing; allowed: "sonarr" or "radarr"',
        ),
    ],
)
def test_each_kind_of_value_has_its_words(tables: dict[str, Any], expected: str) -> None:
    assert any(expected in line for line in faults_of(**tables))


@pytest.mark.parametrize(
    "tables",
    [
        {"space": {"limit": "50%"}},
        {"space": {"limit": "90%", "evict_to": "90%"}},
        {"space": {"limit": "500GB", "evict_to": "85%"}},
        {"space": {"limit": "0", "min_free": "0", "evict_to": "0"}},
        {"playback": {"next_episodes": 0, "min_play": "0"}},
        {"schedule": {"cron": "15 */2 1,15 1-6 7"}},
        {"web": {"listen": "0.0.0.0:80", "password_hash": HASH}},
        {"web": {"trusted_proxies": ["10.0.0.1", "fd00::/8"]}},
    ],
)
def test_what_makes_sense_is_accepted(tables: dict[str, Any]) -> None:
    build(tables)


def test_freeing_less_than_the_limit_asks_for_is_refused() -> None:
    (line,) = faults_of(space={"limit": "80%", "evict_to": "85%"})

    assert "space.evict_to: is more than space.limit" in line
    assert faults_of(space={"limit": "1TB", "evict_to": "1TiB"}) != []
    assert faults_of(space={"evict_to": "95%"}) != []


def test_a_wrong_limit_is_not_blamed_on_what_is_compared_with_it() -> None:
    assert len(faults_of(space={"limit": "80", "evict_to": "95%"})) == 1


def test_listening_to_others_needs_a_password() -> None:
    (line,) = faults_of(web={"listen": "0.0.0.0:5757"})

    assert "ondeckd hash-password" in line
    assert faults_of(web={"listen": "0.0.0.0:5757", "api_key": "x"}) != []


SECRET = "hunter2 hunter2"


@pytest.mark.parametrize(
    "tables",
    [
        {"plex": {"token": SECRET}},
        {"plex": {"tokn": SECRET}},
        {"plex": {"url": f"http://me:{SECRET}@plex"}},
        {"plex": {"url": f"http://plex/?X-Plex-Token={SECRET}"}},
        {"plex": SECRET},
        {"token": SECRET},
        {"web": {"api_key": SECRET, "password_hash": SECRET, "webhook_secret": [SECRET]}},
        {"notify": {"urls": f"https://discord/{SECRET}"}},
        {"notify": {"urls": [[SECRET]]}},
        {"watchlist": {"rss": SECRET}},
        {"watchlist": {"rss": ["https://rss/a", SECRET]}},
        {"watchlist": {"rss": [f"https:///{SECRET}"]}},
        {"trending": {"client_id": {"id": SECRET}}},
        {"arr": {"instance": [{"name": "x", "kind": "sonarr", "url": "x", "api_key": SECRET}]}},
    ],
)
def test_a_secret_is_never_repeated(tables: dict[str, Any]) -> None:
    assert "hunter2" not in "\n".join(faults_of(**tables))


def test_a_secret_is_never_printed_with_the_settings() -> None:
    settings = build({"plex": {"token": "hunter2"}, "notify": {"urls": ["hunter2"]}})

    assert "hunter2" not in f"{settings!r} {settings} {settings.model_dump_json()}"


def test_a_secret_is_not_in_the_error_underneath_either() -> None:
    with pytest.raises(ValidationError) as raised:
        Settings.model_validate({"plex": {"token": ["hunter2"]}})

    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"[plex\n", "config.toml:1: is not TOML"),
        (b"\n\nurl = \n", "config.toml:3: is not TOML"),
        (b"a = 1\na = 2\n", "config.toml:2: is not TOML"),
        (b"[a]\nb = 1\n[a.b]\n", "config.toml: is not TOML"),
        (b"a = [1,\n", "config.toml: is not TOML: it ends within a value"),
        (b"# \xe9\nx = 1", "config.toml:1: is not UTF-8 text"),
    ],
)
def test_a_file_that_is_not_toml_is_told_the_line(content: bytes, expected: str, tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(content)

    (line,) = faults(lambda: load(path, {}))

    assert line.removeprefix(f"{tmp_path}/").startswith(expected)


def test_a_file_that_cannot_be_read_is_a_fault(tmp_path: Path) -> None:
    (missing,) = faults(lambda: load(tmp_path / "none.toml", {}))
    (folder,) = faults(lambda: load(tmp_path, {}))

    assert missing == f"{tmp_path}/none.toml: cannot be read: No such file or directory; allowed: a TOML file"
    assert "cannot be read: Is a directory" in folder


def test_values_of_a_strange_shape_never_break_the_reader(tmp_path: Path) -> None:
    text = 'mapping = [1, "x"]\nusers = 5\nlog = []\nspace = 1979-05-27\n[plex]\nurl = nan\ntoken = 07:32:00\n'
    env = {
        "ONDECKD_MAPPING__0__PLEX": "/x",
        "ONDECKD_LOG__LEVEL": "info",
        "ONDECKD_USERS__Bob__ON_DECK": "no",
    }

    found = faults_of_file(tmp_path, text, env)

    assert len(found) == 7


def test_a_mapping_without_a_name_in_the_environment_is_told_where_to_look() -> None:
    env = {f"ONDECKD_MAPPING__0__{key.upper()}": value for key, value in TV.items() if key != "name"}

    assert faults(lambda: load(None, env)) == ["environment: mapping.0.name: is missing; allowed: a short name"]


def test_a_mapping_that_only_the_environment_knows_is_not_blamed_on_the_file(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("".join(["[[mapping]]\n", *(f'{key} = "{value}"\n' for key, value in TV.items())]))
    env = {"ONDECKD_MAPPING__1__NAME": "Films", "ONDECKD_MAPPING__1__PLEX": "/data/films"}

    assert [line.partition(": is missing")[0] for line in faults(lambda: load(path, env))] == [
        "environment: mapping.1.array",
        "environment: mapping.1.cache",
    ]


@pytest.mark.parametrize("name", ["ONDECKD_USERS__EXCLUDE", "ONDECKD_MAPPING"])
def test_a_variable_nested_too_deep_to_be_read_is_a_fault_like_any_other(name: str) -> None:
    (line,) = faults(lambda: load(None, {name: "[" * 100_000}))

    assert line.startswith(f"{name}: ")
    assert len(line) < 300
