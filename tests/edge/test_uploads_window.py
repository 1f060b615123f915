"""`GET /uploads/<receipt>?first=&most=`: which files are asked for, and what is no number."""

import pytest

from gateway.edge.uploads import _window
from gateway.errors import Malformed


@pytest.mark.parametrize(
    ("query", "window"),
    [
        (b"", (None, None)),
        (b"first=&most=", (None, None)),
        (b"first=0&most=0", (0, 0)),
        (b"first=200&most=50", (200, 50)),
        (b"most=1&most=2", (None, 2)),
        (b"other=x", (None, None)),
    ],
)
def test_a_window_is_two_numbers(query, window):
    assert _window({"query_string": query}) == window


@pytest.mark.parametrize(
    ("query", "at"),
    [
        (b"first=-1", "first"),
        (b"most=x", "most"),
        (b"first=1.5", "first"),
        (b"most=%EF%BC%91", "most"),
        (b"first=1%20", "first"),
        (b"most=1e9", "most"),
        (b"first=" + b"9" * 400, "first"),
        (b"most=\xff", "most"),
    ],
)
def test_what_is_no_number_is_named(query, at):
    with pytest.raises(Malformed) as refused:
        _window({"query_string": query})
    assert refused.value.at == at
