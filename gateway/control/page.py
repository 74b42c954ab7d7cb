"""The status page at `/`: one glance at the node, no script, nothing loaded from elsewhere."""

from __future__ import annotations

from html import escape

from gateway.control.health import Report
from gateway.settings import Settings
from gateway.telemetry.collector import StatsHub
from gateway.telemetry.metrics import NAMES

REFRESH_S = 5

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1c2430}
h1{font-size:1.4rem}h2{font-size:1.05rem;margin-top:2rem}
table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.3rem .8rem .3rem 0;
border-bottom:1px solid #dde3ea}td.n{text-align:right;font-variant-numeric:tabular-nums}
.ok{color:#0a6b3b}.bad{color:#a3161a;font-weight:600}
code{background:#f1f4f7;padding:.1rem .3rem;border-radius:3px}
"""


def status_page(settings: Settings, report: Report, hub: StatsHub) -> str:
    """HTML of the node's state now. It holds no subscriber number."""
    listeners = ", ".join(f"{item.transport} {item.address}:{item.port}" for item in settings.listener)
    word = f'<span class="{"ok" if report.status == "ready" else "bad"}">{report.status}</span>'
    parts = _table(
        ("part", "state", "detail"),
        [(escape(name), _state(part.ok), escape(part.detail)) for name, part in sorted(report.parts.items())],
    )
    calls = _samples(hub, "callgate_calls_total", ("trunk", "direction", "verdict", "rule"))
    drained = {labels for labels, value in hub.samples(NAMES["callgate_peer_drained"]) if value > 0}
    peers = _table(
        ("trunk", "peer", "state"),
        [
            (escape(peer[0]), escape(peer[1]), "drained" if peer in drained else "in use" if up > 0 else _state(False))
            for peer, up in hub.samples(NAMES["callgate_peer_up"])
        ],
    )
    active = sum(value for _, value in hub.samples(NAMES["callgate_active_calls"]))
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f"<title>Callgate: {escape(settings.node.name)}</title>"
        f'<meta http-equiv="refresh" content="{REFRESH_S}">'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head><body>'
        f"<h1>Callgate, {escape(settings.node.name)}: {word}</h1>"
        f"<p>SIP on {escape(listeners)}; {active:.0f} active calls. "
        '<a href="/metrics">metrics</a> · <a href="/readyz">readyz</a> · '
        '<a href="/api/openapi.json">API description</a></p>'
        f"<h2>Parts</h2>{parts}<h2>Peers</h2>{peers}<h2>Decisions since start</h2>{calls}"
        "<p>More: <code>callgate calls</code>, <code>callgate explain</code>, <code>callgate demo</code>.</p>"
        "</body></html>"
    )


def _state(ok: bool) -> str:
    return '<span class="ok">up</span>' if ok else '<span class="bad">down</span>'


def _samples(hub: StatsHub, name: str, head: tuple[str, ...]) -> str:
    rows = [(*map(escape, labels), f"{value:.0f}") for labels, value in hub.samples(NAMES[name])]
    return _table((*head, "count"), rows)


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """Cells are HTML already."""
    if not rows:
        return "<p>none yet</p>"
    top = "".join(f"<th>{cell}</th>" for cell in head)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"
