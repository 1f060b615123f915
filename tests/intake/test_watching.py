"""Drop folders: what is complete is taken once, nothing of the source is touched."""

import os
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import Busy, NotPermitted
from gateway.intake.dropped import Dropped
from gateway.intake.uploads import Intake
from gateway.intake.watching import Watcher
from gateway.members import facilities
from gateway.model.category import Source
from tests.intake.test_turns import everything, files, people
from tests.record.house import House

OLD = 1_700_000_000


@pytest.fixture
def drop(tmp_path: Path) -> Path:
    made = tmp_path / "drop"
    made.mkdir()
    return made


@pytest.fixture
def watcher(house: House, intake: Intake, drop: Path) -> Watcher:
    house.custody("hospital-a")
    return again(house, intake, drop)


def again(house: House, intake: Intake, drop: Path, **more: Any) -> Watcher:
    """A watcher as it is after a restart."""
    return Watcher(
        root=drop, facility="hospital-a", source=Source.EMR, door=house.door, intake=intake,
        caller=lambda: house.caller("secretariat"), **more,
    )  # fmt: skip


def put(drop: Path, path: str, content: bytes, *, age: float = 3600.0, now: float = 0.0) -> Path:
    file = drop / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    import time

    moment = (now or time.time()) - age
    os.utime(file, (moment, moment))
    return file


def receipts(house: House) -> list[str]:
    from sqlalchemy import text

    with house.work(reading=True) as work:
        found = work.db.execute(text("SELECT receipt FROM upload ORDER BY received, receipt"))
        return [row[0] for row in found]


def state_of(drop: Path) -> dict[str, tuple[bytes, int, int]]:
    return {
        str(one.relative_to(drop)): (one.read_bytes(), one.stat().st_mtime_ns, one.stat().st_ino)
        for one in sorted(drop.rglob("*")) if one.is_file()
    }  # fmt: skip


def test_what_is_there_is_taken_once_and_left_as_it_is(
    house: House, intake: Intake, watcher: Watcher, drop: Path
) -> None:
    put(drop, "a.csv", people("1"))
    put(drop, "tree/2/b.csv", people("2"))
    before = state_of(drop)
    found = watcher.look()
    assert (found.seen, found.taken, found.refused, found.unfinished) == (2, 2, 0, 0)
    assert watcher.look().taken == 0
    assert again(house, intake, drop).look().taken == 0, "a restart sends nothing again"
    assert state_of(drop) == before
    everything(house, intake)
    (receipt,) = receipts(house)
    told = {one["path"]: one["state"] for one in files(house, receipt)}
    assert told == {"a.csv": "standardized", "tree/2/b.csv": "standardized"}


def test_a_file_that_is_still_written_waits(watcher: Watcher, drop: Path) -> None:
    clock = [1000.0]
    watcher.steady = lambda: clock[0]
    file = put(drop, "a.csv", people("1")[:-5], age=0)
    assert (watcher.look().taken, watcher.look().unfinished) == (0, 1)
    clock[0] += 60
    file.write_bytes(people("1"))
    assert watcher.look().unfinished == 1, "it grew: its time begins anew"
    clock[0] += 4
    assert watcher.look().unfinished == 1
    clock[0] += 2
    assert watcher.look().taken == 1


def test_a_file_from_the_future_is_taken_once_it_stands_still(watcher: Watcher, drop: Path) -> None:
    clock = [1000.0]
    watcher.steady = lambda: clock[0]
    put(drop, "a.csv", people("1"), age=-86400)
    assert watcher.look().taken == 0
    clock[0] += 6
    assert watcher.look().taken == 1


@pytest.mark.parametrize(
    "name", ["a.csv.part", "a.tmp", ".hidden.csv", "a.csv~", "b.FILEPART", ".git/a.csv"]
)
def test_unfinished_and_hidden_names_are_left_alone(
    watcher: Watcher, drop: Path, name: str
) -> None:
    put(drop, name, people("1"))
    assert watcher.look().seen == 0


def test_a_rename_into_place_is_seen(watcher: Watcher, drop: Path) -> None:
    part = put(drop, "a.csv.part", people("1"))
    assert watcher.look().seen == 0
    part.rename(drop / "a.csv")
    assert watcher.look().taken == 1


def test_links_devices_and_odd_names_are_not_taken(
    house: House, watcher: Watcher, drop: Path, tmp_path: Path
) -> None:
    outside = put(tmp_path, "secret.csv", people("1"))
    (drop / "link.csv").symlink_to(outside)
    (drop / "folder").symlink_to(tmp_path)
    os.mkfifo(drop / "fifo.csv")
    told: list[str] = []
    watcher.told = lambda path, why: told.append(path)
    put(drop, "a\u202egpj.csv", people("1"))
    (Path(os.fsdecode(os.fsencode(drop) + b"/\xff.csv"))).write_bytes(people("1"))
    os.utime(os.fsencode(drop) + b"/\xff.csv", (OLD, OLD))
    put(drop, "good.csv", people("1"))
    found = watcher.look()
    assert (found.taken, found.refused) == (1, 2)
    assert len(told) == 2
    assert watcher.look().refused == 0, "told once"
    assert len(receipts(house)) == 1


def test_a_bad_file_leaves_the_others(house: House, watcher: Watcher, drop: Path) -> None:
    put(drop, "a.csv", people("1"))
    bad = put(drop, "b.bin", b"\x00\x01nothing we know")
    put(drop, "c.csv", people("3"))
    found = watcher.look()
    assert (found.taken, found.refused) == (2, 1)
    assert watcher.look().refused == 0
    put(drop, bad.name, people("2"), age=1800)  # repaired
    assert watcher.look().taken == 1


def test_a_changed_file_is_another_delivery(house: House, watcher: Watcher, drop: Path) -> None:
    put(drop, "a.csv", people("1"))
    assert watcher.look().taken == 1
    put(drop, "a.csv", people("1", "高血圧"), age=1800)
    assert watcher.look().taken == 1
    assert len(receipts(house)) == 2


def test_a_file_that_changes_while_it_is_copied_is_not_taken(
    house: House, watcher: Watcher, drop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = put(drop, "a.csv", people("1"))
    put(drop, "b.csv", people("2"))
    commit = Dropped.commit

    def growing(self: Dropped) -> Any:
        if self.path == "a.csv":
            with file.open("ab") as stream:
                stream.write(b"I,2,x\r\n")
        return commit(self)

    with monkeypatch.context() as patched:
        patched.setattr(Dropped, "commit", growing)
        found = watcher.look()
    assert (found.taken, found.unfinished) == (1, 1)
    os.utime(file, (OLD, OLD))
    assert watcher.look().taken == 1
    assert len(receipts(house)) == 2


def test_killed_between_bytes_and_receipt_nothing_is_lost_or_doubled(
    house: House, intake: Intake, watcher: Watcher, drop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gateway.record import watched

    for number in range(5):
        put(drop, f"{number}.csv", people(str(number)))
    note = watched.note

    def dying(*arguments: Any) -> None:
        note(*arguments)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(watched, "note", dying)
        with pytest.raises(KeyboardInterrupt):
            watcher.look()
    assert receipts(house) == []
    assert again(house, intake, drop).look().taken == 5
    assert again(house, intake, drop).look().taken == 0
    (receipt,) = receipts(house)
    assert len(files(house, receipt)) == 5


def test_taken_files_are_moved_where_the_operator_wants_that(
    house: House, intake: Intake, watcher: Watcher, drop: Path, tmp_path: Path
) -> None:
    away = tmp_path / "away"
    put(drop, "tree/a.csv", people("1"))
    bad = put(drop, "b.bin", b"\x00\x01nothing we know")
    watcher.moved_to = away
    assert watcher.look().taken == 1
    assert (away / "tree" / "a.csv").read_bytes() == people("1")
    assert not (drop / "tree" / "a.csv").exists()
    assert bad.exists(), "what was not taken stays"
    put(drop, "tree/a.csv", people("1", "二"), age=1800)
    assert watcher.look().taken == 1
    assert (away / "tree" / "a.csv.1").read_bytes() == people("1", "二")
    # Killed after its receipt and before it was moved: it is moved at the next look.
    put(drop, "c.csv", people("3"))
    watcher.moved_to = None
    assert watcher.look().taken == 1
    assert again(house, intake, drop, moved_to=away).look().taken == 0
    assert (away / "c.csv").exists()


def test_a_facility_that_may_not_deliver_loses_nothing(
    house: House, intake: Intake, watcher: Watcher, drop: Path
) -> None:
    put(drop, "a.csv", people("1"))
    with house.work() as work:
        facilities.suspend(work, "hospital-a", reason="x")
    with pytest.raises(NotPermitted):
        watcher.look()
    with house.work() as work:
        facilities.resume(work, "hospital-a", reason="x")
    assert watcher.look().taken == 1


def test_a_busy_store_loses_nothing(
    watcher: Watcher, drop: Path, intake: Intake, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(drop, "a.csv", people("1"))
    with monkeypatch.context() as patched:
        patched.setattr(Dropped, "commit", lambda _: (_ for _ in ()).throw(Busy("b", "b")))
        assert watcher.look().unfinished == 1
    assert watcher.look().taken == 1


def test_a_folder_that_vanished_is_said(watcher: Watcher, drop: Path) -> None:
    drop.rmdir()
    with pytest.raises(FileNotFoundError):
        watcher.look()
