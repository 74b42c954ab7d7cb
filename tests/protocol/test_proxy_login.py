"""A trunk without a fixed address: the 407, the login, and what then passes from where (RFC 3261 §22, RFC 8760)."""

from __future__ import annotations

import pytest

from gateway.proxy.authenticate import Account
from gateway.proxy.logins import CHALLENGES_AT_ONCE, WRONG_AT_ONCE, Logins
from gateway.proxy.nonces import LIFETIME_S
from gateway.sip.digest import MD5, SHA_256, SHA_512_256, secret_of
from tests.support.digest import challenge_fields, credentials, pick
from tests.support.playbook import Playbook
from tests.support.sip_text import CALLEE, Party, answer, callee_party, caller_party, inbound, invite

URI = b"sip:" + CALLEE + b"@127.0.0.1"
BOTH = (SHA_256, SHA_512_256)
ELSEWHERE = "127.0.0.66"


def account(*algorithms: bytes) -> dict[bytes, Account]:
    return {b"pbx": Account("cc-alpha", {name: secret_of(name, b"pbx", b"callgate", b"pass") for name in algorithms})}


@pytest.fixture
def play(play: Playbook) -> Playbook:
    play.let_strangers_log_in(account(*BOTH), BOTH)
    return play


def challenged(play: Playbook, host: str = "127.0.0.2", **changes: object) -> list[bytes]:
    """An INVITE without credentials; the challenges that came."""
    play.phone(invite(**changes), host)
    name = "caller" if host == "127.0.0.2" else f"{host}:5060"
    return play.response(f"407 >{name}").get_all(b"Proxy-Authenticate")


def login(challenges: list[bytes], branch: bytes = b"z9hG4bK-2", password: str = "pass", **changes: object) -> bytes:
    """The INVITE with credentials that answers them."""
    algorithm = str(changes.pop("algorithm", ""))
    count = int(str(changes.pop("count", 1)))
    value = credentials(pick(challenges, algorithm), "pbx", password, URI, count=count)
    extra = ((b"Proxy-Authorization", value),)
    return invite(**{"branch": branch, "cseq": 2, "extra": extra, **changes})


def call_up(play: Playbook, **changes: object) -> tuple[Party, Party]:
    text = login(challenged(play), **changes)
    play.phone(text)
    sent = play.last("100 >caller", "INVITE >carrier")
    play.carrier(answer(sent, 200))
    return caller_party(text, play.response("200 >caller")), callee_party(sent)


def test_an_invite_without_credentials_is_challenged_without_state(play: Playbook) -> None:
    values = challenged(play)
    assert [challenge_fields(value)["algorithm"] for value in values] == ["SHA-256", "SHA-512-256"]
    assert {challenge_fields(value)["realm"] for value in values} == {"callgate"}
    assert all(b"stale" not in value for value in values)
    assert not play.layer.servers
    assert play.gate.decisions == []
    play.phone(invite())
    play.expect("407 >caller")


@pytest.mark.parametrize("algorithm", ["SHA-256", "SHA-512-256"])
def test_the_right_answer_makes_a_call_and_goes_no_further(play: Playbook, algorithm: str) -> None:
    other = (b"Proxy-Authorization", b'Digest username="x", realm="carrier", nonce="n", uri="sip:c", response="0"')
    value = credentials(pick(challenged(play), algorithm), "pbx", "pass", URI)
    play.phone(invite(cseq=2, branch=b"z9hG4bK-2", extra=((b"Proxy-Authorization", value), other)))
    sent = play.last("100 >caller", "INVITE >carrier")
    assert sent.get_all(b"Proxy-Authorization") == [other[1]]
    play.carrier(answer(sent, 200))
    play.response("200 >caller")


def test_md5_only_where_it_was_enabled(play: Playbook) -> None:
    challenge = {**pick(challenged(play)), "algorithm": "MD5"}
    value = credentials(challenge, "pbx", "pass", URI)
    play.phone(invite(branch=b"z9hG4bK-2", extra=((b"Proxy-Authorization", value),)))
    play.expect("407 >caller")
    every = (*BOTH, MD5)
    play.let_strangers_log_in(account(*every), every)
    play.phone(login(challenged(play), branch=b"z9hG4bK-3", algorithm="MD5"))
    play.carrier(answer(play.last("100 >caller", "INVITE >carrier"), 486))
    play.expect("ACK >carrier", "486 >caller")


def test_a_wrong_password_is_challenged_again_counted_and_throttled(play: Playbook) -> None:
    for number in range(WRONG_AT_ONCE):
        play.phone(login(challenged(play), branch=b"z9hG4bK-%d" % number, password="guess"))
        again = play.response("407 >caller").get_all(b"Proxy-Authenticate")
        assert all(b"stale" not in value for value in again)
    assert play.core.logins is not None
    assert play.core.logins.results["wrong"] == WRONG_AT_ONCE
    challenges = challenged(play)
    play.phone(login(challenges))  # the right one: but a guess as well, for all we may know
    play.dropped("login-throttled")
    play.advance(11)
    play.phone(login(challenges, branch=b"z9hG4bK-later"))
    play.carrier(answer(play.last("100 >caller", "INVITE >carrier"), 486))
    play.expect("ACK >carrier", "486 >caller")


def test_guesses_in_anothers_name_do_not_lock_him_out(play: Playbook) -> None:
    """Who makes up his source address never sees the nonce for it."""
    foreign = challenged(play, ELSEWHERE)
    for number in range(WRONG_AT_ONCE + 5):
        play.phone(login(foreign, branch=b"z9hG4bK-s%d" % number, password="guess"))
        assert b"stale=true" in play.response("407 >caller").get_all(b"Proxy-Authenticate")[0]
    call_up(play)


def test_an_old_nonce_is_stale_and_a_used_one_is_replayed(play: Playbook) -> None:
    first = challenged(play)
    play.advance(LIFETIME_S + 1)
    text = login(first)
    play.phone(text)
    fresh = play.response("407 >caller").get_all(b"Proxy-Authenticate")
    assert all(b"stale=true" in value for value in fresh)
    text = login(fresh, branch=b"z9hG4bK-3")
    play.phone(text)
    play.carrier(answer(play.last("100 >caller", "INVITE >carrier"), 486))
    play.expect("ACK >carrier", "486 >caller")
    play.phone(text)  # a retransmission: absorbed
    play.expect("486 >caller")
    play.phone(text.replace(b"z9hG4bK-3", b"z9hG4bK-4").replace(b"call-1@", b"call-9@"))
    assert b"stale=true" in play.response("407 >caller").get_all(b"Proxy-Authenticate")[0]
    play.phone(text.replace(b"z9hG4bK-3", b"z9hG4bK-5"), ELSEWHERE)
    play.expect("407 >127.0.0.66:5060")
    play.phone(login(fresh, branch=b"z9hG4bK-6", count=2, call_id=b"call-8@127.0.0.2"))
    play.carrier(answer(play.last("100 >caller", "INVITE >carrier"), 486))
    play.expect("ACK >carrier", "486 >caller")


def test_credentials_for_one_target_do_not_serve_for_another(play: Playbook) -> None:
    text = login(challenged(play)).replace(b"INVITE " + URI, b"INVITE sip:+8613800138009@127.0.0.1")
    play.phone(text)
    play.expect("407 >caller")


def test_ack_and_cancel_are_never_challenged(play: Playbook) -> None:
    text = login(challenged(play))
    play.phone(text)
    sent = play.last("100 >caller", "INVITE >carrier")
    play.carrier(answer(sent, 180))
    play.expect("180 >caller")
    for host in (ELSEWHERE, "127.0.0.2"):
        play.phone(text.replace(b"INVITE ", b"CANCEL ", 1).replace(b"2 INVITE", b"2 CANCEL"), host)
        if host == ELSEWHERE:
            play.dropped("stranger")
    play.expect("200 >caller", "CANCEL >carrier")
    play.carrier(answer(sent, 487))
    got = play.expect("ACK >carrier", "487 >caller")[1]
    ack = text.replace(b"INVITE ", b"ACK ", 1).replace(b"2 INVITE", b"2 ACK")
    ack = ack.replace(b"To: <sip:" + CALLEE + b"@127.0.0.1>", b"To: " + (got.get(b"To") or b""))
    play.phone(ack, ELSEWHERE)
    play.dropped("stranger")
    play.phone(ack)
    play.expect()
    assert play.core.counters.dropped == {}


def test_in_dialog_requests_pass_from_the_bound_address_alone(play: Playbook) -> None:
    caller, callee = call_up(play)
    mine = ((b"Proxy-Authorization", credentials({"algorithm": "SHA-256", "nonce": "n", "realm": "callgate"}, "pbx",
             "pass", URI)),)  # fmt: skip
    play.phone(caller.request(b"ACK", b"z9hG4bK-a", cseq=2, extra=mine))
    assert play.request("ACK >carrier").get(b"Proxy-Authorization") is None
    play.phone(caller.request(b"BYE", b"z9hG4bK-b"), ELSEWHERE)
    play.expect("481 >127.0.0.66:5060")
    play.phone(caller.request(b"BYE", b"z9hG4bK-c"), port=5099)
    play.expect("481 >caller")  # its Via says 5060
    play.phone(caller.request(b"INVITE", b"z9hG4bK-d"), ELSEWHERE)
    play.expect("481 >127.0.0.66:5060")
    play.phone(callee.request(b"BYE", b"z9hG4bK-e"))  # the other side's cookie
    play.dropped("stranger")
    assert {name for name, _ in play.gate.refusals} == {"dialog-forged"}
    play.phone(caller.request(b"BYE", b"z9hG4bK-f"))
    play.carrier(answer(play.request("BYE >carrier"), 200))
    play.expect("200 >caller")
    assert [name for _, name in play.gate.byes] == ["cc-alpha"]


def test_what_the_callee_asks_goes_to_the_bound_address(play: Playbook) -> None:
    """Also where the phone's Contact is an address behind a NAT, or a third one's."""
    _, callee = call_up(play, contact=b"<sip:agent@10.0.0.7:5060>")
    play.carrier(callee.request(b"BYE", b"z9hG4bK-b"))
    sent = play.request("BYE >caller")
    assert sent.uri == b"sip:agent@10.0.0.7:5060"
    play.phone(answer(sent, 200), ELSEWHERE)
    play.dropped("stranger")
    play.phone(answer(sent, 200))
    play.expect("200 >carrier")


def test_established_calls_survive_a_restart(play: Playbook) -> None:
    caller, callee = call_up(play)
    play.forget()
    play.new_core()
    play.phone(caller.request(b"BYE", b"z9hG4bK-b"))
    play.carrier(answer(play.request("BYE >carrier"), 200))
    play.expect("200 >caller")
    play.carrier(callee.request(b"INFO", b"z9hG4bK-c"))
    play.phone(answer(play.request("INFO >caller"), 200))
    play.expect("200 >carrier")


def test_inbound_goes_to_the_configured_hop_and_its_dialog_is_bound_there(play: Playbook) -> None:
    text = inbound()
    play.carrier(text)
    sent = play.last("100 >carrier", "INVITE >caller")
    play.phone(answer(sent, 200, contact=b"<sip:agent@10.0.0.7>"), port=5098)
    play.dropped("stranger")
    play.phone(answer(sent, 200, contact=b"<sip:agent@10.0.0.7>"))
    got = play.response("200 >carrier")
    carrier = caller_party(text, got, via=b"SIP/2.0/UDP 127.0.0.9:5060")
    phone = callee_party(sent, via=b"SIP/2.0/UDP 127.0.0.2:5060")
    play.carrier(carrier.request(b"ACK", b"z9hG4bK-a", cseq=1))
    play.request("ACK >caller")
    play.phone(phone.request(b"BYE", b"z9hG4bK-b"), ELSEWHERE)
    play.expect("481 >127.0.0.66:5060")
    play.phone(phone.request(b"BYE", b"z9hG4bK-c"))
    play.carrier(answer(play.request("BYE >carrier"), 200))
    play.expect("200 >caller")


@pytest.mark.parametrize("method", [b"OPTIONS", b"MESSAGE", b"REGISTER", b"BYE", b"ACK", b"CANCEL", b"SUBSCRIBE"])
def test_a_stranger_hears_nothing_else(play: Playbook, method: bytes) -> None:
    play.phone(invite().replace(b"INVITE", method))
    play.dropped("stranger")


def test_nor_do_junk_responses_and_forged_dialogs_get_an_answer(play: Playbook) -> None:
    caller, _ = call_up(play)
    forged = [route.replace(b"cg=B", b"cg=C") for route in caller.routes]
    assert forged != caller.routes
    for data in (b"junk", b"INVITE x SIP/2.0\r\n\r\n", caller.request(b"BYE", b"z9hG4bK-b", routes=forged),
                 invite(to=b"<sip:" + CALLEE + b"@127.0.0.1>;tag=x"), b"SIP/2.0 200 OK\r\n\r\n"):  # fmt: skip
        play.phone(data)
        play.dropped("stranger")


def test_challenges_are_limited_for_each_source_but_not_for_who_logged_in(play: Playbook) -> None:
    call_up(play)
    for number in range(CHALLENGES_AT_ONCE + 50):
        play.phone(invite(branch=b"z9hG4bK-k%d" % number))
    assert len(play.expect(*["407 >caller"] * (CHALLENGES_AT_ONCE + 50))) == CHALLENGES_AT_ONCE + 50
    for number in range(CHALLENGES_AT_ONCE):
        play.phone(invite(branch=b"z9hG4bK-u%d" % number), ELSEWHERE)
    play.forget()
    play.phone(invite(), ELSEWHERE)
    play.dropped("stranger")
    play.phone(invite(), "127.0.0.67")
    play.expect("407 >127.0.0.67:5060")
    play.advance(1)
    play.phone(invite(), ELSEWHERE)
    play.expect("407 >127.0.0.66:5060")


def test_who_may_not_log_in_from_there_hears_nothing(play: Playbook) -> None:
    play.let_strangers_log_in(account(*BOTH), BOTH, may_try=False)
    play.phone(invite())
    play.dropped("stranger")


def test_the_workers_of_a_node_share_the_bounds(play: Playbook) -> None:
    play.core.logins = Logins(b"s" * 32, workers=4)
    for number in range(CHALLENGES_AT_ONCE):
        play.phone(invite(branch=b"z9hG4bK-u%d" % number), ELSEWHERE)
    assert len(play.expect(*["407 >127.0.0.66:5060"] * (CHALLENGES_AT_ONCE // 4))) == CHALLENGES_AT_ONCE // 4
