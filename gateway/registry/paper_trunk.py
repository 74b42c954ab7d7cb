"""Checks on trunks: lawful lines under contract, and the cooperation agreement (RULES A21, A31, A41, B02)."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.registry.issues import SERVICE_OF, Issue, Record, shown
from gateway.registry.model import Trunk
from gateway.registry.papers import Agreement, time_words


def trunk_issues(record: Record, trunk: Trunk) -> Iterator[Issue]:
    """Everything that papers say against an access trunk."""
    operator = record.operators.get(trunk.operator)
    if operator is None or operator.operator_class not in SERVICE_OF:
        return
    lacking = [name for name in ("carrier", "circuit", "contract") if not getattr(trunk, name)]
    if lacking:
        yield Issue("A41", "hold", "trunk", trunk.id, f"{shown(lacking)} not stated")
    name = f"contract {trunk.contract}" if trunk.contract else "its contract"
    if trunk.contract_from:
        text = f"{name} begins {time_words(trunk.contract_from)}"
        yield Issue("A41", "bar", "trunk", trunk.id, text, 0.0, trunk.contract_from)
    if trunk.contract_to:
        yield Issue("A41", "bar", "trunk", trunk.id, f"{name} ended {time_words(trunk.contract_to)}", trunk.contract_to)
    yield from _agreement(record, trunk)


def _agreement(record: Record, trunk: Trunk) -> Iterator[Issue]:
    named = [one for one in record.of(trunk.operator, "agreement") if one.document.id == trunk.agreement]
    if not named:
        text = f"agreement {trunk.agreement} is not on record" if trunk.agreement else "names no cooperation agreement"
        yield Issue("A21", "hold", "trunk", trunk.id, text)
    for one in named:
        agreement = one.document.detail
        if not isinstance(agreement, Agreement):
            continue
        if one.ends != float("inf"):
            text = f"{one.document} ended {time_words(one.ends)}"
            yield Issue("A31", "hold", "trunk", trunk.id, text, one.ends)
        if trunk.carrier and agreement.carrier != trunk.carrier:
            text = f"carrier differs: {agreement.carrier} in {one.document}, {trunk.carrier} in trunk {trunk.id}"
            yield Issue("A23", "bar", "trunk", trunk.id, text)
    yield from other_pack(record, trunk)


def other_pack(record: Record, trunk: Trunk) -> Iterator[Issue]:
    """The rules in force on a trunk are not those its agreement contains (RULES A31): a newer pack, or another."""
    in_force = record.packs.get(trunk.id, "")
    for one in record.of(trunk.operator, "agreement"):
        agreement = one.document.detail
        if one.document.id != trunk.agreement or not isinstance(agreement, Agreement) or not agreement.policy:
            continue
        if in_force and agreement.policy != in_force:
            text = f"rules in force are {in_force}, {one.document} contains {agreement.policy}"
            yield Issue("A31", "note", "trunk", trunk.id, text)
