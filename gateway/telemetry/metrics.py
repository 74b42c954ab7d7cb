"""Every Prometheus name of the gateway, and the plain counters the hot path adds to.

`METRICS` is the one list of names. A worker owns one `WorkerStats`: ints, dicts and lists, so that
counting a call costs a dictionary update and nothing is locked. At a scrape the control process asks each
worker for a `Snapshot` over a unix socket (`stats_socket`) and merges them (`collector`); no Prometheus
library is loaded in a worker.
"""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from gateway.telemetry.histogram import Histogram


@dataclass(frozen=True, slots=True)
class Metric:
    """One name: its kind, its labels in order, and what it tells."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()
    merge: Literal["sum", "each"] = "sum"
    """`sum`: over the workers. `each`: one sample per worker, with a first label `worker`."""


METRICS: tuple[Metric, ...] = (
    Metric(
        "callgate_calls_total",
        "counter",
        "Decisions on call attempts; rule is `allow`, `emergency` or the rule that refused",
        ("trunk", "direction", "verdict", "rule"),
    ),
    Metric("callgate_call_outcomes_total", "counter", "How the set-up of allowed calls ended", ("trunk", "result")),
    Metric("callgate_decision_seconds", "histogram", "INVITE received to verdict, lookup included"),
    Metric("callgate_lookup_seconds", "histogram", "One round trip to Redis for a decision"),
    Metric("callgate_lookup_failures_total", "counter", "Lookups without facts in time", ("reason",)),
    Metric("callgate_sip_messages_total", "counter", "SIP messages by method or status class", ("direction", "kind")),
    Metric("callgate_sip_retransmissions_total", "counter", "Requests and responses seen again", ("direction",)),
    Metric("callgate_sip_dropped_total", "counter", "Datagrams dropped without an answer", ("reason",)),
    Metric("callgate_logins_total", "counter", "INVITEs of strangers, by what their credentials were", ("result",)),
    Metric("callgate_handover_messages_total", "counter", "Messages of other workers' calls, by fate", ("what",)),
    Metric("callgate_connections", "gauge", "TCP and TLS connections that are up", ("listener",)),
    Metric("callgate_connections_accepted_total", "counter", "Connections taken", ("listener",)),
    Metric("callgate_connections_refused_total", "counter", "Connections not taken, by reason", ("listener", "reason")),
    Metric("callgate_connections_failed_total", "counter", "Connections not made, by reason", ("listener", "reason")),
    Metric("callgate_connections_closed_total", "counter", "Connections that ended, by reason", ("listener", "reason")),
    Metric("callgate_tls_reloads_total", "counter", "Certificates read again, by result", ("listener", "result")),
    Metric("callgate_sip_rejected_total", "counter", "Requests answered without a decision", ("status",)),
    Metric("callgate_rule_shadow_total", "counter", "Calls a rule in shadow mode would have refused", ("rule",)),
    Metric("callgate_rule_errors_total", "counter", "Rules that failed; the call was refused", ("rule",)),
    Metric("callgate_errors_total", "counter", "Faults of our own, each logged with a traceback", ("where",)),
    Metric("callgate_journal_records_total", "counter", "Evidence records written to the journal"),
    Metric("callgate_journal_bytes_total", "counter", "Bytes written to the journal"),
    Metric("callgate_journal_errors_total", "counter", "Journal writes that failed"),
    Metric("callgate_calls_shed_total", "counter", "New calls refused with 503 because of overload"),
    Metric("callgate_shedding", "gauge", "1 while new calls are shed", (), "each"),
    Metric("callgate_delay_seconds", "gauge", "How long messages wait before they are read", (), "each"),
    Metric("callgate_active_calls", "gauge", "Answered calls that have not ended"),
    Metric("callgate_transactions", "gauge", "SIP transactions in memory", ("kind",)),
    Metric("callgate_peer_up", "gauge", "1 unless the peer is known to be down", ("trunk", "peer")),
    Metric("callgate_peer_drained", "gauge", "1 if the peer was drained by hand: no new calls", ("trunk", "peer")),
    Metric("callgate_registry_version", "gauge", "Version of the registry in the worker's memory", (), "each"),
    Metric("callgate_feed_age_seconds", "gauge", "Age of a decline feed's version in force", ("feed",), "each"),
    Metric("callgate_feed_stale", "gauge", "1 while a decline feed is older than it may be", ("feed",), "each"),
    Metric("callgate_dataset_epoch", "gauge", "Dataset epoch the worker reads in Redis", (), "each"),
    Metric("callgate_redis_up", "gauge", "1 if the worker's link to Redis answers", (), "each"),
    Metric("callgate_journal_writable", "gauge", "1 if the worker can write evidence", (), "each"),
    Metric("callgate_keys_match", "gauge", "1 unless Redis holds hashes made with a key we lack", (), "each"),
    Metric("callgate_draining", "gauge", "1 while the worker drains", (), "each"),
    Metric("callgate_start_time_seconds", "gauge", "When the worker started, epoch seconds", (), "each"),
    Metric("callgate_worker_up", "gauge", "1 if the worker answered this scrape", (), "each"),
    Metric(
        "callgate_journal_backlog_records",
        "gauge",
        "Evidence records on disk not yet in PostgreSQL",
        ("journal",),
    ),
    Metric("callgate_journal_shipped_total", "counter", "Evidence records shipped to PostgreSQL", ("journal",)),
    Metric("callgate_projection_lag_seconds", "gauge", "Age of the oldest change not yet in Redis; 0 = none"),
    Metric("callgate_projection_shard_lag_seconds", "gauge", "The same, of each Redis master", ("redis",)),
    Metric("callgate_projection_shard_in_step", "gauge", "1 if that master held all when last looked at", ("redis",)),
    Metric("callgate_projection_active", "gauge", "1 if this control process is the one that projects"),
    Metric("callgate_projection_rebuilds_total", "counter", "Times Redis was filled anew under a new epoch"),
    Metric("callgate_projection_repairs_total", "counter", "Buckets found without their marker and rewritten"),
    Metric("callgate_projection_failures_total", "counter", "Times projection stopped and was tried again"),
    Metric("callgate_api_requests_total", "counter", "Requests of the REST API, by answer", ("method", "status")),
    Metric("callgate_database_up", "gauge", "1 if PostgreSQL answers"),
    Metric("callgate_papers_expiring", "gauge", "What ends within so many days; 0: has ended", ("days",)),
    Metric("callgate_papers_issues", "gauge", "What is wrong with papers now, by what it does", ("level",)),
    Metric("callgate_violations_total", "counter", "Refusals that count against number, trunk and operator"),
    Metric("callgate_violations_late_total", "counter", "Violations counted after their answer: Redis was late"),
    Metric("callgate_steps_closed_total", "counter", "Restrictions made by violations counted here"),
    Metric("callgate_counters_waiting", "gauge", "Commands for the counters that wait for Redis to be back"),
    Metric("callgate_counters_given_up_total", "counter", "Commands for the counters that Redis was never told"),
    Metric("callgate_counters_since_seconds", "gauge", "Since when calls are counted; 0: not known yet", (), "each"),
    Metric("callgate_trunk_channels", "gauge", "Channels in use, of trunks that have limits", ("trunk",)),
    Metric("callgate_channels_alone_total", "counter", "Calls of such trunks let through while Redis was away"),
    Metric("callgate_restrictions_live", "gauge", "Restrictions made by violations and not lifted, in Redis"),
    Metric("callgate_restrictions_taken_total", "counter", "Restrictions of the ladder taken into PostgreSQL"),
    Metric("callgate_build_info", "gauge", "1; flavour says whether the path of a call is compiled", ("flavour",)),
)
NAMES: dict[str, Metric] = {metric.name: metric for metric in METRICS}

DECISION_BOUNDS = (25e-6, 50e-6, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)
"""Seconds: from a refusal on memory alone (tens of microseconds) to the longest deadline one can
configure."""

LOOKUP_BOUNDS = (5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)


Samples = Sequence[tuple[tuple[str, ...], float]]
"""Label values in the order of `Metric.labels`, and the value."""


class HistogramData(msgspec.Struct):
    """A histogram as it travels: counts per bucket (not cumulative), one more than bounds."""

    bounds: tuple[float, ...]
    counts: list[int]
    sum: float


class Snapshot(msgspec.Struct):
    """All counters of one process at one moment."""

    process: str
    """`worker-0`, `shipper`."""
    boot: str
    """Differs after every restart, so that a merged counter never runs backwards."""
    samples: dict[str, Samples]
    histograms: dict[str, HistogramData]

    def value(self, name: str, default: float = 0.0) -> float:
        """The value of an unlabelled metric."""
        for labels, value in self.samples.get(name, ()):
            if not labels:
                return value
        return default


class WorkerStats:
    """What one worker counts. Hot path: add to these fields directly. One instance per worker process.

    Fields that others keep (transaction tables, the Redis link) are copied in by the callables in
    `before_snapshot`, run at each scrape only.
    """

    __slots__ = (
        "active_calls", "before_snapshot", "boot", "calls", "channels", "counted", "dataset_epoch", "decision", "delay",
        "drained", "draining", "dropped", "errors", "feeds", "handover", "index", "journal_bytes", "journal_errors",
        "journal_records", "journal_writable", "keys_match", "logins", "lookup", "lookup_failures", "outcomes", "peers",
        "redis_up", "registry_version", "rejected", "requests_in", "requests_out", "responses_in", "responses_out",
        "retransmissions", "rule_errors", "shadow", "shed", "shedding", "started", "streams", "transactions",
    )  # fmt: skip

    def __init__(self, index: int) -> None:
        self.index = index
        self.started = time.time()
        self.boot = f"{os.getpid()}-{self.started:.6f}"
        self.before_snapshot: list[Callable[[], None]] = []
        self.calls: dict[tuple[str, str, str, str], int] = defaultdict(int)
        """(trunk, direction, verdict, rule): the verdict is `allow` or `refuse`."""
        self.outcomes: dict[tuple[str, str], int] = defaultdict(int)
        """(trunk, result): `answered`, `failed`, `cancelled`, `timeout`, `lost`."""
        self.decision = Histogram(DECISION_BOUNDS)
        self.lookup = Histogram(LOOKUP_BOUNDS)
        self.lookup_failures: dict[str, int] = defaultdict(int)
        """reason: `timeout`, `breaker`, `epoch`, `link`."""
        self.requests_in: dict[bytes, int] = {}
        self.requests_out: dict[bytes, int] = {}
        """By method; the proxy core counts methods it does not know as one, so labels stay bounded."""
        self.responses_in: list[int] = [0] * 7
        """By status // 100; index 0 is unused."""
        self.responses_out: list[int] = [0] * 7
        self.retransmissions: dict[str, int] = {"in": 0, "out": 0}
        self.dropped: dict[str, int] = defaultdict(int)
        """reason: a closed set of our own words (`unknown_source`, `malformed`, `unmatched_response`, …)."""
        self.logins: dict[str, int] = {}
        """result: `proxy.logins.RESULTS`; empty while no trunk is known by digest."""
        self.handover: dict[str, int] = {}
        """what: `passed-on`, `taken-over`, `dropped`; empty in a worker that is the only one."""
        self.streams: dict[str, Samples] = {}
        """Samples of the metrics of connections, by name; reasons are fixed sets (`net.stream_user`)."""
        self.channels: dict[str, int] = {}
        """By trunk with limits: channels that calls of this worker hold."""
        self.counted: dict[str, float] = {}
        """What the counters in Redis say of themselves, by metric."""
        self.rejected: dict[int, int] = defaultdict(int)
        """SIP status of requests answered without a decision record (400, 481 in-dialog, 405, …)."""
        self.shadow: dict[str, int] = defaultdict(int)
        self.rule_errors: dict[str, int] = defaultdict(int)
        self.errors: dict[str, int] = defaultdict(int)
        self.journal_records = 0
        self.journal_bytes = 0
        self.journal_errors = 0
        self.journal_writable = True
        self.keys_match = True
        self.shed = 0
        self.shedding = False
        self.delay = 0.0
        self.active_calls = 0
        self.transactions: dict[str, int] = {}
        """kind: `invite_server`, `server`, `invite_client`, `client`."""
        self.peers: dict[tuple[str, str], bool] = {}
        """(trunk, `host:port/transport`): False where it is known to be down."""
        self.drained: dict[tuple[str, str], bool] = {}
        """The same peers: True where they were drained by hand."""
        self.registry_version = 0
        self.feeds: dict[str, tuple[float, int]] = {}
        """Decline feeds: when the version in force was issued (epoch seconds), how old it may become (seconds)."""
        self.dataset_epoch = 0
        self.redis_up = False
        self.draining = False

    def gather(self) -> None:
        """Make the numbers anew: see `worker.ebb`."""
        for counts in (self.calls, self.outcomes, self.shadow):
            _gather(counts)
        self.decision.gather()
        self.lookup.gather()

    def snapshot(self) -> Snapshot:
        """Everything as it stands now. About 100 us; called at a scrape, never by the hot path."""
        for refresh in self.before_snapshot:
            refresh()
        samples: dict[str, Samples] = {
            "callgate_calls_total": [(key, n) for key, n in self.calls.items()],
            "callgate_call_outcomes_total": [(key, n) for key, n in self.outcomes.items()],
            "callgate_sip_messages_total": self._messages(),
            "callgate_peer_up": [(key, float(up)) for key, up in self.peers.items()],
            **self.streams,
            **{name: [((), value)] for name, value in self.counted.items()},
            **self._feed_ages(time.time()),
            "callgate_peer_drained": [(key, float(drained)) for key, drained in self.drained.items()],
        }
        for name, by_label in (
            ("callgate_lookup_failures_total", self.lookup_failures),
            ("callgate_sip_retransmissions_total", self.retransmissions),
            ("callgate_sip_dropped_total", self.dropped),
            ("callgate_logins_total", self.logins),
            ("callgate_handover_messages_total", self.handover),
            ("callgate_rule_shadow_total", self.shadow),
            ("callgate_rule_errors_total", self.rule_errors),
            ("callgate_errors_total", self.errors),
            ("callgate_transactions", self.transactions),
            ("callgate_trunk_channels", self.channels),
        ):
            samples[name] = [((key,), n) for key, n in by_label.items()]
        samples["callgate_sip_rejected_total"] = [((str(status),), n) for status, n in self.rejected.items()]
        for name, value in (
            ("callgate_journal_records_total", self.journal_records),
            ("callgate_journal_bytes_total", self.journal_bytes),
            ("callgate_journal_errors_total", self.journal_errors),
            ("callgate_calls_shed_total", self.shed),
            ("callgate_shedding", self.shedding),
            ("callgate_delay_seconds", self.delay),
            ("callgate_active_calls", self.active_calls),
            ("callgate_registry_version", self.registry_version),
            ("callgate_dataset_epoch", self.dataset_epoch),
            ("callgate_redis_up", self.redis_up),
            ("callgate_journal_writable", self.journal_writable),
            ("callgate_keys_match", self.keys_match),
            ("callgate_draining", self.draining),
            ("callgate_start_time_seconds", self.started),
        ):
            samples[name] = [((), float(value))]
        histograms = {
            name: HistogramData(histogram.bounds, histogram.counts.copy(), histogram.sum)
            for name, histogram in (
                ("callgate_decision_seconds", self.decision),
                ("callgate_lookup_seconds", self.lookup),
            )
        }
        return Snapshot(f"worker-{self.index}", self.boot, samples, histograms)

    def _feed_ages(self, now: float) -> dict[str, Samples]:
        ages = {feed: now - issued_at for feed, (issued_at, _) in self.feeds.items()}
        return {
            "callgate_feed_age_seconds": [((feed,), age) for feed, age in ages.items()],
            "callgate_feed_stale": [((feed,), float(age > self.feeds[feed][1])) for feed, age in ages.items()],
        }

    def _messages(self) -> Samples:
        samples: list[tuple[tuple[str, ...], float]] = []
        for direction, requests, responses in (
            ("in", self.requests_in, self.responses_in),
            ("out", self.requests_out, self.responses_out),
        ):
            samples.extend(((direction, method.decode("ascii")), n) for method, n in requests.items() if n)
            samples.extend(((direction, f"{c}xx"), responses[c]) for c in range(1, 7) if responses[c])
        return samples


def _gather(counts: dict[Any, int]) -> None:
    for label, count in counts.items():
        counts[label] = count + 0
