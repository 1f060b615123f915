"""SS-MIX2 files through the record: flags, re-sends, late and deleted files, whole lists.

Each file is read as it would be uploaded from a storage's tree, staged, promoted, and looked at by
another facility.
"""

import pytest

from gateway.members import facilities
from gateway.model.batch import Batch
from gateway.model.identifiers import PatientId
from gateway.record import disclose
from gateway.standardize import Upload, read
from tests.record.house import CHARTS, CLINIC, HOSPITAL, House
from tests.standardize.build import NAMES, hl7

PID = "PID|0001||00001^^^^PI||山田^花子^^^^^L^I~ヤマダ^ハナコ^^^^^L^P||19500102|F"
ORDER, NONE = "000000000070001", "999999999999999"


def stored(kind: str, *segments: str, flag: str = "1", issued: str = "1", order: str = "") -> Batch:
    """One stored file; `issued` is the day of November on which it was."""
    day, data_type, usual = NAMES[kind]
    number = order or usual
    at = f"202611{int(issued):02d}090000000"
    name = f"00001_{day}_{data_type}_{number}_{at}_01_{flag}"
    path = f"000/01/00001/{day}/{data_type}/{name}"
    time = at[:14]
    content = hl7(kind, PID, *segments, time=time)
    return read(Upload(path=path, content=content, in_tree=False, domain=HOSPITAL))


def send(house: House, batch: Batch, facility: str = "hospital-a") -> list[str]:
    """Stage and promote; the codes of what the receipt says."""
    receipt, staged = house.upload(
        facility, *batch.items, path=batch.path.rpartition("/")[2], patient=batch.patient,
        scope=batch.scope, version=batch.version, findings=batch.findings,
        demographics=batch.demographics, format=batch.format,
    )  # fmt: skip
    assert staged.state == "standardized"
    (file,) = house.receipt(facility, receipt)["files"]
    return [finding["code"] for finding in file["findings"]]


def seen(house: House) -> set[str]:
    """What another facility sees: names of drugs, diagnoses, allergens."""
    with house.work("clinic-b") as work:
        found = disclose.view(work, house.shared).items
    resources = [one.resource for one in found]
    return {
        one.get("code", one.get("medicationCodeableConcept", {})).get("text", "")
        for one in resources
    }


@pytest.fixture
def open_house(house: House) -> House:
    house.enrol("hospital-a", "clinic-b")
    return house


def prescription(*drugs: str, control: str = "NW", order: str = ORDER) -> list[str]:
    made = []
    for place, drug in enumerate(drugs, start=1):
        made += [
            f"ORC|{control}|{order}||{order}_01_{place:03d}|||||20261101",
            f"RXE||{place}^{drug}^99D|1||TAB^錠^MR9P", "TQ1|1", "RXR|PO",
        ]  # fmt: skip
    return made


def diagnoses(*names: str) -> list[str]:
    return [f"PRB|AD|20261101|{name}^{name}^99D|{name}|||20261101" for name in names]


def allergies(*names: str) -> list[str]:
    return [f"IAM|{n}|FA|{name}^{name}^99D||||{name}" for n, name in enumerate(names, start=1)]


RX, PPR, ALLERGY = "RDE^O11", "PPR^ZD1", "ADT^A60"


def test_an_update_replaces_the_whole_order(open_house: House) -> None:
    send(open_house, stored(RX, *prescription("a", "b"), issued="1"))
    send(open_house, stored(RX, *prescription("a"), issued="2"))
    assert seen(open_house) == {"a"}


def test_history_never_touches_the_current_record(open_house: House) -> None:
    """`_2` is what an update left behind, whenever it comes."""
    send(open_house, stored(RX, *prescription("new"), issued="2"))
    assert "superseded" in send(open_house, stored(RX, *prescription("x"), flag="2", issued="3"))
    send(open_house, stored(RX, *prescription("old", "gone"), flag="2", issued="1"))
    assert seen(open_house) == {"new"}


def test_of_two_valid_files_of_one_order_the_later_issue_wins(open_house: House) -> None:
    """Seen after faulty renames; whichever comes first."""
    for issued in ("2", "1", "3"):
        send(open_house, stored(RX, *prescription(f"of {issued}"), issued=issued))
    assert seen(open_house) == {"of 3"}


def test_a_resend_with_a_new_issue_time_changes_nothing_to_see(open_house: House) -> None:
    for issued in ("1", "2", "2"):
        send(open_house, stored(RX, *prescription("a", "b"), issued=issued))
    assert seen(open_house) == {"a", "b"}


@pytest.mark.parametrize("control", ["NW", "CA"])
def test_a_deletion_ends_the_order(open_house: House, control: str) -> None:
    """Flag 0 is authoritative, whatever ORC-1 says."""
    send(open_house, stored(RX, *prescription("a", "b"), issued="1"))
    told = send(open_house, stored(RX, *prescription("a", control=control), flag="0", issued="2"))
    assert seen(open_house) == set()
    assert "delete-unknown" not in told


def test_a_deletion_without_drugs_ends_the_order(open_house: House) -> None:
    send(open_house, stored(RX, *prescription("a"), issued="1"))
    bare = [f"ORC|CA|{ORDER}||{ORDER}_01_001"]
    told = send(open_house, stored(RX, *bare, flag="0", issued="2"))
    assert seen(open_house) == set()
    assert "delete-unknown" not in told


@pytest.mark.parametrize("drugs", [["a"], []], ids=["with its drugs", "bare"])
def test_a_deletion_of_what_never_came_keeps_it_out(open_house: House, drugs: list[str]) -> None:
    """The update of two servers may come before its insert: the tombstone waits for it."""
    bare = prescription(*drugs) or [f"ORC|CA|{ORDER}||{ORDER}_01_001"]
    told = send(open_house, stored(RX, *bare, flag="0", issued="2"))
    assert "delete-unknown" in told
    send(open_house, stored(RX, *prescription("a", "b"), issued="1"))
    assert seen(open_house) == set()


@pytest.mark.parametrize("flags", ["01", "10", "101", "010"])
@pytest.mark.parametrize(
    ("kind", "write"),
    [(RX, prescription), (PPR, diagnoses), (ALLERGY, allergies)],
    ids=["OMP-01", "PPR-01", "ADT-61"],
)
def test_a_file_that_was_renamed_as_deleted(open_house: House, flags: str, kind, write) -> None:  # type: ignore[no-untyped-def]
    """A deletion renames `_1` to `_0`: the name before it may still come from elsewhere."""
    for flag in flags:
        send(open_house, stored(kind, *write("a", "b"), flag=flag, issued="2"))
    assert seen(open_house) == set()


def test_a_new_order_under_a_deleted_number_counts(open_house: House) -> None:
    send(open_house, stored(RX, *prescription("a"), flag="0", issued="2"))
    send(open_house, stored(RX, *prescription("a"), issued="3"))
    assert seen(open_house) == {"a"}


def test_a_late_older_file_brings_nothing_back(open_house: House) -> None:
    """Out of order: the newer file already lacked b, so b is ended as it comes."""
    send(open_house, stored(RX, *prescription("a"), issued="2"))
    send(open_house, stored(RX, *prescription("a", "b"), issued="1"))
    assert seen(open_house) == {"a"}


def test_three_files_in_every_order(open_house: House) -> None:
    """What is seen at the end does not depend on the order of arrival."""
    lists = {"1": ("a", "b", "c"), "2": ("a", "b"), "3": ("a", "d")}
    for turn, order in enumerate(("123", "132", "213", "231", "312", "321")):
        number = f"00000000008{turn:04d}"
        for issued in order:
            names = [f"{name}{turn}" for name in lists[issued]]
            batch = stored(RX, *prescription(*names, order=number), issued=issued, order=number)
            send(open_house, batch)
        left = {name for name in seen(open_house) if name.endswith(str(turn))}
        # The place in the RP is the item: d took the place of b.
        assert left == {f"a{turn}", f"d{turn}"}, order


def test_other_orders_are_left_alone(open_house: House) -> None:
    other = "000000000070002"
    send(open_house, stored(RX, *prescription("x", order=other), order=other, issued="1"))
    send(open_house, stored(RX, *prescription("a"), issued="1"))
    send(open_house, stored(RX, *prescription("a"), flag="0", issued="2"))
    assert seen(open_house) == {"x"}


def test_a_late_order_of_an_earlier_day_is_added(open_house: House) -> None:
    """An order registered after the day of care: another number, nothing is ended by it."""
    other = "000000000060001"
    send(open_house, stored(RX, *prescription("a"), issued="5"))
    send(open_house, stored(RX, *prescription("late", order=other), order=other, issued="1"))
    assert seen(open_house) == {"a", "late"}


@pytest.mark.parametrize(
    ("kind", "write"), [(PPR, diagnoses), (ALLERGY, allergies)], ids=["PPR-01", "ADT-61"]
)
def test_a_list_is_the_whole_list(open_house: House, kind, write) -> None:  # type: ignore[no-untyped-def]
    send(open_house, stored(kind, *write("x", "y", "z"), issued="1"))
    assert seen(open_house) == {"x", "y", "z"}
    send(open_house, stored(kind, *write("x", "z"), issued="3"))
    assert seen(open_house) == {"x", "z"}
    # A list of the day between comes late: w was never on the newer one.
    send(open_house, stored(kind, *write("x", "y", "w"), issued="2"))
    assert seen(open_house) == {"x", "z"}
    send(open_house, stored(kind, *write("y"), issued="4"))
    assert seen(open_house) == {"y"}
    send(open_house, stored(kind, issued="5"))
    assert seen(open_house) == set()
    send(open_house, stored(kind, *write("y", "v"), issued="4"))
    assert seen(open_house) == set()


@pytest.mark.parametrize(
    ("kind", "write"), [(PPR, diagnoses), (ALLERGY, allergies)], ids=["PPR-01", "ADT-61"]
)
def test_an_empty_list_that_comes_first(open_house: House, kind, write) -> None:  # type: ignore[no-untyped-def]
    told = send(open_house, stored(kind, issued="2"))
    assert "delete-unknown" not in told  # it deletes nothing: the list is empty
    send(open_house, stored(kind, *write("x"), issued="1"))
    assert seen(open_house) == set()
    send(open_house, stored(kind, *write("x"), issued="3"))
    assert seen(open_house) == {"x"}


def test_a_diagnosis_taken_back(open_house: House) -> None:
    """PRB-1 DE on the list, and the deletion of the whole file."""
    send(open_house, stored(PPR, *diagnoses("x", "y"), issued="1"))
    gone = diagnoses("x")[0].replace("|AD|", "|DE|")
    send(open_house, stored(PPR, gone, *diagnoses("y"), issued="2"))
    assert seen(open_house) == {"y"}
    send(open_house, stored(PPR, *diagnoses("y"), flag="0", issued="3"))
    assert seen(open_house) == set()


def test_an_allergy_taken_back(open_house: House) -> None:
    send(open_house, stored(ALLERGY, *allergies("x", "y"), issued="1"))
    gone = "IAM|1|FA|x^x^99D|||D|x"
    send(open_house, stored(ALLERGY, gone, *allergies("y"), issued="2"))
    assert seen(open_house) == {"y"}


def test_another_facility_deletes_nothing_of_ours(open_house: House) -> None:
    """The same chart number and order number, another facility: another chart."""
    send(open_house, stored(RX, *prescription("a"), issued="1"))
    batch = stored(RX, *prescription("a"), flag="0", issued="2")
    foreign = PatientId(CLINIC, CHARTS["clinic-b"].value)
    _, staged = open_house.upload(
        "clinic-b", *batch.items, patient=foreign, scope=batch.scope, version=batch.version
    )
    assert staged.state == "standardized"
    assert seen(open_house) == {"a"}


def test_a_deletion_under_another_facilitys_chart_is_refused(open_house: House) -> None:
    batch = stored(RX, *prescription("a"), issued="1")
    send(open_house, batch)
    gone = stored(RX, *prescription("a"), flag="0", issued="2")
    _, staged = open_house.upload(
        "clinic-b", *gone.items, patient=CHARTS["hospital-a"], scope=gone.scope,
        version=gone.version,
    )  # fmt: skip
    assert staged.state == "refused"
    assert seen(open_house) == {"a"}


def clashing() -> Batch:
    day, data_type, number = NAMES["RDE^O11"]
    name = f"00001_{day}_{data_type}_{number}_20261101090000000_01_1"
    other = PID.replace("00001^^^^PI", "00002^^^^PI")
    content = hl7("RDE^O11", other, *prescription("見本錠"), time="20261101090000")
    return read(
        Upload(path=f"000/01/00001/{day}/{data_type}/{name}", content=content, domain=HOSPITAL)
    )


def test_a_file_whose_pid_is_not_its_path_is_set_aside_until_the_path_is_trusted(open_house):
    batch = clashing()
    upload = {
        "path": batch.path.rpartition("/")[2], "patient": batch.patient, "scope": batch.scope,
        "version": batch.version, "findings": batch.findings, "format": batch.format,
    }  # fmt: skip
    receipt, staged = open_house.upload("hospital-a", *batch.items, **upload)
    assert (staged.state, staged.items) == ("set-aside", 0)
    (file,) = open_house.receipt("hospital-a", receipt)["files"]
    assert "pid-clash" in [finding["code"] for finding in file["findings"]]
    assert seen(open_house) == set()
    with open_house.work() as work:
        facilities.change(work, "hospital-a", trust_path=True, reason="looked at the storage")
    _, staged = open_house.upload("hospital-a", *batch.items, **upload)
    assert (staged.state, staged.items) == ("standardized", 1)
    assert seen(open_house) == {"見本錠"}
    with open_house.work() as work:
        facilities.change(work, "hospital-a", trust_path=False, reason="mended")
        assert not facilities.find(work, "hospital-a").trust_path
        assert [one["pid"] for one in facilities.history(work, "hospital-a") if "pid" in one] == [
            True, False,
        ]  # fmt: skip
