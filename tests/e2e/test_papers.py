"""Papers and restrictions with the real gateway: nothing is restarted, and a date takes effect by itself."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from pathlib import Path

from tests.support.gateway_process import GatewayProcess
from tests.support.telephony import CONSENTED, phones

LICENCE = (
    "kind=licence", "operator=alpha", "holder=Alpha Call Centre", "service=call_centre", "supersedes=alpha-licence",
)  # fmt: skip
TAKES_EFFECT_S = 1.0
"""What is promised for a change."""


async def test_a02_a_licence_ends_at_its_second_and_a32_a_restriction_within_one(tmp_path: Path) -> None:
    with GatewayProcess(tmp_path / "state") as gateway:
        async with phones(gateway.sip_port) as telephony:

            def change(*words: str) -> None:
                done = gateway.cli(*words)
                assert done.returncode == 0, done.stdout + done.stderr

            assert (await telephony.outbound(CONSENTED)).status == 200
            change("restriction", "add", "trunk", "cc-alpha", "--reason", "calls without consent")
            assert await telephony.until(403, CONSENTED, TAKES_EFFECT_S) < TAKES_EFFECT_S
            refused = await telephony.outbound(CONSENTED)
            assert "operator-restricted" in refused.warning
            assert (await telephony.inbound()).status == 200
            gateway.agreed("restriction", "lift", "1", "--reason", "mended")
            assert await telephony.until(200, CONSENTED, TAKES_EFFECT_S) < TAKES_EFFECT_S

            ends = float(int(time.time()) + 5)
            until = datetime.fromtimestamp(ends, UTC).isoformat()
            change("document", "add", "alpha-licence-2", *LICENCE, f"valid_to={until}")
            assert (await telephony.outbound(CONSENTED)).status == 200
            assert time.time() < ends
            await asyncio.sleep(ends - time.time() + 0.05)
            refused = await telephony.outbound(CONSENTED)
            assert refused.status == 403 and "operator-admission" in refused.warning
            explained = gateway.cli("explain", "--trunk", "cc-alpha", "--from", "+8657112340001", "--to", CONSENTED)
            assert explained.returncode == 3 and "A02: licence alpha-licence-2 expired" in explained.stdout
            assert gateway.cli("registry", "check").returncode == 1
