"""The packs that come with the program: each loads as it is, lists every rule, and says where its figures are from."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest

from gateway.control.pack_text import whole_pack
from gateway.gate.pack import Pack
from gateway.gate.pack_read import load_pack
from policies import RULES
from tests.unit.gate.test_pack import EXAMPLE

FOLDER = Path("config/packs")
COUNTRIES = sorted(path.stem for path in FOLDER.glob("*.toml") if path.stem != "example")
FIGURE = re.compile(r"^(\w+ = )?\[?(\d|\[?\{ count|\"\d\d:\d\d|\"\w{3}-\w{3} \d\d)")


def shipped_pack(name: str) -> tuple[Pack, str]:
    """A pack as it is imported, and its text."""
    text = whole_pack((FOLDER / f"{name}.toml").read_text(encoding="utf-8"))
    return load_pack(text, f"{name}.toml"), text


def test_all_of_them_are_there() -> None:
    assert COUNTRIES == ["cn-call-centre-2020", "cn-sms-voice-draft-2020", "france", "germany", "india", "uk", "us"]


@pytest.mark.parametrize("name", COUNTRIES)
def test_each_loads_and_lists_every_rule(name: str) -> None:
    pack, text = shipped_pack(name)
    assert pack.label == f"{name}@1"
    assert {bound.id for bound in pack.rules} == set(RULES)
    assert text.isascii() and pack.title


@pytest.mark.parametrize("name", COUNTRIES)
def test_who_calls_is_always_proven(name: str) -> None:
    pack, _ = shipped_pack(name)
    always = {bound.id for bound in load_pack(EXAMPLE, "example.toml").rules if bound.mode == "enforce"}
    missing = {bound.id for bound in pack.rules if bound.mode != "enforce"} & always
    assert missing <= {"operator-admission"}, "papers are those of China's texts"


@pytest.mark.parametrize("name", COUNTRIES)
def test_every_figure_has_its_source_beside_it(name: str) -> None:
    lines = (FOLDER / f"{name}.toml").read_text(encoding="utf-8").split("\n")
    sourced = False
    bare = []
    for before, line in pairwise(["", *lines]):
        if line.startswith("clauses = "):
            sourced = True  # the figures of this rule are the clause's
        elif line.startswith("[[rule]]"):
            sourced = False
        elif line.startswith("[rule") and "#" in line:
            sourced = True
        figure = FIGURE.match(line) and not line.startswith(("version", "status", "holidays", "years"))
        if figure and "#" not in line and not sourced and "#" not in before:
            bare.append(line)
    assert bare == []
