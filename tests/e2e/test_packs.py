"""Rule packs changed while calls come: no call is lost, none is judged by two versions, a bad pack changes nothing."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from gateway.gate.records import DecisionRecord
from gateway.store.embedded.servers import read_endpoints
from gateway.store.sql.calls import find_calls
from gateway.store.sql.engine import make_engine
from tests.support.evidence import wait_for
from tests.support.gateway_process import GatewayProcess
from tests.support.packs import pack_text
from tests.support.sipp import answering, calling
from tests.support.telephony import UNKNOWN

CALLS = 600
NUMBERS = [(f"+86571123400{n:02d}", UNKNOWN) for n in range(50)]
"""Nobody consented: a pack that asks for consent in shadow mode lets them pass and says so."""
BARRED = 'mode = "shadow"\n[rule.params]\nforbidden = ["consultation"]'
ON_STORE = pack_text(version=2, consent_missing='mode = "shadow"')
ON_MEMORY = pack_text(version=3, purpose=BARRED, consent_missing='mode = "off"')
OF_TRUNK = pack_text("alphas", trunks=["cc-alpha"], purpose=BARRED, consent_missing='mode = "shadow"')
SAID = {
    "example@2": ("consent-missing",),
    "example@3": ("purpose",),
    "alphas@1": ("purpose", "consent-missing"),
}
"""What each pack has against such a call, on memory and then on the store's answer."""


def test_packs_changed_at_200_calls_a_second(tmp_path: Path) -> None:
    with GatewayProcess(tmp_path / "state") as gateway, answering(tmp_path):
        token = gateway.cli("token", "create", "ann", "--role", "compliance").stdout.strip()

        def bring(text: str) -> None:
            status, told = gateway.api(token, "POST", "/imports/pack?name=p.toml", text)
            assert (status, told["state"]) == (200, "done"), told
            time.sleep(0.5)

        bring(ON_STORE)
        time.sleep(0.5)  # a worker has it within a second
        caller = calling(
            tmp_path, ("127.0.0.1", gateway.sip_port), calls=CALLS, rate=200, pause_ms=100, numbers=NUMBERS
        )
        for text in (ON_MEMORY, ON_STORE, OF_TRUNK):
            bring(text)
        assert gateway.api(token, "POST", "/packs/alphas/withdraw")[0] == 200
        result = caller.wait(60)
        assert (result.successful, result.failed) == (CALLS, 0), caller.errors()
        assert len(wait_for(gateway, CALLS, CALLS).decisions) == CALLS
        decisions = asyncio.run(recorded(gateway))
        assert {(one.verdict, one.pack, one.shadow) for one in decisions} == {
            ("allow", pack, shadow) for pack, shadow in SAID.items()
        }
        assert gateway.cli("packs").stdout.split()[8:11] == ["example", "2", "default"]


def test_a_bad_pack_is_refused_with_file_line_key_and_fix_and_the_old_one_stays(tmp_path: Path) -> None:
    with GatewayProcess(tmp_path / "state") as gateway:
        bad = tmp_path / "bad.toml"
        bad.write_text(pack_text(version=2).replace('mode = "enforce"', 'mode = "enforced"', 1))
        done = gateway.cli("import", "pack", str(bad))
        line = bad.read_text().split("\n").index('mode = "enforced"') + 1
        assert done.returncode == 1
        assert f"{bad}:{line}: rule caller-hidden.mode: 'enforced': write one of enforce, shadow, off" in done.stderr
        bad.write_text(pack_text("other", trunks=["cc-alfa"]))
        done = gateway.cli("import", "pack", str(bad))
        assert done.returncode == 1 and f"{bad}:4: binds.trunks: 'cc-alfa': no such trunk: name one of" in done.stderr
        withdrawn = gateway.cli("pack", "withdraw", "example")
        assert withdrawn.returncode == 1 and "import pack FILE --instead example" in withdrawn.stderr
        packs = gateway.cli("packs", "--json").stdout
        assert '"id": "example"' in packs and '"version": 1' in packs and packs.count('"id"') == 1


async def recorded(gateway: GatewayProcess) -> list[DecisionRecord]:
    found = read_endpoints(gateway.state_dir)
    assert found is not None
    engine = make_engine(found.database_url, pool_size=1)
    try:
        return [row.decision for row in await find_calls(engine, limit=1_000)]
    finally:
        await engine.dispose()
