"""The number a URI names: user part of a sip URI, or a tel URI (RFC 3261 §19.1.1, RFC 3966).

Read strictly, because the next hop reads the same bytes with another parser: a number is `[+]digits` in ASCII and
nothing else. Percent-escapes are undone once and only once; visual separators go where RFC 3966 §3 has them (tel, and
sip with `user=phone`). Letters, `*67`, `#31#`, a password, RFC 4904 or RFC 4694 parameters in the user part and
parameters that change what the number means are faults, never trimmed away. `plain` tells whether the digits stood on
the wire as they are: where they did not, the message leaves with `plain_uri`, the equivalent URI that spells them
out.
"""

from __future__ import annotations

from typing import Final

from gateway.registry.model import Trunk
from gateway.registry.number import FORM_E164, FORM_LOCAL, Number
from gateway.registry.numbering import NumberingPlan
from gateway.sip.chars import SEMICOLON, TEL_SEPARATORS, UNDERSCORE
from gateway.sip.errors import ProtocolError
from gateway.sip.limits import MAX_MEMO, MAX_MEMO_KEY
from gateway.sip.memo import new_memo, remember
from gateway.sip.uri import Uri, parse_uri, unescape

FAULT_HIDDEN: Final = "anonymous"
FAULT_NO_USER: Final = "no user"
FAULT_DIGITS: Final = "not digits"
FAULT_PLAN: Final = "no number of the plan"
FAULT_PASSWORD: Final = "password"
FAULT_USER_PARAM: Final = "user parameter"
FAULT_PARAM: Final = "URI parameter"
FAULT_CONTEXT: Final = "phone-context"
FAULT_HEADERS: Final = "URI headers"
FAULT_SCHEME: Final = "scheme"
FAULT_URI: Final = "unreadable URI"

HIDDEN_WORDS: Final = frozenset(
    b"anonymous unavailable restricted unknown asterisk private withheld blocked hidden".split()
)
"""User parts and display-names that say "no number for you" (RFC 5079 §4, RULES Part 2(d) form 2)."""

NUMBER_PARAMS: Final = frozenset(
    b"cic cic-context cpc dtg enumdi ext isub isub-encoding isup-oli noa npdi oli otg phone-context postd rn "
    b"rn-context screen tgrp trunk-context verstat".split()
)
"""Parameters that change what a number means, where it goes, or how far it is believed (RFC 3966, 4694, 4904, TS
24.229)."""

HARMLESS_PARAMS: Final = frozenset({b"transport", b"lr", b"ob"})
"""URI parameters that say nothing about a number."""
_HOST: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-"
_USER_PHONE: Final = b";user=phone"


class UserNumber:
    """What a URI's user part says. `number` is None exactly where `fault` says why.

    `digits`: `[+]digits` as read, b"" where there were none. `plain`: the user part on the wire is just these digits.
    """

    __slots__ = ("digits", "fault", "number", "plain")

    def __init__(self, number: Number | None, fault: str, digits: bytes = b"", plain: bool = False) -> None:
        self.number = number
        self.fault = fault
        self.digits = digits
        self.plain = plain


def plain_digits(uri: bytes) -> bytes:
    """`[+]digits` of `sip:[+]digits@host[:port][;user=phone]`; b"" for every other URI, which `read_uri` looks at."""
    digits = _plain.get(uri)
    if digits is None:
        digits = _read_plain(uri)
        if len(uri) <= MAX_MEMO_KEY:
            remember(_plain, MAX_MEMO, uri, digits)
    return digits


_plain: Final[dict[bytes, bytes]] = new_memo()
"""URIs, and what `plain_digits` said of them: each is asked about several times in a call. Bounded by `MAX_MEMO`."""


def _read_plain(uri: bytes) -> bytes:
    if not uri.startswith(b"sip:"):
        return b""
    user, _, rest = uri[4:].partition(b"@")
    return user if is_digits(user) and _plain_host(rest) else b""


def plain_host(uri: bytes) -> bytes:
    """The host, lower case, of a URI that `plain_digits` reads; b"" for every other one."""
    return _plain_host(uri[4:].partition(b"@")[2]) if plain_digits(uri) else b""


def _plain_host(rest: bytes) -> bytes:
    """The host of what stands behind the `@`, lower case; b"" where it is more than host, port and `user=phone`."""
    host = _hosts.get(rest)
    if host is None:
        host = _read_host(rest)
        if len(rest) <= MAX_MEMO_KEY:
            remember(_hosts, MAX_MEMO, rest, host)
    return host


_hosts: Final[dict[bytes, bytes]] = new_memo()
"""What stood behind an `@`, and its plain host: a peer writes one or two. Bounded by `MAX_MEMO`."""


def _read_host(rest: bytes) -> bytes:
    if rest[-11:] == _USER_PHONE:
        rest = rest[:-11]
    host, colon, port = rest.partition(b":")
    if not host[:1].isalnum() or host.translate(None, _HOST) or b".." in host:
        return b""
    if colon and not (port.isdigit() and len(port) <= 5 and 0 < int(port) < 65_536):
        return b""
    host = host.lower()
    return b"" if host[-7:] == b"invalid" or host[-1:] == b"." else host  # anonymous.invalid


def read_digits(digits: bytes, trunk: Trunk, plan: NumberingPlan) -> Number | None:
    """`[+]digits` on this trunk -> number of the plan, or None."""
    if digits[:1] == b"+":
        return plan.read(digits[1:], True, trunk.country, trunk.area)
    return plan.read(digits, False, trunk.country, trunk.area)


def read_uri(raw: bytes, trunk: Trunk, plan: NumberingPlan) -> UserNumber:
    """The number of a raw URI, with its parameters checked: From, To and every identity header. Never raises."""
    digits = plain_digits(raw)
    if digits:
        number = read_digits(digits, trunk, plan)
        return UserNumber(number, "" if number is not None else FAULT_PLAN, digits, True)
    try:
        uri = parse_uri(raw)
    except ProtocolError:
        return UserNumber(None, FAULT_URI)
    if uri.headers:
        return UserNumber(None, FAULT_HEADERS)
    if UNDERSCORE in uri.host:  # no hostname (RFC 3261 §25.1): Kamailio reads no user in front of it
        return UserNumber(None, FAULT_URI)
    if uri.scheme != b"tel":
        for name, value in uri_params(uri):
            if name == b"user":
                if value.lower() != b"phone":  # user=ip, user=dialstring
                    return UserNumber(None, FAULT_PARAM)
            elif name not in HARMLESS_PARAMS:
                return UserNumber(None, param_fault(name))
    return read_target(uri, trunk, plan)


def read_caller(raw: bytes, trunk: Trunk, plan: NumberingPlan) -> UserNumber:
    """As `read_uri`, for From: a call centre calls from few numbers, so what was read is remembered. The value is
    shared: nobody may change it."""
    global _plan
    if plan is not _plan:
        _callers.clear()
        _plan = plan
    key = (raw, trunk.country, trunk.area)
    reading = _callers.get(key)
    if reading is None:
        reading = read_uri(raw, trunk, plan)
        if len(raw) <= MAX_MEMO_KEY:
            remember(_callers, MAX_MEMO, key, reading)
    return reading


_callers: Final[dict[tuple[bytes, str, str], UserNumber]] = new_memo()
"""From URIs, on trunks of one country and area, as `_plan` reads them. Bounded by `MAX_MEMO`."""
_plan: NumberingPlan | None = None  # one is in force at a time


def read_user(uri: Uri, trunk: Trunk, plan: NumberingPlan) -> Number | None:
    """The number of a parsed URI, None where it names none. Its sip parameters are the caller's to judge."""
    return read_target(uri, trunk, plan).number


def read_target(uri: Uri, trunk: Trunk, plan: NumberingPlan) -> UserNumber:
    """The number of a parsed URI with the reason where there is none. Its sip parameters are the caller's to judge."""
    if uri.scheme == b"tel":
        return _read_tel(uri, trunk, plan)
    if uri.scheme not in (b"sip", b"sips"):
        return UserNumber(None, FAULT_SCHEME)
    host = uri.host.rstrip(b".")
    if host == b"invalid" or host[-8:] == b".invalid":
        return UserNumber(None, FAULT_HIDDEN)
    user = uri.user
    if not user:
        return UserNumber(None, FAULT_NO_USER)
    text = unescape(user)
    if text.strip().lower() in HIDDEN_WORDS:
        return UserNumber(None, FAULT_HIDDEN)
    if uri.password is not None:
        return UserNumber(None, FAULT_PASSWORD)
    if SEMICOLON in text:
        return UserNumber(None, FAULT_USER_PARAM)
    if is_phone(uri):
        text = text.translate(None, TEL_SEPARATORS)
    if not is_digits(text):
        return UserNumber(None, FAULT_DIGITS)
    number = read_digits(text, trunk, plan)
    return UserNumber(number, "" if number is not None else FAULT_PLAN, text, text == user)


def _read_tel(uri: Uri, trunk: Trunk, plan: NumberingPlan) -> UserNumber:
    """telephone-uri = "tel:" ( global-number / local-number ) (RFC 3966 §3)."""
    raw = uri.user or b""
    text = raw.translate(None, TEL_SEPARATORS)
    if not is_digits(text):
        return UserNumber(None, FAULT_DIGITS)
    area = trunk.area
    context: bytes | None = None
    for name, value in uri_params(uri):
        if name != b"phone-context":
            return UserNumber(None, param_fault(name))
        if context is not None or text[:1] == b"+":  # RFC 3966 §5.1.4: local numbers only, once
            return UserNumber(None, FAULT_CONTEXT)
        context = value.translate(None, TEL_SEPARATORS)
        if context == b"+" + trunk.country.encode():
            area = ""
        elif not trunk.area or context != b"+" + (trunk.country + trunk.area).encode():
            return UserNumber(None, FAULT_CONTEXT)
    # RFC 3966 wants a phone-context on local numbers; without one they are read in the trunk's, as in a sip URI
    if text[:1] == b"+":
        number = plan.read(text[1:], True, trunk.country, area)
    else:
        number = plan.read(text, False, trunk.country, area)
    return UserNumber(number, "" if number is not None else FAULT_PLAN, text, text == raw)


def uri_params(uri: Uri) -> list[tuple[bytes, bytes]]:
    """URI parameters as (name in lower case, value or b"")."""
    if not uri.params:
        return []
    params = []
    for part in uri.params.split(b";"):
        name, _, value = part.partition(b"=")
        params.append((unescape(name).lower(), value))
    return params


def is_phone(uri: Uri) -> bool:
    """True for a sip URI with `user=phone`: its user part is a telephone-subscriber (RFC 3261 §19.1.6)."""
    value = uri.param(b"user")
    return value is not None and value.lower() == b"phone"


def is_digits(text: bytes) -> bool:
    """True for `[+]` and ASCII digits (bytes.isdigit knows no others)."""
    return text.isdigit() or (text.startswith(b"+") and text[1:].isdigit())


def param_fault(name: bytes) -> str:
    """How a fault names a parameter: known names only, because the text ends in records and must hold no number."""
    return name.decode("ascii") if name in NUMBER_PARAMS else FAULT_PARAM


def plain_uri(raw: bytes, digits: bytes) -> bytes:
    """The equivalent URI whose user part is spelled as plain digits. `raw` is a URI `read_uri` found a number in."""
    uri = parse_uri(raw)
    params = b";" + uri.params if uri.params else b""
    if uri.scheme == b"tel":
        return b"tel:" + digits + params
    port = b":%d" % uri.port if uri.port else b""
    return uri.scheme + b":" + digits + b"@" + uri.host + port + params


def reads_same(number: Number, here: Trunk, there: Trunk) -> bool:
    """Would the peer on `there` read these digits as the number they are on `here`?

    Local digits mean a number only in an area, and every form but `+` only in a country.
    """
    if number.form == FORM_E164:
        return True
    if here.country != there.country:
        return False
    return number.form != FORM_LOCAL or here.area == there.area
