"""What the cookies let pass is in tests/protocol/test_proxy_dialog.py and test_proxy_forged.py."""

from __future__ import annotations

import pytest

from gateway.proxy import dialog
from gateway.proxy.cookie import CookieRing
from gateway.proxy.dialog import Dialogs
from tests.unit.proxy.messages import OWN


@pytest.fixture
def dialogs() -> Dialogs:
    return Dialogs(CookieRing({1: b"k" * 32}, 1), OWN, 86_400.0)


def test_equivalent_uris_have_one_hash(dialogs: Dialogs) -> None:
    assert dialogs.uri_hash(b"sip:a@HOST") == dialogs.uri_hash(b"SIP:a@host") == dialogs.uri_hash(b"sip:%61@host")
    assert dialogs.uri_hash(b"sip:a@h;x=1;%59=%32") == dialogs.uri_hash(b"sip:a@h;y=2;X=%31")
    assert dialogs.uri_hash(b"sip:a@host") != dialogs.uri_hash(b"sip:b@host")
    assert dialogs.uri_hash(b"tel:+86-1") == dialogs.uri_hash(b"tel:+861")


@pytest.mark.parametrize(
    "other", [b";x=2", b";x", b";x=1;y", b";x=1;rn=+86571", b";x%3D1", b";x=1%3By", b";y=1;x", b""]
)
def test_every_parameter_counts(dialogs: Dialogs, other: bytes) -> None:
    assert dialogs.uri_hash(b"sip:a@h;x=1") != dialogs.uri_hash(b"sip:a@h" + other)


def test_a_long_uri_is_not_remembered(dialogs: Dialogs) -> None:
    assert dialogs.uri_hash(b"sip:a@" + b"h" * 400) == dialogs.uri_hash(b"sip:a@" + b"h" * 400)
    assert not dialogs._hashes


def test_a_uri_that_cannot_be_read_stands_for_itself(dialogs: Dialogs) -> None:
    assert dialogs.uri_hash(b"urn:x") == dialogs.uri_hash(b"urn:x")
    assert dialogs.uri_hash(b"urn:x") != dialogs.uri_hash(b"urn:y")


def test_remembered_uris_are_bounded(dialogs: Dialogs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dialog, "MAX_REMEMBERED_URIS", 3)
    for number in range(10):
        dialogs.uri_hash(b"sip:%d@h" % number)
    assert len(dialogs._hashes) <= 3
