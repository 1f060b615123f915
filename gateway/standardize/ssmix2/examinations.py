"""OMG-11 and OMG-12, examinations done (放射線, 内視鏡の実施): OMI^Z23.

An image study is known by its study instance UID (IPC-3): one JP_ImagingStudy each. What was done
(OBR, and ZE1 where there is one) is a JP_Procedure; ZE1's OBX say who took part, when, and with
what.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from gateway.model.batch import Resource
from gateway.model.category import Category
from gateway.standardize import codes, encounters, persons
from gateway.standardize.laboratory import groups as laboratory
from gateway.standardize.message import HEADER, Mapper, MessageReading
from gateway.standardize.ssmix2 import prescriptions
from gateway.wire import fhir
from gateway.wire.hl7v2 import Segment

_ORC = frozenset({1, 2, 3, 8})
_ORDERER = frozenset({12})
_OBR = frozenset({1, 2, 3, 4, 7, 16, 29})
_TQ1 = frozenset({1})
_ZE1 = frozenset({1, 2, 3, 4, 6, 7, 8, 9})
_ZE2 = frozenset({1, 2, 3, 4, 5, 6, 7})
_OBX = frozenset({1, 2, 3, 4, 5, 6, 11})
_IPC = frozenset({1, 2, 3, 5})
_NTE = frozenset({1, 2, 3})
_DICOM = "http://dicom.nema.org/resources/ontology/DCM"
_ACCESSION = fhir.concept(fhir.coding("ACSN", "http://terminology.hl7.org/CodeSystem/v2-0203"))
_DONE, _PLANNED = "RS", "PL"
_STARTS, _ENDS = "TM-P1", "TM-P2"
_DEVICE = "DE-0"


@dataclass(slots=True)
class _Act:
    """One OBR or ZE1 with what belongs to it."""

    head: Segment
    facts: list[Segment] = field(default_factory=list)
    notes: list[Segment] = field(default_factory=list)
    exposures: list[Segment] = field(default_factory=list)
    end: int = 0


@dataclass(slots=True)
class _Order:
    """One ORC group."""

    orc: Segment
    obr: Segment | None = None
    acts: list[_Act] = field(default_factory=list)
    images: list[Segment] = field(default_factory=list)


def reader(profile: str) -> Mapper:
    """The mapper of one data type; `profile` is that of its image studies."""
    return partial(_read, profile=profile)


def _read(reading: MessageReading, *, profile: str) -> None:
    message = reading.message
    reading.take(message.header, HEADER)
    pid = message.first("PID")
    if pid:
        persons.describe(reading, pid)
    visit = encounters.beside(reading, message.first("PV1"))
    studies: dict[str, tuple[list[Segment], _Order]] = {}
    roots = set()
    for order in _orders(reading):
        number = prescriptions.number(reading, order.orc)
        # A Procedure does not say who asked for it; its order does, and an image study.
        reading.take(order.orc, _ORC | _ORDERER if order.images else _ORC)
        roots.add(order.orc.value(8) or (order.obr.value(29) if order.obr else "") or number)
        for ipc in order.images:
            reading.take(ipc, _IPC)
            if ipc.value(3):
                studies.setdefault(ipc.value(3), ([], order))[0].append(ipc)
        # The parent and the order before it only repeat what the children did.
        if order.obr and (order.acts or order.orc.value(1) == "CH"):
            for act in order.acts or [_Act(order.obr, end=order.obr.end)]:
                _read_act(reading, order, act, visit)
    for uid, (places, order) in studies.items():
        _read_study(reading, uid, places, order, visit, profile)
    if len(roots) == 1:
        reading.scope = f"examination|{roots.pop()}|"


def _orders(reading: MessageReading) -> list[_Order]:
    """ORC groups: OBR, its facts, ZE1 with theirs, IPC."""
    found: list[_Order] = []
    for segment in reading.message.segments:
        if segment.name == "ORC":
            found.append(_Order(segment))
            continue
        if not found:
            continue
        order = found[-1]
        act = order.acts[-1] if order.acts else None
        match segment.name:
            case "OBR":
                order.obr = segment
                reading.take(segment, _OBR)
            case "ZE1":
                order.acts.append(_Act(segment, end=segment.end))
            case "ZE2" if act:
                act.exposures.append(segment)
                act.end = segment.end
            case "OBX" if act:
                act.facts.append(segment)
                act.end = segment.end
            case "OBX" if order.obr:
                # What the order said about the patient is in the order (OMG-01, OMG-02).
                reading.leave_all("superseded-by-order", [segment])
                reading.find("superseded-by-order", segment.at)
            case "NTE" if act:
                act.notes.append(segment)
            case "TQ1":
                reading.take(segment, _TQ1)
            case "IPC":
                order.images.append(segment)
    return found


def _read_act(reading: MessageReading, order: _Order, act: _Act, visit: Sequence[Resource]) -> None:
    """One thing done."""
    obr = order.obr
    assert obr is not None  # noqa: S101
    number = prescriptions.number(reading, order.orc)
    root = order.orc.value(8) or obr.value(29) or number
    coded = act.head if act.head.name == "ZE1" else obr
    field_of_code = 3 if act.head.name == "ZE1" else 4
    key = reading.key(
        f"examination|{root}|{number}|{coded.value(field_of_code)}|{act.head.value(1)}"
    )
    made = fhir.resource("Procedure", "JP_Procedure", reading.identity("Procedure", key))
    system = codes.local_identifiers(reading.domain, "order")
    made["identifier"] = [fhir.identifier(system, number)]
    made["basedOn"] = [fhir.reference(laboratory.request_identity(reading, number, obr))]
    planned = act.head.name == "ZE1" and act.head.value(2) == _PLANNED
    made["status"] = "preparation" if planned else "completed"
    if reading.cancelled:
        made["status"] = "entered-in-error"
    made["code"] = reading.concept(coded, field_of_code, wanted=False)
    made["subject"] = reading.subject
    companions: list[Resource] = []
    encounters.refer(made, visit)
    companions.extend(visit)
    notes = _facts(reading, act, made, companions)
    if "performedPeriod" not in made:
        when = reading.time(obr, 7)
        if when:
            made["performedDateTime"] = when
    for note in act.notes:
        reading.take(note, _NTE)
        notes.append(note.value(3))
    for exposure in act.exposures:
        reading.take(exposure, _ZE2)
        stated = ("".join(exposure.components(n)) for n in range(2, len(exposure.fields)))
        notes.append("撮影条件: " + " ".join(part for part in stated if part))
    if any(notes):
        made["note"] = [{"text": text} for text in notes if text]
    if act.head.name == "ZE1":
        reading.take(act.head, _ZE1, "item Procedure")
    else:
        reading.take(obr, _OBR, "item Procedure")
    reading.add(Category.MEDICAL, made, key, act.head, end=act.end, companions=tuple(companions))


def _facts(
    reading: MessageReading, act: _Act, made: Resource, companions: list[Resource]
) -> list[str]:
    """ZE1-7 and the OBX under it: who took part, from when to when; anything else as text."""
    performers: list[dict[str, Any]] = []
    notes: list[str] = []
    period: dict[str, str] = {}
    people: list[tuple[Segment, int, str]] = []
    if act.head.name == "ZE1":
        job = [*act.head.components(6), "", "", ""]
        people.append((act.head, 7, job[2] or job[1] or job[0]))
        notes += _goods(reading, act.head, made)
    for obx in act.facts:
        code, name = obx.value(3), obx.value(3, 2)
        reading.take(obx, _OBX)
        if obx.raw(2) == "XCN":
            people.append((obx, 5, name))
        elif code == _STARTS:
            period["start"] = reading.time(obx, 5)
        elif code == _ENDS:
            period["end"] = reading.time(obx, 5)
        else:
            text = " ".join(part for part in obx.components(5) if part)
            notes.append(f"{name or code}: {text.replace('&', ' ')}")
            if code.startswith(_DEVICE) and obx.raw(2) == "CWE":
                item = reading.coded(obx, 5)[0]
                made.setdefault("usedCode", []).append(item)
    for segment, number, role in people:
        person = persons.staff(reading, segment, number)
        if person:
            if all(one["id"] != person["id"] for one in companions):
                companions.append(person)
            one: dict[str, Any] = {"actor": fhir.reference(person["id"])}
            performers.append({"function": fhir.concept(text=role), **one} if role else one)
    if performers:
        made["performer"] = performers
    whole = {name: value for name, value in period.items() if value}
    if whole:
        made["performedPeriod"] = whole
    return notes


def _goods(reading: MessageReading, ze1: Segment, made: Resource) -> list[str]:
    """ZE1-4, 8 and 9: how often, and what was used (contrast media, material) with its amount."""
    notes = [f"手技回数: {ze1.value(4)}"] if ze1.value(4) else []
    kinds = [codes.text_of(ze1.split(one)) for one in ze1.repetitions(8)]
    for place, repetition in enumerate(ze1.repetitions(9)):
        parts = [*ze1.split(repetition), "", "", "", "", ""]
        item, _ = codes.concept(parts[:3], reading.domain)
        if item:
            made.setdefault("usedCode", []).append(item)
        units = ze1.subcomponents(repetition, 5)
        said = (
            kinds[place] if place < len(kinds) else "", parts[1] or parts[0],
            parts[3] + codes.text_of(units),
        )  # fmt: skip
        notes.append("使用物品: " + " ".join(one for one in said if one))
    notes += [f"使用物品種別: {one}" for one in kinds[len(ze1.repetitions(9)) :] if one]
    return notes


def _read_study(
    reading: MessageReading,
    uid: str,
    places: list[Segment],
    order: _Order,
    visit: Sequence[Resource],
    profile: str,
) -> None:
    """One image study: where its images are is known by its UID and accession number."""
    number = prescriptions.number(reading, order.orc)
    key = reading.key(f"examination|{number}|study|{uid}")
    made = fhir.resource("ImagingStudy", profile, reading.identity("ImagingStudy", key))
    made["identifier"] = [fhir.identifier("urn:dicom:uid", f"urn:oid:{uid}")]
    # Every order of the examination repeats the study, and not all say all of its numbers.
    for number_of in dict.fromkeys(ipc.value(1) for ipc in places if ipc.value(1)):
        system = codes.local_identifiers(reading.domain, "accession")
        accession = {"type": _ACCESSION, **fhir.identifier(system, number_of)}
        made["identifier"].append(accession)
    for number_of in dict.fromkeys(ipc.value(2) for ipc in places if ipc.value(2)):
        system = codes.local_identifiers(reading.domain, "requested-procedure")
        made["identifier"].append(fhir.identifier(system, number_of))
    made["status"] = "entered-in-error" if reading.cancelled else "unknown"
    modalities = dict.fromkeys(ipc.value(5) for ipc in places if ipc.value(5))
    if modalities:
        made["modality"] = [fhir.coding(one, _DICOM) for one in modalities]
    made["subject"] = reading.subject
    encounters.refer(made, visit)
    if order.obr:
        started = reading.time(order.obr, 7)
        if started:
            made["started"] = started
        request = laboratory.request_identity(reading, number, order.obr)
        made["basedOn"] = [fhir.reference(request)]
        text = codes.text_of(order.obr.components(4))
        if text:
            made["description"] = text
    asked = (order.orc, 12) if order.orc.raw(12) or order.obr is None else (order.obr, 16)
    doctor = persons.staff(reading, *asked, doctor=True)
    if doctor:
        made["referrer"] = fhir.reference(doctor["id"])
    reading.take(places[0], _IPC, "item ImagingStudy")
    reading.add(
        Category.MEDICAL, made, key, places[0], companions=(*visit, *([doctor] if doctor else ()))
    )
