"""A PostgreSQL that is frozen (SIGSTOP) answers nothing and breaks no connection: the shipper notices, says so once and
goes on when it thaws."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from gateway.control import shipper as module
from gateway.settings import Database, Node, Settings
from gateway.store.embedded.postgres import EmbeddedPostgres
from gateway.store.embedded.strays import working_in
from gateway.store.sql.engine import make_engine
from gateway.store.sql.migrate import migrate
from tests.support.database import count
from tests.support.journals import fill
from tests.support.redis_fixtures import until

AWAY, BACK = "PostgreSQL is away: journals stay on disk", "PostgreSQL is back"


@pytest.fixture
def server() -> Iterator[EmbeddedPostgres]:
    """One of the test's own."""
    state = Path(tempfile.mkdtemp(prefix="cgfrozen-"))
    server = EmbeddedPostgres(state, durable=False)
    server.start()
    yield server
    server.stop()
    shutil.rmtree(state)


async def test_the_shipper_notices_and_goes_on(server: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch) -> None:
    await migrate(server.url)
    monkeypatch.setattr(module, "SHORT_COMMAND_S", 0.5)
    settings = Settings(node=Node(state_dir=str(server.state_dir)), database=Database(url=server.url))
    engine = make_engine(server.url)
    fill(settings.journal_dir / "n-0", 5)
    stop = asyncio.Event()

    async def rows(wanted: int) -> None:
        async with asyncio.timeout(20):
            while await count(engine, "evidence") != wanted:  # noqa: ASYNC110 (another process)
                await asyncio.sleep(0.02)

    with capture_logs() as logs:
        shipping = asyncio.ensure_future(module.run_shipper(settings, stop))
        await rows(5)
        frozen = working_in(server.data_dir)
        for pid in frozen:
            os.kill(pid, signal.SIGSTOP)
        fill(settings.journal_dir / "n-1", 5)
        await until(lambda: AWAY in [entry["event"] for entry in logs], 20)
        for pid in frozen:
            os.kill(pid, signal.SIGCONT)
        await rows(10)
        await until(lambda: BACK in [entry["event"] for entry in logs], 20)
        stop.set()
        await shipping
    events = [entry["event"] for entry in logs]
    assert [event for event in events if event in (AWAY, BACK)] == [AWAY, BACK]
    assert logs[events.index(AWAY)]["reason"] == "PostgreSQL is away: TimeoutError"
    await engine.dispose()
