"""Between proxy and gate: verdicts act after their record, refusals are worded, outcomes and ends are recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from time import monotonic

import pytest

from gateway.gate.attempt import CallAttempt
from gateway.gate.records import DecisionRecord, EndRecord, OutcomeRecord
from gateway.proxy.peer import Peer
from gateway.registry.registry import Registry
from gateway.sip.message import Request, Response
from gateway.sip.parser import parse
from gateway.sip.screened import Screened
from gateway.worker.gatekeeper import Gatekeeper, outgoing, release_cause, trunk_of
from gateway.worker.leases import Leases
from tests.support.sip_text import Extra, answer, caller_party, inbound
from tests.unit.gate import calls
from tests.unit.gate.calls import CARRIER, TRUSTED, TRUSTED_ACCESS, attempt, registry
from tests.unit.gate.house import CONSENT
from tests.unit.gate.test_engine import with_modes
from tests.unit.worker.keeper import MAX_CALL_S, Post, invite

CARRIER_HOP = "127.0.0.9:5060"


@pytest.fixture
def post() -> Iterator[Post]:
    made = Post()
    yield made
    made.close()


def call_up(post: Post, extra: Extra = ()) -> tuple[Request, Response]:
    """An answered outbound call: the INVITE the carrier got, the 200 the caller got."""
    post.receive(invite())
    assert post.kinds() == ["100 >127.0.0.2:5060", f"INVITE >{CARRIER_HOP}"]
    sent = post.last[1]
    assert isinstance(sent, Request)
    post.receive(answer(sent, 200, extra=extra), "127.0.0.9")
    assert post.kinds() == ["200 >127.0.0.2:5060"]
    got = post.last[0]
    assert isinstance(got, Response)
    return sent, got


# -- verdicts ------------------------------------------------------------------------------------------------------


def test_an_allowed_call_leaves_after_its_record_with_the_number_asserted(post: Post) -> None:
    written: list[int] = []

    def safe(act: Callable[[OSError | None], None]) -> None:
        written.append(len(post.house.journal.lines))
        act(None)

    post.safe = safe
    post.core.receive(invite(), post.source("127.0.0.2"), monotonic())
    post.house.lookup.answer(CONSENT)
    assert post.kinds() == ["100 >127.0.0.2:5060"], "nothing leaves before the end of the turn"
    post.turn()
    assert post.kinds() == [f"INVITE >{CARRIER_HOP}"]
    assert written == [1]
    sent = post.last[0]
    assert sent.get(b"P-Asserted-Identity") == b"<sip:+8657112340001@127.0.0.1:5060;user=phone>"
    assert post.house.record.rule == "allow"
    assert post.house.record.source == "127.0.0.2:5060/udp"


def test_a_refused_call_names_rule_and_record(post: Post) -> None:
    post.receive(invite(from_=b"<sip:+8657156780001@127.0.0.2>;tag=a1"))
    assert post.kinds() == ["100 >127.0.0.2:5060", "403 >127.0.0.2:5060"]
    refused = post.last[1]
    record = post.house.record
    assert refused.get(b"Reason") == b'Q.850;cause=21;text="Call rejected"'
    assert refused.get(b"Warning") == b'399 127.0.0.1:5060 "number-foreign %b"' % record.id.encode()


def test_an_emergency_call_of_an_unproven_caller_shows_the_trunks_number(post: Post) -> None:
    data = invite(from_=b"<sip:anonymous@anonymous.invalid>;tag=ft", to=b"<sip:110@127.0.0.1>")
    post.receive(data.replace(b"INVITE sip:+8613800138000@", b"INVITE sip:110@"))
    assert post.kinds() == ["100 >127.0.0.2:5060", f"INVITE >{CARRIER_HOP}"]
    sent = post.last[1]
    assert isinstance(sent, Request)
    assert sent.uri.startswith(b"sip:110@")
    assert b"+8657112340000@" in sent.from_.uri
    assert not sent.has(b"P-Asserted-Identity")


def test_a_caller_that_only_a_shadow_rule_objects_to_is_not_asserted(post: Post) -> None:
    post.house.switch(with_modes(number_foreign="shadow", number_trunk="shadow"), registry())
    post.receive(invite(), "127.0.0.3")  # alpha's number on beta's trunk
    assert post.kinds() == ["100 >127.0.0.3:5060", f"INVITE >{CARRIER_HOP}"]
    assert not post.last[1].has(b"P-Asserted-Identity")
    assert post.house.record.shadow == ("number-foreign", "number-trunk")


def test_is_emergency_is_asked_for_access_trunks_only(post: Post) -> None:
    request = calls.invite(uri=b"sip:110@127.0.0.1", to=b"<sip:110@127.0.0.1>")
    assert post.keeper.is_emergency(request, post.peer("127.0.0.2"))
    assert not post.keeper.is_emergency(calls.invite(), post.peer("127.0.0.2"))
    assert not post.keeper.is_emergency(request, post.peer("127.0.0.9"))


def test_a_verdict_waits_until_its_record_is_safe(post: Post) -> None:
    waiting: list[Callable[[OSError | None], None]] = []
    post.safe = waiting.append
    post.receive(invite())
    assert post.kinds() == ["100 >127.0.0.2:5060"]
    assert len(post.house.journal.lines) == 1
    waiting[0](None)
    assert post.kinds() == [f"INVITE >{CARRIER_HOP}"]


def test_a_record_the_disk_did_not_take_refuses_the_call(post: Post) -> None:
    post.safe = lambda act: act(OSError(5, "Input/output error"))
    post.receive(invite())
    assert post.kinds() == ["100 >127.0.0.2:5060", "503 >127.0.0.2:5060"]
    assert post.last[1].get(b"Retry-After") == b"1"
    post.turn()
    last = post.house.journal.records()[-1]
    assert isinstance(last, OutcomeRecord)
    assert (last.result, last.status) == ("failed", 503)


def test_a_turn_without_verdicts_waits_for_nothing(post: Post) -> None:
    post.safe = lambda act: pytest.fail("nothing to wait for")
    post.turn()


def test_a_fault_of_ours_is_a_500_and_stops_no_other_call(post: Post) -> None:

    def sometimes(found: CallAttempt, host: bytes, over: Registry) -> Screened:
        if found.request.call_id == b"bad":
            raise RuntimeError("ours")
        return outgoing(found, host, over)

    post.keeper._outgoing = sometimes
    post.core.receive(invite(call_id=b"bad", branch=b"z9hG4bK-bad"), post.source("127.0.0.2"), monotonic())
    post.core.receive(invite(), post.source("127.0.0.2"), monotonic())
    post.house.lookup.answer(CONSENT)
    with pytest.raises(RuntimeError, match="ours"):
        post.turn()
    assert post.kinds()[2:] == ["500 >127.0.0.2:5060", f"INVITE >{CARRIER_HOP}"]


def test_a_recovered_call_whose_trunks_are_suspended_now_fails(post: Post) -> None:
    post.receive(invite())
    decision = post.house.record.id
    post.close()
    again = Post(registry(replace(CARRIER, state="suspended")))
    again.house.gate.recover({decision: ("allow", "allow", 0)}, monotonic())
    again.receive(invite())
    again.turn()
    assert again.kinds() == ["100 >127.0.0.2:5060", "500 >127.0.0.2:5060"]
    (outcome,) = again.house.journal.records()
    assert isinstance(outcome, OutcomeRecord)
    assert (outcome.id, outcome.result, outcome.status) == (decision, "failed", 500)
    again.close()


# -- refusals of the proxy, screening ------------------------------------------------------------------------------


def test_a_refusal_of_the_proxy_is_worded_by_the_pack(post: Post) -> None:
    post.receive(invite().replace(b"INVITE", b"REGISTER"))
    assert post.kinds() == ["405 >127.0.0.2:5060"]
    record = post.house.record
    assert (record.rule, record.method) == ("method", "REGISTER")
    assert record.id.encode() in (post.last[0].get(b"Warning") or b"")


def test_a_request_inside_a_dialog_is_screened(post: Post) -> None:
    _, got = call_up(post)
    party = caller_party(invite(), got)
    post.receive(party.request(b"INFO", b"z9hG4bK-i", extra=((b"P-Asserted-Identity", b"<sip:+8613900139000@x>"),)))
    assert post.kinds() == ["403 >127.0.0.2:5060"]
    assert post.house.record.rule == "dialog-identity"


def test_a_response_is_screened(post: Post) -> None:
    post.receive(inbound(), "127.0.0.9")
    assert post.kinds() == [f"100 >{CARRIER_HOP}", "INVITE >127.0.0.2:5060"]
    sent = post.last[1]
    assert isinstance(sent, Request)
    post.receive(answer(sent, 200, extra=((b"P-Asserted-Identity", b"<sip:+8613900139000@x>"),)), "127.0.0.2")
    assert post.kinds() == [f"200 >{CARRIER_HOP}"]
    assert b"+8613900139000" not in (post.last[0].get(b"P-Asserted-Identity") or b"")


def test_before_there_is_a_registry() -> None:
    post = Post()
    keeper = Gatekeeper(post.house.gate, post.stats, b"h", Leases(MAX_CALL_S), None)
    peer = post.peer("127.0.0.2")
    assert keeper.identify("main", "127.0.0.2") is None
    assert keeper.peer_by_code(peer.code) is None
    assert not keeper.is_emergency(calls.invite(uri=b"sip:110@127.0.0.1"), peer)
    with pytest.raises(RuntimeError, match="no registry"):
        keeper.screen_request(calls.invite(), peer, peer)
    assert post.keeper.peer_by_code(peer.code) is peer
    with pytest.raises(TypeError, match="peer odd"):
        trunk_of(Peer("odd", b"code", True, (), lambda host, port: None, object()))
    post.close()


def test_identity_is_shown_only_where_every_trunk_is_trusted_with_it() -> None:
    request = calls.invite(
        b"P-Asserted-Identity: <sip:+8613800138000@127.0.0.8>",
        uri=b"sip:+8657112340001@127.0.0.1",
        to=b"<sip:+8657112340001@127.0.0.1>",
        from_=b"<sip:+8613800138000@127.0.0.8>;tag=n1",
    )
    found = attempt(request, TRUSTED, TRUSTED)
    for routes, shown in (
        ((TRUSTED_ACCESS,), True),
        ((TRUSTED_ACCESS, calls.ALPHA), False),
        ((calls.ALPHA, TRUSTED_ACCESS), False),
    ):
        found.routes = routes
        names = [name for name, _ in outgoing(found, b"h", registry(TRUSTED)).headers]
        assert (b"P-Asserted-Identity" in names) is shown


# -- outcomes and ends ---------------------------------------------------------------------------------------------


def test_outcome_and_end_of_a_call(post: Post) -> None:
    _, got = call_up(post)
    assert post.keeper.active == 1
    party = caller_party(invite(), got)
    for branch in (b"z9hG4bK-b1", b"z9hG4bK-b2"):
        post.kinds()
        post.receive(party.request(b"BYE", branch, extra=((b"Reason", b'Q.850;cause=16;text="+8613800138000"'),)))
        assert post.kinds()[-1] == f"BYE >{CARRIER_HOP}"
        passed = post.last[-1]
        assert isinstance(passed, Request)
        post.receive(answer(passed, 200), "127.0.0.9")
    assert post.keeper.active == 0
    decision, outcome, *ends = post.house.journal.records()
    assert isinstance(decision, DecisionRecord)
    assert isinstance(outcome, OutcomeRecord)
    assert (outcome.id, outcome.result, outcome.status, outcome.hop) == (decision.id, "answered", 200, CARRIER_HOP)
    (end,) = ends
    assert isinstance(end, EndRecord)
    assert (end.id, end.by, end.cause) == (decision.id, "access", "Q.850;cause=16")
    assert post.stats.outcomes == {("cc-alpha", "answered"): 1}


def test_a_failed_call_is_not_active(post: Post) -> None:
    post.receive(invite())
    sent = post.last[1] if post.kinds() else None
    assert isinstance(sent, Request)
    post.receive(answer(sent, 486), "127.0.0.9")
    assert (post.keeper.active, post.stats.outcomes) == (0, {("cc-alpha", "failed"): 1})


def test_calls_without_bye_are_ended_after_their_time(post: Post) -> None:
    began = monotonic()
    call_up(post)
    assert post.keeper.expire_calls(began + MAX_CALL_S - 60) == 0
    assert post.keeper.active == 1
    assert post.keeper.expire_calls(monotonic() + MAX_CALL_S + 1) == 1
    assert (post.keeper.active, post.keeper.expire_calls(monotonic() + 2 * MAX_CALL_S)) == (0, 0)
    post.turn()
    end = post.house.journal.records()[-1]
    assert isinstance(end, EndRecord)
    assert (end.by, end.cause) == ("gateway", "no BYE")


def test_a_call_ends_with_its_session_unless_it_is_refreshed(post: Post) -> None:
    """RFC 4028: what its two ends agreed on, in the 2xx to an INVITE or UPDATE."""
    began = monotonic()
    _, got = call_up(post, ((b"Session-Expires", b"600;refresher=uac"),))
    party = caller_party(invite(), got)
    for method, said in ((b"UPDATE", b"1800"), (b"INVITE", b"120;refresher=uas")):
        post.kinds()
        post.receive(party.request(method, b"z9hG4bK-" + method, contact=b"<sip:agent@127.0.0.2:5060>"))
        assert post.kinds()[-1] == f"{method.decode()} >{CARRIER_HOP}"
        passed = post.last[-1]
        assert isinstance(passed, Request)
        post.receive(answer(passed, 200, extra=((b"Session-Expires", said),)), "127.0.0.9")
        assert post.keeper.active == 1
    assert post.keeper.expire_calls(began + 140) == 0
    assert post.keeper.expire_calls(began + 160) == 1
    post.turn()
    end = post.house.journal.records()[-1]
    assert isinstance(end, EndRecord)
    assert (end.by, end.cause) == ("gateway", "no BYE")


def test_a_call_of_another_worker_is_counted_from_its_first_refresh(post: Post) -> None:
    told: list[str] = []
    post.keeper.on_taken_over = told.append
    call = bytes(range(16))
    for _ in range(2):
        post.keeper.refreshed(call, _ok(), monotonic())
    assert (post.keeper.active, told) == (1, [call.hex()])
    post.keeper.let_go(call.hex())
    assert post.keeper.active == 0
    post.turn()
    assert post.house.journal.records() == [], "the other one writes the record"
    post.keeper.ended(call, post.peer("127.0.0.2"), parsed(invite()), "")
    assert told == [call.hex()] * 2
    post.keeper.ended(call, post.peer("127.0.0.9"), parsed(invite()), "")  # crossed
    post.keeper.refreshed(call, _ok(), monotonic())  # and late
    assert (post.keeper.active, told) == (0, [call.hex()] * 2)


@pytest.mark.parametrize("told_first", [True, False])
def test_a_call_that_went_on_elsewhere_while_the_worker_was_away_ends_there(post: Post, told_first: bool) -> None:
    theirs, ours = bytes(range(16)).hex(), bytes(range(1, 17)).hex()
    answered = {theirs: 1_000.0, ours: 1_000.0}
    if told_first:
        post.keeper.let_go(theirs)
    post.keeper.take_up(answered, 1_000.0 + MAX_CALL_S - 1)
    if not told_first:
        post.keeper.let_go(theirs)
    assert post.keeper.active == 1
    assert post.keeper.expire_calls(monotonic() + 2) == 1
    post.turn()
    assert [record.id for record in post.house.journal.records()] == [ours], "one end record, by whoever counts it"  # type: ignore[union-attr]


def test_a_call_that_was_counted_here_is_nobody_elses(post: Post) -> None:
    told: list[str] = []
    post.keeper.on_taken_over = told.append
    call = bytes(range(16))
    post.leases.begin(call.hex(), monotonic())
    post.keeper.refreshed(call, _ok(), monotonic())
    post.keeper.ended(call, post.peer("127.0.0.2"), parsed(invite()), "")
    assert told == []


def parsed(data: bytes) -> Request:
    message = parse(data)
    assert isinstance(message, Request)
    return message


def _ok() -> Response:
    message = parse(answer(parsed(invite()), 200))
    assert isinstance(message, Response)
    return message


@pytest.mark.parametrize(
    ("reason", "cause"),
    [
        (None, ""),
        (b"Q.850;cause=16", "Q.850;cause=16"),
        (b'SIP ; cause=200 ;text="Call completed elsewhere"', "SIP;cause=200"),
        (b'Q.850;text="+8613800138000";CAUSE=31', "Q.850;cause=31"),
        (b"Q.850", ""),
        (b"Q.850;cause=13800138000", ""),
        (b"Q.850;cause=1x", ""),
        (b"x" * 17 + b";cause=16", ""),
    ],
)
def test_the_cause_of_a_release_without_the_peers_words(reason: bytes | None, cause: str) -> None:
    lines = () if reason is None else (b"Reason: " + reason,)
    assert release_cause(calls.invite(*lines, method=b"BYE")) == cause
