"""Which of the two gateways is tested: the plain one of the source tree, or the compiled one of a wheel."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from gateway.compiled import COMPILED, FLAVOUR
from gateway.compiled.build import LIBRARY, hot, obstacle
from gateway.sip import parse

ROOT = Path(__file__).parents[3]
WANTED = os.environ.get("TEST_FLAVOUR", "plain")
"""Which one the run is about: a compiled one must not quietly test the source tree."""


def test_the_run_tests_what_it_says() -> None:
    assert FLAVOUR == WANTED or (WANTED == "compiled" and obstacle())


def test_all_hot_modules_are_of_one_kind() -> None:
    files = hot(ROOT)
    assert "gateway/sip/parser.py" in files and "gateway/gate/engine.py" in files
    native = {path: not is_python(path.removesuffix(".py").replace("/", ".")) for path in files}
    assert set(native.values()) == {COMPILED}, native


def is_python(module: str) -> bool:
    return str(import_module(module).__file__).endswith(".py")


def test_no_native_module_lies_in_the_source_tree() -> None:
    found = [path for folder in ("gateway", "policies") for path in (ROOT / folder).rglob("*.so")]
    assert found + list(ROOT.glob(f"{LIBRARY}__mypyc*")) == []


def test_version_says_which() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "gateway.cli", "--version"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert f"({FLAVOUR})" in done.stdout


def test_asked_for_a_plain_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALLGATE_COMPILE", "0")
    assert obstacle() == "CALLGATE_COMPILE=0"


def test_without_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CALLGATE_COMPILE", raising=False)
    monkeypatch.setenv("CC", "no-such-compiler -pthread")
    assert obstacle() == "no C compiler (no-such-compiler); fix: install gcc"


def test_short_values_are_sliced_as_python_slices_them() -> None:
    """mypyc's own slices raise SystemError here (`BuildExt._mend_slices`)."""
    lines = [b"REGISTER sip:h SIP/2.0", b"Via: SIP/2.0/UDP h;branch=z9hG4bK1", b"From: <sip:a@h>;tag=1"]
    lines += [b"To: <sip:a@h>", b"Call-ID: c", b"CSeq: 1 REGISTER", b"Contact: *", b"Content-Length: 0"]
    assert parse(b"\r\n".join(lines) + b"\r\n\r\n").get(b"Contact") == b"*"
