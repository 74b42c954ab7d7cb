"""The tables themselves are held against the RFCs in tests/protocol/test_transaction_tables.py."""

from __future__ import annotations

from gateway.transaction import machines as m
from gateway.transaction import timers as t


def test_a_row_is_a_state_and_an_event() -> None:
    assert m.row(m.COMPLETED, m.TIMER + t.TIMER_D) >> 6 == m.COMPLETED
    assert m.row(m.COMPLETED, m.TIMER + t.TIMER_D) & 63 == m.TIMER + t.TIMER_D


def test_every_state_has_a_name() -> None:
    assert m.STATE_NAMES[m.CALLING] == "Calling"
    assert m.STATE_NAMES[m.TERMINATED] == "Terminated"
