"""The plain counters of a worker and what they look like on their way to the scrape."""

from __future__ import annotations

import time

import msgspec
import pytest

from gateway.telemetry.metrics import METRICS, NAMES, Histogram, Snapshot, WorkerStats


def test_every_name_is_ours_and_listed_once() -> None:
    assert len(NAMES) == len(METRICS)
    for metric in METRICS:
        assert metric.name.startswith("callgate_")
        assert metric.name.endswith("_total") == (metric.kind == "counter")
        assert metric.help


def test_histogram_buckets_are_le() -> None:
    histogram = Histogram((0.001, 0.01))
    for value in (0.0005, 0.001, 0.0011, 5.0):
        histogram.observe(value)
    assert histogram.counts == [2, 1, 1]
    assert round(histogram.sum, 4) == 5.0026


def test_a_snapshot_holds_every_metric_a_worker_counts() -> None:
    stats = WorkerStats(2)
    stats.calls["cc-alpha", "outbound", "refuse", "consent-missing"] += 1
    stats.peers["carrier", "127.0.0.9:5060"] = True
    stats.lookup_failures["timeout"] += 3
    stats.rejected[400] += 1
    stats.registry_version = 7
    stats.decision.observe(80e-6)
    snapshot = msgspec.json.decode(msgspec.json.encode(stats.snapshot()), type=Snapshot)
    assert snapshot.process == "worker-2"
    assert snapshot.samples["callgate_calls_total"] == [(("cc-alpha", "outbound", "refuse", "consent-missing"), 1)]
    assert snapshot.samples["callgate_peer_up"] == [(("carrier", "127.0.0.9:5060"), 1)]
    assert snapshot.samples["callgate_sip_rejected_total"] == [(("400",), 1)]
    assert snapshot.value("callgate_registry_version") == 7
    assert snapshot.value("callgate_no_such_thing", -1) == -1
    assert sum(snapshot.histograms["callgate_decision_seconds"].counts) == 1
    for name, samples in snapshot.samples.items():
        assert all(len(labels) == len(NAMES[name].labels) for labels, _ in samples), name


def test_message_kinds_are_methods_and_status_classes() -> None:
    stats = WorkerStats(0)
    stats.requests_in[b"INVITE"] = 2
    stats.requests_out[b"BYE"] = 1
    stats.responses_in[2] += 1
    stats.responses_out[4] += 1
    assert sorted(stats.snapshot().samples["callgate_sip_messages_total"]) == [
        (("in", "2xx"), 1),
        (("in", "INVITE"), 2),
        (("out", "4xx"), 1),
        (("out", "BYE"), 1),
    ]


def test_a_peer_is_up_unless_it_is_known_to_be_down() -> None:
    assert NAMES["callgate_peer_up"].help == "1 unless the peer is known to be down"


def test_gauges_kept_elsewhere_are_copied_at_the_scrape_only() -> None:
    stats = WorkerStats(0)
    table = {"a": 1}
    stats.before_snapshot.append(lambda: stats.transactions.update(client=len(table)))
    assert stats.transactions == {}
    assert stats.snapshot().samples["callgate_transactions"] == [(("client",), 1)]


def test_every_start_has_its_own_boot_id() -> None:
    assert WorkerStats(0).boot != WorkerStats(0).boot


def test_feeds_are_told_by_their_age() -> None:
    stats = WorkerStats(0)
    now = time.time()
    stats.feeds = {"national": (now - 7_300, 7_200), "local": (now - 10, 7_200)}
    samples = stats.snapshot().samples
    assert dict(samples["callgate_feed_stale"]) == {("national",): 1.0, ("local",): 0.0}
    assert dict(samples["callgate_feed_age_seconds"])[("local",)] == pytest.approx(10, abs=5)

