"""Pages and cursors."""

from __future__ import annotations

from base64 import urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.control.api.paging import BIGINT, Paging
from gateway.control.api.problems import ApiError


def test_the_last_page_has_no_next() -> None:
    page = Paging(3, "").page([1, 2, 3], str, lambda row: (row,))
    assert (page.items, page.next) == (["1", "2", "3"], None)


def test_a_cursor_names_the_last_row_shown() -> None:
    page = Paging(2, "").page([1, 2, 3], str, lambda row: (row, "x"))
    assert page.items == ["1", "2"] and page.next is not None
    assert Paging(2, page.next).after(int, str) == (2, "x")
    with pytest.raises(ApiError):
        Paging(2, page.next).after(str)


@given(st.text(max_size=40) | st.binary(max_size=30).map(lambda data: urlsafe_b64encode(data).decode()))
def test_any_text_is_a_cursor_or_a_422(cursor: str) -> None:
    try:
        after = Paging(2, cursor).after(int, str)
    except ApiError as error:
        assert error.status == 422
    else:
        assert after is None or (0 <= int(after[0]) <= BIGINT and isinstance(after[1], str))


def test_numbers_stay_in_the_range_of_a_column() -> None:
    for number in (-1, BIGINT + 1):
        cursor = urlsafe_b64encode(f"[{number}]".encode()).decode()
        with pytest.raises(ApiError):
            Paging(2, cursor).after(int)
