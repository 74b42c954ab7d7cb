"""What is wrong with an import: every problem names file, line, field, value and fix; nothing is changed."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.control.importer.masking import mask_digits

MAX_PROBLEMS = 50
"""Enough to mend a file by; reading stops there."""
MAX_VALUE = 80
"""Characters of a bad value shown."""

NO_PACK = "no rule pack imported: callgate import pack FILE"
NO_REGISTRY = "no registry imported: callgate import registry FILE"
"""What is missing before a call can be decided: in import reports, `/readyz` and `explain`."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One. `line` 0: the file as a whole."""

    line: int
    field: str
    value: str
    fix: str

    def __str__(self) -> str:
        """`line N: field: value: fix`."""
        shown = self.value if len(self.value) <= MAX_VALUE else self.value[:MAX_VALUE] + "…"
        where = f"line {self.line}: " if self.line else ""
        return f"{where}{self.field}: {shown}: {self.fix}"


class ImportRefused(ValueError):
    """An import was refused whole. `problems`: up to MAX_PROBLEMS of them; the text lists them, one a
    line."""

    def __init__(self, name: str, problems: list[Problem]) -> None:
        more = len(problems) >= MAX_PROBLEMS
        lines = [f"{name}: {problem}" for problem in problems]
        lines.append("nothing was changed" + ("; there may be more problems: mend these first" if more else ""))
        super().__init__("\n".join(lines))
        self.name = name
        self.problems = problems


class Problems:
    """A collector with a bound."""

    def __init__(self, name: str, *, private: bool = False) -> None:
        """`private`: rows hold subscriber numbers, which are masked wherever they stand, also in a wrong column."""
        self.name = name
        self.found: list[Problem] = []
        self._private = private

    def add(self, line: int, field: str, value: object, fix: str) -> None:
        """Note one; beyond MAX_PROBLEMS they are dropped."""
        if self.full:
            return
        shown = value if isinstance(value, str) else repr(value)
        if self._private:
            shown, fix = mask_digits(shown, apart=not field.endswith("_at")), mask_digits(fix)
        self.found.append(Problem(line, field, shown, fix))

    @property
    def full(self) -> bool:
        """No more are taken: stop reading."""
        return len(self.found) >= MAX_PROBLEMS

    def __bool__(self) -> bool:
        """True when there is any."""
        return bool(self.found)

    def lines(self) -> list[str]:
        """One line each, in the order of the file."""
        return [f"{self.name}: {problem}" for problem in sorted(self.found, key=lambda problem: problem.line)]

    def check(self) -> None:
        """Raise ImportRefused if there is any."""
        if self.found:
            raise ImportRefused(self.name, sorted(self.found, key=lambda problem: problem.line))


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did."""

    kind: str
    name: str
    rows: int
    """Rows in the file."""
    changed: int
    """Rows that changed something (the others say what is stored, or were overtaken by newer events)."""
    version: int = 0
    """Registry version after it (registry and packs)."""
    hint: str = ""
    """What has yet to be imported before a call can be decided; empty when nothing is missing."""
    added: int = 0
    """Of `changed`: rows that were not there before (consents, refusals, feeds)."""
    unchanged: int = 0
    """Consents or refusals the file speaks of that stay as they are."""
    dry_run: bool = False
    """Nothing was changed: this is what would be."""
    differences: tuple[str, ...] = ()
    """The first of them, in a dry run; numbers masked."""
    warnings: tuple[str, ...] = ()
    """What should be looked at, though nothing was refused for it."""

    @property
    def summary(self) -> str:
        """What a dry run found, in a sentence and a line for each difference."""
        changed = self.changed - self.added
        would = f"it would add {self.added}, change {changed} and leave {self.unchanged} as they are"
        return "\n".join((would, *(f"  {line}" for line in self.differences)))
