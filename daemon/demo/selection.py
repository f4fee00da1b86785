"""Filters and orders of a library section, as clients ask for them in a query."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from daemon.demo.library import Library
from daemon.demo.markup import Element, element
from daemon.demo.media import TYPE_NUMBERS, Kind, Node, Section
from daemon.demo.views import Views

_FILTER = re.compile(r"(?:(movie|show|season|episode)\.)?(\w+?)(!?=|[<>]{2}|!)?$")
_KINDS = {str(number): kind for kind, number in TYPE_NUMBERS.items()}
_FIELDS = {
    "title": "string",
    "guid": "string",
    "id": "integer",
    "year": "integer",
    "viewCount": "integer",
    "unwatched": "boolean",
    "inProgress": "boolean",
    "addedAt": "date",
    "updatedAt": "date",
    "lastViewedAt": "date",
}
_SORTS = ("titleSort", "addedAt", "updatedAt", "lastViewedAt", "viewCount", "year", "duration")
_OPERATORS = {
    "string": (("=", "contains"), ("!=", "does not contain"), ("==", "is"), ("!==", "is not")),
    "integer": (("=", "is"), ("!=", "is not"), (">>=", "is greater than"), ("<<=", "is less than")),
    "boolean": (("=", "is true"), ("!=", "is false")),
    "date": ((">>=", "is after"), ("<<=", "is before")),
}
_OF_NODE: Mapping[str, Callable[[Node], Any]] = {
    "title": lambda node: node.title,
    "titleSort": lambda node: node.title.casefold(),
    "guid": lambda node: node.guid,
    "id": lambda node: int(node.key),
    "year": lambda node: node.year,
    "duration": lambda node: node.duration,
    "addedAt": lambda node: node.added_at,
    "updatedAt": lambda node: node.updated_at,
}


class Selection:
    """Finds the items of a section that a user's query asks for."""

    def __init__(self, library: Library, views: Views) -> None:
        self.library = library
        self.views = views
        self._all: dict[tuple[str, Kind], list[Node]] = {}
        self._revision = -1

    def select(self, section: Section, query: Mapping[str, str], user: str) -> list[Node]:
        """Return the items that pass all known filters, in the order asked for."""
        kind = _KINDS.get(query.get("type", ""), section.kind)
        nodes: Iterable[Node] = self._everything(section.key, kind)
        if kind is Kind.EPISODE and "show.id" in query:
            shows = [key for key in query["show.id"].split(",") if key in section.keys]
            nodes = [leaf for key in shows for leaf in self.library.leaves(key)]
        for name, value in query.items():
            matched = _FILTER.match(name)
            if matched and matched[2] in _FIELDS:
                test = _test(_FIELDS[matched[2]], matched[3] or "", value)
                nodes = self._filtered(nodes, (matched[1], matched[2]), test, user)
        found = list(nodes)
        for order in reversed(query.get("sort", "").split(",")):
            name, _, direction = order.partition(":")
            name = name.rpartition(".")[2]
            if name in _SORTS:
                found.sort(key=self._sort_key(name, user), reverse=direction.startswith("desc"))
        return found

    def _everything(self, section: str, kind: Kind) -> list[Node]:
        """Return all items of a kind, kept until the library changes: large lists are read by the page."""
        if self._revision != self.library.revision:
            self._all.clear()
            self._revision = self.library.revision
        if (section, kind) not in self._all:
            self._all[section, kind] = list(self.library.of_kind(section, kind))
        return self._all[section, kind]

    def _filtered(
        self, nodes: Iterable[Node], name: tuple[str | None, str], test: Callable[[Any], bool], user: str
    ) -> Iterable[Node]:
        level, field = name
        for node in nodes:
            subject = node
            if level == "show" and node.kind is not Kind.SHOW:
                subject = self.library.show_of(node) or node
            if test(self._value(subject, field, user)):
                yield node

    def _value(self, node: Node, name: str, user: str) -> Any:
        own = self.views.fields(user, node)
        if name in _OF_NODE:
            return _OF_NODE[name](node)
        if name == "inProgress":
            return "viewOffset" in own
        if name != "unwatched":
            return own.get(name, 0)
        if node.kind in (Kind.SHOW, Kind.SEASON):
            return self.views.viewed_leaves(user, node.key) < sum(1 for _ in self.library.leaves(node.key))
        return not own.get("viewCount")

    def _sort_key(self, name: str, user: str) -> Callable[[Node], Any]:
        return lambda node: self._value(node, name, user)


def _test(field_type: str, operator: str, wanted: str) -> Callable[[Any], bool]:
    """Return the test of one filter; the last ``=`` of an operator has been eaten by the query."""
    if field_type == "boolean":
        asked = (wanted == "1") != (operator == "!")
        return lambda value: bool(value) == asked
    if field_type == "string":
        return _text_test(operator, wanted.casefold())
    numbers = {int(number) for number in wanted.split(",") if number.isdecimal()} or {0}
    tests: dict[str, Callable[[Any], bool]] = {
        ">>": lambda value: value > min(numbers),
        "<<": lambda value: value < max(numbers),
        "!": lambda value: value not in numbers,
    }
    return tests.get(operator, lambda value: value in numbers)


def _text_test(operator: str, text: str) -> Callable[[Any], bool]:
    tests: dict[str, Callable[[Any], bool]] = {
        "=": lambda value: value.casefold() == text,
        "!=": lambda value: value.casefold() != text,
        "!": lambda value: text not in value.casefold(),
    }
    return tests.get(operator, lambda value: text in value.casefold())


def meta(section: Section) -> Element:
    """Return what can be filtered and sorted in a section."""
    kinds = [Kind.MOVIE] if section.kind is Kind.MOVIE else [Kind.SHOW, Kind.SEASON, Kind.EPISODE]
    types = [_type_element(section, kind, active=kind is section.kind) for kind in kinds]
    field_types = [
        element(
            "FieldType",
            *(element("Operator", key=key, title=title) for key, title in operators),
            type=name,
        )
        for name, operators in _OPERATORS.items()
    ]
    return element("Meta", *types, *field_types)


def _type_element(section: Section, kind: Kind, *, active: bool) -> Element:
    base = f"/library/sections/{section.key}"
    prefix = "" if active else f"{kind}."
    children = [
        element(
            "Filter",
            filter=f"{prefix}{name}",
            filterType=field_type,
            key=f"{base}/{name}",
            title=name,
            type="filter",
        )
        for name, field_type in _FIELDS.items()
        if field_type == "boolean"
    ]
    children += [
        element("Sort", key=name, descKey=f"{name}:desc", defaultDirection="asc", title=name) for name in _SORTS
    ]
    children += [
        element("Field", key=f"{kind}.{name}", title=name, type=field_type) for name, field_type in _FIELDS.items()
    ]
    key = f"{base}/all?type={TYPE_NUMBERS[kind]}"
    return element("Type", *children, key=key, type=str(kind), title=str(kind).title(), active=active)
