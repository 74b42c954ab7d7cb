"""The fields of a document's kind, from plain values and back: one reader for files, API and database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from datetime import date

from gateway.registry.papers import KINDS, Detail

SERVICES = ("call_centre", "voice_platform", "message", "resale")
WORDS = {
    ("licence", "basis"): ("permit", "ftz_commitment"),
    ("licence", "service"): SERVICES,
    ("promise", "subject"): ("no_harassment", "no_violation"),
    ("business_plan", "category"): ("inbound", "return_visit", "consultation", "own_customers", "commercial_outbound"),
    ("finding", "category"): ("false_material", "number_violation", "number_length", "marketing", "violator"),
}
"""Fields that take one of a few words."""
REQUIRED = {
    "licence": ("holder", "service"),
    "promise": ("subject", "signer", "signed_on"),
    "certificate": ("holder", "first", "last"),
    "filing": ("holder", "certificate", "first", "last", "filed_on"),
    "agreement": ("carrier",),
    "inspection": ("place", "inspected_on"),
    "business_plan": ("category",),
    "capability": ("probed_on",),
    "declaration": ("holder", "signed_on"),
    "finding": ("category", "decided_on"),
}
MAX_TEXT = 256
MAX_LIST = 64


def field_names(kind: str) -> tuple[str, ...]:
    """The fields a kind has; none for an unknown kind."""
    return tuple(one.name for one in fields(KINDS[kind])) if kind in KINDS else ()


def read_detail(kind: str, values: Mapping[str, object]) -> tuple[Detail, list[tuple[str, object, str]]]:
    """The detail of a known kind and what is wrong with it, as (field, value, fix). Fields left out keep their
    default. KeyError for an unknown kind."""
    made = KINDS[kind]
    blank = made()
    problems: list[tuple[str, object, str]] = []
    taken: dict[str, object] = {}
    for name in field_names(kind):
        if name not in values:
            if name in REQUIRED[kind]:
                problems.append((name, "missing", f"a {kind} needs it"))
            continue
        value = values[name]
        fix = _fix(kind, name, value, getattr(blank, name))
        if fix:
            problems.append((name, value, fix))
        else:
            taken[name] = tuple(value) if isinstance(value, list | tuple) else _plain(value)
    return made(**taken), problems  # type: ignore[arg-type]


def plain_detail(detail: Detail) -> dict[str, object]:
    """The fields that are not as they are by default, as JSON-able values."""
    blank = type(detail)()
    found: dict[str, object] = {}
    for one in fields(detail):
        value = getattr(detail, one.name)
        if value != getattr(blank, one.name):
            found[one.name] = list(value) if isinstance(value, tuple) else value
    return found


def _plain(value: object) -> object:
    """TOML has dates of its own."""
    return value.isoformat() if type(value) is date else value


def _fix(kind: str, name: str, value: object, default: object) -> str:
    """What to write instead; empty where the value is good."""
    if isinstance(default, bool):
        return "" if isinstance(value, bool) else "write true or false"
    if isinstance(default, int):
        good = type(value) is int and 0 <= value <= 20
        return "" if good else "write a number of digits, 0-20"
    if isinstance(default, tuple):
        good = isinstance(value, list | tuple) and len(value) <= MAX_LIST and all(_text(item) for item in value)
        return "" if good else f"write a list of at most {MAX_LIST} texts"
    if name.endswith("_on") or name == "until":
        return "" if _is_day(value) else "write a date, e.g. 2020-09-25"
    if (kind, name) in WORDS and value not in WORDS[kind, name]:
        return f"write one of {', '.join(WORDS[kind, name])}"
    return "" if _text(value) else f"write 1-{MAX_TEXT} printable characters"


def _text(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= MAX_TEXT and value.isprintable()


def _is_day(value: object) -> bool:
    if type(value) is date:
        return True
    try:
        return isinstance(value, str) and date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False
