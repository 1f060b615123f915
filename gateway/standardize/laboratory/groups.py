"""Results of HL7 v2.5, of laboratories and of physiology: SPM, OBR, ORC, OBX to JP Core 1.2.0.

One Observation an OBX, one DiagnosticReport an OBR, with Specimen and ServiceRequest beside them.
OUL^R22 has the specimen before its orders and ORC after OBR; ORU^R01 has ORC before OBR and the
specimen after its results (HL7 v2.5 7.3). Both come as groups first.

This is the hot path of intake: parts that are the same for all results of a message are made once
and shared, so nobody changes the inside of a resource in place.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from gateway.model.batch import Resource
from gateway.standardize import codes, encounters, persons, values
from gateway.standardize.laboratory import microbiology, observation, results
from gateway.standardize.laboratory import report as lab_report
from gateway.standardize.laboratory.microbiology import Made, Parent
from gateway.standardize.laboratory.observation import MICROBIOLOGY, SPECIMEN, Examination
from gateway.standardize.message import HEADER, MessageReading
from gateway.wire import fhir
from gateway.wire.hl7v2 import Segment

_REPORT_STATUS = {
    "F": "final",
    "P": "preliminary",
    "R": "preliminary",
    "A": "partial",
    "S": "registered",
    "I": "registered",
    "O": "registered",
    "C": "corrected",
    "X": "cancelled",
}
_SPM = frozenset({1, 2, 4, 8, 17, 18})
_OBR = frozenset({1, 2, 3, 4, 7, 8, 16, 22, 24, 25})
_CHILD = _OBR | {26, 29}
_ORC = persons.ORC | {5, 15}
_NTE = frozenset({1, 2, 3})
_NO_CHILD = Parent(-1, -1)
"Of an OBR that is nobody's child."


@dataclass(slots=True)
class Group:
    """One OBR with what belongs to it."""

    obr: Segment
    orc: Segment | None = None
    specimen: Segment | None = None
    results: list[tuple[Segment, list[Segment]]] = field(default_factory=list)
    "OBX with the NTE after it."
    notes: list[Segment] = field(default_factory=list)


@dataclass(slots=True)
class _Shared:
    """What the groups of one message have in common."""

    visit: Sequence[Resource]
    examination: Examination
    specimens: dict[str, Resource] = field(default_factory=dict)


def read(reading: MessageReading, *, complete: bool, examination: Examination = SPECIMEN) -> None:
    """Read every group; `complete` says that the message has the whole of each of its orders."""
    message = reading.message
    reading.take(message.header, HEADER)
    pid = message.first("PID")
    if pid:
        persons.describe(reading, pid)
    found = groups(reading)
    shared = _Shared(encounters.beside(reading, message.first("PV1")), examination)
    keys = [_order_key(reading, group) for group in found]
    cut = [(group.obr, [obx for obx, _ in group.results]) for group in found]
    children = microbiology.parents(cut) if examination is SPECIMEN else {}
    for place, parent in children.items():
        # The susceptibilities of an organism belong to the order that found it.
        keys[place] = keys[parent.group] if parent else keys[place]
    made = [
        _read_group(reading, group, keys[place], shared, children.get(place, _NO_CHILD))
        for place, group in enumerate(found)
    ]
    microbiology.tie(cut, made, children)
    orders = set(keys)
    if complete and len(orders) == 1:
        reading.scope = f"{examination.prefix}|{orders.pop()}|"


def groups(reading: MessageReading) -> list[Group]:
    """The OBR groups of OUL^R22 and ORU^R01; what belongs to none is left for the account."""
    found: list[Group] = []
    specimen = order = None
    after_specimen = False
    orders_first = reading.message.type == "ORU^R01"
    for segment in reading.message.segments:
        match segment.name:
            case "SPM":
                specimen, after_specimen = segment, True
                if orders_first and found:
                    found[-1].specimen = segment
            case "ORC" if orders_first:
                order = segment
            case "ORC" if found and found[-1].orc is None:
                found[-1].orc = segment
            case "OBR":
                found.append(Group(segment, order, None if orders_first else specimen))
                order, after_specimen = None, False
            case "OBX" if found and not after_specimen:
                found[-1].results.append((segment, []))
            case "NTE" if found and not after_specimen:
                last = found[-1]
                (last.results[-1][1] if last.results else last.notes).append(segment)
    return found


def _order_key(reading: MessageReading, group: Group) -> str:
    """The number that the order has wherever it is delivered: placer's, else filler's."""
    placer = group.obr.value(2) or (group.orc.value(2) if group.orc else "")
    filler = group.obr.value(3) or (group.orc.value(3) if group.orc else "")
    return placer or filler or f"message-{reading.message.control_id}"


def _read_group(
    reading: MessageReading, group: Group, order: str, shared: _Shared, parent: Parent | None
) -> Made:
    """One OBR: its companions, its results, its report; of a child of one result its panel."""
    obr = group.obr
    is_child = parent is not _NO_CHILD
    if is_child and parent is None:
        reading.find("layout-unknown", f"{obr.at}.26")
    request, parties = _service_request(reading, group, order)
    sample = None
    if group.specimen:
        sample = shared.specimens.get(group.specimen.at)
        if sample is None:
            sample = specimen(reading, group.specimen, order)
            shared.specimens[group.specimen.at] = sample
    visit = shared.visit
    companions = tuple(one for one in (request, sample, *visit, *parties) if one)
    collected = reading.time(group.specimen, 17) if group.specimen else ""
    examination = shared.examination
    if examination is SPECIMEN and (
        is_child or microbiology.is_microbiology(obr, [obx for obx, _ in group.results])
    ):
        examination = MICROBIOLOGY
    mark = group.specimen.value(2) if group.specimen else ""
    context = results.Context(
        examination=examination,
        order=order,
        specimen=sample,
        mark=f"{mark}|{microbiology.mark(obr)}" if is_child else mark,
        sex=reading.sex,
        effective=collected or reading.time(obr, 7),
        issued=_instant(reading.time(obr, 22)),
        request=fhir.reference(request["id"]),
        encounter=fhir.reference(visit[0]["id"]) if visit else None,
        companions=companions,
    )
    members: list[list[Resource]] = []
    last = obr
    for obx, notes in group.results:
        for note in notes:
            reading.take(note, _NTE)
        members.append(results.read(reading, obx, notes, context))
        last = notes[-1] if notes else obx
    everything = [one for found in members for one in found]
    statuses = [one["status"] for one in everything]
    for note in group.notes:
        reading.take(note, _NTE)
    panel = obr.value(4) or obr.value(4, 2)
    comment = "\n".join(values.lines(note.value(3)) for note in group.notes if note.value(3))
    if is_child and parent is not None:
        key = reading.key(f"{examination.prefix}|{order}|panel|{panel}|{context.mark}")
        status = _status(reading, group, statuses)
        code = reading.concept(obr, 4, wanted=False)
        made = microbiology.panel(reading, key, status, code, everything)
        made["basedOn"] = [context.request]
        if context.effective:
            made["effectiveDateTime"] = context.effective
        if comment:
            made["note"] = [{"text": comment}]
        if sample:
            made["specimen"] = fhir.reference(sample["id"])
        reading.take(obr, _CHILD, "item Observation")
        _add(reading, examination, made, key, obr, last, companions)
        return Made(members, made)
    report = _report(reading, group, order, context, statuses)
    references = [
        fhir.reference(one["id"]) for one in everything if one["status"] not in lab_report.GIVEN_UP
    ]
    if references:
        report["result"] = references
    if comment:
        report["conclusion"] = comment
    key = reading.key(f"{examination.prefix}|{order}|report|{panel}|{context.mark}")
    report["id"] = reading.identity("DiagnosticReport", key)
    reading.take(obr, _OBR, "item DiagnosticReport")
    _add(reading, examination, report, key, obr, last, companions)
    return Made(members)


def _add(
    reading: MessageReading,
    examination: Examination,
    made: Resource,
    key: str,
    obr: Segment,
    last: Segment,
    companions: tuple[Resource, ...],
) -> None:
    reading.add(
        examination.category,
        made,
        key,
        obr,
        end=last.end,
        companions=companions,
        cancelled=made["status"] in lab_report.GIVEN_UP,
    )


def request_identity(reading: MessageReading, order: str, obr: Segment) -> str:
    """The id of the order behind results: the same from the order itself and from its results."""
    return reading.identity("ServiceRequest", f"{order}|{obr.raw(4)}")


def _service_request(
    reading: MessageReading, group: Group, order: str
) -> tuple[Resource, tuple[Resource, ...]]:
    """The order behind the results (JP_ServiceRequest_Common), and who gave it."""
    obr, orc = group.obr, group.orc
    identity = request_identity(reading, order, obr)
    made = fhir.resource("ServiceRequest", "JP_ServiceRequest_Common", identity)
    system = codes.local_identifiers(reading.domain, "order")
    made["identifier"] = [fhir.identifier(system, order)]
    made["status"] = "completed" if orc and orc.value(5) == "CM" else "unknown"
    made["intent"] = "order"
    code = reading.concept(obr, 4, wanted=False)
    if code:
        made["code"] = code
    made["subject"] = reading.subject
    parties: tuple[Resource, ...] = ()
    if orc:
        reading.take(orc, _ORC)
        ordered = reading.time(orc, 9)
        if ordered:
            made["authoredOn"] = ordered
        requester, parties = persons.orderer(reading, orc, obr)
        if requester:
            made["requester"] = requester
        reason = reading.concept(orc, 15, wanted=False)
        if reason:
            made["reasonCode"] = [reason]
        clerk = persons.staff(reading, orc, 10)
        if clerk:
            parties = (*parties, clerk)
    return made, parties


def specimen(reading: MessageReading, spm: Segment, order: str) -> Resource:
    """SPM as JP_Specimen_Common."""
    numbers = [*spm.subcomponents(spm.raw(2), 1), *spm.subcomponents(spm.raw(2), 2)]
    number = numbers[-1] or numbers[0]
    kind = reading.concept(spm, 4)
    made = observation.specimen(reading, f"{order}|{number or spm.at}", kind, number)
    received = reading.time(spm, 18)
    if received:
        made["receivedTime"] = received
    start = reading.time(spm, 17)
    end = reading.time(spm, 17, spm.value(17, 2)) if spm.value(17, 2) else ""
    if start and end:
        made["collection"] = {"collectedPeriod": {"start": start, "end": end}}
    elif start:
        made["collection"] = {"collectedDateTime": start}
    site = reading.concept(spm, 8, wanted=False)
    if site:
        made.setdefault("collection", {})["bodySite"] = site
    reading.take(spm, _SPM)
    return made


def _report(
    reading: MessageReading, group: Group, order: str, context: results.Context, statuses: list[str]
) -> Resource:
    """OBR as DiagnosticReport; a laboratory's has the document's own code before the panel's."""
    obr = group.obr
    numbers = [fhir.identifier(codes.local_identifiers(reading.domain, "order"), order)]
    if obr.value(3) and obr.value(3) != order:
        system = codes.local_identifiers(reading.domain, "laboratory-order")
        numbers.append(fhir.identifier(system, obr.value(3)))
    made = lab_report.make(
        reading,
        numbers,
        examination=context.examination,
        request=context.request,
        status=_status(reading, group, statuses),
        panel=reading.concept(obr, 4, wanted=False),
    )
    if context.encounter:
        made["encounter"] = context.encounter
    start, end = reading.time(obr, 7), reading.time(obr, 8)
    if start and end and start != end:
        made["effectivePeriod"] = {"start": start, "end": end}
    elif start:
        made["effectiveDateTime"] = start
    if context.issued:
        made["issued"] = context.issued
    if context.specimen:
        made["specimen"] = [fhir.reference(context.specimen["id"])]
    return made


def _status(reading: MessageReading, group: Group, statuses: list[str]) -> str:
    """OBR-25, or what the results and ORC-5 say where the sender leaves it empty."""
    if reading.cancelled:
        return "entered-in-error"
    stated = _REPORT_STATUS.get(group.obr.value(25))
    if stated:
        return stated
    if group.orc and group.orc.value(5) == "CM":
        return "final"
    return lab_report.status_of(statuses)


def _instant(shown: str) -> str:
    """A time that is an instant; a date alone is none (R4 instant)."""
    return shown if "T" in shown else ""
