"""PPR-01 diagnoses (病名): PPR^ZD1, one file the whole list of one patient.

Every update rewrites the list, so a diagnosis that a newer file lacks has been removed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.model.batch import Resource
from gateway.model.category import Category
from gateway.standardize import codes, dates, insurances, persons
from gateway.standardize.message import HEADER, MessageReading
from gateway.wire import fhir
from gateway.wire.hl7v2 import Segment

_PREFIX = "ssmix2/PPR-01|"
_PRB = frozenset({1, 2, 3, 4, 7, 9, 10, 13, 14, 15, 16, 17, 18, 25})
_ORC = frozenset({1, 12, 17, 21, 22, 23})
_ZPR = frozenset({1, 2, 3, 4, 5, 6, 7})
_NTE = frozenset({1, 2, 3})
_CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
_VERIFICATION = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
_CATEGORY = "http://terminology.hl7.org/CodeSystem/condition-category"
_CONFIDENTIALITY = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
_EXCHANGE = "http://medis.or.jp/CodeSystem/master-disease-exCode"
_MODIFIER = "http://medis.or.jp/CodeSystem/master-disease-modKeyNumber"
_MODIFIER_EXCHANGE = "http://medis.or.jp/CodeSystem/master-disease-modExCode"
_UNCODED = "20084317"
"Key number of 未コード化傷病名: the disease has a name but no code."

_OUTCOMES: Mapping[tuple[str, str], str] = {
    # (table, code) to clinicalStatus; an outcome that is not here says nothing about it
    ("HL70241", "R"): "resolved",
    ("HL70241", "F"): "resolved",
    ("HL70241", "D"): "inactive",
    ("HL70241", "S"): "inactive",
    ("JHSD0006", "I"): "inactive",
    ("JHSD0006", "M"): "remission",
}
_SECURITY = {"V": "V", "R": "R", "U": "N"}
"PRB-25 (HL7 table 0177): very restricted, restricted, usual control."


@dataclass(slots=True)
class _Problem:
    """One PRB with what belongs to it."""

    prb: Segment
    zpr: Segment | None = None
    orc: Segment | None = None
    insurances: list[Segment] = field(default_factory=list)
    notes: list[Segment] = field(default_factory=list)
    end: int = 0


def read(reading: MessageReading) -> None:
    """Read every diagnosis on the list."""
    message = reading.message
    reading.take(message.header, HEADER)
    pid = message.first("PID")
    if pid:
        persons.describe(reading, pid)
    for problem in _problems(reading):
        _read_problem(reading, problem)
    reading.scope = _PREFIX


def _problems(reading: MessageReading) -> list[_Problem]:
    found: list[_Problem] = []
    for segment in reading.message.segments:
        if segment.name == "PRB":
            found.append(_Problem(segment))
        elif not found:
            continue
        elif segment.name == "ZPR" and found[-1].zpr is None:
            found[-1].zpr = segment
        elif segment.name == "ORC" and found[-1].orc is None:
            found[-1].orc = segment
        elif segment.name == "ZI1" and any(segment.fields[1:]):
            found[-1].insurances.append(segment)
        elif segment.name == "NTE":
            found[-1].notes.append(segment)
        else:
            continue
        found[-1].end = segment.end
    return found


def _read_problem(reading: MessageReading, problem: _Problem) -> None:
    """One diagnosis as JP_Condition_Diagnosis."""
    prb, zpr = problem.prb, problem.zpr
    code = _code(reading, prb, zpr)
    if not code:
        reading.leave(prb, "field-missing")
        return
    instance = prb.value(4)
    content = f"{prb.value(3)}|{code.get('text', '')}|{prb.value(16)}"
    key = reading.key(_PREFIX + (instance or content))
    made = fhir.resource("Condition", "JP_Condition_Diagnosis", reading.identity("Condition", key))
    secrecy = _SECURITY.get(prb.value(25))
    if secrecy:
        made["meta"]["security"] = [fhir.coding(secrecy, _CONFIDENTIALITY)]
    outcome = _outcome(prb)
    if outcome:
        url = fhir.EXTENSIONS + "JP_Condition_DiseaseOutcome"
        made["extension"] = [fhir.extension(url, "CodeableConcept", outcome)]
    if instance:
        system = codes.local_identifiers(reading.domain, "diagnosis")
        made["identifier"] = [fhir.identifier(system, instance)]
    wrong = reading.cancelled or prb.value(1) == "DE"
    made.update(_statuses(prb, wrong=wrong))
    made["category"] = _categories(reading, prb)
    made["code"] = code
    made["subject"] = reading.subject
    made.update(_times(reading, prb))
    companions: tuple[Resource, ...] = ()
    if problem.orc:
        recorder, companions = persons.orderer(reading, problem.orc)
        if recorder:
            made["recorder"] = recorder
        reading.take(problem.orc, _ORC)
    # A Condition names no coverage: the insurance it is treated under is kept and shared with it.
    companions += insurances.beside(reading, problem.insurances, key)[1]
    notes = [zpr.value(7)] if zpr and zpr.value(7) else []
    notes += [note.value(3) for note in problem.notes if note.value(3)]
    if notes:
        made["note"] = [{"text": text} for text in notes]
    reading.take(prb, _PRB - _beside(prb, made), "item Condition")
    for segment, fields in (
        (zpr, _ZPR - _otherwise(zpr, prb)),
        *((note, _NTE) for note in problem.notes),
    ):
        if segment:
            reading.take(segment, fields)
    reading.add(
        Category.DIAGNOSIS,
        made,
        key,
        prb,
        end=problem.end,
        companions=companions,
        cancelled=wrong,
    )


def _beside(prb: Segment, made: Resource) -> set[int]:
    """The fields of PRB that this one does not use: a day of the outcome, marks that JP Core lacks.

    An outcome that ends nothing (続く, 後遺症) has a day that is not the end.
    """
    left = set()
    if prb.value(15) and dates.fhir_time(prb.value(15)) != made.get("abatementDateTime"):
        left.add(15)
    if prb.value(13) not in ("", "1"):
        left.add(13)
    if prb.value(25) and prb.value(25) not in _SECURITY:
        left.add(25)
    return left


def _otherwise(zpr: Segment | None, prb: Segment) -> set[int]:
    """ZPR-2 repeats the key number of PRB-3; another one is not taken over."""
    return {2} if zpr and zpr.value(2) not in ("", prb.value(3)) else set()


def _code(reading: MessageReading, prb: Segment, zpr: Segment | None) -> dict[str, Any]:
    """Key number, exchange code and ICD-10, with the modifiers of ZPR; the name as written."""
    codings = []
    standard = False
    for one in codes.coded(tuple(prb.components(3)), reading.domain):
        codings.append(fhir.coding(one.code, one.system, one.display))
        standard = standard or (one.standard and one.code != _UNCODED)
    if zpr and zpr.value(5):
        # ZPR-5 says MDCDX2 like PRB-3, but its place makes it the exchange code.
        codings.append(fhir.coding(zpr.value(5), _EXCHANGE, zpr.value(5, 2)))
        standard = True
    for one in codes.coded(tuple(prb.components(10)[:3]), reading.domain):
        codings.append(fhir.coding(one.code, one.system, one.display))
    text = prb.value(17) or codes.text_of(prb.components(3))
    if codings and not standard:
        reading.unmapped(fhir.concept(*codings), f"{prb.at}.3")
    made = fhir.concept(*codings, text=text)
    modifiers = []
    if zpr:
        modifiers += _modifiers(zpr, 1, 4, "JP_Condition_DiseasePrefixModifier")
        modifiers += _modifiers(zpr, 3, 6, "JP_Condition_DiseasePostfixModifier")
    if modifiers and made:
        made = {"extension": modifiers, **made}
    return made


def _modifiers(zpr: Segment, number: int, exchange: int, name: str) -> list[dict[str, Any]]:
    """Prefixes or suffixes: management numbers and exchange codes stand in the same order."""
    numbers = [zpr.split(one) for one in zpr.repetitions(number)]
    exchanges = [zpr.split(one) for one in zpr.repetitions(exchange)]
    made = []
    for place in range(max(len(numbers), len(exchanges))):
        codings, text = [], ""
        for found, system in ((numbers, _MODIFIER), (exchanges, _MODIFIER_EXCHANGE)):
            if place < len(found) and found[place][0]:
                display = found[place][1] if len(found[place]) > 1 else ""
                codings.append(fhir.coding(found[place][0], system, display))
                text = text or display
        if codings:
            concept = fhir.concept(*codings, text=text)
            made.append(fhir.extension(fhir.EXTENSIONS + name, "CodeableConcept", concept))
    return made


def _outcome(prb: Segment) -> dict[str, Any]:
    """PRB-14 as the outcome extension; a table that JP Core does not have stays text."""
    code, text, table = (*prb.components(14), "", "", "")[:3]
    system = codes.standard_system(table, code) if table in ("HL70241", "JHSD0006") else ""
    codings = [fhir.coding(code, system, text)] if code and system else []
    return fhir.concept(*codings, text=text)


def _statuses(prb: Segment, *, wrong: bool) -> dict[str, Any]:
    """Clinical and verification status, within the invariants con-3 to con-5."""
    if wrong:
        return {"verificationStatus": fhir.concept(fhir.coding("entered-in-error", _VERIFICATION))}
    outcome = _OUTCOMES.get((prb.value(14, 3), prb.value(14)))
    ended = bool(prb.value(9))
    status = outcome or ("inactive" if ended else "active")
    made = {"clinicalStatus": fhir.concept(fhir.coding(status, _CLINICAL))}
    if prb.value(13) == "1":
        made["verificationStatus"] = fhir.concept(fhir.coding("provisional", _VERIFICATION))
    return made


def _categories(reading: MessageReading, prb: Segment) -> list[dict[str, Any]]:
    """A problem-list item; when it was diagnosed (PRB-10) and whether it is the main one (18)."""
    found = [fhir.concept(fhir.coding("problem-list-item", _CATEGORY))]
    for components in (prb.components(10)[3:6], prb.components(18)):
        concept, _ = codes.concept(components, reading.domain)
        if concept:
            found.append(concept)
    return found


def _times(reading: MessageReading, prb: Segment) -> dict[str, str]:
    """Onset, end and when it was recorded; an end without its date is the date of the outcome."""
    made = {}
    onset = reading.time(prb, 16)
    if onset:
        made["onsetDateTime"] = onset
    ended = reading.time(prb, 9)
    if not ended and (prb.value(14, 3), prb.value(14)) in _OUTCOMES:
        ended = reading.time(prb, 15)
    if ended:
        made["abatementDateTime"] = ended
    recorded = reading.time(prb, 7) or reading.time(prb, 2)
    if recorded:
        made["recordedDate"] = recorded
    return made
