"""What can go wrong between a Plex server and those who ask it, each switched on by itself."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Literal

Entries = tuple[Mapping[str, Any], ...]


@dataclass(kw_only=True)
class Fault:
    """Something that goes wrong `times` times (None: always), each time with this probability."""

    times: int | None = None
    probability: float = 1.0
    hits: int = 0

    def strikes(self, random: Random) -> bool:
        """Say whether it goes wrong now, and count it."""
        if self.times == 0 or random.random() >= self.probability:
            return False
        if self.times is not None:
            self.times -= 1
        self.hits += 1
        return True


@dataclass(kw_only=True)
class HttpFault(Fault):
    """A fault of requests whose path and query match `pattern`.

    With a `status` the request is answered by that alone; without, by the true answer, which `mangle` may
    spoil. `delay` is in seconds of the server's clock. `stall` sends half of the answer and then nothing
    until the fault is cleared; `reset` breaks the connection.
    """

    pattern: re.Pattern[str]
    status: int | None = None
    body: bytes | str | None = None
    content_type: str = "text/html"
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    stall: bool = False
    reset: bool = False
    mangle: Callable[[bytes], bytes] | None = None
    cleared: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(frozen=True, slots=True)
class Pace:
    """How a frame's bytes leave: in so many WebSocket fragments, and with a pause after each few bytes."""

    fragments: int = 1
    pause: float = 0.0


@dataclass(kw_only=True)
class FrameFault(Fault):
    """A fault of notifications of the kinds named (none named: of all).

    `without` takes fields out, `change` replaces them (a function is given the old value). `copies` sends
    the frame so many times (0: loses it); `double` puts the entry twice into one frame. `form` legacy has
    no ``NotificationContainer`` and calls the array ``_children``.
    """

    kinds: frozenset[str] = frozenset()
    without: frozenset[str] = frozenset()
    change: Mapping[str, Any] = field(default_factory=dict)
    copies: int = 1
    double: bool = False
    form: Literal["usual", "legacy"] = "usual"
    binary: bool = False
    pace: Pace = field(default_factory=Pace)

    def spoil(self, entries: Entries) -> list[Entries]:
        """Return the frames' entries that become of one frame's."""
        spoilt = tuple(self._spoil_one(entry) for entry in entries)
        return [spoilt * 2 if self.double else spoilt] * self.copies

    def wrap(self, key: str, body: dict[str, Any]) -> dict[str, Any]:
        """Return the message in this fault's form."""
        if self.form == "usual":
            return body
        inner = dict(body["NotificationContainer"])
        inner["_children"] = inner.pop(key)
        return inner

    def _spoil_one(self, entry: Mapping[str, Any]) -> Mapping[str, Any]:
        spoilt = {name: value for name, value in entry.items() if name not in self.without}
        for name, value in self.change.items():
            if callable(value):
                if name in spoilt:
                    spoilt[name] = value(spoilt[name])
            else:
                spoilt[name] = value
        return spoilt


@dataclass(kw_only=True)
class SessionFault(Fault):
    """An oddity of ``/status/sessions``: absent for `times` requests, or listed without some elements.

    `without` names elements (User, Player, Session, Media) or fields of any (``file``, ``ratingKey``).
    """

    session_key: str = ""
    hide: bool = False
    without: frozenset[str] = frozenset()


class Faults:
    """All faults that are switched on. What strikes by chance is decided by `seed`."""

    def __init__(self, *, seed: int = 1) -> None:
        self.https: list[HttpFault] = []
        self.frame_faults: list[FrameFault] = []
        self.session_faults: list[SessionFault] = []
        self.half_open = False
        """Sockets stay open, but nothing is sent and no ping answered."""
        self._random = Random(seed)

    def http(self, pattern: str = "", **fault: Any) -> HttpFault:
        """Switch on a fault of HTTP requests; `fault` are fields of `HttpFault`."""
        made = HttpFault(pattern=re.compile(pattern), **fault)
        self.https.append(made)
        return made

    def frames(self, *kinds: str, without: Sequence[str] = (), **fault: Any) -> FrameFault:
        """Switch on a fault of notifications; `fault` are fields of `FrameFault`."""
        made = FrameFault(kinds=frozenset(kinds), without=frozenset(without), **fault)
        self.frame_faults.append(made)
        return made

    def hide_sessions(self, times: int | None = None, *, session_key: str = "") -> SessionFault:
        """Leave a session (empty: all) out of ``/status/sessions`` for so many requests."""
        made = SessionFault(hide=True, times=times, session_key=session_key)
        self.session_faults.append(made)
        return made

    def strip_sessions(self, *names: str, times: int | None = None, session_key: str = "") -> SessionFault:
        """List a session (empty: all) without these elements or fields."""
        made = SessionFault(without=frozenset(names), times=times, session_key=session_key)
        self.session_faults.append(made)
        return made

    def clear(self) -> None:
        """Switch everything off, and let go of the answers that stall."""
        for fault in self.https:
            fault.cleared.set()
        self.https.clear()
        self.frame_faults.clear()
        self.session_faults.clear()
        self.half_open = False

    def for_request(self, path_and_query: str) -> HttpFault | None:
        """Return the fault that strikes this request, if one does."""
        for fault in self.https:
            if fault.pattern.search(path_and_query) and fault.strikes(self._random):
                return fault
        return None

    def for_frame(self, kind: str) -> FrameFault:
        """Return the fault that strikes this notification, or one that does nothing."""
        for fault in self.frame_faults:
            if (not fault.kinds or kind in fault.kinds) and fault.strikes(self._random):
                return fault
        return FrameFault()

    def for_session(self, session_key: str) -> tuple[bool, frozenset[str]]:
        """Return whether the session is left out of this answer, and what it lacks."""
        hidden = False
        lacks: set[str] = set()
        for fault in self.session_faults:
            if fault.session_key in ("", session_key) and fault.strikes(self._random):
                hidden = hidden or fault.hide
                lacks |= fault.without
        return hidden, frozenset(lacks)


def truncated(body: bytes) -> bytes:
    """Return the first half of an answer."""
    return body[: len(body) // 2]


def with_bad_character(body: bytes) -> bytes:
    """Return an answer with a character that XML does not allow, in the middle of its first field."""
    return body.replace(b'="', b'="\x08', 3)
