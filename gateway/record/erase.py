"""The only way to delete (WDR-01 to WDR-08): it needs a Withdrawal, and leaves a receipt.

The receipt holds counts, ids and digests, no content. The list of erasures is kept, so that erased
data do not come back by a restore (M-09). Bytes go when nothing refers to them any more.
"""

from dataclasses import dataclass
from typing import Any

from gateway.consent import ledger
from gateway.errors import Inconsistent, NotPermitted
from gateway.identity import crossref, domains
from gateway.members import facilities
from gateway.members.facilities import State
from gateway.model.caller import CallerKind
from gateway.model.consent import Withdrawal
from gateway.model.identifiers import PersonId
from gateway.model.network import WithdrawalEffect
from gateway.model.periods import is_expired
from gateway.record import removal
from gateway.record.removal import Removed
from gateway.store.record import documents as document_rows
from gateway.store.record import items as rows
from gateway.store.work import Work


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasureReceipt:
    """What went: counts and digests, no content."""

    id: str
    reason: str
    items: int = 0
    "Items taken out of the shared record."
    documents: int = 0
    "Documents taken out of it, made ones included."
    staged: int = 0
    "Staged items and held documents deleted."
    files: int = 0
    "Received files deleted."
    returned: int = 0
    "Of the items and documents, how many went back to custody (RD-02)."
    blobs: int = 0
    "Stored contents whose bytes are removed."
    erased: bool = True
    "False where the network keeps the rows and only stops showing them (支援中止)."


def erase(work: Work, withdrawal: Withdrawal) -> ErasureReceipt:
    """Do what the network says a withdrawal does; from this commit on there is nothing to show."""
    person = withdrawal.person
    if ledger.standing(work, person).participates:
        raise Inconsistent("the withdrawal is not in the ledger", "撤回が登録されていません",
                           rule="WDR-01")  # fmt: skip
    removed = Removed()
    if work.policy.withdrawal.effect is not WithdrawalEffect.DELETE:
        return _receipt(work, withdrawal.reason, removed, person, erased=False)
    crossref.lock(work, person)
    removed = removal.unshare(work, person)
    removal.forget_uploads(work, person, facilities.snapshot(work.db), removed)
    receipt = _receipt(work, withdrawal.reason, removed, person, erased=True)
    for patient in crossref.identifiers(work, person):
        if domains.require(work, patient).kind == domains.CHART:
            crossref.unlink(work, patient)
    crossref.forget_statement(work, person)
    return receipt


def leave(work: Work, facility: str) -> ErasureReceipt:
    """Delete what a facility that left had provided; others' data stay (WDR-04)."""
    _require_operator(work)
    if facilities.find(work, facility).state is not State.ENDED:
        raise Inconsistent("the facility has not ended", "退会していない施設です", rule="WDR-04")
    removed = Removed()
    take_provided(work, facility, removed)
    return _receipt(work, "facility_withdrawal", removed, None, erased=True, subject=facility)


def take_provided(work: Work, facility: str, removed: Removed) -> None:
    """Take out of the shared record what one facility provided, without a receipt."""
    items = rows.select_items_of_facility(work.db, facility)
    documents = document_rows.select_documents_of_facility(work.db, facility)
    removal.take_out(work, items, documents, {facility: False}, removed)


def expire(work: Work, *, dry_run: bool = False) -> ErasureReceipt:
    """Delete what is past its retention period: a separate, confirmed run (RET-01, RD-20)."""
    _require_operator(work)
    removed = Removed()
    take_expired(work, removed, dry_run=dry_run)
    if dry_run:
        return ErasureReceipt(
            id="", reason="retention_expired", items=removed.items, documents=removed.documents,
            erased=False,
        )  # fmt: skip
    return _receipt(work, "retention_expired", removed, None, erased=True)


def take_expired(work: Work, removed: Removed, *, dry_run: bool = False) -> None:
    """Take out, or only count, what is past its retention period, without a receipt."""
    rule = work.policy.retention
    members = facilities.snapshot(work.db)
    for facility in members.facilities:
        items = [
            row
            for row in rows.select_items_of_facility(work.db, facility)
            if is_expired(rule, row.registered or row.posted, work.now, work.policy.timezone)
        ]
        documents = [
            row
            for row in document_rows.select_documents_of_facility(work.db, facility)
            if is_expired(rule, row.registered or row.posted, work.now, work.policy.timezone)
        ]
        if dry_run:
            removed.items += len(items)
            removed.documents += len(documents)
        elif items or documents:
            removal.take_out(work, items, documents, {facility: False}, removed)


def counts(removed: Removed) -> dict[str, Any]:
    """What an erasure's entry tells of what went: counts and digests (WDR-08)."""
    return {
        "items": removed.items, "documents": removed.documents, "staged": removed.staged,
        "files": removed.files, "returned": removed.returned, "sha256": sorted(removed.blobs),
    }  # fmt: skip


def _receipt(
    work: Work,
    reason: str,
    removed: Removed,
    person: PersonId | None,
    *,
    erased: bool,
    subject: str = "",
) -> ErasureReceipt:
    """Enter the erasure and say what went."""
    receipt = ErasureReceipt(
        id=work.new_id(), reason=reason, items=removed.items, documents=removed.documents,
        staged=removed.staged, files=removed.files, returned=removed.returned,
        blobs=len(removed.blobs), erased=erased,
    )  # fmt: skip
    ids = crossref.every_identifier(work, person) if person is not None else []
    content = {
        "subject": subject,
        "patients": [[patient.domain, patient.value] for patient in ids],
        "erased": erased,
        **counts(removed),
    }
    document_rows.insert_erasure(
        work.db, id=receipt.id, at=work.now, reason=reason,
        actor=f"{work.caller.facility}/{work.caller.subject}", content=content,
    )  # fmt: skip
    work.trail.objects.append(f"erasure:{receipt.id}")
    work.trail.detail.update(
        reason=reason, items=removed.items, documents=removed.documents, staged=removed.staged,
        files=removed.files, returned=removed.returned,
    )  # fmt: skip
    return receipt


def _require_operator(work: Work) -> None:
    if work.caller.kind not in (CallerKind.OPERATOR, CallerKind.JOB):
        raise NotPermitted("only the operator erases", "事務局のみが消去できます", rule="WDR-05",
                           log="AUTHZ-DENY")  # fmt: skip
