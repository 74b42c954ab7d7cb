from __future__ import annotations

import pytest

from gateway.store.redis.address import BadAddress, RedisAddress, command, handshake, read_address


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


def test_the_handshake_has_what_the_address_needs() -> None:
    info = [command(b"INFO", b"server"), command(b"INFO", b"memory")]
    assert handshake(RedisAddress("/s")) == info
    assert handshake(RedisAddress("/s", password="p")) == [command(b"AUTH", b"p"), *info]
    full = handshake(RedisAddress("/s", username="u", password="p", database=4))
    assert full == [command(b"AUTH", b"u", b"p"), command(b"SELECT", b"4"), *info]


def test_a_command_is_an_array_of_bulk_strings() -> None:
    assert command(b"GET", b"a\r\n") == b"*2\r\n$3\r\nGET\r\n$3\r\na\r\n\r\n"
