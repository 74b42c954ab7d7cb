from __future__ import annotations

from gateway.sip.responses import STATUS_PHRASE, phrase_of


def test_phrases() -> None:
    assert STATUS_PHRASE[433] == b"Anonymity Disallowed"
    assert all(100 <= status <= 699 and phrase for status, phrase in STATUS_PHRASE.items())


def test_unknown_status_is_its_class() -> None:
    assert phrase_of(403) == b"Forbidden"
    assert phrase_of(499) == b"Bad Request"
    assert phrase_of(999) == b"Unknown"
