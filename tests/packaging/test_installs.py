"""ondeckd as its users get it: built, installed, and run far from the checkout."""

from __future__ import annotations

import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

from daemon import __version__
from tests.support.installs import Environment, build, run
from tests.support.process import CHECKOUT

OTHER_DAEMON = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[project]
name = "other-daemon"
version = "1"
[tool.hatch.build.targets.wheel]
packages = ["daemon", "handlers"]
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(CHECKOUT, "wheel", tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def editable(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What ``pip install --editable`` builds and installs."""
    return build(CHECKOUT, "wheel:editable", tmp_path_factory.mktemp("editable"))


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(CHECKOUT, "sdist", tmp_path_factory.mktemp("sdist"))


@pytest.fixture(scope="module")
def other_daemon(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A distribution that owns the names `daemon` and `handlers`, as python-daemon owns the first."""
    project = tmp_path_factory.mktemp("other")
    (project / "pyproject.toml").write_text(OTHER_DAEMON)
    for name in ("daemon", "handlers"):
        (project / name).mkdir()
        (project / name / "__init__.py").write_text("OTHER = True\n")
    return build(project, "wheel", project / "dist")


def contents(wheel: Path) -> dict[str, int]:
    with zipfile.ZipFile(wheel) as archive:
        return {entry.filename: entry.CRC for entry in archive.infolist()}


def test_a_wheel_claims_no_name_but_its_own(wheel: Path) -> None:
    tops = {name.split("/")[0] for name in contents(wheel)}

    assert tops == {"ondeckd", f"ondeckd-{__version__}.dist-info"}


def test_a_wheel_holds_every_file_of_the_rooms(wheel: Path) -> None:
    expected = {
        f"ondeckd/{path.relative_to(CHECKOUT).as_posix()}"
        for room in ("daemon", "handlers")
        for path in (CHECKOUT / room).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }

    assert {name for name in contents(wheel) if name.startswith("ondeckd/")} == expected


def test_the_source_distribution_builds_the_same_wheel(wheel: Path, sdist: Path, tmp_path: Path) -> None:
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    (project,) = tmp_path.iterdir()

    assert contents(build(project, "wheel", tmp_path / "dist")) == contents(wheel)


def test_the_source_distribution_brings_what_an_administrator_needs(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}

    assert names >= {
        "LICENSE",
        "README.md",
        "config.toml",
        "systemd/ondeckd.service",
        "systemd/ondeckd.service.d/example.conf",
    }


def test_an_installed_wheel_runs(wheel: Path, tmp_path: Path) -> None:
    environment = Environment(tmp_path / "venv")
    environment.install(wheel)

    assert environment.run("ondeckd", "version") == __version__


def test_an_editable_installation_runs_the_checkout(editable: Path, tmp_path: Path) -> None:
    environment = Environment(tmp_path / "venv")
    environment.install(editable)

    assert environment.run("ondeckd", "version") == __version__
    where = "import daemon.model; print(daemon.model.__file__)"
    assert environment.run("python", "-c", where) == str(CHECKOUT / "daemon/model.py")


@pytest.mark.long
@pytest.mark.parametrize("ours_first", [True, False])
@pytest.mark.parametrize("kind", ["wheel", "editable"])
def test_it_gets_along_with_another_package_named_daemon(
    other_daemon: Path, tmp_path: Path, kind: str, ours_first: bool, request: pytest.FixtureRequest
) -> None:
    environment = Environment(tmp_path / "venv")
    wheels = [request.getfixturevalue(kind), other_daemon]
    for wheel in wheels if ours_first else reversed(wheels):
        environment.install(wheel)

    assert environment.run("ondeckd", "version") == __version__
    theirs = "import daemon, handlers; print(daemon.OTHER, handlers.OTHER)"
    assert environment.run("python", "-c", theirs) == "True True"


def test_a_checkout_runs_without_being_installed() -> None:
    assert run(sys.executable, "-m", "daemon", "version", cwd=CHECKOUT).strip() == __version__


def test_the_lock_file_pins_every_dependency_and_names_no_place() -> None:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())
    wanted = [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]
    lines = (CHECKOUT / "requirements.lock").read_text().splitlines()
    pinned = [line.partition(" ;")[0].partition("==") for line in lines if not line.startswith("#")]

    assert {line.partition(">=")[0] for line in wanted} <= {name for name, _, _ in pinned}
    assert all(version for _, _, version in pinned)
    assert "://" not in "\n".join(lines)
