"""Header names: one spelling per header, whatever the peer wrote.

RFC 3261 §7.3.1: names are compared without regard to case; §7.3.3: some have a compact form; §25.1 HCOLON: SP
and HTAB may stand before the colon, and nothing else. `SPELLINGS` maps the spellings met every day straight
to the canonical one; `resolve_name` takes the rest. Canonical names are single objects, so comparing them
costs a pointer comparison.
"""

from __future__ import annotations

from typing import Final

from gateway.sip.chars import TOKEN
from gateway.sip.errors import bad

CALL_ID: Final = b"Call-ID"
CONTACT: Final = b"Contact"
CONTENT_LENGTH: Final = b"Content-Length"
CONTENT_TYPE: Final = b"Content-Type"
CSEQ: Final = b"CSeq"
FROM: Final = b"From"
MAX_FORWARDS: Final = b"Max-Forwards"
RECORD_ROUTE: Final = b"Record-Route"
ROUTE: Final = b"Route"
TO: Final = b"To"
VIA: Final = b"Via"

COMPACT: Final[dict[bytes, bytes]] = {
    b"a": b"Accept-Contact",
    b"b": b"Referred-By",
    b"c": CONTENT_TYPE,
    b"d": b"Request-Disposition",
    b"e": b"Content-Encoding",
    b"f": FROM,
    b"i": CALL_ID,
    b"j": b"Reject-Contact",
    b"k": b"Supported",
    b"l": CONTENT_LENGTH,
    b"m": CONTACT,
    b"n": b"Identity-Info",
    b"o": b"Event",
    b"r": b"Refer-To",
    b"s": b"Subject",
    b"t": TO,
    b"u": b"Allow-Events",
    b"v": VIA,
    b"x": b"Session-Expires",
    b"y": b"Identity",
}
"""Compact forms (IANA registry of SIP header fields)."""

_REGISTERED: Final = (
    b"Accept Accept-Contact Accept-Encoding Accept-Language Accept-Resource-Priority Additional-Identity "
    b"Alert-Info Allow Allow-Events Answer-Mode Authentication-Info Authorization Call-ID Call-Info "
    b"Cellular-Network-Info Contact Content-Disposition Content-Encoding Content-ID Content-Language "
    b"Content-Length Content-Type CSeq Date Diversion Encryption Error-Info Event Expires Feature-Caps "
    b"Flow-Timer From Geolocation Geolocation-Error Geolocation-Routing Hide History-Info Identity "
    b"Identity-Info Info-Package In-Reply-To Join Max-Breadth Max-Forwards MIME-Version Min-Expires "
    b"Min-SE Organization Origination-Id P-Access-Network-Info P-Answer-State P-Asserted-Identity "
    b"P-Asserted-Service P-Associated-URI P-Called-Party-ID P-Charge-Info P-Charging-Function-Addresses "
    b"P-Charging-Vector P-DCS-Billing-Info P-DCS-LAES P-DCS-OSPS P-DCS-Redirect P-DCS-Trace-Party-ID "
    b"P-Early-Media P-Media-Authorization P-Preferred-Identity P-Preferred-Service "
    b"P-Private-Network-Indication P-Profile-Key P-Refused-URI-List P-Served-User P-User-Database "
    b"P-Visited-Network-ID Path Permission-Missing Policy-Contact Policy-ID Priority Priority-Share "
    b"Priority-Verstat Privacy Proxy-Authenticate Proxy-Authorization Proxy-Require RAck Reason "
    b"Reason-Phrase Record-Route Recv-Info Refer-Events-At Refer-Sub Refer-To Referred-By Reject-Contact "
    b"Relayed-Charge Remote-Party-ID Replaces Reply-To Request-Disposition Require Resource-Priority "
    b"Resource-Share Response-Key Response-Source Restoration-Info Retry-After Route RSeq "
    b"Security-Client Security-Server Security-Verify Server Service-Interact-Info Service-Route "
    b"Session-Expires Session-ID SIP-ETag SIP-If-Match Subject Subscription-State Supported "
    b"Suppress-If-Match Target-Dialog Timestamp To Trigger-Consent Unsupported User-Agent User-to-User "
    b"Via Warning WWW-Authenticate"
)

CANONICAL: Final[dict[bytes, bytes]] = {
    name: name
    for name in (
        CALL_ID,
        CONTACT,
        CONTENT_LENGTH,
        CONTENT_TYPE,
        CSEQ,
        FROM,
        MAX_FORWARDS,
        RECORD_ROUTE,
        ROUTE,
        TO,
        VIA,
    )
}
"""Canonical names, each to its one object."""
for _name in (*_REGISTERED.split(), *COMPACT.values()):
    CANONICAL.setdefault(_name, _name)

_LOWER: Final[dict[bytes, bytes]] = {name.lower(): name for name in CANONICAL.values()}
for _short, _name in COMPACT.items():
    _LOWER[_short] = CANONICAL[_name]

SPELLINGS: Final[dict[bytes, bytes]] = {}
"""Every spelling met in practice to its canonical name: canonical, lower, upper, Title, compact."""
for _name in CANONICAL.values():
    for _spelling in (_name, _name.lower(), _name.upper(), _name.title()):
        SPELLINGS[_spelling] = _name
for _short, _name in COMPACT.items():
    SPELLINGS[_short] = SPELLINGS[_short.upper()] = CANONICAL[_name]

FOLDED: Final = b""
"""What `resolve_name` says of a continuation line: it has no name."""


def canonical_name(name: bytes) -> bytes:
    """The one spelling of a known header's name; any other name as it is."""
    return SPELLINGS.get(name) or _LOWER.get(name.lower(), name)


def resolve_name(raw: bytes) -> bytes:
    """What stands before a header line's first colon, to its canonical name; `FOLDED` for a continuation
    line.

    Raises RemoteProtocolError (400) for anything but token *( SP / HTAB ).
    """
    if raw[:1] in (b" ", b"\t"):
        return FOLDED
    name = raw.rstrip(b" \t")
    known = _LOWER.get(name.lower())
    if known is not None:
        return known
    if not name or name.translate(TOKEN) != name:
        raise bad(b"Bad Header Name")
    return name
