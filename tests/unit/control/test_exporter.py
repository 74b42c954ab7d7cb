"""What is exported is read back as it was."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from gateway.control.exporter import registry_toml
from gateway.control.importer.problems import Problems
from gateway.control.importer.registry_file import read_registry_file
from gateway.registry.model import Snapshot

EXAMPLE = Path("config/example/registry.toml")


def test_export_and_import_are_inverse() -> None:
    problems = Problems("example")
    first = read_registry_file(EXAMPLE.read_text(encoding="utf-8"), EXAMPLE.parent, problems)
    assert first.plan is not None
    titles = {name: title or "" for name, title in first.purposes.items()}
    trunks = [replace(first.trunks[0], answers=(("callee-refused", 403, 'No "calls"'),)), *first.trunks[1:]]
    ranges = [replace(first.ranges[0], valid_from=1_700_000_000.0, certificate='a "quoted" \\ 证书'), *first.ranges[1:]]
    snapshot = Snapshot(
        version=3,
        operators=tuple(first.operators),
        trunks=tuple(trunks),
        ranges=tuple(ranges),
        purposes={name: number for number, name in enumerate(first.purposes, 1)},
        plan=first.plan.entries,
        emergency=first.plan.emergency,
    )
    second = read_registry_file(registry_toml(snapshot, titles), None, problems)
    assert problems.found == []
    assert second.operators == first.operators
    assert second.trunks == trunks
    assert second.ranges == ranges
    assert list(second.purposes.items()) == list(first.purposes.items())
    assert second.plan == first.plan
