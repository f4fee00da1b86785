"""Settings come from the file and from the environment, which wins."""

from __future__ import annotations

from pathlib import Path

import pytest

from daemon.config import Settings, build, find_config, load, missing_to_run, restart_needed, state_directory
from daemon.settings.environment import variable
from daemon.settings.tree import dotted, flat, leaves
from daemon.units import Size
from tests.support.configs import FILMS, TV, faults, write

MAPPING = """
[[mapping]]
name = "TV"
plex = "/data/tv"
array = "/mnt/user0/tv"
cache = "/mnt/cache/tv"
"""


def test_without_a_file_everything_has_its_default() -> None:
    loaded = load(None, {})

    assert loaded.settings == Settings()
    assert loaded.path is None
    assert loaded.not_yet == ()


def test_the_file_is_read(tmp_path: Path) -> None:
    path = write(tmp_path, MAPPING + '[playback]\nmin_play = "2m"\n[space]\nlimit = "75%"\n')

    loaded = load(path, {})

    assert loaded.path == path
    assert loaded.settings.playback.min_play == 120.0
    assert loaded.settings.space.limit == Size(percent=75.0)
    assert [mapping.name for mapping in loaded.settings.mapping] == ["TV"]


def test_a_file_that_an_editor_of_windows_wrote_is_read(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(b"\xef\xbb\xbf[playback]\r\nnext_episodes = 3\r\n")

    assert load(path, {}).settings.playback.next_episodes == 3


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, "[playback]\nnext_episodes = 3\ncache_current = false\n")

    loaded = load(path, {"ONDECKD_PLAYBACK__NEXT_EPISODES": "7"})

    assert loaded.settings.playback.next_episodes == 7
    assert loaded.settings.playback.cache_current is False
    assert loaded.variables == {"playback.next_episodes": "ONDECKD_PLAYBACK__NEXT_EPISODES"}


def test_a_mapping_can_be_made_and_changed_from_the_environment(tmp_path: Path) -> None:
    path = write(tmp_path, MAPPING)
    env = {f"ONDECKD_MAPPING__1__{key.upper()}": value for key, value in FILMS.items()}

    settings = load(path, env | {"ONDECKD_MAPPING__0__ENABLED": "false"}).settings

    assert [(mapping.name, mapping.enabled) for mapping in settings.mapping] == [
        ("TV", False),
        ("Films", True),
    ]


def test_more_than_ten_mappings_from_the_environment_keep_their_order() -> None:
    env = {}
    for number in range(12):
        for key in ("plex", "array", "cache"):
            env[f"ONDECKD_MAPPING__{number}__{key.upper()}"] = f"/{key}/{number}"
        env[f"ONDECKD_MAPPING__{number}__NAME"] = str(number)

    assert [mapping.name for mapping in load(None, env).settings.mapping] == [str(number) for number in range(12)]


def test_lists_from_the_environment_are_written_with_commas_or_as_json() -> None:
    env = {
        "ONDECKD_PLEX__LIBRARIES": "TV, Films,3",
        "ONDECKD_USERS__EXCLUDE": '["Smith, Bob", 5]',
        "ONDECKD_NOTIFY__URLS": "",
        "ONDECKD_MAPPING": '[{"name": "x", "plex": "/p", "array": "/a", "cache": "/c"}]',
        "ONDECKD_MAPPING__0__NAME": "y",
    }

    settings = load(None, env).settings

    assert settings.plex.libraries == ("TV", "Films", "3")
    assert settings.users.exclude == ("Smith, Bob", "5")
    assert settings.notify.urls == ()
    assert settings.mapping[0].name == "y"


@pytest.mark.parametrize(
    ("text", "value"),
    [("true", True), ("Yes", True), ("on", True), ("1", True), ("FALSE", False), ("0", False)],
)
def test_yes_and_no_from_the_environment_are_written_in_any_usual_way(text: str, value: bool) -> None:
    assert load(None, {"ONDECKD_PLEX__VERIFY_TLS": text}).settings.plex.verify_tls is value


def test_a_users_own_settings_can_come_from_the_environment(tmp_path: Path) -> None:
    path = write(tmp_path, '[users."Alice"]\non_deck_max_age = "5d"\n')

    env = {"ONDECKD_USERS__ALICE__ON_DECK": "no", "ONDECKD_USERS__Bob B__WATCHLIST": "no"}
    people = load(path, env).settings.users.people

    assert people.keys() == {"Alice", "Bob B"}
    assert people["Alice"].on_deck is False
    assert people["Alice"].on_deck_max_age == 432_000.0
    assert people["Bob B"].watchlist is False


VALUES = {
    **dict.fromkeys(("plex.url", "plex.tv_url", "plex.clients_url", "plex.discover_url"), "http://other:1"),
    **dict.fromkeys(
        ("plex.metadata_url", "plex.community_url", "arr.instance.*.url", "trending.url"), "http://other:1"
    ),
    **dict.fromkeys(("plex.token", "web.api_key", "web.webhook_secret", "arr.instance.*.api_key"), "secret"),
    **dict.fromkeys(("mapping.*.name", "arr.instance.*.name", "trending.client_id", "mapping.*.anchor"), "name"),
    **dict.fromkeys(("mapping.*.plex", "mapping.*.link_target", "log.file", "state.directory"), "/somewhere"),
    **dict.fromkeys(("unraid.mover_exclude_file", "mapping.*.union"), "/elsewhere"),
    **dict.fromkeys(("plex.libraries", "users.exclude", "notify.urls"), "a,b"),
    "watchlist.rss": "https://rss/a,https://rss/b",
    "mapping.*.array": "/array",
    "mapping.*.cache": "/cache",
    "mapping.*.serve": "symlink",
    "mapping.*.original": "remove",
    "mapping.*.link": "relative",
    "space.evict_to": "10%",
    "transfer.verify": "checksum",
    "transfer.sidecars": "all",
    "transfer.hardlinks": "copy",
    "schedule.cron": "5 4 * * *",
    "schedule.array_window": "02:00-06:00",
    "web.listen": "localhost:1",
    "web.password_hash": "scrypt:14:8:1:c2FsdA:a2V5",
    "web.trusted_proxies": "10.0.0.0/8",
    "notify.levels": "warning",
    "arr.instance.*.kind": "radarr",
    "log.level": "debug",
    "log.format": "json",
}
"""A value for each key that is neither a number, nor true or false, nor a duration, nor a size."""


def _alternative(key: tuple[str, ...], default: object) -> str:
    if dotted(key) in VALUES:
        return VALUES[dotted(key)]
    if isinstance(default, bool):
        return "false" if default else "true"
    if isinstance(default, int):
        return "9"
    return "9GB" if isinstance(default, Size) else "9h"


@pytest.mark.parametrize("leaf", [leaf for leaf in leaves() if leaf != ("plex", "token_file")], ids=dotted)
def test_every_key_can_be_set_by_the_environment(leaf: tuple[str, ...], tmp_path: Path) -> None:
    person = leaf[0] == "users" and leaf[1] == "*"
    key = tuple("Alice" if part == "*" and person else 0 if part == "*" else part for part in leaf)
    lines = [
        *(f'{name} = "{value}"' for name, value in TV.items()),
        "[users.Alice]",
        "[[arr.instance]]",
        *(f'{name} = "{value}"' for name, value in {"name": "s", "kind": "sonarr"}.items()),
        'url = "http://h"\napi_key = "k"',
    ]
    path = write(tmp_path, "[[mapping]]\n" + "\n".join(lines))
    before = flat(load(path, {}).settings)[key]
    env = {variable(leaf).replace("__*", "__Alice"): _alternative(leaf, before)}
    if person:
        env = {f"ONDECKD_USERS__ALICE__{leaf[-1].upper()}": _alternative(leaf, before)}
    env |= _company(dotted(leaf))

    assert flat(load(path, env).settings)[key] != before


def _company(key: str) -> dict[str, str]:
    """Return what else must be set for `key` to be allowed."""
    if key == "mapping.*.serve":
        return {"ONDECKD_MAPPING__0__ORIGINAL": "remove"}
    if key in {"mapping.*.link", "mapping.*.link_target"}:
        return {"ONDECKD_MAPPING__0__SERVE": "symlink", "ONDECKD_MAPPING__0__ORIGINAL": "remove"}
    if key == "trending.enabled":
        return {"ONDECKD_TRENDING__CLIENT_ID": "id"}
    return {}


def test_names_ids_and_paths_come_in_their_plain_form() -> None:
    settings = build(
        {
            "mapping": [TV | {"array": "/mnt//user0/./tv/"}, FILMS | {"plex": "D:/Films/"}],
            "plex": {"url": "http://nas:32400/", "libraries": [1, "TV"]},
        }
    )

    assert settings.mapping[0].array == "/mnt/user0/tv"
    assert settings.mapping[1].plex == "D:\\Films"
    assert settings.plex.url == "http://nas:32400"
    assert settings.plex.libraries == ("1", "TV")


def test_the_file_is_looked_for_in_the_agreed_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.toml").touch()

    assert find_config("a.toml", {"ONDECKD_CONFIG": "b.toml"}) == Path("a.toml")
    assert find_config(None, {"ONDECKD_CONFIG": "b.toml"}) == Path("b.toml")
    assert find_config(None, {}) == Path("config.toml")


def test_a_file_that_may_not_be_looked_at_is_not_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.toml").symlink_to("config.toml")

    path = find_config(None, {})

    assert path == Path("config.toml")
    assert "cannot be read: Too many levels of symbolic links" in faults(lambda: load(path, {}))[0]


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({"STATE_DIRECTORY": "/var/lib/ondeckd", "HOME": "/home/a"}, "/var/lib/ondeckd"),
        ({"STATE_DIRECTORY": "/var/lib/ondeckd:/var/lib/other"}, "/var/lib/ondeckd"),
        ({"XDG_STATE_HOME": "/x", "HOME": "/home/a"}, "/x/ondeckd"),
        ({"XDG_STATE_HOME": "relative", "HOME": "/home/a"}, "/home/a/.local/state/ondeckd"),
        ({"HOME": "/home/a"}, "/home/a/.local/state/ondeckd"),
    ],
)
def test_the_state_folder_is_systemds_or_the_users(
    env: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setattr("daemon.config.SYSTEM_STATE", Path("/nowhere"))
    assert state_directory(Settings(), env) == Path(expected)
    assert state_directory(build({"state": {"directory": "/set"}}), env) == Path("/set")


def test_a_shell_that_may_use_the_services_state_folder_uses_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    system, env = tmp_path / "ondeckd", {"XDG_STATE_HOME": "/x", "HOME": "/root"}
    monkeypatch.setattr("daemon.config.SYSTEM_STATE", system)
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert state_directory(Settings(), env) == system
    assert state_directory(Settings(), {**env, "STATE_DIRECTORY": "/given"}) == Path("/given")

    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert state_directory(Settings(), env) == Path("/x/ondeckd")
    system.mkdir()
    assert state_directory(Settings(), env) == system


def test_the_daemon_needs_a_token_and_a_mapping() -> None:
    assert [line.split(":")[0] for line in missing_to_run(Settings())] == ["plex.token", "mapping"]
    assert missing_to_run(build({"mapping": [TV | {"enabled": False}], "plex": {"token": "t"}})) != []
    assert missing_to_run(build({"mapping": [TV], "plex": {"token": "t"}})) == []


def test_only_what_cannot_change_while_running_needs_a_restart() -> None:
    old = build({"plex": {"url": "http://a"}})
    new = build({"web": {"listen": "127.0.0.1:1"}, "playback": {"next_episodes": 1}, "state": {"directory": "/x"}})

    assert restart_needed(old, new) == ["plex.url", "web.listen", "state.directory"]
    assert restart_needed(new, new) == []


@pytest.mark.parametrize(
    ("listen", "host", "port", "loopback"),
    [
        ("127.0.0.1:5757", "127.0.0.1", 5757, True),
        ("[::1]:80", "::1", 80, True),
        ("localhost:0", "localhost", 0, True),
        ("0.0.0.0:5757", "0.0.0.0", 5757, False),
        ("[::]:5757", "::", 5757, False),
        ("nas.lan:5757", "nas.lan", 5757, False),
    ],
)
def test_an_address_to_listen_on_is_taken_apart(listen: str, host: str, port: int, loopback: bool) -> None:
    web = build({"web": {"listen": listen, "password_hash": VALUES["web.password_hash"]}}).web

    assert (web.host, web.port, web.loopback) == (host, port, loopback)
