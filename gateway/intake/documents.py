"""One document in: verified first, then filed, set aside, or refused (SIG-05, RD-23, J-06).

What is filed is the bytes the signature covers, not the bytes that came. A document whose
signature cannot be established now is kept apart and verified again.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from gateway.audit.door import Defect, Door
from gateway.errors import Busy, Invalid, Refusal, UntrustedSignature
from gateway.intake import content, papers, submitted
from gateway.intake import entry as entries
from gateway.intake.envelopes import is_envelope, refuse_detached
from gateway.intake.signed import Verifier
from gateway.intake.uploads import Arrival
from gateway.members import facilities
from gateway.model.audit import EventKind
from gateway.model.caller import Caller
from gateway.model.category import Source
from gateway.model.document import DocumentEntry
from gateway.model.signature import Indication, SignatureReport
from gateway.record import documents, reexamine, reports, senders, staging
from gateway.record.reexamine import WaitingDocument
from gateway.record.staging import ReceivedFile
from gateway.standardize.findings import refused
from gateway.standardize.names import safe_path
from gateway.store.blobs import Blob, Blobs
from gateway.store.work import Work


@dataclass(frozen=True, slots=True, kw_only=True)
class Filed:
    """What became of a document."""

    waiting: bool
    "Set aside: the signature cannot be established now."
    receipt: str
    file: ReceivedFile
    report: SignatureReport
    entry: DocumentEntry | None = None
    active: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The answer of `POST /documents` (`INTERFACES.md` section 7)."""
        told: dict[str, Any] = {
            "receipt": self.receipt,
            "files": [{"path": self.file.path, "sha256": self.file.sha256, "size": self.file.size}],
            "signature": self.report.as_json(),
        }
        if self.entry is not None:
            told["document"] = {
                "unique_id": self.entry.unique_id,
                "entry_uuid": self.entry.entry_uuid,
                "assurance": self.entry.assurance.value,
                "sha256": self.entry.sha256,
            }
        if self.active:
            told["active_content"] = list(self.active)
        return told


@dataclass(frozen=True, slots=True, kw_only=True)
class Filing:
    """Takes documents in."""

    door: Door
    blobs: Blobs
    verify: Verifier
    clock: Callable[[], datetime]

    def receive(self, caller: Caller, described: bytes, arrival: Arrival) -> Filed:
        """File a document, or set it aside; raises a Refusal with nothing of it kept.

        `Malformed` where the description is no JSON object (400); `UntrustedSignature` carries
        the report of a signature that is missing or does not verify.
        """
        now = self.clock()
        with self.door.work(EventKind.DOCUMENT_FILED, caller, reading=True) as work:
            found = entries.parse(described)
            entry = self._judge(work, found, arrival)
            report, active = self.establish(work, entry, arrival, now)
        blob = self.keep(arrival, report)
        received = ReceivedFile(path=arrival.path, sha256=blob.sha256, size=blob.size)
        if report.signed and not report.passed:
            return self._set_aside(caller, found, received, report, active)
        return self._file(caller, found, received, blob, report, active)

    def establish(
        self, work: Work, entry: DocumentEntry, arrival: Arrival, now: datetime
    ) -> tuple[SignatureReport, tuple[str, ...]]:
        """Who signed what came, and whether that is enough as far as it can be said now.

        The report, and words for what would act. Raises `UntrustedSignature` with the report.
        """
        with arrival.reader() as stream:
            enveloped = is_envelope(stream.read(content.HEAD))
            report, active = self.verify(Path(stream.name), at=now, received=now)
        if enveloped:
            refuse_detached(report)
            content.require(report.signed)
        work.trail.detail["verdict"] = report.indication.value
        if report.signed and report.indication is Indication.INVALID:
            raise _untrusted(report)
        documents.judge(work, entry, report)
        return report, active

    def keep(self, arrival: Arrival, report: SignatureReport) -> Blob:
        """Make the bytes durable that were verified."""
        blob = arrival.commit()
        if blob.sha256 != report.file_sha256:
            raise Invalid("the bytes changed", "内容が変わりました", at="content", rule="J-06")
        return blob

    def _judge(self, work: Work, found: dict[str, Any], arrival: Arrival) -> DocumentEntry:
        """Sender, description, name and kind: before anything is kept."""
        facility = entries.facility_of(found, work.caller.facility)
        senders.require(work, facility, Source.OTHER)
        described = entries.read(work, found, facilities.find(work, facility))
        work.trail.patients.add(described.source_patient)
        safe_path(arrival.path)
        content.look(described.mime_type, arrival)
        return described

    def _file(
        self,
        caller: Caller,
        found: dict[str, Any],
        received: ReceivedFile,
        blob: Blob,
        report: SignatureReport,
        active: tuple[str, ...],
    ) -> Filed:
        """File what the signature covers; an unsigned document as it came, and marked so."""
        covered = papers.covered(self.blobs, blob, report)
        try:
            with self.door.work(EventKind.DOCUMENT_FILED, caller) as work:
                receipt = self._received(work, found, received)
                entry = self._read(work, found, caller.facility, covered, blob.sha256)
                entry = documents.file_blob(work, entry, covered, report)
                file = receipt.files[0][0]
                reports.keep(work, file, report)
                reexamine.filed(work, file, received.path, entry.source_patient)
        except (Refusal, Defect):
            self.let_go(caller, blob.sha256, covered.sha256)
            raise
        return Filed(
            waiting=False, receipt=receipt.id, file=received, report=report, entry=entry,
            active=active,
        )  # fmt: skip

    def _set_aside(
        self,
        caller: Caller,
        found: dict[str, Any],
        received: ReceivedFile,
        report: SignatureReport,
        active: tuple[str, ...],
    ) -> Filed:
        """Keep it apart until its signature can be established."""
        with self.door.work(EventKind.DOCUMENT_FILED, caller) as work:
            receipt = self._received(work, found, received)
            reports.keep(work, receipt.files[0][0], report)
            reexamine.put(work, receipt.files[0][0], entries.chart_of(found), found)
        return Filed(waiting=True, receipt=receipt.id, file=received, report=report, active=active)

    def examine_again(self, caller: Callable[[], Caller], acting: Callable[[str], Caller]) -> int:
        """Verify again what was set aside; how many no longer wait.

        `acting` is the job as it acts for a facility.
        """
        if not self.door.snapshot(reexamine.any_due, max_age=0.0):
            return 0
        with self.door.work(EventKind.JOB, caller(), reading=True) as work:
            due = reexamine.due(work)
            work.trail.detail["due"] = len(due)
        return sum(self._examine(waited, acting(waited.facility)) for waited in due)

    def _examine(self, waited: WaitingDocument, caller: Caller) -> bool:
        if not waited.entry:
            with self.door.work(EventKind.INTAKE, caller) as work:
                reexamine.again(work, waited)
            return True
        now = self.clock()
        try:
            report, _ = self.verify(
                self.blobs.path(waited.sha256), at=now, received=waited.received
            )
        except Busy:
            return False
        if report.indication is Indication.UNVERIFIABLE and report.signed:
            with self.door.work(EventKind.DOCUMENT_FILED, caller) as work:
                reports.keep(work, waited.file, report)
                reexamine.still_waiting(work, waited.file)
            return False
        try:
            with self.door.work(EventKind.DOCUMENT_FILED, caller) as work:
                if not report.passed:
                    raise _untrusted(report)
                stored = Blob(sha256=waited.sha256, sha1="", size=0)
                covered = papers.covered(self.blobs, stored, report)
                if submitted.is_kept(waited.entry):
                    mime_type = submitted.file_kept(work, waited.entry, covered, report)
                    if covered.sha256 != waited.sha256:
                        inside = self.blobs.read(covered.sha256)
                        content.require(content.fits(mime_type, inside))
                else:
                    entry = self._read(work, waited.entry, waited.facility, covered, waited.sha256)
                    documents.file_blob(work, entry, covered, report)
                reports.keep(work, waited.file, report)
                reexamine.settle(work, waited)
        except Refusal as refusal:
            with self.door.work(EventKind.DOCUMENT_FILED, caller) as work:
                reports.keep_refused(work, waited.file, refusal)
                reexamine.settle(work, waited, (refused(refusal),))
        return True

    def _received(self, work: Work, found: dict[str, Any], file: ReceivedFile) -> staging.Receipt:
        facility = entries.facility_of(found, work.caller.facility)
        return staging.receive(work, facility=facility, source=Source.OTHER, files=[file])

    def _read(
        self, work: Work, found: dict[str, Any], caller: str, covered: Blob, came: str
    ) -> DocumentEntry:
        """The entry of what a signature covers of the bytes that came."""
        facility = facilities.find(work, entries.facility_of(found, caller))
        entry = entries.read(work, found, facility, covered.sha256)
        if covered.sha256 != came:
            content.require(content.fits(entry.mime_type, self.blobs.read(covered.sha256)))
        return entry

    def let_go(self, caller: Caller, *digests: str) -> None:
        """What was kept for a document that was then refused goes, if nothing else needs it."""
        with suppress(Refusal), self.door.work(EventKind.DOCUMENT_FILED, caller) as work:
            reexamine.let_go(work, set(digests))
            work.trail.detail["let_go"] = len(digests)


def _untrusted(report: SignatureReport) -> UntrustedSignature:
    return UntrustedSignature(
        "the signature does not verify", "署名を検証できません", report=report
    )
