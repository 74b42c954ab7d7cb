"""The caller number must be shown, be one number, and be the same number wherever it stands.

Clauses: caller number transmitted truthfully, never hidden, altered or contradicted (RULES Part 2(d), the
27 forms). The gate derives one caller identity and says how it stands in `caller_status`; these rules
refuse each bad standing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from policies.base import MEMORY, Answer
from policies.facts import (
    CALLER_HIDDEN,
    CALLER_MALFORMED,
    CALLER_MISMATCH,
    CALLER_MISSING,
    OUTBOUND,
    Facts,
)
from policies.params import only


class CallerHidden:
    """Explicitly anonymous callers (RFC 5079 §1: `Privacy: id`, anonymous.invalid, display-name
    Anonymous)."""

    id: ClassVar[str] = "caller-hidden"
    binds: ClassVar[tuple[str, ...]] = (OUTBOUND,)
    needs: ClassVar[str] = MEMORY
    answer: ClassVar[Answer] = Answer(433, "Anonymity Disallowed", 21)  # RFC 5079 §5

    def __init__(self, params: Mapping[str, object]) -> None:
        only(params)

    def judge(self, facts: Facts) -> str | None:
        """Refuse a hidden caller."""
        if facts.caller_status != CALLER_HIDDEN:
            return None
        return f"caller hidden: {facts.caller_detail}" if facts.caller_detail else "caller hidden"


class CallerMissing:
    """Callers who name no number at all. Missing is not hidden: 403, never 433 (RFC 5079 §4)."""

    id: ClassVar[str] = "caller-missing"
    binds: ClassVar[tuple[str, ...]] = (OUTBOUND,)
    needs: ClassVar[str] = MEMORY
    answer: ClassVar[Answer] = Answer(403, "Forbidden", 21)

    def __init__(self, params: Mapping[str, object]) -> None:
        only(params)

    def judge(self, facts: Facts) -> str | None:
        """Refuse a caller without a number."""
        if facts.caller_status != CALLER_MISSING:
            return None
        return f"no caller number: {facts.caller_detail}" if facts.caller_detail else "no caller number"


class CallerMalformed:
    """Callers whose number cannot be read without altering it (prefixes, letters, escapes, wrong trunk 0)."""

    id: ClassVar[str] = "caller-malformed"
    binds: ClassVar[tuple[str, ...]] = (OUTBOUND,)
    needs: ClassVar[str] = MEMORY
    answer: ClassVar[Answer] = Answer(403, "Forbidden", 21)

    def __init__(self, params: Mapping[str, object]) -> None:
        only(params)

    def judge(self, facts: Facts) -> str | None:
        """Refuse an unreadable caller number."""
        if facts.caller_status != CALLER_MALFORMED:
            return None
        return f"caller number unreadable: {facts.caller_detail}" if facts.caller_detail else "caller number unreadable"


class CallerMismatch:
    """Callers whose identity headers contradict one another; the reason names the pair."""

    id: ClassVar[str] = "caller-mismatch"
    binds: ClassVar[tuple[str, ...]] = (OUTBOUND,)
    needs: ClassVar[str] = MEMORY
    answer: ClassVar[Answer] = Answer(403, "Forbidden", 21)

    def __init__(self, params: Mapping[str, object]) -> None:
        only(params)

    def judge(self, facts: Facts) -> str | None:
        """Refuse contradicting identity headers."""
        if facts.caller_status != CALLER_MISMATCH:
            return None
        return (
            f"caller identities disagree: {facts.caller_detail}"
            if facts.caller_detail
            else "caller identities disagree"
        )
