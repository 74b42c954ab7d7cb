"""Starts, runs and drains one SIP worker."""

from __future__ import annotations

import asyncio
import gc
import signal
from collections.abc import Callable, Sequence
from functools import partial
from hashlib import blake2b
from secrets import token_bytes
from time import monotonic, time

import uvloop

from gateway.gate.evidence import Evidence
from gateway.gate.gate import Gate
from gateway.gate.ladder import LiveRestrictions
from gateway.gate.pack import PackError
from gateway.gate.pack_set import engines, load_stored
from gateway.gate.pseudonym import PseudonymRing
from gateway.gate.recorder import Recorder
from gateway.gate.records import RestartRecord
from gateway.gate.seal import Sealer
from gateway.key_ring import KeyFile
from gateway.net.edge import Edge
from gateway.net.group import Group, inherited
from gateway.net.handover import Handover
from gateway.net.stream_edge import StreamEdge
from gateway.net.tasks import spawn
from gateway.net.udp import UdpListener
from gateway.proxy.cookie import CookieRing
from gateway.proxy.core import ProxyCore
from gateway.proxy.logins import Logins
from gateway.proxy.overload import Overload, OverloadSettings
from gateway.proxy.peer import Peer
from gateway.registry.model import Snapshot
from gateway.registry.ranges import RangeTable
from gateway.registry.registry import Registry
from gateway.settings import Settings, make_run_dir
from gateway.store.journal.recovery import Recovery
from gateway.store.redis.channels import Channels
from gateway.store.redis.closed import CounterStore
from gateway.store.redis.deployment import connect, link_to, shards_of, where_calls_are_told, where_keys_are_told
from gateway.store.redis.elsewhere import Elsewhere
from gateway.store.redis.lastgood import FILE_NAME, load_last_good
from gateway.store.redis.names import place_tags
from gateway.store.redis.snapshot import SnapshotWatcher
from gateway.telemetry.logs import get_logger
from gateway.telemetry.metrics import WorkerStats
from gateway.telemetry.stats_socket import serve_stats
from gateway.transaction.layer import TransactionLayer
from gateway.transaction.timers import TimerValues
from gateway.worker.ebb import Ebb, give_back
from gateway.worker.faults import Faults
from gateway.worker.gatekeeper import Gatekeeper
from gateway.worker.journal import WorkerJournal
from gateway.worker.key_watch import KeyWatch
from gateway.worker.leases import Leases
from gateway.worker.locating import Locating
from gateway.worker.login_table import LoginTable
from gateway.worker.patience import HOLD_S, PatientLookup
from gateway.worker.peers import AnyListener, Located, PeerBook
from gateway.worker.probing import probed_hops, probing_of
from gateway.worker.siblings import last_decided, leave_to_siblings
from gateway.worker.stats import refresh_stats
from gateway.worker.streams import listen_streams
from gateway.worker.turn import TurnEnd

HOUSEKEEPING_S = 1.0

GC_THRESHOLDS = (2_000, 1_000_000, 1_000_000)
"""Messages and transactions are freed by their reference counts. Only what is young is looked at under load: with
16,000 finished calls in the tables, a collection of the rest was measured to stop the loop for 40 ms."""

GC_IDLE_TRANSACTIONS = 500
"""With fewer transactions than this, everything can be collected in about a millisecond."""

GC_EVERY = 30
"""Seconds between two such collections."""

_log = get_logger(__name__)


def run_worker(settings: Settings, index: int, sockets: str = "") -> None:
    """Run worker `index` of this node until SIGTERM or SIGINT, then drain. `sockets`: descriptors of the SIP sockets
    that the supervisor has bound (`net.group`); empty: it binds its own."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_run(settings, index, inherited(sockets)))


async def _run(settings: Settings, index: int, groups: list[Group]) -> None:
    worker = Worker(settings, index, asyncio.get_running_loop(), groups)
    await worker.start()
    stop = asyncio.Event()
    for sign in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(sign, stop.set)
    await stop.wait()
    await worker.drain()


class Worker:
    """Everything one worker process holds."""

    def __init__(
        self, settings: Settings, index: int, loop: asyncio.AbstractEventLoop, groups: Sequence[Group] = ()
    ) -> None:
        """`groups`: for each listener the sockets of all workers of this node, where the supervisor has bound them."""
        self._settings = settings
        self._loop = loop
        self._index = index
        self.stats = WorkerStats(index)
        key_file = KeyFile(settings.keys_file)
        keys = key_file.keys()
        self.faults = Faults(self.stats)
        self.journal = WorkerJournal(settings, index, loop.call_soon_threadsafe, self._recover)
        shared = settings.node.workers > 1
        entries = [entry for entry in settings.listener if entry.transport == "udp"]
        self.listeners = [
            UdpListener(
                entry.name, entry.address, entry.port,
                f"{entry.host}:{entry.public_port}".encode(), shared, group, index,
            )
            for entry, group in zip(entries, groups or [[] for _ in entries], strict=True)
        ]
        self.streams = StreamEdge(self._identify, self._admits, self.faults.message)
        listen_streams(self.streams, settings, self.faults.task)
        self.handover = Handover(make_run_dir(settings), index, settings.node.workers) if shared else None
        sent_bys = tuple(f"{entry.host}:{entry.public_port}".encode() for entry in settings.listener)
        pseudonyms = PseudonymRing([key.secret for key in keys.pseudonyms])
        self.edge = Edge(
            loop, self.listeners, self._identify, self.faults.message, self.handover, self.streams
        )
        deadline_s = settings.gate.deadline_ms / 1000
        self.link, self.lookup = connect(settings.redis.url, deadline_s, loop, pseudonyms, self.edge, self.edge.wake)
        self.link.on_change.append(self._link_changed)
        self.lookup.on_breaker.append(self._breaker_changed)
        self.patience = PatientLookup(self.lookup, pseudonyms)
        restrictions = LiveRestrictions()
        place_tags()  # sixty milliseconds, that no call should wait for
        self.counters = CounterStore(
            partial(link_to, self.link), partial(shards_of, self.link), restrictions, deadline_s, loop
        )
        self.lookup.restrictions = self.counters
        self.channels = Channels(partial(link_to, self.link), deadline_s, loop)
        self._sealer = sealer = Sealer(keys.seal_id, keys.seal, keys.older_seals)
        self.gate = Gate(
            self.patience,
            Recorder(settings.node.name, Evidence(self.journal), pseudonyms, sealer),
            self.stats,
            frozenset(own_hosts(settings)),
            monotonic,
            self.edge.wake,
            settings.journal.required,
            self.counters,
            restrictions,
            self.channels,
        )
        leases = Leases(settings.timers.max_call_hours * 3600)
        when_safe = self._when_safe if self.journal.waits_for_sync else None
        self.keeper = Gatekeeper(self.gate, self.stats, sent_bys[0], leases, when_safe, self.channels)
        told, stream = where_calls_are_told(self.link)
        self._elsewhere = Elsewhere(told, f"{settings.node.name}-{index}", self.keeper.let_go, stream)
        self.keeper.on_taken_over = self._elsewhere.tell
        me = f"{settings.node.name}-{index}"
        self._key_watch = KeyWatch(key_file, keys, pseudonyms, sealer, *where_keys_are_told(self.link), me)
        timers = settings.timers
        values = TimerValues(
            timers.t1_ms / 1000, timers.t2_ms / 1000, timers.t4_ms / 1000, timers.timer_c_s, timers.first_response_s
        )
        self.core = ProxyCore(
            TransactionLayer(self.edge.send, values),
            self.keeper,
            CookieRing({key.id: key.secret for key in keys.cookies}, keys.cookies[0].id),
            # Derived ids must not change when a key is added.
            blake2b(keys.lasting, digest_size=32, person=b"cg-derive").digest(),
            frozenset((entry.host.encode().lower(), entry.public_port) for entry in settings.listener),
            sent_bys,
            timers.cookie_hours * 3600,
            Logins(token_bytes(32), settings.node.workers),
            Overload(overload_settings(settings), monotonic()),
        )
        overload = self.core.overload if settings.overload.enabled else None
        self.edge.before_send = TurnEnd(self.lookup.flush, self.gate, self.keeper, self.edge, overload).run
        if self.handover is not None:
            self.handover.on_stand_in = self._stand_in
            self.handover.in_setup = self.core.dialogs.decisions.in_setup
            self.edge.on_greeted = self._take_stock
        self._recovery: Recovery | None = None
        """What the journal held, until the other workers have told what they did with it."""
        self._greeted = False
        self.book: PeerBook | None = None
        self.locating = Locating(
            settings.dns, self._every_listener, settings.located_file, self._relocated, self.faults.task
        )
        self.probing = probing_of(settings, index, loop, self.core.layer, self.edge, self.faults.message)
        self.watcher = SnapshotWatcher(
            self.link, self._switch, self._dataset_known, settings.state_dir / FILE_NAME, loop, pseudonyms
        )
        self._counted_since = 0
        self._listening = False
        self._ebb = Ebb()
        self._seconds = 0
        """Housekeeping rounds so far."""

    # -- life ------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Recover, take up the last registry known, and begin to receive as soon as there is one."""
        self.journal.open()
        self._linking = spawn(self.link.run(), "redis link", self.faults.task)
        self.stats.before_snapshot.append(lambda: refresh_stats(self))
        make_run_dir(self._settings)
        path = self._settings.worker_socket(self._index)
        self._server = await serve_stats(path, self.stats.snapshot)
        kept = load_last_good(self._settings.state_dir / FILE_NAME)
        if kept is not None:
            try:
                self._switch(kept.snapshot, kept.ranges)
                self.watcher.begin_with(kept)
            except ValueError as error:
                _log.warning("last registry refused", version=kept.snapshot.version, reason=str(error))
        self.watcher.start()
        self.counters.start()
        self._waiting = self._loop.call_later(HOLD_S, self.patience.release)
        self._housekeeping = self._loop.call_later(HOUSEKEEPING_S, self._housekeep)
        gc.collect()
        gc.freeze()
        gc.set_threshold(*GC_THRESHOLDS)

    async def drain(self) -> None:
        """No new calls; what is being set up may finish, bounded by `node.drain_s`; then everything is on disk."""
        self.gate.draining = self.core.draining = self.stats.draining = True
        self.streams.stop_accepting()
        self.probing.stop()
        self.locating.stop()
        deadline = monotonic() + self._settings.node.drain_s
        while monotonic() < deadline and self._in_progress():  # noqa: ASYNC110 - tables have no event
            await asyncio.sleep(0.05)
        self._housekeeping.cancel()
        self._waiting.cancel()
        self.patience.release()
        self.watcher.stop()
        self.counters.close()
        self.channels.close()
        self.lookup.close()  # calls that still wait are refused, and told so
        self.edge.end_turn(monotonic())
        self.edge.stop()
        await self.streams.closed()
        self._take_stock()
        self._key_watch.leave()
        self._linking.cancel()
        evidence = self.gate.evidence
        if not evidence.flush(time()) or evidence.given_up:
            _log.error("evidence lost", records=evidence.kept + evidence.given_up, trouble=self.journal.trouble)
        self._server.close()
        self.journal.close()

    @property
    def _every_listener(self) -> list[AnyListener]:
        return [*self.listeners, *self.streams.listeners]

    def _in_progress(self) -> bool:
        layer = self.core.layer
        if self.gate.parked or any(server.unfinished for server in layer.servers.values()):
            return True
        return any(client.unfinished for client in layer.clients.values())

    def _stand_in(self, index: int) -> None:
        """Another worker is away for long. What it has decided is not decided again."""
        _log.warning("another worker is away; its calls come here", worker=index)
        self.gate.recover(last_decided(self._settings, index), monotonic())

    def _recover(self, recovery: Recovery) -> None:
        if self.handover is not None and not self._greeted:
            self._recovery = recovery
        else:
            self._settle(recovery)

    def _take_stock(self) -> None:
        """The other workers have stopped standing in for this one: its journal and theirs say all there is."""
        self._greeted = True
        recovery, self._recovery = self._recovery, None
        if recovery is not None:
            self._settle(recovery)

    def _settle(self, recovery: Recovery) -> None:
        at = time()
        if self.handover is not None:
            leave_to_siblings(self._settings, self._index, recovery, {one.hex() for one in self.handover.pending})
        evidence = self.gate.evidence
        for decision in recovery.open_calls:
            evidence.outcome(decision, at, "lost", 0, "")
            self.stats.outcomes["", "lost"] += 1
        for decision in recovery.ended:
            evidence.note_ended(decision)
        self.keeper.take_up(recovery.answered, at)
        evidence.keep(
            evidence.encode(
                RestartRecord(
                    int(at * 1e6),
                    self._settings.node.name,
                    recovery.torn_bytes,
                    len(recovery.open_calls),
                    recovery.missing_records,
                )
            )
        )
        known = {decision: (found.verdict, found.rule, found.status) for decision, found in recovery.decided.items()}
        self.gate.recover(known, monotonic())
        self.gate.commit(at)

    # -- registry --------------------------------------------------------------------------------------------------

    def _switch(self, snapshot: Snapshot, ranges: RangeTable) -> None:
        """Compile a snapshot and put it in force. Raises ValueError, with the old one kept, if it is unusable."""
        try:
            packs = load_stored(snapshot.packs, f"registry version {snapshot.version}")
        except PackError as error:
            raise ValueError(str(error)) from error
        registry = Registry(snapshot, ranges)
        logins = self._login_table(registry)
        book = PeerBook(registry, self._every_listener, self.book, logins, self.locating.located)
        self.book = book
        judging = engines(packs, registry, self.faults.rule)
        self.counters.watching = any(one.ladder for one in (judging.default, *judging.by_trunk.values()))
        self.gate.switch(registry, judging.default, judging.by_trunk)
        self.channels.limited = tuple([trunk.id for trunk in registry.trunks if trunk.channels or trunk.cps])
        self.keeper.switch(registry, book)
        self.edge.forget_sources()
        self.stats.registry_version = registry.version
        self.stats.feeds = {feed.id: (feed.issued_at, feed.max_age_s) for feed in snapshot.feeds}
        if not self._listening:
            self._listening = True
            self.edge.start(self.core)
        self.locating.follow(book.names)
        self.probing.follow(probed_hops(book, self._settings))
        _log.info("registry in force", version=registry.version, packs=packs.labels)

    def _login_table(self, registry: Registry) -> LoginTable:
        table = LoginTable(registry, [listener.name for listener in self._settings.listener], self._sealer)
        for trunk, user in table.unreadable:
            _log.error("digest secret was sealed with another key file (callgate trunk secret)", trunk=trunk, user=user)
        return table

    def _relocated(self, located: Located) -> None:
        if self.book is not None:
            self.book.relocate(located)
            self.probing.follow(probed_hops(self.book, self._settings))

    def _identify(
        self, listener: str, ip: str, port: int, transport: str, identities: tuple[str, ...]
    ) -> Peer | None:
        return self.keeper.identify(listener, ip, port, transport, identities)

    def _admits(self, listener: str, ip: str) -> bool:
        return self.keeper.admits(listener, ip)

    # -- turns -----------------------------------------------------------------------------------------------------

    def _when_safe(self, act: Callable[[OSError | None], None]) -> None:
        def synced(error: OSError | None) -> None:
            self.stats.journal_errors += error is not None
            try:
                act(error)
            except Exception as fault:  # what the others' verdicts queued still leaves
                self.faults.message(fault)
            self.edge.end_turn(monotonic())

        self.journal.on_synced(synced)

    def _housekeep(self) -> None:
        self._housekeeping = self._loop.call_later(HOUSEKEEPING_S, self._housekeep)
        self.journal.check()
        self._elsewhere.read()
        self._key_watch.look(time())
        self.keeper.expire_calls(monotonic())
        since, self._counted_since = self._counted_since, self.gate.counted_since_ms
        if 0 < since < self._counted_since:
            _log.warning("redis has lost its counters; calls are counted anew", since_ms=self._counted_since)
        self.edge.end_turn(monotonic())
        self._seconds += 1
        layer = self.core.layer
        transactions = len(layer.servers) + len(layer.clients)
        idle = transactions < GC_IDLE_TRANSACTIONS
        if self._ebb.has_fallen(transactions):
            self.core.shrink()
            self.keeper.shrink()
            if idle:
                gc.collect()
            self.core.counters.gather()
            self.gate.gather()
            self.stats.gather()
            give_back()
        elif idle and self._seconds % GC_EVERY == 0:
            gc.collect()

    # -- the store -------------------------------------------------------------------------------------------------

    def _dataset_known(self, epoch: int, buckets: int) -> None:
        self.lookup.set_epoch(epoch, buckets)
        self.patience.release()

    def _link_changed(self, up: bool, reason: str) -> None:
        if up:
            _log.warning("redis is there", **({"which": reason} if reason else {}))
        else:
            _log.error("redis is away; calls that need it are refused with 503", reason=reason)

    def _breaker_changed(self, is_open: bool) -> None:
        if is_open:
            _log.error("redis does not answer in time; calls that need it are refused at once with 503")
        else:
            _log.warning("redis answers in time again")


def overload_settings(settings: Settings) -> OverloadSettings:
    """The settings as the proxy takes them."""
    given = settings.overload
    return OverloadSettings(
        delay_s=given.delay_ms / 1000,
        max_delay_s=given.max_delay_ms / 1000,
        waiting=given.waiting,
        retry_after_s=given.retry_after_s,
    )


def own_hosts(settings: Settings) -> list[bytes]:
    """Hosts that a Request-URI may name for us: of every listener, as bound and as advertised."""
    hosts = [host for entry in settings.listener for host in (entry.host, entry.address)]
    # As a parsed URI has them: IPv6 in brackets (RFC 3261 §25.1, IPv6reference).
    return [(f"[{host}]" if ":" in host and host[0] != "[" else host).encode().lower() for host in hosts]
