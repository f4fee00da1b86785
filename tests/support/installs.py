"""Builds of the project, and virtual environments to try them in."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import venv
from pathlib import Path


def run(*command: str | Path, cwd: Path) -> str:
    """Run a program that must succeed, and return what it printed."""
    result = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=50)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def build(project: Path, kind: str, into: Path) -> Path:
    """Build a ``wheel``, a ``wheel:editable`` or an ``sdist`` of `project` without any network."""
    run(sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", into, cwd=project)
    (built,) = into.glob("*.tar.gz" if kind == "sdist" else "*.whl")
    return built


class Environment:
    """A virtual environment that borrows the dependencies of the running one, and nothing else of it."""

    def __init__(self, folder: Path) -> None:
        venv.create(folder, symlinks=True)
        self._bin = folder / "bin"
        self._folder = folder

    def install(self, wheel: Path) -> None:
        """Install a wheel with pip, its dependencies left out."""
        borrowed = self._site_packages() / "borrowed.pth"
        borrowed.unlink(missing_ok=True)
        pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", self._bin / "python")
        run(*pip, "install", "--quiet", "--no-index", "--no-deps", wheel, cwd=self._folder)
        # Only now: pip would take what it sees there for installed.
        borrowed.write_text(sysconfig.get_path("purelib"))

    def run(self, program: str, *arguments: str) -> str:
        """Run an installed program far from the checkout."""
        return run(self._bin / program, *arguments, cwd=self._folder).strip()

    def _site_packages(self) -> Path:
        (found,) = self._folder.glob("lib/python*/site-packages")
        return found
