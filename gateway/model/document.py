"""Documents: their metadata and where their bytes are.

DocumentEntry attributes follow ITI TF-3: 4.2.3.2; the bytes lie in the blob store under their
SHA-256 and are never changed (REC-02).
"""

import hashlib
import re
import uuid
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path

from gateway.model.attestation import Attestation
from gateway.model.category import Category
from gateway.model.identifiers import HomeCommunityId, Oid, PatientId

BARE_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")
"What no text about a document has: controls, and what turns the direction of others."


def derived_unique_id(*of: str) -> str:
    """The unique id of a document that came without one, made of what it says and of its bytes.

    So a sender who heard no answer may send it again, and it is one document (FN-804).
    """
    digest = hashlib.sha256("\0".join(of).encode()).digest()
    return f"2.25.{uuid.UUID(bytes=digest[:16], version=4).int}"


@dataclass(frozen=True, slots=True)
class Code:
    """A coded value: code, coding scheme (an OID or URI) and what people read."""

    code: str
    system: str
    display: str = ""


class Availability(Enum):
    """Availability status of a document entry (ITI TF-3: 4.2.3.2.2)."""

    APPROVED = "urn:oasis:names:tc:ebxml-regrep:StatusType:Approved"
    DEPRECATED = "urn:oasis:names:tc:ebxml-regrep:StatusType:Deprecated"


class Assurance(Enum):
    """What the signature says about a document's content (REC-03)."""

    NONE = "none"
    VERIFIED = "verified"


@dataclass(frozen=True, slots=True, kw_only=True)
class Author:
    """One author of a document, each attribute as its source wrote it (ITI TF-3: 4.2.3.1.4)."""

    person: str = ""
    "XCN: number and name."
    institutions: tuple[str, ...] = ()
    "XON: name and number."
    roles: tuple[str, ...] = ()
    specialties: tuple[str, ...] = ()
    telecoms: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentEntry:
    """Metadata of one document (XDS DocumentEntry)."""

    entry_uuid: str
    "`urn:uuid:…`, random (H-03)."
    unique_id: str
    "Document unique id: opaque to peers (FN-710), ours is an OID under a UUID arc."
    repository: Oid
    home: HomeCommunityId
    patient: PatientId
    "Under the domain by which this reader knows the patient; for neighbours the TGP ID."
    source_patient: PatientId
    "Chart id at the facility that provided it."
    title: str
    category: Category
    class_code: Code
    type_code: Code
    format_code: Code
    facility_type: Code
    practice_setting: Code
    confidentiality: Code
    mime_type: str
    language: str
    created: datetime
    service_start: datetime | None = None
    service_stop: datetime | None = None
    author: str = ""
    author_institution: str = ""
    hash_sha1: str = ""
    "Hexadecimal SHA-1 of the bytes, as XDS wants it (FN-801)."
    sha256: str = ""
    "Hexadecimal SHA-256: the key in the blob store."
    size: int = 0
    "Bytes."
    status: Availability = Availability.APPROVED
    facility: str = ""
    "Name of the facility that provides it (REC-01)."
    source_system: str = ""
    "`emr`, `dispensing`, `lab` … as the upload said (REC-01, STG-03)."
    registered: datetime | None = None
    posted: datetime | None = None
    assurance: Assurance = Assurance.NONE
    signatures: tuple[Attestation, ...] = ()
    "Its signatures and what verification said of each (SIG-06)."
    authors: tuple[Author, ...] = ()
    """All of them, where the source described them for XDS; `author` and `author_institution` are
    then what people read of the first."""
    event_codes: tuple[Code, ...] = ()
    further_confidentiality: tuple[Code, ...] = ()
    "Beside `confidentiality`: each of them holds."
    comments: str = ""
    source_patient_info: tuple[str, ...] = ()
    "Demographics at the source, `PID-3|…` (ITI TF-3: 4.2.3.2.23)."

    @property
    def confidentialities(self) -> tuple[Code, ...]:
        """Every confidentiality code."""
        return (self.confidentiality, *self.further_confidentiality)


@dataclass(frozen=True, slots=True)
class Document:
    """A document about to be filed: its entry and its bytes."""

    entry: DocumentEntry
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """A document that an uploaded file is, or carries, as its reader describes it.

    The reader names what it knows; filing adds whose it is, the facility and the ids.
    """

    title: str
    category: Category
    class_code: Code
    type_code: Code
    mime_type: str
    content: bytes | None = None
    "Its bytes; None where the file (or the part of it that was read) is the document as it came."
    format_code: Code | None = None
    "None where the media type says it all."
    language: str = "ja"
    created: datetime | None = None
    "When it was written, with a zone; None where nobody says so: then when it was received."
    service_start: datetime | None = None
    service_stop: datetime | None = None
    author: str = ""
    author_institution: str = ""
    unique_id: str = ""
    "An OID that the source gives it; empty: one is made of chart id and bytes."
    at: str = ""
    "Where it stands in the file, as findings say it; empty where the file is the document."
    key: str = ""
    """Key of the item that states it, where its source replaces and deletes documents: what is
    newest of that item names the one that stands (`masterIdentifier`), or none."""
    withdrawn: bool = False
    "The source says that it is deleted: nothing is filed."


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeRange:
    """From (inclusive) and to (exclusive), either absent (ITI TF-2: 3.18.4.1.2.3.4)."""

    start: datetime | None = None
    end: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentQuery:
    """FindDocuments: what a stored query asks for (ITI TF-2: 3.18.4.1.2.3.7.1).

    Each code tuple is one slot: its values are ORed; several slots of one name are ANDed, so a
    multi-valued attribute has a tuple of slots. Empty means not asked.
    """

    patient: PatientId
    statuses: frozenset[Availability] = frozenset({Availability.APPROVED})
    stable: bool = True
    "Stable entries are asked for (the default)."
    on_demand: bool = False
    class_codes: tuple[Code, ...] = ()
    type_codes: tuple[Code, ...] = ()
    practice_settings: tuple[Code, ...] = ()
    facility_types: tuple[Code, ...] = ()
    format_codes: tuple[Code, ...] = ()
    event_codes: tuple[tuple[Code, ...], ...] = ()
    confidentialities: tuple[tuple[Code, ...], ...] = ()
    authors: tuple[str, ...] = ()
    "Author person patterns with the wildcards % and _."
    created: TimeRange = TimeRange()
    service_start: TimeRange = TimeRange()
    service_stop: TimeRange = TimeRange()


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentRequest:
    """One document asked for (ITI TF-2: 3.39.4.1.2)."""

    home: HomeCommunityId | None
    repository: str
    unique_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrieved:
    """One document about to leave: its entry and the file of the blob store it is in."""

    entry: DocumentEntry
    path: Path
