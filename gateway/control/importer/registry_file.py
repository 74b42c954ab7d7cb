"""A registry file (TOML) as typed rows: its shape is checked here, its sense by `registry.validate`."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from gateway.control.importer.problems import Problems
from gateway.control.importer.toml_lines import TomlLines
from gateway.control.importer.values import TIME_FIX, parse_time
from gateway.registry.model import DIGEST_ALGORITHMS, DigestAccount, NumberRange, Operator, PlanEntry, Trunk
from gateway.registry.numbering import PlanError, emergency_codes, load_plan_csv
from gateway.shipped import shipped
from gateway.store.sql.records import next_hop

TABLES = ("plan", "purpose", "operator", "trunk", "range")
DEFAULT_REALM = "callgate"
"""Realm of digest accounts that name none."""

_MISSING = object()


@dataclass(slots=True)
class PlanPart:
    """`[plan]`."""

    entries: tuple[PlanEntry, ...]
    emergency: tuple[str, ...]
    country: str
    zone: str


@dataclass(slots=True)
class RegistryFile:
    """What a file says. Operators' and purposes' numbers are 0: the importer gives them."""

    lines: TomlLines
    plan: PlanPart | None = None
    purposes: dict[str, str | None] = field(default_factory=dict)
    """Name to title; None where the file gives none, so that a stored one stays."""
    operators: list[Operator] = field(default_factory=list)
    trunks: list[Trunk] = field(default_factory=list)
    ranges: list[NumberRange] = field(default_factory=list)
    places: dict[tuple[str, str], int] = field(default_factory=dict)
    """(table, id) to its index, for `lines`."""

    @property
    def rows(self) -> int:
        """How many there are."""
        return len(self.purposes) + len(self.operators) + len(self.trunks) + len(self.ranges)


def read_registry_file(text: str, base: Path | None, problems: Problems) -> RegistryFile:
    """Read a file's text; what is wrong is noted in `problems`. `base`: directory that `plan.file` is
    looked for in."""
    lines = TomlLines(text)
    found = RegistryFile(lines)
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        problems.add(0, "TOML", str(error), "write it as of https://toml.io")
        return found
    for name in document:
        if name not in TABLES:
            problems.add(lines.line(name), name, "unknown table", f"write one of {', '.join(TABLES)}")
    if "plan" in document:
        found.plan = _read_plan(_Table(document["plan"], "plan", 0, lines, problems), base)
    for table in _tables(document, "purpose", lines, problems):
        name = table.text("name")
        title = table.text("title", "")
        found.purposes[name] = title if table.has("title") else None
        table.done(found.places, name)
    for table in _tables(document, "operator", lines, problems):
        found.operators.append(_read_operator(table))
        table.done(found.places, found.operators[-1].id)
    for table in _tables(document, "trunk", lines, problems):
        found.trunks.append(_read_trunk(table))
        table.done(found.places, found.trunks[-1].id)
    for table in _tables(document, "range", lines, problems):
        found.ranges.append(_read_range(table))
        table.done(found.places, found.ranges[-1].id)
    return found


class _Table:
    """One table: takes keys out of it by type, notes what is wrong, and at the end what was not taken."""

    def __init__(self, content: object, name: str, index: int, lines: TomlLines, problems: Problems) -> None:
        self._content: Mapping[str, Any] = content if isinstance(content, Mapping) else {}
        self._place = (name, index)
        self._lines = lines
        self._problems = problems
        self._known: list[str] = []
        if not isinstance(content, Mapping):
            self.wrong("", content, f"write it as a table: [{name}]")

    def wrong(self, key: str, value: object, fix: str) -> None:
        name, index = self._place
        field = f"{name}.{key}" if key else name
        self._problems.add(self._lines.line(name, index, key), field, value if value != "" else "''", fix)

    def text(self, key: str, default: str | None = None) -> str:
        return self._take(key, str, default, "write text in quotes") or ""

    def flag(self, key: str, default: bool) -> bool:
        return bool(self._take(key, bool, default, "write true or false"))

    def texts(self, key: str, default: list[str] | None = None) -> tuple[str, ...]:
        found = self._take(key, list, default, "write a list of texts")
        if all(isinstance(item, str) for item in found or ()):
            return tuple(found or ())
        self.wrong(key, found, "write a list of texts")
        return ()

    def numbers(self, key: str) -> tuple[int, ...]:
        found = self._take(key, list, [], "write a list of numbers")
        if all(type(item) is int for item in found or ()):  # not a bool, which is an int in Python
            return tuple(found or ())
        self.wrong(key, found, "write a list of numbers")
        return ()

    def tables(self, key: str) -> list[Any]:
        return list(self._take(key, list, [], "write a list") or ())

    def time(self, key: str) -> float:
        """Epoch seconds, 0 where there is none. TOML date-times and RFC 3339 texts are read."""
        value = self._take(key, (str, datetime), "", TIME_FIX)
        if isinstance(value, str):
            if not value:
                return 0.0
            value = parse_time(value)
        # From 1970 on: 0 stands for "open", and what lies before has no use here.
        if value is None or value.tzinfo is None or value.timestamp() <= 0:
            self.wrong(key, str(self._content.get(key)), TIME_FIX)
            return 0.0
        return float(value.timestamp())

    def has(self, key: str) -> bool:
        return key in self._content

    def done(self, places: dict[tuple[str, str], int], row_id: str) -> None:
        """Note unknown keys, and the place of this row; an id twice in one file is a problem."""
        name, index = self._place
        for key in self._content:
            if key not in self._known:
                close = difflib.get_close_matches(key, self._known, 1)
                self.wrong(key, "unknown key", f"write {close[0]}" if close else f"one of {', '.join(self._known)}")
        if row_id and (name, row_id) in places:
            self.wrong("", row_id, "is in this file twice: keep one")
        places.setdefault((name, row_id), index)

    def _take(self, key: str, kind: Any, default: Any, fix: str) -> Any:
        self._known.append(key)
        value = self._content.get(key, _MISSING)
        if value is _MISSING:
            if default is None:
                self.wrong(key, "missing", fix)
            return default
        # bool is an int in Python, but no kind here is int.
        if not isinstance(value, kind):
            self.wrong(key, value, fix)
            return default
        return value


def _tables(document: Mapping[str, Any], name: str, lines: TomlLines, problems: Problems) -> list[_Table]:
    content = document.get(name, [])
    if not isinstance(content, list):
        problems.add(lines.line(name), name, "one table", f"write [[{name}]], once per {name}")
        return []
    return [_Table(item, name, index, lines, problems) for index, item in enumerate(content)]


def _one_of(table: _Table, key: str, words: tuple[str, ...], default: str | None = None) -> Any:
    value = table.text(key, default)
    if value not in words and table.has(key):
        table.wrong(key, value, f"write one of {', '.join(words)}")
    return value


def _read_operator(table: _Table) -> Operator:
    return Operator(
        id=table.text("id"),
        name=table.text("name"),
        number=0,
        operator_class=table.text("class", "call_centre"),
        state=_one_of(table, "state", ("active", "suspended"), "active"),
    )


def _read_trunk(table: _Table) -> Trunk:
    digest = _read_digest(table)
    hops = []
    for written in table.texts("next_hops", [] if digest else None):
        hop = next_hop(written)
        if hop is None:
            fix = "write host:port, with /udp, /tcp, /tls or /udp+tcp behind it, e.g. 127.0.0.9:5060/tcp; or a name"
            table.wrong("next_hops", written, fix)
        else:
            hops.append(hop)
    answers = []
    for item in table.tables("answers"):
        match item:
            case {"rule": str(rule), "status": int(status), "phrase": str(phrase)}:
                answers.append((rule, status, phrase))
            case _:
                table.wrong("answers", item, 'write {rule = "callee-refused", status = 603, phrase = "Decline"}')
    return Trunk(
        id=table.text("id"),
        side=_one_of(table, "side", ("access", "core")),
        operator=table.text("operator", ""),
        sources=table.texts("sources", [] if digest else None),
        listeners=table.texts("listeners", []),
        next_hops=tuple(hops),
        trusted=table.flag("trusted", False),
        state=_one_of(table, "state", ("active", "suspended"), "active"),
        country=table.text("country", "86"),
        area=table.text("area", ""),
        emergency_cli=table.text("emergency_cli", ""),
        answers=tuple(answers),
        needs_asserted=table.flag("needs_asserted", False),
        ports=table.numbers("ports"),
        transports=table.texts("transports", []),
        tls_names=table.texts("tls_names", []),
        digest=digest,
        algorithms=table.texts("algorithms", list(DIGEST_ALGORITHMS)),
    )


def _read_digest(table: _Table) -> tuple[DigestAccount, ...]:
    accounts = []
    for item in table.tables("digest"):
        match item:
            case {"user": str(user), **rest} if set(rest) <= {"realm", "secrets"}:
                realm, secrets = rest.get("realm", DEFAULT_REALM), rest.get("secrets", {})
                if isinstance(realm, str) and isinstance(secrets, dict) and all(map(_is_text, secrets.values())):
                    accounts.append(DigestAccount(user, realm, tuple(secrets.items())))
                    continue
        # Not the value itself: somebody may have written a password there.
        table.wrong("digest", "an account", 'write {user = "pbx-7"}, and give it a password by `callgate trunk secret`')
    return tuple(accounts)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _read_range(table: _Table) -> NumberRange:
    states = ("assigned", "filed", "enabled", "suspended", "recalled")
    return NumberRange(
        id=table.text("id"),
        first=table.text("first"),
        last=table.text("last"),
        operator=table.text("operator"),
        trunks=table.texts("trunks"),
        egress=table.texts("egress", []),
        # RULES A10: an access number may not call out unless the certificate says so.
        outbound=table.flag("outbound", False),
        inbound=table.flag("inbound", True),
        purposes=table.texts("purposes", []),
        certificate=table.text("certificate", ""),
        filing=table.text("filing", ""),
        valid_from=table.time("valid_from"),
        valid_to=table.time("valid_to"),
        state=_one_of(table, "state", states, "enabled"),
    )


def _read_plan(table: _Table, base: Path | None) -> PlanPart:
    entries: tuple[PlanEntry, ...] = ()
    file, inline = table.text("file", ""), table.text("csv", "")
    if bool(file) == bool(inline):
        table.wrong("file", file or "missing", 'name a plan (file = "cn"), or put its rows into csv, not both')
    elif file:
        inline = _plan_text(table, file, base)
    if inline:
        try:
            entries = load_plan_csv(inline)
        except PlanError as error:
            table.wrong("file" if file else "csv", file or "csv", str(error))
    given = table.texts("emergency", []) if table.has("emergency") else emergency_codes(entries)
    part = PlanPart(entries, given, table.text("country", "86"), table.text("zone", "Asia/Shanghai"))
    table.done({}, "")
    return part


def _plan_text(table: _Table, file: str, base: Path | None) -> str:
    """A plan's CSV: a path relative to the registry file, or a bare name looked for in the `plans` beside
    or above it, then among the plans that come with the program."""
    tried = []
    for path in _plan_paths(file, base or Path()):
        try:
            return path.read_text(encoding="utf-8")
        except FileNotFoundError:
            tried.append(str(path))
        except (OSError, UnicodeDecodeError) as error:
            table.wrong("file", file, f"{path} cannot be read: {error}")
            return ""
    table.wrong("file", file, f"there is none of {', '.join(tried)}")
    return ""


def _plan_paths(file: str, base: Path) -> list[Path]:
    if file.endswith(".csv"):
        return [base / file]
    return [base / "plans" / f"{file}.csv", base.parent / "plans" / f"{file}.csv", shipped("plans", f"{file}.csv")]
