"""The live transactions: two tables with bounds, and the way in for messages that match one."""

from __future__ import annotations

from gateway.sip.everyday import foresee_via
from gateway.sip.message import Request, Response
from gateway.transaction import machines as m
from gateway.transaction.destination import Destination
from gateway.transaction.keys import client_key
from gateway.transaction.timers import TimerQueue, TimerValues
from gateway.transaction.transactions import (
    ClientTransaction,
    ClientUser,
    Send,
    ServerTransaction,
)

MAX_SERVER_TRANSACTIONS = 200_000
"""New calls stop here. 200,000 is 32 s (timers J, L) of 6,000 requests/s, more than one core can pass."""

MAX_DIALOG_TRANSACTIONS = 250_000
"""Requests inside dialogs stop here: calls that are up can be ended when no new one is taken (DESIGN §7, overload)."""


MAX_KEPT_BYTES = 256 << 20
"""New calls stop where the messages kept for retransmission reach this: 6,000 calls/s keep about 200 MB in 32 s. A call
in set-up holds its request about twice more, so memory stays below three times this."""

MAX_DIALOG_BYTES = 320 << 20
"""The same for requests inside dialogs."""


class TransactionLayer:
    """All transactions of one worker. `send(destination, bytes)` is the way out."""

    __slots__ = ("absorbed", "clients", "kept", "retransmitted", "send", "servers", "timers", "values")

    def __init__(self, send: Send, values: TimerValues) -> None:
        self.send = send
        self.values = values
        self.timers = TimerQueue()
        self.servers: dict[bytes, ServerTransaction] = {}
        self.clients: dict[bytes, ClientTransaction] = {}
        """By `keys.client_key`."""
        self.kept = 0
        """Bytes of the messages that transactions keep."""
        self.retransmitted = 0
        """Messages sent again by timers or for a repeated request."""
        self.absorbed = 0
        """Retransmissions received and swallowed."""

    def full(self) -> bool:
        """True when no new call may be taken."""
        return len(self.servers) >= MAX_SERVER_TRANSACTIONS or self.kept >= MAX_KEPT_BYTES

    def exhausted(self) -> bool:
        """True when no server transaction at all may be made."""
        return len(self.servers) >= MAX_DIALOG_TRANSACTIONS or self.kept >= MAX_DIALOG_BYTES

    def new_server(self, key: bytes, invite: bool, destination: Destination) -> ServerTransaction:
        """Start a server transaction for a request that matched none."""
        server = ServerTransaction(self, key, invite, destination)
        self.servers[key] = server
        return server

    def new_client(
        self,
        branch: bytes,
        method: bytes,
        destination: Destination,
        message: bytes,
        user: ClientUser | None,
        now: float,
    ) -> ClientTransaction:
        """Start a client transaction: `message` is sent at once."""
        foresee_via(destination.via + branch, destination.own_via(branch))  # its responses bring it
        client = ClientTransaction(self, branch, method, destination, message, user)
        self.clients[client_key(branch, method)] = client
        client.start(now)
        return client

    def absorb_request(self, key: bytes, request: Request, now: float) -> bool:
        """Give a request to the server transaction it belongs to; False when there is none.

        An ACK that arrives in Accepted is handed to the transaction's user (RFC 6026 §7.1).
        """
        server = self.servers.get(key)
        if server is None:
            return False
        server.fire(m.ACK if request.method == b"ACK" else m.REQUEST, now, b"", request)
        return True

    def client_of(self, response: Response) -> ClientTransaction | None:
        """The client transaction a response belongs to (§17.1.3: top branch and CSeq method)."""
        client = self.clients.get(client_key(response.via.branch, response.cseq_method))
        return client if client is not None and client.method == response.cseq_method else None

    def forget_server(self, server: ServerTransaction) -> None:
        """Drop a terminated transaction; its timers keep a small shell of it alive until they run out.

        Letting go of the user breaks the circle of the two, so that both are freed without a collection.
        """
        self.servers.pop(server.key, None)
        server.keep(b"")
        server.user = None

    def forget_client(self, client: ClientTransaction) -> None:
        """Drop a terminated transaction."""
        key = client_key(client.branch, client.method)
        if self.clients.get(key) is client:
            del self.clients[key]
        client.keep(b"")
        client.user = None

    def shrink(self) -> None:
        """Make the tables as small as what they hold: a dict keeps the size it once had."""
        self.servers = dict(self.servers)
        self.clients = dict(self.clients)

    def destination_failed(self, destination: Destination, now: float) -> None:
        """Nothing could be sent there (§17.1.4): tell every client transaction that still waits for it.

        Server transactions are not told: a response that was lost is sent again when the request is repeated. This
        looks at every client transaction: call it once per turn and destination, not once per message.
        """
        for client in [c for c in self.clients.values() if c.destination is destination]:
            client.fire(m.TRANSPORT_ERROR, now)
