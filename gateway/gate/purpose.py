"""What a call is for: the first purpose its number is filed for, or the one its trunk states in a header.

A trunk that is to state purposes has the header's name in the registry (`Trunk.purpose_header`). It chooses among the
purposes filed for the number and nothing else (rule `purpose`), and the header ends here: nobody behind the gateway
believes it.
"""

from __future__ import annotations

from typing import Final

from gateway.registry.model import Trunk
from gateway.sip.message import Headers, Request
from policies.facts import Facts

MAX_PURPOSE: Final = 32
"""Characters of a stated purpose: it stands in the decision record."""
_WORD: Final = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789_-")


def state_purpose(facts: Facts, request: Request, trunk: Trunk, filed: tuple[str, ...]) -> None:
    """Put the purpose into the facts, or why it cannot be read. A call without the header has the number's own."""
    facts.purpose = filed[0] if filed else ""
    if not trunk.purpose_header:
        return
    name = trunk.purpose_header.lower().encode("ascii")
    stated = [header[1] for header in request.headers if header[0].lower() == name]
    if not stated:
        return
    value = stated[0].strip().lower()
    if len(stated) > 1:
        facts.purpose, facts.purpose_detail = "", f"{len(stated)} {trunk.purpose_header} headers"
    elif not 0 < len(value) <= MAX_PURPOSE or not all(octet in _WORD for octet in value):
        facts.purpose, facts.purpose_detail = "", f"{trunk.purpose_header} is unreadable"
    else:
        facts.purpose = value.decode("ascii")


def without_purpose(headers: Headers, trunk: Trunk) -> Headers:
    """The headers without the one in which this trunk states purposes."""
    if not trunk.purpose_header:
        return headers
    name = trunk.purpose_header.lower().encode("ascii")
    return [header for header in headers if header[0].lower() != name]
