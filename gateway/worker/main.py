"""Starts, runs and drains one SIP worker."""

from __future__ import annotations

import asyncio
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
from gateway.gate.pseudonym import PseudonymRing
from gateway.gate.recorder import Recorder
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
from gateway.proxy.overload import Overload
from gateway.proxy.peer import Peer
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
from gateway.worker.faults import Faults
from gateway.worker.from_settings import overload_settings, own_hosts, timer_values
from gateway.worker.gatekeeper import Gatekeeper
from gateway.worker.housekeeping import Housekeeping
from gateway.worker.journal import WorkerJournal
from gateway.worker.key_watch import KeyWatch
from gateway.worker.leases import Leases
from gateway.worker.locating import Locating
from gateway.worker.patience import HOLD_S, PatientLookup
from gateway.worker.peers import AnyListener, PeerBook
from gateway.worker.probing import probing_of
from gateway.worker.resuming import Resuming
from gateway.worker.stats import refresh_stats
from gateway.worker.streams import listen_streams
from gateway.worker.switching import relocate, switch
from gateway.worker.turn import TurnEnd

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
        self.settings = settings
        self._loop = loop
        self._index = index
        self.stats = WorkerStats(index)
        key_file = KeyFile(settings.keys_file)
        keys = key_file.keys()
        self.faults = Faults(self.stats)
        self.journal = WorkerJournal(settings, index, loop.call_soon_threadsafe, self._recovered)
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
        self.sealer = sealer = Sealer(keys.seal_id, keys.seal, keys.older_seals)
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
        self.elsewhere = Elsewhere(told, f"{settings.node.name}-{index}", self.keeper.let_go, stream)
        self.keeper.on_taken_over = self.elsewhere.tell
        me = f"{settings.node.name}-{index}"
        self.key_watch = KeyWatch(key_file, keys, pseudonyms, sealer, *where_keys_are_told(self.link), me)
        self.core = ProxyCore(
            TransactionLayer(self.edge.send, timer_values(settings)),
            self.keeper,
            CookieRing({key.id: key.secret for key in keys.cookies}, keys.cookies[0].id),
            # Derived ids must not change when a key is added.
            blake2b(keys.lasting, digest_size=32, person=b"cg-derive").digest(),
            frozenset((entry.host.encode().lower(), entry.public_port) for entry in settings.listener),
            sent_bys,
            settings.timers.cookie_hours * 3600,
            Logins(token_bytes(32), settings.node.workers),
            Overload(overload_settings(settings), monotonic()),
        )
        overload = self.core.overload if settings.overload.enabled else None
        self.edge.before_send = TurnEnd(self.lookup.flush, self.gate, self.keeper, self.edge, overload).run
        self.resuming = Resuming(settings, index, self.gate, self.keeper, self.stats, self.handover)
        if self.handover is not None:
            self.handover.on_stand_in = self.resuming.stand_in
            self.handover.in_setup = self.core.dialogs.decisions.in_setup
            self.edge.on_greeted = self.resuming.take_stock
        self.book: PeerBook | None = None
        self.locating = Locating(
            settings.dns, self.every_listener, settings.located_file, partial(relocate, self), self.faults.task
        )
        self.probing = probing_of(settings, index, loop, self.core.layer, self.edge, self.faults.message)
        self.watcher = SnapshotWatcher(
            self.link, partial(switch, self), self._dataset_known, settings.state_dir / FILE_NAME, loop, pseudonyms
        )
        self.listening = False
        """It has had a registry, and receives."""
        self._housekeeping = Housekeeping(self, loop)

    # -- life ------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Recover, take up the last registry known, and begin to receive as soon as there is one."""
        self.journal.open()
        self._linking = spawn(self.link.run(), "redis link", self.faults.task)
        self.stats.before_snapshot.append(lambda: refresh_stats(self))
        make_run_dir(self.settings)
        path = self.settings.worker_socket(self._index)
        self._server = await serve_stats(path, self.stats.snapshot)
        kept = load_last_good(self.settings.state_dir / FILE_NAME)
        if kept is not None:
            try:
                switch(self, kept.snapshot, kept.ranges)
                self.watcher.begin_with(kept)
            except ValueError as error:
                _log.warning("last registry refused", version=kept.snapshot.version, reason=str(error))
        self.watcher.start()
        self.counters.start()
        self._waiting = self._loop.call_later(HOLD_S, self.patience.release)
        self._housekeeping.start()

    async def drain(self) -> None:
        """No new calls; what is being set up may finish, bounded by `node.drain_s`; then everything is on disk."""
        self.gate.draining = self.core.draining = self.stats.draining = True
        self.streams.stop_accepting()
        self.probing.stop()
        self.locating.stop()
        deadline = monotonic() + self.settings.node.drain_s
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
        self.resuming.take_stock()
        self.key_watch.leave()
        self._linking.cancel()
        evidence = self.gate.evidence
        if not evidence.flush(time()) or evidence.given_up:
            _log.error("evidence lost", records=evidence.kept + evidence.given_up, trouble=self.journal.trouble)
        self._server.close()
        self.journal.close()

    @property
    def every_listener(self) -> list[AnyListener]:
        return [*self.listeners, *self.streams.listeners]

    def _in_progress(self) -> bool:
        layer = self.core.layer
        if self.gate.parked or any(server.unfinished for server in layer.servers.values()):
            return True
        return any(client.unfinished for client in layer.clients.values())

    # -- asked by its parts ----------------------------------------------------------------------------------------

    def _recovered(self, recovery: Recovery) -> None:
        self.resuming.recover(recovery)

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
