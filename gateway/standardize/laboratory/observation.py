"""One result, however it came: JP_Observation_LabResult, of physiology JP_Observation_Common.

HL7 messages, fixed records and CSV files say what an item is (`LabItem`); this is the one place
that makes an Observation of it. This is the hot path of intake: parts that are the same for many
results are made once and shared, so nobody changes the inside of a resource in place.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Literal, NamedTuple

from gateway.model.batch import Resource
from gateway.model.category import Category
from gateway.standardize import codes, split_values, values
from gateway.standardize.reading import Place, Reading
from gateway.wire import fhir, memo

_SIMPLE = "http://jpfhir.jp/fhir/core/CodeSystem/JP_SimpleObservationCategory_CS"
_NORMAL = fhir.concept(
    fhir.coding("normal", "http://terminology.hl7.org/CodeSystem/referencerange-meaning")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """What tells kinds of examination apart."""

    prefix: str
    "Of keys and scope."
    category: Category
    profile: str
    "Of an Observation."
    categories: list[dict[str, Any]]
    "Observation.category."
    report: str
    "Profile of a DiagnosticReport."
    specimen: bool = True
    "Whether it is of a specimen."


SPECIMEN = Examination(
    prefix="lab",
    category=Category.LAB_RESULT,
    profile="JP_Observation_LabResult",
    categories=[fhir.concept(fhir.coding("laboratory", _SIMPLE))],
    report="JP_DiagnosticReport_LabResult",
)
MICROBIOLOGY = Examination(
    prefix="lab",
    category=Category.LAB_RESULT,
    profile="JP_Observation_Microbiology",
    categories=[
        fhir.concept(fhir.coding("laboratory", _SIMPLE)),
        fhir.concept(fhir.coding("18725-2", "http://loinc.org", "Microbiology studies (set)")),
    ],
    report="JP_DiagnosticReport_Microbiology",
)
PHYSIOLOGY = Examination(
    prefix="physiology",
    category=Category.MEDICAL,
    profile="JP_Observation_Common",
    categories=[fhir.concept(fhir.coding("procedure", _SIMPLE))],
    report="JP_DiagnosticReport_Common",
    specimen=False,
)
"検体検査, of that 細菌検査, and 生理検査."


class Terms(NamedTuple):
    """What stands beside a value: its unit, what its flags mean, its reference range."""

    unit: dict[str, str]
    "Unit, system and code of a Quantity; without a code where it is not known."
    flags: tuple[str, ...]
    "As sent."
    interpretation: list[dict[str, Any]]
    known: bool
    "Whether all flags are."
    ranges: list[dict[str, Any]]


NO_TERMS = Terms({}, (), [], True, [])


@memo.by_texts(8192)
def terms(code: str, unit: str, limits: str, low: str, high: str, sex: str, *flags: str) -> Terms:
    """The terms of a value: code and text of its unit, its range as text or as two, its flags.

    Of limits by sex, those of `sex`. A laboratory gives one item the same terms again and again,
    so they are made once: nobody changes the inside of them.
    """
    quantity = dict(values.unit(code, unit))
    found = [values.interpretation(flag) for flag in flags]
    ranges = []
    if limits:
        ranges.append(values.reference_range(limits, quantity, sex) | {"type": _NORMAL})
    elif low or high:
        ranges.append(_apart(low, high, quantity))
    return Terms(
        unit=quantity,
        flags=flags,
        interpretation=[meaning for meaning, _ in found],
        known=all(known for _, known in found),
        ranges=ranges,
    )


@dataclass(slots=True, kw_only=True)
class LabItem:
    """What a source says about one result."""

    examination: Examination = SPECIMEN
    place: Place
    end: int = 0
    "First byte after what belongs to it; 0 where its place says so."
    names: Mapping[str, str]
    "How findings say where `code`, `value`, `unit`, `range` and `flag` stand in its place."
    key: tuple[str, str, str]
    "Order or moment, item, sub-item; the item as every delivery names it."
    code: Resource
    "CodeableConcept of the item."
    standard: bool
    status: str
    withdrawn: bool = False
    text: str = ""
    "The value as text, where `given` does not already say it."
    kind: Literal["number", "text", "either"] = "either"
    "What the source declares of `text`: a text is a number only with a unit beside it."
    given: dict[str, Any] | None = None
    "A value[x] that only its format understands (coded, structured, absent)."
    terms: Terms = NO_TERMS
    effective: str = ""
    issued: str = ""
    notes: tuple[str, ...] = ()
    request: dict[str, Any] | None = None
    encounter: dict[str, Any] | None = None
    specimen: Resource | None = None
    specimen_mark: str = ""
    "What tells the specimen of this order or day from another, where only the item names it."
    companions: tuple[Resource, ...] = ()


def add(reading: Reading, item: LabItem) -> list[Resource]:
    """Add the Observation of one item, or two where its text holds two results."""
    if "(" in item.text or "（" in item.text:
        code = jlac10_of(reading.with_related(item.code))
        parts = split_values.split(code, item.text) if code else ()
        if parts:
            reading.find("split-value", _at(item, "value"))
            return [
                _add(reading, _part(item, part_code, part_text, alone=part_code != code))
                for part_code, part_text in parts
            ]
    return [_add(reading, item)]


def jlac10_of(code: Resource) -> str:
    """The JLAC10 code of an item, or empty."""
    for one in code.get("coding", ()):
        if one.get("system") == codes.JLAC10:
            return str(one["code"])
    return ""


def _part(item: LabItem, code: str, text: str, *, alone: bool) -> LabItem:
    """One of two results of a text; flag, range and unit are those of the number."""
    is_number = values.decimal(text) is not None or values.comparison(text) is not None
    made = replace(item, text=text, kind="either", key=(item.key[0], code, item.key[2]))
    if alone:
        made.code = fhir.concept(fhir.coding(code, codes.JLAC10), text=item.code.get("text", ""))
    if not is_number:
        made.terms = made.terms._replace(unit={}, ranges=[])
    return made


def _add(reading: Reading, item: LabItem) -> Resource:
    if not item.standard:
        reading.unmapped(item.code, _at(item, "code"))
    examination = item.examination
    key = reading.key("|".join((examination.prefix, *item.key)))
    made = fhir.resource("Observation", examination.profile, reading.identity("Observation", key))
    if item.request:
        made["basedOn"] = [item.request]
    made["status"] = "entered-in-error" if item.withdrawn else item.status
    made["category"] = examination.categories
    made["code"] = item.code
    made["subject"] = reading.subject
    if item.encounter:
        made["encounter"] = item.encounter
    if item.effective:
        made["effectiveDateTime"] = item.effective
    if item.issued:
        made["issued"] = item.issued
    if len(item.terms.unit) == 1:
        reading.find("unmapped-unit", _at(item, "unit"))
    if item.given is None:
        _put_value(reading, item, made)
    else:
        made.update(item.given)
    terms = item.terms
    if terms.interpretation:
        made["interpretation"] = terms.interpretation
        if not terms.known:
            reading.find("unmapped-flag", _at(item, "flag"))
    if terms.ranges:
        made["referenceRange"] = terms.ranges
    if item.notes:
        made["note"] = [{"text": text} for text in item.notes]
    specimen, companions = item.specimen, item.companions
    if specimen is None and examination.specimen:
        specimen = _specimen_of(reading, item)
        companions = (*companions, specimen) if specimen else companions
    if specimen:
        made["specimen"] = fhir.reference(specimen["id"])
    reading.add(
        examination.category,
        made,
        key,
        item.place,
        end=item.end,
        companions=companions,
        cancelled=item.withdrawn,
    )
    return made


def _at(item: LabItem, name: str) -> str:
    return item.place.at + item.names.get(name, "")


def _put_value(reading: Reading, item: LabItem, made: Resource) -> None:
    """The text as value[x], or why there is none."""
    text, unit = item.text, item.terms.unit
    number = values.decimal(text)
    if number is not None and (unit or item.kind != "text"):
        made["valueQuantity"] = {"value": number, **unit}
    elif text:
        found = _marked(item) or values.text_value(text, unit)
        made.update(found)
        if "valueString" in found and (item.kind == "number" or values.is_unclear(text)):
            code = "value-unclear" if values.is_unclear(text) else "not-a-number"
            reading.find(code, _at(item, "value"))
    else:
        made["dataAbsentReason"] = values.absent("unknown")
        if item.status not in ("registered", "cancelled"):
            reading.find("value-absent", _at(item, "value"))


def _marked(item: LabItem) -> dict[str, Any] | None:
    """A number with its flag behind it (`5.0 H`); None where a flag of its own says otherwise."""
    unit, flags = item.terms.unit, item.terms.flags
    found = values.marked(item.text) if unit or item.kind != "text" else None
    if found is None or (flags and flags != (found[1],)):
        return None
    if found[1] == "L" and not unit:  # a volume
        return None
    meaning, known = values.interpretation(found[1])
    item.terms = item.terms._replace(flags=(found[1],), interpretation=[meaning], known=known)
    return {"valueQuantity": values.original(fhir.quantity(found[0], **unit), item.text)}


def _apart(low: str, high: str, unit: dict[str, str]) -> dict[str, Any]:
    """Limits that came in two cells; what is no number is kept in the text."""
    made: dict[str, Any] = {}
    for name, text in (("low", low), ("high", high)):
        limit: Decimal | None = values.decimal(text) if text else None
        if limit is not None:
            made[name] = fhir.quantity(limit, **unit)
    made["type"] = _NORMAL
    made["text"] = f"{low}-{high}" if low and high else f"{low}以上" if low else f"{high}以下"
    return made


def _specimen_of(reading: Reading, item: LabItem) -> Resource | None:
    """The specimen that a JLAC10 code names in its characters 10 to 12, where nothing else does."""
    number = jlac10_of(item.code)[9:12]
    name = codes.material(number) if number else ""
    if not name:
        return None
    mark = item.specimen_mark or item.key[0]
    kind = fhir.concept(fhir.coding(number, codes.MATERIAL, name), text=name)
    return specimen(reading, f"{mark}|material-{number}", kind)


def specimen(reading: Reading, mark: str, kind: Resource, number: str = "") -> Resource:
    """A JP_Specimen_Common of this patient; `number` is what the laboratory calls it."""
    made = fhir.resource("Specimen", "JP_Specimen_Common", reading.identity("Specimen", mark))
    if number:
        system = codes.local_identifiers(reading.domain, "specimen")
        made["identifier"] = [fhir.identifier(system, number)]
    if kind:
        made["type"] = kind
    made["subject"] = reading.subject
    return made
