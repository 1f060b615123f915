"""What the files of one turn are asked once, and written together: the same as one by one."""

from collections import Counter
from itertools import count
from threading import Thread
from typing import Any

import pytest

from gateway.audit.door import Group
from gateway.identity import crossref
from gateway.intake.uploads import Intake
from gateway.model.audit import EventKind
from gateway.model.identifiers import PatientId, PersonId
from gateway.record import queue, staging
from gateway.store import audit
from gateway.store.record import items
from tests.intake import test_turns
from tests.intake.test_turns import everything, files, people, send, turn
from tests.record.house import CHARTS, HANAKO, HOSPITAL, House

plain = test_turns.plain
pytestmark = pytest.mark.usefixtures("plain")


@pytest.fixture
def groups(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether the Works of each group are kept apart."""
    seen: list[bool] = []
    init = Group.__init__

    def noting(self: Group, *arguments: Any, apart: bool) -> None:
        seen.append(apart)
        init(self, *arguments, apart=apart)

    monkeypatch.setattr(Group, "__init__", noting)
    return seen


def outcomes(house: House) -> Counter[int]:
    """How many events of intake ended how."""
    with house.work(reading=True) as work:
        found = audit.select_recent(work.db, 200)
    return Counter(one.outcome for one in found if one.kind == EventKind.INTAKE.value)


def states(house: House, receipt: str) -> list[tuple[str, int]]:
    return [(one["state"], one["items"]["staged"]) for one in files(house, receipt)]


def test_files_that_are_well_are_written_once_and_not_apart(
    house: House, intake: Intake, groups: list[bool]
) -> None:
    house.custody("hospital-a")
    receipt = send(house, intake, "hospital-a", *(people(str(n)) for n in range(1, 5)))
    before = outcomes(house)
    assert turn(house, intake) == 4
    assert groups == [False]
    assert states(house, receipt) == [("standardized", 1)] * 4
    assert outcomes(house) - before == {0: 4}


def test_a_turn_is_one_request_at_one_moment_and_the_next_another(
    house: House, intake: Intake
) -> None:
    house.custody("hospital-a")
    asked = (house.caller("secretariat").asking(f"request-{n}") for n in count())
    for day in ("1", "2"):
        send(house, intake, "hospital-a", *(people(day + str(n)) for n in range(3)))
        assert intake.process_waiting(lambda: next(asked), lambda: False) == 3
    with house.work(reading=True) as work:
        found = audit.select_recent(work.db, 200)
    told = [(one.request, one.at) for one in found if one.kind == EventKind.INTAKE.value]
    assert Counter(request for request, _ in told) == {"request-0": 3, "request-1": 3}
    assert len({*told}) == 2


def test_one_that_cannot_be_read_is_apart_from_the_start(
    house: House, intake: Intake, groups: list[bool]
) -> None:
    house.custody("hospital-a")
    receipt = send(house, intake, "hospital-a", people("1"), people("broken"), people("2"))
    before = outcomes(house)
    assert turn(house, intake) == 3
    assert groups == [True]
    assert states(house, receipt) == [("standardized", 1), ("refused", 0), ("standardized", 1)]
    assert outcomes(house) - before == {0: 3, 4: 1}


def test_one_that_cannot_be_written_is_found_and_the_others_are_written_once(
    house: House, intake: Intake, groups: list[bool], monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    stage = staging.stage

    def staging_(work: Any, file: str, batch: Any, **more: Any) -> Any:
        done = stage(work, file, batch, **more)
        if "書けない" in str(batch.items):
            raise KeyError("a defect")
        return done

    monkeypatch.setattr(staging, "stage", staging_)
    house.custody("hospital-a")
    receipt = send(
        house, intake, "hospital-a", people("1", "一"), people("2", "書けない"), people("3", "三")
    )
    before = outcomes(house)
    assert turn(house, intake) == 3
    assert groups == [False, True]
    assert states(house, receipt) == [("standardized", 1), ("received", 0), ("standardized", 1)]
    assert outcomes(house) - before == {0: 3, 12: 1}, "each file's event once"
    assert sum("incident" in one.getMessage() for one in caplog.records) == 1


def test_the_same_file_twice_in_one_turn_is_taken_once(house: House, intake: Intake) -> None:
    house.custody("hospital-a")
    first = send(house, intake, "hospital-a", people("1"), people("2"))
    clock: Any = house.door.clock
    clock.advance(seconds=1)
    again = send(house, intake, "hospital-a", people("1"), people("2", "別"))
    assert turn(house, intake) == 4
    assert states(house, first) == [("standardized", 1), ("standardized", 1)]
    assert states(house, again)[0] == ("duplicate", 0)
    later = send(house, intake, "hospital-a", people("1"))
    everything(house, intake)
    assert states(house, later) == [("duplicate", 0)]


def test_two_files_of_one_chart_in_one_turn_see_each_other(house: House, intake: Intake) -> None:
    """The first finds the chart empty; what it writes is a duplicate in the second (STG-04)."""
    house.custody("hospital-a")
    receipt = send(house, intake, "hospital-a", people("1"), people("1"), people("2"))
    assert turn(house, intake) == 3
    assert states(house, receipt) == [
        ("standardized", 1), ("standardized", 0), ("standardized", 1),
    ]  # fmt: skip


def test_a_feed_that_comes_while_a_turn_is_written_is_not_missed(
    house: House, intake: Intake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The chart is nobody's when the turn begins, and a participant's when it ends."""
    house.custody("hospital-a")
    end = queue.end
    feeds = Thread(target=house.enrol, args=("hospital-a",))

    def ending(db: Any, *arguments: Any, **more: Any) -> None:
        end(db, *arguments, **more)
        feeds.start()
        if db.dialect.name != "sqlite":
            feeds.join(20)  # on SQLite a writing transaction is alone: the feed waits until it ends
            assert not feeds.is_alive()

    monkeypatch.setattr(queue, "end", ending)
    receipt = send(house, intake, "hospital-a", people("00001"), people("2"))
    assert turn(house, intake) == 2
    feeds.join(20)
    with house.work(reading=True) as work:
        person = crossref.known(work, CHARTS["hospital-a"]) or PersonId("")
        found = [select(work.db, person) for select in (items.select_items, items.select_staged)]
    assert [len(one) for one in found] == [1, 0], "shared, and nothing waits"
    assert states(house, receipt)[1] == ("standardized", 1), "of nobody: kept under custody"


def test_a_person_is_known_to_the_turn_and_shares(house: House, intake: Intake) -> None:
    """Of three charts one is of a participant, one of a person who is not one, one of nobody."""
    house.custody("hospital-a")
    house.enrol("hospital-a")
    with house.work("hospital-a") as work:
        crossref.register(work, PatientId(HOSPITAL, "2"), HANAKO)
    receipt = send(house, intake, "hospital-a", people("00001"), people("2"), people("3"))
    assert turn(house, intake) == 3
    found = [(one["items"]["staged"], one["items"]["promoted"]) for one in files(house, receipt)]
    assert found == [(0, 1), (1, 0), (1, 0)]
