from __future__ import annotations

import pytest

from gateway.proxy import reply
from gateway.proxy.peer import MAX_REPLY_PORTS, Destination, Source
from gateway.sip.message import Response
from gateway.sip.parser import parse
from tests.unit.proxy.messages import an_invite, source


def answered(status: int, **changes: object) -> Response:
    request = an_invite(**changes)
    message = parse(
        reply.local_response(request, b"SIP/2.0/UDP h;branch=z9hG4bKs", status, b"X", b"ours", [(b"A", b"b")])
    )
    assert isinstance(message, Response)
    return message


def test_what_a_response_copies() -> None:
    via = (b"Via", b"SIP/2.0/UDP second;branch=z9hG4bKt")
    response = answered(403, extra=(via, (b"Timestamp", b"1"), (b"Record-Route", b"<sip:r;lr>")))
    assert response.get_all(b"Via") == [b"SIP/2.0/UDP h;branch=z9hG4bKs", via[1]]
    assert response.get(b"From") == an_invite().get(b"From")
    assert response.to.tag == b"ours"
    assert response.get(b"A") == b"b"
    for name in (b"Timestamp", b"Record-Route", b"Contact", b"Max-Forwards"):
        assert not response.has(name)


def test_a_100_has_no_tag_and_the_timestamp() -> None:
    response = answered(100, extra=((b"Timestamp", b"1"),))
    assert response.to.tag == b""
    assert response.get(b"Timestamp") == b"1"


def test_a_tag_that_is_there_stays() -> None:
    assert answered(481, to=b"<sip:b@h>;tag=theirs").to.tag == b"theirs"


@pytest.mark.parametrize(
    ("via", "want"),
    [
        (b"SIP/2.0/UDP 127.0.0.2:5060;rport", ("127.0.0.2", 6000)),
        (b"SIP/2.0/UDP 10.0.0.1:5060;rport", ("127.0.0.2", 6000)),
        (b"SIP/2.0/UDP 127.0.0.2:5070", ("127.0.0.2", 5070)),
        (b"SIP/2.0/UDP 127.0.0.2", ("127.0.0.2", 5060)),
        (b"SIP/2.0/UDP 192.0.2.1:5070;maddr=192.0.2.2;received=192.0.2.3", ("127.0.0.2", 5070)),
    ],
)
def test_answers_go_back_to_the_source_host(via: bytes, want: tuple[str, int]) -> None:
    found = reply.answer_destination(an_invite(via=via), source(6000))
    assert found.address == want
    assert not found.reliable


def test_another_port_of_the_source_is_one_destination_and_few_are_kept() -> None:
    came = source(6000)
    found = reply.answer_destination(an_invite(via=b"SIP/2.0/UDP 127.0.0.2:5070"), came)
    assert reply.answer_destination(an_invite(via=b"SIP/2.0/UDP 127.0.0.2:5070"), came) is found
    for port in range(1, 100):
        assert reply.answer_destination(an_invite(via=b"SIP/2.0/UDP 127.0.0.2:%d" % port), came).address[1] == port
    assert len(came._replies) <= MAX_REPLY_PORTS


def test_on_a_stream_and_where_it_is_the_same_the_source_itself_is_used() -> None:
    came = source(6000, b"TCP")
    assert reply.answer_destination(an_invite(via=b"SIP/2.0/TCP 127.0.0.2:5070"), came) is came.reply
    asked: list[int] = []

    def reply_at(port: int) -> Destination:
        asked.append(port)
        return came.reply

    came = Source(came.peer, came.host, 6000, came.reply, (), reply_at)
    for via in (b"TCP 127.0.0.2:5070;rport", b"TCP 127.0.0.2", b"TLS 127.0.0.2"):
        assert reply.answer_destination(an_invite(via=b"SIP/2.0/" + via), came) is came.reply
    assert asked == [5070, 5060, 5061], "where the connection is closed, the port of the Via (RFC 3261 18.2.2)"
    came = source(5070)
    assert reply.answer_destination(an_invite(via=b"SIP/2.0/UDP 127.0.0.2:5070"), came) is came.reply
