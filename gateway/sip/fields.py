"""Values of headers that may stand once: numbers, CSeq, Call-ID, Contact."""

from __future__ import annotations

from typing import Final

from gateway.sip.chars import COMMA, TOKEN, URI, WORD
from gateway.sip.errors import bad
from gateway.sip.limits import MAX_CALL_ID, MAX_CONTACTS, MAX_CSEQ, MAX_DIGITS
from gateway.sip.message import Headers
from gateway.sip.nameaddr import parse_name_addr
from gateway.sip.names import CONTACT, CSEQ
from gateway.sip.params import split_list

SMALL_NUMBERS: Final[dict[bytes, int]] = {b"%d" % number: number for number in range(1024)}
"""Ready readings of the numbers that Max-Forwards, CSeq and Content-Length mostly are."""

KNOWN_METHODS: Final[dict[bytes, bytes]] = {
    name: name
    for name in (
        *b"INVITE ACK BYE CANCEL OPTIONS REGISTER PRACK UPDATE".split(),
        *b"INFO REFER MESSAGE SUBSCRIBE NOTIFY PUBLISH".split(),
    )
}
"""Methods of the IANA registry, each to its one object."""


def read_number(value: bytes, name: bytes) -> int:
    """1*DIGIT, of ASCII digits and bounded length. Raises RemoteProtocolError (400)."""
    number = SMALL_NUMBERS.get(value, -1)
    if number >= 0:
        return number
    if not value.isdigit() or len(value) > MAX_DIGITS:
        raise bad(b"Bad " + name)
    return int(value)


def read_cseq(value: bytes) -> tuple[int, bytes]:
    """CSeq = 1*DIGIT LWS Method (RFC 3261 §20.16)."""
    digits, _, method = value.partition(b" ")
    known = KNOWN_METHODS.get(method)
    if known is None:
        words = value.split()
        if len(words) != 2:
            raise bad(b"Bad CSeq")
        digits, known = words
        if known.translate(TOKEN) != known:
            raise bad(b"Bad CSeq")
        known = KNOWN_METHODS.get(known, known)
    number = read_number(digits, CSEQ)
    if number > MAX_CSEQ:
        raise bad(b"Bad CSeq")
    return number, known


def check_call_id(value: bytes) -> None:
    """callid = word [ "@" word ] (RFC 3261 §25.1), of bounded length."""
    if len(value) > MAX_CALL_ID:
        raise bad(b"Call-ID Too Long")
    if not value or value.translate(WORD) != value or value.count(b"@") > 1:
        raise bad(b"Bad Call-ID")
    if value[0] == 0x40 or value[-1] == 0x40:
        raise bad(b"Bad Call-ID")


def check_contacts(contact: bytes, headers: Headers) -> None:
    """Every Contact reads as an address, so that no `?` or `;` of one moves from the URI to the header. `contact`: the
    value of the one there is, or anything that is no address."""
    inner = contact[1:-1]
    if not contact.startswith(b"<sip:") or contact[-1] != 0x3E or inner.translate(URI) != inner:
        count = 0
        for name, value in headers:
            if name == CONTACT and value != b"*":
                elements = split_list(value) if COMMA in value else [value]
                count += len(elements)
                if count > MAX_CONTACTS:
                    raise bad(b"Too Many Contact")
                for element in elements:
                    parse_name_addr(element)
