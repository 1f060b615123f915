"""Replay: what staged originals become with today's mapping, tables and masters.

`preview` says how that differs from what is there; `apply` stages the difference as versions, one
Work a file, and promotes it (REC-02: nothing in place). Both may be done again: what was applied is
no difference any more, so that an interrupted replay goes on where it stopped. Whoever withdrew, or
whose data may no longer be held, is passed over; what was erased has no original to replay (M-09).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from gateway.consent import ledger
from gateway.errors import NotFound, NotPermitted
from gateway.identity import crossref
from gateway.members import facilities
from gateway.model.batch import Batch
from gateway.model.caller import CallerKind
from gateway.model.category import Source
from gateway.model.identifiers import Oid, PatientId, PersonId
from gateway.record import difference, findings, reexamine, scopes, staging
from gateway.record.difference import Change, Difference, Element
from gateway.record.promotion import promote, remake
from gateway.store.record import contents, uploads
from gateway.store.record import items as item_rows
from gateway.store.record import replay as rows
from gateway.store.record import scopes as scope_rows
from gateway.store.record.items import ItemRow
from gateway.store.record.marks import add_marks
from gateway.store.record.replay import Chart, Held
from gateway.store.record.uploads import FileRow
from gateway.store.work import Work

__all__ = ["Change", "Chart", "Difference", "Element", "FileRow", "Outcome", "Overlay", "apply",
           "charts", "files", "parent", "preview"]  # fmt: skip

WITHDRAWN, NO_CONSENT, OTHER_PATIENT = "withdrawn", "no-consent", "other-patient"
FOREIGN, CHANGED_SINCE = "foreign-domain", "changed-since"
"Why a file is passed over."


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What replaying one file found, or why it was passed over."""

    difference: Difference = field(default_factory=Difference)
    skipped: str = ""


class Overlay:
    """What a preview of a chart's earlier files would have added, so that later ones see it."""

    def __init__(self) -> None:
        self._held: dict[str, list[Held]] = {}

    def of(self, keys: Iterable[str]) -> list[Held]:
        """What would be there of these keys."""
        return [one for key in keys for one in self._held.get(key, ())]

    def newest(self, found: dict[str, tuple[str, bool, str]], scope: str) -> None:
        """Let the newest versions below a prefix be as they would be."""
        for key, several in self._held.items():
            if key.startswith(scope):
                for one in several:
                    if key not in found or one.version >= found[key][0]:
                        found[key] = (one.version, one.cancelled, one.category)

    def add(self, several: Iterable[Held]) -> None:
        """Remember what would be added."""
        for one in several:
            self._held.setdefault(one.key, []).append(one)


def charts(db: Connection, facility: str) -> list[Chart]:
    """The charts that have originals to replay, of one facility or of all."""
    return rows.select_charts(db, facility, reexamine.FORMAT)


def files(db: Connection, chart: Chart) -> list[FileRow]:
    """The originals of a chart, the oldest statement first."""
    return rows.select_files(db, chart.domain, chart.value, reexamine.FORMAT)


def parent(db: Connection, file: FileRow) -> FileRow | None:
    """The whole file that a part was cut from."""
    return uploads.select_file(db, file.parent) if file.parent else None


def preview(work: Work, file: FileRow, batch: Batch, overlay: Overlay) -> Outcome:
    """How a file of today differs from what it became; nothing changes but the overlay."""
    _require_operator(work)
    skipped, _ = _judge(work, file, batch)
    if skipped:
        return Outcome(skipped=skipped)
    found = _compare(work, file, batch, overlay)
    overlay.add(
        Held(file.id, row.key, row.version, row.cancelled, row.category, row.content)
        for row in _rows(work, file, batch, found.changes, custody=False)
    )
    return Outcome(difference=found)


def apply(work: Work, file_id: str, batch: Batch, sha256: str) -> Outcome:
    """Stage what differs as versions, and promote; again, it finds no difference."""
    _require_operator(work)
    patient = batch.patient
    person = None if patient is None else crossref.known(work, patient)
    if person is not None:
        crossref.lock(work, person)  # persons before files, in every Work
    file = uploads.select_file(work.db, file_id, locking=True)
    if file is None:
        raise NotFound("no such file", "ファイルが見つかりません")
    work.trail.objects.append(file.receipt)
    work.trail.detail["replay"] = True
    if file.state != uploads.STANDARDIZED or file.sha256 != sha256:
        return Outcome(skipped=CHANGED_SINCE)
    skipped, person = _judge(work, file, batch)
    if skipped:
        work.trail.detail["skipped"] = skipped
        return Outcome(skipped=skipped)
    found = _compare(work, file, batch, Overlay())
    custody = facilities.snapshot(work.db).has_custody(file.facility, facilities.today(work))
    item_rows.insert_staged(work.db, _rows(work, file, batch, found.changes, custody=custody))
    if found.changes:
        add_marks(work.db, file.id, batch.resources())
    told = [findings.told(one) for one in batch.findings]
    described = file._replace(findings=_kept_findings(file, told))
    if found.patient:
        described = described._replace(patient=batch.patient_resource)
    if described != file:
        uploads.update_file(work.db, described)
    work.trail.detail.update(staged=len(found.changes), mapping=batch.mapping)
    if person is not None:
        if found.changes:
            promote(work, person)
        if found.patient:
            remake(work, person, file.id)
    return Outcome(difference=found)


def _judge(work: Work, file: FileRow, batch: Batch) -> tuple[str, PersonId | None]:
    """Why a file is not replayed, or empty; and whose chart it is, where that is known."""
    patient = PatientId(Oid(file.domain), file.value)
    work.trail.patients.add(patient)
    if batch.patient is None or batch.patient != patient:
        return OTHER_PATIENT, None  # another reading of whose data they are is for people to judge
    person = crossref.known(work, patient)
    if staging.foreign(work, file, patient) is not None:
        return FOREIGN, person
    standing = ledger.standing(work, person) if person is not None else None
    if standing is not None and standing.withdrawn:
        return WITHDRAWN, person
    members = facilities.snapshot(work.db)
    custody = members.has_custody(file.facility, facilities.today(work))
    shares = standing is not None and standing.participates
    if not shares and not (custody and work.policy.staging.custody):
        return NO_CONSENT, person
    if person is not None and staging.conflicts(work, patient, batch):
        return OTHER_PATIENT, person
    return "", person


def _compare(work: Work, file: FileRow, batch: Batch, overlay: Overlay) -> Difference:
    keys = rows.select_keys_of_file(work.db, file.id) | {item.key for item in batch.items}
    held = [*rows.select_held(work.db, file.domain, file.value, keys), *overlay.of(keys)]
    found = difference.compare(file.id, batch, held, file.patient)
    if batch.scope:
        newest = scope_rows.select_scope(work.db, file.domain, file.value, batch.scope)
        overlay.newest(newest, batch.scope)
        ended = {change.key for change in found.changes if change.kind == difference.ENDED}
        for key, category in difference.endings(batch, newest):
            if key not in ended:
                found.changes.append(
                    Change(kind=difference.ENDED, key=key, category=category,
                           version=batch.version, cancelled=True, resource="")
                )  # fmt: skip
    return found


def _rows(
    work: Work, file: FileRow, batch: Batch, changes: Sequence[Change], *, custody: bool
) -> list[ItemRow]:
    """The versions that say what changed; their source says which mapping made them."""
    upload = uploads.select_upload(work.db, file.receipt)
    source = upload.source if upload else Source.OTHER.value
    posted = upload.received if upload else work.now
    made = []
    for change in changes:
        place: dict[str, Any] = {"file": file.path, "at": ""}
        if change.item is not None:
            at = change.item.source
            place |= {"at": at.at, "start": at.start, "end": at.end}
        place |= {"mapping": batch.mapping, "tables": list(batch.tables)}
        place |= scopes.said(batch)
        resource = change.item.resource if change.item is not None else {}
        companions = change.item.companions if change.item is not None else ()
        made.append(
            ItemRow(
                file=file.id, facility=file.facility, source=source, domain=file.domain,
                value=file.value, category=change.category, key=change.key,
                version=change.version, cancelled=change.cancelled, posted=posted,
                content=contents.whole(resource, companions, place), custody=custody,
                resource=str(resource.get("id", "")),
            )
        )  # fmt: skip
    return made


def _kept_findings(file: FileRow, told: list[dict[str, str]]) -> list[dict[str, str]]:
    """Today's findings of the reading, with those that staging made when the file came."""
    own = [one for one in file.findings if one["code"] in findings.OF_STAGING]
    return [*told, *own]


def _require_operator(work: Work) -> None:
    """What a replay shows and does is for the operator (G-12)."""
    if work.caller.kind is not CallerKind.OPERATOR:
        raise NotPermitted("for the operator", "運営者のみ実行できます", rule="ACC-02",
                           log="AUTHZ-DENY")  # fmt: skip
