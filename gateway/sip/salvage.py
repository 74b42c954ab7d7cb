"""What can be saved of a broken request, so that its 400 finds the way back (RFC 3261 §8.2.6.2).

Nothing here trusts the message: lines that are not clean are skipped, a header given twice is as good as
missing, and without a request line and a top Via that names a host there is no answer at all.
"""

from __future__ import annotations

from typing import Final

from gateway.sip.chars import TEXT, TOKEN
from gateway.sip.errors import RemoteProtocolError, Salvage
from gateway.sip.limits import MAX_HEADERS, MAX_LINE, MAX_VIAS
from gateway.sip.names import CALL_ID, CSEQ, FROM, TO, VIA, canonical_name
from gateway.sip.params import split_list, split_params
from gateway.sip.uri import parse_host_port

_COPIED: Final = (FROM, TO, CALL_ID, CSEQ)


def salvage_request(data: bytes) -> Salvage | None:
    """The parts of a broken request that an answer copies; None where it must stay unanswered."""
    head = data.lstrip(b"\r\n").partition(b"\r\n\r\n")[0][: MAX_HEADERS * MAX_LINE]
    lines = head.split(b"\r\n", MAX_HEADERS + 1)
    method = _method(lines[0])
    if not method:
        return None
    found: dict[bytes, list[bytes]] = {}
    for line in _unfolded(lines[1:]):
        name, colon, value = line.partition(b":")
        if colon and len(line) <= MAX_LINE and line.translate(TEXT) == line:
            known = canonical_name(name.rstrip(b" \t"))
            if known in _COPIED or known == VIA:
                found.setdefault(known, []).append(value.strip(b" \t"))
    vias = _vias(found.get(VIA, []))
    if not vias:
        return None
    from_, to, call_id, cseq = (_only(found, name) for name in _COPIED)
    return Salvage(method, vias, from_, to, call_id, cseq)


def _method(start_line: bytes) -> bytes:
    """The method of what looks like a request line; b"" for a response or anything else."""
    words = start_line.split()
    if len(words) < 3 or words[0].translate(TOKEN) != words[0] or not words[-1].upper().startswith(b"SIP/"):
        return b""
    return words[0]


def _unfolded(lines: list[bytes]) -> list[bytes]:
    joined: list[bytes] = []
    for line in lines:
        if line[:1] in (b" ", b"\t") and joined:
            joined[-1] = joined[-1] + b" " + line.strip(b" \t") if len(joined[-1]) < MAX_LINE else joined[-1]
        else:
            joined.append(line)
    return joined


def _only(found: dict[bytes, list[bytes]], name: bytes) -> bytes | None:
    values = found.get(name, [])
    return values[0] if len(values) == 1 and values[0] else None


def _vias(values: list[bytes]) -> list[bytes]:
    """The Via elements that can be copied; none at all if the top one names no host."""
    vias: list[bytes] = []
    for value in values:
        try:
            elements = split_list(value)
        except RemoteProtocolError:
            elements = []
        for element in elements:
            copy = _via(element)
            if copy:
                vias.append(copy)
                if len(vias) == MAX_VIAS:
                    return vias
            elif not vias:
                return []
    return vias


def _via(element: bytes) -> bytes:
    """One element in clean form: protocol, sent-by and those parameters that are well-formed; b"" if it names
    no host."""
    address, _, params = element.partition(b";")
    parts = [part.strip(b" \t") for part in address.split(b"/", 2)]
    words = parts[-1].split(None, 1)
    if len(parts) != 3 or len(words) != 2 or parts[0].upper() != b"SIP":
        return b""
    name, version, transport = parts[0], parts[1], words[0]
    if any(not part or part.translate(TOKEN) != part for part in (version, transport)):
        return b""
    sent_by = b":".join([part.strip(b" \t") for part in words[1].split(b":")])
    try:
        parse_host_port(sent_by)
    except RemoteProtocolError:
        return b""
    kept = [b"%b/%b/%b %b" % (name, version, transport, sent_by)]
    for param in params.split(b";")[:16]:
        try:
            name, value = split_params(param.strip(b" \t"))[0]
        except RemoteProtocolError:
            continue
        kept.append(name if value is None else name + b"=" + value)
    return b";".join(kept)
