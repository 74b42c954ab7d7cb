"""Which transaction a message belongs to (RFC 3261 §17.1.3, §17.2.3)."""

from __future__ import annotations

from typing import Final

from gateway.sip.message import Request
from gateway.sip.writer import decimal

MAGIC_COOKIE: Final = b"z9hG4bK"


def server_key(request: Request, trunk: bytes) -> bytes:
    """Key of the server transaction that `request` starts or belongs to; CANCEL has a key of its own.

    We depart: the trunk is part of the key, so that no other peer can reach a transaction by repeating its branch.
    An ACK has the key of its INVITE. The parts are joined by NUL, which the parser lets into none of them.
    """
    method = request.method
    if method == b"ACK":
        method = b"INVITE"
    return _key(request, trunk, method)


def invite_key(request: Request, trunk: bytes) -> bytes:
    """Key of the INVITE that a CANCEL is for (RFC 3261 §9.2)."""
    return _key(request, trunk, b"INVITE")


def client_key(branch: bytes, method: bytes) -> bytes:
    """Key of a client transaction. Its branch alone names it, but for a CANCEL, which has the branch of its INVITE
    (RFC 3261 §9.1)."""
    return branch + b"\0CANCEL" if method == b"CANCEL" else branch


def _key(request: Request, trunk: bytes, method: bytes) -> bytes:
    via = request.via
    if via.branch.startswith(MAGIC_COOKIE):
        return b"\0".join((via.branch, via.host, decimal(via.port), method, trunk))
    # RFC 2543 matching. We depart: the To tag is left out, as an ACK carries our tag where the INVITE had none; the
    # CSeq number, Call-ID, From tag, Request-URI and top Via (compared as host and port) stay.
    cseq, port = b"%d" % request.cseq, decimal(via.port)
    return b"\0".join((request.uri, request.from_.tag, request.call_id, cseq, via.host, port, method, trunk))
