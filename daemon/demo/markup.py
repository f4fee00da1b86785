"""Answers as elements, written as XML or as JSON in the two dialects that Plex speaks."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

Value = str | int | float | bool
"""A field's value: JSON keeps its type, XML writes text and booleans as 0 and 1."""

_XML_START = '<?xml version="1.0" encoding="UTF-8"?>\n'
_ITEM_TAGS = frozenset({"Video", "Directory", "Track", "Photo"})
_SINGLE_TAGS = frozenset({"User", "Player", "Session", "TranscodeSession", "OnDeck", "Context", "Meta"})
_XML_ESCAPES = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\t": "&#9;", "\n": "&#10;", "\r": "&#13;"}
)


@dataclass(slots=True)
class Element:
    """One element of an answer. Fields that are None are left out, as Plex does."""

    tag: str
    fields: dict[str, Value] = field(default_factory=dict)
    children: list[Element] = field(default_factory=list)

    def xml(self) -> str:
        """Return this element as XML."""
        inner = "".join([child.xml() for child in self.children])
        return f"{self.xml_head()}>{inner}</{self.tag}>" if inner else f"{self.xml_head()}/>"

    def xml_head(self) -> str:
        """Return the opening tag without its end."""
        return f"<{self.tag}{xml_fields(self.fields)}"

    def json(self) -> dict[str, Any]:
        """Return this element as JSON data: children of one name become an array, none no key at all."""
        data: dict[str, Any] = dict(self.fields)
        for child in self.children:
            name = child.json_name()
            if child.tag == "Attributes":
                data.update(child.fields)
            elif child.tag in _SINGLE_TAGS:
                data[name] = child.json()
            else:
                data.setdefault(name, []).append(child.json())
        return data

    def json_text(self) -> str:
        return to_json(self.json())

    def json_name(self) -> str:
        """Return the key under which the parent holds this element."""
        is_item = self.tag in _ITEM_TAGS and ("ratingKey" in self.fields or "type" in self.fields)
        return "Metadata" if is_item and "agent" not in self.fields else self.tag


def element(tag: str, *children: Element, **fields: Value | None) -> Element:
    """Make an element; fields that are None are left out, a trailing underscore of a name is dropped."""
    given = {name.rstrip("_"): value for name, value in fields.items() if value is not None}
    return Element(tag, given, list(children))


def to_json(data: object) -> str:
    return json.dumps(data, ensure_ascii=False)


def xml_fields(fields: Mapping[str, Value]) -> str:
    """Return the attributes as they stand in a tag, each after a blank."""
    return "".join([f' {name}="{_xml_value(value)}"' for name, value in fields.items()])


def _xml_value(value: Value) -> str:
    if value is True or value is False:
        return "1" if value else "0"
    return str(value).translate(_XML_ESCAPES)


class Rendered:
    """An item written once and kept; what differs between users is put in at each answer."""

    __slots__ = ("_head", "_inner", "_text", "name", "tag")

    def __init__(self, item: Element) -> None:
        self.tag = item.tag
        self.name = item.json_name()
        self._head = item.xml_head()
        self._inner = "".join([child.xml() for child in item.children])
        self._text = to_json(item.json())[:-1]

    def xml(self, own: Mapping[str, Value], more: Iterable[Element] = ()) -> str:
        """Return the item as XML with a user's own fields and further children."""
        inner = self._inner + "".join([child.xml() for child in more])
        return f"{self._head}{xml_fields(own)}>{inner}</{self.tag}>"

    def json_text(self, own: Mapping[str, Value], more: Iterable[Element] = ()) -> str:
        """Return the item as JSON with a user's own fields and further children."""
        added: dict[str, Any] = {**own, **{child.json_name(): child.json() for child in more}}
        return f"{self._text}, {to_json(added)[1:]}" if added else self._text + "}"


@dataclass(slots=True)
class Entry:
    """An item on its way into an answer: the kept rendering, and what is this user's."""

    item: Rendered
    own: Mapping[str, Value] = field(default_factory=dict)
    more: list[Element] = field(default_factory=list)

    def xml(self) -> str:
        return self.item.xml(self.own, self.more)

    def json_text(self) -> str:
        return self.item.json_text(self.own, self.more)

    def json_name(self) -> str:
        return self.item.name


Child = Element | Entry


@dataclass(slots=True)
class Container:
    """A whole answer: fields of the ``MediaContainer`` and what it holds."""

    children: list[Child]
    fields: dict[str, Value] = field(default_factory=dict)
    tag: str = "MediaContainer"

    def xml(self) -> str:
        """Return the answer as an XML document."""
        inner = "".join([child.xml() for child in self.children])
        return f"{_XML_START}<{self.tag}{xml_fields(self.fields)}>{inner}</{self.tag}>"

    def json_text(self) -> str:
        """Return the answer as a JSON document."""
        groups: dict[str, list[str]] = {}
        for child in self.children:
            groups.setdefault(child.json_name(), []).append(child.json_text())
        parts = [f"{to_json(name)}: {to_json(value)}" for name, value in self.fields.items()]
        for name, texts in groups.items():
            listed = texts[0] if name in _SINGLE_TAGS else f"[{', '.join(texts)}]"
            parts.append(f"{to_json(name)}: {listed}")
        return f'{{"{self.tag}": {{{", ".join(parts)}}}}}'


def container(children: Iterable[Child] = (), **fields: Value | None) -> Container:
    """Make an answer that holds `children`; fields that are None are left out."""
    held = list(children)
    given = {name: value for name, value in fields.items() if value is not None}
    return Container(held, {"size": len(held), **given})
