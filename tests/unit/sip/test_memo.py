"""The bounded memory of what was read."""

from __future__ import annotations

from gateway.sip.memo import forget_all, remember
from gateway.sip.uri import read_uri


def test_keeps_up_to_its_bound_and_then_begins_anew() -> None:
    memo: dict[bytes, int] = {}
    for number in range(3):
        remember(memo, 3, b"%d" % number, number)
    assert memo == {b"0": 0, b"1": 1, b"2": 2}
    remember(memo, 3, b"3", 3)
    assert memo == {b"3": 3}


def test_what_a_process_has_read_can_be_forgotten() -> None:
    text = b"sip:+8657112340001@127.0.0.2;a=memo"
    first = read_uri(text)
    assert read_uri(text) is first
    forget_all()
    again = read_uri(text)
    assert again is not first
    assert again == first
