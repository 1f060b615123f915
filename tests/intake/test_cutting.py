"""Files about several people: cut, worked through part by part, erased line by line."""

import threading
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import pytest

from gateway.errors import Unsupported
from gateway.intake import cutting
from gateway.intake.uploads import Intake
from gateway.model.category import Source
from gateway.record import parts, receipts, removal
from gateway.standardize.format import Upload
from gateway.store.blobs import Blobs
from gateway.store.record import queue as rows
from gateway.store.record import uploads
from gateway.store.record.uploads import FileRow
from tests.conftest import ROOT
from tests.record.house import CHARTS, House
from tests.record.test_erase import withdraw

CHART = CHARTS["hospital-a"].value
NOTHING = Upload(path="", content=b"")
FILE = f"H,2026-11\r\nP,{CHART}\r\nI,1,胃炎\r\nI,2,高血圧\r\nP,9999\r\nI,1,喘息\r\n".encode()


@dataclass
class Sent:
    """A file on its way in."""

    content: bytes
    blobs: Blobs
    path: str = "people.csv"
    in_tree: bool = False

    def reader(self) -> BytesIO:
        return BytesIO(self.content)

    def commit(self) -> object:
        return self.blobs.put_bytes(self.content)


def send(house: House, intake: Intake, content: bytes = FILE) -> str:
    found = intake.receive(
        house.caller("hospital-a"), [Sent(content, intake.blobs)],
        facility="hospital-a", source=Source.ACCOUNTING,
    )  # fmt: skip
    return str(found["receipt"])


def work_through(house: House, intake: Intake) -> int:
    rounds = 0
    while intake.process_waiting(lambda: house.caller("secretariat"), lambda: False):
        rounds += 1
    return rounds


def waiting(house: House) -> list[FileRow]:
    return house.door.snapshot(lambda db: rows.select_next(db, "hospital-a", 10), max_age=0.0)


def told(house: House, receipt: str) -> dict[str, object]:
    (file,) = house.receipt("hospital-a", receipt)["files"]
    return dict(file)


def test_a_receipt_that_says_done_tells_all_items(
    house: House, intake: Intake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is worked through while its receipt is read, between two statements."""
    house.custody("hospital-a")
    receipt = send(house, intake)
    count = uploads.count_items

    def meanwhile(*asked: Any) -> Any:
        found = count(*asked)
        worker = threading.Thread(target=work_through, args=(house, intake))
        worker.start()
        worker.join()
        return found

    with monkeypatch.context() as patched, house.work("hospital-a", reading=True) as work:
        patched.setattr(uploads, "count_items", meanwhile)
        found = receipts.receipt(work, receipt)
    assert (found["state"], found["files"][0]["items"]["staged"]) == ("received", 0)
    assert told(house, receipt)["items"] == {"staged": 3, "promoted": 0}


def test_each_person_gets_their_own_items(house: House, intake: Intake) -> None:
    house.custody("hospital-a")
    receipt = send(house, intake)
    assert work_through(house, intake) == 2
    file = told(house, receipt)
    assert file["state"] == "standardized"
    assert file["parts"] == {"standardized": 2}
    assert file["items"] == {"staged": 3, "promoted": 0}
    assert house.receipt("hospital-a", receipt)["state"] == "done"
    house.enrol("hospital-a")
    assert told(house, receipt)["items"] == {"staged": 1, "promoted": 2}


def test_positions_are_those_of_the_whole_file(house: House, intake: Intake) -> None:
    house.custody("hospital-a")
    send(house, intake)
    (file,) = waiting(house)
    whole = cutting.look(intake.blobs, file, NOTHING)
    assert isinstance(whole, cutting.Whole)
    cutting.cut(house.door, intake.blobs, house.caller("secretariat"), whole, lambda: None)
    _, second = waiting(house)
    looked = cutting.look(intake.blobs, second, NOTHING)
    assert not isinstance(looked, cutting.Whole)
    upload, _ = looked
    assert [(run.row, run.start) for run in upload.runs] == [(1, 0), (5, FILE.index(b"P,9999"))]
    assert upload.content == b"H,2026-11\r\n" + FILE[FILE.index(b"P,9999") :]


def test_a_file_refused_near_its_end_leaves_nothing(house: House, intake: Intake) -> None:
    house.custody("hospital-a")
    receipt = send(house, intake, FILE + b"?,1\r\n")
    work_through(house, intake)
    file = told(house, receipt)
    assert file["state"] == "refused"
    assert file["items"] == {"staged": 0, "promoted": 0}
    assert "parts" not in file
    assert [one["at"] for one in file["findings"]] == ["row 7"]  # type: ignore[attr-defined]


def test_a_person_who_is_refused_does_not_stop_the_others(house: House, intake: Intake) -> None:
    house.custody("hospital-a")
    receipt = send(house, intake, FILE.replace(b"P,9999", b"P,broken"))
    work_through(house, intake)
    file = told(house, receipt)
    assert file["state"] == "standardized"
    assert file["parts"] == {"refused": 1, "standardized": 1}
    assert [one["at"] for one in file["findings"]] == ["row 5"]  # type: ignore[attr-defined]


def test_the_same_file_again_adds_nothing(house: House, intake: Intake) -> None:
    house.custody("hospital-a")
    first = send(house, intake)
    work_through(house, intake)
    again = send(house, intake)
    work_through(house, intake)
    assert told(house, again)["state"] == "duplicate"
    assert told(house, first)["items"] == {"staged": 3, "promoted": 0}


def test_a_cutting_that_was_interrupted_goes_on(
    house: House, intake: Intake, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.custody("hospital-a")
    monkeypatch.setattr(cutting, "_AT_ONCE", 1)
    receipt = send(house, intake)

    with monkeypatch.context() as patched:
        patched.setattr(parts, "settle", die)
        with pytest.raises(KeyboardInterrupt):
            intake.process_waiting(lambda: house.caller("secretariat"), lambda: False)
    assert told(house, receipt)["parts"] == {"pending": 2}
    assert house.receipt("hospital-a", receipt)["state"] == "working"
    work_through(house, intake)
    assert told(house, receipt)["parts"] == {"standardized": 2}
    assert told(house, receipt)["items"] == {"staged": 3, "promoted": 0}


def die(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_a_file_that_was_cut_is_not_cut_again(
    house: House, intake: Intake, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.custody("hospital-a")
    monkeypatch.setattr(parts, "PORTION", 1)
    receipt = send(house, intake)
    with monkeypatch.context() as patched:
        settle, settled = parts.settle, []

        def once(*words: object, **more: object) -> None:
            if settled:
                raise KeyboardInterrupt
            settled.append(settle(*words, **more))  # type: ignore[arg-type,func-returns-value]

        patched.setattr(parts, "settle", once)
        with pytest.raises(KeyboardInterrupt):
            intake.process_waiting(lambda: house.caller("secretariat"), lambda: False)
    assert told(house, receipt)["parts"] == {"pending": 1, "received": 1}
    monkeypatch.setattr(cutting, "_cut", die)
    work_through(house, intake)
    assert told(house, receipt)["parts"] == {"standardized": 2}
    assert told(house, receipt)["items"] == {"staged": 3, "promoted": 0}


def test_a_file_that_came_before_is_not_cut(
    house: House, intake: Intake, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.custody("hospital-a")
    send(house, intake)
    work_through(house, intake)
    monkeypatch.setattr(cutting, "_cut", die)
    again = send(house, intake)
    work_through(house, intake)
    assert told(house, again)["state"] == "duplicate"


def test_a_large_file_is_known_by_its_beginning(
    house: House, intake: Intake, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.custody("hospital-a")
    monkeypatch.setattr(cutting, "LARGE", 64)
    content = FILE + "I,3,糖尿病\r\n".encode() * 40
    receipt = send(house, intake, content)
    read = intake.blobs.read
    monkeypatch.setattr(type(intake.blobs), "read", die)  # never whole in memory
    work_through(house, intake)
    monkeypatch.setattr(type(intake.blobs), "read", read)
    assert told(house, receipt)["parts"] == {"standardized": 2}


def test_a_large_file_that_is_not_cut_is_judged_whole(
    house: House, intake: Intake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cutting, "LARGE", 64)
    with pytest.raises(Unsupported):
        send(house, intake, b"nothing of ours " * 20)
    bundle = (ROOT / "samples/standardize/fhir/transaction.json").read_bytes()
    assert len(bundle) > 64
    send(house, intake, bundle)


def test_an_erasure_blanks_the_lines_of_one_person(
    house: House, intake: Intake, blobs: Blobs
) -> None:
    house.enrol("hospital-a")
    receipt = send(house, intake, FILE)
    work_through(house, intake)
    before = told(house, receipt)
    assert before["parts"] == {"refused": 1, "standardized": 1}  # the other one did not consent
    withdraw(house)
    with house.work() as work:
        removal.sweep(work)
    after = told(house, receipt)
    assert after["sha256"] == before["sha256"]  # as received, whatever became of the bytes
    kept = [blobs.read(one) for one in blobs.each()]
    assert not any("胃炎".encode() in content for content in kept)
    (left,) = (content for content in kept if "喘息".encode() in content)
    assert len(left) == len(FILE)
    assert left.endswith(FILE[FILE.index(b"P,9999") :])
    assert left.count(b"\r\n") == FILE.count(b"\r\n")
