"""The only way out: what each caller is told, and that nothing tells what is hidden."""

from dataclasses import replace
from datetime import date

import pytest

from gateway.consent import ledger
from gateway.errors import UnknownDomain, UnknownPatient
from gateway.identity import crossref
from gateway.model.audit import Outcome
from gateway.model.category import Category, ExclusionGroup
from gateway.model.document import DocumentEntry, DocumentQuery
from gateway.model.identifiers import Oid, PatientId
from gateway.model.person import Demographics, Gender, PersonName, Script
from gateway.record import disclose
from tests.record.house import (
    CHARTS,
    CLINIC,
    HANAKO,
    HOSPITAL,
    PHARMACY,
    SHARED,
    House,
    item,
)

LAB, RX, CARE = Category.LAB_RESULT, Category.PRESCRIPTION, Category.CARE
EVERYBODY = ("hospital-a", "clinic-b", "pharmacy-c")


def identifiers(house: House, who: str, patient: PatientId, *wanted: Oid) -> tuple[PatientId, ...]:
    with house.work(who, reading=True) as work:
        return disclose.identifiers(work, patient, wanted)


def found(house: House, who: str = "neighbour-n", **query: object) -> tuple[DocumentEntry, ...]:
    with house.work(who, reading=True) as work:
        asked = DocumentQuery(**{"patient": house.shared, **query})  # type: ignore[arg-type]
        return disclose.find_documents(work, asked)


def categories(house: House, who: str = "neighbour-n") -> set[str]:
    return {entry.category.value for entry in found(house, who)}


def fill(house: House) -> None:
    """One consented patient with data of two categories from two facilities."""
    house.enrol(*EVERYBODY)
    house.upload("hospital-a", item(LAB, "h1"), item(RX, "h2"))
    house.upload("pharmacy-c", item(Category.DISPENSING, "p1"))


def exclude(house: House, **what: object) -> None:
    person = house.person()
    with house.work() as work:
        ledger.exclude(work, person, **what)  # type: ignore[arg-type]


# --- identifiers (ITI-45)


def test_a_consented_persons_other_identifiers_are_told(house: House) -> None:
    house.enrol(*EVERYBODY)
    asked = CHARTS["hospital-a"]
    others = (house.shared, CHARTS["clinic-b"], CHARTS["pharmacy-c"])
    assert identifiers(house, "hospital-a", asked) == others
    assert identifiers(house, "hospital-a", asked, CLINIC, SHARED) == others[:2]
    assert identifiers(house, "hospital-a", asked, HOSPITAL) == ()
    assert identifiers(house, "clinic-b", house.shared) == tuple(CHARTS.values())


def test_before_consent_the_owner_hears_nothing_found_and_others_hear_unknown(
    house: House,
) -> None:
    house.feed(*EVERYBODY)
    assert identifiers(house, "hospital-a", CHARTS["hospital-a"]) == ()
    with pytest.raises(UnknownPatient) as denied:
        identifiers(house, "clinic-b", CHARTS["hospital-a"])
    with pytest.raises(UnknownPatient) as absent:
        identifiers(house, "clinic-b", PatientId(HOSPITAL, "99999"))
    assert (denied.value.english, denied.value.at) == (absent.value.english, absent.value.at)


def test_a_facility_without_a_chart_of_the_person_hears_unknown(house: House) -> None:
    house.enrol("hospital-a", "clinic-b")
    house.feed("pharmacy-c")
    for patient in (house.shared, CHARTS["hospital-a"]):
        with pytest.raises(UnknownPatient):
            identifiers(house, "pharmacy-c", patient)


def test_a_neighbour_hears_no_chart_ids(house: House) -> None:
    house.enrol("hospital-a")
    for patient in (house.shared, CHARTS["hospital-a"]):
        with pytest.raises(UnknownPatient):
            identifiers(house, "neighbour-n", patient)


def test_undeclared_domains_are_named_by_their_positions(house: House) -> None:
    house.enrol("hospital-a")
    with pytest.raises(UnknownDomain) as caught:
        identifiers(
            house, "hospital-a", CHARTS["hospital-a"], Oid("2.999.7"), CLINIC, Oid("2.999.8")
        )
    assert caught.value.positions == (1, 3)


def test_an_excluded_type_of_facility_hears_nothing_found(house: House) -> None:
    house.enrol(*EVERYBODY)
    exclude(house, groups=[ExclusionGroup.PHARMACY])
    assert identifiers(house, "pharmacy-c", CHARTS["pharmacy-c"]) == ()
    assert len(identifiers(house, "clinic-b", CHARTS["clinic-b"])) == 3


def test_a_denial_is_on_record_with_its_rule(house: House) -> None:
    house.feed("hospital-a")
    with pytest.raises(UnknownPatient), house.work("clinic-b", reading=True) as work:
        disclose.identifiers(work, CHARTS["hospital-a"], ())
    assert (work.trail.rule, work.trail.code) == ("CON-01", "CONSENT-DENY")
    assert work.trail.outcome is Outcome.SERIOUS


# --- discovery (ITI-55)


def discover(
    house: House, demographics: Demographics, *ids: PatientId, who: str = "neighbour-n"
) -> list[PatientId]:
    with house.work(who, reading=True) as work:
        return [one.patient for one in disclose.discover(work, demographics, ids)]


def test_an_exact_match_is_told_with_the_shared_id_alone(house: House) -> None:
    house.enrol(*EVERYBODY)
    kana = Demographics(names=(PersonName("ヤマダ", "ハナコ", Script.KANA),), birth=HANAKO.birth)
    for asked in (HANAKO, kana):
        assert discover(house, asked) == [house.shared]
    with house.work("neighbour-n", reading=True) as work:
        (one,) = disclose.discover(work, HANAKO, ())
    assert one.other_ids == ()
    assert one.demographics.name(Script.KANJI) == PersonName("山田", "花子")


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"birth": date(1950, 1, 3)}, id="another birth date"),
        pytest.param({"birth": None}, id="no birth date"),
        pytest.param({"names": ()}, id="no name"),
        pytest.param({"names": (PersonName("山田", "華子"),)}, id="another given name"),
        pytest.param({"names": (PersonName("山田", "%"),)}, id="a wildcard"),
        pytest.param({"gender": Gender.MALE}, id="another gender"),
    ],
)
def test_who_does_not_match_exactly_is_not_told(house: House, change: dict[str, object]) -> None:
    house.enrol("hospital-a")
    assert discover(house, replace(HANAKO, **change)) == []  # type: ignore[arg-type]


def test_a_person_without_consent_is_no_match(house: House) -> None:
    house.feed(*EVERYBODY)
    assert discover(house, HANAKO) == []


def test_shared_ids_must_match_and_chart_ids_find_nobody(house: House) -> None:
    house.enrol("hospital-a")
    silent = Demographics()
    assert discover(house, silent, house.shared) == [house.shared]
    assert discover(house, HANAKO, house.shared) == [house.shared]
    assert discover(house, HANAKO, PatientId(Oid("2.999.77"), "their-own")) == [house.shared]
    assert discover(house, silent, CHARTS["hospital-a"]) == []
    assert discover(house, HANAKO, PatientId(SHARED, "1" * 16)) == []
    other = replace(HANAKO, birth=date(1951, 1, 2))
    assert discover(house, other, house.shared) == []


def test_two_who_match_are_both_found(house: House) -> None:
    first = house.enrol("hospital-a")
    second = house.enrol()
    assert set(discover(house, HANAKO)) == {first, second}


# --- the view


def test_a_user_sees_what_the_matrix_gives(house: House) -> None:
    fill(house)
    with house.work("clinic-b", role="doctor") as work:
        seen = disclose.view(work, house.shared)
    assert [one.category.value for one in seen.items] == [
        "lab_result", "prescription", "dispensing"
    ]  # fmt: skip
    first = seen.items[0]
    assert (first.facility, first.source_system, first.reference_copy) == (
        "hospital-a", "emr", True
    )  # fmt: skip
    assert first.source["at"] == "OBX[1]"
    assert len(seen.documents) == 3


@pytest.mark.parametrize(
    ("who", "changes"),
    [
        pytest.param("clinic-b", {"role": "clerk"}, id="a clerk"),
        pytest.param("clinic-b", {"role": "wizard"}, id="an unknown position"),
        pytest.param("clinic-b", {"purpose": "MARKETING"}, id="another purpose"),
        pytest.param("clinic-b", {"network": "tkm"}, id="another network"),
        pytest.param("lab-d", {}, id="a laboratory"),
        pytest.param("secretariat", {}, id="the secretariat"),
    ],
)
def test_who_may_not_see_sees_nothing(house: House, who: str, changes: dict[str, str]) -> None:
    fill(house)
    with house.work(who, **changes) as work:
        assert disclose.view(work, house.shared) == disclose.Viewed()
        assert work.trail.outcome is Outcome.SERIOUS


def test_pharmacies_keep_their_own_chart_ids_apart(house: House) -> None:
    house.enrol("hospital-a")
    with house.work("pharmacy-c") as work:
        crossref.register(work, PatientId(PHARMACY, "00001"), HANAKO)
    assert identifiers(house, "pharmacy-c", PatientId(PHARMACY, "00001")) == ()
