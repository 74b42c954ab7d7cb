from __future__ import annotations

from gateway.proxy.peer import Destination, Hop
from tests.unit.proxy.messages import destination, peer


def test_names_of_a_destination() -> None:
    udp = destination()
    assert udp.via == b"SIP/2.0/UDP 127.0.0.1:5060;branch="
    assert udp.host_port == b"127.0.0.9:5060"
    assert udp.name == "127.0.0.9:5060/udp"
    six = Destination(None, ("::1", 5062), b"TCP", b"[::2]:5060", True)
    assert six.host_port == b"[::1]:5062"
    assert six.name == "[::1]:5062/tcp"


def test_a_hop_is_up_until_a_probe_says_otherwise() -> None:
    assert Hop(destination()).up


def test_a_peer_has_its_id_in_both_forms() -> None:
    assert (peer().id, peer().key) == ("carrier", b"carrier")
