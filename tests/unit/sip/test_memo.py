"""The bounded memory of what was read."""

from __future__ import annotations

from gateway.sip.memo import remember


def test_keeps_up_to_its_bound_and_then_begins_anew() -> None:
    memo: dict[bytes, int] = {}
    for number in range(3):
        remember(memo, 3, b"%d" % number, number)
    assert memo == {b"0": 0, b"1": 1, b"2": 2}
    remember(memo, 3, b"3", 3)
    assert memo == {b"3": 3}
