from __future__ import annotations

import pytest

from gateway.sip import chars


@pytest.mark.parametrize(
    ("name", "good", "wrong"),
    [
        ("TOKEN", b"aZ09-.!%*_+`'~", b' :;,"<>@/()[]{}\\=?\t\x00\x7f\x80\xff'),
        ("HOST", b"a-b.example_1", b":[]@ ;/%\x00"),
        ("IPV6", b"2001:dB8::192.0.2.1", b"g[]% \x00"),
        ("USER", b"a%41&=+$,;?/-_.!~*'()", b"@:[]<> \x00\xc2"),
        ("PASSWORD", b"a%41&=+$,", b"@:;?/ \x00"),
        ("URI_PARAMS", b"[]/:&+$a=b;c%20", b"@? \x00"),
        ("URI_HEADERS", b"[]/?:+$a=b&c%20", b"@; \x00"),
        ("WORD", b'()<>:\\"/[]?{}@a', b" ,;=&\x00"),
        ("HEXDIG", b"0123456789abcdefABCDEF", b"gG \x00"),
        ("GLOBAL_NUMBER", b"0123456789-.()", b"+*#aA \x00"),
        ("LOCAL_NUMBER", b"0123456789ABCDEFabcdef*#-.()", b"+gpw \x00"),
        ("TEXT", b"\t ~\x80\xff", b"\x00\x08\x0a\x0b\x0c\x0d\x1f\x7f"),
    ],
)
def test_classes(name: str, good: bytes, wrong: bytes) -> None:
    table: bytes = getattr(chars, name)
    assert len(table) == 256
    assert good.translate(table) == good
    for octet in wrong:
        assert bytes([octet]).translate(table) != bytes([octet])


def test_no_class_holds_full_width_digits() -> None:
    assert "１２".encode().translate(chars.TOKEN) != "１２".encode()
