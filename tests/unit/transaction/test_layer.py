from __future__ import annotations

import pytest

from gateway.transaction import layer as layer_module
from tests.support.transactions import TCP, UDP, Bench


def test_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    assert layer_module.MAX_DIALOG_TRANSACTIONS > layer_module.MAX_SERVER_TRANSACTIONS
    bench = Bench()
    monkeypatch.setattr(layer_module, "MAX_SERVER_TRANSACTIONS", 1)
    monkeypatch.setattr(layer_module, "MAX_DIALOG_TRANSACTIONS", 2)
    assert not bench.layer.full()
    bench.layer.new_server(b"1", True, UDP)
    assert bench.layer.full()
    assert not bench.layer.exhausted()
    bench.layer.new_server(b"2", True, UDP)
    assert bench.layer.exhausted()


def test_a_request_of_no_transaction_is_not_absorbed() -> None:
    assert not Bench().again(b"INVITE")


def test_a_client_that_was_replaced_does_not_take_its_successor_away() -> None:
    # The same INVITE once more, with the same derived branch, while the first lingers in Completed.
    bench = Bench()
    first, second = bench.client(b"INVITE"), bench.client(b"INVITE")
    bench.layer.forget_client(first)
    assert list(bench.layer.clients.values()) == [second]


def test_forgetting_lets_go_of_message_and_user() -> None:
    bench = Bench()
    server, client = bench.server(True), bench.client(b"BYE")
    bench.layer.forget_server(server)
    bench.layer.forget_client(client)
    assert server.message == client.message == b""
    assert server.user is None
    assert client.user is None


def test_a_failed_destination_tells_only_those_who_wait_for_it() -> None:
    bench = Bench()
    bench.client(b"INVITE", UDP)
    other = bench.layer.new_client(b"z9hG4bK-2", b"BYE", TCP, b"x", bench.heard, 0.0)
    bench.layer.destination_failed(UDP, 0.0)
    assert bench.heard.log == ["error"]
    assert list(bench.layer.clients.values()) == [other]


def test_a_cancel_has_no_user_and_needs_none() -> None:
    bench = Bench()
    for event in ("timeout", "error", "response"):
        client = bench.layer.new_client(b"z9hG4bK-1", b"CANCEL", UDP, b"x", None, bench.now)
        if event == "timeout":
            bench.advance(32.0)
        elif event == "error":
            bench.layer.destination_failed(UDP, bench.now)
        else:
            bench.receive(200, b"CANCEL")
            bench.advance(5.0)
        assert not bench.layer.clients, event
        assert client.user is None
