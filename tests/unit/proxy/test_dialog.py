"""What the cookies let pass is in tests/protocol/test_proxy_dialog.py and test_proxy_forged.py."""

from __future__ import annotations

import pytest

from gateway.proxy import dialog
from gateway.proxy.cookie import CookieRing
from gateway.proxy.dialog import Dialogs, digits_of, reads_as_number
from tests.unit.proxy.messages import OWN


@pytest.fixture
def dialogs() -> Dialogs:
    return Dialogs(CookieRing({1: b"k" * 32}, 1), OWN, 86_400.0)


def test_equivalent_uris_have_one_hash(dialogs: Dialogs) -> None:
    assert dialogs.uri_hash(b"sip:a@HOST") == dialogs.uri_hash(b"SIP:a@host") == dialogs.uri_hash(b"sip:%61@host;x=1")
    assert dialogs.uri_hash(b"sip:a@host") != dialogs.uri_hash(b"sip:b@host")
    assert dialogs.uri_hash(b"tel:+86-1") == dialogs.uri_hash(b"tel:+861")


def test_a_uri_that_cannot_be_read_stands_for_itself(dialogs: Dialogs) -> None:
    assert dialogs.uri_hash(b"urn:x") == dialogs.uri_hash(b"urn:x")
    assert dialogs.uri_hash(b"urn:x") != dialogs.uri_hash(b"urn:y")


def test_remembered_uris_are_bounded(dialogs: Dialogs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dialog, "MAX_REMEMBERED_URIS", 3)
    for number in range(10):
        dialogs.uri_hash(b"sip:%d@h" % number)
    assert len(dialogs._hashes) <= 3


@pytest.mark.parametrize(
    "user",
    [b"+8613800138000", b"110", b"+86 (138) 0013.8000", b"*67138", b"#31#138", b"138;ext=1", b"138abc", b"-1-3-8"],
)
def test_reads_as_number(user: bytes) -> None:
    assert reads_as_number(user)


@pytest.mark.parametrize(
    "user", [b"", b"12", b"agent", b"agent-138", b"+", b"12a34", b"\xef\xbc\x91\xef\xbc\x92\xef\xbc\x93"]
)
def test_reads_as_no_number(user: bytes) -> None:
    assert not reads_as_number(user)


def test_digits_of() -> None:
    assert digits_of(b"+86-138") == b"86138"
    for user in (b"", b"12", b"138;ext=1", b"*67138", b"138a", b"1 38"):
        assert digits_of(user) == b""
