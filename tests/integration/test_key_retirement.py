"""An old key is kept while rows or evidence need it, and then goes."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec
import pytest

from gateway.control.calls import Search, search_calls
from gateway.control.importer import grant_consent
from gateway.control.rotation.retire import retire
from gateway.gate.pseudonym import Pseudonymizer
from gateway.gate.seal import Sealer
from gateway.key_ring import with_new_keys, write
from gateway.keys import KeysError
from gateway.store.ports import Conflict
from gateway.store.sql.audit import find_changes
from tests.integration.test_evidence_sql import decision, rows, send
from tests.support.database import ALICE
from tests.support.rotating import site


async def test_evidence_is_found_under_every_key_until_it_is_retired(
    migrated_url: str, redis_url: str, tmp_path: Path
) -> None:
    async with site(migrated_url, redis_url, tmp_path) as at:
        await grant_consent(at.engine, at.keys, ALICE, "alpha", "consultation", principal="test")
        old = decision(1)
        await at.rotate()
        keys = at.keys
        hashed = Pseudonymizer(keys.pseudonym).hash(ALICE).hex()
        new = msgspec.structs.replace(decision(2, int((time.time() + 2 * 86_400) * 1e6)), party=hashed)
        await send(at.engine, rows(old, new))
        assert old.party != new.party
        found = await search_calls(at.engine, keys, Search(callee=ALICE), 10)
        assert [call.decision.id for call in found] == [new.id, old.id]

        both = ("pseudonym", "seal")
        with pytest.raises(KeysError, match="key 9: no such key"):
            await retire(at.engine, at.path, keys, 9, both, "ann")
        with pytest.raises(Conflict, match=r"hashed with pseudonym key 2 \(rotate first\)"):
            await retire(at.engine, at.path, keys, 2, both, "ann")
        with pytest.raises(Conflict, match=r"1 calls in the evidence, of 2024-05-01 to 2024-05-01, are found by"):
            await retire(at.engine, at.path, keys, 1, both, "ann")
        assert at.keys == keys

        day = "SELECT 'DROP TABLE ' || relname FROM pg_class WHERE relname LIKE 'evidence_2024%' AND relkind = 'r'"
        dropping = str(await at.value(day))
        async with at.engine.begin() as connection:
            await connection.exec_driver_sql(dropping)
        words = await retire(at.engine, at.path, keys, 1, both, "ann")
        assert words == "pseudonym key 1 and seal key 1"
        rings = (at.keys.cookies, at.keys.pseudonyms, at.keys.seals)
        assert [[key.id for key in ring] for ring in rings] == [[1], [2], [2]]
        assert (await find_changes(at.engine, action="keys"))[0].action == "keys.retire"
        found = await search_calls(at.engine, at.keys, Search(callee=ALICE), 10)
        assert [call.decision.id for call in found] == [new.id]
        assert await at.made_with() == ({True}, {2}), "all that is left opens"


async def test_a_seal_key_alone(migrated_url: str, redis_url: str, tmp_path: Path) -> None:
    """A row that is sealed with it keeps a key, also where no evidence does."""
    async with site(migrated_url, redis_url, tmp_path) as at:
        await grant_consent(at.engine, at.keys, ALICE, "alpha", "consultation", principal="test")
        write(at.path, with_new_keys(at.keys))
        words = r"1 rows of consents are sealed with it; 1 rows of consent_events are sealed with it"
        with pytest.raises(Conflict, match=words):
            await retire(at.engine, at.path, at.keys, 1, ("seal",), "ann")
        opener = Sealer(at.keys.seal_id, at.keys.seal, at.keys.older_seals)
        sealed = str(await at.value("SELECT callee_sealed FROM consents"))
        assert opener.open(sealed).decode() == ALICE
