"""Plans and packs come with the program: from `config/` in a source tree, as copies inside an installed package."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from gateway.control.importer.problems import Problems
from gateway.control.importer.registry_file import read_registry_file
from gateway.shipped import shipped

ROOT = Path(__file__).parents[2]


def test_the_source_tree_has_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.shipped._SOURCE_TREE", ROOT / "config")  # the tests of an installed package have none
    assert shipped("plans", "cn.csv") == ROOT / "config/plans/cn.csv"
    assert shipped("packs", "example.toml").is_file()


def test_wherever_the_tests_run_they_are_found() -> None:
    assert shipped("plans", "cn.csv").read_bytes() == (ROOT / "config/plans/cn.csv").read_bytes()


def test_a_registry_anywhere_finds_the_plan_by_name(tmp_path: Path) -> None:
    problems = Problems("r.toml")
    file = read_registry_file('[plan]\nfile = "cn"\n', tmp_path, problems)
    assert problems.found == []
    assert file.plan is not None and "110" in file.plan.emergency


def test_a_plan_beside_the_registry_comes_first(tmp_path: Path) -> None:
    (tmp_path / "plans").mkdir()
    head = "prefix,kind,nsn_min_len,nsn_max_len,outbound_allowed_as_caller,notes\n"
    (tmp_path / "plans/cn.csv").write_text(head + "999,emergency,3,3,no,ours\n")
    file = read_registry_file('[plan]\nfile = "cn"\n', tmp_path, Problems("r.toml"))
    assert file.plan is not None and file.plan.emergency == ("999",)


def test_a_wheel_carries_them_and_finds_them(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, source)
    for name in ("gateway", "policies", "config"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    code = "from setuptools.build_meta import build_wheel; print(build_wheel('out'))"
    built = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        cwd=source, env={**os.environ, "CALLGATE_COMPILE": "0"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert built.returncode == 0, built.stderr
    assert "callgate: plain Python, slower: CALLGATE_COMPILE=0" in built.stderr
    (wheel,) = (source / "out").glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    data = "callgate-0.1.0.data/data/share/callgate/"
    carried = ("plans/cn.csv", "packs/example.toml", "calendars/cn.toml")
    assert {*(data + name for name in carried), "policies/__init__.py"} <= names
    assert "gateway/store/sql/migrations/versions/0001_first.py" in names
    assert not [name for name in names if name.startswith(("tests/", "config/"))]


def test_an_installed_package_looks_under_its_prefix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.shipped._SOURCE_TREE", tmp_path / "none")
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    assert shipped("plans", "cn.csv") == tmp_path / "share/callgate/plans/cn.csv"
