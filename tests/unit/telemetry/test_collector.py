"""Merging: counters never run backwards over a restart, a silent worker is shown as such."""

from __future__ import annotations

from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from gateway.telemetry.collector import StatsHub, exposition
from gateway.telemetry.metrics import NAMES, WorkerStats
from gateway.telemetry.stats_socket import serve_stats

CALL = ("cc-alpha", "outbound", "allow", "allow")


def read(page: bytes) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(page.decode())
        for sample in family.samples
    }


async def test_two_workers_are_one_page(tmp_path: Path) -> None:
    stats = [WorkerStats(0), WorkerStats(1)]
    servers = [await serve_stats(tmp_path / f"{item.index}", item.snapshot) for item in stats]
    for item in stats:
        item.calls[CALL] += 5
        item.active_calls = 2
        item.registry_version = 9
        item.decision.observe(30e-6)
    hub = StatsHub({"worker-0": tmp_path / "0", "worker-1": tmp_path / "1", "worker-2": tmp_path / "2"}, 0.2)
    await hub.refresh()
    page = read(exposition(hub, {"callgate_projection_lag_seconds": [((), 0.25)]}))
    labels = (("direction", "outbound"), ("rule", "allow"), ("trunk", "cc-alpha"), ("verdict", "allow"))
    assert page["callgate_calls_total", labels] == 10
    assert page["callgate_active_calls", ()] == 4
    assert page["callgate_registry_version", (("worker", "1"),)] == 9
    assert [page["callgate_worker_up", (("worker", str(n)),)] for n in range(3)] == [1, 1, 0]
    assert page["callgate_projection_lag_seconds", ()] == 0.25
    assert page["callgate_decision_seconds_count", ()] == 2
    assert page["callgate_decision_seconds_bucket", (("le", "2.5e-05"),)] == 0
    assert page["callgate_decision_seconds_bucket", (("le", "5e-05"),)] == 2
    assert page["callgate_decision_seconds_bucket", (("le", "+Inf"),)] == 2
    for server in servers:
        server.close()


async def test_a_restart_never_takes_a_counter_back(tmp_path: Path) -> None:
    hub = StatsHub({"worker-0": tmp_path / "w"}, 0.2)
    total = 0
    for calls in (5, 3, 2):
        stats = WorkerStats(0)
        server = await serve_stats(tmp_path / "w", stats.snapshot)
        stats.calls[CALL] += calls
        stats.lookup.observe(1e-4)
        stats.active_calls = 1
        await hub.refresh()
        await hub.refresh()
        total += calls
        assert hub.samples(NAMES["callgate_calls_total"]) == [(CALL, total)]
        server.close()
        await server.wait_closed()
    assert hub.samples(NAMES["callgate_active_calls"]) == [((), 1)]
    lookup = hub.histogram("callgate_lookup_seconds")
    assert lookup is not None and sum(lookup.counts) == 3
    (tmp_path / "w").unlink(missing_ok=True)
    await hub.refresh()
    assert hub.answering == {"worker-0": False}
    assert hub.samples(NAMES["callgate_calls_total"]) == [(CALL, total)]
    assert hub.samples(NAMES["callgate_active_calls"]) == []


async def test_a_restart_of_control_takes_no_counter_back(tmp_path: Path) -> None:
    total = 0
    for calls in (5, 3, 2):  # each time another control, and another worker that was started while there was none
        stats = WorkerStats(0)
        stats.calls[CALL] += calls
        stats.lookup.observe(1e-4)
        server = await serve_stats(tmp_path / "w", stats.snapshot)
        hub = StatsHub({"worker-0": tmp_path / "w"}, 0.2, tmp_path / "counters.json")
        assert hub.samples(NAMES["callgate_calls_total"]) == ([(CALL, total)] if total else [])
        await hub.refresh()
        total += calls
        assert hub.samples(NAMES["callgate_calls_total"]) == [(CALL, total)]
        server.close()
        await server.wait_closed()
    lookup = hub.histogram("callgate_lookup_seconds")
    assert lookup is not None and sum(lookup.counts) == 3
    (tmp_path / "counters.json").write_text('{"latest": {')
    assert StatsHub({"worker-0": tmp_path / "w"}, 0.2, tmp_path / "counters.json").latest == {}


async def test_a_peer_one_worker_probes_is_up_or_down_not_a_sum(tmp_path: Path) -> None:
    stats = [WorkerStats(0), WorkerStats(1)]
    servers = [await serve_stats(tmp_path / f"{item.index}", item.snapshot) for item in stats]
    for item in stats:
        item.peers["carrier", "127.0.0.9:5060"] = True
    hub = StatsHub({f"worker-{n}": tmp_path / str(n) for n in (0, 1)})
    await hub.refresh()
    assert hub.samples(NAMES["callgate_peer_up"]) == [(("carrier", "127.0.0.9:5060"), 1)]
    for server in servers:
        server.close()


async def test_the_page_names_every_metric(tmp_path: Path) -> None:
    page = exposition(StatsHub({}), {}).decode()
    for metric in NAMES.values():
        assert f"# HELP {metric.name} " in page
