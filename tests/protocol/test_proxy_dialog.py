"""Requests inside a dialog: loose routing by the cookie, both ways (RFC 3261 §16.4, §16.6, §16.12)."""

from __future__ import annotations

import gc
from collections.abc import Callable

import pytest

from gateway.proxy.call import Call
from gateway.proxy.invite_branch import Branch
from gateway.transaction.transactions import ClientTransaction, ServerTransaction
from tests.support.dialogs import call_up
from tests.support.playbook import Playbook
from tests.support.sip_text import CALLEE, Party, answer, callee_party, caller_party, invite

Make = Callable[..., Playbook]


@pytest.fixture
def dialog(play: Playbook) -> tuple[Party, Party]:
    """(caller, callee) of an answered outbound call."""
    return call_up(play)


METHODS = [b"BYE", b"UPDATE", b"INFO", b"PRACK", b"OPTIONS"]


@pytest.mark.parametrize("method", METHODS)
def test_from_the_caller(play: Playbook, dialog: tuple[Party, Party], method: bytes) -> None:
    caller, _ = dialog
    name = method.decode()
    play.caller(caller.request(method, b"z9hG4bK-m", body=b"abc", extra=((b"X-Thing", b"1"),)))
    sent = play.request(f"{name} >carrier")
    assert sent.uri == b"sip:" + CALLEE + b"@127.0.0.9:5060"
    assert sent.get_all(b"Route") == []
    assert sent.get_all(b"Record-Route") == []
    assert sent.get(b"Max-Forwards") == b"69"
    assert sent.get(b"X-Thing") == b"1"
    assert sent.body == b"abc"
    assert len(sent.get_all(b"Via")) == 2
    play.caller(caller.request(method, b"z9hG4bK-m", cseq=caller.cseq))
    play.expect()  # the request again: absorbed, nothing was answered yet
    play.carrier(answer(sent, 100))
    play.expect()
    play.carrier(answer(sent, 200))
    ok = play.response("200 >caller")
    assert ok.get_all(b"Via") == [b"SIP/2.0/UDP 127.0.0.2:5060;branch=z9hG4bK-m"]
    play.caller(caller.request(method, b"z9hG4bK-m", cseq=caller.cseq))
    play.response("200 >caller")
    play.carrier(answer(sent, 200))
    play.expect()


@pytest.mark.parametrize("method", METHODS)
def test_from_the_callee(play: Playbook, dialog: tuple[Party, Party], method: bytes) -> None:
    _, callee = dialog
    name = method.decode()
    play.carrier(callee.request(method, b"z9hG4bK-m"))
    sent = play.request(f"{name} >caller")
    assert sent.uri == b"sip:agent@127.0.0.2:5060"
    play.caller(answer(sent, 481))
    play.response("481 >carrier")


def test_a_re_invite_from_either_side(play: Playbook, dialog: tuple[Party, Party]) -> None:
    caller, callee = dialog
    play.caller(caller.request(b"INVITE", b"z9hG4bK-re1"))
    sent = play.last("100 >caller", "INVITE >carrier")
    assert sent.uri == b"sip:" + CALLEE + b"@127.0.0.9:5060"
    assert sent.get_all(b"Record-Route") == []
    play.carrier(answer(sent, 200))
    play.response("200 >caller")
    play.caller(caller.request(b"ACK", b"z9hG4bK-ack1", cseq=caller.cseq))
    play.request("ACK >carrier")
    play.carrier(callee.request(b"INVITE", b"z9hG4bK-re2"))
    sent = play.last("100 >carrier", "INVITE >caller")
    play.caller(answer(sent, 491))
    play.expect("ACK >caller", "491 >carrier")
    play.carrier(callee.request(b"ACK", b"z9hG4bK-re2", cseq=callee.cseq))
    play.expect()
    assert play.gate.outcomes == [("answered", 200)]
    assert len(play.gate.decisions) == 1


@pytest.mark.parametrize("failure", ["503", "error", "silence"])
def test_a_re_invite_that_fails(play2: Playbook, failure: str) -> None:
    caller, _ = call_up(play2)
    play2.caller(caller.request(b"INVITE", b"z9hG4bK-re1"))
    sent = play2.last("100 >caller", "INVITE >carrier")
    if failure == "503":
        play2.carrier(answer(sent, 503))
        play2.expect("ACK >carrier", "500 >caller")
    elif failure == "error":
        play2.fail("carrier")
        play2.response("500 >caller")
    else:
        play2.advance(32.0)
        play2.expect(*["INVITE >carrier"] * 6, "408 >caller")
    play2.caller(caller.request(b"ACK", b"z9hG4bK-re1", cseq=caller.cseq))
    play2.expect()


def test_a_bye_that_nobody_answers_is_forgotten_with_no_answer(play: Playbook, dialog: tuple[Party, Party]) -> None:
    caller, _ = dialog
    play.caller(caller.request(b"BYE", b"z9hG4bK-bye"))
    play.advance(32.0)
    play.expect(*["BYE >carrier"] * 11)
    play.advance(60.0)
    play.expect()  # RFC 4320 §4.2: no 408
    assert not play.layer.servers


def test_a_bye_that_cannot_be_sent_or_meets_a_503_is_500(play: Playbook, dialog: tuple[Party, Party]) -> None:
    caller, _ = dialog
    play.caller(caller.request(b"BYE", b"z9hG4bK-bye"))
    play.request("BYE >carrier")
    play.fail("carrier")
    assert play.response("500 >caller").cseq_method == b"BYE"
    play.caller(caller.request(b"BYE", b"z9hG4bK-bye2"))
    play.carrier(answer(play.request("BYE >carrier"), 503, extra=((b"Retry-After", b"5"),)))
    assert play.response("500 >caller").reason == b"Server Internal Error"


def test_provisionals_of_a_non_invite_request_pass(play: Playbook, dialog: tuple[Party, Party]) -> None:
    caller, _ = dialog
    play.caller(caller.request(b"INFO", b"z9hG4bK-i"))
    sent = play.request("INFO >carrier")
    play.carrier(answer(sent, 183))
    play.response("183 >caller")
    play.carrier(answer(sent, 200))
    play.response("200 >caller")


def test_early_dialogs_both_ways(play: Playbook) -> None:
    text = invite()
    play.caller(text)
    sent = play.last("100 >caller", "INVITE >carrier")
    play.carrier(answer(sent, 183, extra=((b"RSeq", b"1"), (b"Require", b"100rel"))))
    progress = play.response("183 >caller")
    assert progress.get(b"RSeq") == b"1"
    caller, callee = caller_party(text, progress), callee_party(sent)
    play.caller(caller.request(b"PRACK", b"z9hG4bK-p", extra=((b"RAck", b"1 1 INVITE"),)))
    prack = play.request("PRACK >carrier")
    assert prack.get(b"RAck") == b"1 1 INVITE"
    play.carrier(answer(prack, 200))
    play.response("200 >caller")
    play.carrier(callee.request(b"UPDATE", b"z9hG4bK-u"))
    play.caller(answer(play.request("UPDATE >caller"), 200))
    play.response("200 >carrier")


def test_routes_of_the_carrier_stay_and_choose_the_hop(play2: Playbook) -> None:
    text = invite()
    play2.caller(text)
    sent = play2.last("100 >caller", "INVITE >carrier")
    # Two proxies of the carrier record-route; the callee's Contact is one more of its addresses.
    ok = answer(sent, 200, contact=b"<sip:b@127.0.0.11:5066>")
    routes = b"Record-Route: <sip:127.0.0.9:5070;lr>\r\nRecord-Route: <sip:p@127.0.0.10;lr;x=1>\r\n"
    play2.carrier(ok.replace(b"Record-Route:", routes + b"Record-Route:", 1))
    caller = caller_party(text, play2.response("200 >caller"))
    assert len(caller.routes) == 3
    play2.caller(caller.request(b"BYE", b"z9hG4bK-bye"))
    bye = play2.request("BYE >carrier2")
    assert bye.get_all(b"Route") == [b"<sip:p@127.0.0.10;lr;x=1>", b"<sip:127.0.0.9:5070;lr>"]
    assert bye.uri == b"sip:b@127.0.0.11:5066"
    play2.carrier2(answer(bye, 200))
    play2.response("200 >caller")


def test_an_ack_is_stateless_and_its_copies_are_equal(play: Playbook, dialog: tuple[Party, Party]) -> None:
    caller, _ = dialog
    text = caller.request(b"ACK", b"z9hG4bK-ack", cseq=1)
    play.caller(text)
    play.caller(text)
    play.expect("ACK >carrier", "ACK >carrier")
    assert play.wire[0] == play.wire[1]
    assert play.layer.servers.keys() == {b"z9hG4bK-1\x00127.0.0.2\x005060\x00INVITE\x00cc-alpha"}
    play.caller(caller.request(b"ACK", b"z9hG4bK-ack", cseq=1, max_forwards=0))
    play.dropped("ack-max-forwards")


def test_in_dialog_requests_are_validated(play: Playbook, dialog: tuple[Party, Party]) -> None:
    caller, _ = dialog
    play.caller(caller.request(b"INFO", b"z9hG4bK-i", max_forwards=0))
    play.response("483 >caller")
    play.caller(caller.request(b"INFO", b"z9hG4bK-j", extra=((b"Proxy-Require", b"x"),)))
    play.response("420 >caller")


def test_the_dialog_survives_a_restart(play: Playbook, dialog: tuple[Party, Party]) -> None:
    caller, callee = dialog
    play.new_core()
    play.caller(caller.request(b"ACK", b"z9hG4bK-ack", cseq=1))
    play.request("ACK >carrier")
    play.carrier(callee.request(b"BYE", b"z9hG4bK-bye"))
    play.caller(answer(play.request("BYE >caller"), 200))
    play.response("200 >carrier")
    assert play.gate.byes == [(play.gate.decisions[0], "carrier")]


def test_cookies_of_an_older_key_stay_valid(play: Playbook, dialog: tuple[Party, Party]) -> None:
    caller, _ = dialog
    play.keys = {7: play.keys[7], 8: b"n" * 32}
    play.new_core()
    play.caller(caller.request(b"INFO", b"z9hG4bK-1"))
    play.carrier(answer(play.request("INFO >carrier"), 200))
    play.response("200 >caller")
    play.keys = {7: b"n" * 32}
    play.new_core()
    play.caller(caller.request(b"INFO", b"z9hG4bK-2"))
    play.response("481 >caller")


def test_a_finished_call_is_freed_without_a_collection(play: Playbook) -> None:
    def alive() -> int:
        kinds = (Call, Branch, ClientTransaction, ServerTransaction)
        return sum(isinstance(thing, kinds) for thing in gc.get_objects())

    gc.collect()
    gc.disable()
    try:
        before = alive()
        caller, _ = call_up(play)
        play.caller(caller.request(b"BYE", b"z9hG4bK-bye"))
        play.carrier(answer(play.request("BYE >carrier"), 200))
        play.response("200 >caller")
        play.caller(invite(branch=b"z9hG4bK-2", cseq=2))
        sent = play.last("100 >caller", "INVITE >carrier")
        play.carrier(answer(sent, 486))
        play.expect("ACK >carrier", "486 >caller")
        assert alive() > before
        play.advance(100.0)
        play.expect(*["486 >caller"] * 10)
        assert alive() == before
    finally:
        gc.enable()
