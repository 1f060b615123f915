"""The table-driven check: order, required fields, types, values."""

import pytest

from gateway.errors import Malformed
from gateway.standardize import tables
from gateway.wire import hl7v2, hl7v2_check

STRUCTURES = hl7v2_check.read_structures(tables.rows("structures"))
HEADER = "MSH|^~\\&|A|B|C|D|20260401120000||OUL^R22^OUL_R22|C1|P|2.5"
GOOD = [
    "PID|1||7^^^^PI||A^B||19700101|M",
    "PV1|1|O",
    "SPM|1|||023^x^JC10|||||||||||||20260401",
    "OBR|1|1|2|E^x^99",
    "ORC|SC|1",
    "OBX|1|NM|A^b^JC10||1||||||F",
]


def check(*segments, structure="OUL_R22"):
    content = "\r".join([HEADER, *segments]).encode()
    return [
        (one.code, one.at) for one in hl7v2_check.check(hl7v2.parse(content), STRUCTURES[structure])
    ]


def test_a_good_message_has_no_problem():
    assert check(*GOOD) == []


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param({2: "SPM|1|||"}, ("101", "SPM[1].4"), id="a required field"),
        pytest.param({5: "OBX|1|NM|A||1||||||Q"}, ("103", "OBX[1].11"), id="a table value"),
        pytest.param({0: "PID|1||7||A||20260230|M"}, ("102", "PID[1].7"), id="a date"),
        pytest.param({0: "PID|1||7||A||1970|Z"}, ("103", "PID[1].8"), id="a sex"),
        pytest.param({2: "NTE|1"}, ("100", "NTE[1]"), id="an order"),
        pytest.param({3: "NTE|1"}, ("100", "ORC[1]"), id="ORC without OBR"),
    ],
)
def test_problems(change, expected):
    segments = [change.get(number, one) for number, one in enumerate(GOOD)]
    assert expected in check(*segments)


def test_missing_segments_come_last():
    assert check(GOOD[0])[-2:] == [("100", "OBR[1]"), ("100", "SPM[1]")]


def test_numbers():
    rxe = "RXE||D^d^HOT9|x||TAB|||||1.5.0|TAB"
    found = check(GOOD[0], "ORC|NW|1||1", rxe, "TQ1|1", "RXR|PO", structure="RDE_O11")
    assert found == [("102", "RXE[1].3"), ("102", "RXE[1].10")]


def test_demand_refuses_the_first():
    with pytest.raises(Malformed) as caught:
        hl7v2_check.demand([hl7v2_check.Problem("101", "PID[1].3")])
    assert caught.value.rule == "HL7 AE 101"
    hl7v2_check.demand([])


def test_a_table_that_is_wrong_stops_the_start():
    row = {"structure": "X", "segment": "Y", "required": "", "after": "", "fields": "x"}
    with pytest.raises(ValueError, match="not a field rule"):
        hl7v2_check.read_structures([row])


def test_checking_is_one_pass():
    many = ["OBX|1|NM|A^b^JC10||1||||||F"] * 9_000
    assert check(*GOOD, *many) == []
