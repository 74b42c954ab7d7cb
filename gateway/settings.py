"""The settings as plain typed values: what every process of the gateway is given.

Light on purpose: no pydantic here, so that a worker which was killed is back at once. `settings_load` reads
the TOML file and the environment, checks them and makes one `Settings`; the supervisor hands it to its
children as JSON (`to_json` / `from_json`). `settings_load` checks by the bounds in the annotations and quotes
the help text beside them.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import msgspec
from annotated_types import Ge, Le, MinLen

Port = Annotated[int, Ge(1), Le(65_535), "a port number, 1 to 65535"]

MAX_SOCKET_PATH = 90
"""Bytes a directory of unix sockets may have: the kernel's limit for the whole path is 107 (unix(7))."""

_FORBID = {"extra": "forbid"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """This machine's place among the others."""

    __pydantic_config__: ClassVar[dict[str, str]] = _FORBID
    name: Annotated[str, MinLen(1), "the node's name; it names its journals and stands in every record"] = "node-1"
    state_dir: Annotated[str, MinLen(1), "directory for journals, keys and embedded servers"] = "var"
    workers: Annotated[int, Ge(0), Le(64), "SIP workers behind the one address, at most one a core; 0 = none here"] = 1
    drain_s: Annotated[float, Ge(0), Le(3600), "seconds live transactions get to finish at shutdown"] = 32.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """One address and port SIP is received on."""

    __pydantic_config__: ClassVar[dict[str, str]] = _FORBID
    name: Annotated[str, MinLen(1), "the name trunks refer to"]
    address: Annotated[str, MinLen(1), "an IP address of this machine, not a host name"]
    port: Port = 5060
    transport: Annotated[Literal["udp", "tcp", "tls"], "`udp`, `tcp` or `tls`"] = "udp"
    advertised_host: Annotated[str, "host put into Via and Record-Route; empty = the address"] = ""
    advertised_port: Annotated[int, Ge(0), Le(65_535), "port put into Via and Record-Route; 0 = the port"] = 0
    certificate: Annotated[str, "tls: PEM file, our certificate first; empty = one made in state_dir"] = ""
    key: Annotated[str, "tls: PEM file of the certificate's private key, not encrypted"] = ""
    authorities: Annotated[str, "tls: PEM file of the roots that peers are checked with; empty = the system's"] = ""
    mutual: Annotated[bool, "tls: true (peers that connect must show a certificate of authorities) or false"] = False

    @property
    def host(self) -> str:
        """What Via and Record-Route say (IPv6 in brackets)."""
        host = self.advertised_host or self.address
        return f"[{host}]" if ":" in host and not host.startswith("[") else host

    @property
    def public_port(self) -> int:
        """The port Via and Record-Route say."""
        return self.advertised_port or self.port


@dataclass(frozen=True, slots=True, kw_only=True)
class Streams:
    """Bounds of the connections of each TCP and TLS listener."""

    __pydantic_config__: ClassVar[dict[str, str]] = _FORBID
    connections: Annotated[int, Ge(1), Le(100_000), "connections of one listener, in all"] = 10_000
    per_source: Annotated[int, Ge(1), Le(100_000), "connections taken from one address"] = 100
    connect_s: Annotated[float, Ge(0.1), Le(60), "seconds a connection to a next hop may take, TLS included"] = 3.0
    handshake_s: Annotated[float, Ge(0.1), Le(60), "seconds a peer's TLS handshake may take"] = 5.0
    message_s: Annotated[float, Ge(0.1), Le(600), "seconds from a message's first octet to its last"] = 32.0
    idle_s: Annotated[float, Ge(1), Le(86_400), "seconds without an octet after which a connection is closed"] = 600.0
    stall_s: Annotated[float, Ge(0.1), Le(600), "seconds a peer may leave unread what was written"] = 32.0
    max_output_kb: Annotated[int, Ge(64), Le(65_536), "KiB that may wait for a peer to read"] = 1_024


@dataclass(frozen=True, slots=True, kw_only=True)
class Redis:
    """Where the projection is. Empty url: a private embedded server under the state directory."""

    __pydantic_config__: ClassVar[dict[str, str]] = _FORBID
    url: Annotated[
        str,
        "redis://host:port/db, unix:///path, redis+cluster://host:port,… or redis+sentinel://host:port,…/service; "
        "empty = embedded",
    ] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """Where the system of record is. Empty url: a private embedded server under the state directory."""

    __pydantic_config__: ClassVar[dict[str, str]] = _FORBID
    url: Annotated[str, "postgresql://user@host/name; empty = embedded"] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Http:
    """Metrics, health, status page and API."""

    __pydantic_config__: ClassVar[dict[str, str]] = _FORBID
    address: Annotated[str, MinLen(1), "an IP address of this machine, not a host name"] = "127.0.0.1"
    port: Port = 8080
    requests_per_s: Annotated[float, Ge(0.1), Le(10_000), "API requests a second of one token; twice that at once"] = 50
    max_upload_mb: Annotated[int, Ge(1), Le(65_536), "MiB an uploaded list may have"] = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """The decision."""

    __pydantic_config__: ClassVar[dict[str, str]] = _FORBID
    deadline_ms: Annotated[int, Ge(1), Le(5_000), "milliseconds one whole decision may wait for Redis"] = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Journal:
    """Evidence on this node's disk."""

    __pydantic_config__: ClassVar[dict[str, str]] = _FORBID
    sync: Annotated[
        Literal["interval", "always"], "`interval` (fsync in the background) or `always` (before each answer)"
    ] = "interval"
    interval_ms: Annotated[int, Ge(1), Le(60_000), "milliseconds between two fsyncs"] = 50
    segment_mb: Annotated[int, Ge(1), Le(4_096), "MiB a journal file may reach before the next begins"] = 64
    required: Annotated[bool, "true (no evidence, no call) or false"] = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Timers:
    """SIP timers (RFC 3261 table 4) and ours."""

    __pydantic_config__: ClassVar[dict[str, str]] = _FORBID
    t1_ms: Annotated[int, Ge(10), Le(10_000), "milliseconds of round-trip estimate, T1"] = 500
    t2_ms: Annotated[int, Ge(10), Le(60_000), "milliseconds of the longest retransmit interval, T2"] = 4_000
    t4_ms: Annotated[int, Ge(10), Le(60_000), "milliseconds a message stays in the network, T4"] = 5_000
    timer_c_s: Annotated[float, Ge(1), Le(3_600), "seconds an INVITE may ring, Timer C"] = 180.0
    first_response_s: Annotated[float, Ge(0.05), Le(60), "seconds a hop has for its first response"] = 4.0
    cookie_hours: Annotated[float, Ge(0.1), Le(720), "hours a dialog cookie lets everything pass"] = 24.0
    max_call_hours: Annotated[float, Ge(0.1), Le(168), "hours after which a call without BYE is ended"] = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """OPTIONS to the next hops, so that calls skip those that are down."""

    __pydantic_config__: ClassVar[dict[str, str]] = _FORBID
    enabled: Annotated[bool, "true or false (every next hop is taken for up)"] = True
    single_hops: Annotated[bool, "true, or false: no probes where calls have no other next hop to go to"] = True
    skip_trunks: Annotated[tuple[str, ...], "ids of trunks that are not probed"] = ()
    interval_ms: Annotated[int, Ge(100), Le(600_000), "milliseconds between two probes of a next hop"] = 2_000
    timeout_ms: Annotated[int, Ge(50), Le(32_000), "milliseconds an answer may take, below interval_ms"] = 1_400
    down_after: Annotated[int, Ge(1), Le(100), "missed probes in a row that take a next hop down"] = 2
    up_after: Annotated[int, Ge(1), Le(100), "answered probes in a row that bring it up again"] = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Dns:
    """Name servers for next hops that are names (RFC 3263)."""

    __pydantic_config__: ClassVar[dict[str, str]] = _FORBID
    nameservers: Annotated[tuple[str, ...], "IP addresses of name servers; empty = those of /etc/resolv.conf"] = ()
    port: Port = 53
    timeout_ms: Annotated[int, Ge(50), Le(30_000), "milliseconds one look-up may take, all its attempts"] = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Overload:
    """When new calls are shed (503 + Retry-After). Emergency calls and calls that are up are not."""

    __pydantic_config__: ClassVar[dict[str, str]] = _FORBID
    enabled: Annotated[bool, "true or false (only full tables refuse calls)"] = True
    delay_ms: Annotated[int, Ge(1), Le(10_000), "milliseconds messages may wait to be read, for 100 ms on end"] = 20
    max_delay_ms: Annotated[int, Ge(1), Le(60_000), "milliseconds after which no new call is taken while shedding"] = 40
    waiting: Annotated[int, Ge(1), Le(10_000), "calls that may wait for the store before others are shed"] = 2_000
    retry_after_s: Annotated[int, Ge(1), Le(3_600), "least seconds in Retry-After; up to 2 more are added"] = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """Changes of the registry."""

    __pydantic_config__: ClassVar[dict[str, str]] = _FORBID
    max_shrink: Annotated[float, Ge(0), Le(1), "share of numbers, ranges or trunks a change takes away unasked"] = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """Secrets of the deployment."""

    __pydantic_config__: ClassVar[dict[str, str]] = _FORBID
    file: Annotated[
        str, "key file, made at first start; empty = keys.json in state_dir; not read where CALLGATE_KEYS is set"
    ] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """What an empty database is filled with."""

    __pydantic_config__: ClassVar[dict[str, str]] = _FORBID
    directory: Annotated[str, "directory loaded into an EMPTY database at start; empty = none"] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """Logs go to stderr."""

    __pydantic_config__: ClassVar[dict[str, str]] = _FORBID
    level: Annotated[Literal["debug", "info", "warning", "error"], "debug, info, warning or error"] = "info"
    format: Annotated[Literal["text", "json"], "`text` (key=value) or `json`"] = "text"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything one process of the gateway is told.

    Paths in the file are relative to the directory the command is started in, not to the file's; they are
    absolute once `settings_load` made this.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = _FORBID
    node: Node = field(default_factory=Node)
    listener: tuple[Listener, ...] = (Listener(name="main", address="127.0.0.1"),)
    streams: Streams = field(default_factory=Streams)
    redis: Redis = field(default_factory=Redis)
    database: Database = field(default_factory=Database)
    http: Http = field(default_factory=Http)
    gate: Gate = field(default_factory=Gate)
    journal: Journal = field(default_factory=Journal)
    timers: Timers = field(default_factory=Timers)
    probe: Probe = field(default_factory=Probe)
    dns: Dns = field(default_factory=Dns)
    overload: Overload = field(default_factory=Overload)
    registry: Registry = field(default_factory=Registry)
    keys: Keys = field(default_factory=Keys)
    example: Example = field(default_factory=Example)
    log: Log = field(default_factory=Log)

    @property
    def state_dir(self) -> Path:
        """Journals, keys, embedded servers' data."""
        return Path(self.node.state_dir)

    @property
    def keys_file(self) -> Path:
        """The key file."""
        return Path(self.keys.file) if self.keys.file else self.state_dir / "keys.json"

    @property
    def own_certificate(self) -> Path:
        """The certificate of TLS listeners that name none (`first_certificate`)."""
        return self.state_dir / "tls" / "certificate.pem"

    @property
    def own_key(self) -> Path:
        """Its private key."""
        return self.state_dir / "tls" / "key.pem"

    @property
    def journal_dir(self) -> Path:
        """All journals of this node: one directory per worker below it."""
        return self.state_dir / "journal"

    @property
    def run_dir(self) -> Path:
        """Sockets and locks of the running processes (see `run_dir_of`)."""
        return run_dir_of(self.state_dir)

    def worker_socket(self, index: int) -> Path:
        """Unix socket on which a worker tells its counters (`telemetry.stats_socket`)."""
        return self.run_dir / f"worker-{index}.sock"

    @property
    def shipper_socket(self) -> Path:
        """Unix socket on which the shipper tells its counters."""
        return self.run_dir / "shipper.sock"

    @property
    def counters_file(self) -> Path:
        """What control remembers of counters that began anew (`telemetry.collector`)."""
        return self.run_dir / "counters.json"

    @property
    def peers_file(self) -> Path:
        """Next hops that are down, as the worker that probes has found (`worker.probing`)."""
        return self.run_dir / "peers-down.json"

    @property
    def located_file(self) -> Path:
        """Where the names among the next hops led last (`worker.locating`)."""
        return self.state_dir / "next-hops.json"

    def to_json(self) -> bytes:
        """For a child process; `from_json` is the inverse."""
        return msgspec.json.encode(self)


def from_json(data: bytes | str) -> Settings:
    """Settings another process of ours checked already. Raises msgspec.ValidationError on anything else."""
    return msgspec.json.decode(data, type=Settings)


def run_dir_of(state_dir: Path) -> Path:
    """`<state>/run`, or a short private directory named after it when socket paths would be too long."""
    plain = state_dir / "run"
    if len(os.fsencode(plain)) <= MAX_SOCKET_PATH:
        return plain
    name = hashlib.blake2b(os.fsencode(state_dir), digest_size=8).hexdigest()
    return Path(tempfile.gettempdir()) / f"callgate-{os.getuid()}-{name}"


def make_run_dir(settings: Settings) -> Path:
    """Make the run directory, mode 0700. Raises PermissionError when it is somebody else's."""
    path = settings.run_dir
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.stat().st_uid != os.getuid():
        raise PermissionError(f"{path} belongs to another user: remove it or set node.state_dir to a shorter path")
    return path
