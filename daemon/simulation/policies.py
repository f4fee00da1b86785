"""The reference policies that ondeckd is measured against, by name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from daemon.simulation.batch import Batch
from daemon.simulation.clairvoyant import Clairvoyant
from daemon.simulation.engine import MakePolicy
from daemon.simulation.idle import Idle
from daemon.simulation.lru import LeastRecentlyUsed
from daemon.simulation.ours import Ours

POLICIES: Mapping[str, MakePolicy] = MappingProxyType(
    {policy.name: policy for policy in (Ours, Batch, LeastRecentlyUsed, Idle, Clairvoyant)}
)
"""Every policy by its name, ondeckd's own first."""
