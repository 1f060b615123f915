"""A document source of hospital-a, and the gateway it posts ITI-41 to."""

import base64
import hashlib
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import text

from conformance.submissions import LOINC, PROVIDE, Given, provide
from gateway import xca
from gateway.dispatch import Answer, Dispatch
from gateway.edge.brought import Brought
from gateway.hpki.verify import verify
from gateway.intake import Filing, Providing
from gateway.model.audit import EventKind
from gateway.model.document import DocumentEntry, DocumentQuery
from gateway.model.signature import SignatureReport
from gateway.record import disclose
from gateway.store.blobs import Blobs
from gateway.transaction import index
from gateway.wire import soap, xml
from gateway.wire.mtom import Part
from gateway.wire.schemas import Schemas
from tests import pki
from tests.record.house import CHARTS, House
from tests.shared import SHARED
from tests.xca.conftest import outcome

CX = CHARTS["hospital-a"].cx
PAGE = b"<ClinicalDocument>1</ClinicalDocument>"
DIAGNOSIS = {"type": (("11450-4", LOINC, "病名"),)}
PRESCRIPTION = {"type": (("57833-6", LOINC, "処方箋"),)}
SHA1 = hashlib.sha1(PAGE, usedforsecurity=False).hexdigest()
NONE: Mapping[str, bytes] = {}
KEPT = ("document", "held_document", "upload", "upload_file", "document_waiting", "message_seen")


def given(content: bytes = PAGE, **changes: Any) -> Given:
    """One document whose bytes stand inside of the message."""
    changes.setdefault("codes", DIAGNOSIS)
    changes.setdefault("unique_id", f"2.25.{uuid.uuid4().int}")
    inline = base64.b64encode(content).decode()
    return Given(patient=changes.pop("patient", CX), content=inline, **changes)


@dataclass
class Source:
    """A document source, and the gateway it posts to."""

    house: House
    blobs: Blobs
    schemas: Schemas | None
    lists: Sequence[Any] | None = None
    "Revocation lists of the verifier; None: those that are fresh."
    at: datetime = pki.NOW
    "When it verifies."

    def verify(
        self, file: Path, *, at: datetime, received: datetime
    ) -> tuple[SignatureReport, tuple[str, ...]]:
        return verify(file.read_bytes(), pki.policy(self.lists), at=self.at), ()

    @property
    def filing(self) -> Filing:
        return Filing(
            door=self.house.door, blobs=self.blobs, verify=self.verify, clock=lambda: pki.NOW
        )

    def post(
        self,
        payload: str,
        *,
        who: str = "hospital-a",
        id: str = "",
        parts: Mapping[str, bytes] = NONE,
    ) -> Answer:
        """Put one message through the dispatch, as its door would."""
        content = soap.write(
            action=PROVIDE, message_id=id or str(uuid.uuid4()), payload=payload.encode(),
            to="https://x/y",
        )  # fmt: skip
        message = soap.read(content, includes=(xml.clark("xds:Document"),))
        dispatch = Dispatch(
            door=self.house.door, table=index(xca.TRANSACTIONS), schemas=self.schemas,
            new_id=lambda: str(uuid.uuid4()), take=Providing(self.filing).take,
        )  # fmt: skip
        brought = Brought(self.blobs)
        for name, what in parts.items():
            sink = brought.open(Part(content_id=name, mime_type="text/xml"))
            sink.write(what)
            sink.close()
        brought.came({name: Part(content_id=name, mime_type="text/xml") for name in parts})
        transaction = dispatch.find("/repository", message)
        try:
            answer = dispatch.answer(
                transaction, message, self.house.caller(who), content=content + brought.digests,
                brought=brought,
            )  # fmt: skip
        finally:
            brought.abort()
        assert answer.mtom
        return answer

    def send(self, *documents: Given, **options: Any) -> tuple[str, list[str]]:
        """One submission: the status word, and the codes."""
        asked = {k: options.pop(k) for k in ("extra", "patient", "unique_id") if k in options}
        found = outcome(self.post(provide(documents, **asked), **options))
        return found[0], [code for code, _ in found[1]]

    def kept(self) -> dict[str, int]:
        with self.house.work() as work:
            return {
                table: work.db.execute(text(f"SELECT count(*) FROM {table}")).scalar_one()
                for table in KEPT
            }

    def found(self, **query: Any) -> tuple[DocumentEntry, ...]:
        with self.house.work("neighbour-n") as work:
            asked = DocumentQuery(patient=self.house.shared, **query)
            return disclose.find_documents(work, asked)

    def events(self, kind: EventKind = EventKind.PROVIDE) -> list[Any]:
        with self.house.work() as work:
            return list(
                work.db.execute(
                    text("SELECT outcome, content FROM audit_event WHERE kind = :kind"),
                    {"kind": kind.value},
                )
            )


def of(house: House) -> Source:
    with house.work() as work:
        blobs = work.blobs
    return Source(house, blobs, Schemas(SHARED / "ihe" / "schema") if SHARED else None)
