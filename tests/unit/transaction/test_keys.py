from __future__ import annotations

import pytest

from gateway.sip.message import Request
from gateway.sip.parser import parse
from gateway.transaction.keys import invite_key, server_key
from tests.support.sip_text import CALLEE, request

URI = b"sip:" + CALLEE + b"@127.0.0.1"


def read(method: bytes = b"INVITE", uri: bytes = URI, **changes: object) -> Request:
    message = parse(request(method, uri, **changes))  # type: ignore[arg-type]
    assert isinstance(message, Request)
    return message


def test_branch_sent_by_and_method_make_the_key() -> None:
    key = server_key(read(), b"trunk")
    assert key == server_key(read(cseq=7, call_id=b"x", uri=b"sip:z@h"), b"trunk")
    assert key != server_key(read(branch=b"z9hG4bK-2"), b"trunk")
    assert key != server_key(read(via=b"SIP/2.0/UDP 127.0.0.3:5060"), b"trunk")
    assert key != server_key(read(via=b"SIP/2.0/UDP 127.0.0.2:5061"), b"trunk")
    assert key != server_key(read(b"BYE"), b"trunk")
    assert key != server_key(read(), b"other trunk")


@pytest.mark.parametrize("branch", [b"z9hG4bK-1", b"1", None])
def test_ack_and_cancel_find_their_invite(branch: bytes | None) -> None:
    key = server_key(read(branch=branch), b"t")
    tagged = b"<" + URI + b">;tag=ours"
    assert server_key(read(b"ACK", branch=branch, to=tagged), b"t") == key
    assert server_key(read(b"CANCEL", branch=branch), b"t") != key
    assert invite_key(read(b"CANCEL", branch=branch), b"t") == key


@pytest.mark.parametrize("branch", [b"1", None, b"Z9HG4BK-1"])
def test_without_the_magic_cookie_the_fields_of_rfc_2543_decide(branch: bytes | None) -> None:
    key = server_key(read(branch=branch), b"t")
    assert key == server_key(read(branch=branch, contact=b""), b"t")
    for change in (
        {"uri": b"sip:z@h"},
        {"from_": b"<sip:a@h>;tag=other"},
        {"call_id": b"x"},
        {"cseq": 2},
        {"via": b"SIP/2.0/UDP 127.0.0.3:5060"},
    ):
        assert key != server_key(read(branch=branch, **change), b"t")
