"""The four machines against RFC 3261 figures 5–8 and RFC 6026 §7.1, §7.2, pair by pair.

Each line below is read off a figure: state, event, next state, what is done. Every pair of a state and an event that a
machine can see is either here or in `WITHOUT_EFFECT`; the code's tables must hold exactly these.
"""

from __future__ import annotations

import pytest

from gateway.transaction import machines as m
from gateway.transaction import timers as t

STATES = {name: index for index, name in enumerate(m.STATE_NAMES)}
EVENTS = {
    "request": m.REQUEST,
    "ACK": m.ACK,
    "send 1xx": m.SEND_1XX,
    "send 2xx": m.SEND_2XX,
    "send final": m.SEND_FINAL,
    "give up": m.GIVE_UP,
    "1xx": m.RECEIVE_1XX,
    "2xx": m.RECEIVE_2XX,
    "final": m.RECEIVE_FINAL,
    "transport error": m.TRANSPORT_ERROR,
    **{name: m.TIMER + index for index, name in enumerate(t.TIMER_NAMES)},
}
ACTIONS = {
    "send": m.DO_SEND,
    "resend": m.DO_RESEND,
    "absorb": m.DO_ABSORB,
    "to TU": m.DO_PASS,
    "send ACK": m.DO_ACK,
    "start A": m.DO_START_A,
    "start D": m.DO_START_D,
    "start E": m.DO_START_E,
    "start E=T2": m.DO_START_E_T2,
    "start G H": m.DO_START_G_H,
    "start I": m.DO_START_I,
    "start J": m.DO_START_J,
    "start K": m.DO_START_K,
    "start L": m.DO_START_L,
    "start M": m.DO_START_M,
    "timeout to TU": m.DO_REPORT_TIMEOUT,
    "error to TU": m.DO_REPORT_ERROR,
    "no ACK to TU": m.DO_REPORT_NO_ACK,
    "forget": m.DO_FORGET,
}

INVITE_SERVER = """
Proceeding  | request         | Proceeding | resend
Proceeding  | send 1xx        | Proceeding | send
Proceeding  | send 2xx        | Accepted   | send, start L
Proceeding  | send final      | Completed  | send, start G H
Proceeding  | transport error | Proceeding | error to TU
Accepted    | request         | Accepted   | absorb
Accepted    | ACK             | Accepted   | to TU
Accepted    | send 2xx        | Accepted   | send
Accepted    | transport error | Accepted   | error to TU
Accepted    | L               | Terminated | forget
Completed   | request         | Completed  | resend
Completed   | G               | Completed  | resend, start G H
Completed   | ACK             | Confirmed  | start I
Completed   | H               | Terminated | forget, no ACK to TU
Completed   | transport error | Completed  | error to TU
Confirmed   | request         | Confirmed  | absorb
Confirmed   | ACK             | Confirmed  | absorb
Confirmed   | I               | Terminated | forget
"""

NON_INVITE_SERVER = """
Trying      | request         | Trying     | absorb
Trying      | send 1xx        | Proceeding | send
Trying      | send final      | Completed  | send, start J
Trying      | give up         | Terminated | forget
Proceeding  | request         | Proceeding | resend
Proceeding  | send 1xx        | Proceeding | send
Proceeding  | send final      | Completed  | send, start J
Proceeding  | give up         | Terminated | forget
Proceeding  | transport error | Terminated | forget, error to TU
Completed   | request         | Completed  | resend
Completed   | J               | Terminated | forget
Completed   | transport error | Terminated | forget, error to TU
"""

INVITE_CLIENT = """
Calling     | A               | Calling    | resend, start A
Calling     | B               | Terminated | forget, timeout to TU
Calling     | transport error | Terminated | forget, error to TU
Calling     | 1xx             | Proceeding | to TU
Calling     | 2xx             | Accepted   | start M, to TU
Calling     | final           | Completed  | send ACK, start D, to TU
Proceeding  | 1xx             | Proceeding | to TU
Proceeding  | 2xx             | Accepted   | start M, to TU
Proceeding  | final           | Completed  | send ACK, start D, to TU
Proceeding  | cancelled       | Terminated | forget, timeout to TU
Accepted    | 2xx             | Accepted   | to TU
Accepted    | M               | Terminated | forget
Completed   | 2xx             | Completed  | to TU
Completed   | final           | Completed  | send ACK
Completed   | transport error | Terminated | forget, error to TU
Completed   | D               | Terminated | forget
"""

NON_INVITE_CLIENT = """
Trying      | E               | Trying     | resend, start E
Trying      | F               | Terminated | forget, timeout to TU
Trying      | transport error | Terminated | forget, error to TU
Trying      | 1xx             | Proceeding | to TU
Trying      | final           | Completed  | start K, to TU
Proceeding  | E               | Proceeding | resend, start E=T2
Proceeding  | F               | Terminated | forget, timeout to TU
Proceeding  | transport error | Terminated | forget, error to TU
Proceeding  | 1xx             | Proceeding | to TU
Proceeding  | final           | Completed  | start K, to TU
Completed   | 1xx             | Completed  | absorb
Completed   | final           | Completed  | absorb
Completed   | K               | Terminated | forget
"""

MACHINES = {
    "INVITE server": (m.INVITE_SERVER, INVITE_SERVER),
    "non-INVITE server": (m.NON_INVITE_SERVER, NON_INVITE_SERVER),
    "INVITE client": (m.INVITE_CLIENT, INVITE_CLIENT),
    "non-INVITE client": (m.NON_INVITE_CLIENT, NON_INVITE_CLIENT),
}

# What can happen while a machine is in a state: messages, the TU's orders and transport errors always; a timer once the
# state that starts it was passed, for a timer is never taken back.
POSSIBLE = {
    "INVITE server": {
        "Proceeding": "request, ACK, send 1xx, send 2xx, send final, transport error",
        "Accepted": "request, ACK, send 1xx, send 2xx, send final, transport error, L",
        "Completed": "request, ACK, send 1xx, send 2xx, send final, transport error, G, H",
        "Confirmed": "request, ACK, send 1xx, send 2xx, send final, transport error, G, H, I",
        "Terminated": "request, ACK, send 1xx, send 2xx, send final, transport error, G, H, I, L",
    },
    "non-INVITE server": {
        "Trying": "request, send 1xx, send final, give up, transport error",
        "Proceeding": "request, send 1xx, send final, give up, transport error",
        "Completed": "request, send 1xx, send final, give up, transport error, J",
        "Terminated": "request, send 1xx, send final, give up, transport error, J",
    },
    "INVITE client": {
        "Calling": "1xx, 2xx, final, transport error, A, B",
        "Proceeding": "1xx, 2xx, final, transport error, A, B, cancelled",
        "Accepted": "1xx, 2xx, final, transport error, A, B, M, cancelled",
        "Completed": "1xx, 2xx, final, transport error, A, B, D, cancelled",
        "Terminated": "1xx, 2xx, final, transport error, A, B, D, M, cancelled",
    },
    "non-INVITE client": {
        "Trying": "1xx, final, transport error, E, F",
        "Proceeding": "1xx, final, transport error, E, F",
        "Completed": "1xx, final, transport error, E, F, K",
        "Terminated": "1xx, final, transport error, E, F, K",
    },
}


def _rows(text: str) -> dict[int, m.Transition]:
    rows: dict[int, m.Transition] = {}
    for line in text.strip().splitlines():
        state, event, after, done = (part.strip() for part in line.split("|"))
        index = m.row(STATES[state], EVENTS[event])
        assert index not in rows, line
        rows[index] = (STATES[after], tuple(ACTIONS[action.strip()] for action in done.split(",")))
    return rows


def _possible(machine: str) -> set[int]:
    return {
        m.row(STATES[state], EVENTS[event.strip()])
        for state, events in POSSIBLE[machine].items()
        for event in events.split(",")
    }


@pytest.mark.parametrize("machine", MACHINES)
def test_the_transitions_are_those_of_the_figures(machine: str) -> None:
    table, text = MACHINES[machine]
    effective = {index: found for index, found in table.items() if found[1] or found[0] != index >> 6}
    assert effective == _rows(text)


@pytest.mark.parametrize("machine", MACHINES)
def test_every_pair_that_can_occur_is_known_and_no_other(machine: str) -> None:
    table, _ = MACHINES[machine]
    assert set(table) == _possible(machine)


@pytest.mark.parametrize("machine", MACHINES)
def test_what_has_no_effect_leaves_the_state_alone(machine: str) -> None:
    table, text = MACHINES[machine]
    for index in _possible(machine) - set(_rows(text)):
        assert table[index] == (index >> 6, ())


@pytest.mark.parametrize("machine", MACHINES)
def test_the_end_is_final_and_is_always_forgotten(machine: str) -> None:
    table, _ = MACHINES[machine]
    for index, (after, actions) in table.items():
        if index >> 6 == m.TERMINATED:
            assert (after, actions) == (m.TERMINATED, ())
        else:
            assert (after == m.TERMINATED) == (m.DO_FORGET in actions)


def test_no_event_reaches_into_the_next_state() -> None:
    assert max(EVENTS.values()) < 64
    assert len(set(EVENTS.values())) == len(EVENTS)
