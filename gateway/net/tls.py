"""TLS of SIP connections: contexts that follow their files, and who a certificate speaks for (RFC 5922).

A context is made anew when one of its files changed, and serves the connections made from then on; those that are up
keep the one they have. Files that cannot be used (a key written after its certificate) leave the old context in force
and are counted, so a renewal that goes wrong stops no call before the old certificate runs out.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

MAX_IDENTITIES = 64
"""Names read of one certificate; carriers' have a handful."""


class TlsError(Exception):
    """TLS files cannot be used; the text names the file, what is wrong and the fix."""


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Where the TLS of one listener comes from."""

    certificate: Path
    """Our certificate, then its intermediates, in PEM."""
    key: Path
    """Its private key, in PEM, not encrypted."""
    authorities: Path | None = None
    """Roots that peers' certificates are checked with, in PEM; None: the system's."""
    mutual: bool = False
    """Peers that connect must show a certificate of these authorities. Without it they are not asked for one."""


class TlsContexts:
    """The contexts of one listener: `server` for connections taken, `client` for those made."""

    __slots__ = ("_files", "_on_error", "_seen", "client", "failures", "reloads", "server")

    def __init__(self, files: TlsFiles, on_error: Callable[[TlsError], None]) -> None:
        """Raises TlsError when the files cannot be used now; later failures go to `on_error`."""
        self._files = files
        self._on_error = on_error
        self.reloads = 0
        self.failures = 0
        self._seen = self._stamps()
        self.server, self.client = _contexts(files)

    def refresh(self) -> bool:
        """Look whether a file changed, and read all again if so; True when new contexts are in force. For a timer of
        about a second; it costs three stat calls. After `failures` it tries again with the next change."""
        stamps = self._stamps()
        if stamps == self._seen:
            return False
        self._seen = stamps
        return self.reload()

    def reload(self) -> bool:
        """Read the files again (SIGHUP); True when new contexts are in force."""
        try:
            contexts = _contexts(self._files)
        except TlsError as error:
            self.failures += 1
            self._on_error(error)
            return False
        self.server, self.client = contexts
        self.reloads += 1
        return True

    def _stamps(self) -> tuple[tuple[int, int, int], ...]:
        """What changes when a file is written, or another put in its place."""
        stamps = []
        for path in (self._files.certificate, self._files.key, self._files.authorities):
            if path is not None:
                try:
                    stat = path.stat()
                    stamps.append((stat.st_mtime_ns, stat.st_size, stat.st_ino))
                except OSError:
                    stamps.append((0, 0, 0))
        return tuple(stamps)


def _contexts(files: TlsFiles) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for context in (server, client):
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
        try:
            # A password callback, so that an encrypted key is an error and not a question on the terminal.
            context.load_cert_chain(files.certificate, files.key, password=lambda: b"")
        except (OSError, ssl.SSLError) as error:
            text = f"tls certificate {files.certificate} with key {files.key}: {_reason(error)}"
            raise TlsError(text + ": give the certificate chain and its unencrypted key in PEM") from error
        try:
            if files.authorities is not None:
                context.load_verify_locations(files.authorities)
            elif context is client or files.mutual:
                context.load_default_certs(ssl.Purpose.SERVER_AUTH if context is client else ssl.Purpose.CLIENT_AUTH)
        except (OSError, ssl.SSLError) as error:
            text = f"tls authorities {files.authorities}: {_reason(error)}: give the roots in PEM"
            raise TlsError(text) from error
    if files.mutual:
        server.verify_mode = ssl.CERT_REQUIRED
    # RFC 5922 §7.2 allows no wildcards and prefers SIP URIs: `speaks_for` compares, after the chain was verified.
    client.check_hostname = False
    client.verify_mode = ssl.CERT_REQUIRED
    return server, client


def _reason(error: OSError) -> str:
    return error.strerror or str(error)


def sip_identities(certificate: object) -> tuple[str, ...]:
    """The SIP domains (RFC 5922 §7.1) and IP addresses a verified certificate speaks for, in lower case.

    `certificate` is what `SSLObject.getpeercert()` gives: None or empty where none was asked for or shown. SIP URIs
    without a user count; only where there are none, the DNS names do. We depart: the common name never counts.
    """
    domains: list[str] = []
    hosts: list[str] = []
    addresses: list[str] = []
    if isinstance(certificate, dict):
        for kind, value in certificate.get("subjectAltName", ())[:MAX_IDENTITIES]:
            value = value.lower()
            if kind == "URI" and value.startswith("sip:"):
                domain = value[4:].partition(";")[0]
                if domain and not set(domain) & set("@?/%"):
                    domains.append(domain)
            elif kind == "DNS":
                hosts.append(value)
            elif kind == "IP Address":
                addresses.append(value)
    return tuple(dict.fromkeys((domains or hosts) + addresses))


def speaks_for(identities: tuple[str, ...], name: str) -> bool:
    """True when a certificate with these `sip_identities` is one for the domain or address `name` (RFC 5922 §7.2:
    letter for letter, in any case, no wildcards)."""
    return bool(name) and name.lower().rstrip(".") in identities
