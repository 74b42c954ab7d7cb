"""What is counted, with the real gateway on two workers: exact under load, and closed before the next INVITE."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from pathlib import Path

from tests.e2e.test_stores_away import processes
from tests.support.gateway_process import GatewayProcess
from tests.support.packs import VERSION
from tests.support.sipp import answering, calling
from tests.support.telephony import ALPHA, CONSENTED, UNKNOWN, phones

LIMIT = 7
OTHER = "+8613700137000"


def counting_pack(directory: Path) -> Path:
    """The example's, with a limit for each callee and a ladder for operators."""
    text = Path("config/packs/example.toml").read_text(encoding="utf-8")
    text = text.replace(f"version = {VERSION}", f"version = {VERSION + 1}", 1)
    limit = rf'\1"enforce"\2[{{ count = {LIMIT}, seconds = 60 }}]'
    text = re.sub(r'(id = "frequency".*?mode = )"off"(.*?callee = )\[[^\n]*', limit, text, flags=re.DOTALL)
    text = re.sub(r"\noperator = \[[^\n]*", "", text)
    ladder = '[rule.params]\nviolations = ["consent-missing"]\noperator = [{ count = 3, seconds = 600 }]\n'
    text = re.sub(r'(id = "operator-restricted".*?mode = "enforce"\n)', rf"\1{ladder}", text, flags=re.DOTALL)
    path = directory / "counting.toml"
    path.write_text(text, encoding="utf-8")
    return path


async def test_a_limit_holds_under_load_and_a_restriction_before_the_next_call(tmp_path: Path) -> None:
    with GatewayProcess(tmp_path / "state", env={"CALLGATE_NODE__WORKERS": "2"}) as gateway:

        def run(*words: str) -> str:
            done = gateway.cli(*words)
            assert done.returncode == 0, done.stdout + done.stderr
            return done.stdout

        run("import", "pack", str(counting_pack(tmp_path)))
        run("consent", "grant", "--callee", OTHER, "--operator", "alpha", "--purpose", "consultation")
        await asyncio.sleep(1)
        address = ("127.0.0.1", gateway.sip_port)
        with answering(tmp_path):
            calls = calling(tmp_path, address, calls=50, rate=500, pause_ms=100, numbers=[(ALPHA, CONSENTED)])
            found = await asyncio.to_thread(calls.wait, 60)
        assert (found.created, found.successful, found.failed) == (50, LIMIT, 50 - LIMIT)

        async with phones(gateway.sip_port) as telephony:
            refused = await telephony.outbound(CONSENTED)
            assert refused.status == 603 and "frequency" in refused.warning
            assert (await telephony.outbound(OTHER)).status == 200
            servers = processes(gateway, "postgres")
            for pid in servers:
                os.kill(pid, signal.SIGSTOP)
            try:
                for _ in range(3):
                    assert (await telephony.outbound(UNKNOWN)).status == 470
                refused = await telephony.outbound(OTHER)
                assert refused.status == 403 and "operator-restricted" in refused.warning
                assert (await telephony.inbound()).status == 200
            finally:
                for pid in servers:
                    os.kill(pid, signal.SIGCONT)
            for _ in range(100):
                rows = run("restriction", "list", "--json")
                if "alpha" in rows:
                    break
                await asyncio.sleep(0.1)
            assert "3 violations in 600 s, the last one consent-missing" in rows
            run("restriction", "notice", "1", "--reason", "told by letter")
            gateway.agreed("restriction", "lift", "1", "--reason", "mended")
            await telephony.until(200, OTHER, 3)
