"""The certificate of TLS listeners that name none: made at the first start, into the state directory.

Signed by itself, so nobody trusts it who was not given it: good for a first try, and for peers that pin it. It is made
anew when it is about to run out, or does not name a listener's host; workers that run take the new one up.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gateway.settings import Settings

VALID_DAYS = 3_650
RENEW_DAYS = 30
"""It is made anew at a start when fewer are left."""


def ensure_certificate(settings: Settings) -> None:
    """Make the certificate if a listener needs it and it is not there. Raises OSError."""
    hosts = [item.host.strip("[]") for item in settings.listener if item.transport == "tls" and not item.certificate]
    if not hosts:
        return
    hosts += [item.address for item in settings.listener if item.transport == "tls" and not item.certificate]
    names = sorted({_general(host) for host in hosts}, key=str)
    if settings.own_certificate.exists() and settings.own_key.exists() and _serves(settings.own_certificate, names):
        return
    settings.own_certificate.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    certificate, key = _make(names)
    # The key first: a worker that looks between the two finds that they do not match, and keeps what it has.
    _write(settings.own_key, key, 0o600)
    _write(settings.own_certificate, certificate, 0o644)


def _serves(path: Path, names: list[x509.GeneralName]) -> bool:
    try:
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
        there = list(certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
    except (ValueError, x509.ExtensionNotFound):
        return False
    left = certificate.not_valid_after_utc - datetime.now(UTC)
    return left > timedelta(days=RENEW_DAYS) and all(name in there for name in names)


def _make(names: list[x509.GeneralName]) -> tuple[bytes, bytes]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "callgate")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=VALID_DAYS))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return certificate.public_bytes(pem), private


def _general(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _write(path: Path, data: bytes, mode: int) -> None:
    """Whole or not at all, and readable to nobody else from the first octet on."""
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
