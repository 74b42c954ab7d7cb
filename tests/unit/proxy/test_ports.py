from __future__ import annotations

from gateway.proxy.ports import Counters, method_name


def test_counters_add_up() -> None:
    counters = Counters()
    counters.sent(b"BYE")
    counters.sent(b"BYE")
    for method in (b"INVITE", b"invite", b"13900139000"):
        counters.received(method)
        counters.sent(method)
    counters.drop("x")
    counters.drop("x")
    assert counters.sent_requests == {b"BYE": 2, b"INVITE": 1, b"other": 2}
    assert counters.received_requests == {b"INVITE": 1, b"other": 2}
    assert method_name(b"REFER") == b"REFER"
    assert counters.dropped == {"x": 2}
