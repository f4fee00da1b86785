"""What the HTTP side is given by the composition root."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from daemon.config import Settings
from daemon.feed import Feed
from daemon.metrics import Metrics
from daemon.web.service import Auditor, Household, Pinner, Service


@dataclass(frozen=True, slots=True)
class WebContext:
    """`settings` returns those in force now, so that a reload needs no restart of the server.

    `webhook_secret` is the generated one; it counts while ``web.webhook_secret`` is empty. `keep_alive` is
    the silence in seconds after which a reader of events is sent a comment. `announce` records durably what
    ``sonarr`` or ``radarr`` sent, and says whether it concerns the files of this library.
    """

    service: Service
    feed: Feed
    metrics: Metrics
    settings: Callable[[], Settings]
    webhook_secret: str
    auditor: Auditor
    keep_alive: float = 15.0
    pinner: Pinner | None = None
    household: Household | None = None
    announce: Callable[[str, dict[str, Any]], Awaitable[bool]] | None = None
