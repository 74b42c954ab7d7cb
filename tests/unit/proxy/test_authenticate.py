"""A request proven by digest, or why not."""

from __future__ import annotations

from gateway.proxy.authenticate import Account, Authenticated, authenticate, challenges, without_credentials
from gateway.proxy.nonces import LIFETIME_S, Nonces
from gateway.sip import Request, parse
from gateway.sip.digest import MD5, SHA_256, SHA_512_256, expected_response, parse_credentials, secret_of
from tests.unit.sip.samples import request

NOW = 1_800_000_000.0
SOURCE, REALM = b"127.0.0.2", b"callgate"
TARGET = b"sip:+8613800138000@127.0.0.1"
SECRETS = {algorithm: secret_of(algorithm, b"alpha", REALM, b"pass") for algorithm in (SHA_256, SHA_512_256, MD5)}
ACCOUNTS = {
    b"alpha": Account("cc-alpha", {SHA_256: SECRETS[SHA_256], SHA_512_256: SECRETS[SHA_512_256]}),
    b"old": Account("cc-old", {MD5: secret_of(MD5, b"old", REALM, b"pass")}),
}


def value(
    nonce: bytes,
    algorithm: bytes = SHA_256,
    password: bytes = b"pass",
    user: bytes = b"alpha",
    nc: int = 1,
    uri: bytes = TARGET,
    realm: bytes = REALM,
    qop: bytes = b"qop=auth, ",
) -> bytes:
    form = b'Digest username="%b", realm="%b", nonce="%b", uri="%b", algorithm=%b, %bnc=%08x, cnonce="c", response="%b"'
    empty = parse_credentials(form % (user, realm, nonce, uri, algorithm, qop, nc, b""))
    response = expected_response(secret_of(algorithm, user, realm, password), empty, b"INVITE")
    return form % (user, realm, nonce, uri, algorithm, qop, nc, response)


def asked(*values: bytes) -> Request:
    message = parse(request(*(b"Proxy-Authorization: " + v for v in values)))
    assert isinstance(message, Request)
    return message


def check(nonces: Nonces, *values: bytes, now: float = NOW, source: bytes = SOURCE) -> Authenticated:
    return authenticate(asked(*values), REALM, ACCOUNTS, nonces, source, now)


def test_the_right_answer_names_the_trunk() -> None:
    nonces = Nonces(b"secret")
    for algorithm, user, trunk in ((SHA_256, b"alpha", "cc-alpha"), (SHA_512_256, b"alpha", "cc-alpha")):
        nonce = nonces.make(NOW, SOURCE, REALM)
        assert check(nonces, value(nonce, algorithm, user=user)) == Authenticated(trunk)
    assert check(nonces, value(nonces.make(NOW, SOURCE, REALM), MD5, user=b"old")) == Authenticated("cc-old")


def test_md5_is_refused_where_it_was_not_enabled() -> None:
    nonces = Nonces(b"secret")
    assert check(nonces, value(nonces.make(NOW, SOURCE, REALM), MD5)).reason == "wrong"


def test_what_is_not_right_is_named_and_keeps_nothing() -> None:
    nonces = Nonces(b"secret")
    nonce = nonces.make(NOW, SOURCE, REALM)
    wrong = Authenticated(reason="wrong")
    assert check(nonces) == Authenticated(reason="missing")
    assert check(nonces, value(nonce, realm=b"other")) == Authenticated(reason="missing")
    assert check(nonces, b"Digest x") == Authenticated(reason="malformed")
    assert check(nonces, value(nonce), value(nonce)) == Authenticated(reason="malformed")
    assert check(nonces, *[value(nonce, realm=b"other")] * 9) == Authenticated(reason="malformed")
    assert check(nonces, value(nonce, password=b"guess")) == wrong
    assert check(nonces, value(nonce, user=b"nobody")) == wrong
    assert check(nonces, value(nonce, uri=b"sip:+8613800138001@127.0.0.1")) == wrong
    assert check(nonces, value(nonce, qop=b"")) == wrong
    assert check(nonces, value(nonce, qop=b"qop=auth-int, ")) == wrong
    assert check(nonces, value(nonce).replace(b"algorithm=SHA-256", b"algorithm=SHA-256-sess")) == wrong
    assert check(nonces, value(nonce).replace(b'cnonce="c"', b'cnonce=""')) == wrong
    assert len(nonces) == 0
    assert check(nonces, value(nonce)).trunk == "cc-alpha"


def test_a_stranger_who_guesses_the_nobody_secret_is_still_nobody() -> None:
    nonces = Nonces(b"secret")
    nonce = nonces.make(NOW, SOURCE, REALM)
    form = value(nonce, user=b"nobody")
    credentials = parse_credentials(form)
    guessed = expected_response(b"0" * 64, credentials, b"INVITE")
    assert check(nonces, form.replace(credentials.response, guessed)).reason == "wrong"


def test_old_foreign_and_repeated_nonces_get_a_new_one() -> None:
    nonces = Nonces(b"secret")
    nonce = nonces.make(NOW, SOURCE, REALM)
    stale = Authenticated(reason="stale", stale=True)
    assert check(nonces, value(nonce), now=NOW + LIFETIME_S + 1) == stale
    assert check(nonces, value(nonce), source=b"127.0.0.3") == stale
    assert check(nonces, value(b"made up")) == stale
    assert check(nonces, value(nonce)).trunk == "cc-alpha"
    assert check(nonces, value(nonce)) == Authenticated(reason="replayed", stale=True)
    assert check(nonces, value(nonce, nc=2)).trunk == "cc-alpha"


def test_challenges_one_for_each_algorithm_in_order() -> None:
    headers = challenges(REALM, b"n", (SHA_512_256, SHA_256, MD5), True)
    assert [name for name, _ in headers] == [b"Proxy-Authenticate"] * 3
    assert [b"algorithm=" + a in v for a, (_, v) in zip((SHA_512_256, SHA_256, MD5), headers, strict=True)] == [
        True
    ] * 3


def test_our_credentials_go_no_further_and_those_for_others_do() -> None:
    other = value(b"n", realm=b"next")
    message = asked(value(b"n"), other, b"Digest broken")
    left = without_credentials(message.headers, REALM)
    assert [v for n, v in left if n == b"Proxy-Authorization"] == [other]
    assert len(left) == len(message.headers) - 2
