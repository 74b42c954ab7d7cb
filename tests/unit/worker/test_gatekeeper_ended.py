"""What the gatekeeper knows of calls that have ended."""

from __future__ import annotations

from collections.abc import Iterator
from time import monotonic

import pytest

from gateway.sip.message import Request, Response
from tests.support.sip_text import answer, caller_party
from tests.unit.gate import calls
from tests.unit.worker.keeper import MAX_CALL_S, Post, invite

CALL = bytes(range(16))


@pytest.fixture
def post() -> Iterator[Post]:
    made = Post()
    yield made
    made.close()


def test_a_bye_ends_a_call(post: Post) -> None:
    assert not post.keeper.is_ended(CALL)
    post.keeper.ended(CALL, post.peer("127.0.0.2"), calls.invite(), "BYE unanswered")
    assert post.keeper.is_ended(CALL)
    post.turn()
    assert post.house.journal.records()[-1].cause == "BYE unanswered"


def test_a_bye_under_another_name_ends_a_call_under_nobodys(post: Post) -> None:
    """Only its tags say which dialog it is (RFC 3261 §12.2.2); its sender gets back what he wrote."""
    text = invite()
    post.receive(text)
    post.kinds()
    sent = post.last[1]
    assert isinstance(sent, Request)
    post.receive(answer(sent, 200), "127.0.0.9")
    post.kinds()
    got = post.last[0]
    assert isinstance(got, Response)
    other = b'"Desk" <sip:+8657112349999@127.0.0.1;x=y>;tag=ft'
    post.receive(caller_party(text, got).request(b"BYE", b"z9hG4bK-b", from_=other))
    assert post.kinds() == ["BYE >127.0.0.9:5060"]
    left = post.last[0]
    assert isinstance(left, Request)
    assert left.get(b"From") == b"<sip:anonymous@anonymous.invalid>;tag=ft"
    post.receive(answer(left, 200), "127.0.0.9")
    assert post.kinds() == ["200 >127.0.0.2:5060"] and post.last[0].get(b"From") == other
    assert post.keeper.active == 0


def test_an_end_read_back_from_the_journal_counts(post: Post) -> None:
    post.house.gate.evidence.note_ended(CALL.hex())
    assert post.keeper.is_ended(CALL)


def test_a_call_without_bye_may_be_up_all_the_same(post: Post) -> None:
    calls = [bytes([number]) * 16 for number in range(5)]
    for call in calls:
        post.leases.begin(call.hex(), monotonic() - MAX_CALL_S - 1)
    assert post.keeper.expire_calls(monotonic()) == 5
    assert not any(post.keeper.is_ended(call) for call in calls)
    assert post.house.gate.evidence.is_ended(calls[-1].hex())
