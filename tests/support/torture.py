"""The RFC 4475 and RFC 5118 messages for a running gateway, and what it must say to each.

Every foreign host is replaced by a loopback one, in bodies by one *of the same length*, so that each Content-Length
stays as true or as false as the RFC made it. `VERDICTS` follows the tables in `tests/data/rfc*/EXPECTED.md`: a message
that is to be accepted goes on to the gate, which holds no users and refuses by its own rules, never with 400.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

DATA = Path(__file__).parents[1] / "data"

VIA_PORTS = (5060, 6050, 19823)
"""Ports that top Vias name without `rport`: answers over UDP go there."""

_NAME = re.compile(rb"\b[a-z0-9-]+(?:\.[a-z0-9-]+)*\.(?:com|net|org|edu)\b", re.I)
_IPV4 = re.compile(rb"(?<![0-9A-Za-z.])(?:\d{1,3}\.){3}\d{1,3}(?![0-9.])")
_IPV6 = re.compile(rb"2001:db8", re.I)
_LOOPBACK = {
    9: b"127.0.0.2", 10: b"127.0.0.22", 11: b"127.0.0.222", 12: b"127.0.22.222",
    13: b"127.0.222.222", 14: b"127.22.222.222", 15: b"127.222.222.222",
}  # fmt: skip


def torture_names() -> list[str]:
    """`rfc4475/wsinv.dat` and so on: every message."""
    files = [*DATA.glob("rfc4475/*.dat"), *(path for path in DATA.glob("rfc5118/*") if not path.suffix)]
    return sorted(f"{path.parent.name}/{path.name}" for path in files)


def torture(name: str) -> bytes:
    """One message as a socket may see it: `rfc4475/wsinv.dat`."""
    data = (DATA / name).read_bytes()
    return _IPV6.sub(b"0000:000", _IPV4.sub(_loopback, _NAME.sub(_local_name, data)))


def own_branch(data: bytes, letter: bytes) -> bytes:
    """Every branch and Call-ID with another first letter: the same message over two transports is a retransmission for
    32 s."""
    data = re.sub(rb"(?im)^((?:Call-ID|i)[ \t]*:[ \t]*)[0-9A-Za-z]", rb"\1" + letter, data)
    return re.sub(rb"(?i)(branch[ \t]*=[ \t]*(?:z9hG4bK|(?!z9hG4bK)))[0-9A-Za-z]", rb"\1" + letter, data)


def _local_name(found: re.Match[bytes]) -> bytes:
    """`host5.example.com` to `host5.e.localhost`, which RFC 6761 keeps on this machine."""
    name = found[0]
    return re.sub(rb"[^A-Za-z0-9]$", b"x", name[: len(name) - 10]) + b".localhost"


def _loopback(found: re.Match[bytes]) -> bytes:
    address = found[0]
    return address if address.startswith(b"127.") else _LOOPBACK.get(len(address), _LOOPBACK[9])


@dataclass(frozen=True, slots=True)
class Verdict:
    """What comes back: these final statuses and no others; none at all where there are none.

    `stream`: on a stream, where that differs, because octets follow the message or because it cannot be framed.
    `closes`: the stream ends with it (RFC 3261 §18.3).
    """

    statuses: tuple[int, ...]
    stream: tuple[int, ...] | None = None
    closes: bool = False

    def on(self, stream: bool) -> tuple[int, ...]:
        """Statuses on a stream, or in a datagram."""
        return self.stream if stream and self.stream is not None else self.statuses


DROPPED = Verdict(())
ANSWERED = Verdict((200,))
"""OPTIONS, which the gateway answers itself."""
BAD = Verdict((400,))
GATED = Verdict((403,))
"""Read in full, and refused by a rule: the hosts and users of the RFCs are nobody's here."""
NO_METHOD = Verdict((405,))
NO_DIALOG = Verdict((481,))
"""Read in full; it claims a dialog that this gateway never saw."""
UNFRAMED = Verdict((400,), closes=True)

VERDICTS: dict[str, Verdict] = {
    "rfc4475/badaspec.dat": BAD,
    "rfc4475/badbranch.dat": BAD,
    "rfc4475/baddate.dat": GATED,
    "rfc4475/baddn.dat": BAD,
    "rfc4475/badinv01.dat": BAD,
    "rfc4475/badvers.dat": Verdict((505,)),
    "rfc4475/bcast.dat": DROPPED,
    "rfc4475/bext01.dat": Verdict((420,)),
    "rfc4475/bigcode.dat": DROPPED,
    "rfc4475/clerr.dat": Verdict((400,), stream=(), closes=True),
    "rfc4475/cparam01.dat": NO_METHOD,
    "rfc4475/cparam02.dat": NO_METHOD,
    "rfc4475/dblreq.dat": Verdict((405,), stream=(405, 403), closes=True),  # octets behind its body
    "rfc4475/esc01.dat": GATED,
    "rfc4475/esc02.dat": NO_METHOD,
    "rfc4475/escnull.dat": NO_METHOD,
    "rfc4475/escruri.dat": BAD,
    "rfc4475/insuf.dat": BAD,
    "rfc4475/intmeth.dat": NO_METHOD,
    "rfc4475/inv2543.dat": Verdict((403,), stream=(400,), closes=True),
    "rfc4475/invut.dat": GATED,
    "rfc4475/longreq.dat": GATED,
    "rfc4475/ltgtruri.dat": BAD,
    "rfc4475/lwsdisp.dat": ANSWERED,
    "rfc4475/lwsruri.dat": BAD,
    "rfc4475/lwsstart.dat": BAD,
    "rfc4475/mcl01.dat": UNFRAMED,
    "rfc4475/mismatch01.dat": BAD,
    "rfc4475/mismatch02.dat": Verdict((501,)),
    "rfc4475/mpart01.dat": NO_METHOD,
    "rfc4475/multi01.dat": BAD,
    "rfc4475/ncl.dat": UNFRAMED,
    "rfc4475/noreason.dat": DROPPED,
    "rfc4475/novelsc.dat": Verdict((416,)),
    "rfc4475/quotbal.dat": BAD,
    "rfc4475/regaut01.dat": NO_METHOD,
    "rfc4475/regbadct.dat": BAD,
    "rfc4475/regescrt.dat": NO_METHOD,
    "rfc4475/scalar02.dat": BAD,
    "rfc4475/scalarlg.dat": DROPPED,
    "rfc4475/sdp01.dat": GATED,
    "rfc4475/semiuri.dat": ANSWERED,
    "rfc4475/transports.dat": ANSWERED,
    "rfc4475/trws.dat": BAD,
    "rfc4475/unkscm.dat": Verdict((416,)),
    "rfc4475/unksm2.dat": NO_METHOD,
    "rfc4475/unreason.dat": DROPPED,
    "rfc4475/wsinv.dat": NO_DIALOG,
    "rfc4475/zeromf.dat": ANSWERED,
    "rfc5118/ipv4-mapped-ipv6": GATED,
    "rfc5118/ipv6-bad": BAD,
    "rfc5118/ipv6-bug-abnf-3-colons": ANSWERED,
    "rfc5118/ipv6-correct-abnf-2-colons": ANSWERED,
    "rfc5118/ipv6-good": NO_METHOD,
    "rfc5118/ipv6-in-sdp": GATED,
    "rfc5118/mult-ip-in-header": NO_DIALOG,
    "rfc5118/mult-ip-in-sdp": GATED,
    "rfc5118/port-ambiguous": NO_METHOD,
    "rfc5118/port-unambiguous": NO_METHOD,
    "rfc5118/via-received-param-no-delim": ANSWERED,
    "rfc5118/via-received-param-with-delim": NO_DIALOG,
}


def table() -> dict[str, tuple[str, str]]:
    """(class, status if refused) of every message, as the tables beside the data have them."""
    rows: dict[str, tuple[str, str]] = {}
    for folder, suffix, columns in (("rfc4475", ".dat", (2, 4)), ("rfc5118", "", (2, 3))):
        for line in (DATA / folder / "EXPECTED.md").read_text(encoding="utf-8").splitlines():
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            if line.startswith("| ") and cells[0] != "file" and not cells[0].startswith("-"):
                rows[f"{folder}/{cells[0]}{suffix}"] = (cells[columns[0]], cells[columns[1]])
    return rows
