"""Owner, mode and extended attributes: what cannot be kept is named, and what fails fails."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from daemon.storage import attributes
from tests.support.needs import needs_root


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[int, int]]:
    """Give a source with an attribute and another mode, and a target."""
    files = [os.open(tmp_path / name, os.O_CREAT | os.O_RDWR, 0o600) for name in ("source", "target")]
    os.fchmod(files[0], 0o640)
    os.setxattr(files[0], "user.rating", b"5")
    yield files[0], files[1]
    for file in files:
        os.close(file)


def refusing(code: int) -> Callable[..., None]:
    def refuse(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    return refuse


REFUSALS = [errno.EPERM, errno.EACCES, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL, errno.EOVERFLOW]
FAILURES = [errno.EROFS, errno.EIO, errno.ESTALE, errno.ENOSPC, errno.EDQUOT]


def test_nothing_is_lost_where_everything_can_be_kept(pair: tuple[int, int]) -> None:
    assert attributes.keep(*pair) == []
    assert os.fstat(pair[1]).st_mode == os.fstat(pair[0]).st_mode
    assert os.getxattr(pair[1], "user.rating") == b"5"


@needs_root
@pytest.mark.parametrize("code", REFUSALS)
def test_an_owner_that_is_refused_is_lost(pair: tuple[int, int], monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    os.fchown(pair[0], 1234, 2345)
    monkeypatch.setattr(os, "fchown", refusing(code))

    assert attributes.keep(*pair) == ["owner"]


@pytest.mark.parametrize("code", REFUSALS)
def test_a_mode_that_is_refused_is_lost(pair: tuple[int, int], monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    monkeypatch.setattr(os, "fchmod", refusing(code))

    assert attributes.keep(*pair) == ["mode"]


@pytest.mark.parametrize("code", [*REFUSALS, errno.ENOSPC, errno.E2BIG, errno.ERANGE])
def test_an_attribute_that_is_refused_is_lost(
    pair: tuple[int, int], monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    monkeypatch.setattr(os, "setxattr", refusing(code))

    assert attributes.keep(*pair) == ["user.rating"]


@needs_root
def test_a_file_system_that_agrees_and_does_nothing_is_found_out(
    pair: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    os.fchown(pair[0], 1234, 2345)
    monkeypatch.setattr(os, "fchown", lambda *_: None)
    monkeypatch.setattr(os, "fchmod", lambda *_: None)

    assert attributes.keep(*pair) == ["owner", "mode"]


@needs_root
@pytest.mark.parametrize("code", FAILURES)
@pytest.mark.parametrize("call", ["fchown", "fchmod"])
def test_a_disk_that_fails_is_no_lost_attribute(
    pair: tuple[int, int], monkeypatch: pytest.MonkeyPatch, call: str, code: int
) -> None:
    os.fchown(pair[0], 1234, 2345)
    monkeypatch.setattr(os, call, refusing(code))

    with pytest.raises(OSError, match=os.strerror(code)):
        attributes.keep(*pair)


@pytest.mark.parametrize("code", [errno.EROFS, errno.EIO, errno.ESTALE, errno.EDQUOT])
@pytest.mark.parametrize("call", ["setxattr", "listxattr"])
def test_a_disk_that_fails_at_an_extended_attribute_fails(
    pair: tuple[int, int], monkeypatch: pytest.MonkeyPatch, call: str, code: int
) -> None:
    monkeypatch.setattr(os, call, refusing(code))

    with pytest.raises(OSError, match=os.strerror(code)):
        attributes.keep(*pair)


def test_a_source_without_attributes_has_none(pair: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "listxattr", refusing(errno.ENOTSUP))

    assert attributes.keep(*pair) == []
