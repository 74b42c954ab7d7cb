"""How long may a gateway be deaf? OPTIONS every few milliseconds, answered by the worker itself (RFC 3261 §11.2)."""

from __future__ import annotations

import socket
import threading
import time
from types import TracebackType
from typing import Self

from tests.bench.deployment import CALLER_HOST

EVERY_S = 0.005
ANSWER_S = 10.0
"""Not answered by then: counted as that long."""


class Probe:
    """Asks from a thread while the block runs; `longest_s` is then the longest time an answer took."""

    def __init__(self, gateway: tuple[str, int]) -> None:
        self._gateway = gateway
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="probe")
        self.longest_s = 0.0
        self.answers = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()

    def _run(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
            phone.bind((CALLER_HOST, 0))
            phone.settimeout(ANSWER_S)
            number = 0
            while not self._done.wait(EVERY_S):
                number += 1
                began = time.monotonic()
                phone.sendto(self._options(phone.getsockname(), number), self._gateway)
                try:
                    phone.recv(65_535)
                    self.answers += 1
                except TimeoutError:
                    pass
                self.longest_s = max(self.longest_s, time.monotonic() - began)

    def _options(self, own: tuple[str, int], number: int) -> bytes:
        host = f"{own[0]}:{own[1]}"
        uri = f"sip:{self._gateway[0]}:{self._gateway[1]}"
        return (
            f"OPTIONS {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {host};branch=z9hG4bK-o{number}\r\nMax-Forwards: 70\r\n"
            f"From: <sip:{host}>;tag=o{number}\r\nTo: <{uri}>\r\nCall-ID: o{number}-{id(self)}\r\n"
            "CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
        ).encode()
