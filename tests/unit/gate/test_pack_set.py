"""Packs in force together: which judges a call, and what keeps two apart."""

from __future__ import annotations

import pytest

from gateway.gate.engine import Engine
from gateway.gate.pack import Pack, PackError
from gateway.gate.pack_read import load_pack
from gateway.gate.pack_set import MAX_PACKS, clashes, engines, load_stored, pack_set
from gateway.gate.replay import replay
from gateway.store.ports import Unavailable
from tests.support.packs import pack_text
from tests.unit.gate.calls import invite, registry
from tests.unit.gate.house import House

BARRED = 'mode = "{mode}"\n[rule.params]\nforbidden = ["consultation"]'


def pack(pack_id: str, trunks: tuple[str, ...] = (), classes: tuple[str, ...] = (), **rules: str) -> Pack:
    return load_pack(pack_text(pack_id, trunks=trunks, classes=classes, **rules), pack_id)


def test_the_trunk_goes_before_the_class_and_the_class_before_the_default() -> None:
    found = pack_set([pack("of-class", classes=("mvno",)), pack("rest"), pack("of-trunk", trunks=("cc-alpha",))])
    assert found.of("cc-alpha", "mvno").id == "of-trunk"
    assert found.of("cc-beta", "mvno").id == "of-class"
    assert found.of("cc-beta", "call_centre").id == found.of("carrier", "").id == "rest"
    assert found.labels == "of-class@1, of-trunk@1, rest@1"


def test_what_two_packs_name_and_a_second_default_are_refused() -> None:
    there = [pack("rest"), pack("first", trunks=("cc-alpha",), classes=("mvno",))]
    named = clashes(pack("second", trunks=("cc-alpha",), classes=("mvno",)), there)
    assert named == [
        ("trunks", "'cc-alpha': first@1 in force names it too: take it out of one of them"),
        ("classes", "'mvno': first@1 in force names it too: take it out of one of them"),
    ]
    ((_, second),) = clashes(pack("other"), there)
    assert second.startswith("none: rest@1 in force is the default already: ") and second.endswith("--instead rest")
    ((_, lonely),) = clashes(pack("first", trunks=("cc-alpha",)), [])
    assert lonely.startswith("no pack would be the default")
    many = [pack("rest"), *(pack(f"p{number}", trunks=(f"t{number}",)) for number in range(MAX_PACKS - 1))]
    assert "64 packs are in force" in clashes(pack("more", trunks=("more",)), many)[0][1]


def test_a_stored_set_that_does_not_go_together_is_no_set() -> None:
    with pytest.raises(PackError, match=r"pack second: binds\.trunks: 'cc-alpha': first@1 in force"):
        load_stored({name: pack_text(name, trunks=("cc-alpha",)) for name in ("first", "second")}, "the registry")
    with pytest.raises(PackError, match="no pack would be the default"):
        load_stored({}, "the registry")


def test_a_trunk_has_one_engine_and_packs_share_theirs() -> None:
    over = registry()
    made = engines(pack_set([pack("rest"), pack("centres", classes=("call_centre",))]), over)
    assert made.default.pack.id == "rest"
    assert {name: one.pack.id for name, one in made.by_trunk.items()} == {
        trunk.id: "centres" for trunk in over.trunks if trunk.operator
    }
    assert len({id(one) for one in made.by_trunk.values()}) == 1


def test_a_call_is_judged_and_recorded_by_the_pack_of_its_trunk() -> None:
    house = House()
    over = registry()
    made = engines(pack_set([pack("rest"), pack("strict", ("cc-alpha",), purpose=BARRED.format(mode="enforce"))]), over)
    house.gate.switch(over, made.default, made.by_trunk)
    house.place(invite())
    house.turn()
    assert (house.verdict.rule, house.record.pack) == ("purpose", "strict@1")
    house.gate.switch(over, made.default)
    assert house.decide(invite()).rule == "allow"
    assert house.record.pack == "rest@1"


def test_a_share_of_a_trunk_is_refused_and_the_rest_is_counted_and_recorded_as_shadow() -> None:
    barred = BARRED.format(mode="shadow")
    tenth = pack("tenth", purpose=f"{barred}\n[rule.percent]\ncc-alpha = 10")
    house = House(tenth)
    for share in range(100):
        house.decide(invite(), decision=f"{share:032x}")
    records = house.journal.decisions()
    assert [record.rule for record in records] == ["purpose"] * 10 + ["allow"] * 90
    assert [record.shadow for record in records] == [()] * 10 + [("purpose",)] * 90
    assert house.counts.shadow == {"purpose": 90}
    assert not any(replay(Engine(tenth), record).differs for record in records)
    whole = Engine(pack("whole", purpose=f"{barred}\n[rule.percent]\ncc-alpha = 100"))
    assert [replay(whole, record).now for record in records] == ["purpose"] * 100
    elsewhere = Engine(pack("elsewhere", purpose=f"{barred}\n[rule.percent]\ncc-beta = 100"))
    assert [replay(elsewhere, record).now for record in records] == [""] * 10 + ["allow"] * 90  # "": no store asked


def test_a_store_rule_at_a_share_refuses_without_facts_on_that_share_only() -> None:
    half = pack(
        "half", consent_missing='mode = "shadow"\n[rule.percent]\ncc-alpha = 50', callee_refused='mode = "shadow"'
    )
    house = House(half)
    for share, rule in ((49, "store-unavailable"), (50, "allow")):
        house.place(invite(), decision=f"{share:032x}")
        house.lookup.answer(Unavailable("away"))
        house.turn()
        assert house.verdict.rule == rule


def test_explain_tells_the_share_and_the_clauses() -> None:
    some = pack("some", purpose='clauses = ["A06"]\n[rule.percent]\ncc-alpha = 10')
    house = House(some)
    house.decide(invite())
    (word,) = [word for word in Engine(some).trace(house.verdict.attempt.facts) if word[0] == "purpose"]
    assert word == ("purpose", "10 %", "ok", "", ("A06",))
