"""How far an upload is, how fast a facility's files go, and how long they take yet."""

import pytest

from gateway.model.category import Source
from gateway.record import parts, queue, receipts, staging
from gateway.record.queue import Progress
from gateway.record.staging import ReceivedFile
from gateway.store.record import uploads
from tests.conftest import Clock
from tests.record.house import House


@pytest.fixture(autouse=True)
def custody(house: House) -> None:
    house.custody("hospital-a")


def receive(house: House, count: int) -> str:
    with house.work("hospital-a") as work:
        blob = work.blobs.put_bytes(b"1")
        several = [ReceivedFile(path=f"{n}", sha256=blob.sha256, size=1) for n in range(count)]
        found = staging.receive(work, facility="hospital-a", source=Source.EMR, files=several)
    return found.id


def take(house: House, clock: Clock, done: int, seconds: float) -> None:
    """One turn that works on so many files, and takes so long."""
    turn = house.door.keep(
        lambda db: queue.take(db, token="w/1", now=clock(), facility="hospital-a")
    )
    assert turn is not None
    clock.advance(seconds=seconds)
    with house.work() as work:
        for file in turn.files[:done]:
            staging.refuse_file(work, file.id, ())
        queue.end(work.db, turn, done=done, now=work.now)


def progress(house: House, receipt: str) -> Progress:
    return house.door.snapshot(lambda db: queue.progress(db, receipt), max_age=0.0)


def test_time_left_follows_the_pace(house: House, clock: Clock) -> None:
    receipt = receive(house, 100)
    assert progress(house, receipt) == Progress(files=100, done=0, started=False, left=None)
    take(house, clock, 20, seconds=2)
    found = progress(house, receipt)
    assert (found.files, found.done, found.waiting, found.started) == (100, 20, 80, True)
    assert found.left == pytest.approx(8)
    for _ in range(6):
        take(house, clock, 10, seconds=100)  # much slower for much longer
    assert progress(house, receipt).left == pytest.approx(20 / 0.1, rel=0.1)
    (told,) = house.door.snapshot(queue.backlog, max_age=0.0)
    assert told["rate"] == pytest.approx(0.1, rel=0.1)
    assert told["left"] == pytest.approx(progress(house, receipt).left)
    assert house.door.snapshot(queue.worked, max_age=0.0) == {"hospital-a": 80}


def test_the_time_when_nothing_waited_does_not_count(house: House, clock: Clock) -> None:
    receive(house, 10)
    take(house, clock, 10, seconds=1)
    clock.advance(days=3)
    receipt = receive(house, 20)
    take(house, clock, 10, seconds=1)
    assert progress(house, receipt).left == pytest.approx(1)


def test_what_is_ahead_counts(house: House, clock: Clock) -> None:
    receive(house, 50)
    clock.advance(seconds=1)
    last = receive(house, 10)
    take(house, clock, 10, seconds=1)  # ten in two seconds, since the first of them came
    assert progress(house, last).left == pytest.approx((40 + 10) / 5)


def test_a_turn_that_was_given_up_says_nothing(house: House, clock: Clock) -> None:
    receipt = receive(house, 10)
    turn = house.door.keep(lambda db: queue.take(db, token="w/1", now=clock()))
    assert turn is not None
    house.door.keep(lambda db: queue.drop(db, turn))
    assert progress(house, receipt).left is None
    take(house, clock, 0, seconds=100)
    assert progress(house, receipt).left is None


def test_an_upload_that_is_over_has_no_time_left(house: House, clock: Clock) -> None:
    receipt = receive(house, 3)
    take(house, clock, 3, seconds=1)
    assert progress(house, receipt) == Progress(files=3, done=3, started=True, left=0.0)


def test_a_file_that_is_cut_tells_how_much_of_it(house: House, clock: Clock) -> None:
    receipt = receive(house, 1)
    with house.work() as work:
        (file,) = uploads.select_files(work.db, receipt)
        spans = {"own": [[2, 0, 1]], "shared": [], "sha256": ""}
        parts.add(work, file, [{**spans, "own": [[2, 0, 0]]}], 1)
    found = progress(house, receipt)
    assert (found.cut, found.left, found.waiting) == (0.0, None, 2)
    with house.work() as work:
        parts.add(work, file, [spans], 2)
    assert progress(house, receipt).cut == 1.0


def test_what_is_set_aside_is_counted(house: House, clock: Clock) -> None:
    receipt = receive(house, 3)
    with house.work() as work:
        for file in uploads.select_files(work.db, receipt)[:2]:
            staging.set_aside(work, file.id, ())
    assert house.door.snapshot(queue.set_aside, max_age=0.0) == {"hospital-a": 2}


def test_some_files_of_an_upload_are_told(house: House) -> None:
    receipt = receive(house, 5)
    with house.work("hospital-a", reading=True) as work:
        found = receipts.receipt(work, receipt, first=1, most=2)
        assert [one["path"] for one in found["files"]] == ["1", "2"]
        assert found["progress"] == {"files": 5, "done": 0, "seconds_left": None}
        assert receipts.receipt(work, receipt, most=0)["files"] == []
        assert receipts.receipt(work, receipt, first=9)["files"] == []
