"""Digest values and hashes, against the vectors of the RFCs."""

from __future__ import annotations

import pytest

from gateway.sip import LocalProtocolError, RemoteProtocolError
from gateway.sip.digest import (
    ALGORITHMS,
    MAX_CREDENTIALS,
    MD5,
    SHA_256,
    SHA_512_256,
    challenge,
    expected_response,
    hashed,
    is_for,
    is_right,
    parse_credentials,
    secret_of,
)

RFC_7616 = (
    b'Digest username="Mufasa", realm="http-auth@example.org", uri="/dir/index.html", algorithm=%b, '
    b'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", nc=00000001, '
    b'cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", qop=auth, response="%b", '
    b'opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
)
"""§3.9.1."""

RFC_2617 = (
    b'Digest username="Mufasa", realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", '
    b'uri="/dir/index.html", qop=auth, nc=00000001, cnonce="0a4f113b", '
    b'response="6629fae49393a05397450978507c4ef1", opaque="5ccc069c403ebaf9f0171e9517f40e41"'
)
"""§3.5; no algorithm means MD5."""


@pytest.mark.parametrize(
    ("value", "password", "algorithm"),
    [
        (RFC_7616 % (b"MD5", b"8ca523f5e9506fed4657c9700eebdbec"), b"Circle of Life", MD5),
        (
            RFC_7616 % (b"SHA-256", b"753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
            b"Circle of Life",
            SHA_256,
        ),
        (RFC_2617, b"Circle Of Life", MD5),
    ],
)
def test_vectors(value: bytes, password: bytes, algorithm: bytes) -> None:
    credentials = parse_credentials(value)
    assert (credentials.username, credentials.algorithm, credentials.nc) == (b"Mufasa", algorithm, 1)
    secret = secret_of(algorithm, b"Mufasa", credentials.realm, password)
    assert is_right(secret, credentials, b"GET")
    assert not is_right(secret, credentials, b"POST")
    assert not is_right(secret_of(algorithm, b"Mufasa", credentials.realm, b"other"), credentials, b"GET")
    for field in ("nonce", "uri", "cnonce", "qop"):
        changed = parse_credentials(value)
        setattr(changed, field, b"x")
        assert not is_right(secret, changed, b"GET"), field
    credentials.nc = 2
    assert not is_right(secret, credentials, b"GET")


def test_sha_512_256_is_its_own_hash() -> None:
    # RFC 7616 §3.9.2 as corrected by its errata (4897): what is printed is SHA-512, cut.
    username = hashed(SHA_512_256, "Jäsøn Doe:api@example.org".encode())
    assert username == b"793263caabb707a56211940d90411ea4a575adeccb7e360aeb624ed06ece9b0b"
    # FIPS 180-4, the example of SHA-512/256
    assert hashed(SHA_512_256, b"abc") == b"53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23"


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_challenge_is_answered_and_checked(algorithm: bytes) -> None:
    value = challenge(algorithm, b"callgate", b"abc=", stale=True)
    assert value == b'Digest realm="callgate", nonce="abc=", algorithm=' + algorithm + b', qop="auth", stale=true'
    assert not challenge(algorithm, b"callgate", b"abc=").endswith(b"stale=true")
    answer = (
        b'digest username="a \\"b\\\\", realm="callgate",nonce="abc=" , uri="sip:c@d", response="%b", '
        b"algorithm=" + algorithm.lower() + b', cnonce="1,2", qop=AUTH, nc=0000000A, auth-param="x"'
    )
    secret = secret_of(algorithm, b'a "b\\', b"callgate", b"pass")
    credentials = parse_credentials(answer % b"")
    assert (credentials.username, credentials.cnonce, credentials.nc) == (b'a "b\\', b"1,2", 10)
    assert not is_right(secret, credentials, b"INVITE")
    response = expected_response(secret, credentials, b"INVITE")
    assert is_right(secret, parse_credentials(answer % response.upper()), b"INVITE")


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"Digest",
        b"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
        RFC_2617 + b', nonce="again"',
        RFC_2617 + b', NONCE="again"',
        RFC_2617 + b', opaque="again"',
        RFC_2617.replace(b"nc=00000001", b"nc=1"),
        RFC_2617.replace(b"nc=00000001", b"nc=+0000001"),
        RFC_2617.replace(b"nc=00000001", b"nc=0000000g"),
        RFC_2617.replace(b'uri="/dir/index.html", ', b""),
        RFC_2617.replace(b'username="Mufasa"', b"username*=UTF-8''Mufasa"),
        RFC_2617.replace(b'response="6629', b'response="66\xff9'),
        RFC_2617.replace(b'"Mufasa"', b'"Mufasa" "x"'),
        RFC_2617.replace(b'"Mufasa"', b"Muf asa"),
        RFC_2617.replace(b'"Mufasa"', b'"Mufasa'),
        RFC_2617 + b", userhash=true",
        RFC_2617 + b", x",
        RFC_2617 + b", y=z" * 20,
        RFC_2617 + b", x=" + b"y" * MAX_CREDENTIALS,
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(value: bytes) -> None:
    with pytest.raises(RemoteProtocolError) as refused:
        parse_credentials(value)
    assert refused.value.status == 400


@pytest.mark.parametrize(
    ("uri", "same"),
    [
        (b"sip:+8613800138000@gate.example", True),
        (b"sip:+8613800138000@GATE.example", True),
        (b"sip:%2B8613800138000@gate.example", False),
        (b"sip:+8613800138001@gate.example", False),
        (b"sip:+8613800138000@gate.example:5060", False),
        (b"sip:", False),
        (b"", False),
    ],
)
def test_credentials_for_one_target_serve_for_no_other(uri: bytes, same: bool) -> None:
    credentials = parse_credentials(RFC_2617.replace(b"/dir/index.html", uri))
    assert is_for(credentials, b"sip:+8613800138000@gate.example") is same


@pytest.mark.parametrize("realm", [b'a"b', b"a\\b", b"a\r\nb", b"a\xffb"])
def test_a_realm_that_cannot_stand_in_quotes_is_our_own_fault(realm: bytes) -> None:
    with pytest.raises(LocalProtocolError):
        challenge(SHA_256, realm, b"n")
