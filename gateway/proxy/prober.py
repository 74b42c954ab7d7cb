"""The probes of all next hops: sends what is due, hears the answers, keeps `Hop.up` (DESIGN §5).

One worker of a node runs it. Several hops with one destination (two trunks at one SBC) share one probe.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from hashlib import blake2b

from gateway.proxy.peer import Destination, Hop
from gateway.proxy.probe import Probe, ProbeSettings, write_options
from gateway.sip.message import Response
from gateway.transaction.keys import MAGIC_COOKIE
from gateway.transaction.layer import TransactionLayer
from gateway.transaction.timers import NEVER
from gateway.transaction.transactions import ClientTransaction

MAX_CALL_IDS = 4_096
"""Call-IDs tried for one that this worker is given the answers of: one in as many as there are workers is."""

MAX_HOPS = 4_096
"""Hops that are probed: 2,000 probes/s at the usual interval."""


class Probed:
    """One destination: its probe, the hops that follow it, and the user of its transactions (`ClientUser`)."""

    __slots__ = ("call_id", "client", "destination", "hops", "probe", "prober", "tag")

    def __init__(self, prober: Prober, destination: Destination, probe: Probe) -> None:
        self.prober = prober
        self.destination = destination
        self.probe = probe
        self.hops: list[Hop] = []
        self.tag = self.call_id = b""
        for number in range(MAX_CALL_IDS):
            digest = prober.digest(destination.name.encode(), b"%d" % number)
            self.tag, self.call_id = digest[:16], digest[16:] + b"@probe"
            if prober.owns(self.call_id):
                break
        self.client: ClientTransaction | None = None
        """The transaction of the probe under way."""

    def show(self) -> None:
        """Let the hops know."""
        for hop in self.hops:
            hop.up = self.probe.up

    def forget(self) -> None:
        """Leave nothing of the probe under way: its transaction would wait for 32 s, and its answer would be late."""
        client, self.client = self.client, None
        if client is not None:
            client.layer.forget_client(client)

    def done(self, client: ClientTransaction, status: int, now: float) -> None:
        if client is not self.client:
            return  # of an earlier probe, which was counted as missed
        self.client = None
        if self.probe.answered(self.probe.sequence, status, now, self.prober.jitter()):
            self.prober.changed(self)

    def client_response(self, client: ClientTransaction, response: Response, now: float) -> None:
        """`ClientUser`: the hop answered."""
        if response.status >= 200:
            self.done(client, response.status, now)

    def client_ack(self, client: ClientTransaction, response: Response) -> bytes:
        """`ClientUser`: an OPTIONS has none."""
        return b""

    def client_timeout(self, client: ClientTransaction, now: float) -> None:
        """`ClientUser`: timer F; the probe's own time was over long before."""

    def client_error(self, client: ClientTransaction, now: float) -> None:
        """`ClientUser`: the transport failed (§16.9: as a 503)."""
        self.done(client, 503, now)


class Prober:
    """All probes of one worker."""

    __slots__ = ("_layer", "_on_change", "_secret", "_settings", "_targets", "jitter", "owns")

    def __init__(
        self,
        layer: TransactionLayer,
        settings: ProbeSettings,
        secret: bytes,
        jitter: Callable[[], float],
        on_change: Callable[[Destination, bool], None],
        owns: Callable[[bytes], bool] = lambda call_id: True,
    ) -> None:
        """`secret`: of this process, from which branches are derived; `jitter()`: a random number, 0 ≤ jitter < 1.
        `on_change(destination, up)` hears of hops that went down or came up. `owns(call_id)`: do messages with this
        Call-ID come to this worker?"""
        self._layer = layer
        self._settings = settings
        self._secret = secret
        self._on_change = on_change
        self._targets: dict[str, Probed] = {}
        self.jitter = jitter
        self.owns = owns

    def follow(self, hops: Iterable[Hop], now: float) -> None:
        """Probe these hops and no others: a new registry version. The state of a destination that stays is kept."""
        before, self._targets = self._targets, {}
        for hop in hops:
            name = hop.destination.name
            target = self._targets.get(name) or before.get(name)
            if target is None:
                if len(self._targets) >= MAX_HOPS:
                    continue  # it is taken for up, as without probing
                target = Probed(self, hop.destination, Probe(self._settings, now, self.jitter()))
                target.probe.up = hop.up
            if name not in self._targets:
                self._targets[name] = target
                target.destination = hop.destination
                target.hops = []
            target.hops.append(hop)
        for name, gone in before.items():
            if name not in self._targets:
                gone.forget()
        for target in self._targets.values():
            target.show()

    @property
    def next_at(self) -> float:
        """When `tick` has something to do; infinity where nothing is probed."""
        return min((target.probe.next_at for target in self._targets.values()), default=NEVER)

    def tick(self, now: float) -> None:
        """Send the probes that are due, and count those that went unanswered."""
        for target in self._targets.values():
            probe = target.probe
            if now < probe.next_at:
                continue
            was = probe.up
            if probe.tick(now, self.jitter()):
                self._send(target, now)
            else:
                target.forget()
                if probe.up != was:
                    self.changed(target)

    def stop(self) -> None:
        """Nobody waits for the answers under way: a gateway that drains has no reason to wait for them."""
        for target in self._targets.values():
            target.forget()
        self._targets = {}

    def down(self) -> list[str]:
        """`Destination.name` of those that are down."""
        return [name for name, target in self._targets.items() if not target.probe.up]

    def changed(self, target: Probed) -> None:
        """A probe's verdict has changed."""
        target.show()
        self._on_change(target.destination, target.probe.up)

    def digest(self, *parts: bytes) -> bytes:
        """32 hex digits that nobody else can guess."""
        return blake2b(b"\0".join(parts), digest_size=16, key=self._secret, person=b"cg-probe").hexdigest().encode()

    def _send(self, target: Probed, now: float) -> None:
        sequence = target.probe.sequence
        branch = MAGIC_COOKIE + self.digest(target.call_id, b"%d" % sequence)
        data = write_options(target.destination, branch, target.call_id, target.tag, sequence)
        target.client = self._layer.new_client(branch, b"OPTIONS", target.destination, data, target, now)
