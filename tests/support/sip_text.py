"""SIP messages as a test's user agents write them: plain text in, bytes out."""

from __future__ import annotations

from gateway.sip.message import Request, Response
from gateway.sip.responses import phrase_of

CALLER = b"+8657112340001"
CALLEE = b"+8613800138000"
SDP = b"v=0\r\no=- 1 1 IN IP4 127.0.0.2\r\ns=-\r\n"

Extra = tuple[tuple[bytes, bytes], ...]


def message(start: bytes, headers: list[tuple[bytes, bytes]], body: bytes = b"") -> bytes:
    """One message with a true Content-Length."""
    lines = [start, *[name + b": " + value for name, value in headers], b"Content-Length: %d" % len(body), b"", b""]
    return b"\r\n".join(lines) + body


def request(
    method: bytes,
    uri: bytes,
    *,
    via: bytes = b"SIP/2.0/UDP 127.0.0.2:5060",
    branch: bytes | None = b"z9hG4bK-1",
    from_: bytes = b"<sip:" + CALLER + b"@127.0.0.1>;tag=ft",
    to: bytes = b"<sip:" + CALLEE + b"@127.0.0.1>",
    call_id: bytes = b"call-1@127.0.0.2",
    cseq: int = 1,
    max_forwards: int | None = 70,
    contact: bytes = b"<sip:agent@127.0.0.2:5060>",
    extra: Extra = (),
    body: bytes = b"",
) -> bytes:
    """A request; `branch` None leaves the parameter out (RFC 2543)."""
    headers = [(b"Via", via + (b";branch=" + branch if branch is not None else b""))]
    headers += [(b"From", from_), (b"To", to), (b"Call-ID", call_id), (b"CSeq", b"%d " % cseq + method)]
    if max_forwards is not None:
        headers.append((b"Max-Forwards", b"%d" % max_forwards))
    if contact:
        headers.append((b"Contact", contact))
    return message(method + b" " + uri + b" SIP/2.0", [*headers, *extra], body)


def invite(**changes: object) -> bytes:
    """An initial INVITE of the caller, outbound."""
    changes.setdefault("body", SDP)
    return request(b"INVITE", b"sip:" + CALLEE + b"@127.0.0.1", **changes)  # type: ignore[arg-type]


def inbound(**changes: object) -> bytes:
    """An initial INVITE of the carrier, for the caller's number."""
    defaults: dict[str, object] = {
        "via": b"SIP/2.0/UDP 127.0.0.9:5060",
        "from_": b"<sip:" + CALLEE + b"@127.0.0.9>;tag=nt",
        "to": b"<sip:" + CALLER + b"@127.0.0.1>",
        "call_id": b"call-2@127.0.0.9",
        "contact": b"<sip:13800138000@127.0.0.9:5060>",
    }
    return request(b"INVITE", b"sip:" + CALLER + b"@127.0.0.1", **{**defaults, **changes})  # type: ignore[arg-type]


def answer(
    received: Request,
    status: int,
    *,
    tag: bytes = b"tt",
    contact: bytes = b"<sip:" + CALLEE + b"@127.0.0.9:5060>",
    extra: Extra = (),
    body: bytes = b"",
    vias: int | None = None,
) -> bytes:
    """What the element that received a request from the gateway answers (RFC 3261 §8.2.6). `vias`: how many to copy."""
    headers: list[tuple[bytes, bytes]] = []
    for name, value in received.headers:
        copied = name in (b"Via", b"From", b"Call-ID", b"CSeq")
        if copied or (name == b"Record-Route" and 100 < status < 300):
            headers.append((name, value))
        elif name == b"To":
            tagged = received.to.tag or not tag or status == 100
            headers.append((name, value if tagged else value + b";tag=" + tag))
    if vias is not None:
        kept = [header for header in headers if header[0] == b"Via"][:vias]
        headers = kept + [header for header in headers if header[0] != b"Via"]
    if contact and 100 < status < 300:
        headers.append((b"Contact", contact))
    return message(b"SIP/2.0 %d %b" % (status, phrase_of(status)), [*headers, *extra], body)


class Party:
    """One end of a dialog: knows its route set, its remote target and the two addresses (RFC 3261 §12.1)."""

    def __init__(
        self, via: bytes, local: bytes, remote: bytes, call_id: bytes, routes: list[bytes], target: bytes
    ) -> None:
        self.via = via
        self.local = local
        self.remote = remote
        self.call_id = call_id
        self.routes = routes
        self.target = target
        self.cseq = 10

    def request(self, method: bytes, branch: bytes, **changes: object) -> bytes:
        """A request inside the dialog. `routes`, `target`, `cseq` and all of `request` may be changed."""
        self.cseq += 1
        routes = changes.pop("routes", self.routes)
        extra = changes.pop("extra", ())
        values: dict[str, object] = {
            "via": self.via,
            "branch": branch,
            "from_": self.local,
            "to": self.remote,
            "call_id": self.call_id,
            "cseq": self.cseq,
            "extra": (*((b"Route", route) for route in routes), *extra),  # type: ignore[attr-defined,misc]
        }
        uri = changes.pop("target", self.target)
        return request(method, uri, **{**values, **changes})  # type: ignore[arg-type]


def caller_party(sent: bytes, got: Response, via: bytes = b"SIP/2.0/UDP 127.0.0.2:5060") -> Party:
    """The caller's end, from the 1xx or 2xx it got."""
    routes = list(reversed(got.get_all(b"Record-Route")))
    local, remote = got.get(b"From") or b"", got.get(b"To") or b""
    return Party(via, local, remote, got.call_id, routes, _address(got.get(b"Contact") or b""))


def callee_party(got: Request, tag: bytes = b"tt", via: bytes = b"SIP/2.0/UDP 127.0.0.9:5060") -> Party:
    """The callee's end, from the INVITE it got."""
    local = (got.get(b"To") or b"") + b";tag=" + tag
    routes = got.get_all(b"Record-Route")
    return Party(via, local, got.get(b"From") or b"", got.call_id, routes, _address(got.get(b"Contact") or b""))


def _address(contact: bytes) -> bytes:
    return contact.partition(b"<")[2].partition(b">")[0]
