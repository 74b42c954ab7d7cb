"""Derived identifiers: decision id, client branch, local tag, loop check (RFC 3261 §16.6 step 8, RFC 5393 §4.2.1).

All are keyed hashes of the server transaction's key and the whole request, so an INVITE that is retransmitted after a
restart is the same call with the same branch and the same record (DESIGN §1), and one that differs in a single byte is
another call: a verdict holds for the message it was given for.
"""

from __future__ import annotations

from binascii import hexlify
from hashlib import blake2b
from typing import Final

from gateway.sip.message import Request
from gateway.sip.writer import decimal
from gateway.transaction.keys import MAGIC_COOKIE

DECISION_LENGTH: Final = 16
"""Bytes of a decision id."""


class Identifiers:
    """What is derived from one server transaction."""

    __slots__ = ("branch", "decision", "tag")

    def __init__(self, decision: bytes, branch: bytes, tag: bytes) -> None:
        self.decision = decision
        self.branch = branch
        """The client branch of the first next hop; the others append `.1`, `.2` …"""
        self.tag = tag
        """To tag of responses made here."""


_keyed: Final[dict[bytes, blake2b]] = {}
"""The hash with each secret in it, of which a process has one: a copy costs half of what a new one does."""


def derive(secret: bytes, key: bytes, request: Request, loop: bytes, data: bytes) -> Identifiers:
    """Identifiers of a request. `loop` is its `loop_hash`, or empty where no loop check is made; `data` the message as
    received, or a word for a kind of message that is passed on statelessly (ACK)."""
    # None of the parts but the last can hold a NUL: the parser refuses it.
    material = b"\0".join((key, request.call_id, request.from_.tag, request.to.tag, decimal(request.cseq), data))
    keyed = _keyed.get(secret)
    if keyed is None:
        keyed = _keyed[secret] = blake2b(digest_size=36, key=secret, person=b"cg-branch")
    digest = keyed.copy()
    digest.update(material)
    return _identifiers(digest.digest(), loop)


def derive_again(secret: bytes, ids: Identifiers, loop: bytes, count: int, epoch: int) -> Identifiers:
    """Identifiers of a message that had `ids` before, in a transaction that is gone: another call. `count`: of such
    messages; `epoch`: seconds, so that a count that began anew after a restart names no call of before."""
    material = b"%b%d.%d" % (ids.decision, count, epoch)
    return _identifiers(blake2b(material, digest_size=36, key=secret, person=b"cg-again").digest(), loop)


def _identifiers(digest: bytes, loop: bytes) -> Identifiers:
    text = hexlify(digest[DECISION_LENGTH:])
    branch = MAGIC_COOKIE + text[:24]
    if loop:
        branch = b"%b-%b" % (branch, loop)
    return Identifiers(digest[:DECISION_LENGTH], branch, text[24:])


def loop_hash(request: Request, trunk: bytes) -> bytes:
    """Hash of everything that decides where an out-of-dialog request goes. It includes the source trunk, so that a
    lawful spiral through the carrier (out by one trunk, in again by another) is not taken for a loop."""
    material = b"\0".join(
        (
            trunk,
            request.uri,
            request.from_.uri,
            request.from_.tag,
            request.to.uri,
            request.to.tag,
            request.call_id,
            decimal(request.cseq),
            *[value for name, value in request.headers if name == b"Route"],
        )
    )
    return hexlify(blake2b(material, digest_size=8).digest())


def is_loop(request: Request, sent_bys: tuple[bytes, ...], loop: bytes) -> bool:
    """True when one of our own Vias carries the same loop hash: the request came back unchanged (RFC 5393 §4.2.2)."""
    marker = b"-" + loop
    for name, value in request.headers:
        if name == b"Via" and value.find(marker) >= 0:
            for sent_by in sent_bys:
                if value.find(sent_by) >= 0:
                    return True
    return False
