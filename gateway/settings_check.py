"""What is wrong with settings although every single value has a right type and is within its bounds."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path

from gateway.settings import Listener, Settings
from gateway.store.redis.address import BadAddress, read_deployment

NODE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""A node's name is part of the names of its journals' directories."""


def contradictions(settings: Settings) -> list[str]:
    """What is wrong although every single value is right."""
    found: list[str] = []
    node = settings.node
    if not NODE_NAME.fullmatch(node.name):
        found.append(
            f"node.name = {node.name!r}: not a name of a node; fix: write 1 to 64 letters, digits, '.', '_' and '-', "
            "a letter or digit first"
        )
    if not settings.listener:
        found.append("listener = []: nothing would be received; fix: add a [[listener]] with name and address")
    names: set[str] = set()
    places: set[tuple[str, int, str]] = set()
    for number, listener in enumerate(settings.listener, 1):
        if listener.name in names:
            found.append(f"listener[{number}].name = {listener.name!r}: used twice; fix: give each its own name")
        names.add(listener.name)
        kind = "udp" if listener.transport == "udp" else "tcp"
        place = (listener.address, listener.port, kind)
        if place in places:
            found.append(
                f"listener[{number}].port = {listener.port}: taken on {listener.address} already; "
                "fix: give each its own address or port"
            )
        places.add(place)
        found.extend(_bad_address(f"listener[{number}].address", listener.address))
        found.extend(_bad_tls(f"listener[{number}]", listener))
        if listener.transport != "udp" and node.workers > 1:
            found.append(
                f"listener[{number}].transport = {listener.transport!r}: with node.workers = {node.workers} only UDP "
                "is served, because a connection belongs to one worker; fix: set node.workers = 1, or run another "
                "node for TCP and TLS"
            )
    found.extend(_bad_address("http.address", settings.http.address))
    found.extend(_bad_redis(settings.redis.url))
    found.extend(_bad_url("database.url", settings.database.url, ("postgresql://", "postgresql+asyncpg://")))
    timers = settings.timers
    if timers.t2_ms < timers.t1_ms:
        found.append(f"timers.t2_ms = {timers.t2_ms}: less than timers.t1_ms; fix: give {timers.t1_ms} or more")
    if timers.cookie_hours < timers.max_call_hours:
        found.append(
            f"timers.cookie_hours = {timers.cookie_hours}: less than timers.max_call_hours, so that "
            f"a long call could be changed no more; fix: give {timers.max_call_hours} or more"
        )
    probe = settings.probe
    if probe.timeout_ms >= probe.interval_ms:
        found.append(
            f"probe.timeout_ms = {probe.timeout_ms}: not below probe.interval_ms, so that probes would overlap; "
            f"fix: give less than {probe.interval_ms}"
        )
    for number, server in enumerate(settings.dns.nameservers, 1):
        found.extend(_bad_address(f"dns.nameservers[{number}]", server))
    overload = settings.overload
    if overload.max_delay_ms < overload.delay_ms:
        found.append(
            f"overload.max_delay_ms = {overload.max_delay_ms}: less than overload.delay_ms; "
            f"fix: give {overload.delay_ms} or more"
        )
    directory = settings.example.directory
    if directory and not Path(directory).is_dir():
        found.append(f"example.directory = {directory!r}: no such directory; fix: correct it, or leave it empty")
    return found


REDIS_SCHEMES = (
    "redis://", "rediss://", "unix://", "redis+cluster://", "rediss+cluster://", "redis+sentinel://",
    "rediss+sentinel://",
)  # fmt: skip


def _bad_address(key: str, value: str) -> list[str]:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return [f"{key} = {value!r}: not an IP address; fix: give one such as 127.0.0.1 or ::1"]
    return []


def _bad_tls(key: str, listener: Listener) -> list[str]:
    found = []
    names = [name for name in ("certificate", "key", "authorities", "mutual") if getattr(listener, name)]
    if listener.transport != "tls":
        return [f"{key}.{name}: only a TLS listener has it; fix: remove it, or set transport = 'tls'" for name in names]
    if bool(listener.certificate) != bool(listener.key):
        found.append(f"{key}.certificate and .key belong together; fix: give both, or neither and one is made")
    if listener.mutual and not listener.authorities:
        found.append(
            f"{key}.mutual = true: whoever has any public certificate could connect; fix: give {key}.authorities, "
            "the roots of your peers' certificates"
        )
    for name in ("certificate", "key", "authorities"):
        path = getattr(listener, name)
        if path and not Path(path).is_file():
            found.append(f"{key}.{name} = {path!r}: no such file; fix: correct it, or leave it empty")
    return found


def _bad_url(key: str, value: str, schemes: tuple[str, ...]) -> list[str]:
    if not value or value.startswith(schemes):
        return []
    shown = value.partition("://")[0] + "://…" if "://" in value else value  # a URL may hold a password
    return [f"{key} = {shown!r}: unknown scheme; fix: begin it with {' or '.join(schemes)}, or leave it empty"]


def _bad_redis(url: str) -> list[str]:
    if found := _bad_url("redis.url", url, REDIS_SCHEMES):
        return found
    try:
        for address in read_deployment(url).addresses if url else ():
            address.context()
    except BadAddress as error:
        what, _, fix = str(error).removeprefix("redis url: ").rpartition(": ")
        return [f"redis.url: {what}; fix: {fix}"]
    return []
