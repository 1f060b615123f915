"""One result of a message: what OBX and its NTE say of an item."""

from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter
from typing import Any, Literal, NamedTuple

from gateway.model.batch import Resource
from gateway.standardize import codes, values
from gateway.standardize.laboratory import observation
from gateway.standardize.laboratory.observation import Examination, LabItem, Terms
from gateway.standardize.message import MessageReading
from gateway.wire import hl7v2_field, memo
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
_STATED = itemgetter(2, 3, 4, 5, 6, 7, 8, 11, 14)
_PADDING = [""] * 15
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
    sex: str
    "Of the patient: limits may be by sex."
    effective: str
    issued: str
    request: dict[str, Any]
    encounter: dict[str, Any] | None
    companions: tuple[Resource, ...]


def read(
    reading: MessageReading, obx: Segment, notes: list[Segment], context: Context
) -> list[Resource]:
    """Add the item of one OBX; nothing where it is not a result that can be taken over."""
    kind, code, sub, value, unit, limits, flags, status, observed = _STATED(obx.fields + _PADDING)
    if kind in _DOCUMENTS:
        reading.leave(obx, "not-yet-mapped")
        return []
    fits = len(obx.text) <= memo.LONGEST
    named = (_named if fits else _named.__wrapped__)(
        code, unit, limits, flags, context.sex, obx.delimiters, reading.domain
    )
    if not named.code:
        reading.leave(obx, "field-missing")
        return []
    declared, text, given = _value(reading, obx, kind, value, named.terms)
    item = LabItem(
        examination=context.examination,
        place=obx,
        end=notes[-1].end if notes else 0,
        names=_NAMES,
        key=(f"{context.order}|{context.mark}", named.item, sub),
        code=named.code,
        standard=named.standard,
        status=STATUS.get(status, "unknown"),
        withdrawn=reading.cancelled or status in _WITHDRAWN,
        text=text,
        kind=declared,
        given=given,
        terms=named.terms,
        effective=(reading.time(obx, 14) if observed else "") or context.effective,
        issued=context.issued,
        notes=tuple(values.lines(said) for note in notes if (said := note.value(3))),
        request=context.request,
        encounter=context.encounter,
        specimen=context.specimen,
        specimen_mark=context.order,
        companions=context.companions,
    )
    reading.take(obx, _FIELDS, "item Observation")
    return observation.add(reading, item)


class _Named(NamedTuple):
    """What OBX says beside its value; a laboratory says the same of an item in every message."""

    code: Resource
    standard: bool
    item: str
    "As every delivery names it."
    terms: Terms


@lru_cache(maxsize=8192)
def _named(
    code: str, unit: str, limits: str, flags: str, sex: str, delimiters: str, domain: str
) -> _Named:
    """OBX-3, 6, 7 and 8 as sent; those of short segments are remembered."""
    repeat = delimiters[2]
    code, unit, limits = (one.partition(repeat)[0] for one in (code, unit, limits))
    made, standard = codes.of_field(code, delimiters, domain)
    units = [*hl7v2_field.components(unit, delimiters), ""]
    terms = observation.terms(
        units[0], units[1], hl7v2_field.components(limits, delimiters)[0], "", "", sex,
        *(hl7v2_field.components(one, delimiters)[0] for one in flags.split(repeat) if flags),
    )  # fmt: skip
    return _Named(made, standard, _item(hl7v2_field.components(code, delimiters)), terms)


def _item(components: list[str]) -> str:
    """The item as every delivery names it: its standard code where it has one."""
    padded = [*components, "", "", "", "", "", ""]
    for place in (0, 3):
        if padded[place] and padded[place + 2] == "JC10":
            return padded[place].replace("-", "").upper()
    return padded[0] or padded[1] or padded[3]


_Value = tuple[Literal["number", "text"], str, dict[str, Any] | None]


def _value(reading: MessageReading, obx: Segment, kind: str, raw: str, terms: Terms) -> _Value:
    """OBX-5: what it is declared as, its text, and the value[x] where a text does not say it."""
    if not raw or raw == '""':
        return "text", "", None
    repetitions = obx.repetitions(5)
    parts = obx.split(repetitions[0])
    if len(repetitions) > 1:
        joined = "\n".join(codes.text_of(obx.split(one)) for one in repetitions)
        return "text", "", {"valueString": joined}
    if kind in _CODED:
        made, standard = reading.coded(obx, 5)
        if not standard:
            reading.unmapped(made, f"{obx.at}.5")
        return "text", "", {"valueCodeableConcept": made}
    if kind == "SN":
        structured = values.structured_numeric(parts)
        if structured is None:
            return "text", "", {"valueString": "".join(parts)}
        return "text", "", values.number_value(structured[1], terms.unit, structured[0])
    text = values.lines(obx.delimiters[1].join(parts))
    return "number" if kind == "NM" else "text", text, None
