"""What Plex says of its library, gathered: bursts of timeline entries, scans and webhooks become one change.

Which entry means what was learned from recorded notifications and from what Tautulli and Pulsarr do with them. An entry
is only a hint: it comes for every refresh of an item's metadata too, several times, in any order, and none is
sent again after a lost connection. Whoever acts on one asks Plex first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from daemon.plex.frames import digits, rating_key, text

LIBRARY = "com.plexapp.plugins.library"
"""What calls itself otherwise is live TV and the like."""

_QUIET = 3.0
"""Seconds after the last word of a burst."""
_LONGEST = 30.0
"""Seconds after its first word."""
_MOST = 5_000
"""Beyond so many items it is cheaper to take it that anything has changed."""

_TYPES = frozenset({"1", "2", "3", "4"})
_SHOW, _SEASON, _EPISODE = "2", "3", "4"
_CREATED, _DONE, _DELETED = "0", "5", "9"
_UNFINISHED = ("metadataState", "mediaState", "queueSize")
_NAMES = {"show": _SHOW, "season": _SEASON, "episode": _EPISODE, "movie": "1"}

_SCAN, _SCANNED = "library.update.section", "library scan complete"


@dataclass(frozen=True, slots=True)
class LibraryChanged:
    """What may be another in Plex's library now.

    `changed` and `deleted` give the show of each item by rating key, empty for movies and where Plex does not say.
    `added` are the changed ones that are new. `sections` are the libraries of which a scan has ended, by id (empty: not
    said which). `anything`: news may have been missed.
    """

    changed: Mapping[str, str] = field(default_factory=dict)
    deleted: Mapping[str, str] = field(default_factory=dict)
    added: frozenset[str] = frozenset()
    sections: frozenset[str] = frozenset()
    anything: bool = False

    @property
    def shows(self) -> frozenset[str]:
        """Return the shows of which anything is new."""
        return frozenset(filter(None, (self.changed.get(key, "") for key in self.added)))


class LibraryNews:
    """Gathers what is said until it has been quiet for some seconds. Never raises because of what it is given."""

    def __init__(self) -> None:
        self._created: set[str] = set()
        self.forget()

    @property
    def due(self) -> float | None:
        """When `collect` has something to give; None while there is nothing."""
        return None if self._first is None else min(self._last + _QUIET, self._first + _LONGEST)

    def take(self, container: Mapping[str, Any], now: float) -> bool:
        """Take what a notification says; return whether it was about the library."""
        heard = [
            *(self._timeline(entry) for entry in _entries(container, "timeline", "TimelineEntry")),
            *(self._activity(entry) for entry in _entries(container, "activity", "ActivityNotification")),
            *(self._status(entry) for entry in _entries(container, "status", "StatusNotification")),
        ]
        return self._hear(now) if any(heard) else False

    def webhook(self, payload: Mapping[str, Any], server: str, now: float) -> bool:
        """Take a webhook's ``library.new`` of this server; return whether it is one."""
        metadata, sender = payload.get("Metadata"), payload.get("Server")
        if text(payload.get("event")) != "library.new" or not isinstance(metadata, Mapping):
            return False
        kind = _NAMES.get(text(metadata.get("type")), "")
        key = rating_key(metadata.get("ratingKey"), metadata.get("key"))
        named = text(sender.get("uuid")) if isinstance(sender, Mapping) else ""
        if not kind or not key or not server or named != server:
            return False
        above = {_EPISODE: "grandparentRatingKey", _SEASON: "parentRatingKey"}.get(kind, "")
        self._added.add(key)
        self._note(self._changed, key, rating_key(metadata.get(above)) if above else key if kind == _SHOW else "")
        return self._hear(now)

    def missed(self, now: float) -> None:
        """Take it that anything may have been said that was not heard."""
        self._anything = True
        self._hear(now)

    def forget(self) -> None:
        """Drop what was gathered: it is of another server, perhaps, and the next connection begins with `missed`."""
        self._changed: dict[str, str] = {}
        self._deleted: dict[str, str] = {}
        self._added: set[str] = set()
        self._sections: set[str] = set()
        self._anything = False
        self._first: float | None = None
        self._last = 0.0

    def collect(self, now: float) -> LibraryChanged | None:
        """Return what was gathered, once it is due."""
        if self.due is None or now < self.due:
            return None
        added, sections = frozenset(self._added & self._changed.keys()), frozenset(self._sections)
        changed = LibraryChanged(self._changed, self._deleted, added, sections, self._anything)
        self.forget()
        return changed

    def _hear(self, now: float) -> bool:
        self._first = now if self._first is None else min(self._first, now)
        self._last = now
        return True

    def _timeline(self, entry: Mapping[str, Any]) -> bool:
        kind, key, section = (text(entry.get(name)) for name in ("type", "itemID", "sectionID"))
        ours = text(entry.get("identifier")) == LIBRARY and digits(section) and int(section) > 0
        if not ours or kind not in _TYPES or not digits(key):
            return False
        state, metadata = text(entry.get("state")), text(entry.get("metadataState"))
        if state == _DELETED and metadata == "deleted":
            self._changed.pop(key, None)
            return self._note(self._deleted, key, _show(entry, kind, key))
        finished = state == _DONE and not any(entry.get(name) for name in _UNFINISHED)
        if not finished and (state, metadata) != (_CREATED, "created"):
            return False
        self._deleted.pop(key, None)
        if finished and key in self._created:
            self._created.discard(key)
            self._added.add(key)
        elif not finished:
            # Its files are known only once it is finished, which may take minutes.
            if len(self._created) >= _MOST:
                self._created.clear()
            self._created.add(key)
            self._added.add(key)
        return self._note(self._changed, key, _show(entry, kind, key))

    def _activity(self, entry: Mapping[str, Any]) -> bool:
        activity = entry.get("Activity")
        if text(entry.get("event")) != "ended" or not isinstance(activity, Mapping):
            return False
        context = activity.get("Context")
        about = context if isinstance(context, Mapping) else {}
        if text(activity.get("type")) == _SCAN:
            section = text(about.get("librarySectionID"))
            self._sections.add(section if digits(section) else "")
            return True
        if about.get("exists") not in (False, "0", 0):
            return False
        # Plex looked for the file of an item, and it is not there.
        key = rating_key("", about.get("key"))
        return bool(key) and self._note(self._changed, key, "")

    def _status(self, entry: Mapping[str, Any]) -> bool:
        if text(entry.get("title")).casefold() != _SCANNED:
            return False
        self._sections.add("")
        return True

    def _note(self, where: dict[str, str], key: str, show: str) -> bool:
        if len(self._changed) + len(self._deleted) >= _MOST:
            self._anything = True
        else:
            where[key] = show or where.get(key, "")
        return True


def _entries(container: Mapping[str, Any], kind: str, key: str) -> list[Mapping[str, Any]]:
    found = container.get(key)
    if found is None and text(container.get("type")) == kind:
        found = container.get("_children")
    # An event stream sends the bare object where the socket sends a list.
    return [entry for entry in (found if isinstance(found, list) else [found]) if isinstance(entry, Mapping)]


def _show(entry: Mapping[str, Any], kind: str, key: str) -> str:
    """Return the show that an entry is about: the item itself, or what is at the root above it."""
    if kind == _SHOW:
        return key
    if kind not in {_SEASON, _EPISODE}:
        return ""
    names = ("rootItemID", "parentItemID") if kind == _SEASON else ("rootItemID",)
    return next((found for name in names if digits(found := text(entry.get(name)))), "")
