"""Usage codes: what is read of them, when it is not, and that published texts agree with it."""

import json
import re
from decimal import Decimal

import pytest

from gateway.standardize import usage
from gateway.standardize.usage import Supplement, dosage
from tests.shared import needs_shared, shared

DAILY = {"period": 1, "periodUnit": "d"}


@pytest.mark.parametrize(
    ("code", "text", "repeat"),
    [
        ("1011000400000000", "１日１回朝食後", {"frequency": 1, "when": ["PCM"]} | DAILY),
        (
            "1013044400000000",
            "1日3回 毎食後",
            {"frequency": 3, "when": ["PCM", "PCD", "PCV"]} | DAILY,
        ),
        (
            "1012010100000000",
            "1日2回朝夕食前 服用",
            {"frequency": 2, "when": ["ACM", "ACV"]} | DAILY,
        ),
        ("1011100000000000", "１日１回就寝前　服用", {"frequency": 1, "when": ["HS"]} | DAILY),
        ("1011000090000000", "１日１回起床時　服用", {"frequency": 1, "when": ["WAKE"]} | DAILY),
        (
            "1012100400000000",
            "１日２回朝食後と就寝前",
            {"frequency": 2, "when": ["PCM", "HS"]} | DAILY,
        ),
        ("1011000600000000", "1日1回朝食事中 服用", {"frequency": 1, "when": ["CM"]} | DAILY),
        (
            "1013022200000000",
            "１日３回毎食直前",
            {"frequency": 3, "when": ["ACM", "ACD", "ACV"]} | DAILY,
        ),
        (
            "1013055500000000",
            "１日３回朝昼夕食間",
            {"frequency": 3, "when": ["PCM", "PCD", "PCV"], "offset": 120} | DAILY,
        ),
        ("1032AM0000000000", "", {"frequency": 2, "timeOfDay": ["00:00:00", "12:00:00"]} | DAILY),
        (
            "1031C00000000000",
            "1日1回2時に服用",
            {"frequency": 1, "timeOfDay": ["02:00:00"]} | DAILY,
        ),
        ("2B73000000000000", "塗布 １日３回", {"frequency": 3} | DAILY),
        (
            "2R62090900000000",
            "肛門挿入・１日２回朝夕",
            {"frequency": 2, "when": ["MORN", "EVE"]} | DAILY,
        ),
        ("2H50B10000000000", "起床時 点眼", {"when": ["WAKE"]}),
        (
            "1013044400000000",
            "院内約束処方３番",
            {"frequency": 3, "when": ["PCM", "PCD", "PCV"]} | DAILY,
        ),
    ],
)
def test_what_is_read(code, text, repeat):
    made, found = dosage(code, text)
    assert found == ()
    assert made["timing"]["repeat"] == repeat
    assert made["timing"]["code"]["coding"][0]["code"] == code
    assert made["timing"]["code"].get("text", "") == text


@pytest.mark.parametrize(
    ("code", "text", "finding"),
    [
        ("1013022200000000", "用法３", "usage-not-read"),  # one source only, and no text for it
        ("1011000900000000", "1日1回朝食中 服用", "usage-not-read"),  # deleted from the list
        ("0X0XXXXXXXXX0000", "医師の指示どおり", "usage-not-read"),
        ("1040010000000000", "空腹時", "usage-not-read"),
        ("1023000000000000", "８時間ごと", "usage-not-read"),
        ("1012044400000000", "", "usage-not-read"),  # two times, three meals
        ("1013044400000001", "１日３回毎食後", "usage-not-read"),
        ("1014044450000000", "", "usage-not-read"),
        ("1012040500000000", "", "usage-not-read"),  # two offsets
        ("101304440000000", "１日３回毎食後", "usage-not-read"),
        ("5013044400000000", "１日３回毎食後", "usage-not-read"),
        ("10130444000000000000", "x", "usage-not-read"),
        ("1031Y00000000000", "", "usage-not-read"),
        ("1032BA0000000000", "", "usage-not-read"),
        ("10５0110000000000", "疼痛時", "usage-not-read"),
        ("1013044400000000", "１日２回朝夕食後", "usage-clash"),
        ("1013044400000000", "１日３回毎食前", "usage-clash"),
        ("1011000400000000", "１日１回夕食後", "usage-clash"),
        ("1011000400000000", "１日１～２回朝食後", "usage-clash"),
        ("1031C00000000000", "1日1回3時に服用", "usage-clash"),
        ("1011000400000000", "１日１回朝食後　隔日", "usage-clash"),
        ("1011000400000000", "１日１回朝食後　透析日", "usage-clash"),
        ("2B73000000000000", "塗布 分２", "usage-clash"),
    ],
)
def test_what_is_not_read(code, text, finding):
    """The code and the text stay; nothing is derived from them."""
    made, found = dosage(code, text)
    assert found == (finding,)
    assert "repeat" not in made["timing"]
    assert "asNeededBoolean" not in made
    assert made["timing"]["code"]["coding"][0]["code"] == code
    assert made["timing"]["code"].get("text", "") == text


@pytest.mark.parametrize("code", ["1050110000000000", "1050W10000000000", "2A50110000000000"])
def test_as_needed(code):
    made, found = dosage(code, "必要なとき")
    assert found == ()
    assert made["asNeededBoolean"] is True
    assert "repeat" not in made["timing"]


@pytest.mark.parametrize(
    ("text", "times", "repeat", "found"),
    [
        ("1日3回 毎食後", "3", {"frequency": 3} | DAILY, ()),
        ("毎食後服用", "3", {"frequency": 3} | DAILY, ()),
        ("1日2回 貼付", "0", None, ()),
        ("1日2回", "3", None, ("usage-clash",)),
        ("1日2回", "x", None, ()),
        ("1日2回", "", None, ()),
    ],
)
def test_times_of_their_own_field(text, times, repeat, found):
    """A text alone is never read; a number in its own field is."""
    made, problems = dosage("", text, times=times)
    assert made["timing"].get("repeat") == repeat
    assert problems == found


def test_alternate_days():
    other = Supplement("I1100000", "１日おき")
    made, found = dosage("1011000400000000", "１日１回朝食後", supplements=[other])
    assert found == ()
    assert made["timing"]["repeat"]["period"] == 2
    assert made["additionalInstruction"][0]["coding"][0]["code"] == "I1100000"
    several, _ = dosage("1012040400000000", "１日２回朝夕食後", supplements=[other])
    assert "repeat" not in several["timing"]


def test_weekdays():
    days = Supplement("W0100100", "月曜日、木曜日")
    made, found = dosage("1011000400000000", "１日１回朝食後（月曜日、木曜日）", supplements=[days])
    assert found == ()
    assert made["timing"]["repeat"] == {
        "frequency": 1, "when": ["PCM"], "dayOfWeek": ["mon", "thu"],
    } | DAILY  # fmt: skip
    wrong = Supplement("W0010000", "火曜日、水曜日")
    made, found = dosage("1011000400000000", "１日１回朝食後", supplements=[wrong])
    assert found == ("usage-clash",)
    assert "repeat" not in made["timing"]


@pytest.mark.parametrize("other", [("T1234567", "漸減"), ("", "透析日に服用"), ("W0000000", "")])
def test_a_supplement_that_is_not_understood_leaves_no_daily_timing(other):
    made, _ = dosage("1013044400000000", "１日３回毎食後", supplements=[Supplement(*other)])
    assert "repeat" not in made["timing"]
    assert len(made["additionalInstruction"]) == 1


@pytest.mark.parametrize(
    ("code", "dose"),
    [
        ("V11NNNNN", (1, Decimal("1"))),
        ("V11.5NNN", (1, Decimal("1.5"))),
        ("V20.5NNN", (2, Decimal("0.5"))),
        ("V210NNNN", (2, Decimal("10"))),
        ("V11", None),
        ("V01NNNNN", None),
        ("V1NNNNNN", None),
        ("I1100000", None),
    ],
)
def test_unequal_doses(code, dose):
    assert usage.unequal(code) == dose


def _published(name):
    lists = json.loads(
        shared("japan", "jp-core", "terminology", "jp-edischarge-codesystems.json").read_text()
    )
    return next(one["concepts"] for one in lists if one["url"].endswith(name))


# Rows whose text the list itself prints wrongly: other days than the code's characters.
MISPRINTED = {"W1100001", "W0010000", "W0011000", "W0000100", "W0000010", "W0000001"}


@needs_shared
def test_published_supplements():
    """Every supplement of the published list is read, and as its text says it."""
    kinds = set()
    for code, text in _published(".20.22"):
        made, found = dosage("1011000400000000", "", supplements=[Supplement(code, text)])
        repeat = made["timing"].get("repeat", {})
        kinds.add(code[0])
        if code[0] == "V":
            amount = Decimal(re.search("([０-９]+)単位量", text)[1])
            assert usage.unequal(code) == (int(code[1]), amount)
            assert f"{code[1]}回目" in made["additionalInstruction"][0]["coding"][0]["display"]
        elif code[0] == "I":
            assert repeat["period"] == 2
        elif code in MISPRINTED:
            assert found == ("usage-clash",), code
        else:
            days = {one: day for day, one in usage._DAYS}
            assert found == (), code
            assert repeat["dayOfWeek"] == [days[one[0]] for one in text.split("、")]
    assert kinds == {"V", "I", "W"}


def _samples():
    """Usage codes and texts of every published FHIR example and SS-MIX2 sample."""
    found = set()

    def walk(node):
        if isinstance(node, dict):
            code, text = node.get("code"), node.get("display", "")
            usages = ("MedicationUsage", "2.20.20")
            if isinstance(code, str) and str(node.get("system", "")).endswith(usages):
                found.add((code, text))
            for one in node.values():
                walk(one)
        elif isinstance(node, list):
            for one in node:
                walk(one)

    visible = shared("japan", "samples", "visible")
    for folder in ("eprescription-fhir", "jp-core-1.2.0-examples"):
        for path in (visible / folder).rglob("*.json"):
            walk(json.loads(path.read_text()))
    return sorted(found)


@needs_shared
def test_published_usages():
    """Each published usage code is read, and what is read has the times of its text."""
    pairs = _samples()
    assert len(pairs) >= 8
    marks = {"朝食後": "PCM", "昼食後": "PCD", "夕食後": "PCV"}
    for code, text in pairs:
        made, found = dosage(code, text)
        repeat = made["timing"]["repeat"]
        assert found == (), (code, text)
        assert f"{repeat['frequency']}回" in text.translate(str.maketrans("１２３", "123"))
        for words, event in marks.items():
            if words in text:
                assert event in repeat["when"]
        if "毎食後" in text or "朝昼夕食後" in text:
            assert repeat["when"] == ["PCM", "PCD", "PCV"]
