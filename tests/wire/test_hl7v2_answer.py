"""Acknowledgements: AA, AE, AR, and a line for every kind of refusal."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import errors
from gateway.wire import hl7v2
from gateway.wire.hl7v2_answer import _ANSWERS, acknowledge, answers, verdict

AT = datetime(2026, 11, 21, tzinfo=UTC)
CONTENT = b"MSH|^~\\&|LAB|FAC_A|GW|HUB|20260401120000||ORU^R01^ORU_R01|C1|T|2.5\rPID|1||X\r"


def answer(content=CONTENT, refusal=None):
    made = acknowledge(content, control_id="G1", at=AT, refusal=refusal)
    return made, hl7v2.parse(made, framed=True)


def test_accepted():
    made, found = answer()
    assert found.type == "ACK^R01"
    assert found.header.fields[3:7] == ["GW", "HUB", "LAB", "FAC_A"]
    assert found.control_id == "G1"
    assert found.header.raw(11) == "T"
    assert found.first("MSA").fields[1:] == ["AA", "C1"]
    assert found.first("ERR") is None
    assert made.endswith(b"\r")


def test_refused_names_the_place_and_the_code():
    refusal = errors.Malformed("not a | time", at="PID[1].7", rule="HL7 AE 102")
    _, found = answer(refusal=refusal)
    assert found.first("MSA").fields[1:] == ["AE", "C1"]
    error = found.first("ERR")
    assert error.raw(2) == "PID^1^7"
    assert error.components(3) == ["102", "Data type error", "HL70357"]
    assert error.value(8) == "not a | time"
    assert len(found.segments) == 3


def test_every_kind_of_refusal_has_an_answer():
    assert set(errors.kinds()) <= set(_ANSWERS)
    for code, error in _ANSWERS.values():
        assert code in ("AE", "AR")
        assert error != "207"


@pytest.mark.parametrize(
    ("refusal", "expected"),
    [
        (errors.NotOwner("x", rule="G-01"), ("AE", "204")),
        (errors.Inconsistent("x"), ("AE", "205")),
        (errors.Busy("x"), ("AR", "206")),
        (errors.Unsupported("x", rule="HL7 AR 203"), ("AR", "203")),
        (errors.Refusal("x"), ("AE", "102")),
    ],
)
def test_verdict(refusal, expected):
    assert verdict(refusal) == expected


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_get_one_sound_answer(tail):
    refusal = errors.Malformed("no", at="MSH-9")
    for content in (tail, CONTENT[:9] + tail, b"MSH" + tail):
        _, found = answer(content, refusal)
        assert [one.name for one in found] == ["MSH", "MSA", "ERR"]


@pytest.mark.parametrize(
    ("asked", "good", "bad"),
    [("", ["AA"], ["AE"]), ("AL|NE", ["CA"], ["CE"]), ("|AL", ["AA"], ["AE"]),
     ("ER|SU", ["AA"], ["CE"]), ("NE|NE", [], []), ("AL|AL", ["CA", "AA"], ["CE", "AE"])],
)  # fmt: skip
def test_what_is_asked_for_is_answered(asked, good, bad):
    """HL7 v2.5 2.9.3, table 0155."""
    content = CONTENT.replace(b"|2.5\r", f"|2.5|||{asked}\r".encode())
    numbers = iter("12345678")

    def codes(refusal):
        made = answers(content, new_id=lambda: next(numbers), at=AT, refusal=refusal)
        return [hl7v2.parse(one, framed=True).first("MSA").value(1) for one in made]

    assert codes(None) == good
    assert codes(errors.Malformed("x")) == bad


def test_a_header_that_cannot_be_read_asks_for_nothing():
    content = b"MSH|||||A|B|C|D|20260401120000||ADT^A08|C1|P|2.5||||||~ISO IR87\r"
    (made,) = answers(content, new_id=lambda: "1", at=AT, refusal=errors.Malformed("x"))
    assert b"MSA|AE|" in made


def test_a_fault_of_ours_tells_its_incident_only():
    (made,) = answers(CONTENT, new_id=lambda: "1", at=AT, incident="ab12")
    found = hl7v2.parse(made, framed=True)
    assert found.first("MSA").value(1) == "AE"
    assert found.first("ERR").value(3) == "207"
    assert found.first("ERR").value(8) == "incident ab12"
