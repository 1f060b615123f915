"""A small region for tests: three facilities, a laboratory, a neighbour, one patient."""

import hashlib
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import Any

from gateway.audit.door import Door
from gateway.consent import enrolment
from gateway.identity import crossref, domains
from gateway.members import facilities
from gateway.members.facilities import ContractKind
from gateway.model.audit import EventKind
from gateway.model.batch import Batch, Item, SourcePosition
from gateway.model.caller import Caller, CallerKind
from gateway.model.category import Category, FacilityType, Source
from gateway.model.document import Code, Document, DocumentEntry
from gateway.model.identifiers import HomeCommunityId, Oid, PatientId, PersonId
from gateway.model.network import NetworkPolicy
from gateway.model.person import Demographics, Gender, PersonName, Script
from gateway.model.signature import Indication, SignatureReport
from gateway.record import receipts, staging
from gateway.record.staging import ReceivedFile, Staged
from gateway.store.work import Work

SHARED = Oid("2.999.20.1")
HOSPITAL, CLINIC, PHARMACY = Oid("2.999.30.1"), Oid("2.999.30.2"), Oid("2.999.30.3")
DOMAINS = {"hospital-a": HOSPITAL, "clinic-b": CLINIC, "pharmacy-c": PHARMACY}
TYPES = {
    "hospital-a": FacilityType.HOSPITAL, "clinic-b": FacilityType.CLINIC,
    "pharmacy-c": FacilityType.PHARMACY, "lab-d": FacilityType.LAB,
}  # fmt: skip
HANAKO = Demographics(
    names=(PersonName("山田", "花子"), PersonName("ヤマダ", "ハナコ", Script.KANA)),
    birth=date(1950, 1, 2),
    gender=Gender.FEMALE,
)
CHARTS = {
    "hospital-a": PatientId(HOSPITAL, "00001"),
    "clinic-b": PatientId(CLINIC, "501"),
    "pharmacy-c": PatientId(PHARMACY, "P-9"),
}


def item(
    category: Category = Category.LAB_RESULT, key: str = "k1", version: str = "1", text: str = "a",
    **more: Any,
) -> Item:  # fmt: skip
    """One item whose resource says `text`."""
    identity = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{key}{version}{text}"))
    resource = {
        "resourceType": "Observation", "id": identity, "status": "final", "code": {"text": text},
    }  # fmt: skip
    return Item(
        category=category, resource=resource, key=key, version=version,
        source=SourcePosition(file="f", at="OBX[1]"), **more,
    )  # fmt: skip


def unsigned(content: bytes) -> SignatureReport:
    """The report of a document without a signature."""
    return SignatureReport(
        file_sha256=hashlib.sha256(content).hexdigest(), indication=Indication.UNVERIFIABLE,
        signatures=(), verified_at=datetime(2026, 11, 21, tzinfo=UTC),
    )  # fmt: skip


@dataclass
class House:
    """Opens Works as one of its people, and does what the secretariat does."""

    door: Door
    policy: NetworkPolicy
    shared: PatientId = field(default=PatientId(SHARED, "0" * 16))

    @contextmanager
    def work(self, who: str = "secretariat", **changes: Any) -> Iterator[Work]:
        kind = changes.pop("kind", EventKind.ADMIN)
        reading = changes.pop("reading", False)
        with self.door.work(kind, self.caller(who, **changes), reading=reading) as opened:
            yield opened

    def caller(self, who: str, **changes: Any) -> Caller:
        if who == "secretariat":
            made = Caller(
                network="tgp", kind=CallerKind.OPERATOR, facility=who,
                facility_type=FacilityType.OTHER, subject="office", role=who, purpose="OPERATIONS",
            )  # fmt: skip
        elif who == "neighbour-n":
            made = Caller(
                network="tgp", kind=CallerKind.NEIGHBOUR, facility=who,
                facility_type=FacilityType.HOSPITAL, subject="dr@n", role="doctor",
                home=HomeCommunityId("2.999.10.2"), categories=self.policy.access.neighbours,
            )  # fmt: skip
        else:
            owned = frozenset({DOMAINS[who]}) if who in DOMAINS else frozenset()
            made = facilities.system_caller(
                facilities.Facility(name=who, type=TYPES[who]), network="tgp", domains=owned
            )
        return replace(made, **changes)

    def found(self) -> None:
        """Register everybody."""
        with self.work() as work:
            domains.declare(work, SHARED, kind="shared", pattern="[0-9]{16}")
            for name, kind in TYPES.items():
                facilities.register(work, name=name, type=kind, administrator="管理", title=name)
            for name, oid in DOMAINS.items():
                domains.declare(work, oid, kind="chart", facility=name)

    def custody(self, *names: str) -> None:
        with self.work() as work:
            for name in names:
                facilities.agree(work, ContractKind.CUSTODY, facility=name, starts=date(2026, 1, 1))

    def feed(self, *names: str, demographics: Demographics = HANAKO) -> None:
        for name in names:
            with self.work(name) as work:
                crossref.register(work, CHARTS[name], demographics)

    def enrol(self, *names: str, demographics: Demographics = HANAKO) -> PatientId:
        """Feed charts, enrol their person, link them; what waits moves."""
        self.feed(*names)
        with self.work() as work:
            self.shared = enrolment.enrol(
                work, demographics, signed_by="person", basis="treated_at_member_facility"
            )
        self.link(*names)
        return self.shared

    def link(self, *names: str) -> staging.Promoted:
        moved = staging.Promoted()
        for name in names:
            with self.work() as work:
                person = crossref.link(work, self.shared, CHARTS[name])
                moved = staging.promote(work, person)
        return moved

    def person(self, patient: PatientId | None = None) -> PersonId:
        with self.work() as work:
            return crossref.person_of(work, patient or self.shared)

    def upload(
        self, name: str, *items: Item, sender: str = "", path: str = "", content: bytes = b"",
        source: Source = Source.EMR, **batch: Any,
    ) -> tuple[str, Staged]:  # fmt: skip
        """Send one file, stage and promote it; the receipt and what became of it."""
        made = content or uuid.uuid4().bytes
        with self.work(sender or name) as work:
            blob = work.blobs.put_bytes(made)
            file = ReceivedFile(path=path or "x.hl7", sha256=blob.sha256, size=blob.size)
            receipt = staging.receive(work, facility=name, source=source, files=[file])
        values: dict[str, Any] = {
            "path": file.path, "format": "test", "patient": CHARTS.get(name), "items": items,
            "version": "1", **batch,
        }  # fmt: skip
        with self.work(sender or name) as work:
            staged = staging.stage(work, receipt.files[0][0], Batch(**values), at_once=True)
            if staged.person is not None:
                staging.promote(work, staged.person, staged.arrived)
        return receipt.id, staged

    def receipt(self, who: str, receipt: str) -> dict[str, Any]:
        with self.work(who, reading=True) as work:
            return receipts.receipt(work, receipt)


def entry(name: str = "hospital-a", **changes: Any) -> DocumentEntry:
    """The entry of a document that a facility files."""
    code = Code("x", "2.999.1", "x")
    made = DocumentEntry(
        entry_uuid=f"urn:uuid:{uuid.uuid4()}", unique_id=f"2.25.{uuid.uuid4().int}",
        repository=Oid("2.999.40.1"), home=HomeCommunityId("2.999.10.1"),
        patient=CHARTS[name], source_patient=CHARTS[name], title="検査報告書",
        category=Category.LAB_RESULT, class_code=code, type_code=code, format_code=code,
        facility_type=code, practice_setting=code, confidentiality=code,
        mime_type="application/pdf", language="ja-JP",
        created=datetime(2026, 11, 1, tzinfo=UTC), author="佐藤 一郎", facility=name,
    )  # fmt: skip
    return replace(made, **changes)


def document(content: bytes = b"%PDF-1.7 x", **changes: Any) -> Document:
    """A document about to be filed."""
    return Document(entry(**changes), content)
