"""What one setting says about another. Each check yields the faults it finds and looks at nothing on disk."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, permutations, product

from daemon.settings.faults import Fault
from daemon.settings.models import MappingSettings, Settings

Numbered = tuple[int, MappingSettings]
"""A mapping with its number in the file."""


def cross_faults(settings: Settings) -> Iterator[Fault]:
    """Yield all faults between settings that are right one by one; mappings are numbered as they stand."""
    yield from _space(settings)
    yield from _secrets(settings)
    mappings = list(enumerate(settings.mapping))
    for number, mapping in mappings:
        yield from _placement(number, mapping)
    yield from _names(mappings)
    enabled = [(number, mapping) for number, mapping in mappings if mapping.enabled]
    for one, other in combinations(enabled, 2):
        yield from _same_roots(one, other)
    for one, other in product(enabled, repeat=2):
        yield from _cache_and_array(one, other)
    for inner, outer in permutations(enabled, 2):
        yield from _nested(inner, outer)


def _space(settings: Settings) -> Iterator[Fault]:
    if "evict_to" not in settings.space.model_fields_set:
        # A limit below the default of evict_to is meant; the lower of both holds.
        return
    limit, evict_to = settings.space.limit, settings.space.evict_to
    # A share and an amount can be compared only where the file system is known.
    if _more(evict_to.percent, limit.percent) or _more(evict_to.bytes, limit.bytes):
        yield Fault(
            ("space", "evict_to"),
            "is more than space.limit, so nothing would ever be freed",
            f"up to {limit}",
            f'"{evict_to}"',
            with_=(("space", "limit"),),
        )


def _more(one: float | None, other: float | None) -> bool:
    return one is not None and other is not None and one > other


def _secrets(settings: Settings) -> Iterator[Fault]:
    if settings.plex.token.get_secret_value() and settings.plex.token_file:
        yield Fault(("plex", "token_file"), "plex.token is set too", "only one of them", with_=(("plex", "token"),))
    if not settings.web.loopback and not settings.web.password_hash.get_secret_value():
        yield Fault(
            ("web", "listen"),
            "is open to others and has no password; `ondeckd hash-password` prints one for web.password_hash",
            "without a password only 127.0.0.1, [::1] or localhost",
            f'"{settings.web.listen}"',
            with_=(("web", "password_hash"),),
        )
    if settings.trending.enabled and not settings.trending.client_id.get_secret_value():
        yield Fault(
            ("trending", "client_id"),
            "is needed where trending.enabled = true",
            "the client id of an application at Trakt",
            with_=(("trending", "enabled"),),
        )


def _placement(number: int, mapping: MappingSettings) -> Iterator[Fault]:
    key = ("mapping", number)
    if mapping.serve == "symlink":
        if mapping.original == "keep":
            yield Fault(
                (*key, "original"),
                'cannot be "keep" where serve = "symlink": link and original would need the same name',
                '"backup" or "remove", or serve = "union"',
            )
        if mapping.union:
            yield Fault((*key, "union"), 'means nothing where serve = "symlink"', '"", or serve = "union"')
        return
    if mapping.link != "absolute":
        yield Fault((*key, "link"), 'means nothing where serve = "union"', '"absolute", or serve = "symlink"')
    if mapping.link_target:
        yield Fault((*key, "link_target"), 'means nothing where serve = "union"', '"", or serve = "symlink"')
    for name, root in (("array", mapping.array), ("cache", mapping.cache)):
        if mapping.union and _within(mapping.union, root) is not None:
            yield Fault(
                (*key, "union"),
                f"is the {name} itself, or inside it, and would prove nothing",
                "the merged view of both tiers, a third folder",
                f'"{mapping.union}"',
            )


def _names(mappings: list[Numbered]) -> Iterator[Fault]:
    for (_, first), (number, second) in combinations(mappings, 2):
        if first.name.casefold() == second.name.casefold():
            yield Fault(
                ("mapping", number, "name"),
                "another mapping has this name",
                "a name of its own",
                f'"{second.name}"',
            )


def _same_roots(one: Numbered, other: Numbered) -> Iterator[Fault]:
    (_, first), (number, second) = one, other
    for key in ("plex", "array", "cache"):
        if getattr(first, key) == getattr(second, key):
            yield Fault(
                ("mapping", number, key),
                f'mapping "{first.name}" has the same root',
                "a root of its own, which may lie inside another's",
                f'"{getattr(second, key)}"',
            )


def _cache_and_array(one: Numbered, other: Numbered) -> Iterator[Fault]:
    (number, first), (_, second) = one, other
    whose = "its own" if first is second else f'mapping "{second.name}"\'s'
    if _within(first.cache, second.array) is not None:
        how = "is" if first.cache == second.array else "lies inside"
    elif _within(second.array, first.cache) is not None:
        how = "contains"
    else:
        return
    yield Fault(
        ("mapping", number, "cache"),
        f"{how} {whose} array root {second.array}",
        "a folder apart from every array root",
        f'"{first.cache}"',
    )


def _nested(inner: Numbered, outer: Numbered) -> Iterator[Fault]:
    """Find roots that nest on one tier but not likewise on the other: two files would meet in one place."""
    (number, small), (_, large) = inner, outer
    for key, tier in (("cache", "array"), ("array", "cache")):
        below = _within(getattr(small, key), getattr(large, key))
        if below and getattr(small, tier) != getattr(large, tier) + below:
            yield Fault(
                ("mapping", number, key),
                f'lies inside that of mapping "{large.name}", but its {tier} does not likewise',
                f'another {key}, or {tier} = "{getattr(large, tier)}{below}"',
                f'"{getattr(small, key)}"',
            )


def _within(path: str, root: str) -> str | None:
    """Return what follows `root` in `path` (empty if they are the same), None if `path` is not in it."""
    if path == root:
        return ""
    return path.removeprefix(root) if path.startswith(root + "/") else None
