"""Merges the counters of all processes of a node into one Prometheus exposition.

A worker that is restarted counts from zero; the merged counters must not run backwards, or `rate()` would
read a restart as a burst of calls. So the last snapshot of a process that came back under another boot id
is kept as a base and added. Base and last snapshots are kept in a small file as well, for the control process may be
restarted too. A worker that does not answer in time keeps its last values and shows
`callgate_worker_up` 0.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

import msgspec
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from gateway.telemetry.metrics import METRICS, NAMES, HistogramData, Samples, Snapshot
from gateway.telemetry.metrics import Metric as Name
from gateway.telemetry.stats_socket import fetch_stats

SCRAPE_TIMEOUT_S = 0.5
"""A worker answers in well under a millisecond; one that takes longer is stopped or overloaded."""

WORKER = "worker-"

SAVE_EVERY_S = 1.0
"""How often the file is written while counters are asked for."""


class _Kept(msgspec.Struct):
    """What the file holds."""

    latest: dict[str, Snapshot]
    base: dict[str, Samples]
    histograms: dict[str, HistogramData]


class StatsHub:
    """Keeps the last snapshot of every process behind `sockets` (name to socket path)."""

    def __init__(
        self, sockets: Mapping[str, Path], timeout_s: float = SCRAPE_TIMEOUT_S, file: Path | None = None
    ) -> None:
        """`file`: what it remembers over its own restarts; a missing or torn one is none."""
        self._sockets = dict(sockets)
        self._file = file
        self._saved_at = -SAVE_EVERY_S
        self._timeout_s = timeout_s
        self.latest: dict[str, Snapshot] = {}
        self.answering: dict[str, bool] = dict.fromkeys(self._sockets, False)
        self._base: dict[str, dict[tuple[str, ...], float]] = {}
        self._base_histograms: dict[str, HistogramData] = {}
        self._load()

    async def refresh(self) -> None:
        """Ask every process at the same time; takes at most the timeout."""
        names = list(self._sockets)
        answers = await asyncio.gather(*(fetch_stats(self._sockets[name], self._timeout_s) for name in names))
        for name, answer in zip(names, answers, strict=True):
            self.answering[name] = answer is not None
            if answer is not None:
                self._accept(name, answer)
        if time.monotonic() - self._saved_at >= SAVE_EVERY_S:
            self._save()

    def _accept(self, name: str, snapshot: Snapshot) -> None:
        before = self.latest.get(name)
        if before is not None and before.boot != snapshot.boot:
            self._retire(before)
        self.latest[name] = snapshot

    def _retire(self, gone: Snapshot) -> None:
        for name, samples in gone.samples.items():
            if name in NAMES and NAMES[name].kind == "counter":
                base = self._base.setdefault(name, {})
                for labels, value in samples:
                    base[labels] = base.get(labels, 0.0) + value
        for name, data in gone.histograms.items():
            self._base_histograms[name] = _add(self._base_histograms.get(name), data)
        self._saved_at = -SAVE_EVERY_S  # at once: it is the only copy

    def _load(self) -> None:
        if self._file is None:
            return
        try:
            kept = msgspec.json.decode(self._file.read_bytes(), type=_Kept)
        except (OSError, ValueError):
            return
        self.latest = {name: snapshot for name, snapshot in kept.latest.items() if name in self._sockets}
        self._base = {name: dict(samples) for name, samples in kept.base.items()}
        self._base_histograms = kept.histograms

    def _save(self) -> None:
        if self._file is None:
            return
        self._saved_at = time.monotonic()
        base: dict[str, Samples] = {name: list(samples.items()) for name, samples in self._base.items()}
        fresh = self._file.with_suffix(".new")
        with suppress(OSError):  # a full disk must not fail a scrape
            fresh.write_bytes(msgspec.json.encode(_Kept(self.latest, base, self._base_histograms)))
            os.replace(fresh, self._file)

    def samples(self, name: Name) -> Samples:
        """Merged samples of one counter or gauge."""
        if name.merge == "each":
            found: list[tuple[tuple[str, ...], float]] = []
            for process, snapshot in sorted(self.latest.items()):
                for _, value in snapshot.samples.get(name.name, ()):
                    found.append(((process.removeprefix(WORKER),), value))
            return found
        merged = dict(self._base.get(name.name, {})) if name.kind == "counter" else {}
        for process, snapshot in self.latest.items():
            if name.kind == "gauge" and not self.answering[process]:
                continue
            for labels, value in snapshot.samples.get(name.name, ()):
                merged[labels] = merged.get(labels, 0.0) + value
        if name.name in ("callgate_peer_up", "callgate_peer_drained"):
            merged = {labels: min(value, 1.0) for labels, value in merged.items()}
        return sorted(merged.items())

    def histogram(self, name: str) -> HistogramData | None:
        """Merged buckets; None while no process has sent any."""
        merged = self._base_histograms.get(name)
        for snapshot in self.latest.values():
            if name in snapshot.histograms:
                merged = _add(merged, snapshot.histograms[name])
        return merged


def _add(left: HistogramData | None, right: HistogramData) -> HistogramData:
    if left is None or left.bounds != right.bounds:
        return HistogramData(right.bounds, list(right.counts), right.sum)
    counts = [a + b for a, b in zip(left.counts, right.counts, strict=True)]
    return HistogramData(left.bounds, counts, left.sum + right.sum)


class MergedCollector(Collector):
    """What the hub holds, and extra samples of the control process itself, as Prometheus families."""

    def __init__(self, hub: StatsHub, extra: Mapping[str, Samples]) -> None:
        self._hub = hub
        self._extra = extra

    def collect(self) -> Iterable[Metric]:
        """Every metric of `METRICS`, at a scrape."""
        for name in METRICS:
            if name.kind == "histogram":
                yield self._histogram(name)
                continue
            labels = ("worker", *name.labels) if name.merge == "each" else name.labels
            family: CounterMetricFamily | GaugeMetricFamily
            if name.kind == "counter":
                family = CounterMetricFamily(name.name.removesuffix("_total"), name.help, labels=labels)
            else:
                family = GaugeMetricFamily(name.name, name.help, labels=labels)
            for values, value in (*self._samples(name), *self._extra.get(name.name, ())):
                family.add_metric(values, value)
            yield family

    def _samples(self, name: Name) -> Samples:
        if name.name == "callgate_worker_up":
            up = self._hub.answering.items()
            return [((p.removeprefix(WORKER),), float(ok)) for p, ok in sorted(up) if p.startswith(WORKER)]
        return self._hub.samples(name)

    def _histogram(self, name: Name) -> HistogramMetricFamily:
        family = HistogramMetricFamily(name.name, name.help)
        data = self._hub.histogram(name.name)
        if data is not None:
            total = 0
            buckets: list[tuple[str, float]] = []
            for bound, count in zip((*data.bounds, float("inf")), data.counts, strict=True):
                total += count
                buckets.append(("+Inf" if bound == float("inf") else repr(bound), float(total)))
            family.add_metric((), buckets, data.sum)
        return family


def exposition(hub: StatsHub, extra: Mapping[str, Samples]) -> bytes:
    """The `/metrics` page of what the hub holds now. `extra`: metric name to samples of the asking
    process."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(MergedCollector(hub, extra))
    return generate_latest(registry)
