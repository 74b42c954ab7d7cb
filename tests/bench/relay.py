"""The floor: a datagram in, a datagram out, nothing read of it.

    python -m tests.bench.relay ADDRESS CARRIER_HOST CARRIER_PORT

What the carrier sends goes to whoever sent last from elsewhere; everything else goes to the carrier. Prints its port.
"""

from __future__ import annotations

import socket
import sys

MAX_DATAGRAM = 65_535
RECEIVE_BUFFER = 4 * 1024 * 1024


def main(argv: list[str]) -> None:
    """Runs until it is killed."""
    carrier = (argv[1], int(argv[2]))
    caller: tuple[str, int] | None = None
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as relay:
        relay.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        relay.bind((argv[0], 0))
        print(relay.getsockname()[1], flush=True)
        receive, send = relay.recvfrom, relay.sendto
        while True:
            data, address = receive(MAX_DATAGRAM)
            if address != carrier:
                caller = address
                send(data, carrier)
            elif caller is not None:
                send(data, caller)


if __name__ == "__main__":
    main(sys.argv[1:])
