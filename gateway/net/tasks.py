"""The only place that spawns tasks: it keeps a reference (the loop's own is weak), names it, reports its death."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine

Report = Callable[[str, BaseException], None]

_running: set[asyncio.Task[None]] = set()


def spawn(work: Coroutine[object, object, None], name: str, on_error: Report) -> asyncio.Task[None]:
    """Run `work` in the background. An exception goes to `on_error(name, exception)`; a cancelled task is quiet."""
    task = asyncio.get_running_loop().create_task(work, name=name)
    _running.add(task)

    def done(finished: asyncio.Task[None]) -> None:
        _running.discard(finished)
        if not finished.cancelled():
            error = finished.exception()
            if error is not None:
                on_error(name, error)

    task.add_done_callback(done)
    return task
