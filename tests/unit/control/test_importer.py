"""The importer's small parts: times, lines of a TOML text, next hops, the collector of problems."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.control.importer.problems import MAX_PROBLEMS, ImportRefused, Problems
from gateway.control.importer.registry_file import read_registry_file
from gateway.control.importer.toml_lines import TomlLines
from gateway.control.importer.values import parse_time
from gateway.registry.model import NextHop
from gateway.store.sql.records import next_hop, next_hop_text


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("2024-01-31T09:00:00Z", datetime(2024, 1, 31, 9, tzinfo=UTC)),
        ("2024-01-31t09:00:00.5z", datetime(2024, 1, 31, 9, 0, 0, 500_000, tzinfo=UTC)),
        ("2024-01-31 09:00:00+08:00", datetime(2024, 1, 31, 1, tzinfo=UTC)),
        ("2024-01-31T09:00:00", None),
        ("2024-01-31", None),
        ("20240131T090000+0800", None),
        ("2024-W05-3T09:00:00Z", None),
        ("2024-02-30T09:00:00Z", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("", None),
    ],
)
def test_times_are_rfc_3339_with_a_zone(text: str, wanted: datetime | None) -> None:
    assert parse_time(text) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("127.0.0.9:5060", NextHop("127.0.0.9", 5060)),
        ("Carrier.example", NextHop("carrier.example", 0, "")),
        ("carrier.example/tcp", NextHop("carrier.example", 0, "tcp")),
        ("sip:gw.example:5062", NextHop("gw.example", 5062)),
        ("gw.example:5062;drained", NextHop("gw.example", 5062, drained=True)),
        ("127.0.0.9;drained", NextHop("127.0.0.9", drained=True)),
        ("127.0.0.9/tls", NextHop("127.0.0.9", 5061, "tls")),
        ("127.0.0.9/", None),
        ("[::1]:5070/tcp", NextHop("[::1]", 5070, "tcp")),
        ("[::1]", NextHop("[::1]", 5060)),
        ("h:5061/TLS", NextHop("h", 5061, "tls")),
        ("h/tls", NextHop("h", 0, "tls")),
        ("h:5070/udp+tcp", NextHop("h", 5070, "udp", large=True)),
        ("h/tcp+udp", None),
        ("h:x", None),
        ("h:123456", None),
        (":5060", None),
        ("[::1", None),
        ("[::1]5060", None),
        ("h/sctp", None),
        ("::1", None),
        ("", None),
    ],
)
def test_next_hops(text: str, wanted: NextHop | None) -> None:
    assert next_hop(text) == wanted
    if wanted:
        assert next_hop(next_hop_text(wanted)) == wanted


def test_lines_of_tables_and_keys() -> None:
    lines = TomlLines('[plan]\nfile = "cn"\n\n[[trunk]]\nid = "a"\n [[ trunk ]] # b\n  id= "b"\nside = "core"\n')
    assert [lines.line("plan"), lines.line("plan", 0, "file")] == [1, 2]
    assert [lines.line("trunk", 0, "id"), lines.line("trunk", 1), lines.line("trunk", 1, "side")] == [5, 6, 8]
    # A key that is not there: its table's line. A table that is not there: 0.
    assert [lines.line("trunk", 1, "sources"), lines.line("range", 3)] == [6, 0]


def test_problems_are_bounded_sorted_and_cut() -> None:
    problems = Problems("file.csv")
    problems.check()
    for line in range(200, 0, -1):
        problems.add(line, "callee", "x" * 500, "mend it")
    with pytest.raises(ImportRefused) as refused:
        problems.check()
    assert len(refused.value.problems) == MAX_PROBLEMS
    lines = str(refused.value).splitlines()
    assert lines[0].startswith("file.csv: line 151: callee: xxx")
    assert len(lines[0]) < 160
    assert lines[-1].startswith("nothing was changed; there may be more")


def test_a_plan_may_stand_in_the_file_itself() -> None:
    text = (
        '[plan]\nemergency = ["110"]\ncsv = """\n'
        "prefix,kind,nsn_min_len,nsn_max_len,outbound_allowed_as_caller,notes\n110,emergency,3,3,no,police\n"
        '"""\n'
    )
    problems = Problems("r.toml")
    file = read_registry_file(text.replace('"""\nprefix', '"""prefix'), Path(), problems)
    assert problems.found == []
    assert file.plan is not None
    assert (file.plan.emergency, file.plan.entries[0].kind) == (("110",), "emergency")
