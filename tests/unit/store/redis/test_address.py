from __future__ import annotations

import pytest

from gateway.store.redis.address import (
    BadAddress,
    Deployment,
    RedisAddress,
    command,
    handshake,
    read_address,
    read_deployment,
)


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://127.0.0.1", RedisAddress(host="127.0.0.1")),
        ("redis://u:p%40ss@host:6380/3", RedisAddress("", "host", 6380, False, "u", "p@ss", 3)),
        ("rediss://:secret@host/", RedisAddress("", "host", 6379, True, "", "secret", 0)),
        ("redis://[::1]:7000/1", RedisAddress("", "::1", 7000, False, "", "", 1)),
        ("unix:///run/r.sock", RedisAddress("/run/r.sock", "", 0)),
        ("unix:///run/r%20s.sock?db=2&password=x", RedisAddress("/run/r s.sock", "", 0, False, "", "x", 2)),
    ],
)
def test_addresses(url: str, address: RedisAddress) -> None:
    assert read_address(url) == address


@pytest.mark.parametrize("url", ["", "http://x", "unix://", "redis://h:port", "redis://h/x", "unix:///s?db=-1"])
def test_bad_addresses(url: str) -> None:
    with pytest.raises(BadAddress):
        read_address(url)


H1, H2 = RedisAddress(host="h1", port=7001), RedisAddress(host="::1", port=6379)


@pytest.mark.parametrize(
    ("url", "deployment"),
    [
        ("redis://h1:7001", Deployment("single", (H1,))),
        ("redis+cluster://h1:7001,[::1]", Deployment("cluster", (H1, H2))),
        (
            "rediss+cluster://u:p%40s@h1?ca=/ca.pem",
            Deployment("cluster", (RedisAddress("", "h1", 6379, True, "u", "p@s", 0, "/ca.pem"),)),
        ),
        (
            "redis+sentinel://:s@h1:26380,h2/calls/3?sentinel_password=t%2Fu",
            Deployment(
                "sentinel",
                (
                    RedisAddress(host="h1", port=26380, password="t/u"),
                    RedisAddress(host="h2", port=26379, password="t/u"),
                ),
                "calls",
                RedisAddress(password="s", database=3),
            ),
        ),
    ],
)
def test_deployments(url: str, deployment: Deployment) -> None:
    found = read_deployment(url)
    assert (found.kind, found.addresses, found.service) == (deployment.kind, deployment.addresses, deployment.service)
    assert found.master.at("", 0) == deployment.master.at("", 0)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("redis+cloud://h", "scheme"),
        ("unix+cluster:///s", "scheme"),
        ("redis+cluster://", "node"),
        ("redis+cluster://h1:7001,,h2", "node"),
        ("redis+cluster://h1:x", "node"),
        ("redis+cluster://h1:70000", "node"),
        ("redis+cluster://h1/2", "only database 0"),
        ("redis+cluster://h1?db=2", "db=: cluster knows ca"),
        ("redis+sentinel://h1,h2", "service missing"),
        ("redis+sentinel://h1/a b", "service missing"),
        ("redis+sentinel://h1/calls/x", "database"),
    ],
)
def test_bad_deployments(url: str, says: str) -> None:
    with pytest.raises(BadAddress, match=says):
        read_deployment(url)


def test_an_error_does_not_show_the_password() -> None:
    for url in ("redis://u:secret@h:port", "redis+cluster://u:secret@h:port", "redis+sentinel://u:secret@h"):
        with pytest.raises(BadAddress) as caught:
            read_deployment(url)
        assert "secret" not in str(caught.value)


def test_authorities_that_cannot_be_read() -> None:
    with pytest.raises(BadAddress, match="PEM"):
        read_address("rediss://h?ca=/nowhere/ca.pem").context()
    assert read_address("redis://h").context() is None


def test_the_handshake_has_what_the_address_needs() -> None:
    info = [command(b"INFO", b"server"), command(b"INFO", b"memory")]
    assert handshake(RedisAddress("/s")) == info
    assert handshake(RedisAddress("/s", password="p")) == [command(b"AUTH", b"p"), *info]
    full = handshake(RedisAddress("/s", username="u", password="p", database=4))
    assert full == [command(b"AUTH", b"u", b"p"), command(b"SELECT", b"4"), *info]


def test_a_command_is_an_array_of_bulk_strings() -> None:
    assert command(b"GET", b"a\r\n") == b"*2\r\n$3\r\nGET\r\n$3\r\na\r\n\r\n"
