"""ADT-01 to ADT-52: what each event of a stay becomes."""

import pytest

from gateway.model.category import Category
from tests.standardize.build import PID, findings, only, stored


def segment(name, **fields):
    values = {int(key[1:]): value for key, value in fields.items()}
    return f"{name}|" + "|".join(values.get(i, "") for i in range(1, max(values) + 1))


def pv1(**fields):
    return segment(
        "PV1", **{"f2": "I", "f3": "32^302^1^^^N", "f7": "D1^医師^一郎^^^^^^^L^^^^^I", **fields}
    )


def evn(moment=""):
    return f"EVN||20261101210000||||{moment}"


def event(kind, *segments, **options):
    batch = stored(kind, *segments, **options)
    return only(batch, "Encounter"), batch


@pytest.mark.parametrize(
    ("kind", "segments", "status", "period", "place"),
    [
        pytest.param("ADT^A54", [pv1(f10="01")], "in-progress", None, ("active", None),
                     id="ADT-01 the doctor in charge"),
        pytest.param("ADT^A04", [pv1(f2="O", f3="01^^^^^C", f10="01", f44="202611010905")],
                     "arrived", {"start": "2026-11-01T09:05:00+09:00"}, ("active", None),
                     id="ADT-12 reception"),
        pytest.param("ADT^A14", [pv1(), segment("PV2", f8="20261110", f9="20261120")], "planned",
                     {"start": "2026-11-10", "end": "2026-11-20"},
                     ("planned", {"start": "2026-11-10"}), id="ADT-21 admission planned"),
        pytest.param("ADT^A01", [pv1(f44="202611011600")], "arrived",
                     {"start": "2026-11-01T16:00:00+09:00"},
                     ("active", {"start": "2026-11-01T16:00:00+09:00"}), id="ADT-22 admission"),
        pytest.param("ADT^A21", [pv1(), segment("PV2", f47="20261103")], "onleave",
                     {"start": "2026-11-01"},
                     ("active", {"start": "2026-11-01", "end": "2026-11-03"}), id="ADT-31 leave"),
        pytest.param("ADT^A22", [pv1()], "in-progress", None,
                     ("active", {"start": "2026-11-01"}), id="ADT-32 return"),
        pytest.param("ADT^A15", [pv1(), segment("PV2", f1="41^^^^^N", f8="20261105")],
                     "in-progress", None, ("planned", {"start": "2026-11-05"}),
                     id="ADT-41 transfer planned"),
        pytest.param("ADT^A02", [pv1(f6="31^301^2^^^N")], "in-progress", None,
                     ("active", {"start": "2026-11-01"}), id="ADT-42 transfer"),
        pytest.param("ADT^A16", [pv1(), segment("PV2", f9="20261109")], "in-progress", None,
                     ("planned", {"end": "2026-11-09"}), id="ADT-51 discharge planned"),
        pytest.param("ADT^A03", [pv1(f36="01", f44="20261020", f45="202611011000")], "finished",
                     {"start": "2026-10-20", "end": "2026-11-01T10:00:00+09:00"},
                     ("completed", {"end": "2026-11-01T10:00:00+09:00"}), id="ADT-52 discharge"),
    ],
)  # fmt: skip
def test_each_event(kind, segments, status, period, place):
    made, batch = event(kind, evn("20261101"), PID, *segments)
    assert made["status"] == status
    assert made.get("period") == period
    first = made["location"][0]
    assert (first["status"], first.get("period")) == place
    assert made["participant"][0]["type"][0]["coding"][0]["code"] == "ATND"
    assert batch.items[0].category is Category.VISIT_HISTORY
    assert not batch.items[0].cancelled
    assert {one["resourceType"] for one in batch.items[0].companions} == {
        "Practitioner",
        "Location",
    }
    assert "not-yet-mapped" not in batch.account.values()


def test_a_transfer_names_the_place_before():
    made, _ = event("ADT^A02", evn("202611012000"), PID, pv1(f6="31^301^2^^^N"))
    before = made["location"][1]
    assert before["location"]["display"] == "31-301-2"
    assert before["status"] == "completed"
    assert before["period"] == {"end": "2026-11-01T20:00:00+09:00"}


def test_a_discharge_says_how():
    made, _ = event("ADT^A03", evn(), PID, pv1(f36="01", f45="20261101"))
    disposition = made["hospitalization"]["dischargeDisposition"]["coding"][0]
    assert disposition == {"system": "http://terminology.hl7.org/CodeSystem/v2-0112", "code": "01"}


def test_a_department_is_of_the_table_or_the_facilitys_own():
    made, _ = event("ADT^A01", evn(), PID, pv1(f10="01", f44="20261101"))
    known = made["serviceType"]["coding"][0]
    assert known["system"] == "http://jami.jp/SS-MIX2/CodeSystem/ClinicalDepartment"
    assert known["display"] == "内科"
    made, _ = event("ADT^A01", evn(), PID, pv1(f10="ZZ9", f44="20261101"))
    assert made["serviceType"]["coding"][0]["system"].startswith("urn:x-regional-gateway:code:")


@pytest.mark.parametrize(
    ("done", "undone", "segments", "status"),
    [
        pytest.param("ADT^A14", "ADT^A27", [pv1(), segment("PV2", f8="20261110")], "cancelled",
                     id="a plan that was taken back was cancelled"),
        pytest.param("ADT^A01", "ADT^A11", [pv1(f44="202611011600")], "entered-in-error",
                     id="an admission that was taken back never was"),
        pytest.param("ADT^A02", "ADT^A12", [pv1()], "entered-in-error", id="a transfer"),
        pytest.param("ADT^A21", "ADT^A52", [pv1()], "entered-in-error", id="a leave"),
        pytest.param("ADT^A15", "ADT^A26", [pv1(), segment("PV2", f8="20261105")], "cancelled",
                     id="a transfer planned"),
        pytest.param("ADT^A16", "ADT^A25", [pv1(), segment("PV2", f9="20261105")], "cancelled",
                     id="a discharge planned"),
        pytest.param("ADT^A03", "ADT^A13", [pv1(f45="20261101")], "entered-in-error",
                     id="a discharge"),
        pytest.param("ADT^A54", "ADT^A55", [pv1()], "entered-in-error", id="the doctor"),
    ],
)  # fmt: skip
def test_a_cancellation_takes_back_its_event(done, undone, segments, status):
    first = stored(done, evn("20261101"), PID, *segments).items[0]
    second = stored(undone, evn("20261101"), PID, *segments, issued="20261102").items[0]
    assert second.key == first.key
    assert second.resource["id"] == first.resource["id"]
    assert second.cancelled
    assert second.resource["status"] == status
    assert second.version > first.version


def test_a_return_taken_back_is_known_by_its_planned_time():
    """PV2-47 gives the day of care of A53 (SS-MIX2 1.2)."""
    first = stored("ADT^A22", evn("20261103"), PID, pv1()).items[0]
    back = stored("ADT^A53", evn("20261104"), PID, pv1(), segment("PV2", f47="20261103")).items[0]
    assert back.key == first.key


def test_a_reception_taken_back_by_a11():
    visit = pv1(f2="O", f3="", f10="01", f44="202611010905")
    first = stored("ADT^A04", evn(), PID, visit).items[0]
    back = stored("ADT^A11", evn(), PID, visit, data_type="ADT-12").items[0]
    assert back.key == first.key
    assert back.cancelled


def test_two_transfers_of_one_day_stay_two():
    one = stored("ADT^A02", evn("202611010900"), PID, pv1()).items[0]
    two = stored("ADT^A02", evn("202611011800"), PID, pv1()).items[0]
    assert one.key != two.key


def test_two_departments_of_one_morning_stay_two():
    times = {"f2": "O", "f44": "202611010900"}
    keys = {
        stored("ADT^A04", evn(), PID, pv1(f10=code, **times)).items[0].key for code in ("01", "19")
    }
    assert len(keys) == 2


@pytest.mark.parametrize(
    ("segments", "finding"),
    [
        pytest.param([evn("20261101"), PID], "segment-order PV1[1]", id="no PV1"),
        pytest.param([evn("20261101"), PID, pv1(f2="X")], "field-table PV1[1]", id="no class"),
        pytest.param([evn("20261341"), PID, pv1()], "bad-date EVN[1].6", id="no such day"),
        pytest.param(["EVN|", PID, pv1()], "value-absent EVN[1].2", id="no moment at all"),
    ],
)  # fmt: skip
def test_bad_input(segments, finding):
    assert finding in findings(stored("ADT^A02", *segments))
