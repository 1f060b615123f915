"""Signed documents of registrations, kept with their reports as proof (SIG-05, SIG-06).

They stay for as long as the ledger whose entries they stand for, a withdrawal's too: an erasure
takes what was shared, not the proof that it might be, or had to go.
"""

from dataclasses import replace
from datetime import datetime

from gateway.consent.seals import Kind
from gateway.errors import Inconsistent, NotFound
from gateway.identity import crossref
from gateway.model.identifiers import PersonId
from gateway.model.signature import Sealed
from gateway.record import evidence
from gateway.store.record import lock_blobs, lock_unique
from gateway.store.record import registrations as rows
from gateway.store.record.registrations import RegistrationRow
from gateway.store.work import Work

__all__ = ["RegistrationRow", "keep", "of"]


def keep(work: Work, person: PersonId, kind: Kind, sealed: Sealed, entered: datetime) -> None:
    """Keep the document of the entry that was made at `entered`; the same again is once.

    Raises `Inconsistent` where it stands for another registration already, of whomever: nobody's
    signature is used a second time.
    """
    shared = crossref.shared_id(work, person)
    if shared is None:
        raise NotFound("the person has no shared patient id", "共有IDがありません", at="shared")
    lock_blobs(work.db, removing=False)
    lock_unique(work.db, sealed.sha256)
    known = rows.select_registration(work.db, sealed.sha256)
    row = RegistrationRow(
        id=work.new_id(), person=person, kind=kind, at=entered, domain=shared.domain,
        value=shared.value, sha256=sealed.sha256, report=sealed.report.as_json(),
    )  # fmt: skip
    if known is not None:
        if replace(known, id=row.id, report=row.report) == row:
            return
        raise Inconsistent(
            "this document stands for another registration already: each needs its own",
            "この文書は別の登録で使用済みです。登録ごとに署名済みの文書が必要です",
            at="document", rule="SIG-05", log="DOCSIG",
        )  # fmt: skip
    work.blobs.put_bytes(sealed.content)
    rows.insert_registration(work.db, row)
    evidence.keep(work, row.id, sealed.report)


def of(work: Work, person: PersonId) -> list[RegistrationRow]:
    """The documents of one person's registrations, oldest first."""
    return rows.select_registrations(work.db, person)
