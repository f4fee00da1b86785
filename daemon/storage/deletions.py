"""What has to hold before anything is deleted because somebody else has deleted a file on purpose."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Sequence
from pathlib import Path

from daemon.config import MappingSettings
from daemon.errors import SourceChanged
from daemon.model import Entry, File
from daemon.storage.faults import translated
from daemon.storage.paths import parts_below
from daemon.storage.sites import Site
from daemon.storage.states import At, Seen


def demand_deleted(site: Site, replaced_by: Sequence[tuple[MappingSettings, File]] = ()) -> None:
    """Raise unless the media path no longer shows the file, and what replaced it stands there. Blocks.

    UnsafeEvict where another file stands there by now, of which nobody has spoken; SourceChanged while the new one is
    not there, or not as large as it was said to be. What else is wrong the walk itself says.
    """
    site.deleted = True
    seen = site.look()
    if not replaced_by and (seen.original in {At.OTHER, At.NEWER} or seen.copy in {At.NEWER, At.FOREIGN}):
        site.refuse("another file stands under its name by now")
    for mapping, file in replaced_by:
        same = file.array_path == site.entry.file.array_path
        if not (_replaced(site, seen, file) if same else _stands(mapping, file)):
            raise SourceChanged(f"{file.array_path}, which takes its place, is not there as it was announced")
    if elsewhere := _link_elsewhere(site):
        site.refuse(f"its link stands at {elsewhere} now")


def _link_elsewhere(site: Site) -> str:
    """Return where below the array somebody has put the link to the copy, if anywhere.

    All of it is looked through: with links the copy may be the only one, and a link is moved as easily as a file.
    """
    entry = site.entry
    if not entry.link:
        return ""
    with translated(site.mapping.array):
        for folder, folders, names in os.walk(site.mapping.array, onerror=_raise):
            for name in (*names, *folders):
                path = os.path.join(folder, name)  # noqa: PTH118 - surrogates, and a hundred thousand of them
                if path != entry.file.array_path and _leads_to(path, entry):
                    return path
    return ""


def _leads_to(path: str, entry: Entry) -> bool:
    try:
        text = os.readlink(path)  # noqa: PTH115 - see above
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        if error.errno == errno.EINVAL:  # it is no link
            return False
        raise
    target = os.path.normpath(os.path.join(os.path.dirname(path), text))  # noqa: PTH118, PTH120 - see above
    return text == entry.link or target == entry.file.cache_path


def _raise(error: OSError) -> None:
    raise error


def _replaced(site: Site, seen: Seen, new: File) -> bool:
    """Say whether a new file of this size has taken the very name of the old one."""
    with translated(site.entry.file.array_path):
        if seen.original in {At.OTHER, At.NEWER}:
            return _is_file(site.entry.file.array_path, new.size)
        return seen.copy is At.NEWER and _is_file(site.entry.file.cache_path, new.size)


def _stands(mapping: MappingSettings, new: File) -> bool:
    union = [str(Path(mapping.union, *parts_below(new.array_path, mapping.array)))] if mapping.union else []
    with translated(new.array_path):
        return any(_is_file(path, new.size) for path in (new.array_path, new.cache_path, *union))


def _is_file(path: str, size: int) -> bool:
    try:
        found = Path(path).stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return stat.S_ISREG(found.st_mode) and found.st_size > 0 and found.st_size == (size or found.st_size)
