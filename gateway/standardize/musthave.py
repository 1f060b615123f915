"""What JP Core 1.2.0 demands of the profiles that we write, checked on every resource.

Minimum 1 of the profiles' elements, within parents that are there. What the source does not give
is marked as absent (R4 extension data-absent-reason), never filled in.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

from gateway.model.batch import Resource
from gateway.wire import fhir

_RP = "http://jpfhir.jp/fhir/core/mhlw/IdSystem/Medication-RPGroupNumber"
_ORDER = "http://jpfhir.jp/fhir/core/mhlw/IdSystem/MedicationAdministrationIndex"

MERIT9 = "http://jpfhir.jp/fhir/core/mhlw/CodeSystem/MedicationUnitMERIT9Code"
RP_NUMBER, ORDER_IN_RP = _RP, _ORDER
"Systems of dose units, and of the two identifiers that every JP Core medication resource carries."

_ELEMENTS: Mapping[str, tuple[str, ...]] = {
    "JP_Patient": ("identifier",),
    "JP_Coverage": ("status", "beneficiary", "payor"),
    "JP_Condition_Diagnosis": ("subject",),
    "JP_Condition": ("subject",),
    "JP_AllergyIntolerance": ("patient",),
    "JP_MedicationRequest": (
        "status",
        "intent",
        "medicationCodeableConcept",
        "subject",
        "authoredOn",
    ),
    "JP_MedicationDispense": (
        "status",
        "medicationCodeableConcept",
        "subject",
        "quantity",
        "whenHandedOver",
    ),
    "JP_MedicationRequest_Injection": (
        "status",
        "intent",
        "medicationReference",
        "subject",
        "authoredOn",
    ),
    "JP_MedicationAdministration": (
        "status",
        "medicationCodeableConcept",
        "subject",
        "effectiveDateTime",
    ),
    "JP_MedicationAdministration_Injection": (
        "status",
        "medicationReference",
        "subject",
        "effectiveDateTime",
    ),
    "JP_Medication": ("status",),
    "JP_MedicationStatement": ("status", "medicationCodeableConcept", "subject"),
    "JP_DocumentReference": ("status", "content"),
    "JP_Observation_Common": ("status", "category", "code"),
    "JP_Observation_LabResult": (
        "status",
        "category",
        "code",
        "subject",
        "effectiveDateTime",
        "specimen",
    ),
    "JP_Observation_Microbiology": ("status", "category", "code", "subject"),
    "JP_DiagnosticReport_Microbiology": ("status", "category", "code"),
    "JP_Observation_VitalSigns": ("status", "category", "code", "subject"),
    "JP_Observation_SocialHistory": ("status", "category", "code", "subject"),
    "JP_Observation_BodyMeasurement": ("status", "category", "code", "subject"),
    "JP_DiagnosticReport_Common": ("status", "code"),
    "JP_DiagnosticReport_LabResult": ("status", "category", "code"),
    "JP_Encounter": ("status", "class"),
    "JP_ServiceRequest_Common": ("status", "intent", "subject"),
    "JP_Specimen_Common": (),
    "JP_ImagingStudy_Radiology": ("status", "subject"),
    "JP_ImagingStudy_Endoscopy": ("status", "subject"),
    "JP_Procedure": ("status", "subject"),
    "JP_Location": (),
    "JP_Organization": (),
    "JP_Practitioner": (),
    "JP_PractitionerRole": (),
}
"Elements with minimum 1 at the top of each profile; for a choice, the type we write."

_SIMPLE = "http://jpfhir.jp/fhir/core/CodeSystem/JP_SimpleObservationCategory_CS"
_LOINC = "http://loinc.org"
_CATEGORIES: Mapping[str, list[dict[str, Any]]] = {
    "JP_Observation_LabResult": [fhir.concept(fhir.coding("laboratory", _SIMPLE))],
    "JP_Observation_Microbiology": [
        fhir.concept(fhir.coding("laboratory", _SIMPLE)),
        fhir.concept(fhir.coding("18725-2", _LOINC)),
    ],
    "JP_Observation_VitalSigns": [fhir.concept(fhir.coding("vital-signs", _SIMPLE))],
    "JP_Observation_SocialHistory": [fhir.concept(fhir.coding("social-history", _SIMPLE))],
    "JP_Observation_BodyMeasurement": [fhir.concept(fhir.coding("body-measurement", _SIMPLE))],
    "JP_Observation_Common": [{"coding": [{"system": _SIMPLE, "_code": fhir.absent()}]}],
    "JP_DiagnosticReport_LabResult": [fhir.concept(fhir.coding("LP29693-6", _LOINC))],
    "JP_DiagnosticReport_Microbiology": [fhir.concept(fhir.coding("LP7819-8", _LOINC))],
}
"What the profile itself fixes of a category; the source has no say in it."

_Kind = Literal["primitive", "list", "object"]
_P: _Kind = "primitive"
_L: _Kind = "list"
_O: _Kind = "object"
_SERIES: Mapping[str, _Kind] = {
    "series.uid": _P,
    "series.modality": _O,
    "series.performer.actor": _O,
    "series.instance.uid": _P,
    "series.instance.sopClass": _O,
}
_NESTED: Mapping[str, Mapping[str, _Kind]] = {
    "JP_AllergyIntolerance": {"reaction.manifestation": _L},
    "JP_Condition_Diagnosis": {"code.coding.code": _P},
    "JP_Coverage": {
        "identifier.value": _P,
        "class.type": _O,
        "class.value": _P,
        "costToBeneficiary.valueQuantity": _O,
        "costToBeneficiary.exception.type": _O,
    },
    "JP_DiagnosticReport_LabResult": {"media.link": _O},
    "JP_Encounter": {
        "statusHistory.status": _P,
        "statusHistory.period": _O,
        "classHistory.class": _O,
        "classHistory.period": _O,
        "diagnosis.condition": _O,
        "location.location": _O,
    },
    "JP_ImagingStudy_Radiology": _SERIES,
    "JP_ImagingStudy_Endoscopy": _SERIES,
    "JP_Location": {"position.longitude": _P, "position.latitude": _P},
    "JP_Medication": {"ingredient.itemCodeableConcept": _O, "ingredient.strength": _O},
    "JP_MedicationAdministration": {"performer.actor": _O},
    "JP_MedicationDispense": {"performer.actor": _O},
    "JP_MedicationRequest": {"substitution.allowedBoolean": _P},
    "JP_MedicationRequest_Injection": {"substitution.allowedBoolean": _P},
    "JP_Observation_LabResult": {"note.text": _P},
    "JP_Observation_VitalSigns": {"component.code": _O},
    "JP_Patient": {
        "identifier.value": _P,
        "communication.language": _O,
        "link.other": _O,
        "link.type": _P,
    },
    "JP_Practitioner": {"qualification.code": _O},
    "JP_PractitionerRole": {"notAvailable.description": _P},
    "JP_Procedure": {"performer.actor": _O, "focalDevice.manipulated": _O},
}
"Elements with minimum 1 inside parents that need not be there; for a choice, one type of it."

PROFILES: frozenset[str] = frozenset(_ELEMENTS)
"Names of the profiles that our own mappers write."

_CHOICES = {"effectiveDateTime": ("effectivePeriod",)}
_CHOICES |= {
    "valueQuantity": ("valueMoney",),
    "allowedBoolean": ("allowedCodeableConcept",),
    "itemCodeableConcept": ("itemReference",),
}
"Other types of a choice that satisfy it."

_PRIMITIVE = frozenset({"status", "intent", "authoredOn", "whenHandedOver", "effectiveDateTime"})


def complete(resource: Resource) -> tuple[str, ...]:
    """Mark as absent what the profile demands and the resource lacks; the paths of those."""
    if "meta" not in resource:
        return ()  # plain R4
    name = resource["meta"]["profile"][0].rpartition("/")[2]
    demands = _DEMANDS[name]
    missing: list[str] = []
    if not demands.elements <= resource.keys():
        for element in _ELEMENTS[name]:
            if not any(one in resource for one in _ways(element)):
                _mark(resource, element, name)
                missing.append(element)
    for path, step, rest, kind in demands.nested:
        if step in resource:
            found = resource[step]
            made = _within(found, rest, kind)
            if made is not found:
                resource[step] = made
                missing.append(path)
    if demands.inside:
        missing.extend(demands.inside(resource))
    return tuple(missing)


def _ways(element: str) -> tuple[str, ...]:
    """The names under which a resource may have an element."""
    return element, f"_{element}", *_CHOICES.get(element, ())


def _within(found: Any, path: tuple[str, ...], kind: _Kind) -> Any:
    """A node, or nodes, with the last step of a path marked in every parent that lacks it.

    The same one where none does; else a copy, because resources share what they have in common.
    """
    if isinstance(found, list):
        several = [_within(one, path, kind) for one in found]  # every one, not the first
        changed = any(new is not old for new, old in zip(several, found, strict=True))
        return several if changed else found
    if fhir.is_absent(found):
        return found
    step, rest = path[0], path[1:]
    if rest:
        inside: Any = found.get(step)
        made: Any = _within(inside, rest, kind) if inside is not None else inside
        return found if made is inside else {**found, step: made}
    if any(one in found for one in _ways(step)):
        return found
    return {**found, **_put(step, kind)}


def _put(element: str, kind: _Kind) -> dict[str, Any]:
    name = f"_{element}" if kind == _P else element
    return {name: [fhir.absent()] if kind == _L else fhir.absent()}


def _mark(resource: Resource, element: str, profile: str) -> None:
    """Put the absent mark in place of one element."""
    if element in _PRIMITIVE:
        resource[f"_{element}"] = fhir.absent()
    elif element == "category" and profile in _CATEGORIES:
        resource[element] = _CATEGORIES[profile]
    elif element in ("category", "identifier", "payor", "content"):
        resource[element] = [fhir.absent()]
    elif element == "quantity":
        # An absent quantity still has the parts that JP_MedicationSimpleQuantity demands.
        resource[element] = {"_value": fhir.absent(), "system": MERIT9, "_code": fhir.absent()}
    else:
        resource[element] = fhir.absent()


def _lab_result(resource: Resource) -> list[str]:
    """JP_Observation_LabResult: code.coding 1..*, code.text 1..1."""
    code = resource["code"]
    marks: dict[str, Any] = {}
    missing = []
    if "coding" not in code and "extension" not in code:
        marks["coding"] = [fhir.absent()]
        missing.append("code.coding")
    if "text" not in code and "_text" not in code:
        marks["_text"] = fhir.absent()
        missing.append("code.text")
    if marks:
        resource["code"] = {**code, **marks}
    return missing


def _medication(resource: Resource) -> list[str]:
    """JP_MedicationRequest, JP_MedicationDispense: rpNumber, orderInRp, codes of quantities."""
    identifiers = resource.setdefault("identifier", [])
    missing = []
    for place, system in enumerate((_RP, _ORDER)):
        found = next((one for one in identifiers if one.get("system") == system), None)
        if found is None:
            found = {"system": system}
            identifiers.insert(place, found)
        if not found.get("value") and "_value" not in found:
            found.pop("value", None)
            found["_value"] = fhir.absent()
            missing.append("identifier.value")
    if any(map(_lacking, _quantities(resource))):
        for name in ("quantity", "dispenseRequest", "dosageInstruction"):
            if name in resource:  # amounts are shared: see `ssmix2/prescriptions.py`
                resource[name] = _copied(resource[name])
        for quantity in _quantities(resource):
            missing.extend(_quantity(quantity))
    return missing


def _copied(value: Any) -> Any:
    """A part of a resource apart from what others share."""
    if isinstance(value, dict):
        return {name: _copied(one) for name, one in value.items()}
    return [_copied(one) for one in value] if isinstance(value, list) else value


def _injection(resource: Resource) -> list[str]:
    """Injections: rpNumber; a mixture has no place in its RP."""
    identifiers = resource.setdefault("identifier", [])
    found = next((one for one in identifiers if one.get("system") == _RP), None)
    if found and (found.get("value") or "_value" in found):
        return []
    if found is None:
        found = {"system": _RP}
        identifiers.insert(0, found)
    found["_value"] = fhir.absent()
    return ["identifier.value"]


def _quantities(resource: Resource) -> list[dict[str, Any]]:
    """The quantities of a medication resource that JP_MedicationSimpleQuantity constrains."""
    found = [resource.get("quantity"), resource.get("dispenseRequest", {}).get("quantity")]
    for dosage in resource.get("dosageInstruction", ()):
        for dose in dosage.get("doseAndRate", ()):
            found.append(dose.get("doseQuantity"))
            found.append(dose.get("rateRatio", {}).get("numerator"))
    return [one for one in found if one and "extension" not in one]


def _lacking(quantity: dict[str, Any]) -> bool:
    return not ("value" in quantity and "code" in quantity)


def _quantity(quantity: dict[str, Any]) -> list[str]:
    """JP_MedicationSimpleQuantity: value 1..1, code 1..1."""
    missing = []
    if "value" not in quantity and "_value" not in quantity:
        quantity["_value"] = fhir.absent()
        missing.append("quantity.value")
    if "code" not in quantity and "_code" not in quantity:
        quantity["system"] = MERIT9
        quantity["_code"] = fhir.absent("not-applicable" if not quantity.get("unit") else "unknown")
        missing.append("quantity.code")
    return missing


_INSIDE: Mapping[str, Callable[[Resource], list[str]]] = {
    "JP_Observation_LabResult": _lab_result,
    "JP_MedicationRequest": _medication,
    "JP_MedicationDispense": _medication,
    "JP_MedicationAdministration": _medication,
    "JP_MedicationRequest_Injection": _injection,
    "JP_MedicationAdministration_Injection": _injection,
}


class _Demands(NamedTuple):
    """What one profile demands, put together once."""

    elements: frozenset[str]
    "At its top."
    nested: tuple[tuple[str, str, tuple[str, ...], _Kind], ...]
    "Path as it is told, its first step, the others."
    inside: Callable[[Resource], list[str]] | None


_DEMANDS: Mapping[str, _Demands] = {
    name: _Demands(
        elements=frozenset(elements),
        nested=tuple(
            (path, step, tuple(rest), kind)
            for path, kind in _NESTED.get(name, {}).items()
            for step, *rest in [path.split(".")]
        ),
        inside=_INSIDE.get(name),
    )
    for name, elements in _ELEMENTS.items()
}
