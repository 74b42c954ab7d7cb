"""INVITEs for a gate to judge: the torture messages with the example's numbers in them, the bypass tables, and
mutations of calls that pass, so that most of them get far."""

from __future__ import annotations

import re

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.strategies import mutated
from tests.support.bypass import CONTROLS, NORMALISED, REFUSED, Case, text
from tests.support.telephony import ALPHA, CONSENTED
from tests.support.torture import torture, torture_names

MARK = b"mark-0000000"
"""Stands in Call-ID and branch; `numbered` makes each message a call of its own, of the same length."""

_TARGET = re.compile(rb"\A([A-Z]+) \S+ SIP/2\.0")
_ADDRESS = re.compile(rb"(?im)^((?:From|f|To|t|Contact|m)[ \t]*:[^\r\n]*?)(sips?:|tel:)[^\r\n;>?]*")


def tabled(via: bytes, caller: str, gateway: str) -> list[bytes]:
    """Every case of the bypass tables. `via`: protocol and sent-by of the sender; `caller`, `gateway`: host:port."""
    cases: list[Case] = [case for table in (*REFUSED.values(), NORMALISED, CONTROLS) for case in table.values()]
    return [text(case, MARK.decode(), via, caller, gateway) for case in cases]


def retargeted(gateway: str) -> list[bytes]:
    """Torture messages as calls of the example: its target, caller and callee, whatever else the RFCs put in them."""
    target = f"sip:{CONSENTED}@{gateway}".encode()
    made = []
    for name in torture_names():
        data = _TARGET.sub(rb"\1 " + target + b" SIP/2.0", torture(name), count=1)
        made += [data, _ADDRESS.sub(_readdressed, re.sub(rb"(?im)^Route[ \t]*:[^\r]*\r\n", b"", data))]
    return made


def _readdressed(found: re.Match[bytes]) -> bytes:
    number = CONSENTED if found[1][:1] in b"Tt" else ALPHA
    return found[1] + b"sip:" + number.encode() + b"@127.0.0.2"


def mutations(seeds: list[bytes], how_many: int) -> list[bytes]:
    """Mutated calls, always the same ones for the same seeds."""
    made: list[bytes] = []

    @settings(
        max_examples=how_many, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck)
    )
    @given(mutated(seeds, 1) | st.sampled_from(seeds).flatmap(_header_swapped) | _embroidered(seeds))
    def collect(data: bytes) -> None:
        made.append(data)

    collect()
    return made


@st.composite
def _header_swapped(draw: st.DrawFn, seed: bytes) -> bytes:
    """The seed with header lines in another order, and one of another seed's value pieces doubled."""
    head, end, body = seed.lstrip().partition(b"\r\n\r\n")
    start, *lines = head.split(b"\r\n")
    lines = list(draw(st.permutations(lines)))
    index = draw(st.integers(0, len(lines) - 1))
    cut = draw(st.integers(0, len(lines[index])))
    piece = draw(st.sampled_from([b"", b" ", b"%20", b";x", b";x=y", b"<", b">", b'"', b",", b"\\", b"\r\n ", b"%2b"]))
    lines[index] = lines[index][:cut] + piece + lines[index][cut:]
    return b"\r\n".join([start, *lines]) + end + body


_NAMES = st.sampled_from(
    b"Subject|X-Note|X_Note|X.1|Organization|User-Agent|Server|Allow|Supported|Accept|Date|Timestamp|Session-Expires|"
    b"Min-SE|P-Early-Media|P-Charging-Vector|Content-Language|Record-Route|Warning|Priority|C%6Fntact|From2|Fro|"
    b"X!|*|Via2|Content-Lengthy|Call-IDs|In-Reply-To|k|s|x|y|j|d|a|u|o|r|P-Asserted-Identit|Expires".split(b"|")
)
_GBK = ["招商".encode("gbk"), "誠".encode("gbk")]
_PIECES = st.sampled_from(
    _GBK
    + 'x|1| |"|\\"|\\|<sip:+8613900139000@h>|<|>|;|,|;tag=z|%0d%0a|%|é|\u2028|\u0085|١|\x00|\r\n |\r\n\t|:|@|=|?|(|)|'
    "[::1]|From: <sip:+8657156780001@h>|sip:|tel:|SIP/2.0|INVITE|13900139000|\r\n\r\n|'|`|{|}|^|~|#|&".encode()
    .split(b"|")
)
_VALUES = st.lists(_PIECES, max_size=5).map(b"".join)
_QUOTED = _VALUES.map(lambda value: b'"' + value + b'" ')
_TOKENS = st.sampled_from([b"x", b"x=y", b"x=%22", b"lr", b"ob", b"transport=tcp", b"user=phone", b'x="y"', b"tag2=z"])


@st.composite
def _embroidered(draw: st.DrawFn, seeds: list[bytes]) -> bytes:
    """A call with more in it: unknown headers, display-names, parameters where the grammar has room for them."""
    data = draw(st.sampled_from(seeds))
    for _ in range(draw(st.integers(1, 3))):
        kind = draw(st.integers(0, 4))
        if kind <= 1:
            line = draw(_NAMES) + draw(st.sampled_from([b": ", b":", b" : ", b":\r\n "])) + draw(_VALUES)
            data = data.replace(b"\r\n", b"\r\n" + line + b"\r\n", 1)
        elif kind == 2:
            name = draw(st.sampled_from([b"From: ", b"To: ", b"Contact: "]))
            data = data.replace(name + b"<", name + draw(_QUOTED | _VALUES) + b"<", 1)
        elif kind == 3:
            data = data.replace(draw(st.sampled_from([b">\r\n", b">;tag=t", b";rport"])), b">;" + draw(_TOKENS), 1)
        else:
            host = draw(st.sampled_from([b"h", b"h.", b"a_b", b"-h", b"[::1]", b"1.2.3", b"h:5060", b"h:05060", b"H"]))
            data = data.replace(b"@127.0.0.2>", b"@" + host + b";" * draw(st.integers(0, 1)) + b">", 1)
    return data


def numbered(messages: list[bytes]) -> list[bytes]:
    """Each with a number of its own where MARK stands."""
    return [data.replace(MARK, b"mark-%07d" % number) for number, data in enumerate(messages)]
