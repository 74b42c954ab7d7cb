"""What a change undoes: any registry, changed in any way, is had back."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from gateway.registry.model import Snapshot
from gateway.registry.standing import Tenant
from gateway.store.sql.registry_versions import undo_of, undone
from tests.unit.registry.example import number_range, snapshot

IDS = st.sampled_from(["a", "b", "c", "d"])
RANGES = st.dictionaries(IDS, st.sampled_from(["", "C-1", "C-2"])).map(
    lambda rows: tuple(
        replace(number_range("+8657112340000", "+8657112349999"), id=key, certificate=rows[key]) for key in sorted(rows)
    )
)
TENANTS = st.dictionaries(IDS, st.sampled_from(["X", "Y"])).map(
    lambda rows: tuple(Tenant(key, "alpha", rows[key]) for key in sorted(rows))
)
SNAPSHOTS = st.builds(
    lambda ranges, tenants, zone, plan: replace(
        snapshot(), ranges=ranges, tenants=tenants, zone=zone, plan=snapshot().plan[:plan]
    ),
    RANGES, TENANTS, st.sampled_from(["Asia/Shanghai", "Asia/Urumqi"]), st.integers(1, 3),
)  # fmt: skip


@given(before=SNAPSHOTS, after=SNAPSHOTS)
def test_undone_is_the_inverse_of_a_change(before: Snapshot, after: Snapshot) -> None:
    assert undone(after, undo_of(before, after)) == before


def test_nothing_is_kept_of_what_did_not_change() -> None:
    undo = undo_of(snapshot(), replace(snapshot(), version=8))
    assert (undo.ranges, undo.trunks, undo.operators, undo.new, undo.plan) == ((), (), (), {}, None)
