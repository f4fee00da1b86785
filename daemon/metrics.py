"""The figures for Prometheus, all under ``ondeckd_``."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping

from prometheus_client import CollectorRegistry, Counter, Histogram, Info, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from daemon.model import DemandKind, TaskState

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""The type of what `Metrics.text` returns."""

_COPY = (0.1, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800)
_REACTION = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5)
_REQUEST = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


_READ = tuple(kind for kind in DemandKind if kind not in {DemandKind.PLAYING, DemandKind.NEXT_UP})
"""The kinds of demands that are read from sources."""


class _Live(Collector):
    """Gauges that are asked for their value at each scrape."""

    def __init__(self) -> None:
        self.tasks: Callable[[], Mapping[TaskState, int]] = dict
        self.cached: Callable[[], tuple[int, int]] = lambda: (0, 0)
        self.connected: Callable[[], bool] = lambda: False
        self.age: Callable[[], float | None] = lambda: None
        self.arrays: Callable[[], Mapping[str, bool]] = dict
        self.failing: Callable[[], Mapping[str, int]] = dict

    def collect(self) -> Iterator[Metric]:
        files, size = self.cached()
        said = "Videos that ondeckd placed on the cache (their subtitles are not counted)."
        yield GaugeMetricFamily("ondeckd_cached_files", said, files)
        yield GaugeMetricFamily("ondeckd_cached_bytes", "Their size in bytes.", size)
        tasks = GaugeMetricFamily("ondeckd_tasks", "Tasks in the queue's table, by state.", labels=["state"])
        counts = self.tasks()
        for state in TaskState:
            tasks.add_metric([state.value], counts.get(state, 0))
        yield tasks
        yield GaugeMetricFamily(
            "ondeckd_notifications_connected", "1 while Plex's notifications arrive.", int(self.connected())
        )
        failing = GaugeMetricFamily(
            "ondeckd_sources_failing", "Sources that cannot be read now, of all users.", labels=["kind"]
        )
        counts_by_kind = self.failing()
        for kind in _READ:
            failing.add_metric([kind], counts_by_kind.get(kind, 0))
        yield failing
        arrays = GaugeMetricFamily("ondeckd_array_awake", "1 while the mapping's array is awake.", labels=["mapping"])
        for mapping, awake in self.arrays().items():
            arrays.add_metric([mapping], int(awake))
        yield arrays
        age = self.age()
        yield GaugeMetricFamily(
            "ondeckd_notification_age_seconds",
            "Seconds since something was last heard from Plex's notifications; NaN: never.",
            math.nan if age is None else age,
        )


class _Plain(Collector):
    """Another collector without the time at which each series was created."""

    def __init__(self, inner: Collector) -> None:
        self._inner = inner

    def collect(self) -> Iterator[Metric]:
        for metric in self._inner.collect():
            metric.samples = [sample for sample in metric.samples if not sample.name.endswith("_created")]
            yield metric


class Metrics:
    """Everything that is measured, in a registry of its own."""

    def __init__(self, version: str) -> None:
        self._registry = CollectorRegistry()
        self._live = _Live()
        self._registry.register(self._live)
        self._plays = self._counter("plays", "Plays by the tier that served them at their start.", "tier")
        self._copied = self._counter("copied_bytes", "Bytes copied.", "direction")
        self._array = self._counter(
            "array_operations", "Operations that touched the array, and why.", "operation", "reason"
        )
        self._wakeups = self._counter(
            "array_wakeups", "Times that plays, new files, or ondeckd itself, woke an array.", "reason"
        )
        self._copies = self._histogram("copy_seconds", "How long one file's copy took.", _COPY)
        self._reaction = self._histogram(
            "event_to_task_seconds", "From Plex's notification to the committed tasks.", _REACTION
        )
        self._requests = self._histogram("plex_request_seconds", "Requests to Plex.", _REQUEST, "call")
        Info("ondeckd_build", "The running program.", registry=self._registry).info({"version": version})
        for tier in ("cache", "array"):
            self._plays.labels(tier)
        for direction in ("to_cache", "to_array"):
            self._copied.labels(direction)
        for reason in ("play", "copy", "evict", "arrival"):
            self._wakeups.labels(reason)

    def play(self, tier: str) -> None:
        """Count a play that `tier` (``cache`` or ``array``) served at its start."""
        self._plays.labels(tier).inc()

    def copied(self, direction: str, size: int, seconds: float) -> None:
        """Note a finished copy of `size` bytes; `direction` is ``to_cache`` or ``to_array``."""
        self._copied.labels(direction).inc(size)
        self._copies.observe(seconds)

    def copied_bytes(self) -> int:
        """Return how many bytes were copied to the cache."""
        value = self._registry.get_sample_value("ondeckd_copied_bytes_total", {"direction": "to_cache"})
        return int(value or 0)

    def event_to_task(self, seconds: float) -> None:
        """Note how long it took from a notification to the tasks that it caused."""
        self._reaction.observe(seconds)

    def array_operation(self, operation: str, reason: str) -> None:
        """Count one `operation` (``open``, ``stat``, ``list``, …) on the array, done for `reason`."""
        self._array.labels(operation, reason).inc()

    def array_woken(self, reason: str) -> None:
        """Count that an array was woken; `reason` is ``play``, ``copy``, ``evict``, ``arrival``, or an operation's."""
        self._wakeups.labels(reason).inc()

    def plex_request(self, call: str, seconds: float) -> None:
        """Note how long Plex took to answer `call`."""
        self._requests.labels(call).observe(seconds)

    def watch_tasks(self, counts: Callable[[], Mapping[TaskState, int]]) -> None:
        """Take the number of tasks in each state from `counts` at each scrape; it must not block."""
        self._live.tasks = counts

    def watch_cached(self, cached: Callable[[], tuple[int, int]]) -> None:
        """Take number and bytes of the cached files from `cached` at each scrape; it must not block."""
        self._live.cached = cached

    def watch_sources(self, failing: Callable[[], Mapping[str, int]]) -> None:
        """Take from `failing`, at each scrape, how many sources of each kind fail; it must not block."""
        self._live.failing = failing

    def watch_arrays(self, arrays: Callable[[], Mapping[str, bool]]) -> None:
        """Take from `arrays`, at each scrape, whether each mapping's array is awake; it must not block."""
        self._live.arrays = arrays

    def watch_notifications(self, connected: Callable[[], bool], age: Callable[[], float | None]) -> None:
        """Take the state of Plex's notifications from these at each scrape; `age` in seconds, None: never."""
        self._live.connected = connected
        self._live.age = age

    def text(self) -> bytes:
        """Return everything in Prometheus' text format."""
        return generate_latest(_Plain(self._registry))

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"ondeckd_{name}", text, labels, registry=self._registry)

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(f"ondeckd_{name}", text, labels, registry=self._registry, buckets=buckets)
