"""A DocumentEntry as FHIR R4 DocumentReference, as IHE MHD pairs them (ITI TF-3: 4.5.1).

The bytes are named by their hashes and where they are retrieved from; they are not in it.
"""

import base64
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from gateway.model.batch import Resource
from gateway.model.document import Availability, Code, DocumentEntry
from gateway.wire import attested, fhir
from gateway.wire.attested import Signed

_URI = "urn:ietf:rfc:3986"
_INTEGRITY = "http://terminology.hl7.org/CodeSystem/v3-ObservationValue"
_SYSTEMS: Mapping[str, str] = MappingProxyType(
    {
        "2.16.840.1.113883.6.1": "http://loinc.org",
        "2.16.840.1.113883.6.96": "http://snomed.info/sct",
        "2.16.840.1.113883.5.25": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality",
        "2.16.840.1.113883.5.111": "http://terminology.hl7.org/CodeSystem/v3-RoleCode",
    }
)
"Code systems by their OID in XDS."


def document_reference(entry: DocumentEntry) -> Resource:
    """The DocumentReference of an entry; its id is that of the entry."""
    made = fhir.resource("DocumentReference", "", identity(entry))
    signers = [one for one in entry.signatures if one.holds]
    if signers:
        # v3 SecurityObservationValue: the integrity of what this points to rests on a signature
        made["meta"] = {"security": [fhir.coding("DIGSIG", _INTEGRITY, "digital signature")]}
    made["masterIdentifier"] = fhir.identifier(_URI, f"urn:oid:{entry.unique_id}")
    made["identifier"] = [fhir.identifier(_URI, entry.entry_uuid)]
    current = entry.status is Availability.APPROVED
    made["status"] = "current" if current else "superseded"
    made["type"] = _concept(entry.type_code)
    made["category"] = [_concept(entry.class_code)]
    patient = entry.patient
    made["subject"] = {
        "type": "Patient",
        "identifier": fhir.identifier(f"urn:oid:{patient.domain}", patient.value),
    }
    if entry.posted is not None:
        made["date"] = entry.posted.isoformat(timespec="milliseconds")
    authors = [name for name in (_name(entry.author), entry.author_institution) if name]
    if authors:
        made["author"] = [{"display": name} for name in authors]
    if signers and signers[0].name:
        made["authenticator"] = {"type": "Practitioner", "display": signers[0].name}
    if entry.title:
        made["description"] = entry.title
    made["securityLabel"] = [_concept(entry.confidentiality)]
    made["content"] = [{"attachment": _attachment(entry)}]
    made["context"] = {
        "facilityType": _concept(entry.facility_type),
        "practiceSetting": _concept(entry.practice_setting),
    }
    return made


def described(entry: DocumentEntry) -> Resource:
    """A Bundle of a document's DocumentReference and, where it is signed, its Provenance."""
    made = [document_reference(entry)]
    if entry.signatures:
        signed = Signed(sha256=entry.sha256, mime_type=entry.mime_type, signatures=entry.signatures)
        own = fhir.resource_id("Provenance", entry.entry_uuid)
        moment = entry.posted or entry.created
        targets = [identity(entry)]
        made.append(
            attested.provenance(signed, targets, identity=own, recorded=moment, whole=False)
        )
    entries = [{"fullUrl": f"urn:uuid:{one['id']}", "resource": one} for one in made]
    return {"resourceType": "Bundle", "type": "collection", "entry": entries}


def identity(entry: DocumentEntry) -> str:
    """The id by which others point to the DocumentReference of an entry."""
    return entry.entry_uuid.removeprefix("urn:uuid:")


def _name(author: str) -> str:
    """What people read of an XCN; a bare name is that already."""
    return " ".join(part for part in author.split("^")[1:3] if part) if "^" in author else author


def _attachment(entry: DocumentEntry) -> dict[str, Any]:
    # R4's list of languages has `ja` and no `ja-JP`
    language = entry.language.partition("-")[0]
    found: dict[str, Any] = {"contentType": entry.mime_type, "language": language}
    found["url"] = f"urn:x-regional-gateway:sha256:{entry.sha256}"
    found["size"] = entry.size
    found["hash"] = base64.b64encode(bytes.fromhex(entry.hash_sha1)).decode()
    if entry.title:
        found["title"] = entry.title
    found["creation"] = entry.created.isoformat(timespec="seconds")
    return found


def _concept(code: Code) -> dict[str, Any]:
    system = _SYSTEMS.get(code.system, "")
    if not system:
        system = code.system if ":" in code.system else f"urn:oid:{code.system}"
    return fhir.concept(fhir.coding(code.code, system), text=code.display)
