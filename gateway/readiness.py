"""The supervisor's question to its own control process: does everything answer?"""

from __future__ import annotations

import asyncio
import json
import os

from gateway.settings import Http

ASK_TIMEOUT_S = 2.0
"""Twice what `/readyz` takes at most (`control.health.CHECK_TIMEOUT_S`)."""

MAX_ANSWER = 65_536
"""Bytes of `/readyz` that are read; a line per worker takes a few thousand."""


async def ask_ready(http: Http) -> tuple[int, str]:
    """Status and body of our own `/readyz`; (0, "") while nothing of ours answers there."""
    writer: asyncio.StreamWriter | None = None
    try:
        async with asyncio.timeout(ASK_TIMEOUT_S):
            reader, writer = await asyncio.open_connection(_local(http.address), http.port)
            writer.write(b"GET /readyz HTTP/1.0\r\nHost: localhost\r\n\r\n")
            answer = await _read_all(reader)
    except (OSError, TimeoutError):
        return 0, ""
    finally:
        if writer is not None:
            writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    words = head.split(None, 2)
    if len(words) < 2 or not words[1].isdigit() or not _is_ours(body):
        return 0, ""
    return int(words[1]), body.decode("utf-8", "replace")


async def _read_all(reader: asyncio.StreamReader) -> bytes:
    """Up to the end of the connection, or of MAX_ANSWER: head and body come in as many pieces as it pleases TCP."""
    answer = b""
    while len(answer) < MAX_ANSWER and (piece := await reader.read(MAX_ANSWER - len(answer))):
        answer += piece
    return answer


def to_import(body: str) -> str:
    """What `/readyz` says has yet to be imported; empty where nothing is, or it cannot be told."""
    try:
        return str(json.loads(body)["parts"]["imports"]["detail"])
    except (ValueError, KeyError, TypeError):
        return ""


def database_is_away(body: str) -> bool:
    """Whether `/readyz` says that PostgreSQL does not answer."""
    try:
        return not json.loads(body)["parts"]["database"]["ok"]
    except (ValueError, KeyError, TypeError):
        return False


def _is_ours(body: bytes) -> bool:
    """Whether our own control answered, not somebody else who holds the port."""
    try:
        return bool(json.loads(body)["supervisor"] == os.getpid())
    except (ValueError, KeyError, TypeError):
        return False


def _local(address: str) -> str:
    """Where an address we listen on is reached from here."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address)
