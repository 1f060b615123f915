"""Bacteriology: JP_Observation_Microbiology, and what ties organisms to their susceptibilities.

A culture is an OBR whose OBX name organisms, told apart by OBX-4; the susceptibilities of one are
an OBR of their own that names the OBX in OBR-26 and the order in OBR-29 (HL7 v2.5 4.5.3,
`japan/lab.md` section 2). What a laboratory does beyond that is in no published layout: a child
whose parent cannot be told is found as `layout-unknown` and keeps a report of its own.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gateway.model.batch import Resource
from gateway.standardize.laboratory import report as lab_report
from gateway.standardize.laboratory.observation import MICROBIOLOGY
from gateway.standardize.message import MessageReading
from gateway.wire import fhir
from gateway.wire.hl7v2 import Segment

_KINDS = "http://jpfhir.jp/fhir/core/CodeSystem/JP_MicrobiologyCategory_CS"
_ORGANISM = fhir.concept(fhir.coding("organism", _KINDS, "Organism"))
_PANEL = fhir.concept(fhir.coding("susceptibility-panels", _KINDS, "Susceptibility panels"))
_MEASUREMENT = fhir.concept(
    fhir.coding("susceptibility-measurements", _KINDS, "Susceptibility measurements")
)
_SECTION = "MB"
"OBR-24 (HL7 table 0074)."
_DISCIPLINE = "6"
"First character of JLAC10 (`japan/lab.md` section 4)."
_CODED = frozenset({"CWE", "CE"})
_PANEL_STATUS = {"partial": "preliminary"}


@dataclass(frozen=True, slots=True)
class Parent:
    """The result that a child OBR is about: its group and its OBX, by their places."""

    group: int
    result: int


@dataclass(slots=True)
class Made:
    """What became of one group: resources of each OBX, and of a child its panel."""

    results: list[list[Resource]] = field(default_factory=list)
    panel: Resource | None = None


Results = Sequence[Segment]
"OBX of one group."


def is_microbiology(obr: Segment, results: Results) -> bool:
    """Whether a group is bacteriology: by its section, else by the discipline of its items."""
    if obr.raw(24):
        return obr.value(24) == _SECTION
    # Cheap look first: this is asked of every group, and hardly any is one.
    if not any(raw[:1] == _DISCIPLINE or "^6" in raw for raw in _raw_codes(obr, results)):
        return False
    found = [code[0] for segment, at in ((obr, 4), *((obx, 3) for obx in results))
             if (code := _jlac10(segment, at))]  # fmt: skip
    return bool(found) and all(one == _DISCIPLINE for one in found)


def _raw_codes(obr: Segment, results: Results) -> Iterator[str]:
    yield obr.raw(4)
    for obx in results:
        yield obx.raw(3)


def parents(groups: Sequence[tuple[Segment, Results]]) -> Mapping[int, Parent | None]:
    """Child groups by place, each with the one result it names; None where that is not one.

    Only what is about bacteriology; another OBR-26 stays an unmapped field.
    """
    kinds = [is_microbiology(obr, results) for obr, results in groups]
    found: dict[int, Parent | None] = {}
    for place, (obr, _) in enumerate(groups):
        if not obr.raw(26):
            continue
        named = [
            Parent(number, result)
            for number, (other, results) in enumerate(groups)
            if not other.raw(26) and _is_order(obr, other)
            for result, obx in enumerate(results)
            if _is_result(obr, obx)
        ]
        if kinds[place] or any(kinds[one.group] for one in named):
            found[place] = named[0] if len(named) == 1 else None
    return found


def mark(obr: Segment) -> str:
    """What tells one organism's susceptibilities from another's in a key."""
    return f"{obr.subcomponents(obr.raw(26), 1)[0]}.{obr.value(26, 2)}"


def panel(
    reading: MessageReading, key: str, status: str, code: dict[str, Any], members: list[Resource]
) -> Resource:
    """A child OBR: the susceptibilities of one organism."""
    made = fhir.resource("Observation", MICROBIOLOGY.profile, reading.identity("Observation", key))
    made["status"] = _PANEL_STATUS.get(status, status)
    made["category"] = [*MICROBIOLOGY.categories, _PANEL]
    made["code"] = code or fhir.absent()
    made["subject"] = reading.subject
    for one in members:
        one["category"] = [*MICROBIOLOGY.categories, _MEASUREMENT]
    _put_members(made, members)
    return made


def tie(groups: Sequence[tuple[Segment, Results]], made: Sequence[Made],
        children: Mapping[int, Parent | None]) -> None:  # fmt: skip
    """Let each organism name its amount (the same OBX-4) and its susceptibilities."""
    panels: dict[tuple[int, int], list[Resource]] = {}
    for place, parent in children.items():
        one = made[place].panel
        if parent and one:
            panels.setdefault((parent.group, parent.result), []).append(one)
    for number, (_, results) in enumerate(groups):
        if number in children:
            continue
        alone = _alone(results)
        for result, obx in enumerate(results):
            own = panels.get((number, result), [])
            if not own and result not in alone:
                continue
            beside = [
                one
                for place, other in enumerate(results)
                if place != result and obx.raw(4) and other.raw(4) == obx.raw(4)
                for one in made[number].results[place]
            ]
            for organism in made[number].results[result]:
                organism["category"] = [*MICROBIOLOGY.categories, _ORGANISM]
                _put_members(organism, [*beside, *own])


def _alone(results: Results) -> set[int]:
    """The OBX that are the only coded one under their OBX-4: the organism of it."""
    coded: dict[str, list[int]] = {}
    for place, obx in enumerate(results):
        if obx.raw(2) in _CODED and obx.raw(4) and obx.raw(5):
            coded.setdefault(obx.raw(4), []).append(place)
    return {places[0] for places in coded.values() if len(places) == 1}


def _put_members(made: Resource, members: Sequence[Resource]) -> None:
    named = [one for one in members if one["status"] not in lab_report.GIVEN_UP]
    if named:
        made["hasMember"] = [fhir.reference(one["id"]) for one in named]


def _jlac10(segment: Segment, at: int) -> str:
    parts = [*segment.components(at), "", "", "", "", "", ""]
    return next((parts[one] for one in (0, 3) if parts[one] and parts[one + 2] == "JC10"), "")


def _is_result(obr: Segment, obx: Segment) -> bool:
    """Whether OBR-26 names an OBX: its code, where it gives one, and its sub-id."""
    code, sub = obr.subcomponents(obr.raw(26), 1)[0], obr.value(26, 2)
    known = {obx.subcomponents(obx.raw(3), at)[0] for at in (1, 4)}
    return (not code or code in known) and bool(code or sub) and sub == obx.value(4)


def _is_order(obr: Segment, other: Segment) -> bool:
    """Whether OBR-29 names an order; where it names none, any order of the message may be it."""
    stated = {number for at in (1, 2) if (number := obr.subcomponents(obr.raw(29), at)[0])}
    return not stated or bool(stated & {other.value(2), other.value(3)})
