"""The caller number must be a code number assigned to this trunk's operator, of exact length, in force
(RULES A12-A19)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final

from policies.base import MEMORY, Answer
from policies.facts import NUMBER_LENGTH, NUMBER_OK, OUTBOUND, Facts
from policies.params import only

STATE_ENABLED: Final = "enabled"
"""The only state of a range that may be used (RULES A18)."""


def inactive(facts: Facts) -> str | None:
    """Why the number's range is not in force at the time of the call, or None. Validity is [from, to), 0 =
    open."""
    if facts.range_state != STATE_ENABLED:
        return f"range is {facts.range_state}" if facts.range_state else "range has no state"
    if facts.at < facts.range_valid_from:
        return "range not yet valid"
    if facts.range_valid_to and facts.at >= facts.range_valid_to:
        return "range expired"
    return None


class NumberUnassigned:
    """Numbers in no range (RULES A16: only numbers assigned by the regulator)."""

    id: ClassVar[str] = "number-unassigned"
    binds: ClassVar[tuple[str, ...]] = (OUTBOUND,)
    needs: ClassVar[str] = MEMORY
    answer: ClassVar[Answer] = Answer(403, "Forbidden", 21)

    def __init__(self, params: Mapping[str, object]) -> None:
        only(params)

    def judge(self, facts: Facts) -> str | None:
        """Refuse a number no range holds. A number of altered length is `number-length`'s."""
        if facts.number_status in (NUMBER_OK, NUMBER_LENGTH):
            return None
        return "caller number is in no range"


class NumberForeign:
    """Another operator's numbers (RULES A16, A17: no transfer, rent or lease)."""

    id: ClassVar[str] = "number-foreign"
    binds: ClassVar[tuple[str, ...]] = (OUTBOUND,)
    needs: ClassVar[str] = MEMORY
    answer: ClassVar[Answer] = Answer(403, "Forbidden", 21)

    def __init__(self, params: Mapping[str, object]) -> None:
        only(params)

    def judge(self, facts: Facts) -> str | None:
        """Refuse a number of another operator. A range or a trunk without an operator matches nothing."""
        if facts.range_operator and facts.range_operator == facts.trunk_operator:
            return None
        if facts.number_status == NUMBER_LENGTH:
            return None  # of a number that was never assigned, there is no owner; number-length has the word
        owner = facts.range_operator or "no operator"
        return f"caller number belongs to {owner}, not to {facts.trunk_operator or 'no operator'}"


class NumberTrunk:
    """Numbers of this operator that this trunk may not present (RULES A14, A17)."""

    id: ClassVar[str] = "number-trunk"
    binds: ClassVar[tuple[str, ...]] = (OUTBOUND,)
    needs: ClassVar[str] = MEMORY
    answer: ClassVar[Answer] = Answer(403, "Forbidden", 21)

    def __init__(self, params: Mapping[str, object]) -> None:
        only(params)

    def judge(self, facts: Facts) -> str | None:
        """Refuse a number that is not this trunk's, and every number of a suspended trunk."""
        if facts.trunk_state != "active":
            return f"trunk {facts.trunk} is {facts.trunk_state}"
        if facts.trunk in facts.range_trunks:
            return None
        if facts.number_status == NUMBER_LENGTH:
            return None  # as above: there is no range to be on
        return f"range {facts.range_id} is not on trunk {facts.trunk}"


class NumberLength:
    """Numbers with digits added or cut (RULES A19: no change of number length)."""

    id: ClassVar[str] = "number-length"
    binds: ClassVar[tuple[str, ...]] = (OUTBOUND,)
    needs: ClassVar[str] = MEMORY
    answer: ClassVar[Answer] = Answer(403, "Forbidden", 21)

    def __init__(self, params: Mapping[str, object]) -> None:
        only(params)

    def judge(self, facts: Facts) -> str | None:
        """Refuse an altered length."""
        if facts.number_status != NUMBER_LENGTH:
            return None
        return f"digits added to or cut from a number of range {facts.range_id}"


class NumberInactive:
    """Numbers that are unfiled, suspended, recalled, not yet valid or expired (RULES A13, A18)."""

    id: ClassVar[str] = "number-inactive"
    binds: ClassVar[tuple[str, ...]] = (OUTBOUND,)
    needs: ClassVar[str] = MEMORY
    answer: ClassVar[Answer] = Answer(403, "Forbidden", 21)

    def __init__(self, params: Mapping[str, object]) -> None:
        only(params)

    def judge(self, facts: Facts) -> str | None:
        """Refuse a number that is not in force."""
        return inactive(facts)
