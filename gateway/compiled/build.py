"""The setuptools commands that compile the path of a call into a wheel (named in pyproject.toml).

Compiled are the modules of `HOT`, into one shared library. Without a C compiler, Python's headers or mypyc, or where
compiling fails, the wheel is a plain one, and one line says so; `CALLGATE_COMPILE=0` asks for a plain one. An editable
installation is always plain: native code beside the sources would hide every later edit.

Setuptools reads this file by its path, before the package can be imported: it imports nothing of ours.
"""

from __future__ import annotations

import os
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from shlex import split
from shutil import which
from typing import Any

from setuptools import Extension
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_ext import build_ext

LIBRARY = "callgate"
"""Name of the shared library: `callgate__mypyc`."""

PACKAGES = ("gateway/sip", "gateway/transaction", "gateway/proxy", "gateway/registry", "gateway/gate", "policies")
"""Every module of these is compiled, but for those of `COLD`."""

MODULES: tuple[str, ...] = (
    "gateway/net/edge.py",
    "gateway/net/handover.py",
    "gateway/net/lag.py",
    "gateway/net/links.py",
    "gateway/net/new_calls.py",
    "gateway/net/parcels.py",
    "gateway/net/ports.py",
    "gateway/net/share.py",
    "gateway/net/sibling.py",
    "gateway/net/udp.py",
    "gateway/store/journal/syncer.py",
    "gateway/store/journal/writer.py",
    "gateway/store/redis/asked_of.py",
    "gateway/store/redis/breaker.py",
    "gateway/store/redis/client.py",
    "gateway/store/redis/connection.py",
    "gateway/store/redis/deadlines.py",
    "gateway/store/redis/facts.py",
    "gateway/store/redis/lookup.py",
    "gateway/store/redis/probe.py",
    "gateway/store/redis/turn.py",
    "gateway/store/ports.py",
    "gateway/telemetry/histogram.py",
    "gateway/worker/gatekeeper.py",
    "gateway/worker/journal.py",
    "gateway/worker/leases.py",
    "gateway/worker/patience.py",
    "gateway/worker/peers.py",
    "gateway/worker/turn.py",
)
"""Modules compiled beside them."""

COLD = frozenset(
    {
        # msgspec makes these classes, or their values, and knows no native ones
        "gateway/gate/records.py",
        "gateway/gate/passport.py",
        "gateway/registry/model.py",
        "gateway/registry/standing.py",
        # run at start, on a change or by a command
        "gateway/gate/explain.py",
        "gateway/gate/pack.py",
        "gateway/gate/pack_answer.py",
        "gateway/gate/pack_bind.py",
        "gateway/gate/pack_calendar.py",
        "gateway/gate/pack_read.py",
        "gateway/gate/pack_set.py",
        "gateway/gate/replay.py",
        "gateway/registry/calendar.py",
        "gateway/registry/checks.py",
        "gateway/registry/credit_code.py",
        "gateway/registry/issues.py",
        "gateway/registry/paper_agree.py",
        "gateway/registry/paper_fields.py",
        "gateway/registry/paper_findings.py",
        "gateway/registry/paper_number.py",
        "gateway/registry/paper_operator.py",
        "gateway/registry/paper_trunk.py",
        "gateway/registry/papers.py",
        "gateway/registry/papers_check.py",
        "gateway/registry/plan_csv.py",
        "gateway/registry/publish.py",
        "gateway/registry/shrink.py",
        "gateway/registry/validate.py",
        "gateway/registry/validate_class.py",
        "gateway/registry/validate_document.py",
        "gateway/registry/validate_range.py",
        "gateway/registry/validate_source.py",
    }
)
"""Modules that do not pay for the seconds compiling them takes."""

OPTIMISE = "1"
"""gcc -O: 3 made the gate no faster (13.4 us either way: the time goes into Python's C API) and compiles for four times
as long (160 s of one core)."""

FLAGS = ("-fvisibility=hidden", "-freorder-blocks-and-partition")
"""A message takes its way through more code than the processor's first cache holds, so what is fetched for nothing
costs: calls between our modules go straight, and what follows upon an exception (`RARE`) lies apart."""

RARE = """struct _object;
#define COLD __attribute__((cold))
COLD void CPy_AddTraceback(const char *, const char *, int, struct _object *);
COLD void CPy_TypeErrorTraceback(
    const char *, const char *, int, struct _object *, const char *, struct _object *);
COLD void CPy_TypeError(const char *, struct _object *);
#undef COLD
"""
"""Read before each C file: what mypyc calls after an exception only, as its CPy.h has it; `_object` is PyObject."""

SLICE = "Py_ssize_t slice_len = endn - startn;"
MENDED_SLICE = "Py_ssize_t slice_len = endn > startn ? endn - startn : 0;"
"""In mypyc's bytes_ops.c."""


def hot(root: Path) -> list[str]:
    """The files to compile, relative to the source tree `root`."""
    found = [path for package in PACKAGES for path in (root / package).glob("*.py") if path.name != "__init__.py"]
    names = {path.relative_to(root).as_posix() for path in found} | set(MODULES)
    return sorted(names - COLD)


def obstacle() -> str:
    """Why nothing can be compiled here; empty where it can."""
    if os.environ.get("CALLGATE_COMPILE", "1") == "0":
        return "CALLGATE_COMPILE=0"
    compiler = split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")[0]
    if which(compiler) is None:
        return f"no C compiler ({compiler}); fix: install gcc"
    headers = Path(sysconfig.get_path("include"))
    if not (headers / "Python.h").is_file():
        return f"no Python.h in {headers}; fix: install python3-dev"
    return "" if find_spec("mypyc") else "no mypyc"


def say(line: str) -> None:
    """One line for whoever builds."""
    print(f"callgate: {line}", file=sys.stderr, flush=True)  # noqa: T201


class BdistWheel(bdist_wheel):  # type: ignore[misc]  # setuptools has no types
    """A wheel for this platform where it can be compiled, for any platform where not."""

    def finalize_options(self) -> None:
        """Before setuptools decides which of the two it is."""
        if "bdist_wheel" in self.distribution.commands or "dist_info" in self.distribution.commands:
            why_not = obstacle()
            if not why_not:
                self.distribution.ext_modules = [Extension(f"{LIBRARY}__mypyc", [])]
            elif "bdist_wheel" in self.distribution.commands:
                say(f"plain Python, slower: {why_not}")
        super().finalize_options()


class BuildExt(build_ext):  # type: ignore[misc]
    """mypyc, then the C compiler on every core."""

    def run(self) -> None:
        """Never fails: what cannot be compiled stays Python."""
        built = Path(self.build_lib)
        self._forget(built)
        try:
            self.extensions = self._translated()
            super().run()
        except (Exception, SystemExit) as error:
            self._forget(built)
            self.extensions = []
            what = "mypyc, for the reasons above" if isinstance(error, SystemExit) else repr(error)
            say(f"plain Python, slower: compiling failed: {what}")

    def _translated(self) -> list[Any]:
        from mypyc.build import mypycify

        # Types are checked strictly by `make check`; a build has none of the libraries the program imports.
        options = ["--config-file=", "--ignore-missing-imports", "--follow-imports=silent"]
        options.append(f"--cache-dir={os.devnull}")
        extensions: list[Any] = mypycify(
            [*options, *hot(Path.cwd())], opt_level=OPTIMISE, debug_level="0", multi_file=True, group_name=LIBRARY,
            target_dir=str(Path(self.build_temp) / "c"),
        )  # fmt: skip
        self._mend_slices(Path(self.build_temp) / "c/bytes_ops.c")
        rare = Path(self.build_temp) / "c/rare.h"
        rare.write_text(RARE, encoding="utf-8")
        for extension in extensions:
            extension._needs_stub = False
            extension.extra_compile_args = [*extension.extra_compile_args, *FLAGS, "-include", str(rare)]
        self.distribution.ext_modules = extensions
        return extensions

    def build_extensions(self) -> None:
        """As setuptools does, with as many compilers at once as there are cores."""
        compile_one = self.compiler.compile

        def compile_all(sources: list[str], *args: Any, **options: Any) -> list[str]:
            with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
                groups = pool.map(lambda source: compile_one([source], *args, **options), sources)
                return [built for group in groups for built in group]

        self.compiler.compile = compile_all
        super().build_extensions()

    @staticmethod
    def _mend_slices(path: Path) -> None:
        """mypyc's b"*"[1:-1] raises SystemError where Python's is empty, which a stranger could send us."""
        text = path.read_text(encoding="utf-8")
        if SLICE not in text:
            raise RuntimeError("this mypyc slices bytes in another way than the one that was tried")
        path.write_text(text.replace(SLICE, MENDED_SLICE), encoding="utf-8")

    @staticmethod
    def _forget(built: Path) -> None:
        """Native modules of an earlier build would be older than the sources they lie beside."""
        for path in built.rglob(f"*{sysconfig.get_config_var('EXT_SUFFIX')}"):
            path.unlink()
