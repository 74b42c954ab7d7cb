"""What an operator is not told: a call that presents another operator's number is its own, that number's range is not.

The rules saw the range (whose, in which state, for which purposes), and `explain` the consent its holder has; reasons
may name the holder. Of such a call an operator learns the verdict and the rule, no more.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from gateway.control.api.caller import Caller
from policies.facts import Facts


def hides(caller: Caller, facts: Facts | None) -> bool:
    """Whether the facts are another operator's."""
    return facts is not None and bool(facts.range_operator) and not caller.sees(facts.range_operator)


def shown_facts(caller: Caller, facts: Facts | None) -> dict[str, Any]:
    """The facts; none where they are another's."""
    return {} if facts is None or hides(caller, facts) else asdict(facts)


def shown_reason(caller: Caller, facts: Facts | None, reason: str) -> str:
    """The reason; none where it may tell of another."""
    return "" if hides(caller, facts) else reason
