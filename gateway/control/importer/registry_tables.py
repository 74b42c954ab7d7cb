"""Rows of a registry file as typed values: operators, tenants, trunks, ranges, documents. Shape only: what the rows
mean together is `registry.validate`'s."""

from __future__ import annotations

from typing import get_args

from gateway.control.importer.toml_table import Table, one_of
from gateway.registry.model import (
    CALL_CENTRE,
    DIGEST_ALGORITHMS,
    OPERATOR_CLASSES,
    DigestAccount,
    NumberRange,
    Operator,
    Origin,
    RangeState,
    Step,
    Trunk,
)
from gateway.registry.paper_fields import field_names, read_detail
from gateway.registry.papers import KINDS, RESULTS, Document, Licence
from gateway.registry.standing import Tenant
from gateway.store.sql.records import next_hop

DEFAULT_REALM = "callgate"
"""Realm of digest accounts that name none."""
STATES = ("active", "suspended")
RANGE_STATES: tuple[RangeState, ...] = get_args(RangeState)
ORIGINS: tuple[Origin, ...] = get_args(Origin)
_HEX = frozenset("0123456789abcdef")


def read_operator(table: Table) -> Operator:
    """`[[operator]]`; its number is the importer's to give."""
    return Operator(
        id=table.text("id"),
        name=table.text("name"),
        number=0,
        operator_class=one_of(table, "class", OPERATOR_CLASSES, CALL_CENTRE),
        state=one_of(table, "state", STATES, "active"),
        credit_code=table.text("credit_code", ""),
    )


def read_tenant(table: Table) -> Tenant:
    """`[[tenant]]`."""
    return Tenant(
        id=table.text("id"),
        operator=table.text("operator"),
        name=table.text("name"),
        credit_code=table.text("credit_code", ""),
        state=one_of(table, "state", STATES, "active"),
    )


def read_trunk(table: Table) -> Trunk:
    """`[[trunk]]`."""
    digest = _read_digest(table)
    hops = []
    for written in table.texts("next_hops", [] if digest else None):
        hop = next_hop(written)
        if hop is None:
            fix = "write host:port, with /udp, /tcp, /tls or /udp+tcp behind it, e.g. 127.0.0.9:5060/tcp; or a name"
            table.wrong("next_hops", written, fix)
        else:
            hops.append(hop)
    answers = []
    for item in table.tables("answers"):
        match item:
            case {"rule": str(rule), "status": int(status), "phrase": str(phrase)}:
                answers.append((rule, status, phrase))
            case _:
                table.wrong("answers", item, 'write {rule = "callee-refused", status = 603, phrase = "Decline"}')
    return Trunk(
        id=table.text("id"),
        side=one_of(table, "side", ("access", "core")),
        operator=table.text("operator", ""),
        sources=table.texts("sources", [] if digest else None),
        listeners=table.texts("listeners", []),
        next_hops=tuple(hops),
        trusted=table.flag("trusted", False),
        state=one_of(table, "state", STATES, "active"),
        country=table.text("country", "86"),
        area=table.text("area", ""),
        emergency_cli=table.text("emergency_cli", ""),
        answers=tuple(answers),
        needs_asserted=table.flag("needs_asserted", False),
        ports=table.numbers("ports"),
        transports=table.texts("transports", []),
        tls_names=table.texts("tls_names", []),
        digest=digest,
        algorithms=table.texts("algorithms", list(DIGEST_ALGORITHMS)),
        outbound=table.flag("outbound", True),
        inbound=table.flag("inbound", True),
        carrier=table.text("carrier", ""),
        circuit=table.text("circuit", ""),
        contract=table.text("contract", ""),
        contract_from=table.time("contract_from"),
        contract_to=table.time("contract_to"),
        agreement=table.text("agreement", ""),
        region=table.text("region", ""),
        origin=one_of(table, "origin", ORIGINS, "domestic"),
        purpose_header=table.text("purpose_header", ""),
        channels=table.number("channels", 0),
        cps=table.number("cps", 0),
    )


def _read_digest(table: Table) -> tuple[DigestAccount, ...]:
    accounts = []
    for item in table.tables("digest"):
        match item:
            case {"user": str(user), **rest} if set(rest) <= {"realm", "secrets"}:
                realm, secrets = rest.get("realm", DEFAULT_REALM), rest.get("secrets", {})
                if isinstance(realm, str) and isinstance(secrets, dict) and all(map(_is_text, secrets.values())):
                    accounts.append(DigestAccount(user, realm, tuple(secrets.items())))
                    continue
        # Not the value itself: somebody may have written a password there.
        table.wrong("digest", "an account", 'write {user = "pbx-7"}, and give it a password by `callgate trunk secret`')
    return tuple(accounts)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def read_range(table: Table) -> NumberRange:
    """`[[range]]`."""
    return NumberRange(
        id=table.text("id"),
        first=table.text("first"),
        last=table.text("last"),
        operator=table.text("operator"),
        trunks=table.texts("trunks"),
        egress=table.texts("egress", []),
        # RULES A10: an access number may not call out unless the certificate says so.
        outbound=table.flag("outbound", False),
        inbound=table.flag("inbound", True),
        purposes=table.texts("purposes", []),
        certificate=table.text("certificate", ""),
        filing=table.text("filing", ""),
        valid_from=table.time("valid_from"),
        valid_to=table.time("valid_to"),
        state=one_of(table, "state", RANGE_STATES, "enabled"),
        steps=_read_steps(table),
        length=table.number("length"),
        regions=table.texts("regions", []),
        carriers=table.texts("carriers", []),
        tenant=table.text("tenant", ""),
    )


def _read_steps(table: Table) -> tuple[Step, ...]:
    """`steps = [{ state = "recalled", from = 2027-01-01T00:00:00+08:00 }]`."""
    steps: list[Step] = []
    for item in table.tables("steps"):
        match item:
            case {"state": str(state), "from": since, **rest} if state in RANGE_STATES and not rest:
                at = table.moment("steps", since)
                if at:
                    steps.append((at, state))
            case _:
                table.wrong("steps", item, 'write { state = "recalled", from = 2027-01-01T00:00:00+08:00 }')
    return tuple(steps)


def read_document(table: Table) -> Document | None:
    """`[[document]]`: what every one has, and the fields of its kind. None where it has no known kind."""
    kind = one_of(table, "kind", tuple(KINDS))
    names = field_names(kind)
    values = table.rest(names)
    sha256 = table.text("sha256", "")
    if sha256 and (len(sha256) != 64 or not _HEX.issuperset(sha256)):
        table.wrong("sha256", sha256, "write the SHA-256 of the file that was seen, 64 hex digits")
    detail, problems = read_detail(kind, values) if names else (Licence(), [])
    for name, value, fix in problems:
        table.wrong(name, value, fix)
    found = Document(
        id=table.text("id"),
        kind=kind,
        operator=table.text("operator", "") if kind == "finding" else table.text("operator"),
        detail=detail,
        reference=table.text("reference", ""),
        tenant=table.text("tenant", ""),
        result=one_of(table, "result", RESULTS, "accepted"),
        valid_from=table.time("valid_from"),
        valid_to=table.time("valid_to"),
        supersedes=table.text("supersedes", ""),
        sha256=sha256,
        recorded_by=table.text("recorded_by", ""),
        recorded_at=table.time("recorded_at"),
    )
    return found if names else None
