"""Are numbers used where, and in the directions, that their kind allows (RULES B02)? Each finding names the paper and
what it is held against, with both values."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.registry.issues import Issue, Record, shown
from gateway.registry.model import NumberRange
from gateway.registry.numbering import NumberingPlan
from gateway.registry.papers import FOREVER, Certificate, Held

PROVINCIAL = ("provincial_short",)
"""Kinds of the plan that each province assigns for itself (96XXX): their certificates name it."""


def scope_issues(record: Record, row: NumberRange, certificates: list[Held], plan: NumberingPlan) -> Iterator[Issue]:
    """A range's certificates against the regions of its trunks, and against the plan's kind of its numbers."""
    for one in certificates:
        certificate = one.document.detail
        if not isinstance(certificate, Certificate):
            continue
        until = 0.0 if one.ends == FOREVER else one.ends
        if certificate.regions:
            for text in _elsewhere(record, row, str(one.document), certificate):
                yield Issue("B02", "bar", "range", row.id, text, one.begins, until)
            continue
        number = plan.read(row.first.removeprefix("+").encode(), row.first[:1] == "+", plan.country, "")
        if number is None:
            continue
        if number.kind in PROVINCIAL:
            text = f"{one.document} names no region, numbers of kind {number.kind} are one province's"
            yield Issue("B02", "bar", "range", row.id, text, one.begins, until)
        if certificate.outbound and number.caller == "no":
            text = f"{one.document} states outbound = true, numbers of kind {number.kind} never call out"
            yield Issue("B02", "note", "range", row.id, text, one.begins, until)


def _elsewhere(record: Record, row: NumberRange, name: str, certificate: Certificate) -> Iterator[str]:
    """Trunks outside the certificate's regions. Where the range narrows them, the registry itself holds them to it."""
    for trunk_id in row.trunks:
        trunk = record.trunks.get(trunk_id)
        if trunk is not None and trunk.region not in certificate.regions:
            where = trunk.region or "none stated"
            yield f"region differs: {shown(certificate.regions)} in {name}, {where} in trunk {trunk_id}"
