"""A folder under one receipt: some files at a time, on where it was, each file once."""

import os
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from gateway.errors import Busy, Invalid, NotPermitted, OverLimit
from gateway.intake import FolderIntake, Intake, folders, keeping
from gateway.members import facilities
from gateway.model.category import Source
from gateway.record import deliveries
from gateway.store.record import watched
from tests.intake.test_turns import everything, files, people
from tests.record.house import House

_NOTES = "SELECT count(*) FROM watched_file"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = tmp_path / "storage"
    made.mkdir()
    for number in range(7):
        place = made / f"{number % 2}" / f"{number}.csv"
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(people(f"{number}"))
    return made


@pytest.fixture
def folder(
    house: House, intake: Intake, root: Path, monkeypatch: pytest.MonkeyPatch
) -> FolderIntake:
    house.custody("hospital-a")
    monkeypatch.setattr(folders, "_FILES", 2)
    return FolderIntake(
        intake=intake, caller=lambda: house.caller("secretariat"), root=root,
        facility="hospital-a", source=Source.EMR,
    )  # fmt: skip


def count(house: House, statement: str) -> Any:
    with house.work(reading=True) as work:
        return work.db.execute(text(statement)).scalar_one()


def paths(house: House, receipt: str) -> list[str]:
    return [one["path"] for one in files(house, receipt)]


def dying(after: int, do: Callable[..., Any]) -> Callable[..., Any]:
    """The same, cut off after so many calls."""
    left = [after]

    def one(*words: Any, **more: Any) -> Any:
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        return do(*words, **more)

    return one


def test_a_folder_is_one_receipt_in_the_order_of_names(
    house: House, intake: Intake, folder: FolderIntake
) -> None:
    told: list[tuple[int, int]] = []
    delivery = folder.receive(lambda done, total: told.append((done, total)))
    assert told == [(2, 7), (4, 7), (6, 7), (7, 7)]
    assert paths(house, delivery.receipt) == [
        "0/0.csv", "0/2.csv", "0/4.csv", "0/6.csv", "1/1.csv", "1/3.csv", "1/5.csv"
    ]  # fmt: skip
    everything(house, intake)
    assert Counter(one["state"] for one in files(house, delivery.receipt)) == {"standardized": 7}
    folder.close(delivery)
    assert count(house, _NOTES) == 0


@pytest.mark.parametrize("after", range(4))
def test_what_was_cut_off_while_it_was_received_goes_on(
    house: House, intake: Intake, folder: FolderIntake, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(watched, "replace_known", dying(after * 2, watched.replace_known))
        with pytest.raises(KeyboardInterrupt):
            folder.receive()
    before = count(house, "SELECT count(*) FROM upload_file")
    delivery = folder.receive()
    assert delivery.files == 7
    assert len(set(paths(house, delivery.receipt))) == len(paths(house, delivery.receipt)) == 7
    assert count(house, "SELECT count(*) FROM upload_file WHERE parent = ''") == 7
    assert count(house, "SELECT count(*) FROM upload") == 1
    assert count(house, "SELECT count(DISTINCT number) FROM upload_file") == 7
    assert before == (0, 0, 4, 7)[after]


def test_what_was_cut_off_while_it_was_worked_through_is_not_received_again(
    house: House, intake: Intake, folder: FolderIntake
) -> None:
    first = folder.receive()
    intake.process_waiting(lambda: house.caller("secretariat"), lambda: False)
    again = folder.receive()
    assert again.receipt == first.receipt
    assert count(house, "SELECT count(*) FROM upload_file WHERE parent = ''") == 7


def test_a_delivery_whose_end_was_cut_off_is_ended_first(
    house: House, intake: Intake, folder: FolderIntake, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = folder.receive()
    everything(house, intake)
    monkeypatch.setattr(deliveries, "_PORTION", 3)
    with monkeypatch.context() as patched:
        patched.setattr(deliveries, "forget", dying(1, deliveries.forget))
        with pytest.raises(KeyboardInterrupt):
            folder.close(first)
    assert count(house, _NOTES) > 0
    again = folder.receive()
    assert again.receipt == first.receipt  # whoever typed it was not told yet
    folder.close(again)
    assert count(house, _NOTES) == 0
    other = folder.receive()
    assert other.receipt != first.receipt
    everything(house, intake)
    assert {one["state"] for one in files(house, other.receipt)} == {"duplicate"}


def test_another_facility_source_or_patient_is_another_delivery(folder: FolderIntake) -> None:
    others = (
        replace(folder, facility="clinic-b"), replace(folder, source=Source.LAB),
        replace(folder, patient="0001"), replace(folder, root=folder.root.parent),
    )  # fmt: skip
    assert len({folder.key, *(one.key for one in others)}) == 5


def test_while_more_may_come_the_receipt_is_not_done(
    house: House, intake: Intake, folder: FolderIntake, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(keeping, "keep", dying(1, keeping.keep))
        with pytest.raises(KeyboardInterrupt):
            folder.receive()
    everything(house, intake)
    receipt = count(house, "SELECT receipt FROM upload")
    told = house.receipt("hospital-a", receipt)
    assert told["state"] == "working"
    assert told["progress"] == {"files": 2, "done": 2, "seconds_left": 0, "receiving": True}
    folder.receive()
    everything(house, intake)
    told = house.receipt("hospital-a", receipt)
    assert (told["state"], told["progress"]["done"]) == ("done", 7)
    assert "receiving" not in told["progress"]


def test_what_cannot_be_read_is_told_and_the_rest_is_taken(
    house: House, intake: Intake, folder: FolderIntake
) -> None:
    (folder.root / "link.csv").symlink_to("/etc/hosts")
    os.mkfifo(folder.root / "pipe")
    (folder.root / os.fsdecode(b"\xff.csv")).write_bytes(b"x")
    small = replace(folder, intake=replace(intake, limits=replace(intake.limits, file_bytes=100)))
    (folder.root / "large.csv").write_bytes(b"H,2026-11\r\n" + b"x" * 100)
    delivery = small.receive()
    everything(house, intake)
    told = {one["path"]: one for one in files(house, delivery.receipt)}
    found = {path: [each["code"] for each in one["findings"]] for path, one in told.items()}
    assert found["link.csv"] == found["pipe"] == ["link-or-device"]
    assert found["?.csv"] == ["unsafe-name"]
    assert found["large.csv"] == ["too-large"]
    assert sum(one["state"] == "standardized" for one in told.values()) == 7


def test_a_file_that_changes_while_it_is_taken_stops_it_and_it_goes_on(
    house: House, folder: FolderIntake, monkeypatch: pytest.MonkeyPatch
) -> None:
    portions = folders._portions

    def changing(files: Iterable[Any]) -> Any:
        return portions(
            replace(one, size=one.size + 1) if number == 4 else one
            for number, one in enumerate(files)
        )

    with monkeypatch.context() as patched:
        patched.setattr(folders, "_portions", changing)
        with pytest.raises(Busy):
            folder.receive()
    assert folder.receive().files == 7


def test_nothing_is_begun_that_may_not_be_delivered(
    house: House, folder: FolderIntake, tmp_path: Path
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(Invalid):
        replace(folder, root=empty).receive()
    few = replace(folder.intake, limits=replace(folder.intake.limits, folder_entries=6))
    with pytest.raises(OverLimit):
        replace(folder, intake=few).receive()
    with house.work() as work:
        facilities.suspend(work, "hospital-a", reason="故障")
    with pytest.raises(NotPermitted):
        folder.receive()
    assert count(house, "SELECT count(*) FROM upload") == 0
    assert count(house, _NOTES) == 0
