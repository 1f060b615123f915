"""Whom a replay passes over: erased, withdrawn, held no longer, read as somebody else; who may."""

from dataclasses import replace

import pytest

from gateway.consent import ledger
from gateway.errors import NotPermitted
from gateway.intake.uploads import Intake
from gateway.model.batch import Batch
from gateway.model.network import WithdrawalEffect
from gateway.record import replay
from gateway.standardize import registry
from gateway.store.blobs import Blobs
from tests.intake.test_replaying import apply, documents, message, preview, room, send
from tests.record.house import House
from tests.record.test_erase import withdraw


def shared_items(house: House) -> int:
    from gateway.store.record import items

    with house.work() as work:
        return len(items.select_items_of_facility(work.db, "hospital-a"))


def test_what_was_erased_does_not_come_back(house: House, intake: Intake, blobs: Blobs) -> None:
    house.enrol("hospital-a")
    send(house, intake, message())
    withdraw(house)
    assert preview(room(house, blobs)) == apply(room(house, blobs)) == []
    assert shared_items(house) == 0


def test_what_went_back_to_custody_stays_there(house: House, intake: Intake, blobs: Blobs) -> None:
    house.enrol("hospital-a")
    house.custody("hospital-a")
    send(house, intake, message())
    withdraw(house)
    apply(room(house, blobs))
    assert documents(house) == {}
    assert shared_items(house) == 0


def test_whoever_stopped_sharing_is_passed_over(
    house: House, intake: Intake, blobs: Blobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule = replace(house.policy.withdrawal, effect=WithdrawalEffect.STOP_SHARING)
    monkeypatch.setattr(house.door, "policy", replace(house.policy, withdrawal=rule))
    house.enrol("hospital-a")
    send(house, intake, message())
    person = house.person()
    with house.work() as work:
        ledger.withdraw(work, person, reason="patient_withdrawal", form="1")
    before = shared_items(house)
    for do in (preview, apply):
        assert [one.outcome.skipped for one in do(room(house, blobs))] == [replay.WITHDRAWN]
    assert shared_items(house) == before


def test_data_that_may_no_longer_be_held_are_passed_over(
    house: House, intake: Intake, blobs: Blobs
) -> None:
    from datetime import date

    from gateway.members import facilities

    house.custody("hospital-a")
    send(house, intake, message())
    with house.work() as work:
        (contract,) = facilities.snapshot(work.db).contracts
        facilities.end_contract(work, contract.id, on=date(2026, 11, 1), reason="終了")
    assert [one.outcome.skipped for one in apply(room(house, blobs))] == [replay.NO_CONSENT]


def test_another_persons_reading_is_never_applied(
    house: House, intake: Intake, blobs: Blobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.enrol("hospital-a")
    send(house, intake, message())
    reading = registry.read

    def other(upload, *, format=None) -> Batch:
        batch = reading(upload, format=format)
        return replace(batch, patient=replace(batch.patient, value="99999"))

    monkeypatch.setattr("gateway.standardize.read", other)
    assert [one.outcome.skipped for one in apply(room(house, blobs))] == [replay.OTHER_PATIENT]


def test_bytes_that_are_gone_or_refused_today_are_told(
    house: House, intake: Intake, blobs: Blobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.enrol("hospital-a")
    send(house, intake, message())
    with monkeypatch.context() as patched:
        patched.setattr(registry, "FORMATS", ())
        assert [one.outcome.skipped for one in apply(room(house, blobs))] == ["refused-today"]
    for digest in list(blobs.each()):
        blobs.delete(digest)
    assert {one.outcome.skipped for one in apply(room(house, blobs))} == {"bytes-gone"}


def test_replay_is_for_the_operator_and_on_record(
    house: House, intake: Intake, blobs: Blobs
) -> None:
    house.enrol("hospital-a")
    send(house, intake, message())
    for do in (preview, apply):
        with pytest.raises(NotPermitted):
            do(room(house, blobs, who="hospital-a"))


def test_only_the_facility_that_is_asked_for(house: House, intake: Intake, blobs: Blobs) -> None:
    house.enrol("hospital-a")
    send(house, intake, message())
    assert room(house, blobs).charts("clinic-b") == []
    assert [chart.files for chart in room(house, blobs).charts("hospital-a")] == [1]
