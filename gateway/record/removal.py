"""Taking data out of the shared record: back to custody where its contract stands, else for good.

Used when a link is undone, and by `erase`. Documents made of the record always go; bytes go once
nothing refers to them any more (`sweep`).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy import Connection

from gateway.identity import crossref
from gateway.members import facilities
from gateway.members.facilities import Members
from gateway.model.identifiers import PersonId
from gateway.record import evidence, parts
from gateway.store.record import documents as document_rows
from gateway.store.record import items as rows
from gateway.store.record import lock_blobs, uploads
from gateway.store.record.documents import DocumentRow
from gateway.store.record.items import ItemRow
from gateway.store.work import Work


@dataclass(slots=True)
class Removed:
    """What was taken out: counts and digests, no content (WDR-08)."""

    items: int = 0
    documents: int = 0
    staged: int = 0
    files: int = 0
    returned: int = 0
    "Of these items and documents, how many went back to custody (RD-02)."
    blobs: set[str] = field(default_factory=set)


def unshare(work: Work, person: PersonId, removed: Removed | None = None) -> Removed:
    """Take everything shared about one person out of the shared record; `removed` counts on."""
    items = rows.select_items(work.db, person)
    documents = document_rows.select_documents_of_person(work.db, person)
    removed = Removed() if removed is None else removed
    if not items and not documents:
        return removed
    members = facilities.snapshot(work.db)
    keeping = {
        name: may_keep(work, members, name)
        for name in {row.facility for row in items} | {row.facility for row in documents}
    }
    take_out(work, items, documents, keeping, removed)
    work.trail.detail["unshared"] = removed.items
    return removed


def may_keep(work: Work, members: Members, facility: str) -> bool:
    """Whether a facility's data go back to custody instead of being deleted (RD-02)."""
    policy = work.policy
    return (
        policy.staging.custody
        and policy.withdrawal.custody == "return"
        and members.has_custody(facility, facilities.today(work))
    )


def take_out(
    work: Work,
    items: Sequence[ItemRow],
    documents: Sequence[DocumentRow],
    keeping: dict[str, bool],
    removed: Removed,
) -> None:
    """Delete rows of the shared record, after staging those that are kept in custody."""
    kept = [row for row in items if keeping[row.facility]]
    rows.unshare(work.db, kept)
    filed = [
        row
        for row in documents
        if keeping[row.facility] and not row.file and not row.deprecated  # replaced, or deleted
    ]
    document_rows.delete_documents(work.db, [row.entry_uuid for row in documents])
    for row in filed:
        document_rows.insert_document(
            work.db, replace(row, registered=None, deprecated=False, person=None)
        )
    rows.delete_items(work.db, [row.id for row in items])
    removed.items += len(items)
    removed.documents += len(documents)
    removed.returned += len(kept) + len(filed)
    let_go(work, {row.sha256 for row in documents}, removed)
    evidence.forget(work, (row.entry_uuid for row in documents))


def forget_uploads(work: Work, person: PersonId, keeping: Members | None, removed: Removed) -> None:
    """Delete staged items, held documents and files about one person, but for kept custody."""
    staged = rows.select_staged(work.db, person)
    held = document_rows.select_held(work.db, person)
    files = [
        file
        for patient in crossref.every_identifier(work, person)
        for file in uploads.select_files_of_chart(work.db, patient.domain, patient.value)
    ]

    def goes(facility: str) -> bool:
        return keeping is None or not may_keep(work, keeping, facility)

    leaving = [row for row in staged if goes(row.facility)]
    rows.delete_staged(work.db, [row.id for row in leaving])
    dropped = [row for row in held if goes(row.facility)]
    document_rows.delete_documents(work.db, [row.entry_uuid for row in dropped], held=True)
    gone = [file for file in files if goes(file.facility)]
    blanked = parts.blank(work, gone)
    for file in gone:
        uploads.delete_file(work.db, file.id)
    removed.staged += len(leaving) + len(dropped)
    removed.files += len(gone)
    whole = {file.sha256 for file in gone if not file.parent}
    let_go(work, {row.sha256 for row in dropped} | whole | blanked, removed)
    evidence.forget(work, (*(row.entry_uuid for row in dropped), *(file.id for file in gone)))


def let_go(work: Work, digests: Iterable[str], removed: Removed) -> None:
    """Note blobs that nothing refers to any more; `sweep` removes their bytes."""
    loose = {digest for digest in digests if not document_rows.is_referenced(work.db, digest)}
    document_rows.insert_removals(work.db, sorted(loose), work.now)
    removed.blobs |= loose


def referenced(work: Work) -> list[str]:
    """The digest of everything stored that something refers to, in order; for a backup."""
    return document_rows.select_referenced(work.db)


def any_loose(db: Connection) -> bool:
    """Whether bytes wait to be removed; for the audit door's snapshot."""
    return bool(document_rows.select_removals(db, 1))


def loose(db: Connection, digests: Sequence[str]) -> list[str]:
    """Those of the blobs that nothing refers to; for the audit door's snapshot."""
    return document_rows.select_unreferenced(db, digests)


def remove(work: Work, digests: Sequence[str], before: datetime) -> int:
    """Remove the bytes of these blobs where still nothing refers to them; how many went.

    Bytes that came again since that moment stay: their receipt is being made.
    """
    lock_blobs(work.db, removing=True)
    left = document_rows.select_unreferenced(work.db, digests)
    gone = sum(work.blobs.delete(digest, before=before) for digest in left)
    work.trail.detail["blobs_removed"] = gone
    return gone


def sweep(work: Work, limit: int = 1000) -> int:
    """Remove the bytes of blobs that were let go and that nothing refers to; how many went."""
    lock_blobs(work.db, removing=True)
    gone = 0
    for digest in document_rows.select_removals(work.db, limit):
        if not document_rows.is_referenced(work.db, digest):
            gone += work.blobs.delete(digest)
        document_rows.delete_removal(work.db, digest)
    work.trail.detail["blobs_removed"] = gone
    return gone
