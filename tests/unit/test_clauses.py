"""The page of clauses says what is so: every clause, rules and tests that exist, nothing left open in silence."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from policies import RULES
from policies.answers import ANSWERS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "config/packs/README.md").read_text(encoding="utf-8")
ROWS = {
    cells[0]: cells[1:]
    for cells in (line.strip("| ").split(" | ") for line in PAGE.split("\n"))
    if re.fullmatch(r"[AB]\d\d", cells[0])
}
CLAUSES = [f"A{number:02d}" for number in range(1, 50)] + [f"B{number:02d}" for number in range(1, 23)]
MESSAGES = {"B09", "B10", "B11", "B12", "B13", "B20"}
NOT_YET: set[str] = set()
RULE = re.compile(r"`([a-z]+(?:-[a-z]+)+|purpose|transfer|frequency|behaviour|method)`")
TEST = re.compile(r"^(?:async )?def (test_\w+)", re.MULTILINE)
NAMED = {
    name
    for path in (ROOT / "tests").rglob("test_*.py")
    for name in TEST.findall(path.read_text(encoding="utf-8"))
}  # fmt: skip


def test_every_clause_has_one_row() -> None:
    assert list(ROWS) == CLAUSES
    listed = re.findall(r"^\| ([AB]\d\d) \|", PAGE, re.MULTILINE)
    assert len(listed) == len(CLAUSES)


@pytest.mark.parametrize("clause", CLAUSES)
def test_a_row_says_how_it_is_held_and_names_what_exists(clause: str) -> None:
    asks, held, shown = ROWS[clause]
    assert len(asks) > 20 and len(held) > 20
    assert set(RULE.findall(held)) <= RULES.keys() | ANSWERS.keys()
    tests = re.findall(r"`(test_\w+)`", shown)
    assert set(tests) <= NAMED
    if clause in MESSAGES | NOT_YET:
        assert held.startswith("Not") and not tests
        assert ("message gate" in held) is (clause in MESSAGES)
    else:
        assert tests, "a gateway can do it: name a test"
        assert clause in ("B21", "B22") or any(clause.lower() in name for name in tests), "named by its clause"


def test_packs_stand_for_clauses_of_the_page() -> None:
    for name in ("cn-call-centre-2020", "cn-sms-voice-draft-2020"):
        text = (ROOT / f"config/packs/{name}.toml").read_text(encoding="utf-8")
        stated = {clause for line in re.findall(r"clauses = \[([^]]*)\]", text) for clause in re.findall(r"\w+", line)}
        assert stated and stated <= set(CLAUSES)


def test_every_pack_is_on_the_page() -> None:
    packs = {path.stem for path in (ROOT / "config/packs").glob("*.toml")}
    rows = re.findall(r"^\| (`.*?) \| .* \| .* \|$", PAGE, re.MULTILINE)
    assert packs == {name for row in rows for name in re.findall(r"`([\w-]+)`", row)}
