"""The comparison after a kill: what was acknowledged is there, once, whole, and on record."""

import json
import time
from collections import Counter
from contextlib import closing
from typing import Any

from sqlalchemy import text

from conformance import messages
from gateway import settings
from gateway.audit import chain
from gateway.store.blobs import blobs_from_url
from gateway.store.database import Database
from tests.reliability.installation import Installation, Server, logged
from tests.reliability.load import CLINIC, Load, Sent

_DONE_SECONDS = 60.0
_ACK = "//hl7:acknowledgement/hl7:typeCode/@code"


def by_wire(server: Server, load: Load, patience: float = _DONE_SECONDS) -> None:
    """As a client sees it: every receipt is readable and goes on to done, every feed is known."""
    with server.client("hospital-a") as client:
        for sent in load.of("upload", "file", "document", "submission"):
            assert sent.acked or sent.gives_up, (sent.kind, sent.refused)
            for receipt in sent.receipts:
                found = _done(client, receipt, patience)
                told = [file["sha256"] for file in found["files"]]
                assert told == list(sent.hashes), sent.kind
                states = {file["state"] for file in found["files"]}
                assert states <= {"standardized", "duplicate"}, found
    with server.client("clinic-b") as client:
        for sent in load.of("feed"):
            if sent.gives_up and not sent.acked:
                continue
            assert sent.acked, sent.refused
            answer = client.soap("/pix", messages.PIX_QUERY, messages.pix_query(CLINIC, sent.key))
            assert answer.values(_ACK) == ["AA"], sent.key
    assert not logged(server), logged(server)[-3:]


def _done(client: Any, receipt: str, patience: float) -> Any:
    until = time.monotonic() + patience
    while True:
        answer = client.request("GET", f"/uploads/{receipt}")
        assert answer.status == 200, (receipt, answer.status)
        found = json.loads(answer.body)
        if found["state"] == "done":
            return found
        assert time.monotonic() < until, f"not worked through: {found}"
        time.sleep(0.1)


def in_store(made: Installation, load: Load) -> dict[str, int]:
    """As the disk has it, with nobody serving: counts, for the line that is printed."""
    found = settings.load(made.config)
    blobs = blobs_from_url(found.blobs.url)
    with closing(Database(found.database.url)) as database, database.reading() as db:
        rows = _Rows(db)
        assert not list((made.blobs / "temporary").iterdir()), "temporary files were left"
        kept = set(blobs.each())
        named = rows.column("SELECT sha256 FROM upload_file")
        documents = rows.column("SELECT sha256 FROM held_document") + rows.column(
            "SELECT sha256 FROM document"
        )
        for sha256 in {*named, *documents}:
            assert blobs.verify(sha256), f"no good bytes for {sha256[:12]}"
        assert not kept - set(named) - set(documents), "bytes that nothing refers to"
        receipts = set(rows.column("SELECT receipt FROM upload"))
        assert receipts == set(rows.column("SELECT receipt FROM upload_file")), "half a receipt"
        assert {one for sent in load.sent for one in sent.receipts} <= receipts
        charts = {sent.key for sent in load.sent}
        _once(rows, charts)
        _documents(rows, load)
        verified = chain.verify(db, found.audit.checkpoints)
        assert verified.good, verified
        _on_record(rows, load.sent)
        return {"receipts": len(receipts), "blobs": len(kept), "events": verified.sealed}


def _once(rows: "_Rows", charts: set[str]) -> None:
    """No item twice, no correction made of a repetition, four items at least of each storage."""
    items = rows.all("SELECT domain, value, key, version FROM staged_item")
    mine = [row for row in items if row[1] in charts]
    doubled = [row for row, count in Counter(mine).items() if count > 1]
    assert not doubled, doubled[:3]
    assert not [row for row in mine if "~" in row[3]], "a repetition was taken for a correction"


def _documents(rows: "_Rows", load: Load) -> None:
    found = Counter(rows.column("SELECT sha256 FROM held_document WHERE file = ''"))
    sent = {one.hashes[0]: one for one in load.of("document", "submission")}
    assert all(count == 1 for count in found.values()), "a document twice"
    assert {sha256 for sha256, one in sent.items() if one.acked} <= found.keys() <= sent.keys()


def _on_record(rows: "_Rows", sent: list[Sent]) -> None:
    """Every acknowledgement has its event (G4): by receipt, or by message."""
    told = "\n".join(rows.column("SELECT content FROM audit_event"))
    for one in sent:
        for word in (*one.receipts, *((one.message,) if one.acked and one.message else ())):
            assert word in told, f"{one.kind} {word} is not on record"


class _Rows:
    """Plain statements on one connection."""

    def __init__(self, db: Any) -> None:
        self._db = db

    def all(self, statement: str) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in self._db.execute(text(statement))]

    def column(self, statement: str) -> list[str]:
        return [str(row[0]) for row in self.all(statement)]
