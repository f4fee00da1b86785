"""What a person may name: a rating key, a Plex URL, or a path."""

from __future__ import annotations

import re

_KEY_IN_URL = re.compile(r"/library/metadata/(\w+)")


def rating_key_in(target: str) -> str:
    """Return the rating key that a target is or holds; empty for any other target."""
    if target.isdigit():
        return target
    found = _KEY_IN_URL.search(target.replace("%2F", "/").replace("%2f", "/"))
    return found[1] if found else ""
