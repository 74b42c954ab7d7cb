"""TLS on real sockets with real certificates: versions, mutual, whose certificate, and files that change."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress
from pathlib import Path

import pytest

from gateway.net.path import Path as StreamPath
from gateway.net.tls import TlsContexts, TlsError, TlsFiles, sip_identities, speaks_for
from gateway.proxy.peer import Destination
from tests.support.certificates import Authority
from tests.support.redis_fixtures import until
from tests.support.streams import Phone, Site, Sites, each_loop
from tests.unit.sip.samples import request

GOOD = request(b"Content-Length: 4", body=b"body")


def contexts(files: TlsFiles) -> TlsContexts:
    errors: list[TlsError] = []
    return TlsContexts(files, errors.append)


def send(destination: Destination) -> None:
    path = destination.listener
    assert isinstance(path, StreamPath)
    path.send(GOOD, destination.address)


def toward(site: Site, far: Site, name: str) -> Destination:
    """`name`: empty for the address itself."""
    return site.listener.destination(*far.address, *filter(None, (name,)))


@each_loop
async def test_a_call_over_mutual_tls_knows_both_names(sites: Sites, tmp_path: Path) -> None:
    root = Authority(tmp_path)
    site = sites(contexts(root.files("gate", "sip:gate.example", "host.gate.example")))
    far = sites(contexts(root.files("carrier", "carrier.example", "127.0.0.1", mutual=True)))
    destination = toward(site, far, "Carrier.Example")
    assert destination.via == b"SIP/2.0/TLS gate.example:5060;branch="
    assert destination.name.endswith("/tls")
    send(destination)
    await until(lambda: far.messages)
    data, connection = far.messages[0]
    assert data == GOOD
    assert connection.identities == ("gate.example",), "a SIP URI goes before DNS names"
    connection.write(GOOD)
    await until(lambda: site.messages)
    assert site.messages[0][1].identities == ("carrier.example", "127.0.0.1")
    send(toward(site, far, ""))
    await until(lambda: len(far.messages) == 2)
    assert far.listener.accepted == 2, "a connection verified for one name is not used for another"
    assert site.failed == []


@pytest.mark.parametrize("name", ["other.example", "sub.wild.example", "common.name.example", ""])
@each_loop
async def test_the_certificate_of_another_is_refused_before_anything_is_sent(
    sites: Sites, tmp_path: Path, name: str
) -> None:
    root = Authority(tmp_path)
    site = sites(contexts(root.files("gate", "gate.example")))
    far = sites(contexts(root.files("carrier", "carrier.example", "*.wild.example")))
    destination = toward(site, far, name)
    send(destination)
    await until(lambda: site.failed)
    assert site.failed == [destination]
    assert site.listener.failed["certificate"] == 1
    await until(lambda: far.ended or far.listener.refused["handshake"])  # whether our last handshake message left
    assert far.messages == []


@each_loop
async def test_a_certificate_for_one_of_the_names_of_a_trunk_will_do(sites: Sites, tmp_path: Path) -> None:
    root = Authority(tmp_path)
    site = sites(contexts(root.files("gate", "gate.example")))
    far = sites(contexts(root.files("carrier", "carrier.example")))
    names = ("127.0.0.1", "sbc.example", "carrier.example")
    send(site.listener.destination(*far.address, *names))
    await until(lambda: far.messages)
    other = site.listener.destination(*far.address, *names[:2])
    send(other)
    await until(lambda: site.failed)
    assert site.failed == [other], "the connection verified for another set of names is not used"


@each_loop
async def test_an_unknown_authority_is_refused(sites: Sites, tmp_path: Path) -> None:
    site = sites(contexts(Authority(tmp_path / "a").files("gate", "gate.example")))
    far = sites(contexts(Authority(tmp_path / "b").files("carrier", "carrier.example")))
    destination = toward(site, far, "carrier.example")
    send(destination)
    await until(lambda: site.failed)
    assert site.listener.failed["certificate"] == 1
    await until(lambda: far.listener.refused["handshake"] == 1)


@each_loop
async def test_mutual_tls_takes_nobody_without_a_certificate(sites: Sites, tmp_path: Path) -> None:
    root = Authority(tmp_path)
    site = sites(contexts(root.files("gate", "gate.example", mutual=True)))
    anonymous = ssl.create_default_context(cafile=str(root.path))
    anonymous.check_hostname = False
    reader, writer = await asyncio.open_connection(*site.address, ssl=anonymous)
    with suppress(OSError):  # an alert or a closed connection, whichever is read first
        assert await reader.read() == b""
    writer.close()
    await until(lambda: site.listener.refused["handshake"] == 1)
    assert site.listener.pending == 0


@each_loop
async def test_old_versions_and_plain_text_are_refused(sites: Sites, tmp_path: Path) -> None:
    root = Authority(tmp_path)
    site = sites(contexts(root.files("gate", "gate.example")))
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname = False
    old.load_verify_locations(root.path)
    old.set_ciphers("DEFAULT:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning):
        old.minimum_version = ssl.TLSVersion.TLSv1_1
    with pytest.warns(DeprecationWarning):
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(OSError):
        await asyncio.open_connection(*site.address, ssl=old)
    phone = await Phone.call(site.address)
    await phone.send(GOOD)
    await phone.read()
    assert await phone.read() == b""
    phone.close()
    await until(lambda: site.listener.refused["handshake"] == 2)
    assert (site.listener.pending, site.listener._per_source) == (0, {})


@each_loop
async def test_a_handshake_has_a_time(sites: Sites, tmp_path: Path) -> None:
    site = sites(contexts(Authority(tmp_path).files("gate", "gate.example")), handshake_s=0.2)
    phone = await Phone.call(site.address)
    assert await phone.read() == b""
    phone.close()
    await until(lambda: site.listener.refused["handshake"] == 1)


@each_loop
async def test_a_new_certificate_serves_new_connections_and_old_ones_go_on(
    sites: Sites, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.net.stream.SWEEP_S", 0.02)
    root = Authority(tmp_path)
    tls = contexts(root.files("carrier", "old.example"))
    far, site = sites(tls), sites(contexts(root.files("gate", "gate.example")))
    send(toward(site, far, "old.example"))
    await until(lambda: far.messages)
    root.files("carrier", "new.example")
    await until(lambda: tls.reloads)
    send(toward(site, far, "old.example"))
    await until(lambda: len(far.messages) == 2)
    assert far.messages[0][1] is far.messages[1][1]
    send(toward(site, far, "new.example"))
    await until(lambda: len(far.messages) == 3)
    assert site.failed == []


def test_files_that_cannot_be_used_leave_the_old_certificate_in_force(tmp_path: Path) -> None:
    root = Authority(tmp_path)
    files = root.files("gate", "gate.example")
    errors: list[TlsError] = []
    tls = TlsContexts(files, errors.append)
    server = tls.server
    assert not tls.refresh()
    key = files.key.read_bytes()
    files.key.write_bytes(b"half")
    assert not tls.refresh()
    assert (tls.server, tls.failures) == (server, 1)
    assert str(files.key) in str(errors[0])
    assert not tls.refresh()
    assert tls.failures == 1, "said once, not every second"
    files.key.write_bytes(key)
    assert tls.refresh()
    assert tls.server is not server
    files.key.unlink()
    assert not tls.refresh()
    assert "No such file" in str(errors[1])
    assert not tls.reload()


def test_errors_at_the_start_name_the_file_and_the_fix(tmp_path: Path) -> None:
    root = Authority(tmp_path)
    encrypted = root.files("locked", "gate.example", password=b"secret")
    with pytest.raises(TlsError, match=r"locked\.key.*unencrypted key in PEM"):
        contexts(encrypted)
    files = root.files("gate", "gate.example")
    root.path.write_bytes(b"nothing")
    with pytest.raises(TlsError, match=r"authorities .*root\.pem.*give the roots in PEM"):
        contexts(files)


def test_whose_certificate() -> None:
    uris = (("URI", "SIP:Carrier.Example"), ("URI", "sip:user@other.example"), ("URI", "https://x.example"))
    certificate = {"subjectAltName": (*uris, ("DNS", "host.example"), ("IP Address", "127.0.0.9"))}
    assert sip_identities(certificate) == ("carrier.example", "127.0.0.9")
    assert sip_identities({"subjectAltName": uris[1:]}) == ()
    assert sip_identities({"subject": ((("commonName", "carrier.example"),),)}) == ()
    assert sip_identities(None) == sip_identities({}) == ()
    assert len(sip_identities({"subjectAltName": tuple(("DNS", f"h{n}.example") for n in range(1000))})) == 64
    assert speaks_for(("carrier.example",), "CARRIER.example.")
    assert not speaks_for(("*.example",), "carrier.example")
    assert not speaks_for(("",), "")
