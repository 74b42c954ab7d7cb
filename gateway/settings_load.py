"""Reads the settings: one TOML file, then `CALLGATE_…` environment variables over it; checks all at once.

`CALLGATE_GATE__DEADLINE_MS=80` sets `gate.deadline_ms`; a list (`CALLGATE_LISTENER`) is given as JSON.
A message names the key, the value and the fix. Imports pydantic: commands and the supervisor use this,
workers never. We depart from pydantic-settings: it skips the fields of plain dataclasses, which is what
lets workers start without pydantic, and it says nothing about a variable that names no setting.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
import os
import tomllib
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from gateway.keys import VARIABLE as KEYS_VARIABLE
from gateway.process import (
    CONFIG_VARIABLE,
    PRINCIPAL_VARIABLE,
    SETTINGS_VARIABLE,
    SOCKETS_VARIABLE,
    SUPERVISOR_VARIABLE,
    TOKEN_VARIABLE,
)
from gateway.settings import Settings
from gateway.settings_check import contradictions
from gateway.settings_show import masked

PREFIX = "CALLGATE_"
OUR_OWN = frozenset(
    (
        *(CONFIG_VARIABLE, KEYS_VARIABLE, PRINCIPAL_VARIABLE, SETTINGS_VARIABLE, SOCKETS_VARIABLE),
        *(SUPERVISOR_VARIABLE, TOKEN_VARIABLE),
    )
)
"""Variables with our prefix that are no settings: the file's path, the keys, what the supervisor tells its children."""

SEARCH = ("callgate.toml", "config/example/callgate.toml")

_ADAPTER = TypeAdapter(Settings)


class SettingsError(Exception):
    """The settings cannot be used. `problems`: one line each, naming key, value and fix."""

    def __init__(self, source: str, problems: list[str]) -> None:
        self.source = source
        self.problems = problems
        super().__init__("\n".join([f"{source}: the settings cannot be used", *(f"  {line}" for line in problems)]))


def find_config(given: Path | None, environ: Mapping[str, str] = os.environ) -> Path:
    """The file in force: `given`, else `CALLGATE_CONFIG`, else the first of `SEARCH` that is there."""
    if given is not None:
        return given
    if named := environ.get(CONFIG_VARIABLE):
        return Path(named)
    for name in SEARCH:
        if Path(name).is_file():
            return Path(name)
    raise SettingsError(
        "no configuration",
        [f"none of {', '.join(SEARCH)} is here; fix: give --config FILE or set CALLGATE_CONFIG"],
    )


def load_settings(given: Path | None = None, environ: Mapping[str, str] = os.environ) -> Settings:
    """Read, overlay and check; relative paths become absolute against the current directory (not the file's, so
    that one file serves several state directories).

    Raises SettingsError with every problem found, not just the first.
    """
    path = find_config(given, environ)
    tree = _read_toml(path)
    problems = _overlay(tree, environ)
    settings = check(tree, str(path), problems)
    return _absolute(settings)


def check(tree: dict[str, Any], source: str, problems: list[str] | None = None) -> Settings:
    """Typed settings out of a raw tree, or SettingsError. `problems`: what was found wrong before."""
    found = list(problems or ())
    settings: Settings | None = None
    try:
        settings = _ADAPTER.validate_python(tree)
    except ValidationError as error:
        found.extend(_describe(item) for item in error.errors(include_url=False))
        found.extend(_contradictions_of_the_rest(tree, error))
    if settings is not None:
        found.extend(contradictions(settings))
    if settings is None or found:
        raise SettingsError(source, found)
    return settings


def _contradictions_of_the_rest(tree: dict[str, Any], error: ValidationError) -> list[str]:
    """What is contradictory in the sections that have no bad value, so that one round tells all."""
    bad = {str(item["loc"][0]) for item in error.errors(include_url=False)}
    rest = {name: part for name, part in tree.items() if name not in bad}
    try:
        return contradictions(_ADAPTER.validate_python(rest))
    except ValidationError:  # not to be: what is left was good before
        return []


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise SettingsError(str(path), [f"{error.strerror}; fix: give --config FILE that can be read"]) from None
    except UnicodeDecodeError as error:
        raise SettingsError(str(path), [f"byte {error.start}: not UTF-8; fix: save the file as UTF-8"]) from None
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(str(path), [f"{error}; fix: correct the TOML there"]) from None


def _overlay(tree: dict[str, Any], environ: Mapping[str, str]) -> list[str]:
    """Put `CALLGATE_…` variables over the file's tree; returns the ones that name no setting."""
    problems: list[str] = []
    sections = typing.get_type_hints(Settings)
    for name in sorted(environ):
        if not name.startswith(PREFIX) or name in OUR_OWN:
            continue
        section, _, key = name[len(PREFIX) :].lower().partition("__")
        value = environ[name]
        if section == "listener" and not key:
            try:
                tree["listener"] = json.loads(value)
            except ValueError as error:
                problems.append(f"{name} = {value!r}: {error}; fix: give a JSON list of listeners")
            continue
        kind = sections.get(section)
        keys = [field.name for field in dataclasses.fields(kind)] if dataclasses.is_dataclass(kind) else []
        if key not in keys:
            known = [f"{PREFIX}{section}__{item}".upper() for item in keys] or [
                f"{PREFIX}{item}__…".upper() for item in sections if item[0] != "_" and item != "listener"
            ]
            problems.append(f"{name} = {masked(value)!r}: no such setting; fix: unset it{_meant(name, known)}")
            continue
        part = tree.setdefault(section, {})
        if isinstance(part, dict):
            is_list = typing.get_origin(typing.get_type_hints(kind)[key]) is tuple
            part[key] = [item for item in value.split(",") if item] if is_list else value
    return problems


def _describe(item: Any) -> str:
    """One pydantic error as `key = value: what is wrong; fix: …`."""
    where = ".".join(f"[{part + 1}]" if isinstance(part, int) else str(part) for part in item["loc"])
    where = where.replace(".[", "[")
    value = masked(item.get("input"))
    kind, help_text, siblings = _lookup(item["loc"])
    if item["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
        return f"{where} = {value!r}: no such setting; fix: remove it{_meant(str(item['loc'][-1]), siblings)}"
    if item["type"] in ("missing", "missing_argument"):
        return f"{where}: missing; fix: set it to {help_text or 'a value'}"
    fault = item["msg"].removeprefix("Input ")
    return f"{where} = {value!r}: {fault[:1].lower()}{fault[1:]}; fix: set it to {help_text or kind}"


def _lookup(loc: tuple[int | str, ...]) -> tuple[str, str, list[str]]:
    """Type name, help text and sibling keys of the setting at `loc`."""
    hint: Any = Settings
    siblings: list[str] = []
    for part in loc:
        if isinstance(part, int):
            hint = typing.get_args(hint)[0]
            continue
        if not dataclasses.is_dataclass(hint):
            break
        hints = typing.get_type_hints(hint, include_extras=True)
        siblings = [name for name in hints if not name.startswith("_")]
        if part not in hints:
            return "", "", siblings
        hint = hints[part]
    texts = [text for text in getattr(hint, "__metadata__", ()) if isinstance(text, str)]
    base = typing.get_args(hint)[0] if texts else hint
    return getattr(base, "__name__", str(base)), texts[0] if texts else "", siblings


def _meant(word: str, known: list[str]) -> str:
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.75)
    if close:
        return f" or write {close[0]}"
    return f" (known here: {', '.join(known)})" if known else ""


def _absolute(settings: Settings) -> Settings:
    """Paths as every process sees them, whatever its current directory."""
    return dataclasses.replace(
        settings,
        node=dataclasses.replace(settings.node, state_dir=os.path.abspath(settings.node.state_dir)),
        keys=dataclasses.replace(settings.keys, file=_abspath(settings.keys.file)),
        listener=tuple(
            dataclasses.replace(
                item,
                certificate=_abspath(item.certificate),
                key=_abspath(item.key),
                authorities=_abspath(item.authorities),
            )
            for item in settings.listener
        ),
        example=dataclasses.replace(settings.example, directory=_abspath(settings.example.directory)),
    )


def _abspath(path: str) -> str:
    return os.path.abspath(path) if path else ""
