"""Plex's token is found in the setting, in a file, or among systemd's credentials."""

from __future__ import annotations

from pathlib import Path

import pytest

from daemon.config import load
from tests.support.configs import faults, write


def token(path: Path | None, env: dict[str, str]) -> str:
    return load(path, env).settings.plex.token.get_secret_value()


def test_a_token_is_taken_from_its_file(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("  from-file\n")
    path = write(tmp_path, f'[plex]\ntoken_file = "{tmp_path}/token"\n')

    assert token(path, {}) == "from-file"


def test_a_token_is_taken_from_systemds_credentials_unless_one_is_set(tmp_path: Path) -> None:
    (tmp_path / "plex-token").write_text("credential\n")
    env = {"CREDENTIALS_DIRECTORY": str(tmp_path)}

    assert token(None, env) == "credential"
    assert token(None, env | {"ONDECKD_PLEX__TOKEN": "set"}) == "set"


def test_credentials_without_a_token_are_no_fault(tmp_path: Path) -> None:
    assert token(None, {"CREDENTIALS_DIRECTORY": str(tmp_path)}) == ""


def test_a_token_twice_in_one_file_is_a_fault(tmp_path: Path) -> None:
    path = write(tmp_path, '[plex]\ntoken = "x"\ntoken_file = "/token"\n')

    assert "plex.token_file: plex.token is set too" in "".join(faults(lambda: load(path, {})))


def test_a_token_of_the_environment_replaces_the_files_token_file(tmp_path: Path) -> None:
    path = write(tmp_path, '[plex]\ntoken_file = "/nowhere"\n')

    assert token(path, {"ONDECKD_PLEX__TOKEN": "env"}) == "env"


def test_a_token_file_of_the_environment_replaces_the_files_token(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("from-file")
    path = write(tmp_path, '[plex]\ntoken = "old"\n')

    assert token(path, {"ONDECKD_PLEX__TOKEN_FILE": str(tmp_path / "token")}) == "from-file"


@pytest.mark.parametrize(
    ("content", "wrong"),
    [
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"two words", "something else"),
        (b"\xff\xfe", "something else"),
    ],
)
def test_a_file_without_a_token_in_it_is_a_fault(content: bytes, wrong: str, tmp_path: Path) -> None:
    (tmp_path / "token").write_bytes(content)

    (line,) = faults(lambda: load(None, {"ONDECKD_PLEX__TOKEN_FILE": str(tmp_path / "token")}))

    assert wrong in line
    assert "two words" not in line


def test_a_token_file_that_cannot_be_read_is_a_fault(tmp_path: Path) -> None:
    name = "ONDECKD_PLEX__TOKEN_FILE"

    (line,) = faults(lambda: load(None, {name: str(tmp_path / "none")}))

    assert line == (
        f"{name}: plex.token_file: {tmp_path}/none cannot be read: No such file or directory; "
        "allowed: a readable file with nothing but the token in it"
    )


def test_a_credential_that_cannot_be_read_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "plex-token").mkdir()

    (line,) = faults(lambda: load(None, {"CREDENTIALS_DIRECTORY": str(tmp_path)}))

    assert "plex-token cannot be read: Is a directory" in line
