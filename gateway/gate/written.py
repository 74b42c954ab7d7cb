"""From, To and Contact as they leave towards the core: nothing in them that a careless reader takes for another party.

A URI stays as received or as the equivalent URI that spells its digits out (RFC 3261 §19.1.4, RFC 3966 §4). A
display-name that names another number goes, and so does a parameter whose value is a quoted-string: `;x="<sip:...>"`
reads as an address where somebody looks for the first `<`.
"""

from __future__ import annotations

from gateway.gate.privacy import display_agrees, display_is_letters
from gateway.gate.userpart import HARMLESS_PARAMS, plain_digits, plain_uri, read_uri, uri_params
from gateway.registry.model import Trunk
from gateway.registry.numbering import NumberingPlan
from gateway.sip.chars import COMMA, QUOTE
from gateway.sip.errors import ProtocolError
from gateway.sip.nameaddr import NameAddr, parse_name_addr, split_list
from gateway.sip.names import TO
from gateway.sip.params import split_params
from gateway.sip.uri import parse_uri

Header = tuple[bytes, bytes]


def address(header: Header, parsed: NameAddr, trunk: Trunk, plan: NumberingPlan, bare: bool = False) -> Header:
    """From or To: as received, or without what must not leave. `bare`: of the parameters behind it only the tag may,
    in a request that is cleaned because it is never refused."""
    uri = parsed.uri
    display = parsed.display
    params = parsed.params
    if bare and params != tag_only(parsed):
        params = tag_only(parsed)
    elif QUOTE in params:
        params = token_params(params)
    elif plain_digits(uri) and (not display or display_is_letters(display)):
        return header
    reading = read_uri(uri, trunk, plan)
    number = reading.number
    if number is not None and not reading.plain:
        uri = plain_uri(uri, reading.digits)
    if display and not display_agrees(display, number.canonical if number is not None else "", trunk, plan):
        display = b""
    if display == parsed.display and uri == parsed.uri and params == parsed.params:
        return header
    return header[0], name_addr(display, uri, params)


def contact(header: Header, trunk: Trunk, plan: NumberingPlan) -> Header:
    """Contact: the same, with display-names held against its own user part."""
    value = header[1]
    if value.startswith(b"<") and COMMA not in value and QUOTE not in value:
        return header
    addresses = _addresses(value)
    if not any(parsed.display or QUOTE in parsed.params for parsed in addresses):
        return header
    written = []
    for parsed in addresses:
        display = parsed.display
        if display:
            number = read_uri(parsed.uri, trunk, plan).number
            if not display_agrees(display, number.canonical if number is not None else "", trunk, plan):
                display = b""
        written.append(name_addr(display, parsed.uri, token_params(parsed.params)))
    return header[0], b", ".join(written)


def emergency_to(header: Header, to: NameAddr, digits: bytes, host: bytes, trunk: Trunk, plan: NumberingPlan) -> Header:
    """To of an emergency call: the digits that were dialled, whatever the caller wrote. `host`: host[:port]."""
    tag = b"tag=" + to.tag if to.tag else b""
    if not to.display and to.params == tag and read_uri(to.uri, trunk, plan).digits == digits:
        return header
    return TO, name_addr(b"", b"sip:" + digits + b"@" + host, tag)


def bare_contact(header: Header) -> Header | None:
    """The first Contact without its user part, for a caller whose number is not proven; None where there is no host
    to reach him at."""
    for parsed in _addresses(header[1]):
        try:
            uri = parse_uri(parsed.uri)
        except ProtocolError:
            return None
        if not uri.host:
            return None
        raw = uri.scheme + b":" + uri.host + (b":%d" % uri.port if uri.port else b"")
        for name, value in uri_params(uri):
            if name in HARMLESS_PARAMS:
                raw += b";" + name + (b"=" + value if value else b"")
        return header[0], name_addr(b"", raw, b"")
    return None


def token_params(params: bytes) -> bytes:
    """Parameters without those whose value is a quoted-string, the only place for `<` and `>` to stand."""
    if QUOTE not in params:
        return params
    kept = []
    for name, value in split_params(params):
        if value is None:
            kept.append(name)
        elif value[:1] != b'"':
            kept.append(name + b"=" + value)
    return b";".join(kept)


def tag_only(parsed: NameAddr) -> bytes:
    """The parameters behind From and To that every request needs."""
    return b"tag=" + parsed.tag if parsed.tag else b""


def name_addr(display: bytes, uri: bytes, params: bytes) -> bytes:
    """`[display ]<uri>[;params]`."""
    value = b"<" + uri + b">"
    if display:
        value = display + b" " + value
    return value + b";" + params if params else value


def _addresses(value: bytes) -> list[NameAddr]:
    """The addresses of a Contact; none for `*`."""
    try:
        return [parse_name_addr(element) for element in split_list(value)]
    except ProtocolError:
        return []
