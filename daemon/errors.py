"""The error tree. The class alone says whether to retry, when, at which level to log, and whether to stop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

Level = Literal["debug", "info", "warning", "error"]


class OndeckdError(Exception):
    """An error that ondeckd foresees. The message is one line for a person."""

    retry: ClassVar[bool] = False
    """Whether the same work may succeed later."""
    counts: ClassVar[bool] = True
    """Whether a failure uses up one of a task's attempts."""
    level: ClassVar[Level] = "error"
    """The level at which it is logged."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message or (type(self).__doc__ or "").split("\n", 1)[0])


class ConfigError(OndeckdError):
    """The configuration has faults."""

    def __init__(self, faults: Sequence[str]) -> None:
        """Take every fault at once, each one line: file, key, what is wrong, what is allowed."""
        self.faults = tuple(faults)
        super().__init__("\n".join(self.faults))


class PlexError(OndeckdError):
    """Something about Plex."""

    level: ClassVar[Level] = "warning"


class PlexUnavailable(PlexError):
    """Plex does not answer, or answers that it is starting."""

    retry = True
    counts = False


class PlexUnauthorized(PlexError):
    """Plex refuses the token."""

    retry = True
    counts = False
    level: ClassVar[Level] = "error"


class PlexNotFound(PlexError):
    """Plex does not know the item (any more)."""

    level: ClassVar[Level] = "info"


class RemoteError(OndeckdError):
    """Something about a service outside this house: plex.tv, a watchlist feed, Trakt."""

    level: ClassVar[Level] = "warning"


class RemoteUnavailable(RemoteError):
    """The service does not answer, or answers with an error or with something that makes no sense."""

    retry = True
    counts = False


class RemoteBusy(RemoteUnavailable):
    """The service asks for fewer requests. `after`: seconds after which it may be asked again."""

    def __init__(self, message: str = "", *, after: float = 0.0) -> None:
        super().__init__(message)
        self.after = after


class RemoteRefused(RemoteError):
    """The service refuses the token."""

    retry = True
    counts = False


class RemoteHidden(RemoteRefused):
    """The service keeps from this token what somebody does not show; the token is good otherwise."""


class RemoteNotFound(RemoteError):
    """The service does not know what it is asked for."""


class StorageError(OndeckdError):
    """Something about files. `path` lies on the tier that failed; empty where that is not known."""

    def __init__(self, message: str = "", *, path: str = "") -> None:
        super().__init__(message)
        self.path = path


class NoSpace(StorageError):
    """The destination has not enough room."""

    retry = True
    level: ClassVar[Level] = "warning"


class SourceChanged(StorageError):
    """The source changed while it was copied."""

    retry = True
    level: ClassVar[Level] = "warning"


class SourceMissing(StorageError):
    """The source is not there."""

    level: ClassVar[Level] = "warning"


class VerifyFailed(StorageError):
    """The copy is not what the source is."""

    retry = True


class TierUnavailable(StorageError):
    """A tier cannot be read or written (read-only, permission, I/O error)."""

    retry = True
    level: ClassVar[Level] = "error"


class TierRefused(TierUnavailable):
    """A tier may not be changed: it is mounted read-only, or this user has no permission."""


class AnchorMissing(StorageError):
    """The anchor of a mapping is missing: its array is not mounted. Everything that moves pauses."""

    retry = True
    counts = False


class UnsafeEvict(StorageError):
    """No other complete copy is proven, so the cached copy stays."""


class Skipped(StorageError):
    """The file is left alone on purpose (hard links, a foreign file at the target)."""

    level: ClassVar[Level] = "info"


class UnmappedPath(StorageError):
    """No mapping covers the path, or it leads out of its root."""

    level: ClassVar[Level] = "warning"


class TargetNotFound(OndeckdError):
    """The target names no item that Plex or the ledger knows."""

    level: ClassVar[Level] = "info"


class TargetBusy(OndeckdError):
    """The target is being played."""

    level: ClassVar[Level] = "info"


class Unforeseen(OndeckdError):
    """A fault that nobody foresaw; the log has its trace."""


class StateError(OndeckdError):
    """The state folder cannot be used: locked by another ondeckd, corrupt, or not writable."""
