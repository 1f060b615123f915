"""Titres, numbers with their flag behind them, and results that are read in two ways."""

from decimal import Decimal

import pytest

from gateway.standardize import values


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1:320", ("", "320")),
        ("１：３２０", ("", "320")),
        ("1 : 8", ("", "8")),
        ("x320", ("", "320")),
        ("×４０", ("", "40")),
        ("40倍", ("", "40")),
        ("<40倍", ("<", "40")),
        ("40倍未満", ("<", "40")),
        ("1280倍以上", (">=", "1280")),
        ("<×20", ("<", "20")),
        ("1:1", None),
        ("1:0", None),
        ("1:30", None),
        ("1:05", None),
        ("2:30", None),
        ("320:1", None),
        ("×", None),
        ("x0", None),
        ("倍", None),
        ("<1:40", None),
        ("-5倍", None),
        ("1:12345678", None),
        ("x" * 5000, None),
    ],
)
def test_titres(text, expected):
    found = values.titre(text)
    assert found == (expected and (expected[0], Decimal(expected[1])))


def test_a_titre_is_a_quantity_with_its_own_text():
    (made,) = values.text_value("1：320", {}).values()
    assert made["value"] == Decimal(320)
    assert (made["unit"], made["code"]) == ("倍", "{titer}")
    assert made["extension"][0]["valueString"] == "1：320"
    assert values.text_value("×320", {"unit": "バイ", "code": "{titer}"})["valueQuantity"][
        "unit"
    ] == ("バイ")
    assert values.text_value("×320", {"unit": "mg/dL"}) == {"valueString": "×320"}  # two units


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5.0 H", ("5.0", "H")), ("5.0H", ("5.0", "H")), ("７．１０　Ｌ", ("7.10", "L")),
        ("900HH", ("900", "HH")), ("5.0 N", None), ("H", None), ("H 5.0", None), ("5.0 h", None),
        ("5.0 HL", None), ("5,0 H", None), ("1" * 19 + "H", None),
    ],
)  # fmt: skip
def test_a_number_with_its_flag(text, expected):
    found = values.marked(text)
    assert found == (expected and (Decimal(expected[0]), expected[1]))
    assert found is None or str(found[0]) == expected[0]


@pytest.mark.parametrize(
    ("text", "unclear"),
    [("8.5↑", True), ("↓8.5", True), ("1:30", True), ("1:320", False), ("8.5", False),
     ("↑", False), ("1:05", False)],
)  # fmt: skip
def test_what_is_read_in_two_ways(text, unclear):
    assert values.is_unclear(text) is unclear
