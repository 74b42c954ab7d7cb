"""What a stranger can make the proxy hold is bounded in bytes as well as in number."""

from __future__ import annotations

import gc
import sys

import pytest

from gateway.proxy.call import Call
from gateway.proxy.peer import Destination
from gateway.proxy.validate import MAX_REQUEST
from gateway.transaction import layer as layer_module
from tests.support.dialogs import call_up
from tests.support.playbook import Playbook
from tests.support.sip_text import CALLEE, answer, caller_party, invite, request

URI = b"sip:" + CALLEE + b"@127.0.0.1"
LARGE = tuple((b"X-Pad", b"p" * 5_000) for _ in range(3))


def test_a_request_over_the_limit_is_513_and_leaves_nothing(play: Playbook) -> None:
    fits = len(invite(body=b""))
    for name, size in (("INVITE", MAX_REQUEST + 1), ("OPTIONS", MAX_REQUEST + 1), ("INVITE", 60_000)):
        text = request(name.encode(), URI, body=b"b" * (size - fits))
        assert len(text) > MAX_REQUEST
        play.caller(text)
        refused = play.response("513 >caller")
        assert refused.to.tag
        assert refused.reason == b"Message Too Large"
    assert not play.layer.servers
    assert not play.gate.decisions
    play.caller(request(b"ACK", URI, body=b"b" * MAX_REQUEST))
    play.dropped("ack-too-large")


def test_a_request_of_just_the_limit_passes(play: Playbook) -> None:
    rest = MAX_REQUEST - len(invite(body=b"b" * 10_000)) + 10_000
    text = invite(body=b"b" * rest)
    assert len(text) == MAX_REQUEST
    play.caller(text)
    play.carrier(answer(play.last("100 >caller", "INVITE >carrier"), 200))
    play.response("200 >caller")


def kept(call: Call) -> int:
    """Bytes that the headers and bodies of a finished call still hold."""
    held = [*call.request.headers, *call.headers]
    if call.client is not None and call.client.user is not None:
        held += call.client.user.headers  # type: ignore[attr-defined]
    return sum(len(value) for _, value in held) + len(call.request.body) + len(call.body)


@pytest.mark.parametrize("status", [200, 403, 486, 503])
def test_a_call_with_a_final_response_holds_little(play: Playbook, status: int) -> None:
    if status == 403:
        play.gate.verdict = play.gate.refuse_now
    play.caller(invite(extra=LARGE))
    (server,) = play.layer.servers.values()
    call = server.user
    assert isinstance(call, Call)
    if status != 403:
        play.carrier(answer(play.last("100 >caller", "INVITE >carrier"), status))
    play.forget()
    assert kept(call) < 1_000
    assert play.layer.kept < 2_000
    play.advance(32.5)
    play.forget()


def test_a_repeated_2xx_still_gets_its_cookie_and_ack(play: Playbook) -> None:
    play.caller(invite(extra=LARGE))
    sent = play.last("100 >caller", "INVITE >carrier")
    play.carrier(answer(sent, 200))
    play.expect("200 >caller")
    first = play.wire
    play.carrier(answer(sent, 200))
    again = play.response("200 >caller")
    assert play.wire == first
    play.carrier(answer(sent, 200, tag=b"t2"))  # another leg of a fork, after the request was let go
    other = play.response("200 >caller")
    for number, ok in enumerate((again, other)):
        caller = caller_party(invite(), ok)
        play.caller(caller.request(b"ACK", b"z9hG4bK-a%d" % number, cseq=1))
        play.request("ACK >carrier")


def test_an_abandoned_branch_still_has_its_cancel_and_ack(play2: Playbook) -> None:
    play2.caller(invite(extra=LARGE))
    first = play2.last("100 >caller", "INVITE >carrier")
    play2.advance(4.0)
    *_, second = play2.expect(*["INVITE >carrier"] * 3, "INVITE >carrier2")
    play2.carrier2(answer(second, 200))  # type: ignore[arg-type]
    play2.response("200 >caller")
    play2.carrier(answer(first, 180))
    cancel = play2.request("CANCEL >carrier")
    assert cancel.get_all(b"Via") == first.get_all(b"Via")[:1]
    play2.carrier(answer(first, 487))
    assert play2.request("ACK >carrier").call_id == first.call_id


def test_a_request_inside_a_dialog_is_let_go_with_its_answer(play: Playbook) -> None:
    caller, _ = call_up(play)
    text = caller.request(b"INFO", b"z9hG4bK-i", body=b"b" * 9_000)
    play.caller(text)
    sent = play.request("INFO >carrier")
    assert play.layer.kept > 9_000
    play.carrier(answer(sent, 200))
    play.response("200 >caller")
    (client,) = [client for client in play.layer.clients.values() if client.method == b"INFO"]
    assert all(sys.getsizeof(thing) < 9_000 for thing in gc.get_referents(client.user))
    assert play.layer.kept < 2_000


def test_kept_bytes_come_back_to_nothing(play: Playbook) -> None:
    caller, _ = call_up(play)
    play.caller(caller.request(b"BYE", b"z9hG4bK-bye"))
    play.carrier(answer(play.request("BYE >carrier"), 200))
    play.response("200 >caller")
    play.caller(invite(branch=b"z9hG4bK-2", cseq=2))
    play.carrier(answer(play.last("100 >caller", "INVITE >carrier"), 486))
    play.forget()
    assert play.layer.kept > 0
    play.advance(100.0)
    play.forget()
    assert play.layer.kept == 0


def test_new_calls_stop_at_a_bound_of_bytes_and_dialogs_at_a_higher_one(
    play: Playbook, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller, _ = call_up(play)
    play.caller(invite(branch=b"z9hG4bK-2", call_id=b"other", extra=LARGE))
    play.expect("100 >caller", "INVITE >carrier")
    monkeypatch.setattr(layer_module, "MAX_KEPT_BYTES", 10_000)
    play.caller(invite(branch=b"z9hG4bK-3", call_id=b"third"))
    play.response("503 >caller")
    play.caller(caller.request(b"INFO", b"z9hG4bK-4"))
    play.request("INFO >carrier")
    monkeypatch.setattr(layer_module, "MAX_DIALOG_BYTES", 10_000)
    play.caller(caller.request(b"INFO", b"z9hG4bK-5"))
    play.response("503 >caller")


def test_a_peer_that_sends_from_another_port_than_its_via_costs_one_destination(play: Playbook) -> None:
    play.caller(invite(via=b"SIP/2.0/UDP 127.0.0.2:5070", branch=b"z9hG4bK-0"), port=6000)
    gc.collect()
    before = sum(isinstance(thing, Destination) for thing in gc.get_objects())
    source = next(iter(play.layer.servers.values())).destination
    for number in range(1, 20):
        text = invite(via=b"SIP/2.0/UDP 127.0.0.2:5070", branch=b"z9hG4bK-%d" % number, call_id=b"c%d" % number)
        play.caller(text, port=6000)
    assert {id(server.destination) for server in play.layer.servers.values()} == {id(source)}
    assert sum(isinstance(thing, Destination) for thing in gc.get_objects()) <= before
    play.forget()
