"""The registry in SQL: read it whole as a snapshot, write rows of it. Checks are the importer's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec
from asyncpg import Range
from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.registry.model import DigestAccount, NextHop, NumberRange, Operator, PlanEntry, Snapshot, Step, Trunk
from gateway.registry.standing import Restriction, Tenant
from gateway.store.sql import schema, schema_papers
from gateway.store.sql.engine import driver
from gateway.store.sql.feeds import snapshot_feeds
from gateway.store.sql.packs import texts_in_force
from gateway.store.sql.records import next_hop, next_hop_text

DIGIT_BITS = 54
"""10**16 < 2**54: sixteen digits, one more than E.164 has."""
BARE = 1 << 61
"""Short codes apart from E.164 numbers of the same digits."""
_plan_decoder = msgspec.json.Decoder(list[PlanEntry])
_step_decoder = msgspec.json.Decoder(list[Step])
_NO_STEPS: tuple[Step, ...] = ()
RANGES = (
    "SELECT id, first, last, operator, trunks, egress, outbound, inbound, purposes, certificate, filing, "
    "coalesce(extract(epoch FROM valid_from), 0)::float8, coalesce(extract(epoch FROM valid_to), 0)::float8, "
    "state, steps::text, length, regions, carriers, tenant FROM number_ranges"
)
"""In the order of `NumberRange`'s fields."""
_OPERATORS = "SELECT id, name, number, operator_class, state, credit_code FROM operators ORDER BY id"
_RESTRICTIONS = (
    "SELECT id, subject_kind, subject, reason, extract(epoch FROM from_at)::float8, "
    "coalesce(extract(epoch FROM to_at), 0)::float8 FROM restrictions WHERE to_at IS NULL OR to_at > now() ORDER BY id"
)

Deletable = Literal["trunks", "number_ranges", "tenants"]

_RANGE_COLUMNS = (
    "id", "first", "last", "operator", "trunks", "egress", "outbound", "inbound", "purposes", "certificate",
    "filing", "valid_from", "valid_to", "state", "numbers", "validity", "steps", "length", "regions", "carriers",
    "tenant",
)  # fmt: skip


def range_key(canonical: str) -> int:
    """A canonical number as an integer with its digit length folded in. Raises ValueError where it is
    none."""
    digits = canonical.removeprefix("+")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 16):
        raise ValueError(f"no canonical number: {len(canonical)} characters")
    key = len(digits) << DIGIT_BITS | int(digits)
    return key if canonical[0] == "+" else key | BARE


async def lock_registry(connection: AsyncConnection) -> int:
    """Take the lock that orders registry changes (until commit); the current version."""
    row = await connection.execute(text("SELECT version FROM registry_state FOR UPDATE"))
    return int(row.scalar_one())


async def load_snapshot(connection: AsyncConnection) -> Snapshot:
    """The registry as it is now. Rows come in id order (purposes by number)."""
    frame = await load_frame(connection)
    ranges = await (await driver(connection)).fetch(f"{RANGES} ORDER BY id")
    return replace(frame, ranges=tuple([range_of(row) for row in ranges]))


async def load_frame(connection: AsyncConnection) -> Snapshot:
    """All but the ranges, as a snapshot without them."""
    state = (
        await connection.execute(text("SELECT version, plan::text, emergency, country, zone FROM registry_state"))
    ).one()
    operators = await connection.execute(text(_OPERATORS))
    tenants = await connection.execute(text("SELECT id, operator, name, credit_code, state FROM tenants ORDER BY id"))
    restrictions = await connection.execute(text(_RESTRICTIONS))
    trunks = await connection.execute(schema.trunks.select().order_by(schema.trunks.c.id))
    purposes = await connection.execute(text("SELECT name, number FROM purposes ORDER BY number"))
    return Snapshot(
        version=int(state[0]),
        operators=tuple(Operator(*row) for row in operators),
        trunks=tuple(trunk_of(row._mapping) for row in trunks),
        plan=tuple(_plan_decoder.decode(state[1])),
        emergency=tuple(state[2]),
        purposes={row[0]: int(row[1]) for row in purposes},
        country=state[3],
        zone=state[4],
        packs=await texts_in_force(connection),
        tenants=tuple(Tenant(*row) for row in tenants),
        restrictions=tuple(Restriction(*row) for row in restrictions),
        feeds=await snapshot_feeds(connection),
    )


async def load_plan(connection: AsyncConnection) -> Snapshot:
    """All but trunks and ranges, as a snapshot without them."""
    state = (
        await connection.execute(text("SELECT version, plan::text, emergency, country, zone FROM registry_state"))
    ).one()
    operators = await connection.execute(text(_OPERATORS))
    purposes = await connection.execute(text("SELECT name, number FROM purposes ORDER BY number"))
    return Snapshot(
        version=int(state[0]),
        operators=tuple(Operator(*row) for row in operators),
        plan=tuple(_plan_decoder.decode(state[1])),
        emergency=tuple(state[2]),
        purposes={row[0]: int(row[1]) for row in purposes},
        country=state[3],
        zone=state[4],
        packs=await texts_in_force(connection),
    )


async def purpose_titles(connection: AsyncConnection) -> dict[str, str]:
    """Purpose name to title."""
    return {row[0]: row[1] for row in await connection.execute(text("SELECT name, title FROM purposes"))}


async def save_state(connection: AsyncConnection, snapshot: Snapshot) -> None:
    """Write version, plan, emergency codes, country and zone. Packs are put in force by `sql.packs`."""
    await connection.execute(
        text(
            "UPDATE registry_state SET version = :version, plan = cast(cast(:plan AS text) AS jsonb), "
            "emergency = :emergency, country = :country, zone = :zone, updated_at = now()"
        ),
        {
            "version": snapshot.version,
            "plan": msgspec.json.encode(snapshot.plan).decode(),
            "emergency": list(snapshot.emergency),
            "country": snapshot.country,
            "zone": snapshot.zone,
        },
    )


async def upsert_operators(connection: AsyncConnection, rows: Iterable[Operator]) -> None:
    """Insert or overwrite by id. An operator's number never changes."""
    values: list[dict[str, object]] = [
        {"id": row.id, "number": row.number, "name": row.name, "operator_class": row.operator_class,
         "state": row.state, "credit_code": row.credit_code}
        for row in rows
    ]  # fmt: skip
    await _upsert(connection, schema.operators, values)


async def upsert_tenants(connection: AsyncConnection, rows: Iterable[Tenant]) -> None:
    """Insert or overwrite by id."""
    values: list[dict[str, object]] = [
        {"id": row.id, "operator": row.operator, "name": row.name, "credit_code": row.credit_code, "state": row.state}
        for row in rows
    ]
    await _upsert(connection, schema_papers.tenants, values)


async def delete_rows(connection: AsyncConnection, table: Deletable, ids: Sequence[str]) -> None:
    """Delete rows by id. Operators and purposes are never deleted: consents name their numbers."""
    if ids:
        await connection.execute(text(f"DELETE FROM {table} WHERE id = ANY(:ids)"), {"ids": list(ids)})


async def upsert_purposes(connection: AsyncConnection, rows: Iterable[tuple[str, int, str]]) -> None:
    """Insert or overwrite (name, number, title) by name."""
    values: list[dict[str, object]] = [{"name": name, "number": number, "title": title} for name, number, title in rows]
    await _upsert(connection, schema.purposes, values)


async def upsert_trunks(connection: AsyncConnection, rows: Iterable[Trunk]) -> None:
    """Insert or overwrite by id."""
    values: list[dict[str, object]] = [
        {
            "id": row.id, "side": row.side, "operator": row.operator or None, "sources": list(row.sources),
            "listeners": list(row.listeners), "next_hops": [next_hop_text(hop) for hop in row.next_hops],
            "trusted": row.trusted, "state": row.state, "country": row.country, "area": row.area,
            "emergency_cli": row.emergency_cli, "answers": [list(answer) for answer in row.answers],
            "needs_asserted": row.needs_asserted, "ports": list(row.ports), "transports": list(row.transports),
            "tls_names": list(row.tls_names), "algorithms": list(row.algorithms),
            "outbound": row.outbound, "inbound": row.inbound, "carrier": row.carrier, "circuit": row.circuit,
            "contract": row.contract, "contract_from": moment(row.contract_from),
            "contract_to": moment(row.contract_to), "agreement": row.agreement, "region": row.region,
            "origin": row.origin, "purpose_header": row.purpose_header,
            "channels": row.channels, "cps": row.cps,
            "digest": [[one.user, one.realm, [list(secret) for secret in one.secrets]] for one in row.digest],
        }
        for row in rows
    ]  # fmt: skip
    await _upsert(connection, schema.trunks, values)


async def replace_ranges(connection: AsyncConnection, rows: Iterable[NumberRange]) -> None:
    """Insert or overwrite by id, in bulk. Old rows of these ids go first, so that blocks may swap numbers.

    Raises sqlalchemy IntegrityError or asyncpg's ExclusionViolationError where blocks overlap.
    """
    raw = await driver(connection)
    records = [_range_record(row) for row in rows]
    await raw.execute("DELETE FROM number_ranges WHERE id = ANY($1::text[])", [row[0] for row in records])
    await raw.copy_records_to_table("number_ranges", records=records, columns=_RANGE_COLUMNS)


async def _upsert(connection: AsyncConnection, table: Any, values: list[dict[str, object]]) -> None:
    if not values:
        return
    statement = insert(table)
    key = [column.name for column in table.primary_key]
    kept = {name: statement.excluded[name] for name in values[0] if name not in key and name != "number"}
    await connection.execute(statement.on_conflict_do_update(index_elements=key, set_=kept), values)


def trunk_of(row: Any) -> Trunk:
    """A row of `trunks`."""
    return Trunk(
        id=row["id"],
        side=row["side"],
        operator=row["operator"] or "",
        sources=tuple(row["sources"]),
        listeners=tuple(row["listeners"]),
        next_hops=tuple(_known_hop(hop) for hop in row["next_hops"]),
        trusted=row["trusted"],
        state=row["state"],
        country=row["country"],
        area=row["area"],
        emergency_cli=row["emergency_cli"],
        answers=tuple((rule, int(status), phrase) for rule, status, phrase in row["answers"]),
        needs_asserted=row["needs_asserted"],
        ports=tuple(row["ports"]),
        transports=tuple(row["transports"]),
        tls_names=tuple(row["tls_names"]),
        digest=tuple(
            DigestAccount(user, realm, tuple((algorithm, sealed) for algorithm, sealed in secrets))
            for user, realm, secrets in row["digest"]
        ),
        algorithms=tuple(row["algorithms"]),
        outbound=row["outbound"],
        inbound=row["inbound"],
        carrier=row["carrier"],
        circuit=row["circuit"],
        contract=row["contract"],
        contract_from=seconds(row["contract_from"]),
        contract_to=seconds(row["contract_to"]),
        agreement=row["agreement"],
        region=row["region"],
        origin=row["origin"],
        purpose_header=row["purpose_header"],
        channels=row["channels"],
        cps=row["cps"],
    )


def _known_hop(stored: str) -> NextHop:
    hop = next_hop(stored)
    if hop is None:
        raise ValueError(f"trunks.next_hops: {stored!r} was not written by this program")
    return hop


def range_of(row: Any) -> NumberRange:
    """A row of `RANGES`."""
    return NumberRange(
        row[0], row[1], row[2], row[3], tuple(row[4]), tuple(row[5]), row[6], row[7], tuple(row[8]), row[9],
        row[10], row[11], row[12], row[13], _steps(row[14]), row[15], tuple(row[16]), tuple(row[17]), row[18],
    )  # fmt: skip


def _steps(stored: str) -> tuple[Step, ...]:
    return _NO_STEPS if stored == "[]" else tuple(_step_decoder.decode(stored))


def moment(at: float) -> datetime | None:
    """Epoch seconds as PostgreSQL takes them; None for 0, which is open."""
    return datetime.fromtimestamp(at, UTC) if at else None


def seconds(at: datetime | None) -> float:
    """A stored time as epoch seconds; 0 for none."""
    return at.timestamp() if at is not None else 0.0


def _range_record(row: NumberRange) -> tuple[object, ...]:
    valid_from, valid_to = moment(row.valid_from), moment(row.valid_to)
    return (
        row.id, row.first, row.last, row.operator, list(row.trunks), list(row.egress), row.outbound,
        row.inbound, list(row.purposes), row.certificate, row.filing, valid_from, valid_to, row.state,
        Range(range_key(row.first), range_key(row.last), lower_inc=True, upper_inc=True),
        Range(valid_from, valid_to, lower_inc=True, upper_inc=False),
        msgspec.json.encode(row.steps).decode(), row.length, list(row.regions), list(row.carriers), row.tenant,
    )  # fmt: skip
