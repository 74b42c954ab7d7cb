"""A figure counts only if the work was done: a subject passes the lawful call whole, and refuses each unlawful one
with the right answer and without a word to the carrier."""

from __future__ import annotations

import itertools
import select
import socket
import time
from dataclasses import dataclass

from tests.bench.deployment import (
    CALLEES,
    CALLER_HOST,
    CALLERS,
    CARRIER_HOST,
    CARRIER_PORT,
    DECLINED,
    FOREIGN_CALLER,
    STRANGER_HOST,
    UNCONSENTED,
)
from tests.bench.phone import Caller, answers, header, status_of
from tests.bench.subject import Subject

ANSWER_S = 3.0
SILENCE_S = 0.3
"""How long nothing may happen when nothing is to happen."""

_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Case:
    """One INVITE and the final status it must get; 0: no answer at all."""

    title: str
    status: int
    caller: str = CALLERS[0]
    callee: str = CALLEES[0]
    asserted: str = ""
    more: bytes = b""
    host: str = CALLER_HOST


CASES = (
    Case("lawful call", 200),
    Case("callee without consent", 470, callee=UNCONSENTED),
    Case("callee who declined", 603, callee=DECLINED),
    Case("caller in nobody's range", 403, caller=FOREIGN_CALLER),
    Case("caller with a digit too many", 403, caller=CALLERS[0] + "1"),
    Case("From unlike P-Asserted-Identity", 403, asserted=CALLERS[1]),
    Case("Privacy: id", 433, more=b"Privacy: id\r\n"),
    Case("unknown source", 0, host=STRANGER_HOST),
)


def prove(subject: Subject) -> list[str]:
    """Place every call of `CASES`; the titles of those tried. Raises AssertionError at the first wrong answer."""
    tried = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as carrier:
        carrier.bind((CARRIER_HOST, CARRIER_PORT))
        for case in CASES:
            if not subject.gates and case.status != 200:
                continue
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as caller:
                caller.bind((case.host, 0))
                status, reached = _place(case, subject.address, caller, carrier)
            if status != case.status or reached != (case.status == 200):
                where = "reached the carrier" if reached else "did not reach the carrier"
                raise AssertionError(f"{subject.name}: {case.title}: {status} instead of {case.status}, {where}")
            tried.append(case.title)
    return tried


def _place(
    case: Case, gateway: tuple[str, int], caller: socket.socket, carrier: socket.socket
) -> tuple[int, bool]:
    """(final status, whether the carrier got the INVITE). An answered call is taken to its end."""
    call = b"proof-%d-%d" % (time.time_ns(), next(_numbers))
    make = Caller(caller.getsockname(), gateway)
    number = case.caller.encode()
    caller.sendto(make.invite(call, number, case.callee.encode(), case.asserted.encode(), case.more), gateway)
    status, reached = 0, False
    deadline = time.monotonic() + (ANSWER_S if case.status else SILENCE_S)
    while time.monotonic() < deadline:
        ready, _, _ = select.select([caller, carrier], [], [], max(deadline - time.monotonic(), 0.0))
        if carrier in ready:
            data, address = carrier.recvfrom(65_535)
            if header(data, b"call-id") == call:
                reached = True
                for answer in answers(data):
                    carrier.sendto(answer, address)
        if caller in ready:
            data = caller.recv(65_535)
            if status_of(data) < 200 or header(data, b"call-id") != call:
                continue
            if b"BYE" in header(data, b"cseq"):
                return status, reached
            status = status_of(data)
            if status != 200:
                # The transaction ends with this, and is not repeated into the next case.
                branch = header(data, b"via").partition(b"branch=")[2].partition(b";")[0]
                caller.sendto(make.later(b"ACK", 1, call, number, data).replace(b"z9hG4bK-ACK" + call, branch), gateway)
                deadline = min(deadline, time.monotonic() + SILENCE_S)
            else:
                caller.sendto(make.later(b"ACK", 1, call, number, data), gateway)
                caller.sendto(make.later(b"BYE", 2, call, number, data), gateway)
    return (0 if status == 200 else status), reached
