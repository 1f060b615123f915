"""The documents of one submission in: judged and verified, then filed as one, or not at all.

ITI TF-2: 3.41.4.1.3. Each goes the way of `POST /documents` (`documents.py`): what is looked at,
verified, required, kept and set aside is the same; only the description comes from XDS metadata.
"""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from lxml import etree

from gateway.audit.door import tried
from gateway.errors import Invalid, Refusal
from gateway.intake import content, papers, submitted
from gateway.intake.documents import Filing
from gateway.intake.uploads import Arrival
from gateway.members import facilities
from gateway.model.audit import EventKind, Outcome
from gateway.model.caller import Caller
from gateway.model.category import Source
from gateway.model.document import DocumentEntry
from gateway.model.identifiers import PatientId
from gateway.model.signature import SignatureReport
from gateway.record import documents, reexamine, reports, senders, staging, submissions
from gateway.record.staging import ReceivedFile
from gateway.store.blobs import Blob
from gateway.store.work import Work
from gateway.wire.ebxml import RegistryError
from gateway.xca import packages
from gateway.xca.submission import Submission, Submitted

_PIECE = 1024 * 1024


class Brought(Protocol):
    """What came with a message: parts beside it, or base64 inside of it."""

    def arrival(self, document: etree._Element, name: str) -> Arrival:
        """What one `xds:Document` holds; raises `Malformed` (C-05), `OverLimit`."""

    def left(self) -> bool:
        """Whether a part came that no document holds."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One document that may be filed, or set aside."""

    told: Submitted
    entry: DocumentEntry
    arrival: Arrival
    report: SignatureReport

    @property
    def waits(self) -> bool:
        """Its signature cannot be established now."""
        return self.report.signed and not self.report.passed


@dataclass(slots=True, kw_only=True)
class Taken:
    """The documents of one submission, durable, until its Work files them; or why it will not."""

    submission: Submission
    filing: Filing
    caller: Caller
    patients: set[PatientId] = field(default_factory=set)
    judged: Sequence[Judged] = ()
    kept: list[tuple[Blob, Blob]] = field(default_factory=list)
    "Of each document what came, and what of it is filed."
    error: Exception | None = None
    settled: bool = False

    def file(self, work: Work) -> tuple[RegistryError, ...]:
        """File all of them in one Work; what the source is warned of. Raises why it will not be."""
        work.trail.patients |= self.patients
        work.trail.objects.append(self.submission.unique_id)
        if self.error is not None:
            raise self.error
        files = [
            ReceivedFile(path=one.arrival.path, sha256=came.sha256, size=came.size)
            for one, (came, _) in zip(self.judged, self.kept, strict=True)
        ]
        receipt = staging.receive(
            work, facility=work.caller.facility, source=Source.OTHER, files=files
        )
        for one, (_, covered), (file, _) in zip(self.judged, self.kept, receipt.files, strict=True):
            self._file_one(work, one, covered, file)
        waiting = [one.told.at for one in self.judged if one.waits]
        work.trail.detail |= {"documents": len(files), "set_aside": len(waiting)}
        self.settled = True
        return (*self.submission.warnings, *(_queued(at, receipt.id) for at in waiting))

    def _file_one(self, work: Work, one: Judged, covered: Blob, file: str) -> None:
        reports.keep(work, file, one.report)
        if one.waits:
            chart = one.entry.source_patient
            reexamine.put(work, file, chart, submitted.kept(one.entry, one.told))
            return
        with _at(one.told.at):
            entry = submissions.file(work, one.entry, covered, one.report, one.told.replaces)
        reexamine.filed(work, file, one.arrival.path, entry.source_patient)

    def let_go(self) -> None:
        """Give up the bytes of what was not filed, where nothing else needs them."""
        digests = {blob.sha256 for pair in self.kept for blob in pair}
        if digests and not self.settled:
            self.filing.let_go(self.caller, *sorted(digests))


def _queued(at: str, receipt: str) -> RegistryError:
    return packages.warning(
        "DocumentQueued",
        f"{at}: its signature cannot be verified now; it is verified again every hour and is not"
        f" found until then; see GET /uploads/{receipt}",
    )


@dataclass(frozen=True, slots=True)
class Providing:
    """Takes the documents of submissions in."""

    filing: Filing

    def take(self, caller: Caller, asked: Submission, brought: Brought) -> Taken:
        """Judge, verify and keep; what is wrong is raised by `file`, in the message's own Work."""
        taken = Taken(submission=asked, filing=self.filing, caller=caller)
        now = self.filing.clock()
        with self.filing.door.work(EventKind.INTAKE, caller, reading=True) as work:
            found = tried(lambda: self._judge(work, asked, brought, now))
            taken.patients |= work.trail.patients
            if isinstance(found, Exception):
                work.trail.outcome = Outcome.MINOR
                taken.error = found
                return taken
        taken.judged = found
        kept = tried(lambda: self._keep(taken))
        taken.error = kept if isinstance(kept, Exception) else None
        return taken

    def _judge(
        self, work: Work, asked: Submission, brought: Brought, now: datetime
    ) -> list[Judged]:
        """Everything that can be said before a byte is kept."""
        caller = work.caller.facility
        senders.require(work, caller, Source.OTHER)
        facility = facilities.find(work, caller)
        arrivals = [
            brought.arrival(element, f"document-{place}")
            for place, element in enumerate(asked.contents, 1)
        ]
        if brought.left():
            raise packages.refused("XDSMissingDocumentMetadata", "a part that no Document includes",
                                   "参照されていない添付があります")  # fmt: skip
        judged = []
        for told, arrival in zip(asked.documents, arrivals, strict=True):
            with _at(told.at):
                chart = submissions.chart(work, told.patient, told.source_patient)
                entry = submitted.entry_of(work, told, chart, facility)
                documents.require_owner(work, entry)
                _compare(told, arrival)
                content.look(entry.mime_type, arrival)
                report, _ = self.filing.establish(work, entry, arrival, now)
                submissions.judge(work, entry, report)
            judged.append(Judged(told, entry, arrival, report))
        return judged

    def _keep(self, taken: Taken) -> None:
        """Make all of them durable, and what of each its signature covers."""
        for one in taken.judged:
            came = self.filing.keep(one.arrival, one.report)
            taken.kept.append((came, came))
            if one.waits:
                continue
            with _at(one.told.at):
                covered = papers.covered(self.filing.blobs, came, one.report)
                taken.kept[-1] = (came, covered)
                if covered.sha256 != came.sha256:
                    blob = self.filing.blobs.read(covered.sha256)
                    content.require(content.fits(one.entry.mime_type, blob))


def _compare(told: Submitted, arrival: Arrival) -> None:
    """Stated hash and size are those of the bytes (C-10; FN-801, FN-802)."""
    digest, size = hashlib.sha1(usedforsecurity=False), 0
    with arrival.reader() as stream:
        while piece := stream.read(_PIECE):
            digest.update(piece)
            size += len(piece)
    same = told.hash_sha1 in ("", digest.hexdigest()) and told.size in (None, size)
    if not same:
        raise Invalid("hash or size is not that of the bytes",
                      "hashまたはsizeが内容と一致しません", at="hash",
                      rule="XDSRepositoryMetadataError", log="DOC-HASH")  # fmt: skip


@contextmanager
def _at(place: str) -> Iterator[None]:
    """What is refused inside is refused of that document."""
    try:
        yield
    except Refusal as refusal:
        if not refusal.at.startswith(place):
            refusal.at = f"{place}/{refusal.at}".rstrip("/")
        raise
