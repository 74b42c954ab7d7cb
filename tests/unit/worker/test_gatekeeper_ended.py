"""What the gatekeeper knows of calls that have ended."""

from __future__ import annotations

from collections.abc import Iterator
from time import monotonic

import pytest

from gateway.worker import gatekeeper as gatekeeper_module
from tests.unit.gate.calls import invite
from tests.unit.worker.keeper import MAX_CALL_S, Post

CALL = bytes(range(16))


@pytest.fixture
def post() -> Iterator[Post]:
    made = Post()
    yield made
    made.close()


def test_a_bye_ends_a_call(post: Post) -> None:
    assert not post.keeper.is_ended(CALL)
    post.keeper.ended(CALL, post.peer("127.0.0.2"), invite(), "BYE unanswered")
    assert post.keeper.is_ended(CALL)
    post.turn()
    assert post.house.journal.records()[-1].cause == "BYE unanswered"


def test_an_end_read_back_from_the_journal_counts(post: Post) -> None:
    post.house.gate.evidence.note_ended(CALL.hex())
    assert post.keeper.is_ended(CALL)


def test_a_call_without_bye_may_be_up_all_the_same(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gatekeeper_module, "MAX_EXPIRED", 2)
    calls = [bytes([number]) * 16 for number in range(5)]
    for call in calls:
        post.leases.begin(call.hex(), monotonic() - MAX_CALL_S - 1)
    assert post.keeper.expire_calls(monotonic()) == 5
    assert not post.keeper.is_ended(calls[-1])
    assert len(post.keeper._expired) <= 2
