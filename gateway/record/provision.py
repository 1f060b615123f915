"""The ledger of third-party provision: when it came about, and by which occasion (LNK-03).

At storage for facilities that send consented patients only, at migration for data that waited
under custody. Append-only; an erasure does not touch it (it holds counts, never content).
"""

from datetime import datetime
from typing import Any

from gateway.model.identifiers import PatientId, PersonId
from gateway.store.record import documents as rows
from gateway.store.work import Work

STORAGE, MIGRATION = "storage", "migration"


def enter(
    work: Work,
    *,
    facility: str,
    patient: PatientId,
    custody: bool,
    posted: datetime,
    items: int,
    documents: int,
) -> None:
    """Enter that a facility's data about one chart were provided."""
    rows.insert_provision(
        work.db,
        at=work.now if custody else posted,
        occasion=MIGRATION if custody else STORAGE,
        facility=facility,
        domain=patient.domain,
        value=patient.value,
        content={"items": items, "documents": documents},
    )


def ledger(work: Work, person: PersonId) -> list[dict[str, Any]]:
    """Every provision about one person, oldest first."""
    return rows.select_provisions(work.db, person)
