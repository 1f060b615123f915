"""FHIR R4 as plain JSON: how it is written and read, and small builders that formats share.

Decimals are `Decimal` inside a `Resource`, so that 7.10 stays 7.10 (FHIR R4 datatypes, decimal).
Only :func:`dumps` and :func:`loads` keep that; nobody uses another JSON library on a resource.
Profiles are those of JP Core 1.2.0; every resource says `language` ja.

Ids are UUIDs made from what the resource is about (:func:`resource_id`), so the same source gives
the same resource. Resources point to one another by `urn:uuid:` and that id.
"""

import hashlib
import json
import uuid
from collections.abc import Iterable, Sequence
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

import orjson

from gateway.errors import Malformed
from gateway.model import uuids
from gateway.model.batch import Resource
from gateway.model.identifiers import PatientId
from gateway.model.person import Address, Demographics, Gender, PersonName, Telecom

PROFILES = "http://jpfhir.jp/fhir/core/StructureDefinition/"
EXTENSIONS = "http://jpfhir.jp/fhir/core/Extension/StructureDefinition/"
DATA_ABSENT = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
_REPRESENTATION = "http://hl7.org/fhir/StructureDefinition/iso21090-EN-representation"
_PREFECTURE = "http://jpfhir.jp/fhir/core/mhlw/CodeSystem/PrefectureNo-2digits"
_FEE_TABLE = "http://jpfhir.jp/fhir/core/mhlw/CodeSystem/MedicationFeeScoreType"
_INSTITUTION = "http://jpfhir.jp/fhir/core/mhlw/IdSystem/MedicalOrganizationID"
_INSTITUTION_10 = "http://jpfhir.jp/fhir/core/IdSystem/insurance-medical-institution-no"
_TELECOM_USES = {"H": "home", "HP": "home", "WP": "work", "MC": "mobile"}
_TELECOM_SYSTEMS = {"tel": "phone", "mailto": "email", "fax": "fax", "http": "url", "https": "url"}
_NAMESPACE = uuid.UUID("6f1f4a0e-2c0f-5c8e-9a58-5d0b0c0f7a11")
_SEED = hashlib.sha1(_NAMESPACE.bytes, usedforsecurity=False)
_LONGEST_NUMBER = 18


def dumps(resource: Resource) -> bytes:
    """The resource as JSON bytes, decimals as they were written."""
    return orjson.dumps(resource, default=_decimal)


def loads(content: bytes | str) -> Resource:
    """Read one JSON object; raises `Malformed` for doubled keys, NaN, absurd sizes (E-13)."""
    try:
        value = json.loads(
            content,
            parse_float=_fraction,
            parse_int=_whole,
            parse_constant=_no_constant,
            object_pairs_hook=_once,
        )
    except (ValueError, RecursionError) as error:
        raise Malformed("not JSON", "JSON ではありません", rule="E-13") from error
    if not isinstance(value, dict):
        raise Malformed("not a JSON object", "JSON オブジェクトではありません", rule="E-13")
    return value


def _decimal(value: object) -> orjson.Fragment:
    if isinstance(value, Decimal) and value.is_finite():
        return orjson.Fragment(str(value))
    raise TypeError(f"no JSON for {type(value).__name__}")


def _whole(text: str) -> int:
    if len(text.removeprefix("-")) > _LONGEST_NUMBER:
        raise ValueError("number too long")
    return int(text)


def _fraction(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation as error:  # an exponent that no Decimal holds
        raise ValueError("number too large") from error


def _no_constant(text: str) -> None:
    raise ValueError(f"{text} is no JSON number")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice")
    return found


def resource_id(*parts: str) -> str:
    """A UUID (version 5) of what a resource is about: the same parts, the same id.

    RFC 9562 5.5, as :func:`uuid.uuid5` makes it, for less.
    """
    digest = _SEED.copy()
    digest.update("\x1f".join(parts).encode())
    return uuids.formatted(digest.hexdigest(), 5)


def patient_resource_id(patient: PatientId) -> str:
    """The id of the Patient made for one chart id; items point to it as their subject."""
    return _patient_resource_id(patient.domain, patient.value)


@lru_cache(maxsize=256)
def _patient_resource_id(domain: str, value: str) -> str:
    return resource_id("Patient", domain, value)


def reference(identity: str, display: str = "") -> dict[str, Any]:
    """A reference to a resource by its id."""
    if display:
        return {"reference": f"urn:uuid:{identity}", "display": display}
    return {"reference": f"urn:uuid:{identity}"}


def resource(kind: str, profile: str, identity: str) -> Resource:
    """The head that every resource of ours has; `profile` is a JP Core name, or empty."""
    head: Resource = {"resourceType": kind, "id": identity}
    if profile:
        head["meta"] = {"profile": [PROFILES + profile]}
    head["language"] = "ja"
    return head


def coding(code: str, system: str = "", display: str = "") -> dict[str, Any]:
    """A Coding; without a system it is a bare code."""
    made: dict[str, Any] = {}
    if system:
        made["system"] = system
    made["code"] = code
    if display:
        made["display"] = display
    return made


def concept(*codings: dict[str, Any], text: str = "") -> dict[str, Any]:
    """A CodeableConcept."""
    made: dict[str, Any] = {}
    if codings:
        made["coding"] = list(codings)
    if text:
        made["text"] = text
    return made


def quantity(
    value: Decimal, unit: str = "", system: str = "", code: str = "", comparator: str = ""
) -> dict[str, Any]:
    """A Quantity that keeps the written precision of its value."""
    made: dict[str, Any] = {"value": value}
    if comparator:
        made["comparator"] = comparator
    if unit:
        made["unit"] = unit
    if code:
        made["system"] = system
        made["code"] = code
    return made


def identifier(system: str, value: str) -> dict[str, Any]:
    """An Identifier."""
    return {"system": system, "value": value}


def extension(url: str, kind: str, value: object) -> dict[str, Any]:
    """An Extension: `extension(url, "Code", "IDE")` has a valueCode."""
    return {"url": url, f"value{kind}": value}


def absent(reason: str = "unknown") -> dict[str, Any]:
    """What stands in place of a required value that the source does not give."""
    return {"extension": [extension(DATA_ABSENT, "Code", reason)]}


def is_absent(node: dict[str, Any]) -> bool:
    """Whether a node stands in place of what the source does not give."""
    return any(one.get("url") == DATA_ABSENT for one in node.get("extension", ()))


def human_name(name: PersonName) -> dict[str, Any]:
    """A JP_HumanName: kanji, kana and Roman forms are told apart by their representation."""
    made: dict[str, Any] = {
        "extension": [extension(_REPRESENTATION, "Code", name.script.value)],
        "use": "usual",
    }
    whole = name.full
    if whole:
        made["text"] = whole
    if name.family:
        made["family"] = name.family
    if name.given:
        made["given"] = [name.given]
    return made


def address(place: Address) -> dict[str, Any]:
    """An Address; Japanese senders mostly give one text."""
    made: dict[str, Any] = {}
    if place.use in _TELECOM_USES:
        made["use"] = _TELECOM_USES[place.use]
    parts = {
        "text": place.text,
        "city": place.city,
        "state": place.state,
        "postalCode": place.postal_code,
        "country": place.country,
    }
    made.update({name: value for name, value in parts.items() if value})
    if place.line:
        made["line"] = [place.line]
    return made


def contact_point(telecom: Telecom) -> dict[str, Any]:
    """A ContactPoint; a value without a scheme is a telephone number."""
    scheme, _, rest = telecom.value.partition(":")
    system = _TELECOM_SYSTEMS.get(scheme.lower()) if rest else None
    made = {"system": system or "phone"}
    made["value"] = rest if system and system != "url" else telecom.value
    if telecom.use in _TELECOM_USES:
        made["use"] = _TELECOM_USES[telecom.use]
    return made


def patient_resource(
    demographics: Demographics, identifiers: Sequence[PatientId], *, identity: str = ""
) -> Resource:
    """A JP_Patient; without `identity` its id is that of the first identifier's patient."""
    made = resource("Patient", "JP_Patient", identity or patient_resource_id(identifiers[0]))
    made["identifier"] = [identifier(one.domain.urn, one.value) for one in identifiers]
    if demographics.names:
        made["name"] = [human_name(name) for name in demographics.names]
    if demographics.telecoms:
        made["telecom"] = [contact_point(telecom) for telecom in demographics.telecoms]
    if demographics.gender is not None:
        made["gender"] = demographics.gender.fhir
    if demographics.birth is not None:
        made["birthDate"] = demographics.birth.isoformat()
    if demographics.deceased:
        made["deceasedBoolean"] = True
    if demographics.addresses:
        made["address"] = [address(place) for place in demographics.addresses]
    return made


def practitioner(
    identity: str, names: Sequence[PersonName], *, system: str = "", number: str = ""
) -> Resource:
    """A JP_Practitioner: names, and the staff number of the institution if there is one."""
    made = resource("Practitioner", "JP_Practitioner", identity)
    if number:
        made["identifier"] = [identifier(system, number) if system else {"value": number}]
    if names:
        made["name"] = [human_name(name) for name in names]
    return made


def organization(
    identity: str,
    name: str,
    *,
    prefecture: str = "",
    fee_table: str = "",
    number: str = "",
    addresses: Iterable[Address] = (),
    telecoms: Iterable[Telecom] = (),
) -> Resource:
    """A JP_Organization; the institution code of ten digits is its three parts in a row."""
    made = resource("Organization", "JP_Organization", identity)
    parts = []
    if prefecture:
        value = coding(prefecture, _PREFECTURE)
        parts.append(extension(EXTENSIONS + "JP_Organization_PrefectureNo", "Coding", value))
    if fee_table:
        value = coding(fee_table, _FEE_TABLE)
        url = EXTENSIONS + "JP_Organization_InsuranceOrganizationCategory"
        parts.append(extension(url, "Coding", value))
    if number:
        value = identifier(_INSTITUTION, number)
        url = EXTENSIONS + "JP_Organization_InsuranceOrganizationNo"
        parts.append(extension(url, "Identifier", value))
    if parts:
        made["extension"] = parts
    if prefecture and fee_table and number:
        made["identifier"] = [identifier(_INSTITUTION_10, prefecture + fee_table + number)]
    made["name"] = name
    points = [contact_point(telecom) for telecom in telecoms]
    places = [address(place) for place in addresses]
    if points:
        made["telecom"] = points
    if places:
        made["address"] = places
    return made


def read_gender(word: str) -> Gender | None:
    """The administrative gender that a FHIR code means."""
    return next((gender for gender in Gender if gender.fhir == word), None)
