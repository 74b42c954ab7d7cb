"""The certificate that is made where a TLS listener names none."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from cryptography import x509

import gateway.first_certificate as module
from gateway.first_certificate import ensure_certificate
from gateway.net.tls import TlsContexts, sip_identities
from gateway.settings import Listener, Node, Settings
from gateway.worker.streams import tls_files

TLS = Listener(name="tls", address="127.0.0.1", port=5061, transport="tls", advertised_host="Gate.Example")


def settings(tmp_path: Path, *listeners: Listener) -> Settings:
    return Settings(node=Node(state_dir=str(tmp_path)), listener=listeners or (TLS,))


def test_it_is_made_once_and_serves(tmp_path: Path) -> None:
    made = settings(tmp_path)
    ensure_certificate(made)
    first = made.own_certificate.read_bytes()
    assert made.own_key.stat().st_mode & 0o777 == 0o600
    assert made.own_key.parent.stat().st_mode & 0o777 == 0o700
    TlsContexts(tls_files(made, TLS), lambda error: None)
    ensure_certificate(made)
    assert made.own_certificate.read_bytes() == first
    assert sorted(path.name for path in made.own_key.parent.iterdir()) == ["certificate.pem", "key.pem"]


def test_it_names_every_host(tmp_path: Path) -> None:
    made = settings(tmp_path, TLS, dataclasses.replace(TLS, name="six", address="::1", advertised_host=""))
    ensure_certificate(made)
    names = names_of(made)
    assert sorted(names) == ["127.0.0.1", "::1", "Gate.Example"]
    assert sip_identities({"subjectAltName": [("DNS", "Gate.Example")]}) == ("gate.example",)


def names_of(made: Settings) -> list[str]:
    certificate = x509.load_pem_x509_certificate(made.own_certificate.read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return [str(name.value) for name in names]


def test_it_is_made_anew_for_another_host_and_before_it_runs_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ensure_certificate(settings(tmp_path))
    made = settings(tmp_path, dataclasses.replace(TLS, advertised_host="other.example"))
    ensure_certificate(made)
    assert "other.example" in names_of(made)
    before = made.own_certificate.read_bytes()
    monkeypatch.setattr(module, "RENEW_DAYS", module.VALID_DAYS + 1)
    ensure_certificate(made)
    assert made.own_certificate.read_bytes() != before


def test_what_cannot_be_read_is_made_anew(tmp_path: Path) -> None:
    made = settings(tmp_path)
    ensure_certificate(made)
    made.own_certificate.write_bytes(b"half")
    ensure_certificate(made)
    TlsContexts(tls_files(made, TLS), lambda error: None)


@pytest.mark.parametrize(
    "listener",
    [dataclasses.replace(TLS, transport="tcp"), dataclasses.replace(TLS, certificate="c.pem", key="k.pem")],
    ids=["tcp", "own files"],
)
def test_it_is_not_made_where_none_is_needed(tmp_path: Path, listener: Listener) -> None:
    made = settings(tmp_path, listener)
    ensure_certificate(made)
    assert not made.own_key.exists()
