"""One fact delivered as an order and as a claim is shown once; the order goes before."""

from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.model.batch import CLAIMED, Item, SourcePosition
from gateway.model.category import Category
from gateway.model.codebook import SYSTEMS
from gateway.model.document import Availability, DocumentEntry, DocumentQuery
from gateway.record import disclose, twins
from gateway.store.record.contents import whole
from gateway.store.record.items import ItemRow
from tests.record.house import House

DRUG, YJ, DISEASE = SYSTEMS["receipt-drug"], SYSTEMS["yj"], SYSTEMS["receipt-disease"]
ORDER, CLAIM = "prescription|70001|1|1", f"{CLAIMED}2026-10|1112|aaaa|supplied|x"


def drug(
    *codes: tuple[str, str], day: str = "2026-10-05", kind: str = "MedicationRequest"
) -> dict[str, Any]:
    element = {"MedicationRequest": "authoredOn", "MedicationDispense": "whenHandedOver"}[kind]
    coding = [{"system": system, "code": code} for system, code in codes]
    return {"resourceType": kind, "id": "r", element: day,
            "medicationCodeableConcept": {"coding": coding}}  # fmt: skip


def disease(
    code: str = "4659007", text: str = "", day: str = "2026-10-01", suspected: bool = False,
    modifiers: tuple[str, ...] = (), system: str = DISEASE,
) -> dict[str, Any]:  # fmt: skip
    made: dict[str, Any] = {"resourceType": "Condition", "id": "r", "onsetDateTime": day}
    made["code"] = {"coding": [{"system": system, "code": code}], "text": text, "extension": [
        {"url": "x/JP_Condition_DiseasePrefixModifier", "valueCodeableConcept": {"text": one}}
        for one in modifiers
    ]}  # fmt: skip
    if suspected:
        made["verificationStatus"] = {}
    return made


_NUMBER = iter(range(1, 10_000))


def row(
    key: str, resource: dict[str, Any], *, facility: str = "hospital-a", value: str = "1",
    version: str = "202611", category: str = "prescription", companions: tuple[Any, ...] = (),
) -> ItemRow:  # fmt: skip
    return ItemRow(
        id=next(_NUMBER), file="f", facility=facility, source="emr", domain="2.999.30.1",
        value=value, category=category, key=key, version=version, cancelled=False,
        posted=datetime(2026, 11, 1, tzinfo=UTC), content=whole(resource, companions, {}),
    )  # fmt: skip


def left(*rows: ItemRow) -> list[str]:
    return [one.key for one in twins.shown(rows)]


def test_an_order_covers_the_claim_of_it() -> None:
    assert left(row(ORDER, drug((YJ, "A"))), row(CLAIM, drug((DRUG, "6"), (YJ, "A")))) == [ORDER]
    assert left(row(CLAIM, drug((YJ, "A"))), row(ORDER, drug((YJ, "A")))) == [ORDER]


@pytest.mark.parametrize(
    "claim",
    [
        pytest.param(row(CLAIM, drug((YJ, "B"))), id="another drug"),
        pytest.param(row(CLAIM, drug((YJ, "A"), day="2026-10-06")), id="another day"),
        pytest.param(row(CLAIM, drug((YJ, "A"), day="2026-10")), id="a day that is not known"),
        pytest.param(row(CLAIM, drug((YJ, "A")), facility="clinic-b"), id="another facility"),
        pytest.param(row(CLAIM, drug((YJ, "A")), value="2"), id="another chart"),
        pytest.param(row(CLAIM, drug((YJ, "A"), kind="MedicationDispense")), id="another kind"),
        pytest.param(row(CLAIM, drug(("http://x", "A"))), id="another system"),
        pytest.param(row(CLAIM, drug((SYSTEMS["general"], "G"), (YJ, "B"))), id="an ingredient"),
    ],
)
def test_what_an_order_does_not_cover(claim: ItemRow) -> None:
    order = row(ORDER, drug((YJ, "A"), (SYSTEMS["general"], "G")))
    assert left(order, claim) == [ORDER, CLAIM]


def test_one_order_covers_one_claimed_item() -> None:
    claims = [row(f"{CLAIM}{n}", drug((YJ, "A"))) for n in range(3)]
    assert len(left(row(ORDER, drug((YJ, "A"))), *claims)) == 3
    orders = [row(f"{ORDER}{n}", drug((YJ, "A"))) for n in range(3)]
    assert len(left(*orders, *claims)) == 3


def test_orders_of_equal_content_stay_two() -> None:
    assert len(left(row(ORDER, drug((YJ, "A"))), row(ORDER + "2", drug((YJ, "A"))))) == 2


def test_a_later_claim_of_other_payers_covers_the_older() -> None:
    later = CLAIM.replace("aaaa", "bbbb")
    both = row(CLAIM, drug((YJ, "A"))), row(later, drug((YJ, "A")), version="202701")
    assert left(*both) == [later]
    # in one month's claims they are two
    same = row(CLAIM, drug((YJ, "A"))), row(later, drug((YJ, "A")))
    assert len(left(*same)) == 2


def test_the_parts_of_a_mixture_are_covered_one_by_one() -> None:
    order = {"resourceType": "MedicationRequest", "id": "r", "authoredOn": "2026-10-05T09:00:00",
             "medicationReference": {"reference": "urn:uuid:m"}}  # fmt: skip
    mixture = {"resourceType": "Medication", "id": "m", "ingredient": [
        {"itemCodeableConcept": {"coding": [{"system": YJ, "code": one}]}} for one in "AB"
    ]}  # fmt: skip
    claims = [row(f"{CLAIM}{one}", drug((YJ, one))) for one in "ABC"]
    assert left(row(ORDER, order, companions=(mixture,)), *claims) == [ORDER, f"{CLAIM}C"]


LIST, SAID = "ssmix2/PPR-01|1", f"{CLAIMED}diagnosis|y"


def pair(first: dict[str, Any], second: dict[str, Any]) -> list[str]:
    return left(row(LIST, first, category="diagnosis"), row(SAID, second, category="diagnosis"))


@pytest.mark.parametrize(
    ("ordered", "claimed"),
    [
        pytest.param(disease(), disease(), id="code"),
        pytest.param(disease("X", "架空炎の疑い", system="urn:x", suspected=True),
                     disease(text="架空炎の疑い", modifiers=("の疑い",)), id="name, suspected"),
        pytest.param(disease(modifiers=("左",)), disease(modifiers=("左",)), id="modifier"),
    ],
)  # fmt: skip
def test_a_diagnosis_of_the_list_covers_the_claimed_one(ordered: Any, claimed: Any) -> None:
    assert pair(ordered, claimed) == [LIST]


@pytest.mark.parametrize(
    ("ordered", "claimed"),
    [
        pytest.param(disease(), disease(suspected=True), id="suspected"),
        pytest.param(disease(), disease(day="2026-10-02"), id="another onset"),
        pytest.param(disease(modifiers=("左",)), disease(modifiers=("右",)), id="side"),
        pytest.param(disease(), disease(modifiers=("右",)), id="only one has a modifier"),
        pytest.param(disease("0000999", "甲"), disease("0000999", "乙"), id="uncoded"),
        pytest.param(disease("0000999"), disease("0000999"), id="uncoded without names"),
    ],
)  # fmt: skip
def test_what_is_another_diagnosis(ordered: Any, claimed: Any) -> None:
    assert pair(ordered, claimed) == [LIST, SAID]


def item(key: str, *, cancelled: bool = False, version: str = "1") -> Item:
    resource = {**drug((YJ, "A")), "id": f"{key}-{version}", "status": "completed"}
    return Item(category=Category.PRESCRIPTION, resource=resource, key=key, version=version,
                source=SourcePosition(file="f", at="x"), cancelled=cancelled)  # fmt: skip


def documents(house: House, **query: Any) -> tuple[DocumentEntry, ...]:
    with house.work("neighbour-n") as work:
        return disclose.find_documents(work, DocumentQuery(patient=house.shared, **query))


def viewed(house: House) -> list[str]:
    with house.work("hospital-a") as work:
        return [str(one.resource["id"]) for one in disclose.view(work, house.shared).items]


def test_through_the_record(house: House) -> None:
    """The claim first, the order after it, the order gone: each time one of them is shown."""
    house.enrol("hospital-a")
    house.upload("hospital-a", item(CLAIM))
    (first,) = documents(house)
    assert viewed(house) == [f"{CLAIM}-1"]
    house.upload("hospital-a", item(ORDER))
    (second,) = documents(house)
    assert second.entry_uuid != first.entry_uuid
    assert viewed(house) == [f"{ORDER}-1"]
    house.upload("hospital-a", item(ORDER, cancelled=True, version="2"))
    (third,) = documents(house)
    assert third.entry_uuid not in (first.entry_uuid, second.entry_uuid)
    assert viewed(house) == [f"{CLAIM}-1"]
    every = documents(house, statuses=frozenset(Availability))
    assert len(every) == 3


def test_the_order_first(house: House) -> None:
    house.enrol("hospital-a")
    house.upload("hospital-a", item(ORDER))
    house.upload("hospital-a", item(CLAIM))
    assert len(documents(house)) == 1
    assert viewed(house) == [f"{ORDER}-1"]
