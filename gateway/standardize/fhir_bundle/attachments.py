"""Documents inside FHIR: what a DocumentReference carries, what a Composition says of itself."""

import base64
import binascii
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any

from gateway.errors import Malformed
from gateway.model.batch import Resource
from gateway.model.document import Paper
from gateway.model.identifiers import Oid
from gateway.standardize import papers
from gateway.standardize.fhir_bundle.source import Entry
from gateway.standardize.reading import Reading

FHIR = "application/fhir+json"
_TAKEN = {
    "application/pdf": papers.PDF, "text/xml": papers.XML, "application/xml": papers.XML,
}  # fmt: skip
_ENVELOPES = frozenset(
    {"application/pkcs7-mime", "application/pkcs7-signature", "application/cms", "application/jose"}
)
SIGNED = "bundle-signature"
"Finding of a file with a signature that nobody can verify: it is set aside (RD-23)."
_URN_OID, _URN_UUID = "urn:oid:", "urn:uuid:"


def is_document(resource: Resource) -> bool:
    """Whether a DocumentReference carries its document: then that is filed, and not the pointer."""
    return resource["resourceType"] == "DocumentReference" and bool(_carried(resource))


def _carried(resource: Resource) -> list[dict[str, Any]]:
    return [
        one["attachment"]
        for one in resource.get("content", [])
        if one.get("attachment", {}).get("data") and _media(one["attachment"]) in _TAKEN
    ]


def signatures(bundle: Resource, entries: Iterable[Entry]) -> Iterator[str]:
    """Where signatures stand that nobody can verify as they stand there.

    Those of the Bundle and of a Provenance are over a form of it that R4 leaves to the parties; one
    in an attachment comes with a document whose kind nobody says. What is not FHIR may be anything.
    """
    if "signature" in bundle:
        yield "Bundle.signature"
    for entry in entries:
        resource = entry.resource
        if resource.get("resourceType") == "Provenance" and resource.get("signature"):
            yield f"{entry.at} Provenance.signature"
        if resource.get("resourceType") == "DocumentReference" and any(
            _media(one) in _ENVELOPES for one in _attachments(resource)
        ):
            yield f"{entry.at} attachment"


def _attachments(resource: Resource) -> Iterator[dict[str, Any]]:
    content = resource.get("content")
    for one in content if isinstance(content, list) else ():
        attachment = one.get("attachment") if isinstance(one, dict) else None
        if isinstance(attachment, dict):
            yield attachment


def papers_of(reading: Reading, sound: list[Entry]) -> tuple[Paper, ...]:
    """The documents that DocumentReferences carry; one that is taken back is not filed."""
    found = []
    for entry in sound:
        if not is_document(entry.resource):
            continue
        if entry.resource.get("status") == "entered-in-error":
            reading.leave(entry, "deleted")
            continue
        carried = _carried(entry.resource)
        for one in carried:
            try:
                content = base64.b64decode(one["data"], validate=True)
            except (binascii.Error, ValueError) as error:
                raise Malformed("not base64", "base64 ではありません", at=entry.at,
                                rule="E-13") from error  # fmt: skip
            found.append(_paper(entry, one, content))
        reading.account(entry, "item document")
    return tuple(found)


def _paper(entry: Entry, attachment: dict[str, Any], content: bytes) -> Paper:
    resource = entry.resource
    codings = resource.get("type", {}).get("coding", [])
    code = next((one["code"] for one in codings if one.get("code")), "")
    title = attachment.get("title") or resource.get("description") or ""
    media = _TAKEN[_media(attachment)]
    return replace(
        papers.of_kind(code, title, media),
        content=content,
        created=moment(attachment.get("creation")) or moment(resource.get("date")),
        at=entry.at,
    )


def _media(attachment: dict[str, Any]) -> str:
    """The media type of an attachment, without parameters."""
    return str(attachment.get("contentType", "")).partition(";")[0].strip().lower()


def author_of(resource: Resource) -> tuple[str, str]:
    """Type and name of an author."""
    name = resource.get("name", "")
    if isinstance(name, list):
        name = next((one["text"] for one in name if one.get("text")), "")
    return resource["resourceType"], str(name)


def moment(text: Any) -> datetime | None:
    """A time with a zone; None for anything less."""
    try:
        found = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    return found if found.tzinfo is not None else None


def unique_id(identifier: dict[str, Any]) -> str:
    """The OID of a document by its Bundle's identifier; empty where that is none."""
    value = identifier.get("value", "")
    if value.startswith(_URN_OID):
        try:
            return Oid(value.removeprefix(_URN_OID))
        except Malformed:
            return ""
    if value.startswith(_URN_UUID):
        try:
            return f"2.25.{uuid.UUID(value.removeprefix(_URN_UUID)).int}"
        except ValueError:
            return ""
    return ""
