"""Server and client transactions: one machine table each, and the actions the tables name.

A transaction keeps only what a retransmission needs: its last message and where that goes. Its *user* (RFC 3261's TU,
here the proxy's response context) hears of responses, timeouts and transport errors. `layer` gives the tables of live
transactions, the timers and the way out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from gateway.sip.errors import LocalProtocolError
from gateway.sip.message import Request, Response
from gateway.transaction import machines as m
from gateway.transaction import timers as t
from gateway.transaction.destination import Destination

if TYPE_CHECKING:
    from gateway.transaction.layer import TransactionLayer


Send = Callable[[Destination, bytes], None]


class ServerUser(Protocol):
    """The TU of a server transaction."""

    def server_ack(self, server: ServerTransaction, request: Request, now: float) -> None:
        """An ACK arrived in Accepted: it acknowledges a 2xx and is the TU's to pass on (RFC 6026 §7.1)."""
        ...

    def server_failed(self, server: ServerTransaction, now: float) -> None:
        """No ACK came for a final response (timer H), or it could not be sent."""
        ...


class ClientUser(Protocol):
    """The TU of a client transaction."""

    def client_response(self, client: ClientTransaction, response: Response, now: float) -> None:
        """A response that the machine passes up."""
        ...

    def client_ack(self, client: ClientTransaction, response: Response) -> bytes:
        """The ACK for a 300–699 response to this INVITE (§17.1.1.3)."""
        ...

    def client_timeout(self, client: ClientTransaction, now: float) -> None:
        """Timer B or F: nothing came (§17.1.1.2); to be treated as a 408."""
        ...

    def client_error(self, client: ClientTransaction, now: float) -> None:
        """The transport failed (§16.9); to be treated as a 503."""
        ...


class ServerTransaction:
    """RFC 3261 §17.2, for one request received from `destination`."""

    __slots__ = ("_interval", "destination", "invite", "key", "layer", "message", "state", "table", "user")

    def __init__(self, layer: TransactionLayer, key: bytes, invite: bool, destination: Destination) -> None:
        self.layer = layer
        self.key = key
        self.invite = invite
        self.table = m.INVITE_SERVER if invite else m.NON_INVITE_SERVER
        self.state = m.PROCEEDING if invite else m.TRYING
        self.destination = destination
        self.message = b""
        self.user: ServerUser | None = None
        self._interval = 0.0

    def keep(self, data: bytes) -> None:
        """Hold `data` as the last message, and no other."""
        self.layer.kept += len(data) - len(self.message)
        self.message = data

    @property
    def unfinished(self) -> bool:
        """No final response was sent yet."""
        return self.state == m.PROCEEDING or self.state == m.TRYING

    def respond(self, status: int, data: bytes, now: float) -> None:
        """Send a response of the TU: `data` is the whole message."""
        if status < 200:
            self.fire(m.SEND_1XX, now, data)
        elif self.invite and status < 300:
            self.fire(m.SEND_2XX, now, data)
        else:
            self.fire(m.SEND_FINAL, now, data)

    def give_up(self, now: float) -> None:
        """No final response will come for this non-INVITE request; its sender's timer F tells it (RFC 4320 §4.2)."""
        self.fire(m.GIVE_UP, now)

    def timer_fired(self, timer: int, now: float) -> None:
        """`timers.Expiring`."""
        self.fire(m.TIMER + timer, now)

    def fire(self, event: int, now: float, data: bytes = b"", request: Request | None = None) -> None:
        """Run one event through the table."""
        transition = self.table.get(self.state << 6 | event)
        if transition is None:
            raise LocalProtocolError(f"server transaction: event {event} in {m.STATE_NAMES[self.state]}")
        self.state = transition[0]
        layer = self.layer
        user = self.user  # forgetting lets go of it, and a report may follow
        for action in transition[1]:
            if action == m.DO_SEND:
                self.keep(data)
                layer.send(self.destination, data)
            elif action == m.DO_RESEND:
                if self.message:
                    layer.send(self.destination, self.message)
                    layer.retransmitted += 1
            elif action == m.DO_ABSORB:
                layer.absorbed += 1
            elif action == m.DO_START_J:
                self._start(t.TIMER_J, layer.values.timeout, now)
            elif action == m.DO_START_L:
                # The 2xx is the UAs' to retransmit from here on: its bytes are not needed again.
                self.keep(b"")
                layer.timers.start(layer.values.timeout, now, self, t.TIMER_L)
            elif action == m.DO_START_G_H:
                self._start_g_h(now)
            elif action == m.DO_START_I:
                self._start(t.TIMER_I, layer.values.t4, now)
            elif action == m.DO_PASS:
                if user is not None and request is not None:
                    user.server_ack(self, request, now)
            elif action == m.DO_FORGET:
                layer.forget_server(self)
            elif user is not None:  # DO_REPORT_NO_ACK, DO_REPORT_ERROR
                user.server_failed(self, now)

    def _start(self, timer: int, delay: float, now: float) -> None:
        # §17.2.1, §17.2.2: timers I and J are zero on reliable transports.
        self.layer.timers.start(0.0 if self.destination.reliable else delay, now, self, timer)

    def _start_g_h(self, now: float) -> None:
        values = self.layer.values
        if self._interval == 0.0:
            self._interval = values.t1
            self.layer.timers.start(values.timeout, now, self, t.TIMER_H)
        else:
            self._interval = min(2 * self._interval, values.t2)
        if not self.destination.reliable:
            self.layer.timers.start(self._interval, now, self, t.TIMER_G)


class ClientTransaction:
    """RFC 3261 §17.1, for one request sent to `destination`."""

    __slots__ = (
        *("_interval", "_left", "branch", "destination", "invite", "layer", "message", "method", "state", "table"),
        "user",
    )

    def __init__(
        self,
        layer: TransactionLayer,
        branch: bytes,
        method: bytes,
        destination: Destination,
        message: bytes,
        user: ClientUser | None,
    ) -> None:
        self.layer = layer
        self.branch = branch
        self.method = method
        self.invite = invite = method == b"INVITE"
        self.table = m.INVITE_CLIENT if invite else m.NON_INVITE_CLIENT
        self.state = m.CALLING if invite else m.TRYING
        self.destination = destination
        self.message = message
        layer.kept += len(message)
        self.user = user
        self._interval = layer.values.t1
        self._left = layer.values.timeout
        """Seconds from the timer that runs now to timer B or F."""

    def keep(self, data: bytes) -> None:
        """Hold `data` as the message to send again, and no other."""
        self.layer.kept += len(data) - len(self.message)
        self.message = data

    @property
    def unfinished(self) -> bool:
        """No final response was received yet."""
        return self.state <= m.PROCEEDING

    def start(self, now: float) -> None:
        """Send the request and start timers A and B, or E and F."""
        layer = self.layer
        layer.send(self.destination, self.message)
        self._wait(self._left if self.destination.reliable else self._interval, now)

    def _wait(self, interval: float, now: float) -> None:
        """Start timer A or E; or timer B or F, where that one comes first.

        One of the two runs at a time: hardly a request is not answered within T1, and the other would be held for
        32 s all the same. What is left is counted in whole intervals, so that the timer queue knows a few durations.
        """
        left = self._left
        if interval < left:
            self._left = left - interval
            self.layer.timers.start(interval, now, self, t.TIMER_A if self.invite else t.TIMER_E)
        else:
            self.layer.timers.start(left, now, self, t.TIMER_B if self.invite else t.TIMER_F)

    def stop_resending(self) -> None:
        """The proxy has given this request up: late responses still match, but it is not sent again."""
        self.keep(b"")

    def cancelled(self, now: float) -> None:
        """A CANCEL was sent: without a final response this transaction ends after 64*T1 (§9.1)."""
        self.layer.timers.start(self.layer.values.timeout, now, self, t.TIMER_CANCELLED)

    def receive(self, response: Response, now: float) -> None:
        """A response that matched this transaction's key."""
        status = response.status
        if status < 200:
            if self.invite and self.state == m.CALLING:
                self.keep(b"")  # §17.1.1.2: in Proceeding nothing is sent again
            self.fire(m.RECEIVE_1XX, now, response)
        elif self.invite and status < 300:
            self.fire(m.RECEIVE_2XX, now, response)
        else:
            self.fire(m.RECEIVE_FINAL, now, response)

    def timer_fired(self, timer: int, now: float) -> None:
        """`timers.Expiring`."""
        self.fire(m.TIMER + timer, now)

    def fire(self, event: int, now: float, response: Response | None = None) -> None:
        """Run one event through the table."""
        transition = self.table.get(self.state << 6 | event)
        if transition is None:
            raise LocalProtocolError(f"client transaction: event {event} in {m.STATE_NAMES[self.state]}")
        first = self.state != transition[0]
        self.state = transition[0]
        layer = self.layer
        user = self.user
        for action in transition[1]:
            if action == m.DO_PASS:
                if user is not None and response is not None:
                    user.client_response(self, response, now)
            elif action == m.DO_RESEND:
                if self.message:  # empty: the proxy gave this branch up
                    layer.send(self.destination, self.message)
                    layer.retransmitted += 1
            elif action == m.DO_START_K:
                self._answered(t.TIMER_K, layer.values.t4, now)
            elif action == m.DO_START_M:
                self.keep(b"")
                layer.timers.start(layer.values.timeout, now, self, t.TIMER_M)
            elif action == m.DO_ACK:
                if first and user is not None and response is not None:
                    self.keep(user.client_ack(self, response))
                layer.send(self.destination, self.message)
            elif action == m.DO_START_D:
                layer.timers.start(0.0 if self.destination.reliable else layer.values.timeout, now, self, t.TIMER_D)
            elif action == m.DO_START_A:
                self._interval *= 2
                self._wait(self._interval, now)
            elif action == m.DO_START_E:
                self._interval = min(2 * self._interval, layer.values.t2)
                self._wait(self._interval, now)
            elif action == m.DO_START_E_T2:
                self._wait(layer.values.t2, now)
            elif action == m.DO_FORGET:
                layer.forget_client(self)
            elif action == m.DO_ABSORB:
                layer.absorbed += 1
            elif action == m.DO_REPORT_TIMEOUT:
                if user is not None:
                    user.client_timeout(self, now)
            elif user is not None:  # DO_REPORT_ERROR
                user.client_error(self, now)

    def _answered(self, timer: int, delay: float, now: float) -> None:
        self.keep(b"")
        self.layer.timers.start(0.0 if self.destination.reliable else delay, now, self, timer)
