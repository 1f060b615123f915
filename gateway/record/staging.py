"""Staging: what came, apart from the shared record, until it may be shared (STG-01 to STG-08).

`receive` keeps an upload and its receipt; `stage` puts what a file became into staging;
`promotion.promote` moves what is linked and consented. Each is idempotent: a file that is sent,
staged or promoted twice adds nothing (STG-04). The gateway never writes to a source (STG-08).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway.consent import ledger
from gateway.errors import Busy, Invalid, Malformed, NotFound, UnknownDomain
from gateway.identity import crossref, domains, matching
from gateway.members import facilities
from gateway.model.batch import Batch, Finding, Item, Severity
from gateway.model.category import Source
from gateway.model.identifiers import PatientId, PersonId
from gateway.record import difference, findings, foreseen, scopes, senders
from gateway.record.promotion import Arrived, Promoted, in_memory, promote
from gateway.record.queue import ATTEMPTS
from gateway.store.blobs import Damaged
from gateway.store.raw import writes_alone
from gateway.store.record import items as item_rows
from gateway.store.record import lock_blobs
from gateway.store.record import uploads as rows
from gateway.store.record.contents import Contents
from gateway.store.record.marks import insert_marks
from gateway.store.work import Work
from gateway.wire import fhir

__all__ = [
    "FileRow", "Promoted", "Receipt", "ReceivedFile", "Staged", "failed", "lock", "lost",
    "may_keep", "promote", "receive", "refuse_file", "requeue", "set_aside", "stage",
]  # fmt: skip

FileRow = rows.FileRow
_NOT_STATED = "patient-not-stated"
"Finding of a file that is whole, and only lacks the patient whom it is about."
_CLASH = "pid-clash"
"Finding of a file that names one patient by its path and another one inside."


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedFile:
    """One file whose bytes are in the blob store already."""

    path: str
    "Its own path inside the upload: data, never a path of ours."
    sha256: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What the sender gets: the receipt and the files with their ids here."""

    id: str
    files: tuple[tuple[str, ReceivedFile], ...]
    "File id and file, in the order in which they came."


@dataclass(frozen=True, slots=True, kw_only=True)
class Staged:
    """What became of one file."""

    state: str
    items: int = 0
    duplicates: int = 0
    person: PersonId | None = None
    "Whose chart it is about, where we know the chart id."
    arrived: Arrived | None = None
    "The items that were new, where they are not written yet: `promote` takes them."


def receive(
    work: Work,
    *,
    facility: str,
    source: Source,
    files: Sequence[ReceivedFile],
    patient: str = "",
    receipt: str = "",
    first: int = 0,
) -> Receipt:
    """Keep an upload; its bytes are durable already, its receipt with this Work's commit (G4).

    `patient` is the chart id of the facility that the sender states beside all of its files. With a
    `receipt` that has so many files, the `first` of these is the next one of it.
    """
    if not files:
        raise Invalid("an upload has at least one file", "ファイルがありません", at="file")
    senders.require(work, facility, source)
    if patient:
        senders.require_stated(work, facility, patient)
    lock_blobs(work.db, removing=False)
    for file in files:
        try:
            work.blobs.path(file.sha256)
        except Damaged as error:
            # Gone between being placed and being named: a sweep, or a disk that forgets.
            raise Busy("the bytes are not here: send the file again", "再送してください",
                       at="file") from error  # fmt: skip
    identity = receipt or work.ordered_id()
    kept = [
        FileRow(
            id=work.ordered_id(), receipt=identity, number=number, facility=facility,
            path=file.path, sha256=file.sha256, size=file.size, stated=patient, queued=work.now,
        )
        for number, file in enumerate(files, start=first)
    ]  # fmt: skip
    if receipt:
        rows.insert_files(work.db, kept)
    else:
        row = rows.UploadRow(identity, work.caller.facility, facility, source.value, work.now)
        rows.insert_upload(work.db, row, kept)
    work.trail.objects.append(identity)
    work.trail.detail["files"] = len(files)
    work.trail.detail["facility"] = facility
    return Receipt(
        id=identity,
        files=tuple((row.id, file) for row, file in zip(kept, files, strict=True)),
    )


def stage(
    work: Work, file_id: str, batch: Batch, *, known: FileRow | None = None, at_once: bool = False
) -> Staged:
    """Put what a file became into staging; a file that was worked on before changes nothing.

    `known` is the file's row as it was when its turn began, so that it need not be read whole. Who
    says `at_once` promotes what `arrived` in the same Work: where the person takes part it is not
    written here.
    """
    patient = batch.patient
    person = None if patient is None else foreseen.person(work, patient)
    if person is not None:
        crossref.lock(work, person)  # persons before files, in every Work
    alone = writes_alone(work.db) or (person is None and foreseen.is_locked(work, file_id))
    file = lock(work, file_id, known)
    if file.state not in (rows.RECEIVED, rows.SET_ASIDE):
        return Staged(state=file.state)
    if not file.parent and foreseen.has_twin(work, file):
        return _close(work, file, rows.DUPLICATE, batch)
    if patient is None:
        if any(finding.code == _NOT_STATED for finding in batch.findings):
            return _close(work, file, rows.SET_ASIDE, batch)
        hurt = any(finding.severity is Severity.ERROR for finding in batch.findings)
        return _close(work, file, rows.REFUSED if hurt else rows.STANDARDIZED, batch)
    work.trail.patients.add(patient)
    if file.stated and file.stated != patient.value:
        work.trail.code = "LINK"
        return _close(work, file, rows.SET_ASIDE, batch, findings.MISMATCH)
    work.once(domains.every)
    wrong = foreign(work, file, patient)
    if wrong is not None:
        work.trail.code = "AUTH-SPOOF"
        return _close(work, file, rows.REFUSED, batch, wrong)
    members = work.once(facilities.snapshot)
    if not alone:
        person = crossref.known(work, patient)  # a link may have been made while we waited
    custody = members.has_custody(file.facility, facilities.today(work))
    shares = person is not None and ledger.standing(work, person).participates
    if not shares and not (custody and work.policy.staging.custody):
        work.trail.rule = "CON-01"
        return _close(work, file, rows.REFUSED, batch, findings.NO_CONSENT)
    if person is not None and conflicts(work, patient, batch):
        work.trail.code = "LINK"
        return _close(work, file, rows.SET_ASIDE, batch, findings.MISMATCH)
    file = file._replace(domain=patient.domain, value=patient.value, version=batch.version)
    if _clashes(members, file, batch):
        work.trail.code = "SSMIX"
        return _close(work, file, rows.SET_ASIDE, batch)
    fresh, duplicates, unknown = _new_rows(work, file, batch, custody=custody)
    if not (at_once and shares):
        item_rows.insert_staged(work.db, fresh)
    if fresh:
        insert_marks(work.db, file.id, batch.resources())
    work.trail.detail.update(staged=len(fresh), duplicates=duplicates)
    said = (findings.DELETE_UNKNOWN,) if unknown else ()
    more = (*said, *_unshared(work, members, file, batch))
    done = _say(work, file, rows.STANDARDIZED, batch, *more)
    arrived = Arrived(done, fresh, in_memory(fresh, batch)) if at_once and shares else None
    return Staged(
        state=done.state, items=len(fresh), duplicates=duplicates, person=person, arrived=arrived
    )


def _clashes(members: facilities.Members, file: FileRow, batch: Batch) -> bool:
    """Whether path and PID name two patients, and the paths are not declared right (E-08)."""
    facility = members.facilities.get(file.facility)
    trusted = facility is not None and facility.trust_path
    return not trusted and any(finding.code == _CLASH for finding in batch.findings)


def refuse_file(work: Work, file_id: str, found: Iterable[Finding]) -> None:
    """A file that no format reads, or that is refused as a whole."""
    _finish(work, file_id, rows.REFUSED, found)


def set_aside(work: Work, file_id: str, found: Iterable[Finding]) -> None:
    """A file that somebody must look at; the queue goes on (O-05)."""
    _finish(work, file_id, rows.SET_ASIDE, found)


def may_keep(work: Work, facility: str, patient: PatientId | None) -> bool:
    """Whether bytes about a chart may be kept before they are read (STG-06, CON-01)."""
    person = None if patient is None else foreseen.person(work, patient)
    if person is not None and ledger.standing(work, person).participates:
        return True
    members = facilities.snapshot(work.db)
    return work.policy.staging.custody and members.has_custody(facility, facilities.today(work))


def requeue(work: Work, file_id: str) -> None:
    """A file that was set aside waits again to be worked through."""
    file = lock(work, file_id)
    if file.state == rows.SET_ASIDE:
        rows.update_file(work.db, file._replace(state=rows.RECEIVED, findings=()))
        work.trail.detail["state"] = rows.RECEIVED


def lost(work: Work, file: FileRow, finding: Finding) -> None:
    """A file whose bytes are not there; not one whose bytes an erasure replaced meanwhile."""
    current = lock(work, file.id)
    if current.sha256 == file.sha256:
        _finish(work, file.id, rows.SET_ASIDE, (finding,))


def failed(work: Work, file_id: str, finding: Finding) -> bool:
    """Count a failure that was not the file's fault; True once the file is set aside for it."""
    file = lock(work, file_id)
    attempts = file.attempts + 1
    if attempts < ATTEMPTS:
        rows.update_file(work.db, file._replace(attempts=attempts))
        return False
    rows.update_file(work.db, file._replace(attempts=attempts))
    _finish(work, file_id, rows.SET_ASIDE, (finding,))
    return True


def lock(work: Work, file_id: str, known: FileRow | None = None) -> FileRow:
    """One file, kept from others until this Work ends."""
    if known is None:
        file = rows.select_file(work.db, file_id, locking=True)
    else:
        file = foreseen.again(work, known)
    if file is None:
        raise NotFound("no such file", "ファイルが見つかりません")
    work.trail.objects.append(file.receipt)
    return file


def foreign(work: Work, file: FileRow, patient: PatientId) -> Finding | None:
    """Why this chart id cannot come from this facility (DOM-02, G-01), or None."""
    work.once(domains.every)
    try:
        domain = domains.require(work, patient)
    except UnknownDomain:
        return findings.UNDECLARED
    except Malformed:
        return findings.FORM
    if domain.kind != domains.CHART or domain.facility != file.facility:
        return findings.NOT_OWNED
    return None


def conflicts(work: Work, patient: PatientId, batch: Batch) -> bool:
    """Whether the file is about another person than the chart's feed said: hold, do not write."""
    stated = crossref.stated(work, patient)
    if stated is None or batch.demographics is None:
        return False
    return matching.contradicts(stated, batch.demographics)


def _new_rows(
    work: Work, file: FileRow, batch: Batch, *, custody: bool
) -> tuple[list[item_rows.ItemRow], int, bool]:
    """Rows for what is new, how many items were there before, whether unknown ones are deleted.

    The row of such a deletion stays, so that what it deletes stays out.
    """
    source, posted = _sent(work, file)
    is_new = foreseen.is_new(work, file)
    keys = () if is_new else {item.key for item in batch.items}
    known = item_rows.select_versions(work.db, file.domain, file.value, keys)
    said = scopes.said(batch)
    fresh: list[item_rows.ItemRow] = []
    written = Contents()
    duplicates = 0
    unknown = any(item.cancelled and item.key not in known for item in batch.items)
    for item in batch.items:
        key, version = item.key, item.version or batch.version
        before = known.get(key)
        if before is None:
            before = known[key] = {}
        elif before:
            same = [v for v in before if difference.is_of(v, version)]
            last = [max(same)] if same and batch.restates else same  # what is said anew comes back
            late = same and not item.cancelled and scopes.is_deleted(before[max(same)])
            if late or any(_same(before[v], item) for v in last):
                duplicates += 1
                continue
            if same:
                # The source states no newer version, yet says something else: a correction.
                version = difference.corrected(version, same)
        place, category = item.source, item.category._value_
        content = written.write(
            category, (key, version), item.resource, item.companions,
            {"file": place.file, "at": place.at, "start": place.start, "end": place.end, **said},
        )  # fmt: skip
        before[version] = content
        fresh.append(
            item_rows.ItemRow(
                file.id, file.facility, source, file.domain, file.value, category, key, version,
                item.cancelled, posted, content, item.resource["id"], custody,
            )
        )  # fmt: skip
    endings, nothing = scopes.endings(work, file, batch, source, custody=custody, is_new=is_new)
    return [*fresh, *endings], duplicates, unknown or nothing


def _sent(work: Work, file: FileRow) -> tuple[str, datetime]:
    """What kind of system the file's upload is from, and when it came."""
    known: tuple[str, datetime] | None = work.memory.get(file.receipt)
    if known is None:
        upload = rows.select_upload(work.db, file.receipt)
        known = (upload.source, upload.received) if upload else (Source.OTHER.value, work.now)
        work.memory[file.receipt] = known
    return known


def _same(content: str, item: Item) -> bool:
    before = fhir.loads(content)["resource"]
    return fhir.dumps(before) == fhir.dumps(item.resource)


def _unshared(
    work: Work, members: facilities.Members, file: FileRow, batch: Batch
) -> tuple[Finding, ...]:
    """What of a file stays in staging whatever happens, said once per category (STG-07, 5.3)."""
    found = []
    kinds = {one.category for one in batch.items} | {one.category for one in batch.papers}
    for category in sorted(kinds, key=lambda one: one._value_):
        if category not in work.policy.categories:
            code, why = "category-not-shared", "this network does not share"
            japanese = "このネットワークでは共有対象外のため、格納のみ行いました"
        elif (file.facility, category) in members.withheld:
            code, why = "category-withheld", "the facility does not provide"
            japanese = "施設の設定により提供しないため、格納のみ行いました"
        else:
            continue
        found.append(
            Finding(
                code=code, severity=Severity.NOTE, at=category.value,
                text=f"kept in staging: {why} {category.value}", japanese=japanese,
            )
        )  # fmt: skip
    return tuple(found)


def _close(work: Work, file: FileRow, state: str, batch: Batch, *more: Finding) -> Staged:
    return Staged(state=_say(work, file, state, batch, *more).state)


def _say(work: Work, file: FileRow, state: str, batch: Batch, *more: Finding) -> FileRow:
    """Say what became of a file; its row as it is now."""
    done = file._replace(
        state=state,
        format=batch.format,
        findings=[findings.told(finding) for finding in (*batch.findings, *more)],
        patient=batch.patient_resource if state == rows.STANDARDIZED else None,
        mapping=batch.mapping,
        tables=batch.tables,
    )
    rows.update_file(work.db, done)
    work.trail.detail["state"] = state
    return done


def _finish(work: Work, file_id: str, state: str, found: Iterable[Finding]) -> None:
    file = lock(work, file_id)
    if file.state not in (rows.RECEIVED, rows.SET_ASIDE):
        return
    told = [findings.told(finding) for finding in found]
    rows.update_file(work.db, file._replace(state=state, findings=told))
    work.trail.detail["state"] = state
