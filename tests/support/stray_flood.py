"""A sender of messages that belong to nothing, in a process of its own, as fast as they are read but no faster than
RATE: `python -m tests.support.stray_flood PORT SECONDS RATE KIND…`. Prints how many it sent a second.

After each volley it asks OPTIONS and waits for the answer, so that what it sends arrives on a busy machine too: a
datagram that the kernel drops tests nothing, and a queue that is always full is a test of overload.
"""

from __future__ import annotations

import random
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from tests.fuzz.wounds import stray, wound
from tests.support.sip_text import request

KINDS = ("ACK", "CANCEL", "responses", "junk")
VOLLEY = 50
"""Fits the receive buffer that Linux grants by default (212,992 octets)."""
FENCE_S = 0.5
ROOT = Path(__file__).parents[2]


def strays(kinds: list[str], via: bytes) -> Iterator[bytes]:
    """Without end, the kinds in turn."""
    source = random.Random(3261)
    number = 0
    while True:
        for kind in kinds:
            number += 1
            if kind == "responses":
                yield stray((b"200", b"180", b"503", b"200 INVITE")[number % 4], number, via)
            elif kind != "junk":
                yield stray(kind.encode(), number, via)
            elif source.random() < 0.5:
                yield source.randbytes(source.randrange(1, 1_400))
            else:
                yield wound(source, stray(source.choice((b"ACK", b"CANCEL", b"200")), number, via))


def flood(port: int, seconds: float, rate: float, kinds: list[str]) -> float:
    """Send for so long; messages a second."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
        phone.bind(("127.0.0.2", 0))
        phone.connect(("127.0.0.1", port))
        phone.settimeout(FENCE_S)
        via = b"SIP/2.0/UDP 127.0.0.2:%d" % phone.getsockname()[1]
        made = strays(kinds, via)
        began = time.monotonic()
        sent = 0
        while (passed := time.monotonic() - began) < seconds:
            if sent > passed * rate:
                time.sleep(sent / rate - passed)
            for data in islice(made, VOLLEY):
                phone.send(data)
            sent += VOLLEY
            call_id = b"fence%d" % sent
            branch = b"z9hG4bK" + call_id
            phone.send(request(b"OPTIONS", b"sip:127.0.0.1", via=via + b";rport", branch=branch, call_id=call_id))
            while True:
                try:
                    if call_id in phone.recv(65_535):
                        break
                except TimeoutError:
                    break  # it was dropped
        return sent / (time.monotonic() - began)


def flooding(port: int, seconds: float, rate: float, kinds: tuple[str, ...]) -> float:
    """The same in a process of its own, until it ends."""
    command = [sys.executable, "-m", "tests.support.stray_flood", str(port), str(seconds), str(rate), *kinds]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=seconds + 30, check=True)
    return float(done.stdout)


if __name__ == "__main__":
    print(flood(int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]), sys.argv[4:]))
