"""The library at work: what a server tells while items come, change and go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from random import Random
from typing import Any
from uuid import UUID

from daemon.demo.engine import Engine
from daemon.demo.hub import ACTIVITY, STATUS, TIMELINE
from daemon.demo.library import make_guid
from daemon.demo.media import MOVIES, TYPE_NUMBERS, Kind, Node

_LIBRARY = "com.plexapp.plugins.library"
_ADDING = (
    {"state": 0, "metadataState": "created"},
    {"state": 0, "metadataState": "queued", "queueSize": 1},
    {"state": 2, "metadataState": "loading"},
    {"state": 3, "metadataState": "loading"},
    {"state": 4, "metadataState": "processing"},
    {"state": 5, "mediaState": "analyzing"},
    {"state": 5},
)
_DONE: Mapping[str, Any] = {"state": 5}


class Librarian:
    """Adds, upgrades and deletes items as scans do, and tells about it on the sockets and by webhook."""

    def __init__(self, engine: Engine) -> None:
        self.library = engine.library
        self.views = engine.views
        self.hub = engine.hub
        self.webhooks = engine.webhooks
        self.people = engine.people
        self.clock = engine.clock
        self.activities: dict[str, dict[str, Any]] = {}
        """What ``/activities`` lists, by uuid."""
        self._random = Random(1)

    async def add_movie(
        self, title: str, *files: tuple[str, int], year: int = 2024, minutes: float = 100, guid: str = ""
    ) -> Node:
        """Add a movie of these files (path as Plex sees it, size); with a deleted one's `guid` it returns."""
        node = self._node(Kind.MOVIE, MOVIES, title, year)
        node.guid = guid or node.guid
        node.duration = round(minutes * 60_000)
        node.versions = (self.library.new_version(*files),)
        return await self._add(node)

    async def add_episode(
        self, season: str, index: int, title: str, *files: tuple[str, int], minutes: float = 45
    ) -> Node:
        """Add an episode to a season."""
        parent = self.library[season]
        show = self.library[parent.parent]
        node = self._node(Kind.EPISODE, parent.section, title, show.year, show.title, parent.index, index)
        node.parent, node.index = season, index
        node.duration = round(minutes * 60_000)
        node.versions = (self.library.new_version(*files),)
        return await self._add(node)

    async def upgrade(self, key: str, *files: tuple[str, int], keep_old: bool = False) -> Node:
        """Replace an item's first version by other files.

        `keep_old` leaves the dead version listed until the trash is emptied.
        """
        node = self.library[key]
        old = node.versions[0]
        dead = replace(old, deleted=True, parts=tuple(replace(part, exists=False) for part in old.parts))
        kept = (dead, *node.versions[1:]) if keep_old else node.versions[1:]
        self.library.set_versions(key, (self.library.new_version(*files), *kept), at=self._now())
        self.tell(node, _DONE)
        return node

    async def refresh(self, key: str) -> None:
        """Refresh an item's metadata: nothing changes, but it is told."""
        node = self.library[key]
        self.library.set_versions(key, node.versions, at=self._now())
        self.tell(node, _DONE)

    async def delete(self, key: str) -> None:
        """Delete an item with all below it. Its history stays, and its views wait for its return."""
        for node in self.library.remove(key):
            self.views.orphan(node)
            self.tell(node, {"state": 9, "metadataState": "deleted"})

    async def empty_trash(self, section: str) -> None:
        """Drop all versions whose files are gone."""
        for node in list(self.library.items.values()):
            if node.section == section and any(version.deleted for version in node.versions):
                kept = tuple(version for version in node.versions if not version.deleted)
                self.library.set_versions(node.key, kept, at=self._now())
                self.tell(node, _DONE)

    async def scan(self, section: str) -> None:
        """Scan a section that has not changed: activities and status messages around nothing."""
        found = self.library.sections[section]
        self._status(f'Scanning the "{found.title}" section')
        activity = self._activity("library.update.section", f"Scanning {found.title}", {"librarySectionID": section})
        self._tell_activity(activity, "started", 0)
        self._tell_activity(activity, "updated", 42)
        found.scanned_at = self._now()
        self._tell_activity(activity, "ended", 100)
        self._status("Library scan complete")

    async def browse(self, key: str) -> None:
        """Open an item's page in a client: the files are checked, and nobody watches anything."""
        exists = all(part.exists for part in self.library[key].parts)
        context = {"accessible": exists, "exists": exists, "key": f"/library/metadata/{key}"}
        activity = self._activity("library.refresh.items", "Refreshing", context)
        for event, progress in (("started", 0), ("updated", 33), ("ended", 100)):
            self._tell_activity(activity, event, progress)

    def tell(self, node: Node, *steps: Mapping[str, Any]) -> None:
        """Send timeline entries about an item, one frame for each step."""
        for step in steps:
            entry: dict[str, Any] = {"identifier": _LIBRARY, "sectionID": node.section, "itemID": node.key}
            if node.parent:
                entry["parentItemID"] = node.parent
                parent = self.library.get(node.parent)
                entry["rootItemID"] = parent.parent if parent and parent.parent else node.parent
            title = "" if step.get("state") == 0 else node.title
            entry |= {"type": TYPE_NUMBERS[node.kind], "title": title, "updatedAt": self._now(), **step}
            self.hub.publish(TIMELINE, entry)

    async def _add(self, node: Node) -> Node:
        self.library.add(node)
        self.views.adopt(node)
        self.tell(node, *_ADDING)
        self.webhooks.send("library.new", self.people.owner, node)
        return node

    def _node(self, kind: Kind, section: str, title: str, year: int, *names: object) -> Node:
        guid = make_guid(kind, title, *names)
        now = self._now()
        return Node("", kind, title, guid, section, year=year, added_at=now, updated_at=now)

    def _status(self, title: str) -> None:
        told = {"title": title, "description": "", "notificationName": "LIBRARY_UPDATE"}
        self.hub.publish(STATUS, told)

    def _activity(self, kind: str, title: str, context: Mapping[str, Any]) -> dict[str, Any]:
        uuid = str(UUID(int=self._random.getrandbits(128), version=4))
        return {
            "uuid": uuid,
            "type": kind,
            "cancellable": False,
            "userID": 1,
            "title": title,
            "subtitle": "",
            "progress": 0,
            "Context": dict(context),
        }

    def _tell_activity(self, activity: dict[str, Any], event: str, progress: int) -> None:
        activity["progress"] = progress
        if event == "ended":
            self.activities.pop(activity["uuid"], None)
        else:
            self.activities[activity["uuid"]] = activity
        self.hub.publish(ACTIVITY, {"event": event, "uuid": activity["uuid"], "Activity": dict(activity)})

    def _now(self) -> int:
        return int(self.clock.now())
