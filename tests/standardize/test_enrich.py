"""What loaded masters and a facility's map add to resources, and that nothing is replaced."""

import pytest

from gateway import standardize
from gateway.model.codebook import JLAC10, NO_CODES, SYSTEMS, Code, CodeBook, Master, line
from gateway.standardize import Upload, codes, enrich
from gateway.standardize.version import mapping_version
from tests.standardize import build

HOT = "100000101"
YJ = "9999999A1010"


def master(kind: str, *entries: tuple, version: str = "2026-10", name: str = "") -> Master:
    lines = sorted(line(*entry) for entry in entries)
    return Master(kind=kind, name=name or kind, version=version, text="".join(lines).encode())


def entry(code: str, name: str, *related: Code, start: str = "", end: str = "") -> tuple:
    return (code, name, start, end, related)


DRUGS = master(
    "hot",
    entry(HOT + "0101", "見本錠５ｍｇ", Code("yj", YJ), Code("receipt-drug", "699999901")),
    entry(HOT + "0102", "見本錠５ｍｇ", Code("yj", YJ), Code("receipt-drug", "699999902")),
    entry("1000001020101", "見本錠１０ｍｇ", Code("yj", "9999999A1028")),
    entry("yj:" + YJ, "見本錠５ｍｇ"),
)
ITEMS = master(
    "jlac10",
    entry("3A990000002399901", "見本蛋白"),
    entry("3A991000002327101", "見本定量"),
    entry("3A991000002327102", "見本定量"),
    entry("3A992000002327101", "見本甲"),
    entry("3A992000002399802", "見本乙"),
)
LOINC = master("loinc", entry("3A991000002327101", "", Code("loinc", "99999-9", "Sample")))
MAP = master("map", entry("99LAB\x1fTP", "総蛋白", Code("jlac10", "3A990000002399901")))


def test_a_name_and_related_codes_come_after_what_the_source_says() -> None:
    book = CodeBook([DRUGS])
    added = enrich.Added()
    source = {"coding": [{"system": SYSTEMS["hot9"], "code": HOT}], "text": "ミホン５"}
    made = enrich.concept(source, book, "", added)
    assert made == {
        "coding": [
            {"system": SYSTEMS["hot9"], "code": HOT, "display": "見本錠５ｍｇ"},
            {"system": SYSTEMS["yj"], "code": YJ, "display": "見本錠５ｍｇ"},
        ],
        "text": "ミホン５",
    }
    assert source["coding"] == [{"system": SYSTEMS["hot9"], "code": HOT}], "shared parts stay"
    assert added.masters == {DRUGS.label}


def test_what_packages_do_not_agree_on_is_not_added() -> None:
    book = CodeBook([DRUGS])
    assert book.display(SYSTEMS["hot7"], HOT[:7]) == ""
    assert book.related(SYSTEMS["hot7"], HOT[:7]) == ()
    assert book.display(SYSTEMS["hot13"], HOT + "0102") == "見本錠５ｍｇ"
    assert [one.code for one in book.related(SYSTEMS["hot13"], HOT + "0102")] == [YJ, "699999902"]


@pytest.mark.parametrize(
    ("code", "name", "digits"),
    [
        ("3A990000002399901", "見本蛋白", 0),
        ("3A991000002327199", "見本定量", 15),
        ("3A991000002399999", "見本定量", 12),
        ("3A992000002300000", "", None),
        ("3A999000002327101", "", None),
        ("3A99", "", None),
        ("", "", None),
    ],
)
def test_a_jlac10_code_is_found_with_fewer_digits_where_they_agree(
    code: str, name: str, digits: int | None
) -> None:
    found = CodeBook([ITEMS]).entries(JLAC10, code)
    assert [(one.name, one.digits) for one in found] == ([] if digits is None else [(name, digits)])


def test_an_older_version_names_what_the_newer_one_dropped() -> None:
    newer = master("jlac10", entry("3A990000002399901", "新しい名"), version="2026-11")
    book = CodeBook([newer, ITEMS])
    assert book.display(JLAC10, "3A990000002399901") == "新しい名"
    assert book.display(JLAC10, "3A991000002327101") == "見本定量"
    assert book.version != CodeBook([ITEMS, newer]).version != CodeBook([ITEMS]).version


def result(code: str, book: CodeBook, value: str = "7.10") -> tuple:
    """Codings, findings and masters of the one result of a laboratory message."""
    name = "0012345_20261104_OML-11_000000000080001_20261104090000000_01_1"
    content = build.hl7(
        "OUL^R22", build.PID, "SPM|1|||023", "OBR|1|000000000080001||E001|||20261104",
        "ORC|SC|000000000080001", f"OBX|1|NM|{code}||{value}|g/dL|||||F",
    )  # fmt: skip
    upload = Upload(
        path=f"001/234/0012345/20261104/OML-11/{name}", content=content, in_tree=True,
        domain=build.DOMAIN, codes=book,
    )  # fmt: skip
    batch = standardize.read(upload)
    made = build.only(batch, "Observation")
    return made["code"]["coding"], set(build.findings(batch)), batch


def test_without_masters_nothing_changes_and_the_mapping_is_named_as_before() -> None:
    assert not NO_CODES
    assert mapping_version("") == mapping_version()
    assert mapping_version("abc").endswith(".codes.abc")


def test_a_code_of_the_map_becomes_standard_beside_it_and_is_no_finding() -> None:
    before, found, batch = result("TP^総蛋白^99LAB", NO_CODES)
    local = codes.local_system(build.DOMAIN, "99LAB")
    assert before == [{"system": local, "code": "TP", "display": "総蛋白"}]
    assert "unmapped-code OBX[1].3" in found
    assert batch.tables == ()
    book = CodeBook([MAP, ITEMS])
    after, found, mapped = result("TP^総蛋白^99LAB", book)
    standard = {"system": JLAC10, "code": "3A990000002399901", "display": "見本蛋白"}
    assert after == [*before, standard]
    assert "unmapped-code OBX[1].3" not in found
    assert mapped.tables == tuple(sorted((MAP.label, ITEMS.label)))
    assert mapped.mapping == f"{batch.mapping}.codes.{book.version}"
    key = {one.resource["id"]: one.key for one in batch.items}
    assert {one.resource["id"]: one.key for one in mapped.items} == key, "keys do not move"


def test_a_map_can_say_that_a_code_has_no_standard_one() -> None:
    none = master("map", entry("99LAB\x1fTP", "総蛋白"), version="2026-11")
    after, found, _ = result("TP^総蛋白^99LAB", CodeBook([none, MAP, ITEMS]))
    assert len(after) == 1
    assert "unmapped-code OBX[1].3" in found


@pytest.mark.parametrize(
    ("code", "added", "marked"),
    [
        ("3A991000002327101", ["99999-9"], False),
        ("3A991000002327199", ["99999-9"], True),
        ("3A9900000023999", ["3A990000002399901"], True),
        ("3A9910000023271", [], False),
        ("3A9900000023", [], False),
    ],
    ids=["all digits", "15 of 17", "cut to 15, one item", "cut to 15, two items", "cut to 12"],
)
def test_laboratory_codes_get_loinc_and_whole_codes_where_the_masters_say_one(
    code: str, added: list[str], *, marked: bool
) -> None:
    codings, found, _ = result(f"{code}^項目^JC10", CodeBook([ITEMS, LOINC]))
    assert [one["code"] for one in codings] == [code, *added]
    assert ("code-by-fewer-digits OBX[1]" in found) == marked


@pytest.mark.parametrize(("end", "noted"), [("20261103", True), ("20261104", False), ("", False)])
def test_a_code_that_ended_before_the_item_is_noted_and_kept(end: str, *, noted: bool) -> None:
    ended = master("jlac10", entry("3A990000002399901", "見本蛋白", end=end))
    codings, found, _ = result("3A990000002399901^TP^JC10", CodeBook([ended]))
    assert [one["code"] for one in codings] == ["3A990000002399901"]
    assert ("code-ended OBX[1]" in found) == noted


def test_jlac10_follows_from_jlac11() -> None:
    items = master(
        "jlac11", entry("0A990000000230101", "見本", Code("jlac10", "3A990000002399901"))
    )
    codings, found, _ = result("0A990000000230101^TP^JC11", CodeBook([items, ITEMS]))
    assert codings[1] == {"system": JLAC10, "code": "3A990000002399901", "display": "見本蛋白"}
    assert "unmapped-code OBX[1].3" not in found


def test_books_of_two_facilities_do_not_mix() -> None:
    book = CodeBook([MAP, ITEMS])
    first, _, _ = result("TP^総蛋白^99LAB", book)
    second, _, _ = result("TP^総蛋白^99LAB", NO_CODES)
    assert (len(first), len(second)) == (2, 1)


@pytest.mark.parametrize(
    ("al1", "system"),
    [
        ("J9FA15000000^^JFAGY", "JP_JfagyFoodAllergen_CS"),
        ("J9FA15000000^小麦^99X", "JP_JfagyFoodAllergen_CS"),
        ("J9FZ99999999^^JFAGY", ""),
        ("J9MA00000000^^JFAGY", ""),
    ],
)
def test_allergens_of_the_published_table_are_standard_whatever_the_table_is_called(
    al1: str, system: str
) -> None:
    batch = build.stored("ADT^A60", build.PID, f"IAM|1|FA|{al1}|MO||A|1")
    coding = build.only(batch, "AllergyIntolerance")["code"]["coding"][0]
    assert coding["system"].endswith(system or ":JFAGY")
    assert coding.get("display", "") == ("小麦" if system else "")
    assert ("unmapped-code IAM[1].3" in build.findings(batch)) == (not system)


def test_a_notebook_text_may_carry_an_allergens_code() -> None:
    assert codes.allergens_in("小麦 J9FA15000000")[0]["display"] == "小麦"
    assert codes.allergens_in("小麦") == ()
    assert codes.allergens_in("J9FA15000000 J9FA11000000") == ()
    assert codes.allergens_in("XJ9FA15000000") == ()


def test_masters_are_found_by_the_first_and_the_last_of_their_keys() -> None:
    many = master("icd10", *(entry(f"A{number:03}", f"病名{number}") for number in range(500)))
    book = CodeBook([many])
    for number in (0, 1, 250, 499):
        assert book.display(SYSTEMS["icd10"], f"A{number:03}") == f"病名{number}"
    assert book.display(SYSTEMS["icd10"], "A500") == book.display(SYSTEMS["icd10"], "9") == ""
    assert len(many) == 500
