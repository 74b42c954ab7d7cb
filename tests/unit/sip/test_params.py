from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.sip import RemoteProtocolError, split_list
from gateway.sip.params import find_param, quoted_end, split_params


def test_split_list() -> None:
    assert split_list(b"a, b ,c") == [b"a", b"b", b"c"]
    assert split_list(b'"x, y" <sip:a@b?c,d>, <sip:e,f@g>;h="1,2"') == [
        b'"x, y" <sip:a@b?c,d>',
        b'<sip:e,f@g>;h="1,2"',
    ]
    assert split_list(b'"a\\", b" <x>') == [b'"a\\", b" <x>']
    assert split_list(b"a,,") == [b"a", b"", b""]
    assert split_list(b"") == [b""]


@pytest.mark.parametrize("value", [b'"a, b', b"<a, b", b'"a\\', b'"a\\"', b"," * 300, b'"",' * 300])
def test_split_list_refuses(value: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        split_list(value)


def test_quoted_end() -> None:
    assert quoted_end(b'"abc"d', 0) == 5
    assert quoted_end(b'x"a\\"b"', 1) == 7
    assert quoted_end(b'"a\\\\"b"', 0) == 5
    assert quoted_end(b'"abc', 0) == -1


def test_split_params() -> None:
    assert split_params(b'Tag=a;lr;x = y ; q="a;b\\"" ;r=[::1]') == [
        (b"tag", b"a"),
        (b"lr", None),
        (b"x", b"y"),
        (b"q", b'"a;b\\""'),
        (b"r", b"[::1]"),
    ]
    assert split_params(b"tag=a;LR;b=c") == [(b"tag", b"a"), (b"lr", None), (b"b", b"c")]


@pytest.mark.parametrize(
    "raw", [b"", b";", b"a;", b"a;;b", b"=a", b"a=", b"a=b=c", b"a = b c", b"a b", b'a="x', b'a="x"y', b"a=b@c", b"a,b"]
)
def test_split_params_refuses(raw: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        split_params(raw)


def test_params_are_bounded() -> None:
    with pytest.raises(RemoteProtocolError):
        split_params(b";".join([b"a"] * 65))
    assert len(split_params(b";".join([b"a"] * 64))) == 64


def test_find_param() -> None:
    assert find_param(b"a=1;B;c=2", b"A") == b"1"
    assert find_param(b"a=1;B;c=2", b"b") == b""
    assert find_param(b"a=1", b"x") is None
    assert find_param(b"", b"x") is None


def test_quoted_strings_are_bounded() -> None:
    assert quoted_end(b'"' + b'\\"' * 255 + b'"', 0) == 512
    assert quoted_end(b'"' + b'\\"' * 256 + b'"', 0) == -1
    assert quoted_end(b'"a\\\\"', 0) == 5
    assert quoted_end(b'"a\\\\\\"', 0) == -1
    assert quoted_end(b'x"a"b"', 1) == 4


@given(st.text(alphabet='",<>\\a ;', max_size=24).map(str.encode))
def test_splitting_loses_nothing(value: bytes) -> None:
    """Joined again the parts are the value, and none of them splits further."""
    try:
        parts = split_list(value)
    except RemoteProtocolError:
        return
    assert b",".join(parts).translate(None, b" ") == value.translate(None, b" ")
    assert all(split_list(part) == [part] for part in parts)
