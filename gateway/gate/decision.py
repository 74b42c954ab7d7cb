"""A verdict, and the wording of a refusal on the wire (DESIGN §5, Refusals)."""

from __future__ import annotations

from typing import Final

from gateway.gate.attempt import CallAttempt
from gateway.gate.pack_answer import fill_header
from gateway.sip.message import Headers
from policies.base import Answer

ALLOW: Final = "allow"
REFUSE: Final = "refuse"
EMERGENCY: Final = "emergency"

CAUSE_TEXT: Final = {
    1: "Unallocated number",
    21: "Call rejected",
    28: "Invalid number format",
    34: "No circuit available",
    41: "Temporary failure",
    42: "Switching equipment congestion",
}
"""Q.850 §2.2.7 texts of the causes the rules use."""


class Verdict:
    """What was decided about one call attempt."""

    __slots__ = ("answer", "attempt", "decision", "reason", "rule", "shadow")

    def __init__(
        self,
        attempt: CallAttempt,
        decision: str,
        rule: str,
        reason: str,
        answer: Answer | None,
        shadow: tuple[str, ...],
    ) -> None:
        self.attempt = attempt
        self.decision = decision
        """Decision id, 32 hex digits."""
        self.rule = rule
        """The rule that refused; `allow` or `emergency`."""
        self.reason = reason
        self.answer = answer
        """None: the call goes on."""
        self.shadow = shadow

    @property
    def allowed(self) -> bool:
        """True when the call may go on."""
        return self.answer is None


def refusal_headers(answer: Answer, rule: str, decision: str, host: bytes, callee: bytes) -> Headers:
    """Extra headers of a refusal: Reason (RFC 3326, Q.850), Warning 399 with rule and decision id, so that support can
    find the record, Retry-After, and the pack's own headers. `callee`: the refused Request-URI."""
    headers: Headers = []
    if answer.cause:
        text = CAUSE_TEXT.get(answer.cause, "")
        quoted = f';text="{text}"' if text else ""
        headers.append((b"Reason", f"Q.850;cause={answer.cause}{quoted}".encode()))
    headers.append((b"Warning", b'399 %b "%b %b"' % (host, rule.encode(), decision.encode())))
    if answer.retry_after:
        headers.append((b"Retry-After", b"%d" % answer.retry_after))
    for name, value in answer.headers:
        headers.append((name.encode(), fill_header(value, callee)))
    return headers
