"""Behaviour in time is in tests/protocol/test_{server,client}_transaction.py."""

from __future__ import annotations

from tests.support.transactions import Bench


def test_unfinished_until_a_final_response() -> None:
    bench = Bench()
    for invite in (True, False):
        server = bench.server(invite)
        assert server.unfinished
        server.respond(183, b"183", 0.0)
        assert server.unfinished
        server.respond(200, b"200", 0.0)
        assert not server.unfinished


def test_a_client_is_unfinished_until_a_final_response() -> None:
    bench = Bench()
    for method in (b"INVITE", b"BYE"):
        client = bench.client(method)
        bench.receive(183, method)
        assert client.unfinished
        bench.receive(200, method)
        assert not client.unfinished
