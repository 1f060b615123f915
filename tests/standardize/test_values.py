"""Laboratory values, units, ranges, flags; dates; codes: tables."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.standardize import codes, dates, values
from gateway.wire import fhir
from tests.shared import needs_shared, shared

UNIT = {"unit": "mg/dL"}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("7.10", "7.10"),
        ("0", "0"),
        ("-0.50", "-0.50"),
        (".5", "0.5"),
        ("5.", "5"),
        ("１２．５", "12.5"),
        ("－３", "-3"),
        ("測定不能", None),
        ("5.0 H", None),
        ("1e5", None),
        ("1,000", None),
        ("NaN", None),
        ("999999999999999999", "999999999999999999"),
        ("1234567890.12345678", "1234567890.12345678"),
        ("1000000000000000007", None),  # more digits than FHIR keeps
        ("0.1234567890123456789", None),
        ("٣", None),
        ("", None),
    ],
)
def test_decimal(text, value):
    found = values.decimal(text)
    assert (None if found is None else str(found)) == value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<0.5", ("<", "0.5")),
        ("< 300", ("<", "300")),
        ("＜0.05", ("<", "0.05")),
        ("<=1.0", ("<=", "1.0")),
        ("≦1", ("<=", "1")),
        (">=1000", (">=", "1000")),
        ("0.1以下", ("<=", "0.1")),
        ("1000以上", (">=", "1000")),
        ("0.3未満", ("<", "0.3")),
        ("10超", (">", "10")),
        ("5<", (">", "5")),
        ("5≧", ("<=", "5")),
        ("5", None),
        ("<", None),
        ("<陰性", None),
        ("1-2", None),
    ],
)
def test_comparison(text, expected):
    found = values.comparison(text)
    assert (None if found is None else (found[0], str(found[1]))) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("(-)", "NEG"),
        ("－", "NEG"),
        ("陰性", "NEG"),
        ("陰性(-)", "NEG"),
        ("(+)", "POS"),
        ("＋", "POS"),
        ("陽性", "POS"),
        ("±", "IND"),
        ("+-", "IND"),
        ("判定保留", "IND"),
    ],
)
def test_qualitative_results_are_coded(text, expected):
    made = values.text_value(text, UNIT)["valueCodeableConcept"]
    assert made["coding"][0]["code"] == expected
    assert made["text"] == text


@pytest.mark.parametrize("text", ["1+", "(2+)", "3+", "++", "（１＋）"])
def test_grades_have_no_code_that_we_invent(text):
    made = values.text_value(text, UNIT)["valueCodeableConcept"]
    assert made == {"text": text}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("検査中", {"dataAbsentReason": "temp-unknown"}),
        ("測定不能", {"dataAbsentReason": "error"}),
        ("溶血", {"dataAbsentReason": "error"}),
        ("赤色", {"valueString": "赤色"}),
        ("3+(300)", {"valueString": "3+(300)"}),
        ("<0.5", {"valueQuantity": Decimal("0.5")}),
    ],
)
def test_text_value(text, expected):
    found = values.text_value(text, UNIT)
    if "dataAbsentReason" in expected:
        reason = found["dataAbsentReason"]
        assert reason["coding"][0]["code"] == expected["dataAbsentReason"]
        assert reason["text"] == text
    elif "valueQuantity" in expected:
        assert found["valueQuantity"]["value"] == expected["valueQuantity"]
    else:
        assert found == expected


@needs_shared
def test_published_patterns_are_understood_or_kept_as_text():
    """The NHO network's patterns: comparators agree where we claim to understand one."""
    examples = {"<^d2": "<0.5", ">^d1": ">5", "<=^d1": "5以下", ">=^d1": "5以上", "<^d1": "5未満"}
    path = shared("japan", "tables", "lab-qualitative-patterns.tsv")
    kinds = {line.split("\t")[0] for line in path.read_text(encoding="utf-8").splitlines()[1:]}
    for kind, text in examples.items():
        assert kind in kinds
        assert values.comparison(text)[0] == kind.split("^")[0]


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        (["<", "0.20"], ("<", "0.20")),
        (["=", "5"], ("", "5")),
        (["", "5.0"], ("", "5.0")),
        (["", "1", ":", "40"], None),
        (["", "x"], None),
        (["!", "5"], None),
        ([], None),
    ],
)
def test_structured_numeric(parts, expected):
    found = values.structured_numeric(parts)
    assert (None if found is None else (found[0], str(found[1]))) == expected


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("6.70-8.3", "6.70", "8.3"),
        ("15.8～34.8", "15.8", "34.8"),
        ("1.2〜2.0", "1.2", "2.0"),
        ("1.2 - 2.0", "1.2", "2.0"),
        ("<0.3", None, "0.3"),
        ("0.14以下", None, "0.14"),
        ("40以上", "40", None),
        ("(-)", None, None),
        ("M:13-17 F:12-15", None, None),
        ("8.3-6.7", None, None),
    ],
)
def test_reference_range(text, low, high):
    made = values.reference_range(text, UNIT)
    assert made["text"] == text
    found = [str(made[one]["value"]) if one in made else None for one in ("low", "high")]
    assert found == [low, high]


@pytest.mark.parametrize(
    ("flag", "code", "known"),
    [("H", "H", True), ("ll", "LL", True), ("Ｈ", "H", True), ("↓", "L", True),
     ("高", "H", True), ("*", "A", True), ("?", None, False)],
)  # fmt: skip
def test_interpretation(flag, code, known):
    made, found = values.interpretation(flag)
    assert found is known
    assert made["text"] == flag
    assert made.get("coding", [{}])[0].get("code") == code


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("mg/dl", "mg/dL"),
        ("㎎/dL", "mg/dL"),
        ("×10^3/μL", "10*3/uL"),
        ("万/μl", "10*4/uL"),
        ("x10*4/uL", "10*4/uL"),
        ("mm(hg)", "mm[Hg]"),
        ("％", "%"),
        ("sec", "s"),
        ("IU/L", "[IU]/L"),
        ("HFP", ""),
        ("", ""),
    ],
)
def test_units(text, code):
    assert codes.ucum(text) == code


def test_a_unit_keeps_the_senders_text():
    assert dict(values.unit("g/dl", "ｇ／dl")) == {
        "unit": "ｇ／dl",
        "system": codes.UCUM,
        "code": "g/dL",
    }
    assert dict(values.unit("HFP", "")) == {"unit": "HFP"}
    assert dict(values.unit("", "")) == {}


@pytest.mark.parametrize(
    ("name", "code", "system"),
    [
        ("JC10", "3A010000002327101", codes.JLAC10),
        ("JC10", "2B0300000022311", ""),
        ("JC10", "023", codes.MATERIAL),
        ("JC10", "997", ""),
        ("HOT9", "108665201", "http://medis.or.jp/CodeSystem/master-HOT9"),
        ("HOT", "1086652", "http://medis.or.jp/CodeSystem/master-HOT7"),
        ("HOT", "10866520", ""),
        ("HL70162", "PO", "http://jpfhir.jp/fhir/core/CodeSystem/route-codes"),
        ("HL70069", "01", codes.DEPARTMENT),
        ("HL70069", "MED", ""),
        ("HL70482", "O", "http://terminology.hl7.org/CodeSystem/v2-0482"),
        ("JHSD0004", "O", "urn:x-regional-gateway:code:jahis:JHSD0004"),
        ("99XYZ", "1", ""),
        ("", "1", ""),
    ],
)
def test_systems(name, code, system):
    assert codes.standard_system(name, code) == system


def test_a_local_code_belongs_to_its_facility():
    first, standard = codes.concept(["1", "名", "99 X/1"], "2.999.30.1")
    second, _ = codes.concept(["1", "名", "99 X/1"], "2.999.30.2")
    assert not standard
    assert first["coding"][0]["system"] != second["coding"][0]["system"]
    assert " " not in first["coding"][0]["system"]
    assert first["text"] == "名"
    hyphens = codes.coded(("3a015-0000-023-271-01", "", "JC10"), "d")[0]
    assert (hyphens.code, hyphens.system) == ("3A015000002327101", codes.JLAC10)
    assert codes.concept([], "d") == ({}, False)


def test_dose_units_and_usage():
    assert codes.dose_unit_code("錠") == "TAB"
    assert codes.dose_unit_code("Ｃ") == "CAP"
    assert codes.dose_unit_code("ｇ") == "G"
    assert codes.dose_unit_code("筆") == ""
    assert codes.dose_unit("TAB") == "錠"
    assert [one["code"] for one in codes.usage_method("1013044400000000")] == ["1", "10"]
    assert codes.usage_method("9") == ()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("2026", "2026"),
        ("202604", "2026-04"),
        ("20260401", "2026-04-01"),
        ("2026040109", "2026-04-01T09:00:00+09:00"),
        ("202604010905", "2026-04-01T09:05:00+09:00"),
        ("20260401090507.984", "2026-04-01T09:05:07.984+09:00"),
        ("20260401090507-0130", "2026-04-01T09:05:07-01:30"),
        ("20260230", ""),
        ("99999999", ""),
        ("0", ""),
        ("", ""),
    ],
)
def test_fhir_time(text, shown):
    assert dates.fhir_time(text) == shown


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ("20260401", "20260401000001"),
        ("20260401090000.1", "20260401090000.2"),
        ("20260401090000+0900", "20260401000001+0000"),
        ("20260401085959", "20260401090000"),
    ],
)
def test_versions_compare_as_text(earlier, later):
    assert dates.order_of(earlier) < dates.order_of(later)
    assert len(dates.order_of(later)) == 17
    assert dates.order_of("2026") == dates.order_of("x") == ""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("19580303", (date(1958, 3, 3), False)),
        ("S330303", (date(1958, 3, 3), False)),
        ("3330303", (date(1958, 3, 3), False)),
        ("R020410", (date(2020, 4, 10), False)),
        ("S33.03.03", (date(1958, 3, 3), False)),
        ("S33/3/3", (date(1958, 3, 3), False)),
        ("S 33. 3. 3", (date(1958, 3, 3), False)),
        ("昭和33年3月3日", (date(1958, 3, 3), False)),
        ("昭33.3.3", (date(1958, 3, 3), False)),
        ("㍼33.3.3", (date(1958, 3, 3), False)),
        ("令和元年5月1日", (date(2019, 5, 1), False)),
        ("R2.4.10", (date(2020, 4, 10), False)),
        ("Ｒ０２０４１０", (date(2020, 4, 10), False)),
        ("2020-04-10", (date(2020, 4, 10), False)),
        ("S640107", (date(1989, 1, 7), False)),
        ("S640108", (date(1989, 1, 8), True)),
        ("H010108", (date(1989, 1, 8), False)),
        ("H010107", (None, False)),
        ("H310430", (date(2019, 4, 30), False)),
        ("H310501", (date(2019, 5, 1), True)),
        ("H360401", (date(2024, 4, 1), True)),
        ("R000101", (None, False)),
        ("S330230", (None, False)),
        ("X330303", (None, False)),
        ("99999999", (None, False)),
        ("00000000", (None, False)),
        ("", (None, False)),
    ],
)
def test_western(text, expected):
    assert dates.western(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("19621103", date(1962, 11, 3)), ("196211030000", date(1962, 11, 3)), ("1962", None),
     ("20260230", None), ("00000000", None), ("99991231", None), ("18000101", None)],
)  # fmt: skip
def test_birth(text, expected):
    assert dates.birth(text) == expected


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=20), st.sampled_from([{}, UNIT]))
def test_any_text_becomes_a_value_a_range_a_flag_a_unit_and_a_date(text, unit):
    made = values.text_value(text, unit) | values.reference_range(text, unit)
    fhir.dumps(made | values.interpretation(text)[0])
    values.decimal(text)
    codes.ucum(text)
    codes.dose_unit_code(text)
    dates.western(text)
    dates.fhir_time(text)
    dates.order_of(text)
    dates.birth(text)
