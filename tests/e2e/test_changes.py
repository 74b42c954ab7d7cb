"""Consents and numbers changed by the command line while the gateway runs: in effect within a second."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.support.gateway_process import GatewayProcess
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


async def test_an_imported_range_takes_effect_without_restart(tmp_path: Path) -> None:
    with GatewayProcess(tmp_path / "state") as gateway:
        async with phones(gateway.sip_port) as telephony:
            caller = "+8657188880001"
            refused = await telephony.outbound(CONSENTED, caller)
            assert refused.status == 403 and "number-unassigned" in refused.warning
            file = tmp_path / "range.toml"
            file.write_text(NEW_RANGE)
            imported = gateway.cli("import", "registry", str(file))
            assert imported.returncode == 0, imported.stdout + imported.stderr
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
            for word in ("13900139xxx", "gamma", "3", "4"):
                assert word in imported.stdout + imported.stderr
            await asyncio.sleep(1.0)
            assert (await telephony.outbound("+8613900139000")).status == 470
