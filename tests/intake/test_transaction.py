"""STG-04: one made-up tree, as a standardized storage and as a transaction file, is one record."""

from dataclasses import dataclass
from io import BytesIO

from gateway.intake.uploads import Intake
from gateway.model.category import Source
from gateway.record import removal
from gateway.store.blobs import Blobs
from tests.record.house import CHARTS, House
from tests.standardize.build import hl7

CHART = CHARTS["hospital-a"].value
PID = f"PID|1||{CHART}^^^^PI||架空^花子^^^^^L^I||19621103|F"
FIRST, SECOND, THIRD = "20261102103000123", "20261102110000000", "20261103090000000"


def rx(order: str, drug: str, control: str = "NW") -> bytes:
    return hl7(
        "RDE^O11", PID, "PV1|1|O", f"ORC|{control}|{order}||{order}_01_001|||||20261102103000",
        "TQ1|||1013044400000000&x&JAMISDP01|||5^D|20261102",
        f"RXE||{drug}^x^HOT9|1||TAB^T^MR9P|||||15|TAB^T^MR9P", "RXR|PO^PO^HL70162",
    )  # fmt: skip


# order, moment, INS or DEL, message, condition flag that the file has in the end
EVENTS = (
    ("000000000070001", FIRST, "INS", rx("000000000070001", "103835401"), "2"),
    ("000000000070002", FIRST, "INS", rx("000000000070002", "103835402"), "0"),
    ("000000000070003", FIRST, "INS", rx("000000000070003", "103835403"), "1"),
    ("000000000070001", SECOND, "INS", rx("000000000070001", "103835409"), "1"),
    ("000000000070002", THIRD, "DEL", rx("000000000070002", "103835402", "CA"), "0"),
)


@dataclass
class Sent:
    """A file on its way in."""

    content: bytes
    blobs: Blobs
    path: str
    in_tree: bool

    def reader(self) -> BytesIO:
        return BytesIO(self.content)

    def commit(self) -> object:
        return self.blobs.put_bytes(self.content)


def tree(blobs: Blobs) -> list[Sent]:
    folder = f"{CHART[:3]}/{CHART[3:6]}/{CHART}/20261102/OMP-01"
    return [
        Sent(message, blobs, f"{folder}/{CHART}_20261102_OMP-01_{order}_{moment}_01_{flag}", True)
        for order, moment, _, message, flag in EVENTS
    ]


def transactions(blobs: Blobs) -> list[Sent]:
    content = b"".join(
        f"#SSMIX,2.00,1310000001,{CHART},20261102,OMP-01,{order},{kind},01,{moment}\r\n".encode()
        + message
        for order, moment, kind, message, _ in EVENTS
    )
    return [Sent(content, blobs, "2026/TR_20261102103000123_00001.DAT", True)]


def deliver(house: House, intake: Intake, files: list[Sent]) -> None:
    intake.receive(house.caller("hospital-a"), files, facility="hospital-a", source=Source.EMR)  # type: ignore[arg-type]
    while intake.process_waiting(lambda: house.caller("secretariat"), lambda: False):
        pass


def record(house: House) -> dict[str, tuple[str, bool, str]]:
    """The newest version of each item: what the shared record shows."""
    with house.work(reading=True) as work:
        rows = work.db.exec_driver_sql(
            "SELECT key, version, cancelled, content FROM staged_item ORDER BY version, id"
        ).all()
    found = {}
    for key, version, cancelled, content in rows:
        drug = content.partition('"medicationCodeableConcept"')[2][:200]
        found[key] = (version, bool(cancelled), drug)
    return found


def test_both_deliveries_are_one_record(house: House, intake: Intake) -> None:
    house.custody("hospital-a")
    deliver(house, intake, tree(intake.blobs))
    by_tree = record(house)
    assert len(by_tree) == 3
    deliver(house, intake, transactions(intake.blobs))
    assert record(house) == by_tree


def test_and_the_other_way_round(house: House, intake: Intake) -> None:
    house.custody("hospital-a")
    deliver(house, intake, transactions(intake.blobs))
    by_transaction = record(house)
    deliver(house, intake, tree(intake.blobs))
    assert record(house) == by_transaction
    states = {key.split("|")[1]: state[1] for key, state in by_transaction.items()}
    assert states == {
        "000000000070001": False, "000000000070002": True, "000000000070003": False,
    }  # fmt: skip
    assert "103835409" in next(
        drug for key, (_, _, drug) in by_transaction.items() if "070001" in key
    )


def test_an_index_leaves_nothing_but_its_receipt(house: House, intake: Intake) -> None:
    """It names people whom no erasure of one of them would reach (WDR-01)."""
    index = (
        "VolumeLabel,FacilityID,PatientID,OrderDate,DataKind,OrderNo,ProcessingType\r\n"
        f"STD01,1310000001,{CHART},-,ADT-00,1,INS\r\n"
    ).encode()
    digest = intake.blobs.put_bytes(index).sha256
    for path in ("SSMIXIDX.csv", "other/SSMIXIDX.csv"):
        found = intake.receive(
            house.caller("hospital-a"), [Sent(index, intake.blobs, path, in_tree=True)],
            facility="hospital-a", source=Source.EMR,
        )  # fmt: skip
        while intake.process_waiting(lambda: house.caller("hospital-a"), lambda: False):
            pass
        (file,) = house.receipt("hospital-a", str(found["receipt"]))["files"]
        assert file["state"] == "standardized"
        assert file["sha256"] == digest  # what was received
        assert [one["code"] for one in file["findings"]] == ["index-not-kept"]
        with house.work() as work:
            removal.sweep(work)
        assert not any(CHART.encode() in intake.blobs.read(one) for one in intake.blobs.each())
