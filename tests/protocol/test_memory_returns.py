"""What a call takes while its transactions live, and what is left when they are over, in bytes."""

from __future__ import annotations

import gc
import tracemalloc

from gateway.sip.memo import forget_all
from tests.support.dialogs import call_up
from tests.support.playbook import Playbook
from tests.support.sip_text import answer, invite

CALLS = 300
ANSWERED_BYTES = 2_600
"""Of an answered call, both of its transactions in Accepted for 32 s more: 1,760, and 3,560 before it was slimmed."""
LEFT_BYTES = 330
"""Of one whose transactions are over: 260 of the test's own recorders, and no ids of ours, which were 150 more."""


def held(play: Playbook) -> int:
    """Bytes in use, without what is only remembered to be quicker."""
    play.core.shrink()
    forget_all()
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


def test_an_answered_call_holds_little_and_nothing_when_its_timers_have_run_out(play: Playbook) -> None:
    call_up(play)
    play.forget()
    tracemalloc.start()
    try:
        before = held(play)
        for number in range(CALLS):
            play.caller(invite(branch=b"z9hG4bK-m%d" % number, call_id=b"memory-%d" % number))
            play.carrier(answer(play.last("100 >caller", "INVITE >carrier"), 200))
            play.response("200 >caller")
        play.forget()
        up = held(play) - before
        play.advance(33.0)
        play.forget()
        left = held(play) - before
    finally:
        tracemalloc.stop()
    assert len(play.layer.servers) == len(play.layer.clients) == 0
    print(f"{up / CALLS:.0f} bytes per answered call, {left / CALLS:.0f} left of it")
    assert up / CALLS < ANSWERED_BYTES
    assert left / CALLS < LEFT_BYTES
