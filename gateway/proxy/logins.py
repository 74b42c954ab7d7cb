"""Strangers on a listener with digest trunks: who may log in, and which of their messages are a trunk's.

RFC 3261 §22.3: an INVITE without credentials gets a 407, made without state. One with the right credentials comes from
the trunk they belong to, at the address it came from; so does whatever belongs to a transaction of it there (ACK,
CANCEL, repeated INVITEs), and what carries the cookie of a dialog that is bound to that address (DESIGN §5). A new
INVITE shows credentials each time. Nothing else is answered.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from gateway.proxy import reply, route
from gateway.proxy.authenticate import Account, authenticate, challenges, without_credentials
from gateway.proxy.cookie import PARAMETER, short_hash
from gateway.proxy.located import pack_address
from gateway.proxy.nonces import Nonces
from gateway.proxy.peer import Destination, Peer, Source
from gateway.proxy.throttle import Throttle, throttled_as
from gateway.sip.message import Request, Response
from gateway.transaction.keys import invite_key

if TYPE_CHECKING:
    from gateway.proxy.core import ProxyCore

CHALLENGES_PER_S, CHALLENGES_AT_ONCE = 20.0, 100
"""For one source that has not logged in lately. One that has is not counted: each of its calls needs a challenge."""

ALL_CHALLENGES_PER_S, ALL_CHALLENGES_AT_ONCE = 1_000.0, 2_000
"""For all such sources: addresses can be made up, and each answer goes to whom the address belongs to."""

ALL_ANSWERS_PER_S, ALL_ANSWERS_AT_ONCE = 2_000.0, 4_000
"""INVITEs with credentials that are read, of all sources that have not logged in lately."""

WRONG_PER_S, WRONG_AT_ONCE = 0.1, 10
"""Wrong answers of one source. Beyond that its credentials are not looked at: a guess in ten seconds."""

MAX_LOGGED_IN = 20_000
"""Addresses remembered that logged in; full: the one that did so first is forgotten."""

MAX_TRUNKS_AT_ONE = 4
"""Trunks that may be logged in from one address and port."""

RESULTS = ("proven", "missing", "malformed", "wrong", "stale", "replayed", "throttled")
"""What becomes of an INVITE of a stranger."""

_EVERYONE = b"*"
_COOKIE = PARAMETER + b"="


class Unproven(Peer):
    """The strangers of one listener."""

    __slots__ = ("accounts", "algorithms", "may_try", "realm")

    def __init__(
        self,
        listener: str,
        realm: bytes,
        accounts: Mapping[bytes, Account],
        algorithms: tuple[bytes, ...],
        may_try: Callable[[Source], bool],
    ) -> None:
        """`accounts`: by user name; `algorithms`: offered, in this order; `may_try`: some digest trunk takes messages
        from there."""
        super().__init__("", b"", True, (), _nowhere, None)
        self.key = b"\0" + listener.encode()
        self.unproven = True
        self.realm = realm
        self.accounts = accounts
        self.algorithms = algorithms
        self.may_try = may_try


def _nowhere(host: bytes, port: int, transport: bytes = b"") -> Destination | None:
    return None


class Logins:
    """Who logged in to one worker."""

    __slots__ = ("_all", "_answers", "_challenges", "_nonces", "_sources", "_wrong", "results")

    def __init__(self, secret: bytes) -> None:
        """`secret`: of this process alone (`nonces`)."""
        self._nonces = Nonces(secret)
        self._challenges = Throttle(CHALLENGES_PER_S, CHALLENGES_AT_ONCE)
        self._all = Throttle(ALL_CHALLENGES_PER_S, ALL_CHALLENGES_AT_ONCE)
        self._answers = Throttle(ALL_ANSWERS_PER_S, ALL_ANSWERS_AT_ONCE)
        self._wrong = Throttle(WRONG_PER_S, WRONG_AT_ONCE)
        self._sources: OrderedDict[tuple[bytes, int, bytes], list[Source]] = OrderedDict()
        """`_key` of an address to the sources it logged in as."""
        self.results = dict.fromkeys(RESULTS, 0)

    def is_worth_reading(self, data: bytes, source: Source, now: float) -> bool:
        """False for what could only be dropped: reading a message costs ten times as much as this, and strangers send
        what they like. Nothing is decided here that `source_of` does not decide again."""
        if data[:8] == b"SIP/2.0 " or _COOKIE in data or _key(source) in self._sources:
            return True
        if data[:7] != b"INVITE ":
            return False
        if b"Authorization" in data:
            return self._answers.take(_EVERYONE, now)
        return self._all.allows(_EVERYONE, now) and self._challenges.allows(throttled_as(source.host), now)

    def source_of(self, core: ProxyCore, request: Request, source: Source, now: float) -> Source | None:
        """The source this request of a stranger has proven to be, our credentials taken out of it. None: it has not,
        and was answered if it is to be."""
        asked = source.peer
        if not isinstance(asked, Unproven):
            return None
        found = self._of_transaction(core, request, source)
        if found is None and request.to.tag:
            found = self._of_dialog(core, request, source)
        elif found is None and request.method == b"INVITE" and asked.may_try(source):
            found = self._log_in(core, request, source, asked, now)
            if found is None:
                return None
        if found is None:
            core.counters.drop("stranger")
            return None
        if request.has(b"Proxy-Authorization"):
            # An ACK has those of its INVITE, and phones put them into other requests of the dialog as well.
            request.headers = without_credentials(request.headers, asked.realm)
            request.lines = []
        return found

    def _of_transaction(self, core: ProxyCore, request: Request, asked: Source) -> Source | None:
        servers = core.layer.servers
        for source in self._sources.get(_key(asked), ()):
            if invite_key(request, source.peer.key) in servers:
                return source
        return None

    def _of_dialog(self, core: ProxyCore, request: Request, source: Source) -> Source | None:
        """By the cookie. One of another address than the cookie's is refused like any forged one (`Dialogs.find`)."""
        cookie = core.dialogs.read(request, route.read_routes(request, core.dialogs.own))
        if cookie is None or not cookie.bound:
            return None
        peer = core.gate.peer_at(cookie.own, pack_address(source.reply))
        return source.of(peer) if peer is not None else None

    def _log_in(self, core: ProxyCore, request: Request, source: Source, asked: Unproven, now: float) -> Source | None:
        bound = pack_address(source.reply)
        known = _key(source) in self._sources
        host = throttled_as(source.host)
        answers = request.has(b"Proxy-Authorization")
        if answers and not known and not self._wrong.allows(host, now):
            self._drop(core)
            return None
        epoch = now + core.epoch_offset
        said = authenticate(request, asked.realm, asked.accounts, self._nonces, bound, epoch)
        peer = core.gate.logged_in(said.trunk, source) if said.trunk else None
        if peer is not None:
            self.results["proven"] += 1
            return self._remember(source.of(peer))
        reason = said.reason or "wrong"  # a trunk that may not be there
        if reason == "wrong":
            self._wrong.take(host, now)
        if not known and not (self._challenges.take(host, now) and self._all.take(_EVERYONE, now)):
            self._drop(core)
            return None
        self.results[reason] += 1
        nonce = self._nonces.make(epoch, bound, asked.realm)
        headers = challenges(asked.realm, nonce, asked.algorithms, said.stale)
        tag = short_hash(request.via.branch + b"\0" + request.call_id).hex().encode()
        top_via = request.via.stamped(source.host, source.port).to_bytes()
        data = reply.local_response(request, top_via, 407, b"Proxy Authentication Required", tag, headers)
        core.counters.sent_responses[4] += 1
        core.layer.send(reply.answer_destination(request, source), data)
        return None

    def _drop(self, core: ProxyCore) -> None:
        self.results["throttled"] += 1
        core.counters.drop("login-throttled")

    def _remember(self, source: Source) -> Source:
        key = _key(source)
        found = self._sources.get(key)
        if found is None:
            if len(self._sources) >= MAX_LOGGED_IN:
                self._sources.popitem(last=False)
            self._sources[key] = [source]
            return source
        for number, one in enumerate(found):
            if one.peer.key == source.peer.key:
                found[number] = source  # its trunk may have been changed meanwhile
                return source
        found[:] = [source, *found[: MAX_TRUNKS_AT_ONE - 1]]
        return source


def _key(source: Source) -> tuple[bytes, int, bytes]:
    """Stands for an address and our listener, as `pack_address` does, at a tenth of the cost."""
    return source.host, source.port, source.reply.via


def is_answer(response: Response, core: ProxyCore, source: Source) -> bool:
    """True when a stranger's response comes from the very address that its request went to, through the same
    listener: a next hop of a digest trunk, or where it logged in."""
    client = core.layer.client_of(response)
    if client is None:
        return False
    asked = client.destination
    return isinstance(asked, Destination) and pack_address(asked) == pack_address(source.reply)
