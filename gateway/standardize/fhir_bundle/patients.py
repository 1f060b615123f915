"""Whom a file is about: one person, by the chart id that the receiving facility gave them.

A chart id stands under `urn:oid:1.2.392.100495.20.3.51.1` and the ten digits of the institution
that gave it, or under the facility's own domain (codes-and-uris.md section 2). Another
institution's chart id is an attribute, never this patient: taken for one it would link a stranger.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

from gateway.errors import Invalid
from gateway.model.batch import Resource
from gateway.model.identifiers import PatientId
from gateway.model.person import Address, Demographics, PersonName, Script, Telecom
from gateway.standardize.format import Upload
from gateway.standardize.names import safe_identifier
from gateway.standardize.reading import stated_domain
from gateway.wire import fhir

CHART_IDS = "urn:oid:1.2.392.100495.20.3.51.1"
_CHART = re.compile(re.escape(CHART_IDS) + r"[0-9]{10}")
_SCRIPT = "http://hl7.org/fhir/StructureDefinition/iso21090-EN-representation"
_USES = {"home": "H", "work": "WP", "mobile": "MC"}
_SCHEMES = {"email": "mailto", "fax": "fax", "phone": "tel"}
_NAMES = ("subject", "patient", "beneficiary")
_MOST = 20


def about(resource: Resource) -> dict[str, Any]:
    """The Reference by which a resource names its patient; empty where it names none."""
    for name in _NAMES:
        found = resource.get(name)
        if isinstance(found, dict):
            return found
    return {}


def within(resource: Resource) -> Resource | None:
    """The Patient that a resource contains and is about."""
    to = about(resource).get("reference", "")
    for one in resource.get("contained", []):
        if to == f"#{one.get('id', '')}" and one["resourceType"] == "Patient":
            found: Resource = one
            return found
    return None


def outside(resource: Resource, subject: dict[str, str]) -> Resource:
    """A resource that is about a Patient it contains, about the one here instead."""
    inner = within(resource)
    if inner is None:
        return resource
    made = dict(resource)
    for name in _NAMES:
        if isinstance(made.get(name), dict):
            made[name] = {**made[name], **subject}
    made["contained"] = [one for one in resource["contained"] if one is not inner]
    if not made["contained"]:
        del made["contained"]
    return made


def the_patient(resources: Sequence[Resource]) -> Resource | None:
    """The one Patient of a file; two are refused, because then nothing says what is whose."""
    found = [one for one in resources if one["resourceType"] == "Patient"]
    if len(found) > 1:
        raise Invalid(
            "the file is about several patients: send one file for each patient",
            "複数の患者の情報が含まれています。患者ごとに分けて送ってください",
            at="Patient", rule="E-09",
        )  # fmt: skip
    return found[0] if found else None


def chart(upload: Upload, identifiers: Iterable[Any]) -> PatientId | None:
    """The chart id of the receiving facility among these identifiers, or the stated one.

    The stated one wins where the file has none of this facility; where it has another, staging
    sees that they differ and sets the file aside.
    """
    domain = stated_domain(upload)
    owned = {upload.domain.urn} if upload.domain else set()
    if upload.institution:
        owned.add(CHART_IDS + upload.institution)
    own, others = set(), set()
    for one in identifiers:
        system, value = one.get("system", ""), one.get("value", "")
        if not value:
            continue
        if system in owned:
            own.add(value)
        elif _CHART.fullmatch(system):
            others.add((system, value))
    if upload.domain is None and not own and len(others) == 1:
        own = {value for _, value in others}  # the pure command line knows no facility
    if len(own) > 1:
        raise Invalid(
            "the patient has several chart ids of this facility: state one in `patient`, and send "
            "one identifier",
            "この施設のカルテIDが複数あります。一つにして送り直してください",
            at="Patient.identifier", rule="G-01",
        )  # fmt: skip
    found = own.pop() if own else upload.patient
    return PatientId(domain, safe_identifier(found)) if found else None


def demographics(patient: Resource) -> Demographics:
    """What a Patient says about the person; for comparing with what the chart's feed said."""
    return Demographics(
        names=tuple(_name(one) for one in patient.get("name", [])[:_MOST]),
        birth=_birth(patient.get("birthDate")),
        gender=fhir.read_gender(patient.get("gender", "")),
        addresses=tuple(_address(one) for one in patient.get("address", [])[:_MOST]),
        telecoms=tuple(
            Telecom(f"{_SCHEMES.get(one.get('system', ''), 'tel')}:{one['value']}",
                    _USES.get(one.get("use", ""), ""))
            for one in patient.get("telecom", [])[:_MOST]
            if one.get("value")
        ),
        deceased=bool(patient.get("deceasedBoolean") or patient.get("deceasedDateTime")),
    )  # fmt: skip


def _name(one: dict[str, Any]) -> PersonName:
    scripts = {
        part.get("valueCode") for part in one.get("extension", []) if part.get("url") == _SCRIPT
    }
    script = next((script for script in Script if script.value in scripts), Script.KANJI)
    given = [part for part in one.get("given", []) if part]
    return PersonName(one.get("family", ""), " ".join(given), script, text=str(one.get("text", "")))


def _address(one: dict[str, Any]) -> Address:
    return Address(
        text=one.get("text", ""),
        postal_code=one.get("postalCode", ""),
        state=one.get("state", ""),
        city=one.get("city", ""),
        line=" ".join(part for part in one.get("line", []) if part),
        country=one.get("country", ""),
        use=_USES.get(one.get("use", ""), ""),
    )


def _birth(text: Any) -> date | None:
    """A whole date; a year or a month alone is no birth date to compare."""
    try:
        return date.fromisoformat(text) if isinstance(text, str) and len(text) == 10 else None
    except ValueError:
        return None


def resource(patient: Resource, whose: PatientId) -> Resource:
    """The Patient as it is here: our id, the facility's chart id first, foreign numbers kept."""
    made = {**patient, "id": fhir.patient_resource_id(whose), "language": "ja"}
    own = fhir.identifier(whose.domain.urn, whose.value)
    made["identifier"] = [own, *(one for one in patient.get("identifier", []) if one != own)]
    return made
