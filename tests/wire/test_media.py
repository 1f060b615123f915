"""Media types and MIME header lines: exact, or refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import Malformed
from gateway.wire import media


@pytest.mark.parametrize(
    ("text", "name", "parameters"),
    [
        ("application/soap+xml", "application/soap+xml", {}),
        ("Application/SOAP+XML ; Charset=UTF-8", "application/soap+xml", {"charset": "UTF-8"}),
        ('a/b; action="urn:x:\\"q\\""', "a/b", {"action": 'urn:x:"q"'}),
        ("a/b;;c=d;", "a/b", {"c": "d"}),
        ("a/b; c=d ; e=urn:x", "a/b", {"c": "d", "e": "urn:x"}),
        ('a/b; c=""', "a/b", {"c": ""}),
    ],
)
def test_read(text: str, name: str, parameters: dict[str, str]) -> None:
    found = media.read(text)
    assert (found.name, dict(found.parameters)) == (name, parameters)
    assert found.get("nothing") == ""


@pytest.mark.parametrize(
    "text",
    ["", "a", "a/", "a/b c", "a/b; c", "a/b; c=", "a/b; =d", 'a/b; c="d', 'a/b; c="d"e',
     "a/b; c=d; C=e", "a/b, c/d", "a/b; c=\x01", "a/b; c=" + "d" * 5000, "a/b; c=山"],
)  # fmt: skip
def test_refused(text: str) -> None:
    with pytest.raises(Malformed):
        media.read(text)


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    for candidate in (text, "a/b;" + text):
        try:
            media.read(candidate)
        except Malformed:
            continue


def test_headers() -> None:
    block = b"Content-Type: text/plain;\r\n charset=utf-8\r\nX-Long:\r\n\tfolded \r\n"
    assert media.headers(block, 20) == {
        "content-type": "text/plain; charset=utf-8",
        "x-long": "folded",
    }


@pytest.mark.parametrize(
    "block",
    [b"no colon", b": x", b"A: b\r\na: c", b"A: \xff", b"A: \x00", b" folded first", b"A\t: b"],
)
def test_header_lines_that_are_refused(block: bytes) -> None:
    with pytest.raises(Malformed):
        media.headers(block, 20)
