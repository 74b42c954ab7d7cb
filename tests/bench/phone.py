"""Both far ends of a call as byte templates: the messages of `tests/e2e/scenarios`, made for a socket of our own."""

from __future__ import annotations

from tests.bench.deployment import CARRIER_HOST, CARRIER_PORT

Address = tuple[str, int]

_SDP = (
    b"v=0\r\no=user1 53655765 2353687637 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    b"m=audio 6000 RTP/AVP 8 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\n"
    b"a=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n"
)
_ANSWER_SDP = (
    b"v=0\r\no=user1 53655765 2353687637 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    b"m=audio 6000 RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\n"
)
_CARRIER = f"{CARRIER_HOST}:{CARRIER_PORT}".encode()
_COPIED = frozenset((b"via", b"from", b"to", b"call-id", b"cseq", b"record-route"))


class Caller:
    """Makes the requests of calls from one socket to one gateway."""

    def __init__(self, own: Address, gateway: Address) -> None:
        self._own = f"{own[0]}:{own[1]}".encode()
        self._host = own[0].encode()
        self._gateway = f"{gateway[0]}:{gateway[1]}".encode()

    def invite(self, call: bytes, caller: bytes, callee: bytes, asserted: bytes = b"", more: bytes = b"") -> bytes:
        """An initial INVITE. `call`: Call-ID; `asserted`: number in P-Asserted-Identity, as the caller's if empty;
        `more`: further header lines."""
        return (
            b"INVITE sip:%b@%b SIP/2.0\r\nVia: SIP/2.0/UDP %b;branch=z9hG4bK-i%b;rport\r\n"
            b"From: <sip:%b@%b>;tag=f%b\r\nTo: <sip:%b@%b>\r\nCall-ID: %b\r\nCSeq: 1 INVITE\r\n"
            b"Contact: <sip:%b@%b>\r\nP-Asserted-Identity: <sip:%b@%b>\r\nMax-Forwards: 70\r\n"
            b"User-Agent: Example PBX 4.2\r\nAllow: INVITE, ACK, CANCEL, OPTIONS, BYE, UPDATE, PRACK, INFO\r\n"
            b"Supported: timer, 100rel\r\n%bContent-Type: application/sdp\r\nContent-Length: %d\r\n\r\n%b"
        ) % (
            *(callee, self._gateway, self._own, call, caller, self._own, call, callee, self._gateway, call),
            *(caller, self._own, asserted or caller, self._host, more, len(_SDP), _SDP),
        )

    def later(self, method: bytes, cseq: int, call: bytes, caller: bytes, answer: bytes) -> bytes:
        """ACK or BYE of a call whose INVITE got this 200."""
        routes: list[bytes] = []
        to = contact = b""
        for line in head_lines(answer):
            name, _, value = line.partition(b":")
            word = name.strip().lower()
            if word == b"record-route":
                routes.append(value.strip())
            elif word == b"to":
                to = value.strip()
            elif word == b"contact":
                contact = value.strip().strip(b"<>")
        route = b"".join(b"Route: %b\r\n" % value for value in reversed(routes))
        return (
            b"%b %b SIP/2.0\r\nVia: SIP/2.0/UDP %b;branch=z9hG4bK-%b%b;rport\r\n"
            b"From: <sip:%b@%b>;tag=f%b\r\nTo: %b\r\n%bCall-ID: %b\r\nCSeq: %d %b\r\nMax-Forwards: 70\r\n"
            b"Content-Length: 0\r\n\r\n"
        ) % (method, contact, self._own, method, call, caller, self._own, call, to, route, call, cseq, method)


def head_lines(message: bytes) -> list[bytes]:
    """Header lines, the start line left out."""
    return message[: message.index(b"\r\n\r\n")].split(b"\r\n")[1:]


def header(message: bytes, name: bytes) -> bytes:
    """Value of the first header of this (lower case) name; b"" for none."""
    for line in head_lines(message):
        word, _, value = line.partition(b":")
        if word.strip().lower() == name:
            return value.strip()
    return b""


def answers(request: bytes) -> tuple[bytes, ...]:
    """What the carrier says to a request: 180 and 200 to an INVITE, 200 to a BYE, nothing to an ACK."""
    lines: list[bytes] = []
    for line in head_lines(request):
        word = line.partition(b":")[0].strip().lower()
        if word in _COPIED:
            lines.append(line + b";tag=uas" if word == b"to" and b";tag=" not in line else line)
    copied = b"\r\n".join(lines)
    if request.startswith(b"INVITE "):
        contact = b"Contact: <sip:%b>" % _CARRIER
        ringing = b"SIP/2.0 180 Ringing\r\n%b\r\n%b\r\nContent-Length: 0\r\n\r\n" % (copied, contact)
        answer = (
            b"SIP/2.0 200 OK\r\n%b\r\n%b\r\nContent-Type: application/sdp\r\nContent-Length: %d\r\n\r\n%b"
        ) % (copied, contact, len(_ANSWER_SDP), _ANSWER_SDP)
        return ringing, answer
    if request.startswith(b"BYE "):
        return (b"SIP/2.0 200 OK\r\n%b\r\nContent-Length: 0\r\n\r\n" % copied,)
    return ()


def status_of(message: bytes) -> int:
    """Status of a response, 0 for a request."""
    return int(message[8:11]) if message.startswith(b"SIP/2.0 ") else 0
