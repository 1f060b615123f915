"""Whether a resource from outside is FHIR R4 in its structure; findings name elements, no values.

fhir.resources judges (types, cardinalities, choices, dates, unknown elements) and never transforms,
because it loses the written precision of decimals (LIBRARIES section 6). It is R4B; the resources
of JP Core are the same there as in R4. What it lets pass (codes of required bindings, empty
concepts, references of the wrong kind) is judged beside it where the mapping depends on it.
"""

import re
from collections.abc import Iterator
from typing import Any

from gateway.model.batch import Resource

_NAME = re.compile(r"_?[A-Za-z][A-Za-z0-9]{0,40}")
_MOST = 5
_CODES = {
    "status": {
        "Observation": "registered preliminary final amended corrected cancelled entered-in-error "
        "unknown",
        "MedicationRequest": "active on-hold cancelled completed entered-in-error stopped draft "
        "unknown",
        "MedicationDispense": "preparation in-progress cancelled on-hold completed "
        "entered-in-error stopped declined unknown",
        "MedicationAdministration": "in-progress not-done on-hold completed entered-in-error "
        "stopped unknown",
        "MedicationStatement": "active completed entered-in-error intended stopped on-hold "
        "unknown not-taken",
        "DiagnosticReport": "registered partial preliminary final amended corrected appended "
        "cancelled entered-in-error unknown",
        "Encounter": "planned arrived triaged in-progress onleave finished cancelled "
        "entered-in-error unknown",
        "ServiceRequest": "draft active on-hold revoked completed entered-in-error unknown",
        "Procedure": "preparation in-progress not-done on-hold stopped completed "
        "entered-in-error unknown",
        "Immunization": "completed entered-in-error not-done",
        "Coverage": "active cancelled draft entered-in-error",
        "Location": "active suspended inactive",
        "Composition": "preliminary final amended entered-in-error",
    },
    "intent": {
        "MedicationRequest": "proposal plan order original-order reflex-order filler-order "
        "instance-order option",
        "ServiceRequest": "proposal plan directive order original-order reflex-order filler-order "
        "instance-order option",
    },
    "gender": {"Patient": "male female other unknown"},
}
"Required bindings of R4 that decide what becomes of a resource; fhir.resources knows none."
_SETS = {
    (kind, element): frozenset(words.split())
    for element, kinds in _CODES.items()
    for kind, words in kinds.items()
}
_SUBJECTS = {
    "AllergyIntolerance": ("patient", {"Patient"}),
    "Condition": ("subject", {"Patient", "Group"}),
    "Coverage": ("beneficiary", {"Patient"}),
    "DiagnosticReport": ("subject", {"Patient", "Group", "Device", "Location"}),
    "DocumentReference": ("subject", {"Patient", "Practitioner", "Group", "Device"}),
    "Encounter": ("subject", {"Patient", "Group"}),
    "FamilyMemberHistory": ("patient", {"Patient"}),
    "Immunization": ("patient", {"Patient"}),
    "MedicationAdministration": ("subject", {"Patient", "Group"}),
    "MedicationDispense": ("subject", {"Patient", "Group"}),
    "MedicationRequest": ("subject", {"Patient", "Group"}),
    "MedicationStatement": ("subject", {"Patient", "Group"}),
    "Observation": ("subject", {"Patient", "Group", "Device", "Location"}),
    "Procedure": ("subject", {"Patient", "Group"}),
    "ServiceRequest": ("subject", {"Patient", "Group", "Device", "Location"}),
}
"Whom a resource may be about (R4); wrong ones are seen by their literal reference."


def problems(resource: Resource) -> tuple[str, ...]:
    """Paths of what is not FHIR R4, a few at most; empty where nothing was seen."""
    found = list(dict.fromkeys(_problems(resource)))
    return tuple(found[:_MOST])


def _problems(resource: Resource) -> Iterator[str]:
    # Half a second to import, and only files of this format need it.
    from fhir.resources.R4B import get_fhir_model_class
    from pydantic import ValidationError

    kind = str(resource.get("resourceType", ""))
    shown = kind if _NAME.fullmatch(kind) else "resource"
    try:
        model = get_fhir_model_class(kind)
    except ValueError:
        yield f"{shown}.resourceType"
        return
    try:
        made = model.model_validate(resource)
    except ValidationError as error:
        for one in error.errors(include_url=False, include_context=False, include_input=False):
            yield ".".join([shown, *_path(one["loc"])])
        return
    except (TypeError, LookupError):  # the library's, for something inside that is of no type
        yield f"{shown}.contained"
        return
    except AttributeError:  # likewise, for a primitive element that is extended by no object
        yield shown
        return
    wrong = list(_packed(resource, made, shown)) or list(_empty(resource, shown))
    if wrong:
        yield from wrong
        return
    for (name, element), words in _SETS.items():
        if name == kind and element in resource and resource[element] not in words:
            yield f"{shown}.{element}"
    element, kinds = _SUBJECTS.get(kind, ("", set()))
    to = resource.get(element, {}).get("reference", "") if element else ""
    target = to.split("/_history/")[0].rpartition("/")[0].rpartition("/")[2]
    if target and target[:1].isupper() and target not in kinds:
        yield f"{shown}.{element}"


def _packed(value: Any, made: Any, path: str) -> Iterator[str]:
    """Texts where an object has to stand: the library reads JSON inside of them, R4 has none."""
    if isinstance(value, list):
        for one, inner in zip(value, made if isinstance(made, list) else (), strict=False):
            yield from _packed(one, inner, path)
    elif not hasattr(made, "model_fields_set"):
        return  # a primitive
    elif isinstance(value, str):
        yield path
    else:
        names = {field.alias or name: name for name, field in type(made).model_fields.items()}
        for key, one in value.items():
            if isinstance(one, str | list | dict):
                yield from _packed(one, getattr(made, names.get(key, key), None), f"{path}.{key}")


def _empty(value: Any, path: str) -> Iterator[str]:
    """Objects and lists without content (R4 ele-1), and comparators that none knows."""
    if isinstance(value, dict):
        if value.get("comparator", "<") not in ("<", "<=", ">=", ">"):
            yield f"{path}.comparator"
        for name, part in value.items():
            if part is None or part in ({}, [], "") or _has_null(name, part):
                yield f"{path}.{name if _NAME.fullmatch(name) else 'element'}"
            else:
                yield from _empty(part, f"{path}.{name if _NAME.fullmatch(name) else 'element'}")
    elif isinstance(value, list):
        for number, part in enumerate(value):
            if part in ({}, [], ""):
                yield f"{path}[{number}]"
            else:
                yield from _empty(part, f"{path}[{number}]")


def _has_null(name: str, part: Any) -> bool:
    """A null stands only in a list of primitives, beside its extensions (R4 2.6.2)."""
    if not isinstance(part, list) or name.startswith("_"):
        return False
    return None in part and any(isinstance(one, dict | list) for one in part)


def _path(place: tuple[int | str, ...]) -> Iterator[str]:
    for step in place:
        if isinstance(step, int):
            yield str(step)
        else:
            yield step if _NAME.fullmatch(step) else "element"
