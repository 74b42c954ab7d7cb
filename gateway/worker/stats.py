"""Copies what the parts of a worker count into `WorkerStats`, at each scrape."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from gateway.worker.streams import stream_samples

if TYPE_CHECKING:
    from gateway.worker.main import Worker


def refresh_stats(worker: Worker) -> None:
    """Called at a scrape only."""
    stats, core, edge, lookup = worker.stats, worker.core, worker.edge, worker.lookup
    counters = core.counters
    for method, count in counters.received_requests.items():
        stats.requests_in[method] = count
    for method, count in counters.sent_requests.items():
        stats.requests_out[method] = count
    stats.responses_in = list(counters.received_responses)
    stats.responses_out = list(counters.sent_responses)
    stats.retransmissions = {"in": core.layer.absorbed, "out": core.layer.retransmitted}
    for reason, count in counters.dropped.items():
        stats.dropped[reason] = count
    stats.dropped["unknown-source"] = edge.strangers + worker.streams.strangers
    stats.streams = stream_samples(worker.streams.listeners)
    stats.dropped["send-error"] = edge.send_errors
    stats.dropped["send-backlog"] = sum(listener.dropped for listener in edge.listeners)
    if core.logins is not None:
        stats.logins = {result: count for result, count in core.logins.results.items() if count}
    if worker.handover is not None:
        passed = worker.handover
        stats.handover.update({"passed-on": passed.passed_on, "taken-over": passed.taken_over})
        stats.handover["dropped"] = passed.dropped
    stats.lookup_failures.update(
        timeout=lookup.timeouts, breaker=lookup.breaker_refused, epoch=lookup.invalid, link=lookup.unreachable
    )
    stats.counted = {
        "callgate_violations_total": worker.counters.violations,
        "callgate_violations_late_total": worker.counters.late,
        "callgate_steps_closed_total": worker.counters.closed,
        "callgate_counters_waiting": worker.counters.waiting,
        "callgate_counters_given_up_total": worker.counters.given_up,
        "callgate_counters_since_seconds": worker.gate.counted_since_ms / 1000,
    }
    stats.channels = worker.channels.used
    stats.counted["callgate_channels_alone_total"] = worker.channels.alone
    stats.journal_records = worker.journal.records
    stats.journal_bytes = worker.journal.bytes_written
    stats.journal_writable = worker.journal.trouble == ""
    stats.keys_match = worker.watcher.key_reason == ""
    overload = core.overload
    stats.shed, stats.shedding = overload.shed, overload.shedding
    now = monotonic()
    stats.delay = max(edge.lag.at(now), edge.calls.waited(now))
    stats.active_calls = worker.keeper.active
    stats.dataset_epoch = lookup.epoch
    stats.redis_up = worker.link.connected and not lookup.breaker_open
    stats.transactions = {"server": len(core.layer.servers), "client": len(core.layer.clients)}
    if worker.book is not None:
        hops = [(peer.id, hop) for peer in worker.book.peers.values() for hop in peer.hops]
        stats.peers = {(peer, hop.destination.name): hop.up for peer, hop in hops}
        stats.drained = {(peer, hop.destination.name): hop.drained for peer, hop in hops}
