from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from daemon.metrics import Metrics
from daemon.model import TaskState

_CONTRACT = {
    "ondeckd_plays_total",
    "ondeckd_cached_bytes",
    "ondeckd_cached_files",
    "ondeckd_copied_bytes_total",
    "ondeckd_copy_seconds",
    "ondeckd_event_to_task_seconds",
    "ondeckd_sources_failing",
    "ondeckd_tasks",
    "ondeckd_array_operations_total",
    "ondeckd_array_awake",
    "ondeckd_array_wakeups_total",
    "ondeckd_notifications_connected",
    "ondeckd_notification_age_seconds",
    "ondeckd_plex_request_seconds",
    "ondeckd_build_info",
}


def _samples(metrics: Metrics) -> dict[str, float]:
    return {
        f"{sample.name}{sorted(sample.labels.items()) or ''}": sample.value
        for family in text_string_to_metric_families(metrics.text().decode())
        for sample in family.samples
    }


def test_all_names_of_the_contract_are_there_and_no_others() -> None:
    types = [line.split()[2] for line in Metrics("1.0").text().decode().splitlines() if line.startswith("# TYPE")]
    assert sorted(types) == sorted(_CONTRACT)


def test_each_method_moves_its_own_figure() -> None:
    metrics = Metrics("1.0")
    metrics.play("cache")
    metrics.copied("to_cache", 1_000, 0.7)
    metrics.event_to_task(0.012)
    metrics.array_operation("stat", "copy")
    metrics.array_operation("stat", "copy")
    metrics.plex_request("item", 0.3)
    samples = _samples(metrics)
    assert samples["ondeckd_plays_total[('tier', 'cache')]"] == 1
    assert samples["ondeckd_plays_total[('tier', 'array')]"] == 0
    assert samples["ondeckd_copied_bytes_total[('direction', 'to_cache')]"] == 1_000
    assert samples["ondeckd_copied_bytes_total[('direction', 'to_array')]"] == 0
    assert samples["ondeckd_copy_seconds_sum"] == 0.7
    assert samples["ondeckd_copy_seconds_bucket[('le', '0.5')]"] == 0
    assert samples["ondeckd_copy_seconds_bucket[('le', '1.0')]"] == 1
    assert samples["ondeckd_event_to_task_seconds_count"] == 1
    assert samples["ondeckd_array_operations_total[('operation', 'stat'), ('reason', 'copy')]"] == 2
    assert samples["ondeckd_plex_request_seconds_count[('call', 'item')]"] == 1
    assert samples["ondeckd_build_info[('version', '1.0')]"] == 1


def test_live_figures_are_asked_for_at_each_scrape() -> None:
    metrics = Metrics("1.0")
    counts = {TaskState.QUEUED: 3}
    age: list[float | None] = [None]
    metrics.watch_tasks(lambda: counts)
    metrics.watch_sources(lambda: {"watchlist": 2})
    metrics.watch_cached(lambda: (2, 500))
    metrics.watch_notifications(lambda: age[0] is not None, lambda: age[0])
    samples = _samples(metrics)
    assert samples["ondeckd_tasks[('state', 'queued')]"] == 3
    assert samples["ondeckd_sources_failing[('kind', 'watchlist')]"] == 2
    assert samples["ondeckd_sources_failing[('kind', 'on_deck')]"] == 0
    assert samples["ondeckd_tasks[('state', 'running')]"] == 0
    assert (samples["ondeckd_cached_files"], samples["ondeckd_cached_bytes"]) == (2, 500)
    assert samples["ondeckd_notifications_connected"] == 0
    never = samples["ondeckd_notification_age_seconds"]
    assert never != never  # noqa: PLR0124 - NaN is what differs from itself
    counts[TaskState.QUEUED] = 1
    age[0] = 4.5
    samples = _samples(metrics)
    assert samples["ondeckd_tasks[('state', 'queued')]"] == 1
    assert samples["ondeckd_notifications_connected"] == 1
    assert samples["ondeckd_notification_age_seconds"] == 4.5


def test_two_sets_of_figures_do_not_share_anything() -> None:
    one, two = Metrics("1.0"), Metrics("1.0")
    one.play("cache")
    assert _samples(two)["ondeckd_plays_total[('tier', 'cache')]"] == 0
