"""Documents as a source describes them for XDS: whose they are, and what they replace (ITI-41).

Filed by the rules of every document (`documents.file_blob`). Whatever of the patient or of what is
replaced a source may not hear of reads as if it were not there (`security.md` G8).
"""

from collections.abc import Sequence

from gateway.errors import Inconsistent, Invalid
from gateway.identity import crossref
from gateway.model.document import DocumentEntry
from gateway.model.identifiers import PatientId
from gateway.model.signature import SignatureReport
from gateway.record import documents
from gateway.store.blobs import Blob
from gateway.store.record import documents as rows
from gateway.store.record import lock_unique
from gateway.store.work import Work

UNRESOLVED = "UnresolvedReferenceException"
DEPRECATED = "XDSRegistryDeprecatedDocumentError"
METADATA = "XDSRegistryMetadataError"
"Error codes of ITI TF-3: 4.2.4.1, as the rules that refuse here."


def chart(work: Work, patient: PatientId, source: PatientId | None) -> PatientId:
    """The chart that a document is about: sourcePatientId, or patientId where there is none.

    A patientId beside it is that chart too, or the shared id of the same person (ITI TF-3:
    4.2.3.2.16). Raises `UnknownPatient`; whose chart it is, filing judges.
    """
    stated = source or patient
    work.trail.patients.add(stated)
    if patient != stated:
        shared = patient.domain == work.policy.shared_id.domain
        person = crossref.known(work, patient) if shared else None
        if person is None or crossref.known(work, stated) != person:
            raise crossref.unknown()
    return stated


def judge(work: Work, entry: DocumentEntry, report: SignatureReport) -> None:
    """Refuse, before a byte is kept, a unique id that other bytes have (FN-804)."""
    known = rows.select_unique(work.db, entry.unique_id)
    covered = {signature.covered_sha256 for signature in report.signatures}
    if known is not None and known.sha256 not in {report.file_sha256, *covered}:
        raise documents.taken()


def file(
    work: Work, entry: DocumentEntry, blob: Blob, report: SignatureReport, replaces: Sequence[str]
) -> DocumentEntry:
    """File a document and deprecate what it replaces (ITI TF-3: 4.2.2.2.3).

    Raises what `file_blob` raises, and `Invalid`, `Inconsistent` where the entry's id is taken or
    what is replaced is not there, is another chart's, or was replaced before.
    """
    lock_unique(work.db, entry.unique_id)
    again = rows.select_unique(work.db, entry.unique_id) is not None
    if not again and rows.select_entry(work.db, entry.entry_uuid) is not None:
        raise Invalid("the entryUUID is taken", "entryUUIDは使用済みです", at="entryUUID",
                      rule=METADATA)  # fmt: skip
    filed = documents.file_blob(work, entry, blob, report)
    for target in replaces:
        lock_unique(work.db, target)
        _replace(work, filed, target, again=again)
    return filed


def _replace(work: Work, by: DocumentEntry, target: str, *, again: bool) -> None:
    """Deprecate one document; twice is once where its replacement is sent again."""
    old = rows.select_entry(work.db, target)
    if (
        old is None
        or old.file
        or old.entry_uuid == by.entry_uuid
        or (
            (old.facility, old.domain, old.value)
            != (by.facility, by.source_patient.domain, by.source_patient.value)
        )
    ):
        raise Invalid("what is replaced is not there", "差し替え対象の文書がありません",
                      at="RPLC", rule=UNRESOLVED)  # fmt: skip
    if old.deprecated:
        if again:
            return
        raise Inconsistent(
            "what is replaced was replaced before", "差し替え対象の文書は差し替え済みです",
            at="RPLC", rule=DEPRECATED,
        )  # fmt: skip
    rows.insert_deprecation(work.db, target, work.now)
    work.trail.objects.append(f"{old.unique_id} deprecated")
