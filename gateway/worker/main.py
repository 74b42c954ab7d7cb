"""Starts, runs and drains one SIP worker."""

from __future__ import annotations

import asyncio
import gc
import signal
from collections.abc import Callable
from hashlib import blake2b
from time import monotonic, time

import uvloop

from gateway.gate.engine import Engine
from gateway.gate.evidence import Evidence
from gateway.gate.gate import Gate
from gateway.gate.pack import PackError, load_pack
from gateway.gate.pseudonym import Pseudonymizer
from gateway.gate.recorder import Recorder
from gateway.gate.records import RestartRecord
from gateway.gate.seal import Sealer
from gateway.keys import load
from gateway.net.edge import Edge
from gateway.net.tasks import spawn
from gateway.net.udp import UdpListener
from gateway.proxy.cookie import CookieRing
from gateway.proxy.core import ProxyCore
from gateway.proxy.peer import Peer
from gateway.registry.model import Snapshot
from gateway.registry.registry import Registry
from gateway.settings import Settings
from gateway.store.journal.recovery import Recovery, open_journal
from gateway.store.redis.client import RedisLink
from gateway.store.redis.lastgood import load_last_good
from gateway.store.redis.lookup import RedisLookup
from gateway.store.redis.snapshot import SnapshotWatcher
from gateway.telemetry.logs import get_logger
from gateway.telemetry.metrics import WorkerStats
from gateway.telemetry.stats_socket import serve_stats
from gateway.transaction.layer import TransactionLayer
from gateway.transaction.timers import TimerValues
from gateway.worker.gatekeeper import Gatekeeper
from gateway.worker.peers import PeerBook
from gateway.worker.stats import refresh_stats

RECOVER_SECONDS = 240.0
"""How far back the journal is read at start: Timer C (180 s) and a minute; no call is in set-up for longer."""

HOUSEKEEPING_S = 1.0

MAX_LOGGED = 10
"""Faults of one kind logged with a traceback; after that every thousandth: a flood must not fill the disk."""
MAX_LOGGED_EACH = 1_000

GC_THRESHOLDS = (50_000, 20, 50)
"""Messages and transactions are freed by their reference counts; a collection every 700 objects would only walk the
transaction tables."""

_log = get_logger(__name__)


def run_worker(settings: Settings, index: int) -> None:
    """Run worker `index` of this node until SIGTERM or SIGINT, then drain."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_run(settings, index))


async def _run(settings: Settings, index: int) -> None:
    worker = Worker(settings, index, asyncio.get_running_loop())
    await worker.start()
    stop = asyncio.Event()
    for sign in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(sign, stop.set)
    await stop.wait()
    await worker.drain()


class Worker:
    """Everything one worker process holds."""

    def __init__(self, settings: Settings, index: int, loop: asyncio.AbstractEventLoop) -> None:
        self._settings = settings
        self._loop = loop
        self._index = index
        self.stats = WorkerStats(index)
        keys = load(settings.keys_file)
        self.journal, self._recovery = open_journal(
            settings.journal_dir / f"{settings.node.name}-{index}",
            keep_seconds=RECOVER_SECONDS,
            now=time(),
            post=loop.call_soon_threadsafe,
            sync=settings.journal.sync,
            interval_ms=settings.journal.interval_ms,
            segment_bytes=settings.journal.segment_mb << 20,
        )
        self.listeners = [
            UdpListener(entry.name, entry.address, entry.port, f"{entry.host}:{entry.public_port}".encode())
            for entry in settings.listener
        ]
        sent_bys = tuple(listener.sent_by for listener in self.listeners)
        self.link = RedisLink(settings.redis.url, loop)
        self.lookup = RedisLookup(self.link, settings.gate.deadline_ms / 1000, loop)
        self.edge = Edge(loop, self.listeners, self._identify, self._before_send, self._failed)
        recorder = Recorder(
            settings.node.name,
            Evidence(self.journal),
            Pseudonymizer(keys.pseudonym),
            Sealer(keys.seal_id, keys.seal, keys.older_seals),
        )
        self.gate = Gate(
            self.lookup,
            recorder,
            self.stats,
            frozenset(own_hosts(settings)),
            monotonic,
            self.edge.wake,
            settings.journal.required,
        )
        self.keeper = Gatekeeper(
            self.gate, self.stats, sent_bys[0], settings.timers.max_call_hours * 3600, self._when_safe
        )
        timers = settings.timers
        values = TimerValues(
            timers.t1_ms / 1000, timers.t2_ms / 1000, timers.t4_ms / 1000, timers.timer_c_s, timers.first_response_s
        )
        self.core = ProxyCore(
            TransactionLayer(self.edge.send, values),
            self.keeper,
            CookieRing({key.id: key.secret for key in keys.cookies}, keys.cookies[0].id),
            # Derived ids must not change when a cookie key is added: the pseudonym key is the one that stays.
            blake2b(keys.pseudonym, digest_size=32, person=b"cg-derive").digest(),
            frozenset((entry.host.encode().lower(), entry.public_port) for entry in settings.listener),
            sent_bys,
            timers.cookie_hours * 3600,
        )
        self.book: PeerBook | None = None
        self.watcher = SnapshotWatcher(
            self.link, self._switch, self.lookup.set_epoch, settings.state_dir / "registry.snapshot", loop
        )
        self._listening = False

    # -- life ------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Recover, take up the last registry known, and begin to receive as soon as there is one."""
        self._recover(self._recovery)
        self._linking = spawn(self.link.run(), "redis link", self._task_failed)
        self.stats.before_snapshot.append(lambda: refresh_stats(self))
        path = self._settings.worker_socket(self._index)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._server = await serve_stats(path, self.stats.snapshot)
        kept = load_last_good(self._settings.state_dir / "registry.snapshot")
        if kept is not None:
            try:
                self._switch(kept)
                self.watcher.version = kept.version
            except ValueError as error:
                _log.warning("last registry refused", version=kept.version, reason=str(error))
        self.watcher.start()
        self._housekeeping = self._loop.call_later(HOUSEKEEPING_S, self._housekeep)
        gc.collect()
        gc.freeze()
        gc.set_threshold(*GC_THRESHOLDS)

    async def drain(self) -> None:
        """No new calls; what is being set up may finish, bounded by `node.drain_s`; then everything is on disk."""
        self.gate.draining = self.core.draining = self.stats.draining = True
        deadline = monotonic() + self._settings.node.drain_s
        while monotonic() < deadline and self._in_progress():  # noqa: ASYNC110 - tables have no event
            await asyncio.sleep(0.05)
        self._housekeeping.cancel()
        self.watcher.stop()
        self.lookup.close()  # calls that still wait are refused, and told so
        self.edge.end_turn(monotonic())
        self.edge.stop()
        self._linking.cancel()
        self.gate.evidence.flush(time())
        self._server.close()
        self.journal.close()

    def _in_progress(self) -> bool:
        layer = self.core.layer
        if self.gate.parked or any(server.unfinished for server in layer.servers.values()):
            return True
        return any(client.unfinished for client in layer.clients.values())

    def _recover(self, recovery: Recovery) -> None:
        at = time()
        evidence = self.gate.evidence
        for decision in recovery.open_calls:
            evidence.outcome(decision, at, "lost", 0, "")
            self.stats.outcomes["", "lost"] += 1
        for decision in recovery.ended:
            evidence.note_ended(decision)
        record = RestartRecord(
            int(at * 1e6), self._settings.node.name, recovery.torn_bytes, len(recovery.open_calls)
        )
        evidence.keep(evidence.encode(record))
        known = {decision: (found.verdict, found.rule, found.status) for decision, found in recovery.decided.items()}
        self.gate.recover(known, monotonic())
        self.gate.commit(at)
        if recovery.torn_bytes or recovery.open_calls:
            _log.warning("journal recovered", torn_bytes=recovery.torn_bytes, lost_calls=len(recovery.open_calls))

    # -- registry --------------------------------------------------------------------------------------------------

    def _switch(self, snapshot: Snapshot) -> None:
        """Compile a snapshot and put it in force. Raises ValueError, with the old one kept, if it is unusable."""
        try:
            pack = load_pack(snapshot.pack, f"pack of registry version {snapshot.version}")
        except PackError as error:
            raise ValueError(str(error)) from error
        registry = Registry(snapshot)
        book = PeerBook(registry, self.listeners, self.book)
        self.book = book
        self.gate.switch(registry, Engine(pack, self._rule_failed))
        self.keeper.switch(registry, book)
        self.edge.forget_sources()
        self.stats.registry_version = registry.version
        if not self._listening:
            self._listening = True
            self.edge.start(self.core)
        _log.info("registry in force", version=registry.version, pack=pack.label)

    def _identify(self, listener: str, ip: str) -> Peer | None:
        return self.keeper.identify(listener, ip)

    # -- turns -----------------------------------------------------------------------------------------------------

    def _before_send(self, now: float) -> None:
        self.keeper.before_send(now)

    def _when_safe(self, act: Callable[[OSError | None], None]) -> None:
        if not self.journal.waits_for_sync:
            act(None)
            return

        def synced(error: OSError | None) -> None:
            self.stats.journal_errors += error is not None
            try:
                act(error)
            except Exception as fault:  # what the others' verdicts queued still leaves
                self._failed(fault)
            self.edge.end_turn(monotonic())

        self.journal.on_synced(synced)

    def _housekeep(self) -> None:
        self._housekeeping = self._loop.call_later(HOUSEKEEPING_S, self._housekeep)
        self.keeper.expire_calls(time())
        self.edge.end_turn(monotonic())

    # -- faults of our own -----------------------------------------------------------------------------------------

    def _failed(self, error: BaseException) -> None:
        count = self.stats.errors["message"] = self.stats.errors.get("message", 0) + 1
        if count <= MAX_LOGGED or count % MAX_LOGGED_EACH == 0:
            _log.error("message failed", count=count, exc_info=error)

    def _task_failed(self, name: str, error: BaseException) -> None:
        self.stats.errors[name] = self.stats.errors.get(name, 0) + 1
        _log.error("task failed", task=name, exc_info=error)

    def _rule_failed(self, rule: str, error: Exception) -> None:
        count = self.stats.rule_errors[rule] = self.stats.rule_errors.get(rule, 0) + 1
        if count <= MAX_LOGGED or count % MAX_LOGGED_EACH == 0:
            _log.error("rule failed", rule=rule, count=count, exc_info=error)


def own_hosts(settings: Settings) -> list[bytes]:
    """Hosts that a Request-URI may name for us: of every listener, as bound and as advertised."""
    return [host.encode().lower() for entry in settings.listener for host in (entry.host, entry.address)]
