"""What is wrong with documents that are to be recorded, beside those that are: they are never changed (RULES A21)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from gateway.registry.checks import identifier, known
from gateway.registry.credit_code import credit_code_problem
from gateway.registry.model import Snapshot
from gateway.registry.papers import Document

MAX_REFERENCE = 256


def fresh_documents(stored: Iterable[Document], given: Sequence[Document]) -> list[Document]:
    """Those of the given ones that are not recorded yet. What recording adds (by whom, when) is not compared where it
    is not given."""
    there = {one.id: one for one in stored}
    return [one for one in given if one.id not in there or not _same(there[one.id], one)]


def check_documents(stored: Sequence[Document], fresh: Sequence[Document], snapshot: Snapshot) -> list[str]:
    """Problems of the new ones, as `field: value: fix`. They may supersede each other in the order they stand in."""
    there = {one.id: one for one in stored}
    operators = {row.id for row in snapshot.operators}
    tenants = {row.id: row.operator for row in snapshot.tenants}
    problems: list[str] = []
    for one in fresh:
        where = f"document {one.id}"
        problems += identifier("document", one.id)
        if one.id in there:
            problems.append(
                f'{where}.id: {one.id!r}: is recorded with other content, and documents are never changed: give the '
                f'new one an id of its own and supersedes = "{one.id}"'
            )
        if one.operator and one.operator not in operators:
            problems.append(f"{where}.operator: {one.operator!r}: name one of the operators{known(operators)}")
        if one.tenant and tenants.get(one.tenant) != one.operator:
            own = [name for name, owner in tenants.items() if owner == one.operator]
            problems.append(f"{where}.tenant: {one.tenant!r}: name one of the operator's tenants{known(own)}")
        if one.kind == "declaration" and not one.tenant:
            problems.append(f"{where}.tenant: '': name the tenant that declares (RULES A45)")
        if one.valid_to and one.valid_to <= one.valid_from:
            problems.append(f"{where}.valid_to: {one.valid_to}: write a time after valid_from, or leave it out")
        if len(one.reference) > MAX_REFERENCE or not (one.reference.isprintable() or not one.reference):
            problems.append(f"{where}.reference: {one.reference[:32]!r}: write at most {MAX_REFERENCE} printable signs")
        code = getattr(one.detail, "credit_code", "")
        fix = credit_code_problem(code) if code else ""
        if fix:
            problems.append(f"{where}.credit_code: {code!r}: {fix}")
        if one.kind == "finding" and not one.operator and not code:
            problems.append(f"{where}.operator: '': name the operator or the credit_code it is about")
        problems += _superseded(one, there)
        there.setdefault(one.id, one)
    return problems


def _superseded(one: Document, there: dict[str, Document]) -> list[str]:
    if not one.supersedes:
        return []
    where = f"document {one.id}.supersedes"
    old = there.get(one.supersedes)
    if old is None or old.id == one.id:
        return [f"{where}: {one.supersedes!r}: name a document that is recorded"]
    if (old.kind, old.operator) != (one.kind, one.operator):
        return [f"{where}: {one.supersedes!r}: is a {old.kind} of {old.operator or 'nobody'}: name one of the same"]
    return []


def _same(stored: Document, given: Document) -> bool:
    by, at = given.recorded_by or stored.recorded_by, given.recorded_at or stored.recorded_at
    return replace(given, recorded_by=by, recorded_at=at) == stored
