"""The filter by which the kernel gives each datagram to the worker that owns its call (`net.share`).

The workers' sockets on one address and port are a group (SO_REUSEPORT). A classic BPF program attached to it
(SO_ATTACH_REUSEPORT_CBPF, socket(7); no privilege is needed) reads the datagram and names the socket by its place in
the group: it looks for the Call-ID in its usual spelling, `CRLF Call-ID: SP`, and computes `share_of`. Such programs
have no loops: the search is written out, four octets a step, as far as the kernel takes a program. What it does not
find (another spelling, a longer header part) goes to any worker, which hands it over (`net.handover`): the filter saves
that work, and nothing depends on it.
"""

from __future__ import annotations

import ctypes
import socket
import struct

from gateway.net.share import LAST_SHIFT, MIX, PREFIX, PRIME

REACHES = (1_408, 1_024, 640, 384)
"""Octets from the start of a datagram in which a Call-ID is found; the first that the kernel has room for. Before Linux
6.7 it has 20 kB for a program (net.core.optmem_max), unless told otherwise."""

FIRST = 24
"""Octet where the search begins: behind the start line, before any Call-ID."""

SEGMENT = 32
"""Where a step's word was something else's (`Call-Info:`), the search goes on behind so many octets."""

NOWHERE = 0xFFFF
"""No socket's place: the kernel then takes its own hash of the addresses."""

_SO_ATTACH_REUSEPORT_CBPF = 51

_NAME = b"\r\nCall-ID: "
_PLACES = (4, 5, 6, 7)
"""Where in the name the four octets of a step may begin: one of these is met wherever the name stands."""

# linux/bpf_common.h
_LD_IMM, _LDX_IMM, _LD_ABS, _LD_IND, _LDB_IND, _LD_MEM, _LDX_MEM = 0x00, 0x01, 0x20, 0x40, 0x50, 0x60, 0x61
_ST, _STX, _TAX, _TXA, _RET_K, _RET_A, _JA, _JEQ = 0x02, 0x03, 0x07, 0x87, 0x06, 0x16, 0x05, 0x15
_ADD_K, _ADD_X, _SUB_K, _MUL_K, _AND_K, _LSH_K, _RSH_K, _MOD_K = 0x04, 0x0C, 0x14, 0x24, 0x54, 0x64, 0x74, 0x94
_XOR_X = 0xAC

_HASH, _OCTET, _START = 0, 1, 2
"""Cells of the program's memory."""


class _Code:
    """A program being written: jumps go forward, to labels."""

    def __init__(self) -> None:
        self._lines: list[tuple[int, int, str, str]] = []
        self._labels: dict[str, int] = {}

    def add(self, code: int, constant: int = 0, yes: str = "", no: str = "") -> None:
        """One instruction. `yes`, `no`: where a jump goes; empty: on to the next."""
        self._lines.append((code, constant, yes, no))

    def label(self, name: str) -> None:
        """The next instruction's name."""
        self._labels[name] = len(self._lines)

    def packed(self) -> bytes:
        """As the kernel takes it: struct sock_filter (linux/filter.h), one after the other."""
        made = bytearray()
        for number, (code, constant, yes, no) in enumerate(self._lines):
            to = [self._labels[name] - number - 1 if name else 0 for name in (yes, no)]
            if code == _JA:
                to, constant = [0, 0], to[0]
            made += struct.pack("=HBBI", code, *to, constant)
        return bytes(made)


def program(count: int, reach: int) -> bytes:
    """The filter for `count` workers; it finds a name that ends before octet `reach`. (A load behind the datagram's end
    ends the program with 0: what has no Call-ID at all goes to the first worker.)"""
    code = _Code()
    for start in range(FIRST, reach, SEGMENT):
        _search(code, start, min(start + SEGMENT, reach))
    code.add(_RET_K, NOWHERE)
    code.label("found")
    _share(code, count)
    return code.packed()


def _word(at: int) -> int:
    return int.from_bytes(_NAME[at : at + 4])


def _search(code: _Code, start: int, end: int) -> None:
    """Look from `start` to `end`, and go on behind this; at `found` X is where the name begins."""
    hit, missed, name = f"hit {start}", f"missed {start}", f"name {start}"
    for offset in range(start, end, 4):
        code.add(_LDX_IMM, offset)
        code.add(_LD_ABS, offset)
        for at in _PLACES:
            code.add(_JEQ, _word(at), hit)
    code.add(_JA, 0, missed)
    code.label(hit)
    for at in _PLACES:
        code.add(_JEQ, _word(at), f"{hit} {at}")
    for at in _PLACES:
        code.label(f"{hit} {at}")
        code.add(_TXA)
        code.add(_SUB_K, at)
        code.add(_JA, 0, name)
    code.label(name)
    code.add(_TAX)
    for at in (0, 4):
        code.add(_LD_IND, at)
        code.add(_JEQ, _word(at), "", missed)
    code.add(_LD_IND, 8)
    code.add(_AND_K, 0xFFFFFF00)
    code.add(_JEQ, int.from_bytes(_NAME[8:]) << 8, "", missed)
    code.add(_JA, 0, "found")
    code.label(missed)


def _share(code: _Code, count: int) -> None:
    """`share.share_of` of what stands from X + the name's length to the line's end."""
    code.add(_TXA)
    code.add(_ADD_K, len(_NAME))
    code.add(_TAX)
    code.add(_STX, _START)
    code.add(_LD_IMM, 0)
    code.add(_ST, _HASH)
    for number in range(PREFIX):
        code.add(_LDB_IND, number)
        code.add(_JEQ, ord("\r"), "", f"octet {number}")
        code.add(_JA, 0, "end")
        code.label(f"octet {number}")
        code.add(_ST, _OCTET)
        code.add(_LDX_MEM, _OCTET)
        code.add(_LD_MEM, _HASH)
        code.add(_LSH_K, 8)
        code.add(_ADD_X)
        code.add(_MOD_K, PRIME)
        code.add(_ST, _HASH)
        code.add(_LDX_MEM, _START)
    code.label("end")
    code.add(_LD_MEM, _HASH)
    for shift, factor in (*MIX, (LAST_SHIFT, 1)):
        code.add(_TAX)
        code.add(_RSH_K, shift)
        code.add(_XOR_X)
        code.add(_MUL_K, factor)
    code.add(_MOD_K, count)
    code.add(_RET_A)


def attach(member: socket.socket, count: int) -> int:
    """Have the kernel steer the group that `member` is in: all of the `count` sockets are bound, in the order of their
    workers. Returns the reach, 0 where the kernel takes no such program."""
    for reach in REACHES:
        packed = program(count, reach)
        buffer = ctypes.create_string_buffer(packed, len(packed))
        try:
            member.setsockopt(
                socket.SOL_SOCKET,
                _SO_ATTACH_REUSEPORT_CBPF,
                struct.pack("@HP", len(packed) // 8, ctypes.addressof(buffer)),  # struct sock_fprog
            )
        except OSError:
            continue
        return reach
    return 0
