"""The chain: every single change is found, the right record named, no false alarm (R-14)."""

import json
import random
import shutil
from pathlib import Path

import pytest
from sqlalchemy import text

from gateway.audit import chain
from gateway.audit.door import Door
from gateway.model.audit import EventKind
from gateway.model.caller import Caller
from gateway.store.database import Database
from tests.conftest import Clock

SIZE = 60


@pytest.fixture
def sealed(door: Door, database: Database, caller: Caller, clock: Clock, tmp_path: Path) -> Path:
    """A chain of `SIZE` records with a checkpoint; returns the checkpoint folder."""
    folder = tmp_path / "audit"
    chain.make_key(folder)
    for _ in range(SIZE):
        with door.work(EventKind.PATIENT_FEED, caller):
            pass
    with database.writing() as db:
        assert chain.seal(db) == SIZE
    with database.writing() as db:
        chain.checkpoint(db, folder, clock())
    return folder


def _unprotect(database: Database) -> None:
    """What somebody with the database's administrator rights would do first."""
    with database.writing() as db:
        for table in ("audit_event", "audit_seal"):
            if database.kind == "sqlite":
                for verb in ("update", "delete"):
                    db.execute(text(f"DROP TRIGGER {table}_no_{verb}"))
            else:
                db.execute(text(f"DROP TRIGGER {table}_append_only ON {table}"))


def test_a_good_chain_is_good(database: Database, sealed: Path) -> None:
    with database.reading() as db:
        found = chain.verify(db, sealed)
    assert found.good
    assert (found.sealed, found.unsealed) == (SIZE, 0)


def test_what_is_not_sealed_yet_is_counted(
    door: Door, database: Database, caller: Caller, sealed: Path
) -> None:
    with door.work(EventKind.VIEW, caller):
        pass
    with database.reading() as db:
        found = chain.verify(db, sealed)
        assert found.good
        assert found.unsealed == chain.unsealed(db) == 1


_CHANGES = {
    "content": "UPDATE audit_event SET content = content || ' ' WHERE id = {id}",
    "time": "UPDATE audit_event SET at = '2020' WHERE id = {id}",
    "outcome": "UPDATE audit_event SET outcome = 8 WHERE id = {id}",
    "facility": "UPDATE audit_event SET facility = 'x' WHERE id = {id}",
    "hash": "UPDATE audit_seal SET hash = 'x' WHERE sequence = {n}",
    "event deleted": "DELETE FROM audit_event WHERE id = {id}",
    "link deleted": "DELETE FROM audit_seal WHERE sequence = {n}",
}


@pytest.mark.parametrize("change", _CHANGES, ids=list(_CHANGES))
def test_a_single_change_is_found_and_named(database: Database, sealed: Path, change: str) -> None:
    _unprotect(database)
    number = random.Random(change).randrange(1, SIZE - 1)  # noqa: S311
    with database.reading() as db:
        statement = text("SELECT event FROM audit_seal WHERE sequence = :n")
        identifier = db.execute(statement, {"n": number}).scalar_one()
    with database.writing() as db:
        db.execute(text(_CHANGES[change].format(id=identifier, n=number)))
    with database.reading() as db:
        found = chain.verify(db, sealed)
    assert not found.good
    assert found.bad == number


def test_swapped_records_are_found(database: Database, sealed: Path) -> None:
    _unprotect(database)
    with database.writing() as db:
        for old, new in ((10, -1), (20, 10), (-1, 20)):
            db.execute(
                text("UPDATE audit_event SET id = :new WHERE id = :old"), {"old": old, "new": new}
            )
    with database.reading() as db:
        assert chain.verify(db, sealed).bad == 10


def test_a_cut_tail_is_found_by_the_checkpoint(database: Database, sealed: Path) -> None:
    _unprotect(database)
    with database.writing() as db:
        db.execute(text("DELETE FROM audit_seal WHERE sequence > 50"))
        db.execute(text("DELETE FROM audit_event WHERE id > 50"))
    with database.reading() as db:
        assert chain.verify(db).good  # the database alone cannot tell
        found = chain.verify(db, sealed)
    assert not found.good
    assert "tail" in found.reason


def test_a_chain_computed_anew_is_found_by_the_checkpoint(database: Database, sealed: Path) -> None:
    _unprotect(database)
    with database.writing() as db:
        db.execute(text("UPDATE audit_event SET facility = 'x' WHERE id = 5"))
        db.execute(text("DELETE FROM audit_seal"))
        chain.seal(db)
    with database.reading() as db:
        assert chain.verify(db).good
        assert not chain.verify(db, sealed).good


def test_a_forged_checkpoint_is_found(database: Database, sealed: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(sealed, copy)
    path = copy / "checkpoints.jsonl"
    body = json.loads(path.read_text())
    path.write_text(json.dumps({**body, "sequence": 3}) + "\n")
    with database.reading() as db:
        assert chain.verify(db, copy).reason == "a checkpoint is forged"
        path.write_text("not json\n")
        assert not chain.verify(db, copy).good
