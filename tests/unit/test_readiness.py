"""What the supervisor makes of its control's answer."""

from __future__ import annotations

import asyncio
import json
import os

import pytest

from gateway.readiness import MAX_ANSWER, ask_ready, database_is_away, to_import
from gateway.settings import Http

HEAD = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n"


@pytest.mark.parametrize("pieces", [1, 2, 7])
async def test_an_answer_in_pieces_is_read_whole(pieces: int) -> None:
    body = json.dumps({"supervisor": os.getpid(), "parts": {"database": {"ok": False}}}).encode()
    seen = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        step = -(-len(HEAD + body) // pieces)
        for start in range(0, len(HEAD + body), step):
            writer.write((HEAD + body)[start : start + step])
            await writer.drain()
            for _ in range(20):  # turns of the loop in which the other side reads what is there
                await asyncio.sleep(0)
        writer.close()
        seen.set()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        code, said = await ask_ready(Http(address="127.0.0.1", port=server.sockets[0].getsockname()[1]))
        await seen.wait()
    assert (code, said.encode()) == (200, body)
    assert database_is_away(said)


async def test_an_answer_without_end_is_cut() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + b"x" * (2 * MAX_ANSWER))
        await reader.read()  # until the other side closes
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        assert await ask_ready(Http(address="127.0.0.1", port=server.sockets[0].getsockname()[1])) == (0, "")


def test_what_is_no_answer_says_nothing() -> None:
    assert not database_is_away("")
    assert not database_is_away('{"parts":{"database":[]}}')
    assert to_import("{") == ""
    assert to_import('{"parts":{"imports":{"detail":"no pack"}}}') == "no pack"
