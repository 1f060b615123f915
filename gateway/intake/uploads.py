"""One upload in, one receipt out; no sockets.

`receive` judges what came, makes its bytes durable and keeps its receipt (G4); `process` turns one
received file into staged and shared items, in one Work (`ARCHITECTURE.md` section 3). The upload
doors, the command line and the drop folder all come through here (STG-04).
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from gateway import standardize
from gateway.audit.door import Defect, Door
from gateway.errors import Busy, Invalid, Refusal
from gateway.identity import domains
from gateway.intake import cutting, signed
from gateway.intake.signed import Signatures
from gateway.model.audit import EventKind
from gateway.model.batch import Finding, Severity
from gateway.model.caller import Caller
from gateway.model.category import Source
from gateway.model.codebook import NO_CODES, CodeBook
from gateway.model.csv_mapping import CsvMapping
from gateway.model.signature import SignatureReport
from gateway.record import receipts, reexamine, senders, staging
from gateway.record.staging import ReceivedFile
from gateway.settings import LimitSettings
from gateway.standardize import archive
from gateway.standardize.archive import RefusedEntry
from gateway.standardize.findings import refused
from gateway.standardize.format import Upload
from gateway.standardize.names import safe_path
from gateway.store.blobs import Blob, Blobs, Damaged
from gateway.store.work import Work

logger = logging.getLogger(__name__)
_HEAD = 512
_LOOK = 1024 * 1024

_DEFECT = Finding(
    code="internal-error", severity=Severity.ERROR,
    text="an error of this gateway: the file is kept and tried again; the operator was told",
    japanese="ゲートウェイ内部の障害です。ファイルは保管され、再処理されます",
)  # fmt: skip
_LOST = Finding(
    code="bytes-damaged", severity=Severity.ERROR,
    text="the stored bytes are damaged: send the file again",
    japanese="保管したファイルが壊れています。再送してください",
)  # fmt: skip


class Arrival(Protocol):
    """One file as it came through a door, spooled and not yet kept."""

    @property
    def path(self) -> str:
        """Its name or path as the sender wrote it: data."""

    @property
    def in_tree(self) -> bool:
        """Whether `path` is a path inside a delivered tree."""

    def reader(self) -> BinaryIO:
        """Its bytes, to look at."""

    def commit(self) -> Blob:
        """Make its bytes durable."""


@dataclass(frozen=True, slots=True)
class OnDisk:
    """A file, an archive or a folder on a disk of ours, for the command line (STG-04)."""

    file: Path
    blobs: Blobs
    in_tree: bool = False

    @property
    def path(self) -> str:
        """The file's own name."""
        return self.file.name

    def reader(self) -> BinaryIO:
        """Its bytes, to look at."""
        return self.file.open("rb")

    def commit(self) -> Blob:
        """Copy its bytes into the store."""
        with self.reader() as stream:
            return self.blobs.put(iter(lambda: stream.read(_LOOK), b""))


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """Takes uploads in and works them through."""

    door: Door
    blobs: Blobs
    limits: LimitSettings
    new_id: Callable[[], str]
    mappings: Callable[[str], tuple[CsvMapping, ...]] = lambda facility: ()
    "The CSV mappings of a facility, by its name."
    codes: Callable[[str], CodeBook] = lambda facility: NO_CODES
    "The code masters and the map that a facility's files are read with."

    signatures: Signatures | None = None
    "Establishes the signatures that files carry; without it such a file waits."

    def receive(
        self,
        caller: Caller,
        arrivals: Sequence[Arrival],
        *,
        facility: str,
        source: Source,
        patient: str = "",
    ) -> dict[str, Any]:
        """Keep an upload whole or not at all; the JSON of the 202 (`INTERFACES.md` section 7).

        `patient` is the chart id that the sender states beside the files, for formats without one.

        Raises a Refusal where the sender may not deliver, a name or an archive is refused, a file
        is harmful, or none of our formats knows it.
        """
        with self.door.work(EventKind.UPLOAD, caller, reading=True) as work:
            # Before any byte is kept: what is refused here leaves nothing behind.
            work.trail.detail.update(judged=len(arrivals), facility=facility)
            senders.require(work, facility, source)
            if patient:
                patient = senders.read_stated(work, facility, patient)
            for arrival in arrivals:
                self._judge(arrival, self.mappings(facility))
        kept: list[ReceivedFile] = []
        unread: dict[int, Finding] = {}
        for arrival in arrivals:
            for file, finding in self._keep(arrival):
                if finding is not None:
                    unread[len(kept)] = finding
                kept.append(file)
        try:
            with self.door.work(EventKind.UPLOAD, caller) as work:
                receipt = staging.receive(
                    work, facility=facility, source=source, files=kept, patient=patient
                )
                for number, finding in unread.items():
                    staging.refuse_file(work, receipt.files[number][0], (finding,))
        except Refusal:
            with suppress(Refusal), self.door.work(EventKind.UPLOAD, caller) as work:
                reexamine.let_go(work, {file.sha256 for file in kept})
            raise
        return {
            "receipt": receipt.id,
            "files": [
                {"path": file.path, "sha256": file.sha256, "size": file.size}
                for _, file in receipt.files
            ],
        }

    def _judge(self, arrival: Arrival, mappings: tuple[CsvMapping, ...]) -> None:
        """Refuse a name, a harmful or unknown file, or an unsound archive, before it is kept."""
        if self._is_several(arrival):
            if not sum(1 for _ in self._entries(arrival)):
                raise Invalid("there is no file in it", "ファイルがありません", at="archive")
            return
        safe_path(arrival.path)
        with arrival.reader() as stream:
            for piece in overlapping(stream):
                standardize.refuse_harmful(piece)
            stream.seek(0)
            content = stream.read(cutting.LARGE)
        standardize.recognise(
            Upload(
                path=arrival.path, content=content, in_tree=arrival.in_tree, mappings=mappings
            )
        )  # fmt: skip

    def _keep(self, arrival: Arrival) -> Iterator[tuple[ReceivedFile, Finding | None]]:
        """Every file of an arrival in the blob store, with the finding of one that is not read."""
        if self._is_several(arrival):
            for entry in self._entries(arrival):
                yield self._keep_entry(entry)
        else:
            yield _received(arrival.path, arrival.commit()), None

    def _is_several(self, arrival: Arrival) -> bool:
        """Whether an arrival is an archive or a folder."""
        if isinstance(arrival, OnDisk) and arrival.file.is_dir():
            return True
        with arrival.reader() as stream:
            return archive.is_archive(stream.read(_HEAD))

    def _entries(self, arrival: Arrival) -> Iterator[Upload | RefusedEntry]:
        if isinstance(arrival, OnDisk) and arrival.file.is_dir():
            yield from archive.folder(arrival.file, self.limits)
            return
        with arrival.reader() as stream:
            yield from archive.entries(stream, self.limits)

    def _keep_entry(self, entry: Upload | RefusedEntry) -> tuple[ReceivedFile, Finding | None]:
        if isinstance(entry, Upload):
            return _received(entry.path, self.blobs.put_bytes(entry.content)), None
        # Its bytes are not read; the receipt names it, with the finding that says why.
        return _received(entry.path, self.blobs.put_bytes(b"")), entry.finding

    def process_waiting(self, caller: Callable[[], Caller], stopping: Callable[[], bool]) -> int:
        """Work through the next files that wait, one Work each; how many there were."""
        done = 0
        for file in self.door.snapshot(staging.waiting, max_age=0.0):
            if stopping():
                break
            self.process(caller(), file)
            done += 1
        return done

    def process(self, caller: Caller, file: staging.FileRow) -> None:
        """One received file: standardize, stage, promote; what became of it is in the receipt."""
        try:
            mappings = self.mappings(file.facility)
            upload = cutting.take(self.door, self.blobs, caller, file, mappings)
            if upload is None:
                return
            upload = replace(upload, codes=self.codes(file.facility))
            covering = signed.evidence(upload)
            report = self._report(file) if covering and self.signatures else None
        except Damaged:
            with self.door.work(EventKind.INTAKE, caller) as work:
                staging.set_aside(work, file.id, (_LOST,))
            return
        except OSError:  # one that cannot be read now must not hold up the queue (O-05)
            with self.door.work(EventKind.INTAKE, caller) as work:
                staging.failed(work, file.id, _DEFECT)
            return
        except Busy:
            raise
        except Refusal as refusal:
            self._refuse(caller, file, refusal)
            return
        try:
            with self.door.work(EventKind.INTAKE, caller) as work:
                if covering:
                    judged = signed.judge(work.policy.signature, report, covering)
                    if judged.waits:
                        reexamine.put_upload(work, file.id, (judged.finding,))
                        return
                    self._work_through(work, file, upload, judged.finding)
                else:
                    self._work_through(work, file, upload)
        except Busy:
            raise
        except Refusal as refusal:
            self._refuse(caller, file, refusal)
        except Defect:
            with self.door.work(EventKind.INTAKE, caller) as work:
                staging.failed(work, file.id, _DEFECT)

    def _refuse(self, caller: Caller, file: staging.FileRow, refusal: Refusal) -> None:
        """A file, or a part of one, that is refused as a whole."""
        with self.door.work(EventKind.INTAKE, caller) as work:
            cutting.abandon(work, file)
            staging.refuse_file(work, file.id, (refused(refusal),))

    def _report(self, file: staging.FileRow) -> SignatureReport:
        """Who signed a file, established outside of any Work."""
        received = self.door.snapshot(lambda db: staging.received_at(db, file), max_age=0.0)
        assert self.signatures is not None  # noqa: S101
        return self.signatures.report(self.blobs.path(file.sha256), received)

    def _work_through(
        self, work: Work, file: staging.FileRow, upload: Upload, *more: Finding
    ) -> None:
        work.trail.objects.append(file.sha256)
        upload = replace(
            upload, domain=domains.chart_domain(work, file.facility), patient=file.stated
        )
        chosen = standardize.format_named(file.format) if file.parent else None
        batch = standardize.read(upload, format=chosen)
        if more:
            batch = replace(batch, findings=(*more, *batch.findings))
        staged = staging.stage(work, file.id, batch)
        work.trail.detail.update(state=staged.state, staged=staged.items)
        if staged.person is not None:
            promoted = staging.promote(work, staged.person)
            work.trail.detail["promoted"] = promoted.items

    def receipt(self, caller: Caller, receipt: str) -> dict[str, Any]:
        """State of an upload; raises `NotFound` for anybody else's (G8)."""
        with self.door.work(EventKind.RECEIPT_READ, caller, reading=True) as work:
            found = receipts.receipt(work, receipt)
        if work.recorded is not None:
            work.recorded.result()
        return found


def _received(path: str, blob: Blob) -> ReceivedFile:
    return ReceivedFile(path=path, sha256=blob.sha256, size=blob.size)


def overlapping(stream: BinaryIO) -> Iterator[bytes]:
    """The whole stream in pieces that overlap, so that nothing hides at a cut."""
    tail = b""
    while piece := stream.read(_LOOK):
        yield tail + piece
        tail = piece[-128:]
