"""Documents that came among uploads: filed with their file, or their file waits (SIG-05, RD-23).

The rules are those of the document door (`documents.file_blob`); only the description comes from
the file's reader instead of the sender.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gateway.errors import Busy, NotFound
from gateway.members import facilities
from gateway.model.batch import Batch
from gateway.model.document import DocumentEntry, Paper, derived_unique_id
from gateway.model.identifiers import PatientId
from gateway.model.signature import SignatureReport
from gateway.record import documents, entries, evidence, removal
from gateway.record.removal import Removed
from gateway.record.staging import Staged
from gateway.store.blobs import Blob, Damaged
from gateway.store.record import documents as document_rows
from gateway.store.record import items, lock_blobs, scopes, uploads
from gateway.store.record.uploads import FileRow, UploadRow
from gateway.store.work import Work
from gateway.wire import fhir


@dataclass(frozen=True, slots=True)
class JudgedPaper:
    """A document, the stored bytes that are filed, and what verification found."""

    paper: Paper
    blob: Blob
    report: SignatureReport


def file(
    work: Work, row: FileRow, batch: Batch, judged: Sequence[JudgedPaper], staged: Staged
) -> int:
    """File the documents of one file that was staged; how many. Raises what `file_blob` raises.

    A file that came twice, was refused or set aside has none to file. Where its source replaces and
    deletes documents, the one that the file's item names stands, and the others are retired.
    """
    patient = batch.patient
    if patient is None or not batch.papers or staged.state != uploads.STANDARDIZED:
        return 0
    lock_blobs(work.db, removing=False)
    upload = uploads.select_upload(work.db, row.receipt)
    if upload is None:
        raise NotFound("no such upload", "受付番号が見つかりません")
    count = 0
    for one in judged:
        try:
            work.blobs.path(one.blob.sha256)
        except Damaged as error:  # let go of by another upload meanwhile: verified and kept anew
            raise Busy("the bytes are not here", "再処理します", at="content") from error
        entry = _entry(work, upload, patient, one)
        documents.file_blob(work, entry, one.blob, one.report, series=one.paper.key)
        count += 1
    _retire(work, patient, {paper.key for paper in batch.papers if paper.key})
    if count:
        work.trail.detail["documents"] = count
    return count


def _retire(work: Work, patient: PatientId, keys: Iterable[str]) -> None:
    """Let of each series stand what the newest version of its item names, and nothing else.

    A document that is shared is deprecated, like those made of the record; one that is held goes.
    """
    for key in sorted(keys):
        named = _named(work, patient, key)
        shared, held = document_rows.select_series(work.db, patient.domain, patient.value, key)
        for one in shared:
            if one.unique_id != named:
                document_rows.insert_deprecation(work.db, one.entry_uuid, work.now)
        gone = [one for one in held if one.unique_id != named]
        document_rows.delete_documents(work.db, [one.entry_uuid for one in gone], held=True)
        removal.let_go(work, {one.sha256 for one in gone}, Removed())
        evidence.forget(work, (one.entry_uuid for one in gone))


def _named(work: Work, patient: PatientId, key: str) -> str:
    """The unique id of the document that an item states; empty where it is deleted."""
    chart = (patient.domain, patient.value)
    _, cancelled, _ = scopes.select_scope(work.db, *chart, key).get(key, ("", True, ""))
    versions = items.select_versions(work.db, *chart, [key]).get(key, {})
    if cancelled or not versions:
        return ""
    content = fhir.loads(versions[max(versions)])
    identifier = content["resource"].get("masterIdentifier", {})
    return str(identifier.get("value", "")).removeprefix("urn:oid:")


def _entry(work: Work, upload: UploadRow, patient: PatientId, judged: JudgedPaper) -> DocumentEntry:
    """The entry; without an id of its own, its id is made of the chart id and its bytes (STG-04).

    So the same bytes are one document, whatever the file was called and by which way it came.
    """
    facility = facilities.find(work, upload.facility)
    paper = judged.paper
    return DocumentEntry(
        entry_uuid=f"urn:uuid:{work.new_id()}",
        unique_id=paper.unique_id
        or derived_unique_id(patient.domain, patient.value, judged.blob.sha256),
        repository=work.community.repository,
        home=work.community.home,
        patient=patient,
        source_patient=patient,
        title=paper.title,
        category=paper.category,
        class_code=paper.class_code,
        type_code=paper.type_code,
        format_code=paper.format_code or entries.SUFFICIENT,
        facility_type=entries.FACILITY_CODES[facility.type],
        practice_setting=entries.GENERAL,
        confidentiality=entries.NORMAL,
        mime_type=paper.mime_type,
        language=paper.language,
        created=paper.created or upload.received,
        service_start=paper.service_start,
        service_stop=paper.service_stop,
        author=paper.author,
        author_institution=paper.author_institution or facility.title,
        facility=upload.facility,
        source_system=upload.source,
    )
