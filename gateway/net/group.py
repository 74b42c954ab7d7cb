"""The sockets of all workers of a node, bound by the supervisor and inherited by each worker.

They outlive a worker: what comes while it is started again waits in its socket, its place in the kernel's group stays
(`net.steering`), and another worker can read it where it stays away (`net.handover`).
"""

from __future__ import annotations

import socket
from collections.abc import Sequence

from gateway.net.steering import attach
from gateway.net.udp import bind_udp

Group = list[socket.socket]
"""One listener's sockets, in the order of the workers."""


def bind_groups(addresses: Sequence[tuple[str, int]], count: int) -> tuple[list[Group], int]:
    """Bind `count` sockets for each address and port. Also returns how far into a datagram the kernel looks for the
    Call-ID (0: it does not steer). Raises OSError."""
    groups: list[Group] = []
    reach = 1 << 16
    try:
        for address, port in addresses:
            group: Group = []
            groups.append(group)
            for _ in range(count):
                group.append(bind_udp(address, port, True))
            reach = min(reach, attach(group[0], count))
    except OSError:
        close_groups(groups)
        raise
    return groups, reach


def close_groups(groups: Sequence[Group]) -> None:
    """Close them all."""
    for group in groups:
        for member in group:
            member.close()


def inherited(text: str) -> list[Group]:
    """The sockets of a text like `5,6;7,8`: descriptors, group by group. Raises ValueError, or OSError where one is
    not there."""
    groups = [[socket.socket(fileno=int(number)) for number in group.split(",")] for group in text.split(";") if group]
    for group in groups:
        for member in group:
            member.setblocking(False)
    return groups
