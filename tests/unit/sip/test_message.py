from __future__ import annotations

from tests.unit.sip.samples import parsed, parsed_response, request, response


def test_get_by_any_spelling() -> None:
    message = parsed(request(b"x-foo: 1", b"X-FOO: 2", b"k: timer"))
    assert message.get(b"X-Foo") == b"1"
    assert message.get_all(b"X-Foo") == [b"1", b"2"]
    assert message.get(b"Supported") == message.get(b"supported") == message.get(b"k") == b"timer"
    assert message.has(b"contact")
    assert not message.has(b"Route")
    assert message.get(b"Route") is None
    assert message.get_all(b"Route") == []


def test_response_get() -> None:
    message = parsed_response(response(b"Reason: Q.850;cause=21", b"reason: SIP;cause=603"))
    assert message.get(b"Reason") == b"Q.850;cause=21"
    assert message.get_all(b"REASON") == [b"Q.850;cause=21", b"SIP;cause=603"]
    assert message.has(b"reason")
    assert not message.has(b"X")


def test_messages_are_values() -> None:
    assert parsed(request()) == parsed(request())
    assert parsed(request()) != parsed(request(b"X: 1"))
