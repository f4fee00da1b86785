"""Every system call with which a process changes a disk, and the process killed at each of them in turn."""

from __future__ import annotations

import re
import signal
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from tests.support.injection import Actors, Outcome

_NAMING = r"(rename|link|unlink|symlink)(at2?)?|(mk|rm)dir(at)?"
_WRITING = r"f(data)?sync|ftruncate|fallocate|copy_file_range|sendfile|p?write(64|v)?"
_KEEPING = r"(l|f)?(set|remove)xattr|utimensat|fchmod(at)?|fchown(at)?|open(at)?"
_CALL = re.compile(rf"(?P<name>{_NAMING}|{_WRITING}|{_KEEPING})\((?P<given>.*)")
_ANY = re.compile(r"(?P<name>\w+)\(")
_RANDOM = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class Call:
    """The `nth` of its name, and what it is given, but for what is another each time."""

    name: str
    nth: int
    given: str

    @property
    def renames(self) -> bool:
        """Say whether it gives a file a name, or takes one away, where a player or a recovery looks."""
        names = self.name.startswith(("rename", "link", "unlink", "symlink"))
        return names and not self.given.endswith((".probe", ".db.backup", ".db-wal", ".db-shm"))


def calls(outcome: Outcome, base: Path) -> list[Call]:
    """Return the calls that changed something below `base`, in the order in which they were made."""
    counts: Counter[str] = Counter()
    found = []
    for line in outcome.traced:
        any_call = _ANY.match(line)
        if not any_call:
            continue
        counts[any_call["name"]] += 1
        match = _CALL.match(line)
        if match and str(base) in line and (not match["name"].startswith("open") or "O_CREAT" in line):
            found.append(Call(match["name"], counts[match["name"]], _given(match["given"].rpartition(" = ")[0])))
    return found


def _given(text: str) -> str:
    """Return the paths and names of a line of strace."""
    names = re.findall(r"<(/[^>]*)>|\"((?:[^\"\\]|\\.)*)\"", text)
    # What is written has times in it.
    return _RANDOM.sub("*", " ".join(path or name for path, name in names if path or "\\" not in name))


def killed(actors: Actors, given: dict[str, object], actions: list[str], call: Call, trace: Path) -> list[str]:
    """Kill the actor as it makes this call, before anything of it is done; return why that went wrong."""
    outcome = actors.traced(given, actions, [f"{call.name}:signal=KILL:when={call.nth}"], trace)
    last = calls(outcome, Path("/"))[-1:]
    if outcome.code == -signal.SIGKILL and last == [call]:
        return []
    return [f"not killed there: {outcome.code}, {outcome.said}, at {last}"]
