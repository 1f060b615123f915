"""One HL7 message while it is read: its fields as times, concepts and what became of segments."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeVar

from gateway.model.batch import Batch, Resource
from gateway.model.identifiers import PatientId
from gateway.standardize import codes, dates
from gateway.standardize.findings import PROBLEMS
from gateway.standardize.format import Upload
from gateway.standardize.reading import Reading
from gateway.wire import hl7v2, hl7v2_check
from gateway.wire.hl7v2 import Message, Segment
from gateway.wire.hl7v2_check import Structure

_Made = TypeVar("_Made")
_FIELDS = 100
"More than any segment of HL7 v2.5 has."


class MessageReading(Reading):
    """What is known and found while one message becomes a batch."""

    __slots__ = ("_made", "_seen", "clash", "message")

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
        super().__init__(
            upload,
            patient,
            version=version or dates.order_of(message.header.value(7)),
            cancelled=cancelled,
        )
        self.message = message
        self.clash = clash
        "PID names somebody else than the path: what it says about the person is not taken over."
        self._made: dict[tuple[str, ...], Any] = {}
        self._seen: set[tuple[str, int]] = set()
        for note in sorted(message.notes):
            self.find(note)
        if message.segments[-1].end == len(upload.content) and not upload.runs:
            self.find("end-missing", message.segments[-1].at)

    def check(self, structure: Structure) -> None:
        """Compare the message with its structure; each problem is a finding, none refuses."""
        for problem in hl7v2_check.check(self.message, structure):
            self.find(PROBLEMS[problem.code], problem.at)

    def once(self, fields: tuple[str, ...], make: Callable[[], _Made]) -> _Made:
        """What `make` gives for these fields as sent, made once and then shared by all segments.

        Every order of a message repeats who gave it and where: nobody changes what is shared.
        """
        if fields not in self._made:
            self._made[fields] = make()
        made: _Made = self._made[fields]
        return made

    def take(self, segment: Segment, fields: frozenset[int], became: str = "used") -> None:
        """Say that a segment was read, which of its fields, and what became of it."""
        self._account[segment.at] = became
        stated = segment.fields
        count = len(stated)
        others = _others if count <= _FIELDS else _others.__wrapped__
        for number in others(fields, count):
            if stated[number] and stated[number] != '""':
                seen = (segment.name, number)
                if seen not in self._seen:
                    self._seen.add(seen)
                    self.find("unmapped-field", f"{segment.at}.{number}")

    def time(self, segment: Segment, field: int, text: str = "") -> str:
        """A time field as FHIR says it; a time that does not exist is left out and found."""
        text = text or segment.value(field)
        shown = dates.fhir_time(text)
        if text and not shown:
            self.find("bad-date", f"{segment.at}.{field}")
        return shown

    def coded(self, segment: Segment, field: int) -> tuple[Resource, bool]:
        """A coded field, and whether one of its codes is a standard one; nobody changes it."""
        return codes.of_field(segment.first(field), segment.delimiters, self.domain)

    def concept(self, segment: Segment, field: int, *, wanted: bool = True) -> Resource:
        """A coded field; `wanted` are those whose missing standard code is a finding."""
        made, standard = self.coded(segment, field)
        if wanted and not standard and made:
            self.unmapped(made, f"{segment.at}.{field}")
        return made

    def batch(self, name: str, occurred: str = "") -> Batch:
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
        return super().batch(name, occurred or dates.fhir_time(self.message.header.value(7)))


@lru_cache(maxsize=1024)
def _others(taken: frozenset[int], count: int) -> tuple[int, ...]:
    """The fields of a segment of so many that are not taken; its name is none."""
    return tuple(number for number in range(1, count) if number not in taken)


Mapper = Callable[[MessageReading], None]
"Turns the segments of one data type into items."

HEADER = frozenset(range(1, 22))
"MSH says how the message is to be read; all of it is used for that."
