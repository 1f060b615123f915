"""One result: OBX to JP_Observation_LabResult, or of physiology to JP_Observation_Common."""

from dataclasses import dataclass
from typing import Any

from gateway.model.batch import Resource
from gateway.model.category import Category
from gateway.standardize import codes, values
from gateway.standardize.message import MessageReading
from gateway.wire import fhir
from gateway.wire.hl7v2 import Segment

_SIMPLE = "http://jpfhir.jp/fhir/core/CodeSystem/JP_SimpleObservationCategory_CS"
_NORMAL = fhir.concept(
    fhir.coding("normal", "http://terminology.hl7.org/CodeSystem/referencerange-meaning")
)
STATUS = {
    "F": "final",
    "U": "final",
    "C": "corrected",
    "P": "preliminary",
    "R": "preliminary",
    "S": "preliminary",
    "I": "registered",
    "O": "registered",
    "N": "registered",
    "X": "cancelled",
    "D": "entered-in-error",
    "W": "entered-in-error",
}
"OBX-11 (HL7 table 0085) to Observation.status."

_WITHDRAWN = frozenset({"D", "W"})
_FIELDS = frozenset({1, 2, 3, 4, 5, 6, 7, 8, 11, 14})
_CODED = frozenset({"CWE", "CE", "CF", "CNE"})
_DOCUMENTS = frozenset({"ED", "RP"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
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


SPECIMEN = Kind(
    prefix="lab",
    category=Category.LAB_RESULT,
    profile="JP_Observation_LabResult",
    categories=[fhir.concept(fhir.coding("laboratory", _SIMPLE))],
    report="JP_DiagnosticReport_LabResult",
)
PHYSIOLOGY = Kind(
    prefix="physiology",
    category=Category.MEDICAL,
    profile="JP_Observation_Common",
    categories=[fhir.concept(fhir.coding("procedure", _SIMPLE))],
    report="JP_DiagnosticReport_Common",
)
"検体検査 and 生理検査."


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What all results of one OBR have in common."""

    kind: Kind
    order: str
    specimen: Resource | None
    mark: str
    "Specimen number, part of the key: one order can have one item in two specimens."
    effective: str
    issued: str
    request: dict[str, Any]
    encounter: dict[str, Any] | None
    companions: tuple[Resource, ...]


def read(
    reading: MessageReading, obx: Segment, notes: list[Segment], context: Context
) -> Resource | None:
    """Add the item of one OBX; None where it is not a result that can be taken over."""
    kind = context.kind
    value_type = obx.raw(2)
    if value_type in _DOCUMENTS:
        reading.leave(obx, "not-yet-mapped")
        return None
    components = obx.components(3)
    code, standard = codes.concept(components, reading.domain)
    if not code:
        reading.leave(obx, "field-missing")
        return None
    if not standard:
        reading.find("unmapped-code", f"{obx.at}.3")
    key = reading.key(
        "|".join((kind.prefix, context.order, context.mark, _code_key(components), obx.raw(4)))
    )
    made = fhir.resource("Observation", kind.profile, reading.identity("Observation", key))
    result_status = obx.raw(11)
    status = STATUS.get(result_status, "unknown")
    withdrawn = reading.cancelled or result_status in _WITHDRAWN
    made["basedOn"] = [context.request]
    made["status"] = "entered-in-error" if withdrawn else status
    made["category"] = kind.categories
    made["code"] = code
    made["subject"] = reading.subject
    if context.encounter:
        made["encounter"] = context.encounter
    effective = (reading.time(obx, 14) if obx.raw(14) else "") or context.effective
    if effective:
        made["effectiveDateTime"] = effective
    if context.issued:
        made["issued"] = context.issued
    unit = _unit(reading, obx)
    made.update(_value(reading, obx, value_type, unit))
    _judge(reading, obx, made, unit)
    texts = [text for note in notes if (text := note.value(3))]
    if texts:
        made["note"] = [{"text": text} for text in texts]
    specimen, companions = context.specimen, context.companions
    if specimen is None and kind is SPECIMEN:
        specimen = _from_item_code(reading, code, context)
        companions = (*companions, specimen) if specimen else companions
    if specimen:
        made["specimen"] = fhir.reference(specimen["id"])
    reading.take(obx, _FIELDS, "item Observation")
    reading.add(
        kind.category,
        made,
        key,
        obx,
        end=notes[-1].end if notes else 0,
        companions=companions,
        cancelled=withdrawn,
    )
    return made


def _code_key(components: list[str]) -> str:
    """The item as every delivery names it: its standard code where it has one."""
    padded = [*components, "", "", "", "", "", ""]
    for place in (0, 3):
        if padded[place] and padded[place + 2] == "JC10":
            return padded[place].replace("-", "").upper()
    return padded[0] or padded[1] or padded[3]


def _unit(reading: MessageReading, obx: Segment) -> dict[str, str]:
    """OBX-6 as unit, system and code of a Quantity."""
    if not obx.raw(6):
        return {}
    parts = [*obx.components(6), "", ""]
    found = dict(values.unit(parts[0], parts[1]))
    if "code" not in found:
        reading.find("unmapped-unit", f"{obx.at}.6")
    return found


def _value(
    reading: MessageReading, obx: Segment, kind: str, unit: dict[str, str]
) -> dict[str, Any]:
    """OBX-5 as value[x], or why there is none."""
    raw = obx.raw(5)
    if not raw or raw == '""':
        if STATUS.get(obx.raw(11)) not in ("registered", "cancelled"):
            reading.find("value-absent", f"{obx.at}.5")
        return {"dataAbsentReason": values.absent("unknown")}
    repetitions = obx.repetitions(5)
    parts = obx.split(repetitions[0])
    if len(repetitions) > 1:
        return {"valueString": "\n".join(codes.text_of(obx.split(one)) for one in repetitions)}
    if kind in _CODED:
        made, standard = codes.concept(parts, reading.domain)
        if not standard:
            reading.find("unmapped-code", f"{obx.at}.5")
        return {"valueCodeableConcept": made}
    if kind == "SN":
        structured = values.structured_numeric(parts)
        if structured:
            return values.number_value(structured[1], unit, structured[0])
        return {"valueString": "".join(parts)}
    text = parts[0] if len(parts) == 1 else obx.raw(5)
    number = values.decimal(text)
    if kind == "NM":
        if number is not None:
            return values.number_value(number, unit)
        found = values.text_value(text, unit)
        if "valueString" in found:
            reading.find("not-a-number", f"{obx.at}.5")
        return found
    if number is not None and unit:
        return values.number_value(number, unit)
    return values.text_value(text, unit)


def _judge(reading: MessageReading, obx: Segment, made: Resource, unit: dict[str, str]) -> None:
    """OBX-7 and OBX-8."""
    if obx.raw(8):
        flags = []
        for flag in obx.repetitions(8):
            meaning, known = values.interpretation(obx.split(flag)[0])
            flags.append(meaning)
            if not known:
                reading.find("unmapped-flag", f"{obx.at}.8")
        made["interpretation"] = flags
    text = obx.value(7) if obx.raw(7) else ""
    if text:
        made["referenceRange"] = [values.reference_range(text, unit) | {"type": _NORMAL}]


def _from_item_code(
    reading: MessageReading, code: dict[str, Any], context: Context
) -> Resource | None:
    """The specimen that a JLAC10 code names in its characters 10 to 12, where no SPM does."""
    for one in code.get("coding", ()):
        if one.get("system") == codes.JLAC10:
            number = one["code"][9:12]
            name = codes.material(number)
            if name:
                identity = reading.identity("Specimen", f"{context.order}|material-{number}")
                made = fhir.resource("Specimen", "JP_Specimen_Common", identity)
                made["type"] = fhir.concept(fhir.coding(number, codes.MATERIAL, name), text=name)
                made["subject"] = reading.subject
                return made
    return None
