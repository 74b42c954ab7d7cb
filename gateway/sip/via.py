"""Via: where a response goes back to (RFC 3261 §20.42, RFC 3581)."""

from __future__ import annotations

from typing import Final, final

from gateway.sip.chars import EQUAL, GEN_VALUE, PLAIN_PARAMS, TOKEN
from gateway.sip.errors import bad
from gateway.sip.limits import MAX_MEMO, MAX_MEMO_KEY
from gateway.sip.memo import new_memo, remember
from gateway.sip.params import split_params
from gateway.sip.uri import parse_host_port
from gateway.sip.value import Value

MAGIC_COOKIE: Final = b"z9hG4bK"
"""RFC 3261 §8.1.1.7: begins every branch made by an RFC 3261 client."""

_TRANSPORTS: Final[dict[bytes, bytes]] = {
    b"SIP/2.0/" + name: name for name in (b"UDP", b"TCP", b"TLS", b"SCTP", b"WS", b"WSS", b"TLS-SCTP")
}


@final
class Via(Value):
    """One Via element."""

    __slots__ = ("branch", "host", "params", "port", "received", "rport", "transport")

    def __init__(
        self,
        transport: bytes,
        host: bytes,
        port: int,
        params: bytes,
        branch: bytes,
        received: bytes,
        rport: bytes | None,
    ) -> None:
        self.transport = transport
        """Upper case: `UDP`, `TCP`, …"""
        self.host = host
        """Of sent-by, lower case, IPv6 in brackets."""
        self.port = port
        """Of sent-by; 0 for none."""
        self.params = params
        """All parameters, raw, without the leading `;`."""
        self.branch = branch
        """b"" for none (RFC 2543 clients)."""
        self.received = received
        """b"" for none; IPv6 with or without brackets, as received (RFC 5118 §4.5)."""
        self.rport = rport
        """None for none, b"" where the client asks for it, else digits (RFC 3581)."""

    def _held(self) -> tuple[object, ...]:
        return self.transport, self.host, self.port, self.params, self.branch, self.received, self.rport

    def to_bytes(self) -> bytes:
        """The element as it goes on the wire."""
        text = b"SIP/2.0/%b %b" % (self.transport, self.host)
        if self.port:
            text = b"%b:%d" % (text, self.port)
        return b"%b;%b" % (text, self.params) if self.params else text

    def stamped(self, address: bytes, port: int) -> Via:
        """The element with what the transport saw: `address`, `port` are the source of the request.

        RFC 3261 §18.2.1: `received` where sent-by names another host; RFC 3581 §4: `rport` is filled in where
        the client asked, and then `received` always stands. Values the client brought itself are replaced.
        """
        host = self.host[1:-1] if self.host.startswith(b"[") else self.host
        address = address.strip(b"[]")
        if self.rport is None and not self.received and host == address:
            return self
        if self.rport == b"" and not self.received and self.params.endswith(b";rport"):
            digits = b"%d" % port
            params = b"%b=%b;received=%b" % (self.params, digits, address)
            return Via(self.transport, self.host, self.port, params, self.branch, address, digits)
        kept = []
        for name, value in split_params(self.params) if self.params else []:
            if name not in (b"received", b"rport"):
                kept.append(name if value is None else name + b"=" + value)
        received = b""
        rport: bytes | None = None
        if self.rport is not None:
            rport = b"%d" % port
            kept.append(b"rport=" + rport)
        if self.rport is not None or host != address:
            received = address
            kept.append(b"received=" + address)
        return Via(self.transport, self.host, self.port, b";".join(kept), self.branch, received, rport)


def parse_via(value: bytes) -> Via:
    """One Via element. Raises RemoteProtocolError: 400, a branch that is nothing but the magic cookie
    included."""
    sender, semicolon, params = value.partition(b";")
    transport, host, port = _senders.get(sender) or _read_sender(sender)
    branch = received = b""
    rport: bytes | None = None
    if semicolon:
        if params.translate(PLAIN_PARAMS) == params:
            branch, received, rport = _plain_params(params)
        else:
            params = params.strip(b" \t")
            branch, received, rport = _via_params(params)
        if len(branch) == 7:
            _check_branch(branch)
    return Via(transport, host, port, params, branch, received, rport)


_senders: Final[dict[bytes, tuple[bytes, bytes, int]]] = new_memo()


def _read_sender(sender: bytes) -> tuple[bytes, bytes, int]:
    """sent-protocol LWS sent-by to transport, host and port; remembered, for a gateway has few neighbours."""
    protocol, _, sent_by = sender.partition(b" ")
    transport = _TRANSPORTS.get(protocol)
    if transport is None:
        transport, sent_by = _spaced_protocol(sender)
    # RFC 3261 §20.42 has white space around the colon of sent-by.
    host, port = parse_host_port(b":".join([part.strip(b" \t") for part in sent_by.split(b":")]))
    read = (transport, host, port)
    if len(sender) <= MAX_MEMO_KEY:
        remember(_senders, MAX_MEMO, sender, read)
    return read


def _plain_params(params: bytes) -> tuple[bytes, bytes, bytes | None]:
    """The same as `_via_params`, quicker for what nearly every Via has: branch, rport and received, each once, in lower
    case and in token characters. `params` has no others but `;` and `=`."""
    branch = received = b""
    rport: bytes | None = None
    for part in params.split(b";"):
        value = b""
        if part.startswith(b"branch=") and not branch:
            value = branch = part[7:]
        elif part == b"rport" and rport is None:
            rport = b""
            continue
        elif part.startswith(b"rport=") and rport is None:
            value = rport = part[6:]
            if len(value) > 5 or not value.isdigit():
                return _via_params(params)
        elif part.startswith(b"received=") and not received:
            value = received = part[9:]
        if not value or EQUAL in value:
            return _via_params(params)
    return branch, received, rport


def _via_params(params: bytes) -> tuple[bytes, bytes, bytes | None]:
    """branch, received and rport among all parameters; each may stand once."""
    branch = received = b""
    rport: bytes | None = None
    for name, value in split_params(params):
        if name == b"branch":
            if branch or not value or value.translate(TOKEN) != value:
                raise bad(b"Bad Via Branch")
            branch = value
        elif name == b"rport":
            if rport is not None or (value is not None and (not value.isdigit() or len(value) > 5)):
                raise bad(b"Bad Via Rport")
            rport = value or b""
        elif name == b"received":
            if received or not value or value.translate(GEN_VALUE) != value:
                raise bad(b"Bad Via Received")
            received = value
    return branch, received, rport


def _check_branch(branch: bytes) -> None:
    """RFC 4475 §3.2.1: the bare magic cookie identifies nothing, so two requests would share one
    transaction."""
    if branch.lower() == b"z9hg4bk":
        raise bad(b"Bad Via Branch")


def _spaced_protocol(value: bytes) -> tuple[bytes, bytes]:
    """sent-protocol with white space around its slashes, or of another transport; gives transport and the
    rest."""
    name, slash, rest = value.partition(b"/")
    version, slash_too, rest = rest.partition(b"/")
    rest = rest.lstrip(b" \t")
    if not slash or not slash_too or name.strip(b" \t").upper() != b"SIP" or version.strip(b" \t") != b"2.0":
        raise bad(b"Bad Via Protocol")
    end = len(rest)
    for blank in (b" ", b"\t"):
        found = rest.find(blank)
        if 0 <= found < end:
            end = found
    transport = rest[:end]
    if end == len(rest) or not transport or transport.translate(TOKEN) != transport:
        raise bad(b"Bad Via Transport")
    return transport.upper(), rest[end:]
