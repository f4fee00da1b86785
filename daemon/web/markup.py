"""HTML in which nothing is left unescaped by mistake."""

from __future__ import annotations

from html import escape

_VOID = frozenset({"input", "link", "meta"})


class Html(str):
    """Text that is HTML already. Every other text is escaped where it is put into some."""

    __slots__ = ()


def tag(name: str, *children: str, **attributes: str | bool | None) -> Html:
    """Return one element. An underscore at an attribute's end is dropped, others become hyphens.

    An attribute that is False or None is left out, one that is True stands without a value.
    """
    opening = name
    for key, value in attributes.items():
        attribute = key.removesuffix("_").replace("_", "-")
        if value is True:
            opening += f" {attribute}"
        elif value not in (False, None):
            opening += f' {attribute}="{escape(str(value))}"'
    if name in _VOID:
        return Html(f"<{opening}>")
    return Html(f"<{opening}>{join(*children)}</{name}>")


def join(*children: str) -> Html:
    """Return all of them, one after the other."""
    return Html("".join(child if isinstance(child, Html) else escape(child) for child in children))


def document(title: str, *body: str, script: str = "") -> bytes:
    """Return a whole page. What is not valid Unicode in a name becomes a question mark."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name_="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name_="color-scheme", content="light dark"),
        tag("title", title),
        tag("link", rel="icon", type="image/svg+xml", href="/static/icon.svg"),
        tag("link", rel="stylesheet", href="/static/ondeckd.css"),
        *([tag("script", src=script, defer=True)] if script else []),
    )
    page = tag("html", head, tag("body", *body), lang="en")
    return f"<!doctype html>\n{page}\n".encode(errors="replace")
