"""One HL7 v2 message in, its acknowledgement out; no sockets (`security.md` 2.2, E-01 to E-04).

A message is read to its end before anything of it is kept, so that one `AE` means that nothing was;
`AA` leaves after the message, its control id and its audit event are durable (G4). A control id is
remembered for 400 days for each sending system: the same bytes again get the same answer and do
nothing, other bytes are refused (E-03). What consent or custody says comes later, by the receipt.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from gateway import standardize
from gateway.errors import Inconsistent, Malformed, NotPermitted, OverLimit, Refusal
from gateway.identity import domains
from gateway.intake.uploads import Intake
from gateway.members import facilities
from gateway.members.facilities import Members
from gateway.model.audit import EventKind
from gateway.model.caller import Caller
from gateway.model.category import FacilityType, Source
from gateway.model.identifiers import Oid
from gateway.record import senders
from gateway.record.staging import ReceivedFile
from gateway.standardize.format import Upload
from gateway.standardize.hl7 import messages
from gateway.standardize.ssmix2 import data_types
from gateway.store import replay
from gateway.store.work import Work
from gateway.wire import hl7v2, hl7v2_answer, hl7v2_check
from gateway.wire.hl7v2 import Message

_SOURCES = {FacilityType.LAB: Source.LAB, FacilityType.PHARMACY: Source.DISPENSING}
"What a facility's messages come from; all others are medical record systems."
_DECIDING = ("MSH", "EVN", "PID")
"""Segments that say what a message is and about whom: a value there that is not of its type refuses
it. What is missing or elsewhere is a finding, because a sender's queue stops at an AE."""
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", re.ASCII)
_FRAMING = "HL7 AR 100"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What goes back for one message."""

    frames: tuple[bytes, ...]
    "Acknowledgements without framing: none, one, or commit and application."
    kept: bool = False
    "A file waits to be worked through."
    closing: bool = False
    "The framing is wrong: nothing that follows on this connection can be trusted (E-02)."
    refused: str = ""
    "Audit code of a refusal."


@dataclass(frozen=True, slots=True)
class _Judged:
    """A message that may be kept: for whom, from where."""

    facility: str
    source: Source
    sender: str
    "Facility and sending application: whose control ids these are (HL7 v2.5 2.15.9.10)."
    control_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageIntake:
    """Takes HL7 v2 messages in, one at a time."""

    intake: Intake
    clock: Callable[[], datetime]
    new_id: Callable[[], str]
    names: Mapping[str, str] = field(default_factory=dict)
    "What MSH-4 says of a facility's systems, to the facility."
    strict: bool = False
    "Refuse every departure from a message's structure, not only wrong values in MSH, EVN and PID."

    def receive(self, caller: Caller, content: bytes) -> Answered:
        """Keep one message whole or not at all, and say what is answered."""
        digest = hashlib.sha256(content).hexdigest()
        try:
            judged = self._judge(caller, content, digest)
            if not isinstance(judged, _Judged):
                return Answered(frames=judged)
            return self._keep(caller, content, digest, judged)
        except Refusal as refusal:
            return Answered(
                frames=self._frames(content, refusal), closing=refusal.rule == _FRAMING,
                refused=refusal.log or "HL7-FMT",
            )  # fmt: skip

    def too_long(self, head: bytes) -> Answered:
        """What is answered to a message over the limit, of which only the beginning is here."""
        refusal = OverLimit(
            "message too long", "メッセージが長すぎます", at="MSH", rule="HL7 AR 102"
        )
        return Answered(frames=self._frames(head, refusal), closing=True, refused="LIMIT")

    def failed(self, content: bytes, incident: str) -> Answered:
        """What is answered where the fault is ours: the incident number and nothing else (G11)."""
        frames = hl7v2_answer.answers(
            content, new_id=self._number, at=self.clock(), incident=incident
        )
        return Answered(frames=frames)

    def _judge(self, caller: Caller, content: bytes, digest: str) -> _Judged | tuple[bytes, ...]:
        """Read a message to its end; the answer of before where it was taken before."""
        with self.intake.door.work(EventKind.UPLOAD, caller, reading=True) as work:
            work.trail.code = "HL7-FMT"
            work.trail.detail.update(judged=1)
            message = _parse(content)
            facility, source = self._whose(work, message)
            sender = f"{caller.facility}|{message.header.value(3)}"
            judged = _Judged(facility, source, sender, message.control_id)
            seen = replay.select_control(work.db, sender, message.control_id)
            if seen is not None:
                work.trail.code = ""
                work.trail.detail["repeated"] = True
                return _again(seen, digest)
            senders.require(work, facility, source)
            self._read(work, message, content, facility)
            work.trail.code = ""
            return judged

    def _read(self, work: Work, message: Message, content: bytes, facility: str) -> None:
        """Everything a reader refuses is refused now, and nothing of the message is kept."""
        standardize.refuse_harmful(content)
        domain = domains.chart_domain(work, facility)
        upload = Upload(path="message", content=content, domain=domain)
        messages.refuse_foreign(upload, message)
        kind = messages.kind_of(message)
        if not kind.acknowledges:
            structure = kind.structure or data_types.structure_of(message)
            problems = hl7v2_check.check(message, data_types.STRUCTURES[structure])
            hl7v2_check.demand(one for one in problems if self._decides(one))
        messages.standardize(upload, message)

    def _decides(self, problem: hl7v2_check.Problem) -> bool:
        wrong = problem.code == hl7v2_check.TYPE and problem.at.startswith(_DECIDING)
        return self.strict or wrong

    def _keep(self, caller: Caller, content: bytes, digest: str, judged: _Judged) -> Answered:
        """Bytes, receipt and control id, durable together."""
        frames = self._frames(content)
        named = _FILE_NAME.fullmatch(judged.control_id)
        path = f"{judged.control_id if named else digest[:32]}.hl7"
        blob = self.intake.blobs.put_bytes(content)
        file = ReceivedFile(path=path, sha256=blob.sha256, size=blob.size)

        def claim(work: Work, receipt: str) -> None:
            work.trail.detail["control"] = hashlib.sha256(judged.control_id.encode()).hexdigest()
            if not replay.claim_control(
                work.db, judged.sender, judged.control_id, digest, frames, work.now
            ):
                raise Inconsistent("control id in use", "制御IDが使用中です", rule="HL7 AE 205")

        try:
            self.intake.keep(
                caller, [file], facility=judged.facility, source=judged.source, note=claim
            )
        except Inconsistent:
            # Another connection was first with this control id.
            seen = self.intake.door.snapshot(
                lambda db: replay.select_control(db, judged.sender, judged.control_id), max_age=0.0
            )
            if seen is None:
                raise
            return Answered(frames=_again(seen, digest))
        return Answered(frames=frames, kept=True)

    def _whose(self, work: Work, message: Message) -> tuple[str, Source]:
        """For which facility a message comes; refuses one that names another sender (E-04)."""
        members = facilities.snapshot(work.db)
        own = work.caller.facility
        day = facilities.today(work)
        header = message.header
        stated = [self._named(work, members, one) for one in _texts(header, 4)]
        for name in filter(None, stated):
            if name != own and not members.delivers(own, name, day):
                raise _spoof()
        mine = {name for name, facility in self.names.items() if facility == own}
        if mine and not any(stated) and not mine & set(_texts(header, 4)):
            raise _spoof()
        facility = members.facilities.get(own)
        source = _SOURCES.get(facility.type, Source.EMR) if facility else Source.EMR
        if source is not Source.LAB:
            return own, source
        named = [
            *(self._named(work, members, one) for one in _authorities(message)),
            *stated,
            *(self._named(work, members, one) for one in _texts(header, 6)),
        ]
        partners = {
            one.facility for one in members.contracts if members.delivers(own, one.facility, day)
        }
        chosen = [name for name in named if name and name != own]
        if not chosen and len(partners) == 1:
            chosen = list(partners)
        if not chosen:
            raise Malformed(
                "say for which facility: PID-3 with its authority, or MSH-4 or MSH-6",
                "どの施設への結果か、PID-3 の発番機関、または MSH-4/MSH-6 で示してください",
                at="MSH-6", rule="HL7 AE 101",
            )  # fmt: skip
        return chosen[0], source

    def _named(self, work: Work, members: Members, text: str) -> str:
        """The facility that a header's text names: by settings, name, code or chart id domain."""
        if not text:
            return ""
        if text in self.names or text in members.facilities:
            return self.names.get(text, text)
        for name, facility in members.facilities.items():
            if facility.code == text:
                return name
        domain = domains.every(work.db).get(Oid(text)) if _is_oid(text) else None
        return domain.facility if domain else ""

    def _frames(self, content: bytes, refusal: Refusal | None = None) -> tuple[bytes, ...]:
        return hl7v2_answer.answers(content, new_id=self._number, at=self.clock(), refusal=refusal)

    def _number(self) -> str:
        """A control id of ours; MSH-10 has room for twenty characters."""
        return self.new_id().replace("-", "")[:20]


def read_names(pairs: Iterable[str]) -> dict[str, str]:
    """`NAME=facility` lines of the settings; raises ValueError with the line."""
    found: dict[str, str] = {}
    for pair in pairs:
        name, mark, facility = pair.rpartition("=")
        if not mark or not name.strip() or not facility.strip() or name.strip() in found:
            raise ValueError(pair)
        found[name.strip()] = facility.strip()
    return found


def _parse(content: bytes) -> Message:
    if not content.endswith(b"\r"):
        # An end block inside a field: what follows it is no message (E-02, HL7-12).
        raise Malformed(
            "the frame does not end with a segment", "フレームの終端が正しくありません",
            at="MSH", rule=_FRAMING,
        )  # fmt: skip
    return hl7v2.parse(content, framed=True)


def _texts(header: hl7v2.Segment, field: int) -> list[str]:
    """Name and universal id of an HD field."""
    return [text for text in header.components(field)[:2] if text]


def _authorities(message: Message) -> list[str]:
    """Universal ids of the assigning authorities of PID-3."""
    pid = message.first("PID")
    if pid is None:
        return []
    found = (pid.subcomponents(one, 4)[1:2] for one in pid.repetitions(3))
    return [one[0] for one in found if one and one[0]]


def _is_oid(text: str) -> bool:
    return bool(re.fullmatch(r"[0-2](\.(0|[1-9][0-9]{0,38})){1,30}", text, re.ASCII))


def _again(seen: replay.SeenControl, digest: str) -> tuple[bytes, ...]:
    """The answer of before; other content under the same control id is refused (E-03)."""
    if seen.digest != digest:
        raise Inconsistent(
            "this control id was used for another message",
            "同じ制御ID(MSH-10)の別のメッセージを受信済みです",
            at="MSH-10", rule="HL7 AE 205", log="REPLAY",
        )  # fmt: skip
    return seen.answers


def _spoof() -> NotPermitted:
    return NotPermitted(
        "MSH-4 names another facility than the certificate",
        "MSH-4 が証明書の施設と異なります",
        at="MSH-4", rule="HL7 AR 204", log="AUTH-SPOOF",
    )  # fmt: skip
