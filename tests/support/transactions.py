"""A transaction layer with a capturing way out, and a user that writes down what it hears."""

from __future__ import annotations

from gateway.proxy.peer import Destination
from gateway.sip.message import Request, Response
from gateway.sip.parser import parse
from gateway.transaction.layer import TransactionLayer
from gateway.transaction.timers import TimerValues
from gateway.transaction.transactions import ClientTransaction, ServerTransaction
from tests.support.sip_text import answer, invite, request

UDP = Destination(None, ("127.0.0.9", 5060), b"UDP", b"127.0.0.1:5060", False)
TCP = Destination(None, ("127.0.0.9", 5060), b"TCP", b"127.0.0.1:5060", True)


class Heard:
    """`ServerUser` and `ClientUser`."""

    def __init__(self) -> None:
        self.log: list[str] = []

    def server_ack(self, server: ServerTransaction, request: Request, now: float) -> None:
        self.log.append("ACK")

    def server_failed(self, server: ServerTransaction, now: float) -> None:
        self.log.append("failed")

    def client_response(self, client: ClientTransaction, response: Response, now: float) -> None:
        self.log.append(str(response.status))

    def client_ack(self, client: ClientTransaction, response: Response) -> bytes:
        return b"ACK for %d" % response.status

    def client_timeout(self, client: ClientTransaction, now: float) -> None:
        self.log.append("timeout")

    def client_error(self, client: ClientTransaction, now: float) -> None:
        self.log.append("error")


class Bench:
    """`layer`, `heard`, and what was sent at which instant."""

    def __init__(self, values: TimerValues | None = None) -> None:
        self.now = 0.0
        self.sent: list[tuple[float, bytes]] = []
        self.heard = Heard()
        self.layer = TransactionLayer(self._send, values or TimerValues())

    def _send(self, destination: Destination, data: bytes) -> None:
        self.sent.append((self.now, data))

    def advance(self, seconds: float) -> None:
        """Each timer at its own instant."""
        until = self.now + seconds
        while self.layer.timers.earliest <= until:
            self.now = max(self.now, self.layer.timers.earliest)
            self.layer.timers.expire(self.now)
        self.now = until

    def times(self, data: bytes) -> list[float]:
        """When this message was sent."""
        return [at for at, sent in self.sent if sent == data]

    def server(self, invite: bool, destination: Destination = UDP) -> ServerTransaction:
        server = self.layer.new_server(b"key", invite, destination)
        server.user = self.heard
        return server

    def client(self, method: bytes, destination: Destination = UDP) -> ClientTransaction:
        return self.layer.new_client(b"z9hG4bK-1", method, destination, b"the request", self.heard, self.now)

    def again(self, method: bytes) -> bool:
        """The request of the server transaction comes once more, or its ACK."""
        message = parse(request(method, b"sip:a@127.0.0.1"))
        assert isinstance(message, Request)
        return self.layer.absorb_request(b"key", message, self.now)

    def receive(self, status: int, method: bytes = b"INVITE") -> bool:
        """A response to the client transaction; False when none is there."""
        asked = parse(invite() if method == b"INVITE" else request(method, b"sip:a@127.0.0.1"))
        assert isinstance(asked, Request)
        response = parse(answer(asked, status))
        assert isinstance(response, Response)
        client = self.layer.client_of(response)
        if client is None:
            return False
        client.receive(response, self.now)
        return True
