"""One HL7 message while it is read: items, findings, and what became of every segment.

A mapper says what it took (`take`) and what came of it (`add`); whatever nobody took is found at
the end, so nothing of a message is dropped without a finding (STD-01).
"""

from collections.abc import Callable, Iterable

from gateway.model.batch import Batch, Finding, Item, Resource, SourcePosition
from gateway.model.category import Category
from gateway.model.identifiers import Oid, PatientId
from gateway.model.person import Demographics
from gateway.standardize import codes, dates, musthave
from gateway.standardize.findings import PROBLEMS, finding
from gateway.standardize.format import UNSTATED, Upload
from gateway.wire import fhir, hl7v2, hl7v2_check
from gateway.wire.hl7v2 import Message, Segment
from gateway.wire.hl7v2_check import Structure


class Reading:
    """What is known and found while one message becomes a batch."""

    __slots__ = (
        "_absent",
        "_account",
        "_findings",
        "_found",
        "_keys",
        "_seen",
        "cancelled",
        "clash",
        "demographics",
        "domain",
        "items",
        "message",
        "patient",
        "patient_resource",
        "scope",
        "subject",
        "upload",
        "version",
    )

    def __init__(
        self,
        upload: Upload,
        message: Message,
        patient: PatientId,
        *,
        version: str = "",
        cancelled: bool = False,
        clash: bool = False,
    ) -> None:
        self.clash = clash
        "PID names somebody else than the path: what it says about the person is not taken over."
        self.upload = upload
        self.message = message
        self.patient = patient
        self.domain: Oid = patient.domain
        self.version = version or dates.order_of(message.header.value(7))
        self.cancelled = cancelled
        self.subject = fhir.reference(fhir.patient_resource_id(patient))
        self.items: list[Item] = []
        self.demographics: Demographics | None = None
        self.patient_resource: Resource | None = None
        self.scope = ""
        self._findings: list[Finding] = [finding(note) for note in sorted(message.notes)]
        self._found: set[tuple[str, str]] = set()
        self._keys: set[str] = set()
        self._account: dict[str, str] = {}
        self._seen: set[tuple[str, int]] = set()
        self._absent: set[str] = set()

    def find(self, code: str, at: str = "") -> None:
        """Note a finding, once at each place."""
        if (code, at) not in self._found:
            self._found.add((code, at))
            self._findings.append(finding(code, at))

    def check(self, structure: Structure) -> None:
        """Compare the message with its structure; each problem is a finding, none refuses."""
        for problem in hl7v2_check.check(self.message, structure):
            self.find(PROBLEMS[problem.code], problem.at)

    def take(self, segment: Segment, fields: frozenset[int], became: str = "used") -> None:
        """Say that a segment was read, which of its fields, and what became of it."""
        self._account[segment.at] = became
        for number, raw in enumerate(segment.fields):
            if raw and number and number not in fields and raw != '""':
                seen = (segment.name, number)
                if seen not in self._seen:
                    self._seen.add(seen)
                    self.find("unmapped-field", f"{segment.at}.{number}")

    def leave(self, segment: Segment, code: str) -> None:
        """Say that a segment was not taken over, with its finding."""
        self._account[segment.at] = code
        self.find(code, segment.at)

    def leave_all(self, code: str, segments: Iterable[Segment]) -> None:
        """Say of segments not taken so far that they share one cause, which is found once."""
        for segment in segments:
            self._account.setdefault(segment.at, code)

    def add(
        self,
        category: Category,
        resource: Resource,
        key: str,
        segment: Segment,
        *,
        end: int = 0,
        companions: tuple[Resource, ...] = (),
        cancelled: bool = False,
    ) -> None:
        """Add an item that came from a segment, or from it up to the byte `end`."""
        for path in musthave.complete(resource):
            place = f"{resource['resourceType']}.{path}"
            if place not in self._absent:
                self._absent.add(place)
                self.find("value-absent", f"{segment.at} {place}")
        self.items.append(
            Item(
                category=category,
                resource=resource,
                key=key,
                source=SourcePosition(
                    file=self.upload.path,
                    at=segment.at,
                    start=segment.start,
                    end=end or segment.end,
                ),
                version=self.version,
                cancelled=cancelled or self.cancelled,
                companions=companions,
            )
        )

    def key(self, text: str) -> str:
        """A key that no other item of the message has: one that comes again is counted."""
        key, number = text, 1
        while key in self._keys:
            number += 1
            key = f"{text}|{number}"
        self._keys.add(key)
        return key

    def identity(self, kind: str, key: str) -> str:
        """The id of a resource about one source item of this patient."""
        return fhir.resource_id(kind, self.domain, self.patient.value, key)

    def time(self, segment: Segment, field: int, text: str = "") -> str:
        """A time field as FHIR says it; a time that does not exist is left out and found."""
        text = text or segment.value(field)
        shown = dates.fhir_time(text)
        if text and not shown:
            self.find("bad-date", f"{segment.at}.{field}")
        return shown

    def concept(self, segment: Segment, field: int, *, wanted: bool = True) -> Resource:
        """A coded field; `wanted` are those whose missing standard code is a finding."""
        components = segment.components(field)
        made, standard = codes.concept(components, self.domain)
        if wanted and not standard and made:
            self.find("unmapped-code", f"{segment.at}.{field}")
        return made

    def batch(self, name: str) -> Batch:
        """What the message became; segments nobody took are accounted for here."""
        for segment in self.message.segments:
            if segment.at in self._account:
                continue
            if segment.name == hl7v2.NO_SEGMENT:
                self.leave(segment, "not-a-segment")
            elif not any(segment.fields[1:]):
                self.leave(segment, "empty-segment")
            else:
                self.leave(segment, "not-yet-mapped")
        return Batch(
            path=self.upload.path,
            format=name,
            patient=self.patient,
            demographics=self.demographics,
            patient_resource=self.patient_resource,
            items=tuple(self.items),
            findings=tuple(self._findings),
            occurred=dates.fhir_time(self.message.header.value(7)),
            version=self.version,
            scope=self.scope,
            account=self._account,
        )


Mapper = Callable[[Reading], None]
"Turns the segments of one data type into items."

HEADER = frozenset(range(1, 22))
"MSH says how the message is to be read; all of it is used for that."


def stated_domain(upload: Upload) -> Oid:
    """The domain of chart ids in an upload."""
    return upload.domain or UNSTATED
