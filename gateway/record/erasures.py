"""The list of erasures, kept apart from the database, and applied again after a restore (M-09).

A backup is older than what was erased after it was taken. The list stands in the audit folder, of
which copies are kept elsewhere: ids and digests, signed, no content. Each erasure keeps its id when
it is applied again, so that it is applied once.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from gateway.audit import chain
from gateway.consent import ledger
from gateway.errors import Inconsistent
from gateway.identity import crossref, domains
from gateway.members import facilities
from gateway.members.facilities import State
from gateway.model.identifiers import Oid, PatientId, PersonId
from gateway.record import erase, removal, staging
from gateway.record.removal import Removed
from gateway.store.metadata import read_moment, write_moment
from gateway.store.record import documents as rows
from gateway.store.work import Work

_FILE = "erasures.jsonl"
_FACILITY, _EXPIRED = "facility_withdrawal", "retention_expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """One erasure as the list keeps it."""

    id: str
    at: datetime
    reason: str
    actor: str
    content: dict[str, Any]
    "Subject, patients as [domain, value], counts, digests; as the receipt has them."


def every(db: Connection) -> list[Erasure]:
    """Every erasure the database knows, oldest first; for the audit door's snapshot."""
    return [Erasure(**row) for row in rows.select_erasures(db)]


def keep(folder: Path, known: Sequence[Erasure]) -> int:
    """Append to the list what it lacks, durably; how many there were."""
    listed = {one.id for one in read(folder)}
    missing = [one for one in known if one.id not in listed]
    if not missing:
        return 0
    bodies = [
        {"id": one.id, "at": write_moment(one.at), "reason": one.reason, "actor": one.actor,
         "content": one.content}
        for one in missing
    ]  # fmt: skip
    chain.append(folder / _FILE, [{**body, "mac": chain.sign(folder, body)} for body in bodies])
    return len(missing)


def read(folder: Path) -> list[Erasure]:
    """The list; raises `Inconsistent` where a line was changed, skips one that was cut off."""
    path = folder / _FILE
    if not path.exists():
        return []
    found = []
    for number, line in enumerate(path.read_text("ascii", "replace").splitlines(), 1):
        try:
            body = json.loads(line)
            mac = str(body.pop("mac"))
            one = Erasure(
                id=str(body["id"]), at=read_moment(body["at"]), reason=str(body["reason"]),
                actor=str(body["actor"]), content=dict(body["content"]),
            )  # fmt: skip
        except json.JSONDecodeError:
            continue  # the power went while it was written; it is written again
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise _changed(number) from error
        if not chain.is_signed(folder, body, mac):
            raise _changed(number)
        found.append(one)
    return found


def apply(work: Work, listed: Sequence[Erasure]) -> list[str]:
    """Erase again what the database does not know as erased; the ids of what was."""
    known = {one.id for one in every(work.db)}
    applied = []
    for one in sorted(listed, key=lambda one: one.at):
        if one.id in known:
            continue
        removed = Removed()
        if one.reason == _FACILITY:
            _again_facility(work, str(one.content["subject"]), removed)
        elif one.reason == _EXPIRED:
            erase.take_expired(work, removed)
        else:
            _again_person(work, one, removed)
        content = {**one.content, **erase.counts(removed), "again": write_moment(work.now)}
        rows.insert_erasure(
            work.db, id=one.id, at=one.at, reason=one.reason, actor=one.actor, content=content
        )
        work.trail.objects.append(f"erasure:{one.id}")
        known.add(one.id)
        applied.append(one.id)
    return applied


def _again_facility(work: Work, name: str, removed: Removed) -> None:
    """A facility that left: it has ended, and what it provided goes (WDR-04)."""
    found = facilities.snapshot(work.db).facilities.get(name)
    if found is None:
        return
    if found.state is not State.ENDED:
        facilities.end(work, name, reason="ended after the backup was taken")
    erase.take_provided(work, name, removed)


def _again_person(work: Work, one: Erasure, removed: Removed) -> None:
    """A person who withdrew: the withdrawal is entered, and everything about them goes."""
    patients = [PatientId(Oid(domain), value) for domain, value in one.content["patients"]]
    shared = {p for p in patients if p.domain == work.policy.shared_id.domain}
    erased = bool(one.content.get("erased", True))
    for patient in patients:
        person = crossref.known(work, patient)
        if person is None:
            continue
        own = crossref.shared_id(work, person)
        if own is not None and own not in shared:  # tied to somebody else when the backup was taken
            if patient not in crossref.identifiers(work, person):
                continue
            person = crossref.unlink(work, patient)
            staging.promote(work, PersonId(person))
        if ledger.standing(work, person).participates:
            ledger.withdraw(
                work, person, reason=one.reason, form=f"entered again: erasure {one.id}", again=True
            )
        if not erased:
            continue
        crossref.lock(work, person)
        removal.unshare(work, person, removed)
        removal.forget_uploads(work, person, facilities.snapshot(work.db), removed)
        _untie(work, person)


def _untie(work: Work, person: PersonId) -> None:
    """What erasing does to the links of a person (WDR-01)."""
    if crossref.shared_id(work, person) is None:
        return
    for chart in crossref.identifiers(work, person):
        if domains.require(work, chart).kind == domains.CHART:
            crossref.unlink(work, chart)
    crossref.forget_statement(work, person)


def _changed(number: int) -> Inconsistent:
    return Inconsistent(
        f"the list of erasures was changed in line {number}: use the safe copy",
        f"消去一覧の{number}行目が改変されています。控えを使ってください",
        at=_FILE,
        rule="M-09",
    )
