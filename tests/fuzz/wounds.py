"""Wounded messages by the hundred thousand: quicker than Hypothesis, and the same ones for the same seed."""

from __future__ import annotations

import random
from collections.abc import Iterator

from tests.fuzz.calls import MARK, retargeted, tabled
from tests.fuzz.strategies import SEAMS
from tests.support.torture import torture, torture_names

STRAYS = (b"ACK", b"CANCEL", b"BYE", b"OPTIONS", b"PRACK", b"200", b"180", b"503", b"200 INVITE")
NOISE, STRAY, WHOLE = 0.1, 0.2, 0.25
"""Share of random octets; with strays; with messages that are not wounded."""


def wounded(seed: int, how_many: int, via: bytes, caller: str, gateway: str) -> Iterator[bytes]:
    """Random octets, strays, and torture messages, bypass cases and good calls with up to 20 wounds."""
    source = random.Random(seed)
    seeds = [torture(name) for name in torture_names()] + retargeted(gateway) + tabled(via, caller, gateway)
    for number in range(how_many):
        kind = source.random()
        if kind < NOISE:
            yield source.randbytes(source.randrange(0, 1_400))
        elif kind < STRAY:
            yield stray(source.choice(STRAYS), number, via)
        else:
            data = source.choice(seeds).replace(MARK, b"mark-%07d" % number)
            yield data if kind < WHOLE else wound(source, data)


def wound(source: random.Random, data: bytes) -> bytes:
    """Octets changed, cut, doubled, and SIP's own seams put in."""
    made = bytearray(data)
    for _ in range(source.choice((1, 1, 2, 3, 5, 20))):
        at = source.randrange(len(made) or 1)
        kind = source.random()
        if kind < 0.3 and made:
            made[at] = source.randrange(256)
        elif kind < 0.5:
            del made[at : at + source.randrange(1, 40)]
        elif kind < 0.7:
            made[at:at] = made[at : at + source.randrange(1, 40)]
        else:
            made[at:at] = source.choice(SEAMS)[:200]
    return bytes(made)


def stray(kind: bytes, number: int, via: bytes) -> bytes:
    """A well-formed message that belongs to nothing."""
    method = b"INVITE" if kind.isdigit() else kind.split()[-1]
    start = method + b" sip:+8613800138000@127.0.0.1 SIP/2.0"
    if kind[:1].isdigit():
        start = b"SIP/2.0 " + kind[:3] + b" x"
    tag = b"" if method in (b"CANCEL", b"OPTIONS") else b";tag=x"
    lines = [
        start,
        b"Via: %b;branch=z9hG4bKstray%d;rport" % (via, number),
        b"Via: %b;branch=z9hG4bKbelow%d" % (via, number),
        b"From: <sip:+8657112340001@127.0.0.2>;tag=%d" % number,
        b"To: <sip:+8613800138000@127.0.0.1>" + tag,
        b"Call-ID: stray%d" % number,
        b"CSeq: 1 " + method,
        b"Content-Length: 0",
    ]
    return b"\r\n".join(lines) + b"\r\n\r\n"
