"""Micro-benchmark of gateway.proxy: microseconds the core takes for each message of a call, parsing included.

python -m tests.bench.micro_proxy
"""

from __future__ import annotations

import gc
from time import process_time

from gateway.proxy.peer import Source
from gateway.sip.everyday import _remembered
from gateway.sip.message import Request, Response
from gateway.sip.parser import parse
from gateway.sip.uri import _uris
from tests.support.playbook import Playbook
from tests.support.sip_text import SDP, answer, caller_party, invite

CALLS = 1_000
ROUNDS = 7
NAMES = ("INVITE", "180", "200", "ACK", "BYE", "200 BYE")
FROM_CALLER = (True, False, False, True, True, False)
EXTRA = (
    (b"User-Agent", b"ExampleDialer/4.2.17 (asia)"),
    (b"Allow", b"INVITE, ACK, CANCEL, OPTIONS, BYE, UPDATE"),
    (b"Supported", b"timer, 100rel, path"),
    (b"Content-Type", b"application/sdp"),
)


class Table:
    """A playbook that forgets what was sent, and its two sources."""

    def __init__(self) -> None:
        self.out: list[bytes] = []
        play = Playbook()
        play.layer.send = lambda destination, data: self.out.append(data)
        self.core = play.core
        self.caller = Source(play.access_peer, b"127.0.0.2", 5060, play.destination("127.0.0.2", 5060))
        self.carrier = Source(play.core_peer, b"127.0.0.9", 5060, play.destination("127.0.0.9", 5060))

    def last(self) -> Request | Response:
        return parse(self.out[-1])

    def script(self, number: int) -> tuple[bytes, ...]:
        """The six messages of one call, made by running it once."""
        core = self.core
        text = invite(branch=b"z9hG4bK-%d" % number, call_id=b"call-%d@127.0.0.2" % number, extra=EXTRA)
        core.receive(text, self.caller, 0.0)
        sent = self.last()
        assert isinstance(sent, Request)
        ringing, ok = answer(sent, 180), answer(sent, 200, body=SDP)
        core.receive(ok, self.carrier, 0.0)
        got = self.last()
        assert isinstance(got, Response)
        party = caller_party(text, got)
        ack, bye = (
            party.request(b"ACK", b"z9hG4bK-a%d" % number, cseq=1),
            party.request(b"BYE", b"z9hG4bK-b%d" % number),
        )
        core.receive(bye, self.caller, 0.0)
        ended = self.last()
        assert isinstance(ended, Request)
        return text, ringing, ok, ack, bye, answer(ended, 200)


def forget() -> None:
    """What was remembered of these very calls, by making them or in the round before."""
    for memory in (_remembered.young, _remembered.old, _uris):
        memory.clear()


def main() -> None:
    """Print one line per message, and the sum of a call."""
    maker = Table()
    scripts = [maker.script(number) for number in range(CALLS)]
    best = [1e9] * len(NAMES)
    for _ in range(ROUNDS):
        table = Table()
        forget()
        gc.collect()
        gc.disable()
        for index, from_caller in enumerate(FROM_CALLER):
            source = table.caller if from_caller else table.carrier
            started = process_time()
            for script in scripts:
                table.core.receive(script[index], source, 0.0)
            best[index] = min(best[index], (process_time() - started) / CALLS * 1e6)
        gc.enable()
        assert table.core.counters.dropped == {}
    for name, cost in zip(NAMES, best, strict=True):
        print(f"{name:8} {cost:6.1f} us")
    print(f"{'call':8} {sum(best):6.1f} us")


if __name__ == "__main__":
    main()
