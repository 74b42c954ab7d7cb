"""Display-names in GBK, as exchanges in China write them: the call goes on, its record has the name, and no octet of it
leaves on either side."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from gateway.sip.message import Request, Response
from tests.support.sip_text import CALLEE, CALLER, answer, caller_party, inbound
from tests.unit.worker.keeper import Post, invite

NAME = "招商银行 李经理"
GBK = b'"' + NAME.encode("gbk") + b'" '
OUT = GBK + b"<sip:" + CALLER + b"@127.0.0.1>;tag=ft"
IN = GBK + b"<sip:" + CALLEE + b"@127.0.0.9>;tag=nt"


@pytest.fixture
def post() -> Iterator[Post]:
    made = Post()
    yield made
    made.close()


def passed(post: Post, kind: str) -> Request | Response:
    """The last message of this kind that left, which is ASCII but for what no header holds."""
    kinds = post.kinds()
    found = post.last[kinds.index(kind)]
    assert all(name.isascii() and value.isascii() for name, value in found.headers), found.headers
    return found


def test_a_call_from_access(post: Post) -> None:
    text = invite(from_=OUT, to=GBK + b"<sip:" + CALLEE + b"@127.0.0.1>", contact=GBK + b"<sip:agent@127.0.0.2:5060>")
    post.receive(text)
    sent = passed(post, "INVITE >127.0.0.9:5060")
    assert isinstance(sent, Request)
    assert sent.get(b"From") == b"<sip:" + CALLER + b"@127.0.0.1>;tag=ft"
    assert sent.get(b"Contact") == b"<sip:agent@127.0.0.2:5060>"
    sealed = json.loads(post.house.sealer.decrypt(post.house.record.sealed))
    assert dict(sealed["headers"])["From"].startswith(f'"{NAME}" ')
    post.receive(answer(sent, 200, contact=GBK + b"<sip:" + CALLEE + b"@127.0.0.9:5060>"), "127.0.0.9")
    (kind,) = post.kinds()
    got = post.last[0]
    assert kind == "200 >127.0.0.2:5060" and isinstance(got, Response)
    assert got.get(b"From") == OUT, "he gets back what he wrote (RFC 3261 §8.2.6.2)"
    assert got.get(b"Contact") == b"<sip:" + CALLEE + b"@127.0.0.9:5060>"
    party = caller_party(text, got)
    for method in (b"ACK", b"UPDATE", b"BYE"):
        post.receive(party.request(method, b"z9hG4bK-" + method, contact=GBK + b"<sip:agent@127.0.0.2:5060>"))
        assert passed(post, f"{method.decode()} >127.0.0.9:5060").get(b"From") == sent.get(b"From")


def test_a_call_from_the_core(post: Post) -> None:
    post.receive(inbound(from_=IN, contact=GBK + b"<sip:13800138000@127.0.0.9:5060>", body=b""), "127.0.0.9")
    sent = passed(post, "INVITE >127.0.0.2:5060")
    assert isinstance(sent, Request)
    assert sent.get(b"From") == b"<sip:" + CALLEE + b"@127.0.0.9>;tag=nt"
    assert sent.get(b"Contact") == b"<sip:13800138000@127.0.0.9:5060>"
    post.receive(answer(sent, 486), "127.0.0.2")
    kinds = post.kinds()
    assert kinds[-1] == "486 >127.0.0.9:5060" and post.last[-1].get(b"From") == IN
    ack = post.last[kinds.index("ACK >127.0.0.2:5060")]
    assert ack.get(b"From") == sent.get(b"From")


def test_a_name_in_gbk_beside_anothers_number_is_still_anothers_number(post: Post) -> None:
    post.receive(invite(from_=OUT.replace(CALLER, b"+8657156780001")))
    assert post.kinds()[-1] == "403 >127.0.0.2:5060"


def test_a_name_in_utf8_passes_to_access_as_it_is(post: Post) -> None:
    named = b'"' + NAME.encode() + b'" <sip:' + CALLEE + b"@127.0.0.9>;tag=nt"
    post.receive(inbound(from_=named, body=b""), "127.0.0.9")
    kinds = post.kinds()
    assert post.last[kinds.index("INVITE >127.0.0.2:5060")].get(b"From") == named
