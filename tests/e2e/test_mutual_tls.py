"""Trunks told apart by their certificates (mutual TLS, RFC 5922), and next hops held to theirs, through a real
gateway: who shows another certificate, or none, is a stranger."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from tests.support.certificates import Authority
from tests.support.hops import until
from tests.support.sides import Call, Side, Tls, ask, place
from tests.support.sip_text import request
from tests.support.transport_site import CALLEE, TransportSite, operators

ALPHA, BETA = ("sip:alpha.example", "sbc.alpha.example"), ("sbc.beta.example",)
"""Names in their certificates: of a SIP URI and a DNS name, the SIP URI counts (RFC 5922 §7.1)."""
ALPHA_NUMBER, BETA_NUMBER = "+8657112340001", "+8657156780001"
HOP = "127.0.0.11"
OLD_VERSION = ssl.TLSVersion.TLSv1_1


def trunks() -> str:
    """Two call centres behind one address, and a carrier by TLS."""
    parts = [operators()]
    for name, tls_name, first in (("alpha", "alpha.example", "+865711234"), ("beta", "sbc.beta.example", "+865715678")):
        parts.append(
            f'[[trunk]]\nid = "cc-{name}"\nside = "access"\noperator = "{name}"\nsources = ["127.0.0.2"]\n'
            f'listeners = ["tls"]\ntls_names = ["{tls_name}"]\nnext_hops = ["127.0.0.2:5071/tls"]\narea = "571"\n'
            f'[[range]]\nid = "{name}"\nfirst = "{first}0000"\nlast = "{first}9999"\noperator = "{name}"\n'
            f'trunks = ["cc-{name}"]\noutbound = true\npurposes = ["consultation"]\ncertificate = "C"\nfiling = "F"\n'
        )
    parts.append(
        f'[[trunk]]\nid = "carrier"\nside = "core"\nsources = ["{HOP}"]\ntls_names = ["{HOP}"]\n'
        f'next_hops = ["{HOP}:5061/tls"]\ntrusted = true\n'
    )
    return "\n".join(parts)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TransportSite]:
    made = TransportSite(tmp_path_factory.mktemp("mutual"), mutual=True, trunks=trunks())
    with made.gateway as gateway:
        yield made
        assert "callgate_errors_total{" not in gateway.get("/metrics")[1] and "Traceback" not in gateway.output()


@asynccontextmanager
async def ends(site: TransportSite, names: tuple[str, ...], hop: tuple[str, ...] = (HOP,)) -> AsyncIterator[list[Side]]:
    """A call centre's phone and the carrier's, with certificates for these names."""
    address = site.address("tls")
    opened = [
        await Side.open("tls", "127.0.0.2", 0, address, site.tls(*names)),
        await Side.open("tls", HOP, 5061, address, site.tls(*hop)),
    ]
    try:
        yield opened
    finally:
        for side in opened:
            await side.close()


def counted(site: TransportSite, name: str) -> float:
    found = re.findall(rf"^{re.escape(name)}.*? (\S+)$", site.gateway.get("/metrics")[1], re.M)
    return sum(map(float, found))


def options(number: int) -> bytes:
    via = b"SIP/2.0/TLS 127.0.0.2:5071;rport"
    return request(
        b"OPTIONS", b"sip:127.0.0.1", via=via, branch=b"z9hG4bK-o%d" % number, call_id=b"options-%d" % number
    )


async def heard(site: TransportSite, context: ssl.SSLContext, host: str = "127.0.0.2") -> bytes:
    """What an OPTIONS is answered by a connection with this context, b"" where it is refused or closed."""
    with suppress(OSError):
        reader, writer = await asyncio.open_connection(*site.address("tls"), ssl=context, local_addr=(host, 0))
        writer.write(options(1))
        try:
            async with asyncio.timeout(10):
                return await reader.read(1_000)
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
    return b""


async def test_the_certificate_says_which_trunk_it_is(site: TransportSite) -> None:
    async with ends(site, ALPHA) as (caller, callee):
        call = await place(caller, callee, ALPHA_NUMBER, CALLEE)
        await ask(caller, call.caller, b"BYE", callee)
        call = await place(caller, callee, ALPHA_NUMBER, CALLEE)
        await ask(callee, call.callee, b"BYE", caller)
        refused = await final_of(caller, BETA_NUMBER, b"as-alpha")
        assert refused == (403, b"number-foreign"), "beta's number, alpha's certificate"
    async with ends(site, BETA) as (caller, _):
        assert await final_of(caller, BETA_NUMBER, b"as-beta") == (470, b"consent-missing")
        assert await final_of(caller, ALPHA_NUMBER, b"as-beta-2") == (403, b"number-foreign")
    listed = await asyncio.to_thread(site.gateway.cli, "calls", "--caller", ALPHA_NUMBER, "--json")
    assert '"identified": "tls"' in listed.stdout and '"identified": "source"' not in listed.stdout


async def test_a_connection_offered_for_requests_is_used_for_them(site: TransportSite) -> None:
    """RFC 5923: the certificate it was verified by is the trunk's."""
    async with ends(site, ALPHA) as (caller, callee):
        caller.alias = b";alias"
        call = await place(caller, callee, ALPHA_NUMBER, CALLEE)
        await ask(callee, call.callee, b"BYE", caller)
        assert caller.connections == 0


async def final_of(caller: Side, number: str, call_id: bytes) -> tuple[int, bytes]:
    """Status and rule of a call that is refused."""
    text = request(
        b"INVITE", b"sip:%b@127.0.0.1" % CALLEE.encode(), via=caller.via, branch=b"z9hG4bK" + call_id, call_id=call_id,
        contact=caller.contact, from_=b"<sip:%b@127.0.0.2>;tag=f" % number.encode(),
    )  # fmt: skip
    await caller.send(text)
    final = await caller.final(b"INVITE", call_id)
    return final.status, (final.get(b"Warning") or b"").split(b'"')[1].split()[0]


@pytest.mark.parametrize("names", [("sbc.gamma.example",), ("sbc.alpha.example",), ("127.0.0.2",)])
async def test_a_certificate_of_no_trunk_gets_no_answer(site: TransportSite, names: tuple[str, ...]) -> None:
    """The second has only alpha's DNS name, and the third its address: its trunk is known by the domain."""
    before = counted(site, 'callgate_connections_closed_total{listener="tls",reason="stranger"}')
    assert await heard(site, site.tls(*names).client) == b""
    after = 'callgate_connections_closed_total{listener="tls",reason="stranger"}'
    await until(lambda: counted(site, after) == before + 1)


async def test_the_right_certificate_at_another_address_gets_no_answer(site: TransportSite) -> None:
    assert (await heard(site, site.tls(*ALPHA).client)).startswith(b"SIP/2.0 200 ")
    assert await heard(site, site.tls(*ALPHA).client, "127.0.0.3") == b""


@pytest.mark.parametrize("who", ["nobody", "another authority", "an old version"])
async def test_who_is_refused_in_the_handshake(site: TransportSite, tmp_path: Path, who: str) -> None:
    name = 'callgate_connections_refused_total{listener="tls",reason="handshake"}'
    before = counted(site, name)
    context = site.tls(*ALPHA).client
    if who == "nobody":
        context = ssl.create_default_context(cafile=str(site.authority.path))
        context.check_hostname = False
    elif who == "another authority":
        files = Authority(tmp_path / "other", "other").files("alpha", *ALPHA)
        context.load_cert_chain(files.certificate, files.key)
    else:
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        with pytest.warns(DeprecationWarning):
            context.minimum_version = OLD_VERSION
        with pytest.warns(DeprecationWarning):
            context.maximum_version = OLD_VERSION
    assert await heard(site, context) == b""
    await until(lambda: counted(site, name) == before + 1)


@pytest.mark.parametrize("hop", [("127.0.0.12",), ("sip:carrier.example", "sbc.example")])
async def test_a_next_hop_with_anothers_certificate_gets_no_call(site: TransportSite, hop: tuple[str, ...]) -> None:
    name = 'callgate_connections_failed_total{listener="tls",reason="certificate"}'
    before = counted(site, name)
    async with ends(site, ALPHA, hop) as (caller, callee):
        call_id = b"hop-" + hop[0].encode().replace(b":", b"-")
        text = request(
            b"INVITE", b"sip:%b@127.0.0.1" % CALLEE.encode(), via=caller.via, branch=b"z9hG4bK" + call_id,
            call_id=call_id, contact=caller.contact, from_=b"<sip:%b@127.0.0.2>;tag=f" % ALPHA_NUMBER.encode(),
        )  # fmt: skip
        await caller.send(text)
        assert (await caller.final(b"INVITE", call_id)).status == 500
        assert callee.inbox.empty()
    assert counted(site, name) == before + 1


async def test_a_connection_outlives_the_certificates_it_began_with(site: TransportSite) -> None:
    """Ours, and the roots: what is up goes on, what is new meets the new files."""
    name = 'callgate_tls_reloads_total{listener="tls",result="done"}'
    async with ends(site, ALPHA) as (caller, callee):
        call: Call = await place(caller, callee, ALPHA_NUMBER, CALLEE)
        before = counted(site, name)
        old_root = site.authority.path.read_bytes()
        replaced = Authority(site.authority.path.parent, "replaced")
        site.authority.path.write_bytes(replaced.path.read_bytes())
        await until(lambda: counted(site, name) == before + 1)
        try:
            await ask(caller, call.caller, b"INVITE", callee)
            await ask(caller, call.caller, b"BYE", callee)
            assert callee.connections == 1
            files = replaced.files("new-alpha", *ALPHA)
            new = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            new.load_cert_chain(files.certificate, files.key)
            new.check_hostname, new.verify_mode = False, ssl.CERT_NONE  # ours is still of the old root
            assert (await heard(site, new)).startswith(b"SIP/2.0 200 ")
            assert await heard(site, Tls(*_old(site)).client) == b""
        finally:
            site.authority.path.write_bytes(old_root)
            await until(lambda: counted(site, name) == before + 2)


def _old(site: TransportSite) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    files = site.authority.files("old-alpha", *ALPHA)
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.load_cert_chain(files.certificate, files.key)
    made.check_hostname, made.verify_mode = False, ssl.CERT_NONE
    return made, made
