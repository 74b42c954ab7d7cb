"""The counters of a worker's parts, copied at a scrape."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import pytest

from gateway.net.stream_user import StreamLimits
from gateway.telemetry.metrics import NAMES
from gateway.worker.main import Worker
from gateway.worker.peers import PeerBook
from gateway.worker.stats import refresh_stats
from tests.unit.gate.calls import registry
from tests.unit.worker.built import built


@pytest.fixture
async def worker(tmp_path: Path) -> Iterator[Worker]:  # type: ignore[misc]
    with built(tmp_path, asyncio.get_running_loop()) as made:
        yield made


async def test_what_the_parts_counted(worker: Worker) -> None:
    core = worker.core
    core.counters.received_requests.update({b"INVITE": 3, b"other": 1})
    core.counters.sent_requests[b"INVITE"] = 2
    core.counters.received_responses[2] = 5
    core.counters.sent_responses[4] = 6
    core.counters.dropped["stray-response"] = 7
    core.layer.absorbed, core.layer.retransmitted = 8, 9
    worker.edge.strangers, worker.edge.send_errors = 10, 11
    worker.listeners[0].dropped = 12
    worker.lookup.timeouts, worker.lookup.breaker_refused = 13, 14
    worker.lookup.invalid, worker.lookup.unreachable = 15, 16
    worker.lookup.set_epoch(17, 8)
    worker.keeper._leases.begin("1" * 32, monotonic())
    worker.journal.append(b"{}")
    worker.journal.commit()
    refresh_stats(worker)
    stats = worker.stats
    assert (stats.requests_in[b"INVITE"], stats.requests_in[b"other"], stats.requests_out[b"INVITE"]) == (3, 1, 2)
    assert (stats.responses_in[2], stats.responses_out[4]) == (5, 6)
    assert stats.retransmissions == {"in": 8, "out": 9}
    assert stats.dropped == {"stray-response": 7, "unknown-source": 10, "send-error": 11, "send-backlog": 12}
    assert stats.lookup_failures == {"timeout": 13, "breaker": 14, "epoch": 15, "link": 16}
    assert (stats.dataset_epoch, stats.active_calls, stats.journal_records) == (17, 1, 2)  # and the restart record
    assert stats.journal_bytes == worker.journal.bytes_written > 0
    assert stats.transactions == {"server": 0, "client": 0}
    assert (stats.redis_up, stats.peers) == (False, {})
    assert (stats.journal_writable, stats.keys_match) == (True, True)
    worker.journal.trouble, worker.watcher.key_reason = "disk full", "another key"
    refresh_stats(worker)
    assert (stats.journal_writable, stats.keys_match) == (False, False)


async def test_peers_as_they_stand(worker: Worker) -> None:
    worker.book = PeerBook(registry(), worker.listeners)
    worker.book.peers["carrier"].hops[0].up = False
    refresh_stats(worker)
    assert worker.stats.peers["carrier", "127.0.0.9:5060/udp"] is False
    assert worker.stats.peers["cc-alpha", "127.0.0.2:5060/udp"] is True


async def test_connections_by_listener_and_reason(worker: Worker) -> None:
    worker.streams.listen("tcp", "127.0.0.1", 0, b"127.0.0.1:5060", lambda name, error: None, None, StreamLimits())
    (listener,) = worker.streams.listeners
    listener.accepted = 3
    listener.refused["stranger"] = 2
    listener.closed["slow"] = 1
    worker.streams.strangers = worker.edge.strangers = 4
    refresh_stats(worker)
    samples = worker.stats.snapshot().samples
    assert samples["callgate_connections"] == [(("tcp",), 0)]
    assert samples["callgate_connections_accepted_total"] == [(("tcp",), 3)]
    assert (("tcp", "stranger"), 2) in samples["callgate_connections_refused_total"]
    assert (("tcp", "slow"), 1) in samples["callgate_connections_closed_total"]
    assert "callgate_tls_reloads_total" not in samples
    assert worker.stats.dropped["unknown-source"] == 8
    worker.streams.stop()


async def test_copies_are_not_views(worker: Worker) -> None:
    refresh_stats(worker)
    worker.core.counters.received_responses[2] += 1
    assert worker.stats.responses_in[2] == 0
    refresh_stats(worker)
    refresh_stats(worker)
    assert worker.stats.responses_in[2] == 1, "copied, not added"


async def test_every_name_of_a_snapshot_is_a_known_one(worker: Worker) -> None:
    worker.stats.before_snapshot.append(lambda: refresh_stats(worker))
    snapshot = worker.stats.snapshot()
    assert (set(snapshot.samples) | set(snapshot.histograms)) <= set(NAMES)
