"""An operator calls out only with its papers in order (RULES A02-A31, A41, A45, A49, B15).

What the papers say was worked out when the registry was published, with the times from and to which it holds; the gate
has compared these with the time of the call (`Facts.denials`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final

from policies.base import MEMORY, Answer
from policies.facts import OUTBOUND, Facts
from policies.params import flag, only, words

USER_NUMBERS: Final = ("geo", "mobile", "mobile_mvno")
"""Kinds of ordinary subscribers' numbers (RULES A25)."""
OVERDUE: Final = "A15"
"""Clause of a changed filing that is due."""
EXEMPT: Final = ("", "own_customers")
"""Classes that run no call-centre business for others (RULES A46)."""


class OperatorAdmission:
    """Operators, trunks, tenants and numbers whose papers are missing, out of date, or contradict each other.

    Parameters: `ignored`: clauses that are reported only, such as `["A09"]`; `late_filing`: refuse also while a changed
    filing is overdue (default false: reported only, RULES A15); `user_numbers`: may a call centre present
    ordinary fixed or mobile numbers that are its own (default false, RULES A25)."""

    id: ClassVar[str] = "operator-admission"
    binds: ClassVar[tuple[str, ...]] = (OUTBOUND,)
    needs: ClassVar[str] = MEMORY
    answer: ClassVar[Answer] = Answer(403, "Forbidden", 21)

    def __init__(self, params: Mapping[str, object]) -> None:
        only(params, "ignored", "late_filing", "user_numbers")
        self._ignored = words(params, "ignored", ())
        if not flag(params, "late_filing", False):
            self._ignored = (*self._ignored, OVERDUE)
        self._user_numbers = flag(params, "user_numbers", False)

    def judge(self, facts: Facts) -> str | None:
        """Refuse with everything that stands against the call."""
        if facts.denials:
            found = [said for said in facts.denials if said.partition(":")[0] not in self._ignored]
            if found:
                return "; ".join(found)
        if not self._user_numbers and facts.number_kind in USER_NUMBERS and facts.operator_class not in EXEMPT:
            return f"A25: a number of kind {facts.number_kind} is an ordinary user's, not for call-centre business"
        return None
