"""Facts of calls that nothing speaks against, to be changed by one fact per test."""

from __future__ import annotations

from dataclasses import replace

from policies.facts import CONSENT_LIVE, INBOUND, NUMBER_OK, OUTBOUND, Facts

AT = 1_700_000_000.0


def outbound(**changes: object) -> Facts:
    """alpha calls a subscriber who consented."""
    facts = Facts(
        direction=OUTBOUND,
        at=AT,
        trunk="cc-alpha",
        trunk_operator="alpha",
        number="+8657112340001",
        number_kind="geo",
        subscriber_kind="mobile",
        number_status=NUMBER_OK,
        range_id="alpha-hz",
        range_operator="alpha",
        range_trunks=("cc-alpha",),
        range_state="enabled",
        range_outbound=True,
        range_inbound=True,
        range_purposes=("consultation", "return_visit"),
        purpose="consultation",
        route="carrier",
        consent=CONSENT_LIVE,
    )
    return replace(facts, **changes)  # type: ignore[arg-type]


def inbound(**changes: object) -> Facts:
    """A subscriber calls alpha."""
    facts = replace(outbound(), direction=INBOUND, trunk="carrier", trunk_operator="", route="cc-alpha", consent="")
    return replace(facts, **changes)  # type: ignore[arg-type]
