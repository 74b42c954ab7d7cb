"""How far an import or a replay is, on a terminal: a bar with time left; nothing where stderr is no terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.control.importer.bulk import Progress, Step
    from gateway.control.replaying import Told


@contextmanager
def import_bar() -> Iterator[Progress | None]:
    """What `import_consents` and its like tell their steps to; None: nobody looks."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description:8}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TextColumn("{task.fields[rows]:,} rows, {task.fields[rate]:,.0f}/s"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("reading", total=None, rows=0, rate=0.0)
        began: list[tuple[float, int]] = []

        def tell(step: Step) -> None:
            now = bar.get_time()
            if not began:
                began.append((now, step.rows))  # a resumed import begins with the rows that are staged already
            since, first = began[0]
            rate = (step.rows - first) / (now - since) if now > since else 0.0
            # Merging takes one statement: how far it is nobody can say.
            total = step.total if step.phase == "reading" else None
            bar.update(task, description=step.phase, completed=step.done, total=total, rows=step.rows, rate=rate)

        yield tell


@contextmanager
def replay_bar() -> Iterator[Told | None]:
    """What `replay_all` tells how far it is to; None: nobody looks."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("judging"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TextColumn("{task.fields[judged]:,} decisions"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("judging", total=None, judged=0)
        yield lambda done, total, judged: bar.update(task, completed=done, total=total, judged=judged)
