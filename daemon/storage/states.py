"""What can stand at a file's three names, and the next step from there. Pure.

A file has three names: the *original*'s (the path on the array), the *backup*'s (that name with ``.plexcached``), and
the *copy*'s (the path on the cache). Everything that ondeckd does to a file, recovery included, is a walk to one of
two goals: `Goal.CACHED` or `Goal.UNCACHED`. `decide` says what comes next from what stands at the names now, never
from what was meant to be there, so it does not matter where a walk was interrupted, or by whom.

Settled states (original, backup, copy):

==================  ============================  ==============================
placement           cached                        not cached
==================  ============================  ==============================
``union+keep``      recorded, nothing, recorded   recorded, nothing, nothing
``union+backup``    nothing, recorded, recorded   recorded, nothing, nothing
``union+remove``    nothing, nothing, recorded    recorded, nothing, nothing
``symlink+backup``  our link, recorded, recorded  recorded, nothing, nothing
``symlink+remove``  our link, nothing, recorded   recorded, nothing, nothing
==================  ============================  ==============================

Every version of a file that is found survives. The newest gets the media path; what it supersedes is parked under the
backup's name; and where that name is taken, or nobody can tell which is newer, all stay where they are and it is said.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, replace
from enum import StrEnum

from daemon.model import Entry, Goal

BACKUP_SUFFIX = ".plexcached"
"""What PlexCache-R appends to the name of an original that it puts aside; so users can change over, and back."""


class At(StrEnum):
    """What stands at a name."""

    NOTHING = "nothing"
    RECORDED = "recorded"
    """A regular file of the recorded size and modification time."""
    NEWER = "newer"
    """A regular file with content, but another than the recorded: somebody changed the copy. At the original's name:
    of the same size and time as such a copy."""
    OTHER = "other"
    """A regular file, but not the recorded one."""
    LINK = "link"
    """The link that ondeckd puts there: it leads to the copy."""
    FOREIGN = "foreign"
    """Anything else: a folder, another link, an empty file where the copy should be."""


class Step(StrEnum):
    """One change of paths. Each is safe to be interrupted anywhere in it, and to be begun again."""

    HIDE = "hide"
    """The original gets the backup's name; the union shows the copy."""
    LINK = "link"
    """The original gets the backup's name, and a link to the copy stands at the original's, in one instant."""
    REMOVE = "remove"
    """The backup is deleted, with the copy proven."""
    RESTORE = "restore"
    """The backup gets the original's name, over our link or over a second copy that is the same."""
    TIDY = "tidy"
    """The backup's name goes, which is our link or a second name of the original itself."""
    COPY_BACK = "copy back"
    """The copy's content gets the original's name."""
    PARK = "park"
    """The copy's content gets the backup's name, because a newer original has appeared."""
    DROP = "drop"
    """The copy is deleted, with the same content proven on the array."""
    DELETE_COPY = "delete copy"
    """The copy is deleted for good, because the file was deleted on purpose."""
    DELETE_BACKUP = "delete backup"
    """The backup is deleted for good, because the file was deleted on purpose."""


COPYING = frozenset({Step.COPY_BACK, Step.PARK})
"""Steps that take as long as the file is large. Recovery needs none of them."""

DELETIONS = frozenset({Goal.DELETED, Goal.SET_ASIDE})
"""Goals of files that somebody else has deleted: the media path no longer shows what was recorded."""


_REPLACED = {
    At.OTHER: "the original was replaced by another file since it was copied",
    At.NEWER: "the original was replaced by another file since it was copied",
    At.FOREIGN: "something that is no file stands at the original's name",
}
_BACKUPS = {
    At.NOTHING: "its original is missing; the copy is the only one",
    At.OTHER: "its backup is not what was put aside",
    At.FOREIGN: "its backup is not what was put aside",
}


@dataclass(frozen=True, slots=True)
class End:
    """Where a walk ends: `cached` or not. `why`: what is not as it should be, in one line; empty if all is well."""

    cached: bool
    why: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """What stands at the three names. `joined`: original and backup are one file with two names."""

    original: At
    backup: At
    copy: At
    joined: bool = False


def copy_at(found: os.stat_result | None, entry: Entry) -> At:
    """Return what a look at the copy's name amounts to."""
    if found is None:
        return At.NOTHING
    if not stat.S_ISREG(found.st_mode):
        return At.FOREIGN
    if (found.st_size, found.st_mtime_ns) == (entry.file.size, entry.copy_mtime_ns or entry.mtime_ns):
        return At.RECORDED
    # An empty file is what a writer that was cut off leaves, never the newer version of anything.
    return At.NEWER if found.st_size else At.FOREIGN


def decide(placement: str, goal: Goal, seen: Seen) -> Step | End:
    """Return the next step towards `goal`, or where the walk ends. Total: it has an answer to everything."""
    if placement.endswith("+keep"):
        seen = _without_backup(seen)
    if goal in DELETIONS:
        return _to_deleted(placement, seen, aside=goal is Goal.SET_ASIDE)
    return _to_cached(placement, seen) if goal is Goal.CACHED else _to_uncached(seen)


def recover(placement: str, goal: Goal, seen: Seen) -> Step | End:
    """Return the next step of the recovery of a journal row whose walk to `goal` was interrupted.

    Recovery goes to `Goal.CACHED` wherever there is a copy, so that nothing is evicted that may be playing; the
    queue still has the task that began it. It never copies, and never needs Plex. What was being deleted on purpose
    is deleted, unless something stands under its name again.
    """
    if goal in DELETIONS:
        return decide(placement, goal, seen)
    if seen.copy in {At.NEWER, At.FOREIGN} and goal is Goal.CACHED and seen.original is At.RECORDED:
        return End(cached=False, why="something else stands at its name on the cache; it is left alone")
    return decide(placement, Goal.CACHED, seen)


def _without_backup(seen: Seen) -> Seen:
    """Return what counts where originals are kept: a file under the backup's name is somebody else's.

    Unless the original was replaced: then the copy's content may have been parked there.
    """
    parked = seen.original is At.OTHER and seen.backup is At.RECORDED
    taken = seen.backup if parked or seen.backup is At.NOTHING else At.FOREIGN
    return replace(seen, backup=taken, joined=False)


def _to_cached(placement: str, seen: Seen) -> Step | End:  # noqa: PLR0911 - a table, one row each
    serve, _, original = placement.partition("+")
    links = serve == "symlink"
    if seen.copy is At.NOTHING:
        return _to_uncached(seen)
    if seen.copy is not At.RECORDED:
        return End(cached=True, why="the copy was changed on the cache")
    if seen.original is At.RECORDED:
        return _hide(seen, links=links, keeps=original == "keep")
    if seen.joined or seen.backup is At.LINK:
        return Step.TIDY
    if seen.original in _REPLACED:
        return End(cached=True, why=_REPLACED[seen.original])
    if links and seen.original is At.NOTHING:
        # Nothing serves the file now.
        return Step.RESTORE if seen.backup is At.RECORDED else End(cached=True, why="its link is missing")
    if seen.backup is At.RECORDED and original == "remove":
        return Step.REMOVE
    return End(cached=True, why=_BACKUPS.get(seen.backup, "") if original == "backup" else "")


def _hide(seen: Seen, *, links: bool, keeps: bool) -> Step | End:
    if keeps:
        return End(cached=True)
    if seen.backup is At.LINK and not links:
        return Step.TIDY
    if seen.joined or seen.backup in {At.NOTHING, At.LINK}:
        return Step.LINK if links else Step.HIDE
    # A copy that no link leads to serves nobody.
    taken = "the name of its backup is taken, so the original stays"
    return _to_uncached(seen) if links else End(cached=True, why=taken)


def _to_uncached(seen: Seen) -> Step | End:
    if seen.joined or seen.backup is At.LINK:
        return Step.TIDY
    if seen.copy is At.NOTHING:
        return _without_copy(seen)
    if seen.copy not in {At.RECORDED, At.NEWER}:
        return End(cached=True, why="something that is no copy stands at its name on the cache")
    if seen.original is At.FOREIGN:
        return End(cached=True, why="something that is no file stands at the original's name")
    return _from_newer(seen) if seen.copy is At.NEWER else _from_recorded(seen)


def _without_copy(seen: Seen) -> Step | End:
    restorable = seen.backup is At.RECORDED
    if seen.original in {At.NOTHING, At.LINK} and restorable:
        return Step.RESTORE
    if seen.original is At.LINK:
        return End(cached=True, why="the copy is gone, and its link leads nowhere")
    if seen.original is At.NOTHING:
        return End(cached=False, why="original and copy are both gone")
    if seen.original is At.RECORDED:
        return Step.RESTORE if restorable else End(cached=False, why=_superseded(seen))
    if seen.original is At.FOREIGN:
        why = "the copy is gone, and something that is no file stands at the original's name"
        # As long as there is an entry the backup is not forgotten.
        return End(cached=restorable, why=why)
    return End(cached=False, why=_superseded(seen))


def _from_recorded(seen: Seen) -> Step | End:
    if seen.original is At.RECORDED:
        return Step.RESTORE if seen.backup is At.RECORDED else Step.DROP
    if seen.original in {At.NOTHING, At.LINK}:
        return Step.RESTORE if seen.backup is At.RECORDED else Step.COPY_BACK
    if seen.backup is At.RECORDED:
        return Step.DROP
    if seen.backup is At.NOTHING:
        return Step.PARK
    return End(cached=True, why="the original was replaced, and the name of its backup is taken")


def _from_newer(seen: Seen) -> Step | End:
    if seen.original is At.NEWER:
        return Step.DROP
    if seen.original in {At.NOTHING, At.LINK}:
        return Step.COPY_BACK
    if seen.original is At.RECORDED and seen.backup is At.NOTHING:
        # The old version is put aside in the moment in which the new one gets its name.
        return Step.COPY_BACK
    if seen.original is At.RECORDED and seen.backup is At.RECORDED:
        return Step.RESTORE
    if seen.original is At.RECORDED:
        return End(cached=True, why="the copy was changed, and the name of the original's backup is taken")
    return End(cached=True, why="original and copy were both changed, and nobody can tell which is newer")


def _to_deleted(placement: str, seen: Seen, *, aside: bool) -> Step | End:
    if seen.backup is At.LINK:
        return Step.TIDY
    links, keeps = placement.startswith("symlink"), placement.endswith("+keep")
    free = seen.original is At.NOTHING
    if why := _still_there(seen, served=free and not links and not keeps and seen.copy is At.RECORDED):
        return End(seen.copy is not At.NOTHING or seen.backup is At.RECORDED, why)
    backed = seen.backup is At.RECORDED and not keeps
    if seen.copy is At.RECORDED:
        if aside and not backed:
            return End(cached=True, why="nobody has its content but the copy")
        return Step.DROP if aside else Step.DELETE_COPY
    if seen.copy is not At.NOTHING and (links or not free):
        return End(cached=True, why="the copy was changed on the cache")
    # In a union, what stands at the copy's name and is not as recorded is what somebody has put there since.
    return Step.DELETE_BACKUP if backed and not aside else End(cached=False, why=_superseded(seen))


def _still_there(seen: Seen, *, served: bool) -> str:
    if seen.joined or seen.original is At.RECORDED:
        return "the original still stands under its name"
    if seen.original is At.LINK:
        return "its link still stands"
    if seen.original is At.FOREIGN:
        return _REPLACED[At.FOREIGN]
    return "it still is served from the cache" if served else ""


def _superseded(seen: Seen) -> str:
    kept = seen.backup is not At.NOTHING
    return f"what stands under its name with {BACKUP_SUFFIX} is kept" if kept else ""
