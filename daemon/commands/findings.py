"""What `check` finds: its lines, and those about the room on the caches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from daemon.config import Settings, SpaceSettings
from daemon.storage.space import room

EXIT_CONFIG = 78


@dataclass(frozen=True, slots=True)
class Line:
    """One finding. `level`: ``ok``, ``note``, ``warning`` or ``fault``; `exit_code` counts for a fault."""

    about: str
    level: str
    text: str
    exit_code: int = 0


def space_lines(settings: Settings) -> Iterator[Line]:
    """Compare the limits with each cache's file system. Blocks; a cache that cannot be measured is left out."""
    names: dict[str, list[str]] = {}
    sizes: dict[str, tuple[int, int]] = {}
    for mapping in settings.mapping:
        if mapping.enabled:
            try:
                key, total, free = room(mapping.cache)
            except OSError:
                continue  # which is told with the mapping
            names.setdefault(key, []).append(mapping.name)
            sizes[key] = total, free
    for key, found in names.items():
        yield from _compared(", ".join(found), *sizes[key], settings.space)


def _compared(names: str, total: int, free: int, space: SpaceSettings) -> Iterator[Line]:
    size = f"the cache of {_gigabytes(total)}"
    limit = min(space.limit.of(total), total) if space.limit else total
    most = min(limit, total - space.min_free.of(total))
    if most <= 0:
        text = f"{names}: min_free = {space.min_free} is all of {size}: nothing can ever be cached; change min_free"
        yield Line("space", "fault", text, EXIT_CONFIG)
        return
    if (space.limit.bytes or 0) > total:
        yield Line("space", "warning", f"{names}: limit = {space.limit} is more than {size}, and limits nothing")
    if space.quota and space.quota.of(total) > most:
        text = f"{names}: quota = {space.quota} is more than the {_gigabytes(most)} that the other limits allow"
        yield Line("space", "warning", f"{text}, and limits nothing")
    used = f"{names}: {_gigabytes(total - free)} of {size} are used, {_gigabytes(most)} may be"
    if total - free >= most:
        yield Line("space", "warning", f"{used}: nothing more is cached until something leaves")
    else:
        yield Line("space", "ok", used)


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:.1f} GB"
