"""Consent values: ledger entries, and the evidence that dangerous functions demand.

A `Permit` is made by `consent/policy.py` alone; a `Withdrawal` by `consent/ledger.py` alone.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from gateway.model.category import Category, ExclusionGroup
from gateway.model.identifiers import PatientId, PersonId


class Purpose(Enum):
    """What a reading is for, as far as a decision depends on it."""

    IDENTIFIERS = "identifiers"
    "Other identifiers of one patient (ITI-45, 55)."
    DOCUMENTS = "documents"
    "Metadata or bytes of documents (ITI-38, 39, 18, 43)."
    RECORD = "record"
    "The shared record itself (view, FHIR)."


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """The person takes part: consent accepted by whom the network names (CON-01)."""

    person: PersonId
    at: datetime
    by: str
    "Who accepted it."
    signed_by: str
    "Person, proxy or scribe, and on what ground (CON-04)."
    basis: str = ""
    "Eligibility (CON-02)."
    form_sha256: str = ""
    "Digest of the scanned form (STD-05)."
    document: str = ""
    "Digest of the signed document that was handed in with it (SIG-05)."


@dataclass(frozen=True, slots=True, kw_only=True)
class Exclusion:
    """What the person does not want shared: replaces the exclusion before it (EXC-01, EXC-02)."""

    person: PersonId
    at: datetime
    by: str
    items: frozenset[Category] = frozenset()
    "Hidden from every other facility."
    groups: frozenset[ExclusionGroup] = frozenset()
    "Facilities that see nothing."
    pairs: frozenset[tuple[Category, ExclusionGroup]] = frozenset()
    "One item hidden from one group, e.g. prescription from clinics."
    document: str = ""
    "Digest of the signed document that was handed in with it (SIG-05)."


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawal:
    """The person no longer takes part; evidence for `record.erase` (WDR-01, WDR-02)."""

    person: PersonId
    at: datetime
    by: str
    reason: str
    "One of the network's reason codes (WDR-05)."
    form: str = ""
    "The form or request on record (WDR-02)."
    document: str = ""
    "Digest of the signed document that was handed in with it (SIG-05)."


Entry = Grant | Exclusion | Withdrawal
"One line of the consent ledger."


@dataclass(frozen=True, slots=True, kw_only=True)
class Permit:
    """Evidence that a caller may read about one person, and what stays hidden."""

    person: PersonId
    purpose: Purpose
    rule: str
    "The rule that decided (ACC-02)."
    categories: frozenset[Category]
    "Categories this caller may see of other facilities' data."
    own_facility: str = ""
    "The caller's own facility, whose own data it always sees; empty for neighbours."
    own_only: bool = False
    "Only the caller's own identifiers or data: the person does not take part (PIX-04)."
    patient: PatientId | None = None
    "The identifier that was asked about."


@dataclass(frozen=True, slots=True)
class Denial:
    """A *no* as data, with the rule that decided and a short reason."""

    rule: str
    reason: str
