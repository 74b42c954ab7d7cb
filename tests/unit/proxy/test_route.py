from __future__ import annotations

import pytest

from gateway.proxy.route import MAX_OWN_ROUTES, own_cookie, read_routes
from tests.unit.proxy.messages import COOKIE, OWN, with_routes

OURS = b"<sip:127.0.0.1:5060;lr;cg=" + COOKIE + b">"
THEIRS = b"<sip:127.0.0.9;lr>"


@pytest.mark.parametrize(
    ("value", "want"),
    [
        (OURS, COOKIE),
        (b"<sip:127.0.0.1;lr;cg=" + COOKIE + b">", COOKIE),
        (b"<sip:127.0.0.1;lr;cg=x>", b"x"),
        (b"<sip:127.0.0.1:5060;transport=tcp;lr;cg=" + COOKIE + b">", COOKIE),
        (b"<sip:127.0.0.1:5060;transport=tls;lr;cg=" + COOKIE + b">", COOKIE),
        (b"<sip:127.0.0.1:5060;transport=TCP;lr;cg=" + COOKIE + b">", COOKIE),
        (b"<sip:127.0.0.9:5060;transport=tcp;lr;cg=" + COOKIE + b">", None),
        (b"<sip:GATE.example:5070;LR;CG=x;y>", b"x"),
        (b"sip:127.0.0.1", None),  # no lr: in a bare addr-spec parameters are the header's
        (b"<sip:127.0.0.1;lr>", b""),
        (b"<sip:127.0.0.1;lr;cg>", b""),
        (b'"us" <sip:127.0.0.1;lr;cg=x>;p=1', b"x"),
        (b"<sip:127.0.0.1;cg=" + COOKIE + b">", None),
        (b"<sip:u@127.0.0.1;lr;cg=" + COOKIE + b">", None),
        (b"<sip:127.0.0.1:5061;lr;cg=" + COOKIE + b">", None),
        (b"<sip:gate.example;lr;cg=" + COOKIE + b">", None),
        (b"<sip:127.0.0.9:5060;lr;cg=" + COOKIE + b">", None),
        (b"<sip::5060;lr;cg=" + COOKIE + b">", None),
        (b"<sip:127.0.0.1:x;lr;cg=" + COOKIE + b">", None),
        (b"<sip:127.0.0.1;lr;cg=" + COOKIE, None),
        (b"<tel:127;lr>", None),
        (b"<mailto:x@127.0.0.1>", None),
        (b"", None),
        (b">", None),
    ],
)
def test_own_cookie(value: bytes, want: bytes | None) -> None:
    assert own_cookie(value, OWN) == want


def test_own_routes_are_taken_off_the_top_only() -> None:
    routing = read_routes(with_routes(b"<sip:127.0.0.1;lr>", OURS, THEIRS, OURS), OWN)
    assert len(routing.taken) == 2
    assert routing.cookie == COOKIE
    assert routing.rest == [THEIRS, OURS]


def test_the_first_cookie_counts() -> None:
    other = OURS.replace(COOKIE, b"B" * len(COOKIE))
    assert read_routes(with_routes(OURS, other), OWN).cookie == COOKIE


def test_no_routes() -> None:
    routing = read_routes(with_routes(), OWN)
    assert (routing.taken, routing.cookie, routing.rest) == ([], b"", [])
    assert routing.target.host == b"127.0.0.9"


def test_not_more_than_a_bound() -> None:
    assert read_routes(with_routes(*[OURS] * 9), OWN).taken == [OURS] * MAX_OWN_ROUTES
