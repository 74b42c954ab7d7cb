"""Import files with anything in them: rows or named problems, never another exception."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from gateway.control.importer import consent_rows, refusal_rows
from gateway.control.importer.blocks import read_blocks, read_form, read_rows
from gateway.control.importer.problems import MAX_PROBLEMS, Problems
from gateway.control.importer.registry_file import read_registry_file
from gateway.control.importer.subscriber import Subscribers
from gateway.registry.model import Operator, Snapshot
from gateway.registry.numbering import emergency_codes, load_plan_csv
from tests.support.database import ALICE, EXAMPLE, KEYS, ROOT

PLAN = load_plan_csv((ROOT / "config" / "plans" / "cn.csv").read_text(encoding="utf-8"))
SNAPSHOT = Snapshot(
    1, (Operator("alpha", "Alpha", 1),), plan=PLAN, emergency=emergency_codes(PLAN), purposes={"consultation": 1}
)
SUBSCRIBERS = Subscribers(KEYS)
NOW = datetime.now(UTC)
REGISTRY = (EXAMPLE / "registry.toml").read_text(encoding="utf-8")

cells = st.one_of(
    st.text(max_size=40),
    st.sampled_from(
        [
            ALICE, "95588", "alpha", "consultation", "2024-01-01T00:00:00Z", "all", "category", "revoke", "withdraw",
            "mon-fri 21:00-09:00", "call", "0" * 64, "",
        ]
    ),
    st.datetimes().map(lambda at: at.isoformat() + "Z"),
)


jsonl = st.text(max_size=200).map(lambda text: ('{"callee": "x", "scope": "all"}\n{' + text).encode())


@given(st.one_of(st.binary(max_size=400), jsonl), st.booleans())
def test_any_bytes_are_rows_or_problems(content: bytes, headed: bool) -> None:
    header = b"callee,scope,value,event,source,registered_at\n" if headed else b""
    problems = Problems("x.csv")
    with tempfile.NamedTemporaryFile() as file:
        Path(file.name).write_bytes(header + content)
        path = Path(file.name)
        form = read_form(path, refusal_rows.REQUIRED, refusal_rows.OPTIONAL, problems)
        for block in read_blocks(path, form, problems) if form else ():
            for line, row in read_rows(block, form, problems) if form else ():
                assert line >= 2 or form.kind == "jsonl"
                assert len(row) == 8
    assert len(problems.found) <= MAX_PROBLEMS
    assert headed or problems or (form and form.kind == "jsonl")


@given(st.lists(cells, min_size=10, max_size=10))
def test_any_consent_row_is_an_event_or_a_problem(row: list[str]) -> None:
    problems = Problems("x.csv")
    event = consent_rows.ConsentReader(SNAPSHOT, SUBSCRIBERS, problems, NOW).event(2, *row)
    assert (event is None) == bool(problems)


@given(st.lists(cells, min_size=8, max_size=8))
def test_any_refusal_row_is_an_event_or_a_problem(row: list[str]) -> None:
    problems = Problems("x.csv")
    event = refusal_rows.RefusalReader(SNAPSHOT, SUBSCRIBERS, problems, NOW).event(2, *row)
    assert (event is None) == bool(problems)


@given(st.data())
def test_any_registry_text_is_rows_or_problems(data: st.DataObject) -> None:
    text = data.draw(st.one_of(st.text(max_size=200), st.just(REGISTRY)))
    if text == REGISTRY:
        lines = text.split("\n")
        for _ in range(data.draw(st.integers(1, 5))):
            place = data.draw(st.integers(0, len(lines) - 1))
            lines[place] = data.draw(st.sampled_from(["", "x = 1", 'id = ["a"]', "[[trunk]]", "[plan]", "side = true",
                                                      "answers = [1]", "valid_from = 2024-01-01", *lines]))  # fmt: skip
        text = "\n".join(lines)
    problems = Problems("x.toml")
    file = read_registry_file(text, EXAMPLE, problems)
    assert problems or file.rows >= 0
