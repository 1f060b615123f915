"""Turns of the queue: order, fairness, one bad file among good ones, workers that die or hang."""

import threading
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from gateway import standardize
from gateway.errors import Busy
from gateway.intake import cutting, turns
from gateway.intake.uploads import Intake
from gateway.model.audit import EventKind
from gateway.model.category import Source
from gateway.record import queue, staging
from gateway.store import audit
from gateway.store.blobs import Blobs
from tests.conftest import Clock
from tests.intake.test_cutting import Sent
from tests.record.house import House

FACILITIES = ("clinic-b", "hospital-a", "pharmacy-c")


def people(chart: str, text: str = "胃炎") -> bytes:
    return f"H,2026-11\r\nP,{chart}\r\nI,1,{text}\r\n".encode()


def send(house: House, intake: Intake, who: str, *contents: bytes) -> str:
    arrivals = [Sent(one, intake.blobs, path=f"{n}.csv") for n, one in enumerate(contents)]
    found = intake.receive(house.caller(who), arrivals, facility=who, source=Source.ACCOUNTING)
    return str(found["receipt"])


def files(house: House, receipt: str) -> list[dict[str, Any]]:
    with house.work(reading=True) as work:
        from gateway.record import receipts

        return list(receipts.receipt(work, receipt)["files"])


def turn(house: House, intake: Intake) -> int:
    return intake.process_waiting(lambda: house.caller("secretariat"), lambda: False)


def everything(house: House, intake: Intake) -> None:
    while turn(house, intake):
        pass


@pytest.fixture
def order(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths in the order in which they are read."""
    seen: list[str] = []
    read = standardize.read

    def noting(upload: Any, **more: Any) -> Any:
        seen.append(upload.path)
        return read(upload, **more)

    monkeypatch.setattr(standardize, "read", noting)
    return seen


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of the test's format are about one person each."""
    looked = cutting.look

    def look(*arguments: Any) -> Any:
        found = looked(*arguments)
        return (found.upload, found.chosen) if isinstance(found, cutting.Whole) else found

    monkeypatch.setattr(cutting, "look", look)


@pytest.mark.usefixtures("plain")
def test_a_flood_of_one_facility_holds_up_nobody(
    house: House, intake: Intake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "MOST", 2)
    house.custody(*FACILITIES)
    served: list[str] = []
    take = queue.take

    def noting(*arguments: Any, **more: Any) -> Any:
        found = take(*arguments, **more)
        if found is not None:
            served.append(found.lane.facility)
        return found

    monkeypatch.setattr(queue, "take", noting)
    send(house, intake, "hospital-a", *(people("1", str(n)) for n in range(12)))
    for who in ("clinic-b", "pharmacy-c"):
        send(house, intake, who, *(people("2", str(n)) for n in range(3)))
    clock: Any = house.door.clock
    while turn(house, intake):
        clock.advance(seconds=1)
    assert served[:6] == [*FACILITIES, *FACILITIES]
    assert served[6:] == ["hospital-a"] * 4


@pytest.mark.usefixtures("plain")
def test_files_of_a_facility_are_read_as_they_came(
    house: House, intake: Intake, order: list[str]
) -> None:
    house.custody("hospital-a")
    clock: Any = house.door.clock
    for number in range(5):
        found = intake.receive(
            house.caller("hospital-a"),
            [Sent(people("1", f"{number}{part}"), intake.blobs, path=f"{number}-{part}")
             for part in "ab"],
            facility="hospital-a", source=Source.ACCOUNTING,
        )  # fmt: skip
        assert found["files"]
        clock.advance(seconds=1)
    everything(house, intake)
    assert order == [f"{number}-{part}" for number in range(5) for part in "ab"]


@pytest.mark.usefixtures("plain")
def test_one_bad_file_leaves_the_others_of_its_turn(
    house: House, intake: Intake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Refused, broken while it is read, broken while it is written: each by itself."""
    house.custody("hospital-a")
    read, stage = standardize.read, staging.stage

    def reading(upload: Any, **more: Any) -> Any:
        if "読めない".encode() in upload.content:
            raise KeyError("a defect of ours")
        return read(upload, **more)

    def staging_(work: Any, file: str, batch: Any, **more: Any) -> Any:
        done = stage(work, file, batch, **more)
        if "書けない" in str(batch.items):
            raise KeyError("another defect")
        return done

    monkeypatch.setattr(standardize, "read", reading)
    monkeypatch.setattr(staging, "stage", staging_)
    receipt = send(
        house, intake, "hospital-a", people("1", "一"), people("broken"), people("2", "読めない"),
        people("3", "書けない"), people("4", "四"),
    )  # fmt: skip
    assert turn(house, intake) == 5
    states = [(one["state"], one["items"]["staged"]) for one in files(house, receipt)]
    assert states == [
        ("standardized", 1), ("refused", 0), ("received", 0), ("received", 0), ("standardized", 1),
    ]  # fmt: skip
    everything(house, intake)
    told = files(house, receipt)
    assert [one["state"] for one in told[2:4]] == ["set-aside", "set-aside"]
    assert [one["findings"][0]["code"] for one in told[2:4]] == ["internal-error"] * 2
    with house.work(reading=True) as work:
        events = audit.select_recent(work.db, 200)
    outcomes = [one.outcome for one in events if one.kind == EventKind.INTAKE.value]
    # Two that were stored, one refused and noted so, and five tries at each defect, each counted.
    assert sorted(outcomes) == [0] * (2 + 1 + 10) + [4] + [12] * 10


@pytest.mark.usefixtures("plain")
def test_a_turn_that_is_cut_off_leaves_its_files_waiting(
    house: House, intake: Intake, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.custody("hospital-a")
    receipt = send(house, intake, "hospital-a", people("1"), people("2"))
    end = queue.end
    with monkeypatch.context() as patched:
        patched.setattr(queue, "end", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            turn(house, intake)
    assert queue.end is end
    assert [one["state"] for one in files(house, receipt)] == ["received", "received"]
    everything(house, intake)
    assert [one["items"]["staged"] for one in files(house, receipt)] == [1, 1]


@pytest.mark.usefixtures("plain")
def test_a_busy_database_costs_no_attempt(
    house: House, intake: Intake, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.custody("hospital-a")
    receipt = send(house, intake, "hospital-a", people("1"))
    with monkeypatch.context() as patched:
        patched.setattr(staging, "stage", lambda *_, **__: (_ for _ in ()).throw(Busy("b", "b")))
        for _ in range(7):
            with pytest.raises(Busy):
                turn(house, intake)
    assert turn(house, intake) == 1
    assert files(house, receipt)[0]["state"] == "standardized"


def another(intake: Intake, owner: str) -> turns.Turns:
    return replace(intake, owner=owner).turns


@pytest.mark.usefixtures("plain")
def test_a_lane_is_one_workers_until_its_time_runs_out(
    house: House, intake: Intake, clock: Clock
) -> None:
    house.custody("hospital-a")
    receipt = send(house, intake, "hospital-a", people("1"), people("2"))
    dead = house.door.keep(
        lambda db: queue.take(db, token="dead/1", now=clock(), facility="hospital-a")
    )
    assert dead is not None
    assert len(dead.files) == 2
    assert turn(house, intake) == 0
    clock.advance(seconds=queue.LEASE.total_seconds() + 1)
    assert turn(house, intake) == 1, "the next files are worked on one by one"
    assert turn(house, intake) == 1
    with pytest.raises(queue.Overtaken):
        house.door.keep(lambda db: queue.hold(db, dead, ()))
    assert [one["items"]["staged"] for one in files(house, receipt)] == [1, 1]


@pytest.mark.usefixtures("plain")
def test_who_takes_the_place_of_a_dead_worker_need_not_wait(
    house: House, intake: Intake, clock: Clock
) -> None:
    house.custody("hospital-a")
    send(house, intake, "hospital-a", people("1"))
    house.door.keep(lambda db: queue.take(db, token="one/1", now=clock()))
    caller, going = (lambda: house.caller("secretariat")), (lambda: False)
    other, heir = another(intake, "other"), another(intake, "one")
    other.begin()
    assert other.take(caller, going) == 0
    heir.begin()
    assert heir.take(caller, going) == 1


@pytest.mark.usefixtures("plain")
def test_a_file_that_kills_workers_is_set_aside(
    house: House, intake: Intake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that dies writes nothing: the attempt is counted before."""
    house.custody("hospital-a")
    receipt = send(house, intake, "hospital-a", people("1"), people("2", "毒"), people("3"))
    read = standardize.read

    def deadly(upload: Any, **more: Any) -> Any:
        if "毒".encode() in upload.content:
            raise SystemExit
        return read(upload, **more)

    monkeypatch.setattr(standardize, "read", deadly)
    monkeypatch.setattr(turns.Turns, "_drop", lambda *_: None)
    deaths = 0
    while True:
        worker = another(intake, "one")
        worker.begin()
        try:
            if not worker.take(lambda: house.caller("secretariat"), lambda: False):
                break
        except SystemExit:
            deaths += 1
    assert [one["state"] for one in files(house, receipt)] == [
        "standardized", "set-aside", "standardized",
    ]  # fmt: skip
    assert deaths == 1 + queue.ATTEMPTS


@pytest.mark.usefixtures("plain")
def test_two_workers_at_once_do_each_file_once(house: House, intake: Intake) -> None:
    house.custody(*FACILITIES)
    sent = {
        who: send(house, intake, who, *(people(str(n), f"{n}") for n in range(20)))
        for who in FACILITIES
    }
    broken: list[BaseException] = []

    def run(owner: str) -> None:
        worker = another(intake, owner)
        try:
            for _ in range(40):
                worker.take(lambda: house.caller("secretariat"), lambda: False)
        except BaseException as error:
            broken.append(error)

    threads = [threading.Thread(target=run, args=(str(n),)) for n in range(3)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert not broken
    for receipt in sent.values():
        assert {(one["state"], one["items"]["staged"]) for one in files(house, receipt)} == {
            ("standardized", 1)
        }


@pytest.mark.usefixtures("plain")
def test_a_lane_is_kept_while_its_turn_lasts(
    house: House, intake: Intake, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gateway.intake import lease

    monkeypatch.setattr(lease, "_BEAT", 0.02)
    house.custody("hospital-a")
    send(house, intake, "hospital-a", people("1"))
    until = clock() + timedelta(minutes=1)
    beaten = threading.Event()
    keep, read = queue.keep, standardize.read

    def noting(*arguments: Any) -> bool:
        kept = keep(*arguments)
        beaten.set()
        return kept

    def slow(*arguments: Any, **more: Any) -> Any:
        clock.now = until
        assert beaten.wait(10)
        assert beaten.clear() is None
        assert beaten.wait(10)
        return read(*arguments, **more)

    monkeypatch.setattr(queue, "keep", noting)
    monkeypatch.setattr(standardize, "read", slow)
    assert turn(house, intake) == 1


@pytest.mark.usefixtures("plain")
def test_a_hanging_file_gives_its_lane_up(
    house: House, intake: Intake, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gateway.intake import lease

    monkeypatch.setattr(lease, "_BEAT", 0.02)
    monkeypatch.setattr(lease, "_LONGEST", 0.0)
    house.custody("hospital-a")
    receipt = send(house, intake, "hospital-a", people("1"))
    told, read = threading.Event(), standardize.read
    worker = replace(intake, stuck=told.set).turns

    def hanging(*arguments: Any, **more: Any) -> Any:
        assert told.wait(10)
        return read(*arguments, **more)

    monkeypatch.setattr(standardize, "read", hanging)
    assert worker.take(lambda: house.caller("secretariat"), lambda: False) == 1, "not the end"
    assert files(house, receipt)[0]["state"] == "received"


@pytest.mark.usefixtures("plain")
def test_who_was_suspended_works_on_until_nothing_waits(
    house: House, intake: Intake, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine that slept: its turn was given up, and what it was told to do is not done yet."""
    house.custody("hospital-a")
    receipt = send(house, intake, "hospital-a", people("1"), people("2"))
    hold, slept = queue.hold, [True]

    def late(*arguments: Any) -> None:
        if slept:
            clock.advance(seconds=queue.LEASE.total_seconds() + slept.pop())
            raise queue.Overtaken("hospital-a")
        hold(*arguments)

    monkeypatch.setattr(queue, "hold", late)
    everything(house, intake)
    assert [one["state"] for one in files(house, receipt)] == ["standardized"] * 2


@pytest.mark.usefixtures("plain")
def test_bytes_that_an_erasure_replaced_meanwhile_are_not_lost(
    house: House, intake: Intake, blobs: Blobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.custody("hospital-a")
    content, after = people("1"), people("1", "胃 ")
    receipt = send(house, intake, "hospital-a", content)
    (old,) = blobs.each()

    def replaced(*_: Any) -> Any:
        from gateway.store.record import parts

        new = blobs.put_bytes(after).sha256
        house.door.keep(lambda db: parts.update_blob(db, old, new, parts.select_sharing(db, old)))
        blobs.delete(old)
        raise turns.Damaged(old, "missing")

    with monkeypatch.context() as patched:
        patched.setattr(cutting, "look", replaced)
        turn(house, intake)
    assert files(house, receipt)[0]["state"] == "received"
    everything(house, intake)
    assert files(house, receipt)[0]["state"] == "standardized"


@pytest.mark.usefixtures("plain")
def test_missing_bytes_are_set_aside(house: House, intake: Intake, blobs: Blobs) -> None:
    house.custody("hospital-a")
    receipt = send(house, intake, "hospital-a", people("1"))
    (one,) = blobs.each()
    blobs.delete(one)
    everything(house, intake)
    (file,) = files(house, receipt)
    assert (file["state"], file["findings"][0]["code"]) == ("set-aside", "bytes-damaged")
