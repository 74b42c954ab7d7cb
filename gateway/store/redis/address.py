"""Redis addresses: the forms of `redis.url`, read once at start.

| form                                                        | means                                          |
| ----------------------------------------------------------- | ---------------------------------------------- |
| `redis://[user:password@]host[:port][/db]`                  | one server                                     |
| `unix:///path[?db=N&password=…]`                            | one server, on a unix socket                   |
| `redis+cluster://[user:password@]host:port,…`               | Redis Cluster: some nodes, the rest is asked   |
| `redis+sentinel://[user:password@]host:port,…/service[/db]` | the master that the Sentinels name; their own  |
|                                                             | password is `?sentinel_password=…`             |

`rediss…` instead of `redis…` is TLS, all the way; `?ca=/path` names the authority to trust instead of the system's.
"""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

from gateway.store.ports import StoreError

FORMS: Final = (
    "redis://, rediss://, unix://, redis+cluster://, rediss+cluster://, redis+sentinel:// or rediss+sentinel://"
)
SENTINEL_PORT: Final = 26_379
_HOST: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^:\[\]@/]+)(?::([0-9]+))?")
_SERVICE: Final = re.compile(r"[A-Za-z0-9._-]+")


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
    ca: str = ""
    """File of the authorities trusted with TLS; empty: the system's."""

    def at(self, host: str, port: int) -> RedisAddress:
        """Another server, to be reached likewise."""
        return replace(self, host=host, port=port)

    def context(self) -> ssl.SSLContext | None:
        """For the connection; None without TLS. Raises BadAddress where the authorities cannot be read."""
        if not self.tls:
            return None
        try:
            return ssl.create_default_context(cafile=self.ca or None)
        except OSError as error:
            why = error.strerror or error
            raise BadAddress(f"redis url: ca {self.ca!r}: {why}: name a readable PEM file") from None

    def __str__(self) -> str:
        return self.path or f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Deployment:
    """What `redis.url` names. A single server: one address. A cluster: some of its nodes. Sentinel: the Sentinels, in
    `addresses`, and the rest of what is needed to reach the master of `service`, in `master`."""

    kind: str
    """`single`, `cluster` or `sentinel`."""
    addresses: tuple[RedisAddress, ...]
    service: str = ""
    master: RedisAddress = RedisAddress()


def read_deployment(url: str) -> Deployment:
    """Any form. Raises BadAddress."""
    scheme, _, rest = url.partition("://")
    plain, _, kind = scheme.partition("+")
    if not kind:
        return Deployment("single", (read_address(url),))
    if kind not in ("cluster", "sentinel") or plain not in ("redis", "rediss"):
        raise BadAddress(f"redis url: scheme {scheme!r}: use {FORMS}")
    place, _, query_text = rest.partition("?")
    query = {name: values[0] for name, values in parse_qs(query_text).items()}
    known = {"ca"} if kind == "cluster" else {"ca", "db", "sentinel_username", "sentinel_password"}
    if unknown := sorted(set(query) - known):
        raise BadAddress(f"redis url: {unknown[0]}=: {kind} knows {', '.join(sorted(known))}")
    place, _, path = place.partition("/")
    user, _, hosts = place.rpartition("@")
    username, _, password = user.partition(":")
    tls, ca = plain == "rediss", query.get("ca", "")
    reached = RedisAddress("", "", 0, tls, unquote(username), unquote(password), 0, ca)
    if kind == "cluster":
        if path.strip("/"):
            raise BadAddress(f"redis url: database {path!r}: a cluster has only database 0: leave it out")
        return Deployment(kind, tuple([reached.at(*_host(host, 6379)) for host in hosts.split(",")]))
    service, _, database = path.strip("/").partition("/")
    if not _SERVICE.fullmatch(service):
        raise BadAddress("redis url: service missing: end it with /mymaster, the Sentinels' name of the master")
    login = (query.get("sentinel_username", ""), query.get("sentinel_password", ""))
    watcher = RedisAddress("", "", 0, tls, *login, 0, ca)
    master = replace(reached, database=_database(database or query.get("db", "0")))
    sentinels = tuple([watcher.at(*_host(host, SENTINEL_PORT)) for host in hosts.split(",")])
    return Deployment(kind, sentinels, service, master)


def _host(text: str, port: int) -> tuple[str, int]:
    found = _HOST.fullmatch(text)
    if found is None or (found[2] and not 0 < int(found[2]) < 65_536):
        raise BadAddress(f"redis url: node {text!r}: write host:port, with commas between nodes")
    return found[1].strip("[]"), int(found[2] or port)


def read_address(url: str) -> RedisAddress:
    """One server: `unix:///path?db=N`, `redis://[user:password@]host[:port][/N]` or `rediss://` (TLS).

    Raises BadAddress.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise BadAddress(f"redis url: {error}: write redis://host:port") from None  # the text may hold a password
    username, password = unquote(parts.username or ""), unquote(parts.password or "")
    query = parse_qs(parts.query)
    if parts.scheme == "unix":
        if not parts.path:
            raise BadAddress("redis url: a unix url needs a path: unix:///run/redis.sock?db=0")
        password = password or query.get("password", [""])[0]
        path = unquote((parts.hostname or "") + parts.path)
        return RedisAddress(path, "", 0, False, username, password, _database(query.get("db", ["0"])[0]))
    if parts.scheme not in ("redis", "rediss"):
        raise BadAddress(f"redis url: scheme {parts.scheme!r}: use {FORMS}")
    database = _database(parts.path.strip("/") or query.get("db", ["0"])[0])
    tls, ca = parts.scheme == "rediss", query.get("ca", [""])[0]
    return RedisAddress("", parts.hostname or "localhost", port or 6379, tls, username, password, database, ca)


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
