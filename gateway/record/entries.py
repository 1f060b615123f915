"""Document entries as rows and back, and the entry of a document made from the shared record.

Codes of made documents: LOINC for what it is, v3 RoleCode for where it comes from, the IHE format
code for content that its media type describes (ITI TF-3: 4.2.3.2).
"""

import uuid
from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any

from gateway.model import attestation
from gateway.model.category import Category, FacilityType
from gateway.model.document import Assurance, Author, Availability, Code, DocumentEntry
from gateway.model.identifiers import HomeCommunityId, Oid, PatientId
from gateway.store.blobs import Blob
from gateway.store.record.documents import DocumentRow
from gateway.store.work import Work
from gateway.wire.fhir_document import SECTIONS

_LOINC = "2.16.840.1.113883.6.1"
_SUMMARY = Code("34133-9", _LOINC, "Summarization of Episode Note")
SUFFICIENT = Code(
    "urn:ihe:iti:xds:2017:mimeTypeSufficient", "1.3.6.1.4.1.19376.1.2.3", "mimeType Sufficient"
)
"Format code of content that its media type describes."
NORMAL = Code("N", "2.16.840.1.113883.5.25", "Normal")
GENERAL = Code("394802001", "2.16.840.1.113883.6.96", "General medicine")
_ROLES = "2.16.840.1.113883.5.111"
FACILITY_CODES: Mapping[FacilityType, Code] = MappingProxyType(
    {
        FacilityType.HOSPITAL: Code("HOSP", _ROLES, "病院"),
        FacilityType.CLINIC: Code("OF", _ROLES, "診療所"),
        FacilityType.DENTAL_CLINIC: Code("OF", _ROLES, "歯科診療所"),
        FacilityType.PHARMACY: Code("PHARM", _ROLES, "薬局"),
        FacilityType.VISITING_NURSE: Code("COMM", _ROLES, "訪問看護ステーション"),
        FacilityType.CARE_SUPPORT: Code("COMM", _ROLES, "居宅介護支援事業所"),
        FacilityType.CARE_SERVICE: Code("NCCF", _ROLES, "介護サービス事業所"),
        FacilityType.COMMUNITY_SUPPORT_CENTRE: Code("COMM", _ROLES, "地域包括支援センター"),
        FacilityType.PUBLIC_ADMINISTRATION: Code("COMM", _ROLES, "行政"),
        FacilityType.LAB: Code("DX", _ROLES, "検査会社"),
        FacilityType.OTHER: Code("COMM", _ROLES, "その他"),
    }
)
"Type of facility as healthcareFacilityTypeCode."

_CODES = ("class_code", "type_code", "format_code", "facility_type", "practice_setting",
          "confidentiality")  # fmt: skip
_SEVERAL = ("event_codes", "further_confidentiality")
_MOMENTS = ("created", "service_start", "service_stop")
_PLAIN = ("title", "mime_type", "language", "author", "author_institution", "hash_sha1", "size",
          "source_system")  # fmt: skip


def new_unique_id(work: Work) -> str:
    """A document unique id: an OID under the UUID arc, random (H-03)."""
    return f"2.25.{uuid.UUID(work.new_id()).int}"


def made_title(category: Category, facility_title: str) -> str:
    """What a document that we make is called."""
    words, _ = SECTIONS.get(category, (category.value, None))
    return f"{words}（{facility_title}）"


def made_entry(
    work: Work,
    blob: Blob,
    *,
    unique_id: str,
    title: str,
    chart: PatientId,
    category: Category,
    facility: str,
    facility_title: str,
    facility_type: FacilityType,
    source_system: str,
) -> DocumentEntry:
    """The entry of a document that we make of one facility's items of one category."""
    words, code = SECTIONS.get(category, (category.value, None))
    kind = Code(code["code"], _LOINC, code.get("display", words)) if code else _SUMMARY
    return DocumentEntry(
        entry_uuid=f"urn:uuid:{work.new_id()}",
        unique_id=unique_id,
        repository=work.community.repository,
        home=work.community.home,
        patient=chart,
        source_patient=chart,
        title=title,
        category=category,
        class_code=_SUMMARY,
        type_code=kind,
        format_code=SUFFICIENT,
        facility_type=FACILITY_CODES[facility_type],
        practice_setting=GENERAL,
        confidentiality=NORMAL,
        mime_type="application/fhir+json",
        language="ja-JP",
        created=work.now,
        author_institution=facility_title,
        facility=facility,
        source_system=source_system,
        posted=work.now,
        sha256=blob.sha256,
        hash_sha1=blob.sha1,
        size=blob.size,
    )


def to_row(
    entry: DocumentEntry,
    *,
    file: str = "",
    posted: datetime,
    registered: datetime | None,
    report: dict[str, Any] | None = None,
    series: str = "",
) -> DocumentRow:
    """The row of an entry; held where it has no moment of registration.

    `series` is the key of the item that states the document, where its source replaces it.
    """
    content: dict[str, Any] = {name: getattr(entry, name) for name in _PLAIN}
    for name in _CODES:
        code: Code = getattr(entry, name)
        content[name] = [code.code, code.system, code.display]
    for name in _MOMENTS:
        moment: datetime | None = getattr(entry, name)
        content[name] = moment.isoformat() if moment else None
    content["repository"] = str(entry.repository)
    content["assurance"] = entry.assurance.value
    content |= _described(entry)
    if report is not None:
        content["report"] = report
    if series:
        content["series"] = series
    return DocumentRow(
        entry_uuid=entry.entry_uuid,
        unique_id=entry.unique_id,
        domain=entry.source_patient.domain,
        value=entry.source_patient.value,
        facility=entry.facility,
        category=entry.category.value,
        sha256=entry.sha256,
        file=file,
        posted=posted,
        content=content,
        registered=registered,
    )


def _described(entry: DocumentEntry) -> dict[str, Any]:
    """What only sources that describe their documents for XDS say; absent where nothing is said."""
    told: dict[str, Any] = {
        "authors": [asdict(author) for author in entry.authors],
        "comments": entry.comments,
        "source_patient_info": list(entry.source_patient_info),
    }
    for name in _SEVERAL:
        told[name] = [[code.code, code.system, code.display] for code in getattr(entry, name)]
    return {name: value for name, value in told.items() if value}


def _told(content: Mapping[str, Any]) -> dict[str, Any]:
    """The same, back."""
    values: dict[str, Any] = {
        "authors": tuple(
            Author(**{name: _listed(value) for name, value in author.items()})
            for author in content.get("authors", ())
        ),
        "comments": content.get("comments", ""),
        "source_patient_info": tuple(content.get("source_patient_info", ())),
    }
    for name in _SEVERAL:
        values[name] = tuple(Code(*code) for code in content.get(name, ()))
    return values


def _listed(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def to_entry(row: DocumentRow, home: HomeCommunityId, patient: PatientId) -> DocumentEntry:
    """The entry of a row, under the identifier by which its reader knows the patient."""
    content = row.content
    values: dict[str, Any] = {name: content[name] for name in _PLAIN}
    values |= {name: Code(*content[name]) for name in _CODES}
    for name in _MOMENTS:
        values[name] = datetime.fromisoformat(content[name]) if content[name] else None
    return DocumentEntry(
        entry_uuid=row.entry_uuid,
        unique_id=row.unique_id,
        repository=Oid(content["repository"]),
        home=home,
        patient=patient,
        source_patient=PatientId(Oid(row.domain), row.value),
        category=Category(row.category),
        sha256=row.sha256,
        status=Availability.DEPRECATED if row.deprecated else Availability.APPROVED,
        facility=row.facility,
        registered=row.registered,
        posted=row.posted,
        assurance=Assurance(content["assurance"]),
        signatures=attestation.read(content.get("report")),
        **_told(content),
        **values,
    )


def to_json(entry: DocumentEntry) -> dict[str, Any]:
    """An entry that waits to be filed, as JSON; what filing sets is not in it."""
    return {
        "entry_uuid": entry.entry_uuid, "unique_id": entry.unique_id,
        "domain": entry.source_patient.domain, "value": entry.source_patient.value,
        "facility": entry.facility, "category": entry.category.value,
        "content": to_row(entry, posted=entry.created, registered=None).content,
    }  # fmt: skip


def from_json(told: dict[str, Any], home: HomeCommunityId) -> DocumentEntry:
    """The entry that waited."""
    chart = PatientId(Oid(told["domain"]), told["value"])
    row = DocumentRow(
        **told, sha256="", file="",
        posted=datetime.fromisoformat(told["content"]["created"]),
    )  # fmt: skip
    return replace(to_entry(row, home, chart), posted=None)


def with_bytes(entry: DocumentEntry, *, sha256: str, sha1: str, size: int) -> DocumentEntry:
    """The entry of these bytes."""
    return replace(entry, sha256=sha256, hash_sha1=sha1, size=size)


ATTRIBUTES = frozenset(item.name for item in fields(DocumentEntry))
"Names of all attributes, so that a test can show that none is lost between entry and row."
