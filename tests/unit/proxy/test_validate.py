from __future__ import annotations

import pytest

from gateway.proxy.validate import ALLOW, validate
from tests.unit.proxy.messages import an_invite


@pytest.mark.parametrize("max_forwards", [None, 1, 70])
def test_lawful(max_forwards: int | None) -> None:
    assert validate(an_invite(max_forwards=max_forwards)) is None


def test_max_forwards_0() -> None:
    refused = validate(an_invite(max_forwards=0))
    assert refused is not None
    assert (refused.status, refused.headers) == (483, [])


def test_proxy_require() -> None:
    refused = validate(an_invite(extra=((b"proxy-require", b"a,b"), (b"Proxy-Require", b"c"), (b"Require", b"d"))))
    assert refused is not None
    assert (refused.status, refused.headers) == (420, [(b"Unsupported", b"a,b, c")])


def test_allow_names_what_passes() -> None:
    assert ALLOW.split(b", ") == [b"INVITE", b"ACK", b"CANCEL", b"OPTIONS", b"BYE", b"PRACK", b"UPDATE", b"INFO"]
