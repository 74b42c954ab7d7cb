from __future__ import annotations

from gateway.proxy.ports import Counters


def test_counters_add_up() -> None:
    counters = Counters()
    counters.sent(b"BYE")
    counters.sent(b"BYE")
    counters.drop("x")
    counters.drop("x")
    assert counters.sent_requests == {b"BYE": 2}
    assert counters.dropped == {"x": 2}
