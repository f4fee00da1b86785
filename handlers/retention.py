"""What time alone changes: demands and retentions that have run out."""

from __future__ import annotations

from collections.abc import Iterable

from daemon.model import Changes, Demand, DemandKind, Retention


def expired(demands: Iterable[Demand], retentions: Iterable[Retention]) -> Changes:
    """Drop what is over. The caller passes only rows whose time has come."""
    return Changes(
        drop_demands=tuple(demands),
        drop_retentions=tuple((retention.rating_key, retention.user) for retention in retentions),
    )


def released(demands: Iterable[Demand], retentions: Iterable[Retention]) -> Changes:
    """Drop everything that keeps an item, because a person asked to evict it; what plays keeps its demand."""
    changes = expired(demands, retentions)
    return Changes(
        drop_demands=tuple(demand for demand in changes.drop_demands if demand.kind is not DemandKind.PLAYING),
        drop_retentions=changes.drop_retentions,
    )
