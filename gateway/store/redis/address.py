"""Redis addresses: one URL form for the link, read once at start."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qs, unquote, urlsplit

from gateway.store.ports import StoreError


class BadAddress(StoreError):
    """The URL cannot be used; the text says what is wrong and what to write."""


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """Where a server listens. `path` is set for a unix socket, else `host` and `port` count."""

    path: str = ""
    host: str = ""
    port: int = 6379
    tls: bool = False
    username: str = ""
    password: str = ""
    database: int = 0


def read_address(url: str) -> RedisAddress:
    """`unix:///path?db=N`, `redis://[user:password@]host[:port][/N]` or `rediss://` (TLS).

    Raises BadAddress.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise BadAddress(f"redis url {url!r}: {error}") from None
    username, password = unquote(parts.username or ""), unquote(parts.password or "")
    query = parse_qs(parts.query)
    if parts.scheme == "unix":
        if not parts.path:
            raise BadAddress("redis url: a unix url needs a path: unix:///run/redis.sock?db=0")
        password = password or query.get("password", [""])[0]
        path = unquote((parts.hostname or "") + parts.path)
        return RedisAddress(path, "", 0, False, username, password, _database(query.get("db", ["0"])[0]))
    if parts.scheme not in ("redis", "rediss"):
        raise BadAddress(f"redis url: scheme {parts.scheme!r}: use redis://, rediss:// or unix://")
    database = _database(parts.path.strip("/") or query.get("db", ["0"])[0])
    tls = parts.scheme == "rediss"
    return RedisAddress("", parts.hostname or "localhost", port or 6379, tls, username, password, database)


def _database(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise BadAddress(f"redis url: database {text!r}: write a number")
    return int(text)


def command(*words: bytes) -> bytes:
    """One command in RESP (the protocol Redis speaks): an array of bulk strings."""
    return b"*%d\r\n" % len(words) + b"".join([b"$%d\r\n%s\r\n" % (len(word), word) for word in words])


def handshake(address: RedisAddress) -> list[bytes]:
    """The commands that open a link; none may be answered with an error. The last two are INFO sections."""
    commands: list[bytes] = []
    if address.password:
        secret = address.password.encode()
        user = address.username.encode()
        commands.append(command(b"AUTH", user, secret) if user else command(b"AUTH", secret))
    if address.database:
        commands.append(command(b"SELECT", b"%d" % address.database))
    commands.append(command(b"INFO", b"server"))
    commands.append(command(b"INFO", b"memory"))
    return commands
