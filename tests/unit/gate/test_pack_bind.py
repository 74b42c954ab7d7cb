"""Whose calls a pack judges, clauses, and shares of a trunk: read, bounded, and every error with its fix."""

from __future__ import annotations

import pytest

from gateway.gate.pack_bind import MAX_CLAUSES, MAX_NAMES, Binds, share_of
from gateway.gate.pack_read import load_pack
from tests.unit.gate.test_pack import make, problems

HEAD = 'id = "p"\nversion = 1\n'
RULE = '[[rule]]\nid = "purpose"\n'


def test_a_pack_names_trunks_and_classes_or_is_the_default() -> None:
    assert load_pack(make(), "p").binds == Binds()
    assert load_pack(make(), "p").binds.default
    bound = load_pack(make(head=HEAD + '[binds]\nclasses = ["mvno"]\ntrunks = ["cc-alpha"]\n'), "p").binds
    assert bound == Binds(("mvno",), ("cc-alpha",))
    assert (bound.default, str(bound), str(Binds())) == (False, "trunk cc-alpha, class mvno", "default")


@pytest.mark.parametrize(
    ("binds", "said"),
    [
        ('[binds]\ntrunks = "cc-alpha"\n', "p.toml:4: binds.trunks: 'cc-alpha': write a list of ids"),
        ('[binds]\ntrunks = ["a", "b", "a"]\n', "p.toml:4: binds.trunks: 'a': listed twice: keep one"),
        ('[binds]\n\nclasses = ["pirate"]\n', "p.toml:5: binds.classes: 'pirate': use one of call_centre, "),
        ("[binds]\ntrunk = []\n", "p.toml:4: binds.trunk: unknown key: use one of classes, trunks"),
        ("binds = 5\n", "binds: 5: write a table"),
        (f"[binds]\ntrunks = {[str(n) for n in range(MAX_NAMES + 1)]}\n", "binds.trunks: 1001 names: at most 1000"),
    ],
)  # fmt: skip
def test_binds_that_cannot_be_read_are_named_with_line_and_fix(binds: str, said: str) -> None:
    assert said in problems(make(head=HEAD + binds))


def test_clauses_and_percent_stand_with_their_rule() -> None:
    text = make(RULE + 'clauses = ["A06", "47 CFR 64.1200(c)"]\n[rule.percent]\ncc-alpha = 10\n', but="purpose")
    bound = load_pack(text, "p").rules[-1]
    assert (bound.clauses, bound.percent) == (("A06", "47 CFR 64.1200(c)"), {"cc-alpha": 10})
    assert load_pack(make(), "p").rules[0].clauses == ()


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        ('clauses = "A06"\n', "rule purpose.clauses: 'A06': write at most"),
        ("clauses = [5]\n", "rule purpose.clauses: 5: write at most"),
        ('clauses = ["A06\\n"]\n', "rule purpose.clauses: 'A06\\n': write at most"),
        (f"clauses = {['A'] * (MAX_CLAUSES + 1)}\n", "write at most 32 clause ids"),
        ("[rule.percent]\ncc-alpha = 101\n", "rule purpose.percent.cc-alpha: 101: write a whole number from 0 to 100"),
        ("[rule.percent]\ncc-alpha = true\n", "percent.cc-alpha: True: write a whole number"),
        ("percent = 10\n", "rule purpose.percent: 10: write a table of trunk = percentage"),
        ('mode = "off"\n[rule.percent]\ncc-alpha = 10\n', "rule purpose.percent: the rule is off: leave it out"),
    ],
)
def test_what_a_rule_cannot_have_is_named_with_line_and_fix(extra: str, said: str) -> None:
    text = make(RULE + extra, but="purpose")
    found = problems(text)
    assert said in found
    named = text.split("\n")[int(found.split(":")[1]) - 1]
    assert named.startswith(("clauses", "cc-alpha", "percent", "[rule.percent]"))


def test_the_share_comes_from_the_decision_and_is_even() -> None:
    assert share_of("0" * 32) == 0 and share_of("f" * 24 + "00000063") == 99
    spread = [share_of(f"{number * 2654435761 % 2**32:032x}") for number in range(10_000)]
    assert {spread.count(share) for share in range(100)} <= set(range(80, 121))
