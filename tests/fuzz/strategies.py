"""Messages that are almost good: seeds with wounds where the seams of SIP are.

Seeds are the RFC 4475 and RFC 5118 messages and one of ours; mutations know header lines, values, parameters, numbers,
quotes and line ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hypothesis import strategies as st

DATA = Path(__file__).parents[1] / "data"

SEEDS = sorted(
    path.read_bytes() for path in DATA.glob("rfc*/*") if path.suffix in ("", ".dat") and path.name != "SHA256SUMS"
)
SEEDS.append(
    b"INVITE sip:+8613800138000@127.0.0.1;user=phone SIP/2.0\r\n"
    b"Via: SIP/2.0/UDP 127.0.0.2:5060;branch=z9hG4bKabc;rport\r\nMax-Forwards: 70\r\n"
    b'From: "A \\" B" <sip:+8657112340001@127.0.0.2>;tag=1\r\nTo: <tel:+8613800138000>\r\n'
    b"Call-ID: a@b\r\nCSeq: 1 INVITE\r\nRoute: <sip:a;lr>, <sip:b;lr>\r\n"
    b'P-Asserted-Identity: "x, y" <sip:+8657112340001@h>, <tel:+8657112340001>\r\n'
    b"Content-Length: 4\r\n\r\nbody"
)

SEAMS = [
    *(
        b"\r\n",
        b"\n",
        b"\r",
        b"\r\n ",
        b"\r\n\t",
        b"\r\n\r\n",
        b"\n\n",
        b" ",
        b"\t",
        b":",
        b";",
        b",",
        b"=",
        b"@",
        b"/",
    ),
    *(
        b'"',
        b'"\xd5\xd0\xc9\xcc" ',
        b"\xd5\xd0",
        b"\x95\\",
        b"\\",
        b'\\"',
        b"<",
        b">",
        b"<>",
        b"?",
        b"%",
        b"%00",
        b"%0d%0a",
        b"%25",
        b"\x00",
        b"\\\x00",
        b"\x0b",
        b"\x7f",
    ),
    *(b"\xa0", b"\xc2\x85", "\u2028".encode(), "１".encode(), b"[", b"]", b"[::1]", b"+", b"_", b"*", b"-1", b"0" * 30),
    *(b"4294967296", b"9" * 5000, b"tag=", b";tag=x", b";branch=z9hG4bK", b";rport", b";received=1.1.1.1", b"SIP/2.0"),
    *(b"\r\nf: <sip:x@y>;tag=2", b"\r\nFrom : <sip:x@y>", b"\r\nl: 1", b"\r\nv: SIP/2.0/UDP h", b"\r\nt:", b"\r\ni: x"),
    *(b"\r\nRoute: <sip:x;lr>,", b"\r\nSubject", b"\r\nContact: sip:a@b?c=d", b"SIP/2.0/UDP h,", b"tel:+1", b"sips:"),
]


@st.composite
def mutated(draw: st.DrawFn, seeds: Sequence[bytes] = SEEDS, wounds: int = 6) -> bytes:
    """A seed with up to `wounds` wounds."""
    data = draw(st.sampled_from(seeds))
    for _ in range(draw(st.integers(0, wounds))):
        kind = draw(st.integers(0, 6))
        at = draw(st.integers(0, len(data)))
        to = min(len(data), at + draw(st.integers(0, 12)))
        seam = draw(st.sampled_from(SEAMS))
        if kind == 0:
            data = data[:at] + seam + data[at:]
        elif kind == 1:
            data = data[:at] + seam + data[to:]
        elif kind == 2:
            data = data[:at] + data[to:]
        elif kind == 3:
            data = data[:at] + draw(st.binary(max_size=8)) + data[to:]
        elif kind == 4:  # a line twice, or elsewhere
            lines = data.split(b"\r\n")
            lines.insert(draw(st.integers(0, len(lines))), draw(st.sampled_from(lines)))
            data = b"\r\n".join(lines)
        elif kind == 5:  # a line away
            lines = data.split(b"\r\n")
            del lines[draw(st.integers(0, len(lines) - 1))]
            data = b"\r\n".join(lines)
        else:  # a seam after a header's name, where every parser looks
            lines = data.split(b"\r\n")
            index = draw(st.integers(0, len(lines) - 1))
            name, colon, value = lines[index].partition(b":")
            lines[index] = name + seam + colon + value if draw(st.booleans()) else name + colon + seam + value
            data = b"\r\n".join(lines)
    return data
