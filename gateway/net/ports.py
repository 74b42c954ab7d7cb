"""What the edge asks of the proxy core."""

from __future__ import annotations

from typing import Protocol

from gateway.proxy.peer import Source
from gateway.sip.errors import RemoteProtocolError
from gateway.transaction.destination import Destination
from gateway.transaction.timers import TimerQueue


class Layer(Protocol):
    """The transactions."""

    @property
    def timers(self) -> TimerQueue:
        """The same object as long as the core lives."""
        ...

    def destination_failed(self, destination: Destination, now: float) -> None:
        """See `transaction.layer.TransactionLayer`."""
        ...


class Core(Protocol):
    """`proxy.core.ProxyCore`."""

    epoch_offset: float

    @property
    def layer(self) -> Layer:
        """Its transactions."""
        ...

    def receive(self, data: bytes, source: Source, now: float) -> None:
        """See `ProxyCore`."""
        ...

    def unreadable(self, error: RemoteProtocolError, source: Source) -> None:
        """See `ProxyCore`."""
        ...

    def expire(self, now: float) -> None:
        """See `ProxyCore`."""
        ...
