"""Reads rule packs: a TOML file that lists the rules in order, with mode, answer, parameters and what to do
without facts.

A pack that comes in must list every rule, so that none is forgotten. A pack that is stored already may be older
than the newest rule: read with `stored=True`, a rule it does not list is `off`, with a warning in the log, so that a
newer program still starts on it.

A pack is refused whole, with every problem named as `file:line: where: value: fix`. Its shape:

    id = "cn-call-centre"        version = 3            title = "..."
    [binds]                      classes, trunks: the calls it judges; neither: those no other pack names (`pack_bind`)
    [[rule]]                     id, mode = "enforce" | "shadow" | "off", on_unavailable = "refuse" | "pass",
                                 clauses = ["A06"]: what it stands for
    [rule.answer]                status, phrase, cause, retry_after, headers: the rest is the rule's own
    [rule.params]                what the rule takes
    [rule.percent]               trunk = 0..100: enforces on that share of its calls, shadow on the rest
    [[calendar]]                 id, years, holidays: put in when the pack is imported (`pack_calendar`)
    [[answer]]                   id, status, phrase, cause, retry_after, headers: refusals outside the chain
"""

from __future__ import annotations

import hashlib
import logging
import tomllib
from collections.abc import Mapping
from datetime import date

from gateway.gate.pack import BoundRule, Pack, PackError
from gateway.gate.pack_answer import FIELDS, read_answer
from gateway.gate.pack_bind import read_binds, read_clauses, read_percent
from gateway.gate.pack_calendar import expand, read_calendars
from policies import REQUIRED, RULES
from policies.answers import ANSWERS
from policies.base import STORE, Answer

MODES = ("enforce", "shadow", "off")
ON_UNAVAILABLE = ("refuse", "pass")
MAX_PACK = 262_144
"""Bytes of pack text. Packs travel in every registry snapshot; nineteen rules take four thousand."""
MAX_ID = 64
"""Pack ids stand in every decision record."""

_log = logging.getLogger("callgate.pack")

_PACK_KEYS = ("id", "version", "title", "binds", "calendar", "rule", "answer")
_RULE_KEYS = ("id", "mode", "answer", "params", "on_unavailable", "clauses", "percent")


def load_pack(text: str, name: str, stored: bool = False) -> Pack:
    """Read a pack; `name` is the file's, for messages. `stored`: it was imported before, by this or an older
    version: rules it does not list are `off`. Raises PackError with every problem found."""
    if len(text.encode()) > MAX_PACK:
        raise PackError([f"{name}: {len(text.encode())} bytes: a pack has at most {MAX_PACK}"])
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise PackError([f"{name}: not TOML: {error}"]) from None
    return _Reader(text, name, stored).pack(table)


class _Reader:
    """Collects problems, so that a pack is mended in one go."""

    __slots__ = ("_calendars", "_lines", "_name", "_problems", "_stored")

    def __init__(self, text: str, name: str, stored: bool) -> None:
        self._lines = text.split("\n")
        self._name = name
        self._stored = stored
        self._problems: list[str] = []
        self._calendars: dict[str, list[date]] = {}

    def pack(self, table: dict[str, object]) -> Pack:
        self._keys(table, _PACK_KEYS, 1, "pack")
        pack_id, version, title = table.get("id"), table.get("version"), table.get("title", "")
        if not isinstance(pack_id, str) or not _is_id(pack_id):
            self._say(self._line(1, "id"), f"id: {pack_id!r}: write 1-{MAX_ID} letters, digits, '-', '_' or '.'")
        if not isinstance(version, int) or isinstance(version, bool) or version < 1:
            self._say(self._line(1, "version"), f"version: {version!r}: write a whole number from 1")
        if not isinstance(title, str):
            self._say(self._line(1, "title"), f"title: {title!r}: write a text")
        binds, found = read_binds(table.get("binds", {}))
        for key, text in found:
            self._say(self._line(self._header("[binds]", 0), key), text)
        self._calendars, found = read_calendars(table.get("calendar", []))
        for _, text in found:
            self._say(self._header("[[calendar]]", 0), text)
        rules = self._rules(table.get("rule", []))
        answers = {rule.id: rule.answer for rule in rules} | ANSWERS | self._answers(table.get("answer", []))
        if self._problems or not isinstance(pack_id, str) or not isinstance(version, int):
            raise PackError(self._problems)
        sha = hashlib.sha256("\n".join(self._lines).encode()).hexdigest()
        return Pack(pack_id, version, str(title), tuple(rules), answers, sha, binds)

    def _rules(self, tables: object) -> list[BoundRule]:
        rules: list[BoundRule] = []
        for number, table in enumerate(self._tables("rule", tables)):
            rule = self._rule(table, self._header("[[rule]]", number))
            if rule is None:
                continue
            if any(rule.id == other.id for other in rules):
                self._say(self._header("[[rule]]", number), f"rule: {rule.id!r}: listed twice: keep one")
            rules.append(rule)
        missing = sorted(REQUIRED - {rule.id for rule in rules})
        if missing and self._stored:
            _log.warning("%s: %s not listed, so off: import a pack that lists it", self._name, ", ".join(missing))
            rules.extend(_switched_off(rule_id) for rule_id in missing)
        elif missing and not self._problems:
            self._say(1, f'rule: {", ".join(missing)} not listed: list each, with mode = "off" to leave it out')
        return rules

    def _rule(self, table: dict[str, object], line: int) -> BoundRule | None:
        rule_id = table.get("id")
        kind = RULES.get(rule_id) if isinstance(rule_id, str) else None
        if kind is None or not isinstance(rule_id, str):
            self._say(self._line(line, "id"), f"rule.id: {rule_id!r}: use one of {', '.join(RULES)}")
            return None
        where = f"rule {rule_id}"
        self._keys(table, _RULE_KEYS, line, where)
        mode = self._word(table, "mode", MODES, "enforce", line, where)
        if "on_unavailable" in table and kind.needs != STORE:
            self._say(
                self._line(line, "on_unavailable"),
                f"{where}.on_unavailable: the rule needs no store: leave it out",
            )
        fallback = self._word(table, "on_unavailable", ON_UNAVAILABLE, "refuse", line, where)
        answer = self._answer(table.get("answer", {}), kind.answer, self._line(line, "[rule.answer]"), where, True)
        params = table.get("params", {})
        if not isinstance(params, dict):
            self._say(line, f"{where}.params: {params!r}: write a table")
            return None
        try:
            rule = kind(expand(params, self._calendars))
        except ValueError as error:
            key = str(error).partition(":")[0]
            self._say(self._line(line, key), f"{where}.params.{error}")
            return None
        clauses, wrong = read_clauses(table.get("clauses", []))
        if wrong:
            self._say(self._line(line, "clauses"), f"{where}.clauses: {wrong}")
        percent, found = read_percent(table.get("percent", {}), mode)
        for key, text in found:
            self._say(self._line(self._line(line, "[rule.percent]"), key), f"{where}.{text}")
        return BoundRule(rule_id, rule, mode, answer, fallback, clauses, percent)

    def _answers(self, tables: object) -> dict[str, Answer]:
        answers: dict[str, Answer] = {}
        for number, table in enumerate(self._tables("answer", tables)):
            line = self._header("[[answer]]", number)
            answer_id = table.get("id")
            if not isinstance(answer_id, str) or answer_id not in ANSWERS:
                fix = (
                    "a rule's answer goes under its [[rule]]"
                    if answer_id in RULES
                    else f"use one of {', '.join(ANSWERS)}"
                )
                self._say(self._line(line, "id"), f"answer.id: {answer_id!r}: {fix}")
                continue
            if answer_id in answers:
                self._say(line, f"answer: {answer_id!r}: listed twice: keep one")
            fields = {key: value for key, value in table.items() if key != "id"}
            answers[answer_id] = self._answer(fields, ANSWERS[answer_id], line, f"answer {answer_id}", False)
        return answers

    def _answer(self, table: object, default: Answer, line: int, where: str, verdict: bool) -> Answer:
        if not isinstance(table, dict):
            self._say(line, f"{where}.answer: {table!r}: write a table")
            return default
        self._keys(table, FIELDS, line, where)
        answer, problems = read_answer(table, default, verdict)
        for key, text in problems:
            self._say(self._line(line, key), f"{where}.{key}: {text}")
        return answer

    def _word(
        self, table: dict[str, object], key: str, words: tuple[str, ...], default: str, line: int, where: str
    ) -> str:
        value = table.get(key, default)
        if isinstance(value, str) and value in words:
            return value
        self._say(self._line(line, key), f"{where}.{key}: {value!r}: write one of {', '.join(words)}")
        return default

    def _tables(self, key: str, value: object) -> list[dict[str, object]]:
        if isinstance(value, list) and all(isinstance(item, dict) for item in value):
            return value
        self._say(self._line(1, key), f"{key}: {value!r}: write [[{key}]] tables")
        return []

    def _keys(self, table: Mapping[str, object], known: tuple[str, ...], line: int, where: str) -> None:
        for key in table:
            if key not in known:
                self._say(self._line(line, key), f"{where}.{key}: unknown key: use one of {', '.join(known)}")

    def _say(self, line: int, text: str) -> None:
        self._problems.append(f"{self._name}:{line}: {text}")

    def _header(self, header: str, number: int) -> int:
        """Line of the n-th header like this one; 1 where the file is written another way (inline tables)."""
        lines = [line for line, text in enumerate(self._lines, 1) if text.split("#")[0].strip() == header]
        return lines[number] if number < len(lines) else 1

    def _line(self, start: int, key: str) -> int:
        """First line from `start`, within its table, that begins with the key; `start` where there is
        none."""
        for line, text in enumerate(self._lines[start - 1 :], start):
            stripped = text.strip()
            if line > start and stripped.startswith("[["):
                break
            if stripped.startswith(key):
                return line
        return start


def _switched_off(rule_id: str) -> BoundRule:
    kind = RULES[rule_id]
    return BoundRule(rule_id, kind({}), "off", kind.answer, "refuse")


def _is_id(text: str) -> bool:
    return 0 < len(text) <= MAX_ID and text.isascii() and all(c.isalnum() or c in "-_." for c in text)
