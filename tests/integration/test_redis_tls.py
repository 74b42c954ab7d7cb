"""`rediss://` and a password: the worker's link and the projector's client trust the named authority alone."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import redis.exceptions

from gateway.control.redis_writer import client_of
from gateway.store.ports import StoreError
from gateway.store.redis.address import read_address
from gateway.store.redis.client import RedisLink, UnsuitableServer
from tests.support.certificates import Authority
from tests.support.redis_fixtures import redis_process
from tests.support.redis_server import RedisServer

__all__ = ["redis_process"]


@pytest.fixture
async def tls_port(redis_process: RedisServer, tmp_path: Path) -> AsyncIterator[int]:
    """TLS in front of the server: the wheel's has none of its own."""
    files = Authority(tmp_path / "pki").files("redis", "127.0.0.1")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(files.certificate, files.key)

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            writer.write(data)
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner, outer = await asyncio.open_unix_connection(str(redis_process.socket))
        await asyncio.gather(carry(reader, outer), carry(inner, writer), return_exceptions=True)

    with redis_process.client() as client:
        client.config_set("requirepass", "s@cret")
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    yield int(server.sockets[0].getsockname()[1])
    server.close()
    await asyncio.sleep(0.05)


async def test_tls_and_password(tls_port: int, tmp_path: Path) -> None:
    ca = tmp_path / "pki" / "root.pem"
    url = f"rediss://:s%40cret@127.0.0.1:{tls_port}?ca={ca}"
    await RedisLink(url).probe()
    async with client_of(read_address(url)) as client:
        assert await client.ping()
    with pytest.raises(UnsuitableServer, match=r"NOAUTH|Authentication"):
        await RedisLink(url.replace(":s%40cret@", "")).probe()
    for wrong in (url.replace(f"?ca={ca}", ""), url.replace("127.0.0.1", "localhost")):
        with pytest.raises(StoreError, match="certificate verify failed"):
            await RedisLink(wrong).probe()
        async with client_of(read_address(wrong)) as client:
            with pytest.raises(redis.exceptions.ConnectionError, match="certificate verify failed"):
                await client.ping()
