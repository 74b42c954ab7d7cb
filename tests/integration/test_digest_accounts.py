"""Digest accounts and the other marks of a trunk, stored, exported, imported again; passwords sealed."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from gateway.control.exporter import registry_toml
from gateway.control.importer import ImportRefused, import_registry
from gateway.control.importer.secrets import set_secret
from gateway.gate.seal import Sealer
from gateway.registry.model import Trunk
from gateway.sip.digest import secret_of
from gateway.store.redis.publication import decode_published, encode_published, published_whole
from gateway.store.sql.registry import load_snapshot
from tests.support.database import KEYS, engine_on

FILE = """
[[trunk]]
id = "cc-gamma"
side = "access"
operator = "alpha"
digest = [{ user = "pbx-7" }, { user = "pbx-8", realm = "callgate" }]
algorithms = ["SHA-256", "MD5"]

[[trunk]]
id = "cc-delta"
side = "access"
operator = "alpha"
sources = ["192.0.2.0/24"]
ports = [5060, 5062]
transports = ["tls"]
tls_names = ["sbc.example"]
next_hops = ["192.0.2.1"]
needs_asserted = true
"""


async def test_stored_exported_and_read_back(migrated_url: str) -> None:
    async with engine_on(migrated_url) as engine:
        await import_registry(engine, FILE, "gamma.toml", "test")
        version, algorithms = await set_secret(engine, KEYS, "cc-gamma", "pbx-7", "pässword", "clerk")
        assert (version, algorithms) == (3, ("SHA-256", "MD5"))
        async with engine.connect() as connection:
            stored = await load_snapshot(connection)
            audit = await connection.execute(text("SELECT principal, object, audit::text FROM audit "
                                                  "WHERE action = 'trunk.secret'"))  # fmt: skip
            said = audit.one()
        trunks: dict[str, Trunk] = {trunk.id: trunk for trunk in stored.trunks}
        delta = trunks["cc-delta"]
        assert (delta.ports, delta.transports, delta.tls_names) == ((5060, 5062), ("tls",), ("sbc.example",))
        assert (delta.needs_asserted, delta.identified_by) == (True, "tls")
        gamma = trunks["cc-gamma"]
        assert gamma.identified_by == "digest" and not gamma.needs_asserted
        sealer = Sealer(KEYS.seal_id, KEYS.seal)
        secrets = {name: sealer.open(sealed) for name, sealed in gamma.digest[0].secrets}
        assert secrets == {
            name: secret_of(name.encode(), b"pbx-7", b"callgate", "pässword".encode()) for name in ("SHA-256", "MD5")
        }
        assert gamma.digest[1].secrets == ()
        assert (said[0], said[1]) == ("clerk", "cc-gamma")
        blob = encode_published(published_whole(stored)[0])
        assert decode_published(blob).registry.trunks == stored.trunks
        exported = registry_toml(stored, {})
        for secret in secrets.values():
            assert secret.decode() not in exported + said[2] + blob.decode()
        # A file that names the account keeps its password; so does the export.
        for again in (FILE, exported):
            report = await import_registry(engine, again, "again.toml", "test")
            assert (report.changed, report.version) == (0, 3)
        emptied = await import_registry(engine, FILE.replace('{ user = "pbx-7" }, ', ""), "less.toml", "test")
        assert emptied.changed == 1
        async with engine.connect() as connection:
            left = {trunk.id: trunk for trunk in (await load_snapshot(connection)).trunks}["cc-gamma"]
        assert [account.user for account in left.digest] == ["pbx-8"]
        await import_registry(engine, exported, "export.toml", "test")
        async with engine.connect() as connection:
            back = {trunk.id: trunk for trunk in (await load_snapshot(connection)).trunks}["cc-gamma"]
        assert back == gamma


@pytest.mark.parametrize(
    ("written", "field"),
    [
        ('digest = [{ user = "a", password = "hunter2" }]', "trunk.digest"),
        ('digest = ["hunter2"]', "trunk.digest"),
        ("ports = [true]", "trunk.ports"),
        ('ports = ["5060"]', "trunk.ports"),
    ],
)
async def test_what_cannot_be_read_is_named_and_passwords_are_not_repeated(
    migrated_url: str, written: str, field: str
) -> None:
    text = (
        f'[[trunk]]\nid = "t"\nside = "access"\noperator = "alpha"\nsources = ["192.0.2.7"]\n{written}\nnext_hops = []'
    )
    async with engine_on(migrated_url) as engine:
        with pytest.raises(ImportRefused) as refused:
            await import_registry(engine, text, "bad.toml", "test")
    assert f"line 6: {field}: " in str(refused.value)
    assert "hunter2" not in str(refused.value)


async def test_two_that_could_take_the_same_message_are_refused_by_line(migrated_url: str) -> None:
    text = FILE.replace("192.0.2.0/24", "127.0.0.2").replace("192.0.2.1", "127.0.0.2")
    async with engine_on(migrated_url) as engine:
        with pytest.raises(ImportRefused) as refused:
            await import_registry(engine, text, "bad.toml", "test")
    said = str(refused.value)
    assert "line 13: trunk cc-delta.sources: 127.0.0.2/32: trunk cc-alpha has it" in said
    assert "port 5060, 5062, transport tls, TLS name sbc.example" in said
