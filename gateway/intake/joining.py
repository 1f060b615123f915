"""Parts of data that was split over several symbols: kept until all are here, then read as one.

What is read of a part stays with that part's file: its items name its lines, and an erasure takes
its bytes. A part in any upload of the facility counts; the last one to come has all of them read.
"""

from dataclasses import dataclass, replace

from gateway import standardize
from gateway.errors import Refusal
from gateway.model.batch import Finding
from gateway.model.identifiers import PatientId
from gateway.record import staging, symbols
from gateway.record.staging import FileRow
from gateway.standardize.findings import finding, refused
from gateway.standardize.format import Upload
from gateway.standardize.symbols import Symbol, read_joined
from gateway.store.blobs import Blobs, Damaged
from gateway.store.work import Work


@dataclass(frozen=True, slots=True)
class Part:
    """A file that is one part of several."""

    file: FileRow
    upload: Upload
    symbol: Symbol
    blobs: Blobs

    @property
    def chart(self) -> PatientId | None:
        """The chart id that its sender states."""
        domain, stated = self.upload.domain, self.file.stated
        return PatientId(domain, stated) if domain and stated else None

    @property
    def patient(self) -> PatientId | None:
        """Whom it is about, as far as this part says it: the others may say more."""
        if self.chart is not None:
            return self.chart
        try:
            return standardize.read(self.upload).patient
        except Refusal:
            return None


def take_part(work: Work, part: Part, lost: Finding) -> None:
    """Take a part in; with the last one, standardize, stage and promote all of them."""
    work.trail.objects.append(part.file.sha256)
    symbol = part.symbol
    at = f"part {symbol.part} of {symbol.total}"
    files = symbols.arrive(
        work, part.file.id, part.chart, (symbol.id, symbol.part, symbol.total),
        found=finding("split-symbol", at), clash=finding("split-symbol-clash", at),
    )  # fmt: skip
    contents = []
    for file in files:
        try:
            contents.append(part.blobs.read(file.sha256))
        except Damaged:
            symbols.lost(work, file, lost)
            return  # this part waits in the queue and is taken in again
    if not files:
        return
    try:
        batches = read_joined(
            [
                replace(part.upload, path=file.path, content=content, patient=file.stated)
                for file, content in zip(files, contents, strict=True)
            ]
        )
    except Refusal as refusal:
        symbols.refuse(work, files, refused(refusal))
        return
    person = None
    for file, batch in zip(files, batches, strict=True):
        work.trail.objects.append(file.sha256)
        person = staging.stage(work, file.id, batch).person or person
    if person is not None:
        work.trail.detail["promoted"] = staging.promote(work, person).items
