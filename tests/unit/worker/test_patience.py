"""Questions wait for the first dataset, bounded, and then nothing waits any more."""

from __future__ import annotations

import pytest

from gateway.gate.pseudonym import PseudonymRing
from gateway.store.ports import Counting, LookupReply, Rekeyed, SubscriberFacts, Unavailable
from gateway.worker import patience
from gateway.worker.patience import PatientLookup


class Asked:
    """A lookup that notes what it was asked."""

    def __init__(self) -> None:
        self.hashes: list[bytes] = []

    def ask(
        self,
        callee_hash: bytes,
        operator: int,
        purpose: int,
        now: float,
        reply: LookupReply,
        counting: Counting | None = None,
    ) -> None:
        self.hashes.append(callee_hash)


def reply(answer: SubscriberFacts | Unavailable) -> None:
    raise AssertionError("nobody answers here")


def test_questions_are_held_until_released_and_asked_in_order() -> None:
    asked = Asked()
    lookup = PatientLookup(asked)
    for number in range(3):
        lookup.ask(bytes([number]), 1, 1, 0.0, reply)
    assert (asked.hashes, lookup.held) == ([], 3)
    lookup.release()
    assert (asked.hashes, lookup.held) == ([b"\0", b"\1", b"\2"], 0)
    lookup.ask(b"\3", 1, 1, 0.0, reply)
    assert asked.hashes[-1] == b"\3"
    lookup.release()
    assert len(asked.hashes) == 4


def test_no_more_are_held_than_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "MAX_HELD", 2)
    asked = Asked()
    lookup = PatientLookup(asked)
    for number in range(3):
        lookup.ask(bytes([number]), 1, 1, 0.0, reply)
    assert (asked.hashes, lookup.held) == ([b"\2"], 2)


def test_what_is_held_is_hashed_anew_when_the_first_head_names_another_key() -> None:
    ring = PseudonymRing([b"n" * 32, b"o" * 32])
    asked = Asked()
    lookup = PatientLookup(asked, ring)

    def told(answer: SubscriberFacts | Unavailable) -> None:
        assert isinstance(answer, Rekeyed)
        answer.again(ring.hash("95588"))

    lookup.ask(ring.hash("95588"), 1, 2, 3.0, told)
    before = ring.hash("95588")
    ring.use(ring.checks[1], 1)
    assert lookup.held == 1
    lookup.release()
    assert asked.hashes == [ring.hash("95588")] != [before]
