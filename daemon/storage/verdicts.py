"""What an audit makes of what it sees at a file's names. Pure."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from types import MappingProxyType

from daemon.config import MappingSettings
from daemon.model import Entry, File
from daemon.storage.findings import Finding, Name, is_video
from daemon.storage.paths import file_below, parts_below
from daemon.storage.states import BACKUP_SUFFIX, At, End, Seen, Step
from daemon.storage.strays import led_to

Stat = os.stat_result | None
"""What stands at a name, links not followed; None: nothing."""


_NEXT: Mapping[Step, str] = MappingProxyType(
    {
        Step.HIDE: "its original was not put aside yet",
        Step.LINK: "its original was not put aside yet, and no symlink stands in its place",
        Step.REMOVE: "its backup was not deleted yet",
        Step.RESTORE: "nothing serves the file now, until its backup has its name again",
        Step.TIDY: "what stands under its backup's name is left over",
        Step.COPY_BACK: "its content was not copied to the array yet",
        Step.PARK: "its content was not copied to the array yet",
        Step.DROP: "its copy was not deleted yet",
    }
)
"""What to say where one of these comes next."""


def presumed(file: File, found: os.stat_result, placement: str, *, link: str = "") -> Entry:
    """Return an entry for a file that has none, of which `found` is a version."""
    sized = File(file.plex_path, file.array_path, file.cache_path, file.mapping, found.st_size)
    return Entry(sized, found.st_mtime_ns, 0.0, placement=placement, link=link)


def copy_led_to(mapping: MappingSettings, file: File, text: str) -> str:
    """Return the path on the cache that a link at the original's name leads to; empty if it leads elsewhere."""
    found = led_to(text, "/".join(parts_below(file.array_path, mapping.array)), mapping)
    return found.cache_path if found else ""


def of_entry(entry: Entry, seen: Seen, step: Step | End) -> Finding | None:
    """Judge an entry whose copy stands, by a look at the array. `step` comes next on the way to a settled state."""
    path, mapping = entry.file.cache_path, entry.file.mapping
    if seen.copy is not At.RECORDED:
        return of_changed(entry)
    serve, _, original = entry.placement.partition("+")
    lost = seen.original in {At.NOTHING, At.LINK} and seen.backup is not At.RECORDED and original != "remove"
    if lost or (seen.original is At.NOTHING and serve == "symlink" and isinstance(step, End)):
        text = "this copy is the only one" if lost else "its symlink is missing, so nothing serves it"
        return Finding(Name.MISSING_ORIGINAL, path, text, mapping, entry)
    if seen.original is At.RECORDED and original != "keep" and not seen.joined:
        text = "the array has the same file too, where its original should have been put aside"
        return Finding(Name.DUPLICATE, path, text, mapping, entry)
    if not isinstance(step, End):
        return Finding(Name.UNFINISHED, entry.file.array_path, _NEXT[step], mapping, entry)
    if step.why:
        return Finding(Name.CHANGED_COPY, path, step.why, mapping, entry)
    return None


def of_changed(entry: Entry) -> Finding:
    """Return what is said of a copy that is not as recorded."""
    text = "size or modification time are not those that were recorded"
    return Finding(Name.CHANGED_COPY, entry.file.cache_path, text, entry.file.mapping, entry)


def of_other_bytes(entry: Entry) -> Finding:
    """Return what is said of a copy that only its checksum tells from what was recorded.

    Its bytes stand nowhere else, so no fix may delete it, and it is not known to be newer than the original.
    """
    advice = "evict it, which first proves that the original is what was recorded"
    if entry.placement.endswith("+remove"):
        advice = "there is no other copy, so keep it until you have one"
    text = f"the disk gives back other bytes than were recorded; {advice}"
    return Finding(Name.CHANGED_COPY, entry.file.cache_path, text, entry.file.mapping, entry, fixable=False)


def of_missing(entry: Entry, seen: Seen | None = None) -> Finding:
    """Return what is said of an entry without a copy. `seen`: what a look at the array showed; None without one."""
    wakes = not entry.keeps_original
    text = _without_copy(entry.placement, seen)
    return Finding(Name.MISSING_COPY, entry.file.cache_path, text, entry.file.mapping, entry, wakes=wakes)


def _without_copy(placement: str, seen: Seen | None) -> str:
    gone = "get the file back from a backup of your own"
    if seen and seen.original in {At.RECORDED, At.OTHER}:
        other = "" if seen.original is At.RECORDED else "another version of "
        return f"{other}its original stands at its name on the array, so only the entry is left over"
    if seen and seen.backup is At.RECORDED:
        return "its original is put aside on the array"
    if seen:
        return f"nothing on the array is known to be its original, so this content may be lost: {gone}"
    if placement.endswith("+keep"):
        return "its original was left in its place on the array"
    if placement.endswith("+remove"):
        return "its original was deleted when it was cached, so unless it was brought back since, it is lost: " + gone
    return "its original was put aside on the array"


def of_foreign(mapping: MappingSettings, file: File, copy: os.stat_result, original: Stat, backup: Stat) -> Finding:
    """Judge a file on the cache without an entry by what the array has under its names."""
    name, entry, text = Name.FOREIGN_COPY, None, "the array has no such file: this is the only copy"
    links = mapping.serve == "symlink"
    if original and _same(copy, original):
        name, text = Name.DUPLICATE, "ondeckd did not place this copy, and the array has the same file too"
        if links:
            # Adopting makes no link, so it would be an entry of a copy that nobody reads.
            text += "; no symlink leads here: remove this copy by hand, so that ondeckd can cache the file itself"
        else:
            entry = presumed(file, copy, "union+keep")
    elif original:
        text = "another version of it stands on the array"
    elif links and backup and _same(copy, backup):
        text = "its backup is the same file, and no symlink leads here: remove this copy by hand, then audit again"
    elif backup and _same(copy, backup):
        entry, text = presumed(file, copy, "union+backup"), "its backup on the array is the same file"
    elif backup:
        text = f"only {BACKUP_SUFFIX} stands on the array, and does not prove it"
    return Finding(name, file.cache_path, text, mapping.name, entry, fixable=entry is not None, adopts=True)


def of_link(mapping: MappingSettings, file: File, text: str, standing: Stat, backup: Stat) -> Finding | None:
    """Judge a link on the array that no entry accounts for; `standing`: what is there where it leads on the cache."""
    target, path = copy_led_to(mapping, file, text), file.array_path
    if not target:
        inside = f"{_joined(path, text)}/".startswith(f"{mapping.array}/")
        return None if inside else Finding(Name.FOREIGN_LINK, path, f"it leads to {text}", mapping.name, fixable=False)
    if standing is None:
        entry = presumed(file, backup, "symlink+backup", link=text) if _is_file(backup) and backup else None
        said = "its backup stands beside it" if entry else "it has no backup; nothing is left of it here"
        return Finding(Name.DANGLING_LINK, path, said, mapping.name, entry, fixable=entry is not None)
    if target != file.cache_path or not _is_file(standing):
        return Finding(Name.FOREIGN_LINK, path, f"it leads to {text}", mapping.name, fixable=False)
    entry = presumed(file, standing, "symlink+backup" if backup else "symlink+remove", link=text)
    if backup and not _same(standing, backup):
        said = "its backup is another version than the copy: compare the two by hand"
        return Finding(Name.UNENTERED_LINK, path, said, mapping.name, entry, fixable=False)
    said = "it leads to a copy that ondeckd knows nothing of"
    return Finding(Name.UNENTERED_LINK, path, said, mapping.name, entry, adopts=True)


def of_backup(file: File, backup: os.stat_result, original: Stat, copy: Stat) -> Finding | None:
    """Judge a backup that no entry accounts for."""
    path, mapping = file.array_path + BACKUP_SUFFIX, file.mapping
    if original is None and copy is None:
        text = "original and copy are both gone: this is the only one"
        return Finding(Name.ORPHANED, path, text, mapping, presumed(file, backup, "union+backup"))
    if original is None or stat.S_ISLNK(original.st_mode):
        return None  # which is told with the copy, or the link
    if _is_file(original) and original.st_size == backup.st_size:
        text = "the original of the same size stands beside it"
        return Finding(Name.REDUNDANT, path, text, mapping, presumed(file, original, "union+keep"))
    text = f"{file.array_path} stands there now, and is another version"
    return Finding(Name.SUPERSEDED, path, text, mapping, fixable=False)


def of_malformed(
    mapping: MappingSettings, parts: tuple[str, ...], size: int, held: Mapping[str, int], beside: Mapping[str, int]
) -> Finding:
    """Judge a backup without inner extension.

    `held`: the sizes of files of this name with an extension, as the ledger or the cache have them; `beside`: of those
    on the array. A file beside it of another size proves nothing: it is as likely the video's subtitle.
    """
    path = "/".join((mapping.array, *parts))
    alike = {name for known in (held, beside) for name, one in known.items() if one == size}
    names = alike or {name for name in held if is_video(name)}
    if len(names) != 1:
        why = (
            f"it may have been any of {', '.join(sorted(names))}" if names else "nothing proves which extension it had"
        )
        why += (
            f"; rename it by hand to its right name, such as {parts[-1].removesuffix(BACKUP_SUFFIX)}.mkv{BACKUP_SUFFIX}"
        )
        return Finding(Name.MALFORMED, path, why, mapping.name, fixable=False)
    (name,) = names
    file = file_below(mapping, "/".join((*parts[:-1], name)), size)
    return Finding(Name.MALFORMED, path, f"it was {name}", mapping.name, Entry(file, 0, 0.0))


def _joined(path: str, text: str) -> str:
    return os.path.normpath(os.path.join(os.path.dirname(path), text))  # noqa: PTH118, PTH120 - no disk is asked


def _is_file(found: Stat) -> bool:
    return found is not None and stat.S_ISREG(found.st_mode)


def _same(one: os.stat_result, other: os.stat_result) -> bool:
    """Say whether these are files of the same size and time; never of one and the same file."""
    alike = (one.st_size, one.st_mtime_ns) == (other.st_size, other.st_mtime_ns)
    twins = (one.st_dev, one.st_ino) != (other.st_dev, other.st_ino)
    return alike and twins and _is_file(one) and _is_file(other)
