"""The house rules that the source must keep, read from the source itself."""

from __future__ import annotations

import ast
import graphlib
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.support.process import CHECKOUT

LAYERS = (
    {"daemon", "model", "errors"},
    {"clock", "units", "redaction"},
    {"bell", "outbound"},
    {"settings"},
    {"config"},
    {"feed", "metrics", "logs", "sdnotify", "signals", "lock", "state", "storage", "plex", "demo"},
    {"sources", "planning", "handlers"},
    {"web", "interop"},
    {"app", "client"},
    {"commands"},
    {"cli"},
    {"__main__"},
)
"""Rooms from the ground up: a room imports only from layers below its own. A file of `daemon/` that is named
in none belongs to the composition, "app"."""

CONFINED = {
    "plexapi": ("daemon/plex/",),
    "sqlite3": ("daemon/state/",),
    "aiohttp.web": ("daemon/web/", "daemon/demo/"),
}
VOCABULARY = CHECKOUT / "daemon/model.py"
LONGEST_FILE = 300
LONGEST_FUNCTION = 40


def sources() -> list[Path]:
    return sorted([*CHECKOUT.glob("daemon/**/*.py"), *CHECKOUT.glob("handlers/**/*.py")])


def name(path: Path) -> str:
    return path.relative_to(CHECKOUT).as_posix()


def module(path: Path) -> str:
    dotted = name(path).removesuffix(".py").removesuffix("/__init__")
    return dotted.replace("/", ".")


def room(dotted: str) -> str:
    """Return the room that a module belongs to: what comes after `daemon`, or `handlers`."""
    parts = dotted.split(".")
    found = parts[1] if parts[0] == "daemon" and len(parts) > 1 else parts[0]
    return found if any(found in layer for layer in LAYERS) else "app"


def layer(dotted: str) -> int:
    return next(level for level, rooms in enumerate(LAYERS) if room(dotted) in rooms)


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_bytes())


def imports(path: Path) -> Iterator[str]:
    """Yield every imported name, dotted, with what is taken from it: `daemon.model.Item`, `aiohttp.web`."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name(path)}:{node.lineno} imports relatively"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def own_imports(path: Path) -> set[str]:
    """Return which of our modules a file imports."""
    known = {module(source) for source in sources()}
    found = set()
    for dotted in imports(path):
        if dotted.split(".")[0] in {"daemon", "handlers"}:
            found.add(dotted if dotted in known else dotted.rpartition(".")[0])
    return found


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return a function's length in lines, without its docstring."""
    first = function.body[1 if ast.get_docstring(function) and len(function.body) > 1 else 0]
    return (function.end_lineno or 0) - first.lineno + 1 + (function.body[0].lineno - function.lineno)


def reraises(handler: ast.ExceptHandler) -> bool:
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


def tracked() -> list[Path]:
    """Return every file of the checkout that is, or may become, part of the project."""
    if not (CHECKOUT / ".git").exists():
        pytest.skip("only git knows which files belong to the project, and this is no clone")
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=CHECKOUT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    paths = (CHECKOUT / entry for entry in listing.split("\0") if entry)
    return [path for path in paths if path.is_file() and not path.is_symlink()]


@pytest.mark.parametrize("path", sources(), ids=name)
def test_imports_run_one_way(path: Path) -> None:
    here = module(path)
    back = [there for there in own_imports(path) if room(there) != room(here) and layer(there) >= layer(here)]
    assert back == [], f"{here} is in {room(here)!r}, which is not above these"


def test_no_import_runs_in_a_circle() -> None:
    graph = {module(path): own_imports(path) - {module(path)} for path in sources()}

    graphlib.TopologicalSorter(graph).prepare()


@pytest.mark.parametrize("path", sorted(CHECKOUT.glob("handlers/*.py")), ids=name)
def test_handlers_know_only_the_model_the_configuration_and_the_errors(path: Path) -> None:
    allowed = {"daemon.model", "daemon.config", "daemon.errors"}

    assert {there for there in own_imports(path) if not there.startswith("handlers")} <= allowed


@pytest.mark.parametrize("library", CONFINED)
def test_a_confined_library_stays_in_its_room(library: str) -> None:
    outside = [
        name(path)
        for path in sources()
        if not name(path).startswith(CONFINED[library])
        for dotted in imports(path)
        if dotted == library or dotted.startswith(f"{library}.")
    ]
    assert outside == []


def test_no_file_is_named_like_a_module_of_the_standard_library() -> None:
    own = {path.stem for path in sources()} | {path.parent.name for path in sources()}

    assert own & sys.stdlib_module_names - {"__init__", "__main__"} == set()


@pytest.mark.parametrize("path", sources(), ids=name)
def test_files_and_functions_stay_small(path: Path) -> None:
    if path != VOCABULARY:
        assert len(path.read_text().splitlines()) <= LONGEST_FILE
    long = {
        node.name: length(node)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and length(node) > LONGEST_FUNCTION
    }
    assert long == {}


@pytest.mark.parametrize("path", sources(), ids=name)
def test_every_module_says_what_it_is_for(path: Path) -> None:
    assert ast.get_docstring(tree(path))


def test_one_boundary_alone_catches_everything() -> None:
    catching = [
        name(path)
        for path in sources()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or ast.unparse(node.type) in {"Exception", "BaseException"})
        and not reraises(node)
    ]
    assert len(catching) <= 1, catching


def test_no_task_is_started_outside_a_group() -> None:
    loose = [
        f"{name(path)}:{node.lineno}"
        for path in sources()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) in {"asyncio.create_task", "asyncio.ensure_future", "loop.create_task"}
    ]
    assert loose == []


def test_the_project_points_at_nothing_outside_itself() -> None:
    """A path that leads out of the checkout, and exists on this machine, exists on no other."""
    upwards = re.compile(r"(?:\.\./)+[A-Za-z][\w.-]*")
    found = [
        f"{name(path)}: {match[0]}"
        for path in tracked()
        for match in upwards.finditer(path.read_text(encoding="utf-8", errors="replace"))
        for there in (path.parent / match[0], CHECKOUT / match[0])
        if there.exists()
        and not there.resolve().is_relative_to(CHECKOUT)
        and there.resolve() != Path("/etc")  # where tests of such paths try to get
    ]
    assert found == []


def test_the_project_does_not_know_where_it_was_written() -> None:
    here = re.compile(rf"{re.escape(str(CHECKOUT))}(?![\w-])")
    found = [name(path) for path in tracked() if here.search(path.read_text(encoding="utf-8", errors="replace"))]

    assert found == []
