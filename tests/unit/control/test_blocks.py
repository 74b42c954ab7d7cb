"""Import files in blocks: whole rows, the right line numbers, whatever stands in the cells."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.control.importer import blocks
from gateway.control.importer.blocks import Form, read_blocks, read_form, read_rows
from gateway.control.importer.problems import Problems

REQUIRED, OPTIONAL = ("callee", "scope"), ("value",)
Rows = list[tuple[int, list[str]]]


def rows_of(path: Path, content: bytes, skip: int = 0) -> tuple[Rows, Problems]:
    path.write_bytes(content)
    problems = Problems("x")
    form = read_form(path, REQUIRED, OPTIONAL, problems)
    found: Rows = []
    for block in read_blocks(path, form, problems, skip) if form else ():
        assert form is not None
        found += read_rows(block, form, problems)
    return found, problems


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(blocks, "BLOCK_LINES", 2)
    return tmp_path / "x"


def test_rows_of_blocks_are_those_of_the_file(path: Path) -> None:
    content = b'\xef\xbb\xbfvalue,callee,scope\r\n,1,all\r\n"a\r\nb ""c""\r\nd",2,all\r\n\r\nx,3,all\n,4,all'
    found, problems = rows_of(path, content)
    assert not problems
    assert found == [
        (2, ["1", "all", ""]), (5, ["2", "all", 'a\r\nb "c"\r\nd']), (7, ["3", "all", "x"]), (8, ["4", "all", ""]),
    ]  # fmt: skip
    assert rows_of(path, content, skip=6)[0] == found[2:]


def test_json_lines(path: Path) -> None:
    content = (
        b'{"callee": "1", "scope": "all"}\n{"callee": 2, "scope": "all"}\n\n{"x": "1"}\n[1]\n{"callee"\n'
        b'{"scope": " all ", "callee": "3", "value": null}'
    )
    found, problems = rows_of(path, content)
    assert found == [(1, ["1", "all", ""]), (7, ["3", "all", ""])]
    assert [(one.line, one.field) for one in problems.found] == [(2, "callee"), (4, "row"), (5, "row"), (6, "row")]


def test_a_quote_that_is_never_closed_and_a_line_without_end_are_bounded(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "MAX_BLOCK", 100)
    monkeypatch.setattr(blocks, "MAX_LINE", 60)
    head = b"callee,scope\n"
    found, problems = rows_of(path, head + b'"1,all\n' + b"2,all\n" * 100)
    assert {one.fix for one in problems.found} == {"write CSV as of RFC 4180: quotes closed and doubled"}
    assert all(line > 10 for line, _ in found)
    _, problems = rows_of(path, head + b"1,all\n" + b"x" * 1_000)
    (problem,) = problems.found
    assert (problem.line, problem.field) == (3, "row") and "shorter lines" in problem.fix


def test_headers(path: Path) -> None:
    for head in (b"", b"callee\n", b"callee,scope,scope\n", b"callee,scope,moon\n", b'"callee\n'):
        assert rows_of(path, head + b"1,all\n")[1]
    path.write_bytes(b"CALLEE , Scope\n")
    assert read_form(path, REQUIRED, OPTIONAL, Problems("x")) == Form("csv", (*REQUIRED, *OPTIONAL), (0, 1, -1), 2, 1)
