"""The four transaction machines as tables (RFC 3261 §17 figures 5–8, with RFC 6026 §7.1 and §7.2).

A row is `(state, event): (next state, actions)`. Actions run in the order given, after the state has changed. A pair
that is listed in no row but in a machine's `ignored` set is known and without effect; a pair in neither is a
programming error and raises `LocalProtocolError`. A test holds every pair against the tables.
"""

from __future__ import annotations

from typing import Final

# States. One numbering for all four machines keeps the tables plain.
CALLING: Final = 0
TRYING: Final = 1
PROCEEDING: Final = 2
ACCEPTED: Final = 3
COMPLETED: Final = 4
CONFIRMED: Final = 5
TERMINATED: Final = 6
STATE_NAMES: Final = ("Calling", "Trying", "Proceeding", "Accepted", "Completed", "Confirmed", "Terminated")

# Events of a server transaction. Timer events are 32 + the timer's number (timers.TIMER_A …).
REQUEST: Final = 0
ACK: Final = 1
SEND_1XX: Final = 2
SEND_2XX: Final = 3
SEND_FINAL: Final = 4
"""INVITE: 300–699. Non-INVITE: 200–699."""
# Events of a client transaction.
RECEIVE_1XX: Final = 8
RECEIVE_2XX: Final = 9
RECEIVE_FINAL: Final = 10
"""INVITE: 300–699. Non-INVITE: 200–699."""
TRANSPORT_ERROR: Final = 11
# Event of a non-INVITE server transaction: its user has no final response to send and never will (RFC 4320 §4.2).
GIVE_UP: Final = 12
TIMER: Final = 32

# Actions, done by the transactions (transactions.py).
DO_SEND: Final = 0
"""Send the message that came with the event and keep it for retransmission."""
DO_RESEND: Final = 1
"""Send the last message again."""
DO_ABSORB: Final = 2
"""Swallow a retransmission."""
DO_PASS: Final = 3
"""Hand the message to the transaction user."""
DO_ACK: Final = 4
"""Acknowledge a 300–699 final response, hop by hop (§17.1.1.3)."""
DO_START_A: Final = 5
DO_START_D: Final = 6
DO_START_E: Final = 7
DO_START_G_H: Final = 8
DO_START_I: Final = 9
DO_START_J: Final = 10
DO_START_K: Final = 11
DO_START_L: Final = 12
DO_START_M: Final = 13
DO_REPORT_TIMEOUT: Final = 14
DO_REPORT_ERROR: Final = 15
DO_REPORT_NO_ACK: Final = 16
DO_FORGET: Final = 17
DO_START_E_T2: Final = 18

Transition = tuple[int, tuple[int, ...]]
Table = dict[int, Transition]

_A, _B, _D, _E, _F, _G, _H, _I, _J, _K, _L, _M = range(TIMER, TIMER + 12)
_CANCELLED: Final = TIMER + 14


def row(state: int, event: int) -> int:
    """Index of a (state, event) pair in a table."""
    return state << 6 | event


def _table(rows: dict[tuple[int, int], Transition], ignored: set[tuple[int, int]]) -> Table:
    table = {row(state, event): transition for (state, event), transition in rows.items()}
    for state, event in ignored:
        table[row(state, event)] = (state, ())
    return table


# RFC 3261 figure 7 with RFC 6026 figure 8.
INVITE_SERVER: Final = _table(
    {
        (PROCEEDING, REQUEST): (PROCEEDING, (DO_RESEND,)),
        (PROCEEDING, SEND_1XX): (PROCEEDING, (DO_SEND,)),
        (PROCEEDING, SEND_2XX): (ACCEPTED, (DO_SEND, DO_START_L)),
        (PROCEEDING, SEND_FINAL): (COMPLETED, (DO_SEND, DO_START_G_H)),
        (PROCEEDING, TRANSPORT_ERROR): (PROCEEDING, (DO_REPORT_ERROR,)),
        (ACCEPTED, SEND_2XX): (ACCEPTED, (DO_SEND,)),
        (ACCEPTED, REQUEST): (ACCEPTED, (DO_ABSORB,)),
        (ACCEPTED, ACK): (ACCEPTED, (DO_PASS,)),
        (ACCEPTED, TRANSPORT_ERROR): (ACCEPTED, (DO_REPORT_ERROR,)),
        (ACCEPTED, _L): (TERMINATED, (DO_FORGET,)),
        (COMPLETED, REQUEST): (COMPLETED, (DO_RESEND,)),
        (COMPLETED, ACK): (CONFIRMED, (DO_START_I,)),
        (COMPLETED, _G): (COMPLETED, (DO_RESEND, DO_START_G_H)),
        (COMPLETED, _H): (TERMINATED, (DO_FORGET, DO_REPORT_NO_ACK)),
        # RFC 6026 §7.1: a transport error never ends an INVITE server transaction, its timers do.
        (COMPLETED, TRANSPORT_ERROR): (COMPLETED, (DO_REPORT_ERROR,)),
        (CONFIRMED, ACK): (CONFIRMED, (DO_ABSORB,)),
        (CONFIRMED, REQUEST): (CONFIRMED, (DO_ABSORB,)),
        (CONFIRMED, _I): (TERMINATED, (DO_FORGET,)),
    },
    ignored={
        (PROCEEDING, ACK),  # an ACK before any final response acknowledges nothing
        (ACCEPTED, SEND_1XX),
        (ACCEPTED, SEND_FINAL),  # a 2xx went out: no other final response may follow (§16.7 step 5)
        (COMPLETED, SEND_1XX),
        (COMPLETED, SEND_2XX),
        (COMPLETED, SEND_FINAL),
        (CONFIRMED, SEND_1XX),
        (CONFIRMED, SEND_2XX),
        (CONFIRMED, SEND_FINAL),
        (CONFIRMED, _G),
        (CONFIRMED, _H),
        (CONFIRMED, TRANSPORT_ERROR),
        *((TERMINATED, e) for e in (REQUEST, ACK, SEND_1XX, SEND_2XX, SEND_FINAL, TRANSPORT_ERROR)),
        *((TERMINATED, e) for e in (_G, _H, _I, _L)),
    },
)

# RFC 3261 figure 8. A proxy sends no 1xx of its own to a non-INVITE request (RFC 4320 §4.1), but passes them on.
NON_INVITE_SERVER: Final = _table(
    {
        (TRYING, REQUEST): (TRYING, (DO_ABSORB,)),
        (TRYING, SEND_1XX): (PROCEEDING, (DO_SEND,)),
        (TRYING, SEND_FINAL): (COMPLETED, (DO_SEND, DO_START_J)),
        (TRYING, GIVE_UP): (TERMINATED, (DO_FORGET,)),
        (PROCEEDING, REQUEST): (PROCEEDING, (DO_RESEND,)),
        (PROCEEDING, SEND_1XX): (PROCEEDING, (DO_SEND,)),
        (PROCEEDING, SEND_FINAL): (COMPLETED, (DO_SEND, DO_START_J)),
        (PROCEEDING, GIVE_UP): (TERMINATED, (DO_FORGET,)),
        (PROCEEDING, TRANSPORT_ERROR): (TERMINATED, (DO_FORGET, DO_REPORT_ERROR)),
        (COMPLETED, REQUEST): (COMPLETED, (DO_RESEND,)),
        (COMPLETED, _J): (TERMINATED, (DO_FORGET,)),
        (COMPLETED, TRANSPORT_ERROR): (TERMINATED, (DO_FORGET, DO_REPORT_ERROR)),
    },
    ignored={
        (TRYING, TRANSPORT_ERROR),
        (COMPLETED, SEND_1XX),
        (COMPLETED, SEND_FINAL),
        (COMPLETED, GIVE_UP),
        *((TERMINATED, e) for e in (REQUEST, SEND_1XX, SEND_FINAL, GIVE_UP, TRANSPORT_ERROR, _J)),
    },
)

# RFC 3261 figure 5 with RFC 6026 figure 9.
INVITE_CLIENT: Final = _table(
    {
        (CALLING, _A): (CALLING, (DO_RESEND, DO_START_A)),
        (CALLING, _B): (TERMINATED, (DO_FORGET, DO_REPORT_TIMEOUT)),
        (CALLING, TRANSPORT_ERROR): (TERMINATED, (DO_FORGET, DO_REPORT_ERROR)),
        (CALLING, RECEIVE_1XX): (PROCEEDING, (DO_PASS,)),
        (CALLING, RECEIVE_2XX): (ACCEPTED, (DO_START_M, DO_PASS)),
        (CALLING, RECEIVE_FINAL): (COMPLETED, (DO_ACK, DO_START_D, DO_PASS)),
        (PROCEEDING, RECEIVE_1XX): (PROCEEDING, (DO_PASS,)),
        (PROCEEDING, RECEIVE_2XX): (ACCEPTED, (DO_START_M, DO_PASS)),
        (PROCEEDING, RECEIVE_FINAL): (COMPLETED, (DO_ACK, DO_START_D, DO_PASS)),
        # §9.1: cancelled, and no final response came within 64*T1.
        (PROCEEDING, _CANCELLED): (TERMINATED, (DO_FORGET, DO_REPORT_TIMEOUT)),
        (ACCEPTED, RECEIVE_2XX): (ACCEPTED, (DO_PASS,)),
        (ACCEPTED, _M): (TERMINATED, (DO_FORGET,)),
        (COMPLETED, RECEIVE_FINAL): (COMPLETED, (DO_ACK,)),
        # A proxy passes every 2xx on, also one that a forking hop sends after its failure (§16.7 step 5).
        (COMPLETED, RECEIVE_2XX): (COMPLETED, (DO_PASS,)),
        (COMPLETED, _D): (TERMINATED, (DO_FORGET,)),
        (COMPLETED, TRANSPORT_ERROR): (TERMINATED, (DO_FORGET, DO_REPORT_ERROR)),
    },
    ignored={
        (PROCEEDING, _A),
        (PROCEEDING, _B),  # Timer B bounds the wait for the first response only; Timer C takes over
        (PROCEEDING, TRANSPORT_ERROR),
        (ACCEPTED, _A),
        (ACCEPTED, _B),
        (ACCEPTED, RECEIVE_1XX),
        (ACCEPTED, _CANCELLED),
        (ACCEPTED, RECEIVE_FINAL),
        (ACCEPTED, TRANSPORT_ERROR),
        (COMPLETED, _A),
        (COMPLETED, _B),
        (COMPLETED, _CANCELLED),
        (COMPLETED, RECEIVE_1XX),
        *((TERMINATED, e) for e in (RECEIVE_1XX, RECEIVE_2XX, RECEIVE_FINAL, TRANSPORT_ERROR)),
        *((TERMINATED, e) for e in (_A, _B, _D, _M, _CANCELLED)),
    },
)

# RFC 3261 figure 6.
NON_INVITE_CLIENT: Final = _table(
    {
        (TRYING, _E): (TRYING, (DO_RESEND, DO_START_E)),
        (TRYING, _F): (TERMINATED, (DO_FORGET, DO_REPORT_TIMEOUT)),
        (TRYING, TRANSPORT_ERROR): (TERMINATED, (DO_FORGET, DO_REPORT_ERROR)),
        (TRYING, RECEIVE_1XX): (PROCEEDING, (DO_PASS,)),
        (TRYING, RECEIVE_FINAL): (COMPLETED, (DO_START_K, DO_PASS)),
        (PROCEEDING, _E): (PROCEEDING, (DO_RESEND, DO_START_E_T2)),
        (PROCEEDING, _F): (TERMINATED, (DO_FORGET, DO_REPORT_TIMEOUT)),
        (PROCEEDING, TRANSPORT_ERROR): (TERMINATED, (DO_FORGET, DO_REPORT_ERROR)),
        (PROCEEDING, RECEIVE_1XX): (PROCEEDING, (DO_PASS,)),
        (PROCEEDING, RECEIVE_FINAL): (COMPLETED, (DO_START_K, DO_PASS)),
        (COMPLETED, RECEIVE_1XX): (COMPLETED, (DO_ABSORB,)),
        (COMPLETED, RECEIVE_FINAL): (COMPLETED, (DO_ABSORB,)),
        (COMPLETED, _K): (TERMINATED, (DO_FORGET,)),
    },
    ignored={
        (COMPLETED, _E),
        (COMPLETED, _F),
        (COMPLETED, TRANSPORT_ERROR),
        *((TERMINATED, e) for e in (RECEIVE_1XX, RECEIVE_FINAL, TRANSPORT_ERROR, _E, _F, _K)),
    },
)
