"""A document as its source describes it for XDS becomes an entry, at once or after it waited."""

from dataclasses import replace
from typing import Any

from gateway.errors import Invalid
from gateway.members.facilities import Facility
from gateway.model.category import Category
from gateway.model.document import Assurance, Author, DocumentEntry
from gateway.model.identifiers import PatientId
from gateway.model.signature import SignatureReport
from gateway.record import entries, submissions
from gateway.standardize import papers as kinds
from gateway.store.blobs import Blob
from gateway.store.work import Work
from gateway.xca.submission import Submitted

_ENTRY, _REPLACES = "xds", "replaces"
"Keys of a description that waits; that of `POST /documents` has neither."


def entry_of(work: Work, told: Submitted, chart: PatientId, facility: Facility) -> DocumentEntry:
    """The entry of one document; raises `Invalid` where it has no category."""
    author = (*told.authors, Author())[0]
    return DocumentEntry(
        entry_uuid=told.entry_uuid or f"urn:uuid:{work.new_id()}",
        unique_id=told.unique_id,
        repository=work.community.repository,
        home=work.community.home,
        patient=chart,
        source_patient=chart,
        source_patient_info=told.source_patient_info,
        title=told.title,
        comments=told.comments,
        category=_category(work, told),
        class_code=told.class_code,
        type_code=told.type_code,
        format_code=told.format_code,
        facility_type=told.facility_type,
        practice_setting=told.practice_setting,
        confidentiality=told.confidentialities[0],
        further_confidentiality=told.confidentialities[1:],
        event_codes=told.event_codes,
        mime_type=told.mime_type,
        language=told.language,
        created=told.created,
        service_start=told.service_start,
        service_stop=told.service_stop,
        author=_name(author.person),
        author_institution=(*author.institutions, facility.title)[0].partition("^")[0],
        authors=told.authors,
        facility=facility.name,
        source_system="other",
        assurance=Assurance.NONE,
    )


def _category(work: Work, told: Submitted) -> Category:
    """As the source says it, else by its kind, else `medical`.

    A source cannot take a kind that needs a signature for another one (SIG-05).
    """
    known = kinds.category_of(told.type_code, told.class_code)
    if not told.category:
        return known or Category.MEDICAL
    stated = next((one for one in Category if one.value == told.category), None)
    due = known is not None and known.value in work.policy.signature.required
    if stated is None or (due and stated is not known):
        raise Invalid("not a category, or not that of the typeCode",
                      "カテゴリーが不明か、typeCodeと異なります", at=f"{told.at}/category",
                      rule=submissions.METADATA)  # fmt: skip
    return stated


def _name(person: str) -> str:
    """What people read of an XCN: family and given name, else its number."""
    parts = [*person.split("^"), "", ""]
    return " ".join(part for part in parts[1:3] if part) or parts[0]


def kept(entry: DocumentEntry, told: Submitted) -> dict[str, Any]:
    """The description of a document that is set aside."""
    return {_ENTRY: entries.to_json(entry), _REPLACES: list(told.replaces)}


def is_kept(found: dict[str, Any]) -> bool:
    """Whether a description that waits is one of these."""
    return _ENTRY in found


def file_kept(work: Work, found: dict[str, Any], blob: Blob, report: SignatureReport) -> str:
    """File a document that waited, and replace what it replaces; its media type."""
    entry = entries.from_json(found[_ENTRY], work.community.home)
    entry = replace(entry, repository=work.community.repository)
    submissions.file(work, entry, blob, report, found[_REPLACES])
    return entry.mime_type
