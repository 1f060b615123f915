"""One result of a message: what OBX and its NTE say of an item."""

from dataclasses import dataclass
from typing import Any, Literal

from gateway.model.batch import Resource
from gateway.standardize import codes, values
from gateway.standardize.laboratory import observation
from gateway.standardize.laboratory.observation import Examination, LabItem
from gateway.standardize.message import MessageReading
from gateway.wire.hl7v2 import Segment

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
_NAMES = {"code": ".3", "value": ".5", "unit": ".6", "range": ".7", "flag": ".8"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What all results of one OBR have in common."""

    examination: Examination
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
) -> list[Resource]:
    """Add the item of one OBX; nothing where it is not a result that can be taken over."""
    value_type = obx.raw(2)
    if value_type in _DOCUMENTS:
        reading.leave(obx, "not-yet-mapped")
        return []
    components = obx.components(3)
    code, standard = codes.concept(components, reading.domain)
    if not code:
        reading.leave(obx, "field-missing")
        return []
    result_status = obx.raw(11)
    kind, text, given = _value(reading, obx, value_type)
    unit = [*obx.components(6), "", ""] if obx.raw(6) else ("", "")
    item = LabItem(
        examination=context.examination,
        place=obx,
        end=notes[-1].end if notes else 0,
        names=_NAMES,
        key=(f"{context.order}|{context.mark}", _code_key(components), obx.raw(4)),
        code=code,
        standard=standard,
        status=STATUS.get(result_status, "unknown"),
        withdrawn=reading.cancelled or result_status in _WITHDRAWN,
        text=text,
        kind=kind,
        given=given,
        unit=(unit[0], unit[1]),
        flags=_flags(obx) if obx.raw(8) else (),
        limits=obx.value(7) if obx.raw(7) else "",
        effective=(reading.time(obx, 14) if obx.raw(14) else "") or context.effective,
        issued=context.issued,
        notes=tuple(text for note in notes if (text := note.value(3))),
        request=context.request,
        encounter=context.encounter,
        specimen=context.specimen,
        specimen_mark=context.order,
        companions=context.companions,
    )
    reading.take(obx, _FIELDS, "item Observation")
    return observation.add(reading, item)


def _flags(obx: Segment) -> tuple[str, ...]:
    return tuple(obx.split(flag)[0] for flag in obx.repetitions(8))


def _code_key(components: list[str]) -> str:
    """The item as every delivery names it: its standard code where it has one."""
    padded = [*components, "", "", "", "", "", ""]
    for place in (0, 3):
        if padded[place] and padded[place + 2] == "JC10":
            return padded[place].replace("-", "").upper()
    return padded[0] or padded[1] or padded[3]


_Value = tuple[Literal["number", "text"], str, dict[str, Any] | None]


def _value(reading: MessageReading, obx: Segment, kind: str) -> _Value:
    """OBX-5: what it is declared as, its text, and the value[x] where a text does not say it."""
    raw = obx.raw(5)
    if not raw or raw == '""':
        return "text", "", None
    repetitions = obx.repetitions(5)
    parts = obx.split(repetitions[0])
    if len(repetitions) > 1:
        joined = "\n".join(codes.text_of(obx.split(one)) for one in repetitions)
        return "text", "", {"valueString": joined}
    if kind in _CODED:
        made, standard = codes.concept(parts, reading.domain)
        if not standard:
            reading.unmapped(made, f"{obx.at}.5")
        return "text", "", {"valueCodeableConcept": made}
    if kind == "SN":
        structured = values.structured_numeric(parts)
        if structured is None:
            return "text", "", {"valueString": "".join(parts)}
        code, text = (*obx.components(6), "", "")[:2] if obx.raw(6) else ("", "")
        unit = dict(values.unit(code, text))
        return "text", "", values.number_value(structured[1], unit, structured[0])
    text = parts[0] if len(parts) == 1 else raw
    return "number" if kind == "NM" else "text", text, None
