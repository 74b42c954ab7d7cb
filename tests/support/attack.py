"""One message at a time through a running gateway, over any wire, judged by what came back *and* what reached the
carrier. After each message the same wire serves a good call, which also proves that all there was to come has come.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, field
from time import monotonic

from gateway.sip.errors import RemoteProtocolError
from gateway.sip.message import Response
from gateway.sip.parser import parse
from tests.support.carrier_leg import FENCE, CarrierLeg
from tests.support.sip_text import CALLEE, Party, caller_party, invite, request
from tests.support.wire import Wire

ANSWER_S = 8.0
"""How long an answer may take on a machine that is busy with something else."""
AGAIN_S = 0.5
"""T1: a good call's request over a datagram socket is repeated after that, as phones do."""

_CALL_ID = re.compile(rb"(?im)^(?:Call-ID|i)[ \t]*:[ \t]*(\S+)[ \t]*\r$")
_numbers = itertools.count(1)


@dataclass(slots=True)
class Seen:
    """What one message led to. `answers`: raw, provisional ones too; `reached`: raw, at the carrier."""

    answers: list[bytes] = field(default_factory=list)
    reached: list[bytes] = field(default_factory=list)
    closed: bool = False

    @property
    def statuses(self) -> tuple[int, ...]:
        """Final statuses in order, repetitions left out."""
        finals = [int(answer.split(b" ", 2)[1]) for answer in self.answers]
        return tuple(dict.fromkeys(status for status in finals if status >= 200))

    @property
    def status(self) -> int:
        """The first final one, 0 for none."""
        return self.statuses[0] if self.statuses else 0


class Attacker:
    """A call centre's end of one wire, and the carrier's leg."""

    def __init__(self, wire: Wire, carrier: CarrierLeg) -> None:
        self.wire = wire
        self.carrier = carrier
        self.via = f"SIP/2.0/{wire.transport} {wire.address}".encode()
        self._late: list[bytes] = []

    async def send(self, data: bytes, wait: bool = True, finals: int = 1, closes: bool = False) -> Seen:
        """Send one message, then place a good call. `wait`: answers are expected, wait until this many different
        `finals` are there; `closes`: wait until the stream is closed."""
        self.carrier.seen.clear()
        self._late.clear()
        # In a stream another message may follow.
        call_ids = frozenset(_CALL_ID.findall(data if self.wire.stream else data.partition(b"\r\n\r\n")[0]))
        seen = Seen()
        await self.wire.send(data)
        deadline = monotonic() + ANSWER_S
        while (left := deadline - monotonic()) > 0:
            if not (closes and not self.wire.closed()) and not (wait and len(seen.statuses) < finals):
                break
            try:
                await self._take(await self.wire.get(left), call_ids, seen, data)
            except TimeoutError:
                break
        seen.closed = self.wire.closed()
        await self.good_call()
        for answer in self._late:
            await self._take(answer, call_ids, seen, data)
        seen.reached = list(self.carrier.seen)
        return seen

    def forget(self) -> None:
        """Drop answers that nobody asked for, in a long run of messages without `send`."""
        self._late.clear()

    async def good_call(self) -> Party:
        """A call that is placed, answered, acknowledged and ended; the carrier saw its three requests."""
        self.carrier.fences.clear()
        party = await self.call_up(FENCE + b"%d" % next(_numbers))
        bye = party.request(b"BYE", b"z9hG4bK-bye" + party.call_id)
        assert (await self._answer(bye, party.call_id, b"BYE")).status == 200
        lines = [data.split(b" ", 1)[0] for data in self.carrier.fences if b"Call-ID: " + party.call_id in data]
        # Where this process was too slow to answer, the gateway has repeated itself (timers A and E).
        assert list(dict.fromkeys(lines)) == [b"INVITE", b"ACK", b"BYE"], lines
        return party

    async def call_up(self, call_id: bytes) -> Party:
        """An answered, acknowledged call; the caller's end of it."""
        branch = b"z9hG4bK-" + call_id
        text = invite(via=self.via + b";rport", branch=branch, call_id=call_id, contact=self.contact, body=b"")
        answer = await self._answer(text, call_id, b"INVITE")
        assert answer.status == 200, (answer.status, answer.get(b"Warning"))
        party = caller_party(text, answer, self.via + b";rport")
        party.cseq = 1
        ack = party.request(b"ACK", b"z9hG4bK-ack" + call_id, cseq=1)
        party.cseq = 1
        await self.wire.send(ack)
        return party

    async def in_dialog(self, party: Party, method: bytes, **changes: object) -> Seen:
        """Send a request inside that dialog, then place a good call."""
        branch = b"z9hG4bK-in%d" % next(_numbers)
        changes.setdefault("contact", self.contact)
        return await self.send(party.request(method, branch, **changes), wait=method != b"ACK")

    @property
    def contact(self) -> bytes:
        """Where this end is reached."""
        return b"<sip:agent@" + self.wire.address.encode() + b">"

    async def _answer(self, text: bytes, call_id: bytes, method: bytes) -> Response:
        """Send a good call's request; its final response. What else comes is kept for `send`."""
        await self.wire.send(text)
        deadline = monotonic() + ANSWER_S
        while True:
            try:
                data = await self.wire.get(AGAIN_S)
            except TimeoutError:
                assert monotonic() < deadline, f"no answer to {text!r}"
                if not self.wire.stream:
                    await self.wire.send(text)
                continue
            if b"Call-ID: " + call_id + b"\r\n" not in data:
                self._late.append(data)
                continue
            message = parse(data)
            assert isinstance(message, Response)
            if message.status >= 200 and message.cseq_method == method:
                return message

    async def _take(self, answer: bytes, call_ids: frozenset[bytes], seen: Seen, sent: bytes) -> None:
        """Keep an answer of this message: others are repetitions of earlier ones."""
        given = _CALL_ID.findall(answer)
        if given and call_ids and given[0] not in call_ids:
            return
        seen.answers.append(answer)
        try:
            message = parse(answer)
        except RemoteProtocolError:
            return  # what was missing or doubled in the request cannot stand in its 400
        final = isinstance(message, Response) and message.cseq_method == b"INVITE" and message.status >= 200
        if isinstance(message, Response) and final and not self.wire.closed():
            await self.wire.send(_ack(message, sent))


def _ack(final: Response, sent: bytes) -> bytes:
    """The ACK that stops its repetitions; of a 2xx too, without a Route it goes no further than the gateway."""
    uri = sent.lstrip().split(None, 2)[1]
    return request(
        b"ACK",
        uri if final.status >= 300 else b"sip:" + CALLEE + b"@127.0.0.1",
        via=final.get(b"Via") or b"",
        branch=None,
        from_=final.get(b"From") or b"",
        to=final.get(b"To") or b"",
        call_id=final.call_id,
        cseq=final.cseq,
        contact=b"",
    )
