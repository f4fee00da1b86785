"""What each user has watched: view counts, positions, the history, on deck and continue watching."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

from daemon.demo.library import Library
from daemon.demo.markup import Value
from daemon.demo.media import Kind, Node


@dataclass(slots=True)
class ViewState:
    """One user's view of one item: how often watched, where left off (ms), and when last."""

    count: int = 0
    offset: int = 0
    viewed_at: float = 0.0
    order: int = 0
    """Tells apart what happened within one second."""


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """One row of the history. It outlives its item; `account` is the user's id."""

    id: int
    key: str
    kind: Kind
    title: str
    section: str
    account: str
    viewed_at: int
    device: int


class Views:
    """The watch state of all users over one library."""

    def __init__(self, library: Library) -> None:
        self.library = library
        self.history: list[HistoryRow] = []
        self._states: dict[str, dict[str, ViewState]] = {}
        self._hidden: set[tuple[str, str]] = set()
        self._orphans: dict[str, dict[str, ViewState]] = {}
        self._order = count(1)

    def state(self, user: str, key: str) -> ViewState:
        """Return a user's view of an item; an empty one when there is none."""
        return self._states.get(user, {}).get(key) or ViewState()

    def progress(self, user: str, key: str, offset: int, now: float) -> None:
        """Keep where the user is in an item; 0 forgets it."""
        state = self._touch(user, key, now)
        state.offset = offset

    def watched(self, user: str, key: str, now: float, *, device: int = 1) -> list[HistoryRow]:
        """Count everything at or below the item as watched once more; return the new rows."""
        rows = []
        for node in self.library.leaves(key):
            state = self._touch(user, node.key, now)
            state.count += 1
            state.offset = 0
            number = len(self.history) + 1
            row = HistoryRow(number, node.key, node.kind, node.title, node.section, user, int(now), device)
            self.history.append(row)
            rows.append(row)
        return rows

    def unwatched(self, user: str, key: str) -> None:
        """Forget that the user has seen anything at or below the item; the history stays."""
        for node in self.library.leaves(key):
            self._states.get(user, {}).pop(node.key, None)

    def hide(self, user: str, key: str) -> None:
        """Take an item off the user's continue watching until it is played again."""
        self._hidden.add((user, key))

    def orphan(self, node: Node) -> None:
        """Put the views of a deleted item aside, for when the same title comes back."""
        kept = {
            user: state for user, states in self._states.items() if (state := states.pop(node.key, None)) is not None
        }
        if kept:
            self._orphans[node.guid] = kept

    def adopt(self, node: Node) -> None:
        """Give a new item the views that its title had before it was deleted."""
        for user, state in self._orphans.pop(node.guid, {}).items():
            self._states.setdefault(user, {})[node.key] = state

    def fields(self, user: str, node: Node) -> dict[str, Value]:
        """Return the fields of an item that depend on who asks."""
        if node.kind in (Kind.SHOW, Kind.SEASON):
            return self._fields_above(user, node)
        state = self._states.get(user, {}).get(node.key)
        if state is None:
            return {}
        fields: dict[str, Value] = {}
        if state.count:
            fields["viewCount"] = state.count
        if state.offset:
            fields["viewOffset"] = state.offset
        fields["lastViewedAt"] = int(state.viewed_at)
        return fields

    def viewed_leaves(self, user: str, key: str) -> int:
        """Return how many episodes below a show or season the user has watched."""
        states = self._states.get(user)
        if not states:
            return 0
        return sum(
            1 for leaf in self.library.leaves(key) if (state := states.get(leaf.key)) is not None and state.count
        )

    def on_deck(self, user: str, section: str | None = None) -> list[Node]:
        """Return what the user would go on with, latest first: begun items, and next episodes of shows."""
        latest: dict[str, tuple[tuple[float, int], Node, ViewState]] = {}
        for key, state in self._states.get(user, {}).items():
            node = self.library.get(key)
            if node is None or (section is not None and node.section != section):
                continue
            show = self.library.show_of(node)
            group = show.key if show else node.key
            when = (state.viewed_at, state.order)
            if group not in latest or latest[group][0] < when:
                latest[group] = (when, node, state)
        ordered = sorted(latest.values(), key=lambda entry: entry[0], reverse=True)
        candidates = (node if state.offset else self._after(user, node) for _, node, state in ordered)
        return [node for node in candidates if node is not None]

    def continue_watching(self, user: str, section: str | None = None) -> list[Node]:
        """Return on deck without what the user has taken off."""
        return [node for node in self.on_deck(user, section) if (user, node.key) not in self._hidden]

    def rows(self, *, since: int = 0, account: str = "", key: str = "", section: str = "") -> Iterator[HistoryRow]:
        """Yield the rows of the history that fit, oldest first."""
        below = {node.key for node in self.library.leaves(key)} | {key} if key in self.library.items else {key}
        for row in self.history:
            if (
                row.viewed_at >= since
                and (not account or row.account == account)
                and (not key or row.key in below)
                and (not section or row.section == section)
            ):
                yield row

    def _after(self, user: str, node: Node) -> Node | None:
        """Return the first episode after this one that the user has not watched."""
        show = self.library.show_of(node)
        if show is None:
            return None
        keys = self.library.episodes(show.key)
        start = keys.index(node.key) + 1 if node.key in keys else 0
        states = self._states.get(user, {})
        for key in keys[start:]:
            if key not in states or not states[key].count:
                return self.library[key]
        return None

    def _touch(self, user: str, key: str, now: float) -> ViewState:
        state = self._states.setdefault(user, {}).setdefault(key, ViewState())
        state.viewed_at = now
        state.order = next(self._order)
        self._hidden.discard((user, key))
        return state

    def _fields_above(self, user: str, node: Node) -> dict[str, Value]:
        states = self._states.get(user)
        if not states:
            return {"viewedLeafCount": 0}
        seen = [states[leaf.key] for leaf in self.library.leaves(node.key) if leaf.key in states]
        fields: dict[str, Value] = {"viewedLeafCount": sum(1 for state in seen if state.count)}
        if seen:
            fields["lastViewedAt"] = int(max(state.viewed_at for state in seen))
            fields["viewCount"] = sum(state.count for state in seen)
        return {name: value for name, value in fields.items() if value or name == "viewedLeafCount"}
