"""A gateway with a listener for every transport and family, and a core trunk behind each."""

from __future__ import annotations

import shutil
import ssl
from pathlib import Path

from gateway.net.tls import TlsFiles
from tests.support.certificates import Authority
from tests.support.gateway_process import CONFIG, PATIENT, GatewayProcess, free_port
from tests.support.sides import Side, Tls

CORES = {
    "udp": ("127.0.0.9", 5060, "udp"),
    "tcp": ("127.0.0.10", 5060, "tcp"),
    "tls": ("127.0.0.11", 5061, "tls"),
    "large": ("127.0.0.12", 5060, "udp+tcp"),
    "six": ("[::1]", 5063, "udp"),
}
"""Core trunk: its host, port and transport."""

CALLEE = "+8613800138000"


def caller_for(core: str) -> str:
    """A number whose calls leave by that core trunk."""
    return f"+865711234{list(CORES).index(core)}001"


def operators() -> str:
    """The example's registry without trunks and ranges, papers included."""
    text = (CONFIG.parent / "registry.toml").read_text(encoding="utf-8")
    return text[: text.index("[[trunk]]")] + text[text.index("# Papers.") :]


def registry() -> str:
    """The example's registry with these trunks."""
    parts = [operators()]
    for name, listeners in (("cc-alpha", '["main", "tcp", "tls"]'), ("cc-six", '["six", "six-tcp"]')):
        host = "127.0.0.2" if name == "cc-alpha" else "::1"
        hop = "127.0.0.2:5070" if name == "cc-alpha" else "[::1]:5070"
        parts.append(
            f'[[trunk]]\nid = "{name}"\nside = "access"\noperator = "alpha"\nsources = ["{host}"]\n'
            f'listeners = {listeners}\nnext_hops = ["{hop}"]\narea = "571"\n'
        )
    for index, (name, (host, port, transport)) in enumerate(CORES.items()):
        listeners = '\nlisteners = ["six-core"]' if name == "six" else ""
        parts.append(
            f'[[trunk]]\nid = "core-{name}"\nside = "core"\nsources = ["{host.strip("[]")}"]{listeners}\n'
            f'next_hops = ["{host}:{port}/{transport}"]\ntrusted = true\n'
            f'[[range]]\nid = "range-{name}"\nfirst = "+865711234{index}000"\nlast = "+865711234{index}999"\n'
            f'operator = "alpha"\ntrunks = ["cc-alpha", "cc-six"]\negress = ["core-{name}"]\noutbound = true\n'
            f'inbound = true\npurposes = ["consultation"]\ncertificate = "C"\nfiling = "F"\n'
        )
    return "\n".join(parts)


class TransportSite:
    """The running gateway, its ports and the certificates of all."""

    def __init__(
        self, directory: Path, streams: dict[str, str] | None = None, *, mutual: bool = False, trunks: str = ""
    ) -> None:
        """`streams`: more CALLGATE_… variables. `mutual`: peers that connect by TLS must show a certificate. `trunks`:
        the registry, instead of the one above."""
        self.authority = Authority(directory / "certificates")
        files = self.authority.files("gateway", "127.0.0.1")
        example = directory / "example"
        example.mkdir()
        (directory / "packs").mkdir()
        shutil.copy(CONFIG.parents[1] / "packs/example.toml", directory / "packs")
        shutil.copy(CONFIG.parent / "consents.csv", example)
        (example / "registry.toml").write_text(trunks or registry(), encoding="utf-8")
        self.six = free_port(), free_port(), free_port()
        more: list[dict[str, object]] = [
            {"name": name, "address": "::1", "port": port, "transport": transport}
            for name, port, transport in zip(
                ("six", "six-tcp", "six-core"), self.six, ("udp", "tcp", "udp"), strict=True
            )
        ]
        tls: dict[str, object] = {
            "certificate": str(files.certificate),
            "key": str(files.key),
            "authorities": str(self.authority.path),
            "mutual": mutual,
        }
        self.gateway = GatewayProcess(
            directory / "state",
            tcp=True,
            tls_port=free_port(),
            tls=tls,
            more=more,
            # SIPp takes an OPTIONS for a call that failed.
            env={
                **PATIENT, "CALLGATE_EXAMPLE__DIRECTORY": str(example), "CALLGATE_PROBE__ENABLED": "false",
                **(streams or {}),
            },
        )

    def address(self, transport: str, six: bool = False) -> tuple[str, int]:
        """Where the gateway listens."""
        if six:
            return "::1", self.six[transport == "tcp"]
        return "127.0.0.1", self.gateway.tls_port if transport == "tls" else self.gateway.sip_port

    def tls(self, *names: str) -> Tls:
        """Of a phone whose certificate is for these hosts, domains or URIs."""
        files = self.authority.files(f"phone-{names[0].replace(':', '-')}", *names)
        return Tls(_context(files, ssl.PROTOCOL_TLS_CLIENT), _context(files, ssl.PROTOCOL_TLS_SERVER))

    async def access(self, transport: str, six: bool = False) -> Side:
        """A call centre's phone."""
        host = "::1" if six else "127.0.0.2"
        tls = self.tls(host) if transport == "tls" else None
        return await Side.open(transport, host, 0, self.address(transport, six), tls)

    async def core(self, name: str, transport: str = "") -> Side:
        """The carrier's end of a core trunk, at its next hop."""
        host, port, usual = CORES[name]
        transport = transport or usual
        host = host.strip("[]")
        tls = self.tls(host) if transport == "tls" else None
        address = ("::1", self.six[2]) if name == "six" else self.address(transport)
        return await Side.open(transport, host, port, address, tls)


def _context(files: TlsFiles, protocol: int) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.load_cert_chain(files.certificate, files.key)
    assert files.authorities is not None
    context.load_verify_locations(files.authorities)
    return context
