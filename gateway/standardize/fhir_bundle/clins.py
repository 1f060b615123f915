"""The national sharing service (JP-CLINS): six kinds of information, checked as it demands them.

Only what `codes-and-uris.md` sections 2 and 4 state of its profiles; its tables are not shipped
(no derivatives). What is missing is found and never filled in, because the claim is not ours.
"""

import re
from collections.abc import Iterator
from typing import Any

from gateway.model.batch import Resource
from gateway.standardize.fhir_bundle.keys import INSTANCE

_BUNDLE = "http://jpfhir.jp/fhir/clins/StructureDefinition/JP_Bundle_CLINS"
_IDENTIFIER = "http://jpfhir.jp/fhir/clins/bundle-identifier"
_NUMBER = re.compile(r"[0-4][0-9][1-3][0-9]{7}\^[0-9]{4}\^.+")
_TAGS = "http://jpfhir.jp/fhir/clins/CodeSystem/JP_ehrshrs_indication"
_DISEASE = "http://medis.or.jp/CodeSystem/master-disease-keyNumber"
_PATIENT = ("name", "gender", "birthDate", "address")
_KINDS = frozenset({"AllergyIntolerance", "Condition", "MedicationRequest", "Observation"})


def is_clins(bundle: Resource) -> bool:
    """Whether a Bundle claims to be one of the sharing service."""
    claims = bundle.get("meta", {}).get("profile", [])
    return any(one.partition("|")[0] == _BUNDLE for one in claims if one)


def bundle_problems(bundle: Resource, resources: list[Resource]) -> Iterator[str]:
    """What of the Bundle itself is not as demanded: collection, number, time, one kind."""
    if bundle.get("type") != "collection":
        yield "Bundle.type"
    identifier = bundle.get("identifier", {})
    if identifier.get("system") != _IDENTIFIER or not _NUMBER.fullmatch(
        identifier.get("value", "")
    ):
        yield "Bundle.identifier"
    if "timestamp" not in bundle:
        yield "Bundle.timestamp"
    if not bundle.get("meta", {}).get("tag"):
        yield "Bundle.meta.tag"
    kinds = {one["resourceType"] for one in resources} & _KINDS
    if len(kinds) != 1:
        yield "Bundle.entry"


def problems(resource: Resource) -> Iterator[str]:
    """What a resource of such a Bundle lacks."""
    kind = resource["resourceType"]
    if kind == "Patient":
        yield from (f"Patient.{name}" for name in _PATIENT if name not in resource)
        return
    if kind not in _KINDS:
        return
    if "lastUpdated" not in resource.get("meta", {}):
        yield f"{kind}.meta.lastUpdated"
    numbers = [
        one for one in resource.get("identifier", [])
        if one.get("system", "").rpartition("/")[2] == INSTANCE and one.get("value")
    ]  # fmt: skip
    if len(numbers) != 1:
        yield f"{kind}.identifier"
    name = "medicationCodeableConcept" if kind == "MedicationRequest" else "code"
    yield from (f"{kind}.{name}.{one}" for one in _concept(resource.get(name, {})))
    if kind == "MedicationRequest":
        for element, wanted in (("status", "completed"), ("intent", "order")):
            if resource.get(element) != wanted:
                yield f"{kind}.{element}"
        if not resource.get("dosageInstruction"):
            yield f"{kind}.dosageInstruction"
    if kind == "Condition":
        yield from (
            f"{kind}.{name}" for name in ("category", "verificationStatus") if name not in resource
        )
        codings = resource.get("code", {}).get("coding", [])
        if not any(one.get("system") == _DISEASE for one in codings):
            yield f"{kind}.code.coding"


def _concept(concept: dict[str, Any]) -> Iterator[str]:
    if "text" not in concept:
        yield "text"
    codings = concept.get("coding", [])
    if not codings or any(
        name not in one for one in codings for name in ("system", "code", "display")
    ):
        yield "coding"


def is_uninformed(resource: Resource) -> bool:
    """Whether the patient has not been told of it (tag UNINFORMED or UNDELIVERED)."""
    return any(
        one.get("system") == _TAGS and one.get("code") in ("UNINFORMED", "UNDELIVERED")
        for one in resource.get("meta", {}).get("tag", [])
    )
