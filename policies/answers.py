"""Refusals that no rule of the chain decides, but a pack may word: the gateway's own state, and dialogs."""

from __future__ import annotations

from typing import Final

from policies.base import Answer

ANSWERS: Final[dict[str, Answer]] = {
    "store-unavailable": Answer(503, "Service Unavailable", 41),
    "dialog-identity": Answer(403, "Forbidden", 21),
    "dialog-forged": Answer(481, "Call/Transaction Does Not Exist", 21),
    "method": Answer(405, "Method Not Allowed", 0),  # Allow is added by the proxy, which knows its methods
    "trunk-capacity": Answer(503, "Service Unavailable", 34),
    "overload": Answer(503, "Service Unavailable", 42, 1),
    "draining": Answer(503, "Service Unavailable", 42, 3),
}
"""Default answers by id. Retry-After on 503 only for the gateway's own state: a conforming peer stops
sending everything."""
