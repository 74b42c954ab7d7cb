"""Consents and numbers changed by command line and API while the gateway runs: in effect within a second."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.support.evidence import wait_for
from tests.support.gateway_process import GatewayProcess
from tests.support.sipp import answering, calling
from tests.support.telephony import CONSENTED, phones

NEW_RANGE = """
[[range]]
id = "alpha-new"
first = "+8657188880000"
last = "+8657188889999"
operator = "alpha"
trunks = ["cc-alpha"]
outbound = true
inbound = true
purposes = ["consultation"]
certificate = "C-2026-1"
filing = "F-2026-1"
"""
CALLS = 1_000
REVOKED = {"callee": CONSENTED, "operator": "alpha", "purpose": "consultation"}
CONSENT = ("--callee", CONSENTED, "--operator", "alpha", "--purpose", "consultation")


async def test_consent_revoked_and_granted_again(tmp_path: Path) -> None:
    with GatewayProcess(tmp_path / "state") as gateway:
        async with phones(gateway.sip_port) as telephony:
            assert (await telephony.outbound(CONSENTED)).status == 200
            revoked = gateway.cli("consent", "revoke", *CONSENT)
            assert revoked.returncode == 0, revoked.stderr
            await asyncio.sleep(1.0)  # what is promised
            refused = await telephony.outbound(CONSENTED)
            assert refused.status == 470 and "consent-missing" in refused.warning
            granted = gateway.cli("consent", "grant", *CONSENT)
            assert granted.returncode == 0, granted.stderr
            await asyncio.sleep(1.0)
            assert (await telephony.outbound(CONSENTED)).status == 200


def test_a_consent_revoked_by_the_api_under_load(tmp_path: Path) -> None:
    """At 200 calls a second: one second after the answer 200 no call passes any more."""
    with GatewayProcess(tmp_path / "state") as gateway, answering(tmp_path):
        token = gateway.cli("token", "create", "ann", "--role", "compliance").stdout.strip()
        numbers = [(f"+86571123400{n:02d}", CONSENTED) for n in range(50)]
        address = ("127.0.0.1", gateway.sip_port)
        caller = calling(tmp_path, address, calls=CALLS, rate=200, pause_ms=100, numbers=numbers)
        time.sleep(1.5)
        status, changed = gateway.api(token, "POST", "/consents/revoke", REVOKED)
        answered = time.time()
        assert (status, changed) == (200, {"changed": True, "callee": "+86138****8000"})
        caller.wait(60)
        assert len(wait_for(gateway, CALLS, 0).decisions) == CALLS
        calls = found_calls(gateway, token)
        allowed = [call["at"] for call in calls if call["verdict"] == "allow"]
        late = datetime.fromtimestamp(answered + 1.0, UTC).isoformat()
        refused = [call for call in calls if call["at"] > late]
        assert len(allowed) > 200 and len(refused) > 200
        assert {call["rule"] for call in refused} == {"consent-missing"}
        assert max(allowed) < late
        assert gateway.api(token, "GET", "/audit?action=consent")[1]["items"][0]["principal"] == "ann"


def found_calls(gateway: GatewayProcess, token: str) -> list[dict[str, Any]]:
    """Every call in the evidence, as the API tells it."""
    found: list[dict[str, Any]] = []
    cursor = ""
    while cursor is not None:
        search = {"limit": 200, "cursor": cursor}
        status, page = gateway.api(token, "POST", "/decisions/search", search)
        assert status == 200, page
        found += page["items"]
        cursor = page["next"]
    return found


async def test_an_imported_range_takes_effect_without_restart(tmp_path: Path) -> None:
    with GatewayProcess(tmp_path / "state") as gateway:
        async with phones(gateway.sip_port) as telephony:
            caller = "+8657188880001"
            refused = await telephony.outbound(CONSENTED, caller)
            assert refused.status == 403 and "number-unassigned" in refused.warning
            file = tmp_path / "range.toml"
            file.write_text(NEW_RANGE)
            alone = gateway.cli("import", "registry", str(file))
            assert alone.returncode == 1
            assert "range alpha-new is opened for outbound calls: takes a second person" in alone.stderr
            gateway.agreed("import", "registry", str(file), "--ask", "--reason", "certificate C-2026-1")
            assert await telephony.until(200, CONSENTED, 1.0, caller) < 1.0


async def test_a_bad_import_names_everything_and_changes_nothing(tmp_path: Path) -> None:
    with GatewayProcess(tmp_path / "state") as gateway:
        async with phones(gateway.sip_port) as telephony:
            file = tmp_path / "consents.csv"
            file.write_text(
                "callee,operator,purpose,granted_at,expires_at,evidence_uri\n"
                "+8613900139000,alpha,consultation,2026-01-01T00:00:00Z,,\n"
                "13900139xxx,alpha,consultation,2026-01-01T00:00:00Z,,\n"
                "+8613900139002,gamma,consultation,2026-01-01T00:00:00Z,,\n"
            )
            imported = gateway.cli("import", "consents", str(file))
            assert imported.returncode == 1
            for word in ("********xxx", "gamma", "3", "4"):
                assert word in imported.stdout + imported.stderr
            await asyncio.sleep(1.0)
            assert (await telephony.outbound("+8613900139000")).status == 470
