"""The one list of headers that say who calls, and what is done with each (the table stands in `identity`).

A header that carries a caller's or a calling party's number and is missing here is a way around the gate: names are
added here and nowhere else. The parser spells registered names one way; other names are compared in lower case.
"""

from __future__ import annotations

from typing import Final

from gateway.gate.bodies import CONTENT_ENCODING
from gateway.sip.headers import FREE_TEXT, is_text
from gateway.sip.names import CANONICAL, CONTACT, CONTENT_TYPE, FROM, TO

ASSERTED: Final = b"P-Asserted-Identity"
PREFERRED: Final = b"P-Preferred-Identity"
REMOTE_PARTY: Final = b"Remote-Party-ID"
DIVERSION: Final = b"Diversion"
HISTORY: Final = b"History-Info"
REFERRED_BY: Final = b"Referred-By"
CALL_INFO: Final = b"Call-Info"
REPLY_TO: Final = b"Reply-To"
IDENTITY: Final = b"Identity"
PRIVACY: Final = b"Privacy"

JUDGED: Final = frozenset(
    (
        *(ASSERTED, PREFERRED, REMOTE_PARTY, DIVERSION, HISTORY, REFERRED_BY),
        *(CALL_INFO, REPLY_TO, IDENTITY, CONTACT, PRIVACY),
    )
)
"""Headers whose content is held against the caller number."""

UNSEEN: Final = (
    *(b"Additional-Identity", b"Anonymity", b"Attestation-Info", b"CC-Diversion", b"Identity-Info", b"Origination-Id"),
    *(b"P-Associated-URI", b"P-Called-Party-ID", b"P-Charge-Info", b"P-DCS-Billing-Info", b"P-DCS-LAES"),
    *(b"P-DCS-OSPS", b"P-DCS-Redirect", b"P-DCS-Trace-Party-ID", b"P-Profile-Key", b"P-Served-User"),
    *(b"P-User-Database", b"Priority-Verstat", b"RPID-Privacy"),
)
"""Headers that name a party inside a network (RFC 7315, 8496, 5503, TS 24.229, drafts): no business of an access
peer."""

CREDENTIALS: Final = frozenset({b"Authorization", b"Proxy-Authorization"})
"""Meant for us, and consumed; beyond us they only show a user name."""

ANNOUNCING: Final = frozenset({b"Alert-Info", b"User-to-User"})
"""Free content that a phone or a softswitch may show: passes where it holds no sip or tel URI and no other number."""

TRANSFERS: Final = frozenset({b"Replaces", b"Join", b"Refer-To"})
"""Headers with which a call takes over or hands over another (RFC 3891, 3911, 3515)."""

REMOVED: Final = frozenset(name.lower() for name in (*UNSEEN, *CREDENTIALS, *(JUDGED - {CONTACT, PRIVACY})))
"""Lower case. What never leaves towards the core as it came from access."""

_TELLING: Final = (b"cli", b"caller", b"callid", b"calling", b"rpid", b"ani", b"charge", b"billing")
"""What softswitches call their own headers for the calling number (X-Caller-ID, X-Original-CLI, X-RPID ...)."""

NETWORK: Final = frozenset(
    name.lower()
    for name in (
        *(ASSERTED, PREFERRED, REMOTE_PARTY, b"Additional-Identity", b"Attestation-Info", b"Origination-Id"),
        *(b"P-Associated-URI", b"P-Charge-Info", b"P-DCS-Trace-Party-ID", b"P-Profile-Key", b"P-Served-User"),
        *(b"P-User-Database", b"RPID-Privacy"),
    )
)
"""Lower case. Network identity: stays inside the trust domain (RFC 3324, RFC 3325 §5)."""

WITHHELD: Final = NETWORK | {IDENTITY.lower(), DIVERSION.lower(), HISTORY.lower(), b"cc-diversion", b"identity-info"}
"""Lower case. What repeats the caller's number, dropped as well where he asked to be hidden."""

IDENTITY_HEADERS: Final = frozenset({FROM, *JUDGED, *UNSEEN})
"""Every header of the list; evidence keeps them as received."""

RAW_HEADERS: Final = frozenset(
    (
        *(FROM, TO, CONTACT, ASSERTED, PREFERRED, REMOTE_PARTY, PRIVACY, DIVERSION, HISTORY, REFERRED_BY),
        *(IDENTITY, CALL_INFO, b"User-Agent"),
    )
)
"""Headers that evidence keeps as received (RULES Part 2e); what else a message holds says nothing about who called
whom."""

ORDINARY: Final = frozenset(
    set(CANONICAL) - IDENTITY_HEADERS - CREDENTIALS - ANNOUNCING - {TO, CONTENT_TYPE, CONTENT_ENCODING}
)
"""Registered headers that say nothing about a party."""

PASSED: Final = ORDINARY - FREE_TEXT
"""Those that pass without a second look: the parser has refused what is no text in them."""


_NAME: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._"
"""Octets of header names that every element reads. Kamailio drops a whole message for a `%`, `!`, `*` or quote in a
name, and who undoes escapes reads `P%2DAsserted-Identity` as another header (RFC 4475 `esc02`)."""


def may_leave(name: bytes) -> bool:
    """May a header of this name leave towards the core as it came from access? Unregistered names whose spelling
    promises the caller's number, or that not every element reads, may not."""
    lower = name.lower()
    if lower in REMOVED:
        return False
    return name in CANONICAL or not (name.translate(None, _NAME) or any(word in lower for word in _TELLING))


def is_clean(header: tuple[bytes, bytes]) -> bool:
    """Is the value text that no reader splits into lines (`sip.headers.is_text`)?"""
    value = header[1]
    return value.isascii() or is_text(value)
