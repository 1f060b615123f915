"""Contents of items: what several refer to is stored once, and everybody reads each item whole."""

from decimal import Decimal

import pytest

from gateway.store.record import contents
from gateway.store.record.contents import Contents
from gateway.wire import fhir

_PLACE = {"file": "a]]}", "at": "OBX[1]"}


def _observation(number: int) -> dict[str, object]:
    return {"resourceType": "Observation", "id": f"o{number}", "value": Decimal("7.10")}


def _order(text: str = "x") -> dict[str, object]:
    return {"resourceType": "ServiceRequest", "id": "r1", "code": {"text": text}}


def _elsewhere(stored: dict[tuple[str, str], str], content: str) -> str:
    return contents.completed(content, lambda id, place: contents.companions_of(stored[place])[id])


def test_what_two_items_refer_to_is_written_once() -> None:
    written, own = Contents(), {"resourceType": "Specimen", "id": "s2"}
    first = written.write("lab", ("k1", "1"), _observation(1), [_order()], _PLACE)
    second = written.write("lab", ("k2", "1"), _observation(2), [_order(), own], _PLACE)
    assert contents.is_whole(first)
    assert not contents.is_whole(second)
    assert contents.refers_to(second) == [("r1", ("k1", "1"))]
    assert "ServiceRequest" not in second
    read = _elsewhere({("k1", "1"): first}, second)
    assert fhir.loads(read) == fhir.loads(contents.whole(_observation(2), [own, _order()], _PLACE))
    assert "7.10" in read


def test_where_several_stand_is_said_once() -> None:
    written = Contents()
    specimen, doctor = ({"resourceType": "x", "id": id} for id in ("s1", "p1"))
    written.write("lab", ("k1", "1"), _observation(1), [_order(), specimen], _PLACE)
    written.write("lab", ("k2", "1"), _observation(2), [doctor], _PLACE)
    third = written.write("lab", ("k3", "1"), _observation(3), [_order(), specimen, doctor], _PLACE)
    one, two = ("k1", "1"), ("k2", "1")
    assert contents.refers_to(third) == [("r1", one), ("s1", one), ("p1", two)]
    assert third.count('"k1"') == 1


def test_what_was_stored_with_each_place_is_read() -> None:
    content = '{"resource":{},"companions":[],"beside":[["r1","k1","1"],["s1","k1","1"]]}'
    assert contents.refers_to(content) == [("r1", ("k1", "1")), ("s1", ("k1", "1"))]


@pytest.mark.parametrize(
    ("category", "order"),
    [
        pytest.param("medical", _order(), id="another category may be shared without this one"),
        pytest.param("lab", _order("y"), id="the same id says something else"),
    ],
)
def test_what_differs_is_written_again(category: str, order: dict[str, object]) -> None:
    written = Contents()
    written.write("lab", ("k1", "1"), _observation(1), [_order()], _PLACE)
    second = written.write(category, ("k2", "1"), _observation(2), [order], _PLACE)
    assert contents.is_whole(second)
    assert contents.companions_of(second) == {"r1": fhir.dumps(order).decode()}


def test_what_a_sender_writes_is_not_taken_for_our_reference() -> None:
    """A resource may say anything, also what a reference looks like."""
    resource = {"id": "o1", "beside": [["r1", "k9", "1"]], "x": ',"beside":[["r1","k9","1"]]}'}
    content = contents.whole(resource, [], {"file": ',"beside":[["r1","k9","1"]]}'})
    assert contents.is_whole(content)
    assert contents.refers_to(content) == []
    assert fhir.loads(content)["resource"] == resource


def test_a_companion_that_ends_like_a_reference_is_no_reference() -> None:
    order = {"id": "r1", "x": {"beside": [["r1", "k9", "1"]]}}
    content = contents.whole(_observation(1), [order], _PLACE)
    assert contents.is_whole(content)
    nested = contents.whole(_observation(1), [{"id": "r1", "y": [[1]]}], _PLACE)
    assert contents.is_whole(nested)
