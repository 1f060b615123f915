"""The proof that nothing is shared of anybody without consent (AUD-05)."""

from dataclasses import dataclass

from gateway.consent import ledger
from gateway.identity import crossref
from gateway.model.identifiers import PatientId, PersonId
from gateway.model.network import WithdrawalEffect
from gateway.store.record import documents as document_rows
from gateway.store.record import items as rows
from gateway.store.work import Work


@dataclass(frozen=True, slots=True, kw_only=True)
class Unconsented:
    """Shared data of a person who does not take part: a defect that somebody must look into."""

    patients: tuple[PatientId, ...]
    "Empty where the data belong to no known identifier."
    items: int
    documents: int


def check(work: Work) -> tuple[Unconsented, ...]:
    """Every person with shared data and no active consent; none is the only good answer.

    Where a withdrawal keeps the rows and stops showing them (支援中止), they are as they should be.
    """
    participants = ledger.participants(work)
    items = rows.select_unconsented(work.db, participants)
    documents = document_rows.select_unconsented(work.db, participants)
    return tuple(
        Unconsented(
            patients=tuple(crossref.every_identifier(work, PersonId(person))) if person else (),
            items=items.get(person, 0),
            documents=documents.get(person, 0),
        )
        for person in sorted(items.keys() | documents.keys())
        if not _is_kept(work, PersonId(person))
    )


def _is_kept(work: Work, person: PersonId) -> bool:
    """Whether the network keeps the rows of a person who withdrew, shown to nobody (WDR-01)."""
    keeps = work.policy.withdrawal.effect is not WithdrawalEffect.DELETE
    return keeps and ledger.standing(work, person).withdrawn
