"""What a sender is told where the fault is ours: a number, and nothing of what went wrong (G11)."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from gateway.demo.page import one_page
from tests.edge.peer import Sender, code, message
from tests.hostile import forms
from tests.hostile.site import UNLIMITED, Site, configure, free_port, serve
from tests.hostile.xua import equip
from tests.served import Templates

PAGE = one_page(("見本文書",))


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def site(
    tmp_path_factory: pytest.TempPathFactory, templates: Templates, port: int
) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("faults") / "installation"
    templates.copy("sqlite", folder)
    equip(folder)
    configure(folder, limits=UNLIMITED, mllp={"port": port})
    with serve(folder) as made:
        yield made


@contextmanager
def without(folder: Path, table: str) -> Iterator[None]:
    """A database that lacks a table: no state that the gateway expects."""
    with closing(sqlite3.connect(folder / "gateway.db", timeout=20)) as db:
        db.execute(f"ALTER TABLE {table} RENAME TO {table}_away")
        try:
            yield
        finally:
            db.execute(f"ALTER TABLE {table}_away RENAME TO {table}")


def test_a_message_is_answered_by_a_number_and_taken_afterwards(site: Site, port: int) -> None:
    sender = Sender(site.folder / "pki", port)
    with without(site.folder, "control_seen"):
        answer = sender.send(message("FAULT-1"))
    assert code(answer) == "AE 207"
    assert b"control_seen" not in answer
    assert b"SELECT" not in answer
    assert code(sender.send(message("FAULT-1"))) == "AA"
    sender.close()
    assert site.defects()


def test_an_upload_is_answered_by_a_number_and_taken_afterwards(site: Site) -> None:
    with without(site.folder, "upload"):
        answer = forms.upload(site, forms.laboratory("FAULT-2"))
    assert answer.status == 500
    told = json.loads(answer.body)
    assert set(told) == {"error", "incident"}
    assert told["error"] == "internal error"
    assert any(told["incident"] in line for line in site.defects())
    assert forms.upload(site, forms.laboratory("FAULT-2")).status == 202


def test_a_document_is_answered_by_a_number_and_the_door_stays_open(site: Site) -> None:
    with without(site.folder, "domain"):
        answer = forms.document(site, PAGE)
    assert answer.status == 500
    assert set(json.loads(answer.body)) == {"error", "incident"}
    assert forms.document(site, PAGE).status == 201
