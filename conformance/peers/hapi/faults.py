"""Faults planted in every run, so that a judge who has gone blind does not pass for a good one.

A few resources that are right, and the same with one fault each. The right ones must come back
without an error, each fault with an error about the resource that has it.
"""

import copy
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conformance.peers.hapi.inputs import Resource, bundle, dumps

_CORE = "http://jpfhir.jp/fhir/core/"
_PROFILE = f"{_CORE}StructureDefinition/"
_MHLW = f"{_CORE}mhlw/"
_UCUM = "http://unitsofmeasure.org"
_JLAC10 = "http://medis.or.jp/CodeSystem/master-JLAC10-17digits"
_NAMES = (
    "patient", "specimen", "result", "request", "dispense", "condition", "report", "provenance",
)  # fmt: skip
_VERDICT = "urn:x-regional-gateway:signature-verdict"
_IDS = {name: str(uuid.uuid5(uuid.NAMESPACE_OID, name)) for name in _NAMES}


def _head(kind: str, profile: str, name: str) -> Resource:
    return {
        "resourceType": kind,
        "id": _IDS[name],
        "meta": {"profile": [_PROFILE + profile]},
        "language": "ja",
    }


def _to(name: str) -> Resource:
    return {"reference": f"urn:uuid:{_IDS[name]}"}


def _days(number: int) -> Resource:
    return {"value": number, "unit": "日", "system": _UCUM, "code": "d"}


def _tablets(number: int) -> Resource:
    return {
        "value": number,
        "unit": "錠",
        "system": f"{_MHLW}CodeSystem/MedicationUnitMERIT9Code",
        "code": "TAB",
    }


def _rp() -> list[Resource]:
    return [
        {"system": f"{_MHLW}IdSystem/Medication-RPGroupNumber", "value": "1"},
        {"system": f"{_MHLW}IdSystem/MedicationAdministrationIndex", "value": "1"},
    ]


def _category(code: str) -> list[Resource]:
    system = f"{_CORE}CodeSystem/JP_SimpleObservationCategory_CS"
    return [{"coding": [{"system": system, "code": code}]}]


def _verdict(*, verdict: str = "verified", more: Sequence[Resource] = ()) -> Resource:
    """Our extension of a signature (`docs/fhir`)."""
    return {
        "url": _VERDICT,
        "extension": [
            {"url": "verdict", "valueCode": verdict},
            {"url": "level", "valueString": "XAdES-T"},
            {"url": "policy", "valueOid": "urn:oid:1.2.392.100495.1.5.1.1.0.1"},
            {"url": "proven", "valueInstant": "2026-01-02T09:00:00.000+09:00"},
            {"url": "checked", "valueInstant": "2026-01-02T09:30:00.000+09:00"},
            {"url": "when", "valueCode": "proven"},
            {"url": "covers", "valueString": "ab" * 32},
            *more,
        ],
    }


def _inside(*more: Resource) -> Resource:
    """A signature inside of the document: the same parts, with who signed."""
    parts = _verdict()["extension"]
    role = {"url": "role", "valueString": "Medical Doctor"}
    return {"url": "inside", "extension": [role, *parts, *more]}


def _provenance() -> Resource:
    """A signature of our document with the verdict on it, and one that did not verify."""
    agents = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"
    purpose = {"system": "urn:iso-astm:E1762-95:2013", "code": "1.2.840.10065.1.12.1.1"}
    kind = {"coding": [{"system": agents, "code": "verifier"}]}
    doubt = {"url": "doubt", "valueCode": "revocation"}
    return {
        "resourceType": "Provenance",
        "id": _IDS["provenance"],
        "target": [_to("result")],
        "recorded": "2026-01-02T09:30:00+09:00",
        "agent": [{"type": kind, "who": {"display": "gateway"}}],
        "entity": [
            {
                "extension": [_verdict(verdict="unverifiable", more=[doubt])],
                "role": "source",
                "what": {"display": "unverifiable signature"},
            }
        ],
        "signature": [
            {
                "extension": [_verdict(more=[_inside(_inside())])],
                "type": [purpose],
                "when": "2026-01-02T09:00:00.000+09:00",
                "who": {"display": "見本 太郎"},
            }
        ],
    }


def right() -> dict[str, Resource]:
    """Resources of made-up content that JP Core 1.2.0 finds right, by name."""
    drug = {
        "coding": [{"system": "http://medis.or.jp/CodeSystem/master-HOT9", "code": "100000001"}],
        "text": "見本錠",
    }
    report = f"{_CORE}CodeSystem/JP_DocumentCodes_CS"
    return {
        "patient": _head("Patient", "JP_Patient", "patient")
        | {
            "identifier": [{"system": "urn:oid:2.999.1", "value": "1"}],
            "name": [{"text": "見本 花子"}],
            "gender": "female",
            "birthDate": "1970-01-02",
        },
        "specimen": _head("Specimen", "JP_Specimen_Common", "specimen")
        | {"type": {"text": "血清"}, "subject": _to("patient")},
        "result": _head("Observation", "JP_Observation_LabResult", "result")
        | {
            "status": "final",
            "category": _category("laboratory"),
            "code": {"coding": [{"system": _JLAC10, "code": "3F050000002327101"}], "text": "HDL"},
            "subject": _to("patient"),
            "effectiveDateTime": "2026-01-02T09:00:00+09:00",
            "valueQuantity": {"value": 50, "unit": "mg/dL", "system": _UCUM, "code": "mg/dL"},
            "specimen": _to("specimen"),
        },
        "request": _head("MedicationRequest", "JP_MedicationRequest", "request")
        | {
            "identifier": _rp(),
            "status": "active",
            "intent": "order",
            "medicationCodeableConcept": drug,
            "subject": _to("patient"),
            "authoredOn": "2026-01-02T09:00:00+09:00",
            "dispenseRequest": {"quantity": _tablets(7), "expectedSupplyDuration": _days(7)},
        },
        "dispense": _head("MedicationDispense", "JP_MedicationDispense", "dispense")
        | {
            "identifier": _rp(),
            "status": "completed",
            "medicationCodeableConcept": drug,
            "subject": _to("patient"),
            "quantity": _tablets(7),
            "whenHandedOver": "2026-01-02T09:30:00+09:00",
        },
        "condition": _head("Condition", "JP_Condition_Diagnosis", "condition")
        | {
            "clinicalStatus": {
                "coding": [
                    {
                        "system": "http://terminology.hl7.org/CodeSystem/condition-clinical",
                        "code": "active",
                    }
                ]
            },
            "code": {"text": "高血圧症"},
            "subject": _to("patient"),
            "onsetDateTime": "2026-01-02",
        },
        "report": _head("DiagnosticReport", "JP_DiagnosticReport_LabResult", "report")
        | {
            "status": "final",
            "category": [{"coding": [{"system": "http://loinc.org", "code": "LP29693-6"}]}],
            "code": {"coding": [{"system": report, "code": "11502-2"}]},
            "subject": _to("patient"),
            "effectiveDateTime": "2026-01-02T09:00:00+09:00",
            "result": [_to("result")],
        },
        "provenance": _provenance(),
    }


_Change = Callable[[Resource], object]


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: which of the right resources has it, and how it gets there."""

    name: str
    resource: str
    change: _Change
    guide: bool = False
    "Only the guide's own rules forbid it."


def _put(*path: str | int, value: Any) -> _Change:
    """Set what stands at a path."""

    def change(resource: Resource) -> None:
        place: Any = resource
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = value

    return change


def _drop(*path: str | int) -> _Change:
    """Take away what stands at a path."""

    def change(resource: Resource) -> None:
        place: Any = resource
        for step in path[:-1]:
            place = place[step]
        del place[path[-1]]

    return change


_PARTS = ("signature", 0, "extension", 0, "extension")
_SUPPLY = ("dispenseRequest", "expectedSupplyDuration", "unit")
FAULTS = (
    Fault("status of no code system", "request", _put("status", value="done")),
    Fault("no intent", "request", _drop("intent")),
    Fault("no subject", "request", _drop("subject")),
    Fault("no authoredOn", "request", _drop("authoredOn"), guide=True),
    Fault("authoredOn without a zone", "request", _put("authoredOn", value="2026-01-02T09:00:00")),
    Fault("no number of the RP", "request", _drop("identifier", 0), guide=True),
    Fault("no place in the RP", "request", _drop("identifier", 1), guide=True),
    Fault("supply in days, not 日", "request", _put(*_SUPPLY, value="days"), guide=True),
    Fault("two kinds of medication", "request", _put("medicationReference", value=_to("patient"))),
    Fault("no quantity", "dispense", _drop("quantity"), guide=True),
    Fault("no whenHandedOver", "dispense", _drop("whenHandedOver"), guide=True),
    Fault("subject that is no patient", "dispense", _put("subject", value=_to("specimen"))),
    Fault("no specimen", "result", _drop("specimen"), guide=True),
    Fault("no text of the code", "result", _drop("code", "text"), guide=True),
    Fault("no category", "result", _drop("category"), guide=True),
    Fault(
        "category of another kind", "result", _put("category", value=_category("exam")), guide=True
    ),
    Fault("unknown category", "result", _put("category", value=_category("blood")), guide=True),
    Fault("unit that is none", "result", _put("valueQuantity", "code", value="mg per dl")),
    Fault("two values", "result", _put("valueString", value="50")),
    Fault("number in quotes", "result", _put("valueQuantity", "value", value="50")),
    Fault("date that is none", "patient", _put("birthDate", value="1970-02-30")),
    Fault("gender of one letter", "patient", _put("gender", value="F")),
    Fault("no identifier", "patient", _drop("identifier"), guide=True),
    Fault("identifier without a value", "patient", _drop("identifier", 0, "value"), guide=True),
    Fault("element of no resource", "patient", _put("chart", value="1")),
    Fault(
        "extension of nobody",
        "patient",
        _put("extension", value=[{"url": "http://example.org/blood", "valueCode": "A"}]),
    ),
    Fault(
        "profile of nobody",
        "patient",
        _put("meta", value={"profile": [f"{_PROFILE}JP_Nobody"]}),
        guide=True,
    ),
    Fault("empty concept", "condition", _put("code", value={})),
    Fault("system with a code that it has not", "condition",
          _put("clinicalStatus", "coding", 0, "code", value="ill")),
    Fault("end without its status", "condition", _put("abatementDateTime", value="2026-01-03")),
    Fault("report of no category", "report", _drop("category"), guide=True),
    Fault("report without a code", "report", _drop("code")),
    Fault("verdict of no kind", "provenance", _put(*_PARTS, 0, "valueCode", value="perhaps")),
    Fault("no verdict", "provenance", _drop(*_PARTS, 0)),
    Fault("verdict as a text", "provenance",
          _put(*_PARTS, 0, value={"url": "verdict", "valueString": "verified"})),
    Fault("proven as a day", "provenance",
          _put(*_PARTS, 3, value={"url": "proven", "valueDate": "2026-01-02"})),
    Fault("part of a verdict that is none", "provenance",
          _put(*_PARTS, 1, value={"url": "levle", "valueString": "XAdES-T"})),
    Fault("digest that is none", "provenance", _put(*_PARTS, 6, "valueString", value="abc")),
    Fault("inside of a signature without a verdict", "provenance",
          _drop(*_PARTS, 7, "extension", 1)),
    Fault("verdict on what is no signature", "result", _put("extension", value=[_verdict()])),
    Fault("result that is no observation", "report", _put("result", value=[_to("patient")])),
)  # fmt: skip


def write(folder: Path, *, with_guide: bool) -> Mapping[str, Fault | None]:
    """Write each fault into a Bundle of its own; the faults by file name, None for the right ones.

    Without a guide only what FHIR R4 itself forbids is planted.
    """
    planted: dict[str, Fault | None] = {"planted-right.json": None}
    (folder / "planted-right.json").write_text(dumps(bundle(list(right().values()))), "utf-8")
    chosen = [fault for fault in FAULTS if with_guide or not fault.guide]
    for number, fault in enumerate(chosen):
        resources = copy.deepcopy(right())
        fault.change(resources[fault.resource])
        name = f"planted-{number:03}.json"
        (folder / name).write_text(dumps(bundle(list(resources.values()))), "utf-8")
        planted[name] = fault
    return planted


def missed(
    planted: Mapping[str, Fault | None], lines: Mapping[str, Sequence[Mapping[str, Any]]]
) -> list[str]:
    """What the judge got wrong about the planted resources."""
    found = []
    for name, fault in planted.items():
        errors = [
            line for line in lines.get(name, ()) if line.get("severity") in ("fatal", "error")
        ]
        if not any("judged" in line for line in lines.get(name, ())):
            found.append(f"{name}: not judged")
        elif fault is None:
            found.extend(f"right, and called wrong: {one['type']}: {one['text']}" for one in errors)
        elif not any(one["id"] == _IDS[fault.resource] for one in errors):
            found.append(f"{fault.resource}: {fault.name}")
    return found
