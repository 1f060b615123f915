"""The door: one event whatever happens, durable before anything is answered."""

import json
import logging
import threading
from dataclasses import replace

import pytest
from sqlalchemy import text

from gateway.audit.door import Defect, Door
from gateway.errors import Busy, Malformed, NotOwner, Refusal
from gateway.model.audit import EventKind, Outcome
from gateway.model.caller import Caller
from gateway.model.identifiers import Oid, PatientId
from gateway.store.audit import StoredEvent, select_recent
from gateway.store.database import Database

PATIENT = PatientId(Oid("2.999.30.1"), "0001")


def events(database: Database) -> list[StoredEvent]:
    with database.reading() as db:
        return select_recent(db)


def test_a_writing_work_commits_its_event_with_its_change(
    door: Door, database: Database, caller: Caller
) -> None:
    with door.work(EventKind.PATIENT_FEED, caller) as work:
        work.trail.patients.add(PATIENT)
        work.trail.rule = "PIX-01"
        assert events(database) == []
    (event,) = events(database)
    content = json.loads(event.content)
    assert (event.kind, event.outcome, event.request) == ("ITI-44", 0, "request-1")
    assert content["patients"] == [{"domain": "2.999.30.1", "value": "0001"}]
    assert content["rule"] == "PIX-01"
    assert content["actor"]["facility"] == "hospital-a"


def test_each_event_names_its_own_actor_whoever_the_last_was(
    door: Door, database: Database, caller: Caller
) -> None:
    other = replace(caller, facility="clinic-b", subject="somebody", home=None)
    several = [caller, other, caller, replace(caller), other, caller.asking("request-2")]
    for one in several:
        with door.work(EventKind.PATIENT_FEED, one):
            pass
    found = events(database)[::-1]
    told = [json.loads(one.content)["actor"] for one in found]
    assert [(one["facility"], one["subject"]) for one in told] == [
        (one.facility, one.subject) for one in several
    ]
    assert [one.request for one in found] == [one.request for one in several]
    for one, actor in zip(several, told, strict=True):
        assert actor["kind"] == one.kind.value
        assert actor["facility_type"] == one.facility_type.value
        assert actor["assurance"] == one.assurance.value
        assert actor["home"] == one.home


def test_a_reading_work_is_recorded_when_its_future_is_done(
    door: Door, database: Database, caller: Caller
) -> None:
    with door.work(EventKind.PIX_QUERY, caller, reading=True) as work:
        assert work.recorded is None
    assert work.recorded is not None
    work.recorded.result(timeout=10)
    assert [event.kind for event in events(database)] == ["ITI-45"]


@pytest.mark.parametrize("reading", [False, True], ids=["writing", "reading"])
@pytest.mark.parametrize(
    ("refusal", "outcome"),
    [
        pytest.param(Malformed("bad", at="PID-3"), Outcome.MINOR, id="bad input is minor"),
        pytest.param(NotOwner("no", log="AUTH-SPOOF"), Outcome.SERIOUS, id="forged is serious"),
    ],
)
def test_a_refusal_leaves_its_event_and_nothing_else(
    door: Door, database: Database, caller: Caller,
    refusal: Refusal, outcome: Outcome, reading: bool,
) -> None:  # fmt: skip
    with (
        pytest.raises(type(refusal)),
        door.work(EventKind.PATIENT_FEED, caller, reading=reading) as work,
    ):
        if not reading:
            work.db.execute(text("INSERT INTO audit_patient VALUES ('2.999', '1', 'a')"))
        raise refusal
    if work.recorded is not None:
        work.recorded.result(timeout=10)
    (event,) = events(database)
    content = json.loads(event.content)
    assert event.outcome == outcome.value
    assert content["detail"]["refused"] == refusal.code
    assert content["code"] == refusal.log
    with database.reading() as db:
        assert db.execute(text("SELECT count(*) FROM audit_patient")).scalar_one() == 0


@pytest.mark.parametrize("reading", [False, True], ids=["writing", "reading"])
def test_a_defect_is_an_incident_without_its_values(
    door: Door, database: Database, caller: Caller, reading: bool, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        caplog.at_level(logging.ERROR),
        pytest.raises(Defect) as caught,
        door.work(EventKind.VIEW, caller, reading=reading) as work,
    ):
        raise KeyError("山田花子")
    if work.recorded is not None:
        work.recorded.result(timeout=10)
    (event,) = events(database)
    assert event.outcome == Outcome.MAJOR.value
    assert json.loads(event.content)["incident"] == caught.value.incident
    assert caught.value.incident in caplog.text
    assert "山田" not in caplog.text + event.content


def test_readings_are_committed_together(door: Door, database: Database, caller: Caller) -> None:
    """While the writer waits for the database, all that comes goes into one commit."""
    futures = []
    with database.writing() as blocker:  # holds SQLite's writer; harmless on PostgreSQL
        blocker.execute(text("SELECT 1"))
        for _ in range(50):
            with door.work(EventKind.PIX_QUERY, caller, reading=True) as work:
                pass
            futures.append(work.recorded)
    for future in futures:
        assert future is not None
        future.result(timeout=10)
    assert len(events(database)) == 50


def test_nothing_is_disclosed_when_the_audit_cannot_be_written(
    door: Door, database: Database, caller: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    with database.writing() as db:
        db.execute(text("ALTER TABLE audit_event RENAME TO away"))
    with door.work(EventKind.PIX_QUERY, caller, reading=True) as work:
        pass
    assert work.recorded is not None
    with pytest.raises(Busy) as caught:
        work.recorded.result(timeout=10)
    assert caught.value.log == "AUDIT-STOP"
    with database.writing() as db:
        db.execute(text("ALTER TABLE away RENAME TO audit_event"))
    with door.work(EventKind.PIX_QUERY, caller, reading=True) as work:
        pass
    assert work.recorded is not None
    work.recorded.result(timeout=10)  # the writer goes on when the store is back


def test_a_flood_of_equal_refusals_is_counted_and_folded(
    door: Door, database: Database, caller: Caller
) -> None:
    for _ in range(250):
        door.refuse_at_edge(EventKind.SECURITY_ALERT, caller, code="LIMIT", outcome=Outcome.MINOR)
    for _ in range(150):
        door.refuse_at_edge(
            EventKind.SECURITY_ALERT, caller, code="SIG-WRAP", outcome=Outcome.SERIOUS
        )
    door.close()
    with database.reading() as db:
        found = [json.loads(event.content) for event in select_recent(db, 1000)]
    assert sum(content["code"] == "LIMIT" for content in found) == 101
    assert sum(content["code"] == "SIG-WRAP" for content in found) == 150
    assert max(content["detail"].get("repeated", 0) for content in found) == 200


def test_works_of_many_threads_do_not_mix(door: Door, database: Database, caller: Caller) -> None:
    def run(number: int) -> None:
        for step in range(10):
            with door.work(EventKind.PATIENT_FEED, caller) as work:
                work.trail.detail["mark"] = f"{number}-{step}"

    threads = [threading.Thread(target=run, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    marks = {json.loads(event.content)["detail"]["mark"] for event in events(database)}
    assert len(marks) == 80
