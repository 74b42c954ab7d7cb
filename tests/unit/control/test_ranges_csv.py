"""Number ranges as CSV: what cells mean, what is refused and how, and there and back."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.control.importer.bulk import Step
from gateway.control.importer.problems import Problems
from gateway.control.importer.ranges_csv import COLUMNS, EVERY, read_ranges, write_ranges
from gateway.control.importer.registry_file import RegistryFile
from tests.unit.registry.example import number_range

ROW = number_range("+8657112340000", "+8657112349999", id="a")
FULL = replace(
    ROW, trunks=("cc-1", "cc-2"), egress=("carrier",), inbound=False, purposes=("consultation", "return_visit"),
    certificate='C "1", of 2024', filing="备案-1", valid_from=1_600_000_000.5, valid_to=1_700_000_000.0,
    state="filed", steps=((1_650_000_000.0, "enabled"), (1_660_000_000.0, "suspended")), length=11,
    regions=("Zhejiang", "上海"), carriers=("Telecom",), tenant="t1",
)  # fmt: skip
HEAD = "id,first,last,operator,trunks"
GOOD = "a,+8657112340000,+8657112349999,alpha,cc-alpha"


def read(path: Path, text: str | bytes) -> tuple[RegistryFile, list[str]]:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    problems = Problems("r.csv")
    found = read_ranges(path, problems)
    return found, problems.lines()


def test_there_and_back(tmp_path: Path) -> None:
    out = io.StringIO()
    rows = [ROW, replace(FULL, id="b"), replace(ROW, id="c", trunks=(), inbound=False)]
    write_ranges(out, rows)
    found, problems = read(tmp_path / "r.csv", out.getvalue())
    assert problems == [] and found.ranges == rows and found.rows == 3


def test_what_is_left_out_is_as_in_a_registry_file(tmp_path: Path) -> None:
    text = f"\ufeff{HEAD},state,steps\r\n{GOOD},,\r\n\r\nb{GOOD[1:]},suspended,\r\n"
    found, problems = read(tmp_path / "r.csv", text)
    assert problems == []
    first, second = found.ranges
    assert first == replace(ROW, outbound=False, purposes=()) and second.state == "suspended"
    assert ("range", "a", "state") in found.unstated and ("range", "b", "state") not in found.unstated
    assert ("range", "b", "steps") in found.unstated and ("trunk", "a", "state") not in found.unstated
    assert [found.lines.line("range", found.places["range", one], "first") for one in "ab"] == [2, 4]
    assert ("trunk", "a") not in found.places and ("range", "c") not in found.places


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "r.csv: line 1: header: id, first, last, operator, trunks: missing"),
        ("id,first,last,operator", "r.csv: line 1: header: trunks: missing"),
        (f"{HEAD},colour", "r.csv: line 1: header: colour: known columns are id, first"),
        (f"{HEAD},id", "r.csv: line 1: header: id: is there twice"),
        (f"{HEAD}\n{GOOD},x", "r.csv: line 2: row: 6 cells: write 5"),
        (f"{HEAD}\n{GOOD}\n{GOOD}", "r.csv: line 3: id: a: is in this file twice"),
        (f"{HEAD}\n,1,1,alpha,cc", "r.csv: line 2: id: missing"),
        (f"{HEAD},outbound\n{GOOD},yes", "r.csv: line 2: outbound: yes: write true or false"),
        (f"{HEAD},valid_to\n{GOOD},2024-01-01", "r.csv: line 2: valid_to: 2024-01-01: write an RFC 3339 time"),
        (f"{HEAD},state\n{GOOD},open", "r.csv: line 2: state: open: write one of assigned"),
        (f"{HEAD},steps\n{GOOD},recalled", "r.csv: line 2: steps: recalled: write STATE@TIME"),
        (f"{HEAD},length\n{GOOD},-1", "r.csv: line 2: length: -1: write the number of digits"),
        (f'{HEAD}\n"a"x{GOOD[1:]}', "r.csv: line 2: row: "),
        (f"{HEAD}\n{GOOD[:-1]}".encode() + b"\xff", "r.csv: file: byte 0xff: save the file as UTF-8"),
        (f'{HEAD}\n"{"x" * 70_000}",1,1,alpha,cc', "r.csv: line 2: row: field larger"),
    ],
)  # fmt: skip
def test_refused_with_line_field_value_and_fix(tmp_path: Path, text: str | bytes, said: str) -> None:
    _, problems = read(tmp_path / "r.csv", text)
    assert problems and problems[0].startswith(said)


def test_a_list_that_could_not_be_told_from_its_parts_is_not_written() -> None:
    with pytest.raises(ValueError, match=r"range a.regions: .*export registry"):
        write_ranges(io.StringIO(), [replace(ROW, regions=("north; south",))])


def test_progress_is_told(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_text("\n".join([HEAD, *[f"r{n},+8657112340000,+8657112349999,alpha,cc" for n in range(EVERY + 1)]]))
    steps: list[Step] = []
    assert len(read_ranges(path, Problems("r.csv"), steps.append).ranges) == EVERY + 1
    assert [step.rows for step in steps] == [EVERY] and 0 < steps[0].done <= steps[0].total == path.stat().st_size


def test_every_column_is_documented() -> None:
    from gateway.cli.imports import ranges

    said = " ".join((ranges.__doc__ or "").split())
    assert all(name in said for name in COLUMNS)
