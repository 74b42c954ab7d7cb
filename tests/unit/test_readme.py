"""README is held against the code where it repeats it: the answers, the folders, the width of a line; and the clause
ids of the rules are explained where it says they are."""

from __future__ import annotations

import re
from pathlib import Path

from policies import RULES
from policies.answers import ANSWERS

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CLAUSE = re.compile(r"\b[AB][0-9]{2}\b")
MAX_LINE = 120
HOMES = (ROOT, ROOT / "gateway", ROOT / "tests")


def table(title: str) -> list[list[str]]:
    """Cells of the first table behind a heading, without its head."""
    part = README.split(f"## {title}\n", 1)[1].split("\n## ", 1)[0]
    rows = [line.strip("| ").split(" | ") for line in part.split("\n") if line.startswith("| ")]
    return rows[2:]


def test_every_refusal_is_in_the_answer_table_with_its_answer() -> None:
    found = {
        rule: (int(answer.split(" ", 1)[0]), answer.split(" ", 1)[1])
        for answer, rules in table("What a refused caller is told")
        for rule in re.findall(r"`([a-z-]+)`", rules)
    }
    answers = {rule.id: rule.answer for rule in RULES.values()} | ANSWERS
    assert found == {name: (answer.status, answer.phrase) for name, answer in answers.items()}


def test_the_house_names_every_folder_and_file() -> None:
    named = re.findall(r"`([\w./-]+)`", " ".join(cells[0] + cells[1] * (cells[0] == "`tests`") for cells in house()))
    found = {path for name in named for home in HOMES if (path := home / name).exists()}
    assert len(found) == len(named), "a name that is nothing here"
    there = {path for path in (ROOT / "gateway").iterdir() if path.name not in ("__init__.py", "__pycache__")}
    there |= {ROOT / name for name in ("policies", "config", "deploy", "tests")}
    assert there <= found


def house() -> list[list[str]]:
    return table("The house")


def test_lines_fit_a_terminal() -> None:
    assert [line for line in README.split("\n") if len(line) > MAX_LINE] == []


def test_clause_ids_in_code_are_explained() -> None:
    text = (ROOT / "config/packs/README.md").read_text(encoding="utf-8")
    explained = {line.split("|")[1].strip() for line in text.split("\n") if line.startswith(("| A", "| B"))}
    cited: set[str] = set()
    for folder in ("gateway", "policies", "config"):
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in (".py", ".toml", ".csv"):
                cited |= set(CLAUSE.findall(path.read_text(encoding="utf-8")))
    assert cited <= explained
