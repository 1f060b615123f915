"""Which entries a stored query is about, as far as a source describes them with several values."""

from typing import Any

import pytest

from gateway.model.document import Author, Code, DocumentQuery
from gateway.record.matches import matches
from tests.record.house import CHARTS, entry

X, Y, R = Code("x", "2.999.1"), Code("y", "2.999.1"), Code("R", "2.999.3")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        pytest.param({"event_codes": ((X, Y),)}, True, id="one of a slot"),
        pytest.param({"event_codes": ((X,), (Y,))}, False, id="both of two slots"),
        pytest.param({"confidentialities": ((R,),)}, True, id="the second confidentiality"),
        pytest.param({"confidentialities": ((X,), (R,))}, True, id="both confidentialities"),
        pytest.param({"confidentialities": ((Y,),)}, False, id="no confidentiality of it"),
        pytest.param({"authors": ("%鈴木%",)}, True, id="the second author"),
        pytest.param({"authors": ("佐藤%",)}, False, id="not as its number and name begin"),
    ],
)
def test_several_values(query: dict[str, Any], expected: bool) -> None:
    authors = (Author(person="^佐藤^一郎"), Author(person="2^鈴木"))
    told = entry(event_codes=(X,), further_confidentiality=(R,), authors=authors)
    asked = DocumentQuery(patient=CHARTS["hospital-a"], **query)
    assert matches(told, asked) is expected
