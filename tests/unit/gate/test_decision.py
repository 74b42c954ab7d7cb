"""A refusal as it stands on the wire."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.gate.decision import CAUSE_TEXT, Verdict, refusal_headers
from gateway.sip.message import Headers
from policies.base import Answer
from tests.unit.gate.calls import URI, attempt, invite
from tests.unit.gate.test_engine import example

ID = "0123456789abcdef0123456789abcdef"
WARNING = (b"Warning", b'399 gate.example:5060 "purpose 0123456789abcdef0123456789abcdef"')


def headers(answer: Answer, rule: str = "purpose") -> Headers:
    return refusal_headers(answer, rule, ID, b"gate.example:5060", URI)


def test_reason_and_warning() -> None:
    assert headers(Answer(403, "Forbidden", 21)) == [
        (b"Reason", b'Q.850;cause=21;text="Call rejected"'),
        WARNING,
    ]


def test_no_cause_no_reason() -> None:
    assert headers(Answer(405, "Method Not Allowed", 0)) == [WARNING]


def test_a_cause_without_a_text_of_ours() -> None:
    assert headers(Answer(403, "Forbidden", 99))[0] == (b"Reason", b"Q.850;cause=99")


def test_retry_after() -> None:
    assert headers(Answer(503, "Service Unavailable", 42, 3))[-1] == (b"Retry-After", b"3")


def test_every_cause_of_the_packs_has_its_text() -> None:
    causes = {answer.cause for answer in example().answers.values()} - {0}
    assert causes <= set(CAUSE_TEXT)


def test_consent_needed_names_the_callee() -> None:
    """RFC 5360 §5.9.4: Permission-Missing holds the URI permission is missing for."""
    answer = example().answers["consent-missing"]
    assert headers(answer, "consent-missing")[-1] == (b"Permission-Missing", b"<" + URI + b">")


@pytest.mark.parametrize(
    ("rule", "status", "cause", "retry"),
    [
        ("caller-hidden", 433, 21, 0),
        ("number-foreign", 403, 21, 0),
        ("callee-malformed", 484, 28, 0),
        ("consent-missing", 470, 21, 0),
        ("callee-refused", 603, 21, 0),
        ("callee-unknown", 404, 1, 0),
        ("dialog-forged", 481, 21, 0),
        ("method", 405, 0, 0),
        ("trunk-capacity", 503, 34, 0),
        ("store-unavailable", 503, 41, 0),
        ("overload", 503, 42, 1),
        ("draining", 503, 42, 3),
    ],
)
def test_the_examples_answers(rule: str, status: int, cause: int, retry: int) -> None:
    answer = example().answers[rule]
    assert answer.status == status
    found = dict(headers(answer, rule))
    assert found.get(b"Reason", b"").startswith(b"Q.850;cause=%d;" % cause if cause else b"")
    assert (b"Reason" in found) == bool(cause)
    assert found.get(b"Retry-After", b"0") == b"%d" % retry
    assert rule.encode() in found[b"Warning"]
    assert ID.encode() in found[b"Warning"]


def test_allowed() -> None:
    verdict = Verdict(attempt(invite()), ID, "allow", "", None, ())
    assert verdict.allowed
    refused = Verdict(verdict.attempt, ID, "purpose", "x", replace(example().answers["purpose"]), ("a",))
    assert (refused.allowed, refused.shadow) == (False, ("a",))
