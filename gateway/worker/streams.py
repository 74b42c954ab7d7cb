"""The TCP and TLS listeners that the settings name."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from gateway.net.stream import StreamListener
from gateway.net.stream_edge import StreamEdge
from gateway.net.stream_user import StreamLimits
from gateway.net.tasks import Report
from gateway.net.tls import TlsContexts, TlsError, TlsFiles
from gateway.settings import Listener, Settings, Streams
from gateway.telemetry.logs import get_logger
from gateway.telemetry.metrics import Samples

_log = get_logger(__name__)


def listen_streams(streams: StreamEdge, settings: Settings, report: Report) -> None:
    """Bind all of them. Raises OSError, or TlsError where certificates cannot be used; `report` is told of tasks that
    die."""
    limits = limits_of(settings.streams)
    for entry in settings.listener:
        if entry.transport != "udp":
            tls = TlsContexts(tls_files(settings, entry), _tls_failed) if entry.transport == "tls" else None
            sent_by = f"{entry.host}:{entry.public_port}".encode()
            streams.listen(entry.name, entry.address, entry.port, sent_by, report, tls, limits)


def limits_of(bounds: Streams) -> StreamLimits:
    """The bounds as the listeners take them."""
    return StreamLimits(
        connections=bounds.connections,
        per_source=bounds.per_source,
        connect_s=bounds.connect_s,
        handshake_s=bounds.handshake_s,
        message_s=bounds.message_s,
        idle_s=bounds.idle_s,
        stall_s=bounds.stall_s,
        max_output=bounds.max_output_kb << 10,
    )


def tls_files(settings: Settings, entry: Listener) -> TlsFiles:
    """Where the TLS of a listener comes from."""
    certificate = Path(entry.certificate) if entry.certificate else settings.own_certificate
    key = Path(entry.key) if entry.key else settings.own_key
    return TlsFiles(certificate, key, Path(entry.authorities) if entry.authorities else None, entry.mutual)


def stream_samples(listeners: Iterable[StreamListener]) -> dict[str, Samples]:
    """What the listeners have counted, by metric."""
    found: dict[str, list[tuple[tuple[str, ...], float]]] = {}
    for listener in listeners:
        name = listener.name
        found.setdefault("callgate_connections", []).append(((name,), len(listener.connections)))
        found.setdefault("callgate_connections_accepted_total", []).append(((name,), listener.accepted))
        for kind, counts in (("refused", listener.refused), ("failed", listener.failed), ("closed", listener.closed)):
            rows = found.setdefault(f"callgate_connections_{kind}_total", [])
            rows.extend(((name, reason), count) for reason, count in counts.items())
        if listener.tls is not None:
            rows = found.setdefault("callgate_tls_reloads_total", [])
            rows += [((name, "done"), listener.tls.reloads), ((name, "failed"), listener.tls.failures)]
    return dict(found)


def _tls_failed(error: TlsError) -> None:
    _log.error("tls files cannot be used; the certificate before stays in force", reason=str(error))
