"""One gateway for all tests that only talk to it, and the wires they talk over."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.support.attack import Attacker
from tests.support.carrier_leg import CarrierLeg
from tests.support.gateway_process import PATIENT, GatewayProcess
from tests.support.torture import VIA_PORTS
from tests.support.wire import TcpWire, UdpWire

WIRES = [UdpWire, TcpWire]
SOON = {"CALLGATE_STREAMS__MESSAGE_S": "2"}
"""A message that never ends ends its stream after that, not after 32 s."""


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """A gateway that nobody stops, floods or reconfigures; at its end it has met no error."""
    with GatewayProcess(tmp_path_factory.mktemp("running") / "state", env=PATIENT | SOON, tcp=True) as gateway:
        yield gateway
        assert "callgate_errors_total{" not in gateway.get("/metrics")[1], gateway.output()
        assert "Traceback" not in gateway.output()


@pytest.fixture(params=WIRES, ids=lambda wire: wire.transport)
async def attacker(running: GatewayProcess, request: pytest.FixtureRequest) -> AsyncIterator[Attacker]:
    """The call centre cc-alpha on one wire, and the carrier."""
    carrier = await CarrierLeg.open("127.0.0.9", 5060)
    try:
        wire = await request.param.open(("127.0.0.1", running.sip_port), "127.0.0.2", VIA_PORTS)
        try:
            yield Attacker(wire, carrier)
        finally:
            wire.close()
    finally:
        carrier.close()
