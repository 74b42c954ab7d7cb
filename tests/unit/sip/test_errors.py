from __future__ import annotations

from gateway.sip.errors import LocalProtocolError, ProtocolError, RemoteProtocolError, Salvage, bad


def test_one_base_two_kinds() -> None:
    assert issubclass(RemoteProtocolError, ProtocolError)
    assert issubclass(LocalProtocolError, ProtocolError)


def test_remote_error_says_how_to_answer() -> None:
    error = RemoteProtocolError(416, b"Unsupported URI Scheme", Salvage(b"INVITE", [b"SIP/2.0/UDP 127.0.0.2"]))
    assert (error.status, error.phrase) == (416, b"Unsupported URI Scheme")
    assert str(error) == "416 Unsupported URI Scheme"
    assert error.salvage is not None
    assert error.salvage.from_ is None


def test_bad_is_a_new_400_each_time() -> None:
    assert bad(b"Bad Host").status == 400
    assert bad(b"Bad Host") is not bad(b"Bad Host")
