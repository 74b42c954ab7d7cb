"""A projector in a process of its own, to be killed: `python -m tests.support.projector_process DATABASE REDIS`."""

from __future__ import annotations

import asyncio
import sys

from gateway.control.projector import Projector
from gateway.store.sql.engine import make_engine
from tests.support.database import KEYS


async def _project(database_url: str, redis_url: str) -> None:
    await Projector(make_engine(database_url), redis_url, KEYS).run(asyncio.Event())


if __name__ == "__main__":
    asyncio.run(_project(*sys.argv[1:]))
