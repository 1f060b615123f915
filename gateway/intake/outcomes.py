"""What became of a file of the queue, written in a Work of its own."""

from collections.abc import Sequence

from gateway.errors import Refusal
from gateway.intake import cutting
from gateway.intake.papers import Judged
from gateway.model.batch import Batch, Finding
from gateway.model.signature import SignatureReport
from gateway.record import papers as paper_record
from gateway.record import parts, reexamine, reports, staging
from gateway.record.papers import JudgedPaper
from gateway.record.staging import FileRow
from gateway.standardize.findings import refused
from gateway.store.work import Work

_INSIDE = "inside"
"Place of the report on what an envelope holds."


def wait(
    work: Work,
    file: FileRow,
    report: SignatureReport | None,
    found: tuple[Finding, ...],
    inside: SignatureReport | None = None,
) -> None:
    """A file waits until its signature can be established, or that of what is inside."""
    reports.keep(work, file.id, report)
    keep_inside(work, file, inside)
    reexamine.put_upload(work, file.id, found)


def set_aside(work: Work, file: FileRow, batch: Batch) -> None:
    """A file whose signature nobody here can ever verify: it is not tried again (RD-23)."""
    staging.set_aside(work, file.id, batch.findings)
    if batch.patient is not None:
        reexamine.about(work, file.id, batch.patient, batch.format)


def file_papers(
    work: Work, file: FileRow, found: Judged, around: SignatureReport | None = None
) -> None:
    """The items of a file and its documents, or that it waits for their signatures."""
    reports.keep(work, file.id, around)
    for at, one in found.reports:
        reports.keep(work, file.id, one, at)
    if not found.waiting:
        store(work, file, found.batch, documents=found.papers)
        return
    reexamine.put_upload(work, file.id, found.batch.findings)
    if found.batch.patient is not None:
        reexamine.about(work, file.id, found.batch.patient, found.batch.format)


def store(
    work: Work,
    file: FileRow,
    batch: Batch,
    report: SignatureReport | None = None,
    documents: Sequence[JudgedPaper] = (),
) -> None:
    """The items of a file, staged and shared as far as they may be, and its documents."""
    work.trail.objects.append(file.sha256)
    reports.keep(work, file.id, report)
    staged = staging.stage(work, file.id, batch, known=file, at_once=not batch.papers)
    work.trail.detail.update(state=staged.state, staged=staged.items)
    if not batch.keep:
        reexamine.let_go(work, {parts.forget(work, file)})
    paper_record.file(work, file, batch, documents, staged)
    if staged.person is not None:
        promoted = staging.promote(work, staged.person, staged.arrived)
        work.trail.detail["promoted"] = promoted.items


def store_inside(
    work: Work, file: FileRow, batch: Batch, around: SignatureReport, own: SignatureReport | None
) -> None:
    """The items of a file in an envelope; `own` is about a signature that it has itself."""
    store(work, file, batch, around)
    keep_inside(work, file, own)


def keep_inside(work: Work, file: FileRow, own: SignatureReport | None) -> None:
    """The report on what stands in an envelope; its bytes are the envelope's."""
    if own is not None:
        reports.keep(work, file.id, own, _INSIDE)
        reexamine.let_go(work, {own.file_sha256})


def refuse(work: Work, file: FileRow, refusal: Refusal) -> None:
    """A file, or a part of one, that is refused as a whole."""
    cutting.abandon(work, file)
    reports.keep_refused(work, file.id, refusal)
    staging.refuse_file(work, file.id, (refused(refusal),))
