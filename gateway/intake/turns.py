"""One turn of the queue: the next files of one facility, read first, then written together.

Reading (bytes to items) holds no lock and no transaction. What the files became is written in one
transaction with one commit, each file in a Work of its own: one that fails is undone by itself,
each leaves its own audit event, and all of it is durable before any receipt tells of it. A turn
that is cut off anywhere leaves its files waiting (R-01, R-03).
"""

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

from gateway import standardize
from gateway.audit.door import Defect, Door, Entangled, Group, tried
from gateway.errors import Busy, Refusal
from gateway.identity import domains
from gateway.intake import cutting, envelopes, outcomes, papers, signed
from gateway.intake.cutting import Whole
from gateway.intake.joining import Part, take_part
from gateway.intake.lease import Lease
from gateway.intake.signed import Signatures
from gateway.members import facilities
from gateway.model.audit import EventKind
from gateway.model.batch import Finding, Severity
from gateway.model.caller import Caller
from gateway.model.codebook import CodeBook
from gateway.model.csv_mapping import CsvMapping
from gateway.model.identifiers import Oid, PatientId
from gateway.model.network import SignaturePolicyKeys
from gateway.model.signature import SignatureReport
from gateway.record import foreseen, queue, reexamine, staging
from gateway.record.queue import Overtaken, Turn
from gateway.record.staging import FileRow
from gateway.standardize.fhir_bundle import attachments
from gateway.standardize.format import Upload
from gateway.store.blobs import Blobs, Damaged
from gateway.store.work import Work

logger = logging.getLogger(__name__)
_BYTES = 512 * 1024
"So many bytes of files are read before what they became is written."
_DEFECT = Finding(
    code="internal-error", severity=Severity.ERROR,
    text="an error of this gateway: the file is kept and tried again; the operator was told",
    japanese="ゲートウェイ内部の障害です。ファイルは保管され、再処理されます",
)  # fmt: skip
_LOST = Finding(
    code="bytes-damaged", severity=Severity.ERROR,
    text="the stored bytes are damaged: send the file again",
    japanese="保管したファイルが壊れています。再送してください",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Read:
    """What a file became, before any of it is written."""

    file: FileRow
    write: Callable[[Work], None]
    patient: PatientId | None = None
    owner: str = ""
    "Facility that stands behind the documents of the file (G-01); empty where it has none."
    loose: frozenset[str] = frozenset()
    "Digests of bytes that were kept only for its documents."
    counts: bool = True
    "Whether it was worked on; one that was cut waits as its parts."
    fails: bool = False
    "Whether its Work will fail, so that it is kept apart from the others."


@dataclass(frozen=True, slots=True)
class Reader:
    """Turns the bytes of a file into items, with all that this needs; outside of any Work."""

    blobs: Blobs
    mappings: Callable[[str], tuple[CsvMapping, ...]]
    codes: Callable[[str], CodeBook]
    signatures: Signatures | None

    def of(self, facility: str, domain: Oid | None, institution: str = "") -> Upload:
        """What every file of a facility is read with."""
        return Upload(
            path="", content=b"", domain=domain, institution=institution,
            mappings=self.mappings(facility), codes=self.codes(facility),
        )  # fmt: skip

    def read(self, file: FileRow, reading: Upload, rule: SignaturePolicyKeys) -> Read | Whole:
        """One file; a signature that it carries is judged before anything is made of it."""
        looked = cutting.look(self.blobs, file, reading)
        if isinstance(looked, Whole):
            return looked
        upload, chosen = looked
        symbol = None if file.parent else standardize.symbol_of(upload)
        if symbol is not None:
            part = Part(file, upload, symbol, self.blobs)
            return Read(file, lambda work: take_part(work, part, _LOST), part.patient)
        if chosen is None and not file.parent and envelopes.is_envelope(upload.content):
            return self._enveloped(file, upload, rule)
        covering = signed.evidence(upload)
        more: tuple[Finding, ...] = ()
        report: SignatureReport | None = None
        if covering:
            if self.signatures is not None:
                report = self.signatures.report(self.blobs.path(file.sha256), file.queued)
            judged = signed.judge(rule, report, covering)
            more = (judged.finding,)
            if judged.waits:
                return Read(file, lambda work: outcomes.wait(work, file, report, more))
        batch = standardize.read(upload, format=chosen)
        if more:
            batch = replace(batch, findings=(*more, *batch.findings))
        if any(one.code == attachments.SIGNED for one in batch.findings):
            return Read(file, lambda work: outcomes.set_aside(work, file, batch), batch.patient)
        if batch.papers:
            found = papers.judge(self.blobs, self.signatures, file, upload, batch)
            return Read(
                file, lambda work: outcomes.file_papers(work, file, found), batch.patient,
                owner=file.facility, loose=found.loose,
            )  # fmt: skip
        return Read(file, lambda work: outcomes.store(work, file, batch, report), batch.patient)

    def _enveloped(self, file: FileRow, upload: Upload, rule: SignaturePolicyKeys) -> Read:
        """A file that is signed with its content inside: what is signed is what is read."""
        report = None
        if self.signatures is not None:
            report = self.signatures.report(self.blobs.path(file.sha256), file.queued)
            envelopes.refuse_detached(report)
        judged = signed.judge_enclosing(report)
        more = (judged.finding,)
        if report is None or judged.waits:
            return Read(file, lambda work: outcomes.wait(work, file, report, more))
        content = report.signatures[-1].covered
        covering = signed.evidence(envelopes.inside(upload, content))
        own: SignatureReport | None = None
        if covering and self.signatures is not None:
            blob = self.blobs.put_bytes(content)
            own = self.signatures.report(self.blobs.path(blob.sha256), file.queued)
            judged = signed.judge_inside(rule, report, own, covering)
            more = (judged.finding,)
            if judged.waits:
                return Read(file, lambda work: outcomes.wait(work, file, report, more, own))
        batch = envelopes.read(upload, content)
        batch = replace(batch, findings=(*more, *batch.findings))
        if not batch.papers:
            return Read(
                file, lambda work: outcomes.store_inside(work, file, batch, report, own),
                batch.patient, loose=frozenset() if own is None else frozenset({own.file_sha256}),
            )  # fmt: skip
        found = papers.judge(self.blobs, self.signatures, file, upload, batch, around=report)
        return Read(
            file, lambda work: outcomes.file_papers(work, file, found, report), batch.patient,
            owner=file.facility, loose=found.loose,
        )  # fmt: skip


class Turns:
    """Works the queue through, a turn at a time; one of these for each thread that does."""

    def __init__(
        self,
        door: Door,
        reader: "Reader",
        new_id: Callable[[], str],
        *,
        owner: str = "",
        stuck: Callable[[], None] | None = None,
    ) -> None:
        """`owner` names this worker, the same when it is started anew.

        `stuck` is called where one file takes far too long.
        """
        self._door = door
        self._reader = reader
        self._new_id = new_id
        self._owner = owner or new_id()
        self._stuck = stuck
        self._dropped: set[str] = set()
        "Tokens of turns that were given up because the database was away."

    def begin(self) -> None:
        """Give back what a worker of the same name had taken before it died."""
        self._door.keep(lambda db: queue.free(db, self._owner))

    def take(
        self, caller: Callable[[], Caller], stopping: Callable[[], bool], facility: str = ""
    ) -> int:
        """One turn; how many files it had, 0 where none waits or others are working on them all."""
        if not self._door.snapshot(lambda db: queue.is_waiting(db, facility), max_age=0.0):
            return 0
        token = f"{self._owner}/{self._new_id()}"
        turn = self._door.keep(
            lambda db: queue.take(
                db, token=token, now=self._door.clock(), facility=facility, dropped=self._dropped
            )
        )
        if turn is None:
            return 0
        self._dropped.clear()
        try:
            with Lease(self._door, turn, self._stuck) as lease:
                return self._work(turn, caller, stopping, lease)
        except Overtaken:
            logger.warning("a turn of %s took too long and was given up", turn.lane.facility)
            return len(turn.files)  # they may wait again: whoever works until nothing waits goes on
        except BaseException:
            self._drop(turn)
            raise

    def _drop(self, turn: Turn) -> None:
        """Give a turn up: its files wait as before."""
        self._dropped.add(turn.lane.token)
        with suppress(Busy):
            self._door.keep(lambda db: queue.drop(db, turn))

    def _work(
        self, turn: Turn, caller: Callable[[], Caller], stopping: Callable[[], bool], lease: Lease
    ) -> int:
        """Read as much as one commit is to make durable, then write it."""
        domain = self._door.snapshot(
            lambda db: domains.chart_domain_in(db, turn.lane.facility), max_age=0.0
        )
        members = self._door.snapshot(facilities.snapshot)
        facility = members.facilities.get(turn.lane.facility)
        reading = self._reader.of(turn.lane.facility, domain, facility.code if facility else "")
        found: list[Read] = []
        size = 0
        for file in turn.files:
            if found and (size >= _BYTES or stopping()):
                break
            lease.alive()
            one = self._read(file, reading, careful=bool(turn.careful))
            if isinstance(one, Whole):
                if not found:
                    found.append(self._cut(one, caller(), lease))
                break  # what comes after it waits for its parts
            found.append(one)
            size += file.size
        lease.alive()
        self._write(turn, found, caller)
        return len(found)

    def _read(self, file: FileRow, reading: Upload, *, careful: bool) -> Read | Whole:
        """What a file becomes, or that it is to be cut first."""
        if careful and file.attempts > queue.ATTEMPTS:
            return Read(file, lambda work: staging.set_aside(work, file.id, (_DEFECT,)))
        rule = self._door.policy.signature
        found = tried(lambda: self._reader.read(file, reading, rule))
        # One that fails must not hold up the queue (O-05).
        return _failed(file, found) if isinstance(found, Exception) else found

    def _cut(self, whole: Whole, caller: Caller, lease: Lease) -> Read:
        """Cut a file into its parts; what is left to write about it."""
        try:
            cutting.cut(self._door, self._reader.blobs, caller, whole, lease.alive)
        except (Busy, Overtaken):
            raise
        except (Refusal, Damaged, OSError) as error:
            return _failed(whole.file, error)
        return Read(whole.file, lambda work: None, counts=False)

    def _write(self, turn: Turn, found: list[Read], caller: Callable[[], Caller]) -> None:
        """Everything that a turn made, in one transaction; once more where a file of it fails."""
        apart = any(one.fails for one in found)
        try:
            group = self._write_all(turn, found, caller(), apart=apart)
        except Entangled:
            group = self._write_all(turn, found, caller(), apart=True)
        told = partial(foreseen.told_since, group.memory)
        for person in self._door.snapshot(told, max_age=0.0):
            with self._door.work(EventKind.INTAKE, caller()) as work:
                staging.promote(work, person)

    def _write_all(self, turn: Turn, found: list[Read], caller: Caller, *, apart: bool) -> Group:
        patients = [one.patient for one in found if one.patient is not None]
        with self._door.group(apart=apart) as group:
            queue.hold(group.db, turn, patients)
            foreseen.foresee(group.memory, group.db, [one.file for one in found], patients)
            for one in found:
                self._write_one(group, one, caller)
            done = sum(one.counts for one in found)
            queue.end(group.db, turn, done=done, now=self._door.clock())
        return group

    def _write_one(self, group: Group, one: Read, caller: Caller) -> None:
        who = replace(caller, facility=one.owner) if one.owner else caller
        try:
            with group.work(EventKind.INTAKE, who) as work:
                one.write(work)
        except Busy:
            raise
        except Refusal as refusal:
            told = refusal
            with group.work(EventKind.INTAKE, caller) as work:
                outcomes.refuse(work, one.file, told)
                reexamine.let_go(work, one.loose)
        except Defect:
            with group.work(EventKind.INTAKE, caller) as work:
                staging.failed(work, one.file.id, _DEFECT)


def _failed(file: FileRow, error: Exception) -> Read:
    """What is to be written about a file that could not be read."""
    match error:
        case Busy():
            raise error
        case Damaged():
            return Read(file, lambda work: staging.lost(work, file, _LOST))
        case OSError():
            return Read(file, lambda work: _again(work, file))

    def write(work: Work) -> None:  # in its Work, to be told as the refusal or defect that it is
        work.trail.objects.append(file.sha256)
        raise error

    return Read(file, write, fails=True)


def _again(work: Work, file: FileRow) -> None:
    staging.failed(work, file.id, _DEFECT)
