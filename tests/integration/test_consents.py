"""Consents and refusals: event-time order whatever the order of arrival, staged imports, audit."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from itertools import permutations
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.control.importer import (
    ImportRefused,
    ImportReport,
    add_refusal,
    blocks,
    bulk,
    grant_consent,
    import_consents,
    import_refusals,
    revoke_consent,
    withdraw_refusal,
)
from gateway.control.importer.bulk import Step
from gateway.control.list_exporter import export_consents, export_refusals
from gateway.keys import Key, Keys
from gateway.store.ports import Conflict
from gateway.store.sql.consents import is_live
from gateway.store.sql.refusals import is_in_force
from tests.support.database import ALICE, BOB, CAROL, KEYS, count, engine_on, hash_of, staging_tables

HEADER = "callee,operator,purpose,granted_at,expires_at,evidence_uri,event\n"
REFUSALS = "callee,scope,value,event,source,registered_at\n"
T0 = datetime(2024, 5, 1, 8, 0, tzinfo=UTC)


def consent(at: datetime | str, event: str = "grant", callee: str = ALICE, expires: str = "", uri: str = "") -> str:
    when = at if isinstance(at, str) else at.isoformat()
    return f"{callee},alpha,consultation,{when},{expires},{uri},{event}\n"


async def load(engine: AsyncEngine, tmp_path: Path, *rows: str) -> ImportReport:
    path = tmp_path / "consents.csv"
    path.write_text(HEADER + "".join(rows))
    return await import_consents(engine, path, KEYS, "test")


async def load_refusals(engine: AsyncEngine, tmp_path: Path, *rows: str) -> ImportReport:
    path = tmp_path / "refusals.csv"
    path.write_text(REFUSALS + "".join(rows))
    return await import_refusals(engine, path, KEYS, "test")


async def live(engine: AsyncEngine, callee: str = ALICE, at: datetime | None = None) -> bool:
    async with engine.connect() as connection:
        return await is_live(connection, hash_of(callee), 1, 1, at or datetime.now(UTC))


async def in_force(engine: AsyncEngine, scope: str = "all", value: str = "") -> bool:
    async with engine.connect() as connection:
        return await is_in_force(connection, hash_of(ALICE), scope, value)


async def test_grant_and_revoke_by_hand(migrated_url: str) -> None:
    async with engine_on(migrated_url) as engine:
        assert not await live(engine)
        assert await grant_consent(engine, KEYS, ALICE, "alpha", "consultation", principal="ann")
        assert await live(engine)
        assert not await live(engine, BOB)
        assert await revoke_consent(engine, KEYS, ALICE, "alpha", "consultation", principal="ben")
        assert not await live(engine)
        assert await grant_consent(engine, KEYS, ALICE, "alpha", "consultation", principal="ann")
        assert await live(engine)
        assert await count(engine, "audit WHERE action = 'consent.revoke' AND principal = 'ben'") == 1
        assert await count(engine, "outbox WHERE kind = 'consents'") == 3
        assert await staging_tables(engine) == 0


async def test_events_give_the_same_in_any_order(migrated_url: str, tmp_path: Path) -> None:
    hour = timedelta(hours=1)
    rows = [
        consent(T0, expires="2090-01-01T00:00:00Z", uri="u:1"),
        consent(T0 + hour, "revoke"),
        consent(T0 + 2 * hour, expires="2091-01-01T00:00:00Z", uri="u:2"),
    ]
    seen = set()
    async with engine_on(migrated_url) as engine:
        for order in permutations(rows):
            async with engine.begin() as connection:
                await connection.exec_driver_sql("DELETE FROM consents")
            for row in order:
                await load(engine, tmp_path, row)
            async with engine.connect() as connection:
                found = await connection.exec_driver_sql(
                    "SELECT granted_at, expires_at, evidence_uri, revoked_at FROM consents"
                )
                seen.add(tuple(found.one()))
        await load(engine, tmp_path, *rows)
    assert seen == {(T0 + 2 * hour, datetime(2091, 1, 1, tzinfo=UTC), "u:2", T0 + hour)}


@pytest.mark.parametrize("order", ["grant revoke", "revoke grant", "one file"])
async def test_at_equal_times_the_revoke_wins(migrated_url: str, tmp_path: Path, order: str) -> None:
    async with engine_on(migrated_url) as engine:
        if order == "one file":
            await load(engine, tmp_path, consent(T0, "revoke"), consent(T0, "grant"))
        else:
            for event in order.split():
                await load(engine, tmp_path, consent(T0, event))
        assert not await live(engine)


async def test_of_two_grants_at_one_time_the_one_that_ends_first_counts(migrated_url: str, tmp_path: Path) -> None:
    async with engine_on(migrated_url) as engine:
        await load(engine, tmp_path, consent(T0, expires="2091-01-01T00:00:00Z"))
        await load(engine, tmp_path, consent(T0, expires="2024-06-01T00:00:00Z"))
        assert await live(engine, at=T0 + timedelta(days=1))
        assert not await live(engine)
        assert (await load(engine, tmp_path, consent(T0))).changed == 0


async def test_b08_a_late_import_never_resurrects_a_revoked_consent(migrated_url: str, tmp_path: Path) -> None:
    async with engine_on(migrated_url) as engine:
        last_week = consent(T0)
        await load(engine, tmp_path, last_week)
        await revoke_consent(engine, KEYS, ALICE, "alpha", "consultation", principal="test")
        assert (await load(engine, tmp_path, last_week)).changed == 0
        assert not await live(engine)
        # A grant of unknown time is older than any revoke.
        assert (await load(engine, tmp_path, consent(""))).changed == 0
        assert not await live(engine)
        # A revoke that arrives before its grant is kept as a tombstone.
        await load(engine, tmp_path, consent(T0 + timedelta(days=1), "revoke", CAROL))
        await load(engine, tmp_path, consent(T0, callee=CAROL))
        assert not await live(engine, CAROL)


async def test_a_repeated_import_changes_and_projects_nothing(migrated_url: str, tmp_path: Path) -> None:
    async with engine_on(migrated_url) as engine:
        rows = [consent(T0), consent(T0, callee=BOB, uri="u:1")]
        assert (await load(engine, tmp_path, *rows)).changed == 2
        async with engine.connect() as connection:
            before = (await connection.exec_driver_sql("SELECT callee_hash, change FROM consents ORDER BY 1")).all()
        report = await load(engine, tmp_path, *rows)
        assert (report.rows, report.changed) == (2, 0)
        async with engine.connect() as connection:
            after = (await connection.exec_driver_sql("SELECT callee_hash, change FROM consents ORDER BY 1")).all()
        assert after == before


async def test_times_more_than_five_minutes_ahead_are_refused(migrated_url: str, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    async with engine_on(migrated_url) as engine:
        await load(engine, tmp_path, consent(now + timedelta(minutes=4)))
        with pytest.raises(ImportRefused, match=r"line 2: granted_at: .*not ahead of now by more than 5 minutes"):
            await load(engine, tmp_path, consent(now + timedelta(minutes=6)))
        with pytest.raises(ImportRefused, match="not ahead of now"):
            await revoke_consent(
                engine, KEYS, ALICE, "alpha", "consultation", now + timedelta(hours=1), principal="test"
            )
        with pytest.raises(ImportRefused, match=r"registered_at: .*not ahead of now"):
            await add_refusal(engine, KEYS, ALICE, "all", at=now + timedelta(hours=1), principal="test")


async def test_bad_rows_are_named_and_nothing_is_left(migrated_url: str, tmp_path: Path) -> None:
    good = consent(T0)
    rows = [
        good,
        f"13800138000,alpha,consultation,{T0.isoformat()},,,\n",
        f"{ALICE},omega,consultation,{T0.isoformat()},,,\n",
        f"{ALICE},alpha,dancing,{T0.isoformat()},,,\n",
        consent("2024-01-01"),
        consent(T0, "perhaps"),
        consent(T0, expires="2020-01-01T00:00:00Z"),
        f"{ALICE},alpha\n",
        consent(T0, uri="bell\x07"),
        f"+86138001380001234,alpha,consultation,{T0.isoformat()},,,\n",
    ]
    async with engine_on(migrated_url) as engine:
        with pytest.raises(ImportRefused) as refused:
            await load(engine, tmp_path, *rows)
        found = [(problem.line, problem.field) for problem in refused.value.problems]
        assert found == [
            (3, "callee"), (4, "operator"), (5, "purpose"), (6, "granted_at"), (7, "event"), (8, "expires_at"),
            (9, "row"), (10, "evidence_uri"), (11, "callee"),
        ]  # fmt: skip
        said = str(refused.value)
        assert "line 3: callee: 138****8000: write it in canonical form: +86138****8000" in said
        assert "line 4: operator: omega: name one of the operators (alpha, beta)" in said
        assert await count(engine, "consents") == 0
        assert await staging_tables(engine) == 0
        assert await count(engine, "outbox WHERE kind = 'consents'") == 0
        # Mended, the same rows pass.
        assert (await load(engine, tmp_path, good)).changed == 1


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "line 1: header: callee: is missing"),
        (b"callee,operator,purpose,granted_at,colour\n", "line 1: header: colour: write the columns"),
        (b"callee,callee,operator,purpose,granted_at\n", "name each column once"),
        (HEADER.encode() + b'"open', "CSV"),
        (HEADER.encode() + b"\xff\xfe,alpha,consultation,,,,\n", "line 2: callee"),
        (HEADER.encode() + b"+8613800138000,alpha,consultation,,,\xff,\n", "line 2: evidence_uri"),
    ],
)
async def test_a_file_of_the_wrong_form_is_refused(
    migrated_url: str, tmp_path: Path, content: bytes, words: str
) -> None:
    path = tmp_path / "bad.csv"
    path.write_bytes(content)
    async with engine_on(migrated_url) as engine:
        with pytest.raises(ImportRefused, match=words):
            await import_consents(engine, path, KEYS, "test")


async def test_fifty_problems_end_the_reading(migrated_url: str, tmp_path: Path) -> None:
    async with engine_on(migrated_url) as engine:
        with pytest.raises(ImportRefused) as refused:
            await load(engine, tmp_path, *(consent("never") for _ in range(200)))
    assert len(refused.value.problems) == 50


async def test_an_import_that_died_leaves_nothing_and_is_resumed(
    migrated_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = [f"+86138{number:08d}" for number in range(95)]
    rows = [consent(T0, callee=number) for number in numbers]
    monkeypatch.setattr(bulk, "CHUNK", 10)
    monkeypatch.setattr(blocks, "BLOCK_LINES", 10)
    path = tmp_path / "consents.csv"
    path.write_text(HEADER + "".join(rows))
    reached: list[Step] = []

    def die_at_the_fourth(step: Step) -> None:
        reached.append(step)
        if len(reached) == 4:
            raise KeyboardInterrupt

    async with engine_on(migrated_url) as engine:
        with pytest.raises(KeyboardInterrupt):
            await import_consents(engine, path, KEYS, "test", die_at_the_fourth)
        assert await count(engine, "consents") == 0
        assert await count(engine, "outbox WHERE kind = 'consents'") == 0
        assert await count(engine, "staged_consents_1") == 40
        resumed: list[Step] = []
        report = await import_consents(engine, path, KEYS, "test", resumed.append)
        assert [step.rows for step in resumed] == [50, 60, 70, 80, 90, 95, 95]
        assert [step.phase for step in resumed][-2:] == ["reading", "merging"]
        assert resumed[-2].done == resumed[-2].total == path.stat().st_size
        assert (report.rows, report.changed) == (95, 95)
        assert await staging_tables(engine) == 0
        assert await count(engine, "outbox WHERE kind = 'consents'") == 1
        assert await count(engine, "imports WHERE state = 'done'") == 1


async def test_another_pseudonym_key_is_refused(migrated_url: str, tmp_path: Path) -> None:
    other = Keys(KEYS.cookies, (Key(9, b"x" * 32),), KEYS.seals)
    async with engine_on(migrated_url) as engine:
        await load(engine, tmp_path, consent(T0))
        with pytest.raises(Conflict, match="another pseudonym key"):
            await grant_consent(engine, other, ALICE, "alpha", "consultation", principal="test")


async def test_refusals_by_hand_in_every_scope(migrated_url: str) -> None:
    async with engine_on(migrated_url) as engine:
        for scope, value in (
            ("all", ""),
            ("category", "consultation"),
            ("caller_prefix", "+86571"),
            ("caller", "+8657112340000"),
            ("operator", "alpha"),
        ):
            assert not await in_force(engine, scope, value)
            assert await add_refusal(engine, KEYS, ALICE, scope, value, "hotline", principal="test")
            assert await in_force(engine, scope, value)
            assert await withdraw_refusal(engine, KEYS, ALICE, scope, value, principal="test")
            assert not await in_force(engine, scope, value)
        for scope, value in (
            ("all", "x"),
            ("category", "dancing"),
            ("caller_prefix", "+"),
            ("caller", "057112340000"),
            ("operator", "omega"),
            ("moon", ""),
        ):
            with pytest.raises(ImportRefused):
                await add_refusal(engine, KEYS, ALICE, scope, value, principal="test")


@pytest.mark.parametrize("order", [("declare", "withdraw"), ("withdraw", "declare")])
async def test_at_equal_times_the_declaration_wins(migrated_url: str, tmp_path: Path, order: tuple[str, str]) -> None:
    async with engine_on(migrated_url) as engine:
        for event in order:
            await load_refusals(engine, tmp_path, f"{ALICE},all,,{event},feed,{T0.isoformat()}\n")
        assert await in_force(engine)
        later = (T0 + timedelta(seconds=1)).isoformat()
        await load_refusals(engine, tmp_path, f"{ALICE},all,,withdraw,feed,{later}\n")
        assert not await in_force(engine)
        assert (await load_refusals(engine, tmp_path, f"{ALICE},all,,declare,feed,{T0.isoformat()}\n")).changed == 0


async def test_bad_refusal_rows_are_named(migrated_url: str, tmp_path: Path) -> None:
    async with engine_on(migrated_url) as engine:
        with pytest.raises(ImportRefused) as refused:
            await load_refusals(
                engine,
                tmp_path,
                f"{ALICE},everything,,declare,,\n",
                f"{ALICE},all,,withdraw,,\n",
                f"{ALICE},category,,declare,,\n",
                f"{ALICE},all,,declare,,yesterday\n",
            )
        found = [(problem.line, problem.field) for problem in refused.value.problems]
        assert found == [(2, "scope"), (3, "registered_at"), (4, "value"), (5, "registered_at")]
        assert await count(engine, "refusals") == 0


PROOF = "callee,operator,purpose,granted_at,evidence_uri,evidence_sha256,evidence_method,evidence_at,event\n"


async def test_the_proof_of_a_grant_comes_and_goes_with_it_whole(migrated_url: str, tmp_path: Path) -> None:
    """In any order of arrival, from CSV and from JSON Lines."""
    old = f"{ALICE},alpha,consultation,{T0.isoformat()},u:old,{'ab' * 32},call,{T0.isoformat()},grant"
    new = f"{ALICE},alpha,consultation,{(T0 + timedelta(hours=1)).isoformat()},u:new,,web,,grant"
    revoked = f"{ALICE},alpha,consultation,{(T0 + timedelta(hours=2)).isoformat()},,,,,revoke"
    names = PROOF.strip().split(",")
    for number, order in enumerate(permutations((old, new, revoked))):
        async with engine_on(migrated_url) as engine:
            async with engine.begin() as connection:
                await connection.exec_driver_sql("TRUNCATE consents, consent_events, undo_consents, list_versions")
            for row in order:
                path = tmp_path / "one.file"
                if number % 2:
                    path.write_text(PROOF + row + "\n")
                else:
                    path.write_text(json.dumps(dict(zip(names, row.split(","), strict=True))) + "\n")
                await import_consents(engine, path, KEYS, "test")
            async with engine.connect() as connection:
                found = await connection.exec_driver_sql(
                    "SELECT evidence_uri, evidence_sha256, evidence_method, evidence_at FROM consents"
                )
                assert tuple(found.one()) == ("u:new", None, "web", None)
            assert not await live(engine)


async def test_a_late_proof_is_added_and_a_bad_one_refused(migrated_url: str, tmp_path: Path) -> None:
    async with engine_on(migrated_url) as engine:
        await grant_consent(engine, KEYS, ALICE, "alpha", "consultation", at=T0, principal="test")
        assert await grant_consent(engine, KEYS, ALICE, "alpha", "consultation", at=T0, evidence_uri="u:1",
                                   evidence_sha256="cd" * 32, evidence_method="app", principal="test")  # fmt: skip
        assert await count(engine, "consents WHERE evidence_method = 'app' AND length(evidence_sha256) = 32") == 1
        path = tmp_path / "proof.csv"
        soon = (datetime.now(UTC) + timedelta(minutes=6)).isoformat()
        rows = (f"{T0.isoformat()},,xy,,", f"{T0.isoformat()},,,dream,", f"{T0.isoformat()},,,,{soon}", f"{soon},,,,")
        path.write_text(PROOF + "".join(f"{ALICE},alpha,consultation,{row},\n" for row in rows))
        with pytest.raises(ImportRefused) as refused:
            await import_consents(engine, path, KEYS, "test")
        assert [(one.line, one.field) for one in refused.value.problems] == [
            (2, "evidence_sha256"), (3, "evidence_method"), (4, "evidence_at"), (5, "granted_at"),
        ]  # fmt: skip


async def test_exports_are_imports_and_are_recorded(migrated_url: str, tmp_path: Path) -> None:
    async with engine_on(migrated_url) as engine:
        await grant_consent(engine, KEYS, ALICE, "alpha", "consultation", at=T0, evidence_uri="u, 1", principal="test",
                            evidence_sha256="cd" * 32)  # fmt: skip
        await revoke_consent(engine, KEYS, ALICE, "alpha", "consultation", at=T0 + timedelta(hours=1), principal="test")
        await add_refusal(engine, KEYS, BOB, "all", band="21:00-09:00", agreement="sms", at=T0, principal="test")
        for form in ("csv", "jsonl"):
            consents, refusals = tmp_path / f"c.{form}", tmp_path / f"r.{form}"
            out = io.StringIO()
            assert await export_consents(engine, KEYS, out, form, "ann", "alpha") == 2
            consents.write_text(out.getvalue())
            out = io.StringIO()
            assert await export_refusals(engine, KEYS, out, form, "ann") == 1
            refusals.write_text(out.getvalue())
            assert ALICE in consents.read_text() and BOB in refusals.read_text()
            report = await import_consents(engine, consents, KEYS, "test", dry_run=True)
            assert (report.rows, report.changed, report.unchanged) == (2, 0, 1)
            report = await import_refusals(engine, refusals, KEYS, "test", dry_run=True)
            assert (report.rows, report.changed, report.unchanged) == (1, 0, 1)
        assert await count(engine, "audit WHERE action LIKE 'export.%%' AND principal = 'ann'") == 4

