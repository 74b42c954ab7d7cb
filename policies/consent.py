"""An outbound call needs the callee's live consent for this operator and purpose (RULES A06)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final

from policies.base import STORE, Answer
from policies.facts import CONSENT_EXPIRED, CONSENT_LIVE, CONSENT_NONE, CONSENT_REVOKED, OUTBOUND, Facts
from policies.params import only

_REASONS: Final = {
    CONSENT_NONE: "no consent stored",
    CONSENT_REVOKED: "consent revoked",
    CONSENT_EXPIRED: "consent expired",
}


class ConsentMissing:
    """Callees without live consent. 470 and Permission-Missing name the callee whose permission is missing
    (RFC 5360 §5.9)."""

    id: ClassVar[str] = "consent-missing"
    binds: ClassVar[tuple[str, ...]] = (OUTBOUND,)
    needs: ClassVar[str] = STORE
    answer: ClassVar[Answer] = Answer(470, "Consent Needed", 21, 0, (("Permission-Missing", "<{callee}>"),))

    def __init__(self, params: Mapping[str, object]) -> None:
        only(params)

    def judge(self, facts: Facts) -> str | None:
        """Refuse unless consent is live; facts that were never read refuse too."""
        if facts.consent == CONSENT_LIVE:
            return None
        return _REASONS.get(facts.consent, "consent not read")
