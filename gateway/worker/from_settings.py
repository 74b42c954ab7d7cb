"""The settings as the parts of a worker take them."""

from __future__ import annotations

from gateway.proxy.overload import OverloadSettings
from gateway.settings import Settings
from gateway.transaction.timers import TimerValues


def overload_settings(settings: Settings) -> OverloadSettings:
    """As the proxy takes them."""
    given = settings.overload
    return OverloadSettings(
        delay_s=given.delay_ms / 1000,
        max_delay_s=given.max_delay_ms / 1000,
        waiting=given.waiting,
        retry_after_s=given.retry_after_s,
    )


def timer_values(settings: Settings) -> TimerValues:
    """As the transactions take them, in seconds."""
    timers = settings.timers
    return TimerValues(
        timers.t1_ms / 1000, timers.t2_ms / 1000, timers.t4_ms / 1000, timers.timer_c_s, timers.first_response_s
    )


def own_hosts(settings: Settings) -> list[bytes]:
    """Hosts that a Request-URI may name for us: of every listener, as bound and as advertised."""
    hosts = [host for entry in settings.listener for host in (entry.host, entry.address)]
    # As a parsed URI has them: IPv6 in brackets (RFC 3261 §25.1, IPv6reference).
    return [(f"[{host}]" if ":" in host and host[0] != "[" else host).encode().lower() for host in hosts]
