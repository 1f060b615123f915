"""A facility's quality sheet: counts, causes, codes, days; no value of a patient."""

import pytest

from gateway.errors import NotFound, NotPermitted
from gateway.members import facilities
from gateway.model.category import Category
from gateway.record import quality
from gateway.standardize.findings import finding
from tests.record.house import House, item


def sheet(house: House, name: str = "hospital-a", who: str = "secretariat") -> quality.Sheet:
    with house.work(who) as work:
        return quality.sheet(work, name)


def coded(key: str, code: str) -> object:
    made = item(key=key)
    system = "urn:x-regional-gateway:code:2.999.30.1:99X03"
    coding = {"system": system, "code": code, "display": "総蛋白"}
    return made._replace(resource={**made.resource, "code": {"coding": [coding]}})


def test_an_empty_one(house: House) -> None:
    found = sheet(house)
    assert (found.files, found.causes, found.unmapped, found.missing) == ({}, (), (), ())
    assert len(found.deliveries) == 31


def test_what_came_and_what_became_of_it(house: House) -> None:
    house.custody("hospital-a")
    house.enrol("hospital-a")
    with house.work() as work:
        facilities.change(work, "hospital-a", trust_path=True, reason="looked at the storage")
    house.upload(
        "hospital-a", coded("k1", "10222"), coded("k2", "10222"), coded("k3", "1"),
        version="20261118120000000",
        findings=(finding("unmapped-code", "OBX[1].3"), finding("unmapped-code", "OBX[2].3"),
                  finding("pid-clash", "PID-3")),
    )  # fmt: skip
    house.upload("hospital-a", item(Category.DIAGNOSIS, key="k4"), version="20261120")
    found = sheet(house)
    assert found.files == {"standardized": 2}
    assert found.formats == {"test": 2}
    assert found.items == {"diagnosis": (0, 1), "lab_result": (0, 3)}
    assert [(one.code, one.times, one.example) for one in found.causes] == [
        ("pid-clash", 1, "PID-3"), ("unmapped-code", 2, "OBX[1].3"),
    ]  # fmt: skip
    assert found.identity == 1
    assert [(one.system, one.code, one.times) for one in found.unmapped] == [
        ("99X03", "10222", 2), ("99X03", "1", 1),
    ]  # fmt: skip
    assert found.deliveries["2026-11-21"] == 2
    assert found.late == 1


def test_another_facilitys_data_are_not_in_it(house: House) -> None:
    house.enrol("hospital-a", "clinic-b")
    house.upload("clinic-b", item(key="k1"))
    assert sheet(house).files == {}


def test_days_without_a_delivery(house: House, clock: object) -> None:
    house.enrol("hospital-a")
    house.upload("hospital-a", item(key="k1"))
    clock.advance(days=3)  # type: ignore[attr-defined]
    house.upload("hospital-a", item(key="k2"))
    assert sheet(house).missing == ("2026-11-22", "2026-11-23")


@pytest.mark.parametrize(
    ("name", "who", "refusal"),
    [("nobody", "secretariat", NotFound), ("hospital-a", "hospital-a", NotPermitted)],
)
def test_refusals(house: House, name: str, who: str, refusal: type[Exception]) -> None:
    with pytest.raises(refusal):
        sheet(house, name, who)
