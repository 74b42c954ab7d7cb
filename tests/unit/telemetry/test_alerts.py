"""The alerts name metrics there are, with labels they have."""

from __future__ import annotations

import re
from pathlib import Path

from gateway.telemetry.metrics import NAMES

RULES = (Path(__file__).parents[3] / "deploy/prometheus/callgate.rules.yml").read_text(encoding="utf-8")


def test_every_alert_is_on_a_metric_there_is() -> None:
    expressions = re.findall(r"^ +expr: (.+)$", RULES, re.M)
    assert len(expressions) == RULES.count("- alert: ") == RULES.count("summary: ")
    named = {name for text in expressions for name in re.findall(r"callgate_\w+", text)}
    assert named <= set(NAMES)
    for wanted in ("redis_up", "database_up", "errors_total", "journal_writable", "keys_match", "worker_up"):
        assert f"callgate_{wanted}" in named
    assert "absent(" in RULES


def test_labels_in_summaries_are_those_of_the_metric() -> None:
    for expression, summary in re.findall(r"expr: (.+)\n(?: +for: .+\n)? +annotations: (.+)$", RULES, re.M):
        for label in re.findall(r"\$labels\.(\w+)", summary):
            (name,) = re.findall(r"callgate_\w+", expression)
            metric = NAMES[name]
            assert label in (("worker", *metric.labels) if metric.merge == "each" else metric.labels)
