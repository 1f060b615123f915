"""The cross-reference: register, link, unlink, merge, resolve (ITI TF-2: 3.44, 3.45).

Before consent every chart id is a person of its own: demographics never link (G-08). Linking ties
chart ids to the shared patient id and makes them one person (LNK-01). Nothing is changed in place
without an event that holds the state before it (G14, FN-405).
"""

import secrets
from collections.abc import Collection, Iterable
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection

from gateway.errors import (
    Busy,
    Inconsistent,
    Malformed,
    NotOwner,
    NotPermitted,
    UnknownPatient,
)
from gateway.identity import domains, matching, statements
from gateway.model.caller import CallerKind
from gateway.model.consent import Permit
from gateway.model.identifiers import Oid, PatientId, PersonId
from gateway.model.person import Demographics
from gateway.store import identity as rows
from gateway.store.raw import writes_alone
from gateway.store.work import Work


def person_of(work: Work, patient: PatientId) -> PersonId:
    """The person an identifier belongs to; a merged identifier finds nothing (FN-404)."""
    person = rows.select_person(work.db, patient)
    if person is None:
        raise unknown()
    return person


def unknown() -> UnknownPatient:
    """The one refusal for an identifier that is unknown or may not be asked about (G8)."""
    return UnknownPatient("patient identifier not known", "患者IDが登録されていません")


def has_chart(work: Work, person: PersonId, own: frozenset[Oid]) -> bool:
    """Whether one of these domains has a current identifier of this person (ACC-04)."""
    return any(domain in own for domain, _ in rows.select_linked(work.db, person))


def known(work: Work, patient: PatientId) -> PersonId | None:
    """The person of an identifier, merged ones included: for data about it, never for queries."""
    found = rows.select_identifier(work.db, patient)
    return None if found is None else found.person


def persons(db: Connection, patients: Collection[PatientId]) -> dict[PatientId, PersonId]:
    """The persons of several identifiers, as `known`; those that nobody fed are not among them."""
    return rows.select_persons(db, patients)


def stated(work: Work, patient: PatientId) -> Demographics | None:
    """What the source of one identifier says about the person; for our own services."""
    content = rows.select_demographics(work.db, patient)
    return None if content is None else statements.read(content)


def register(
    work: Work,
    patient: PatientId,
    demographics: Demographics,
    *,
    revise: bool = False,
    at: datetime | None = None,
) -> tuple[PersonId, ...]:
    """Take over what a feed says; the persons whose identifiers or statements changed.

    The same feed twice changes nothing, and a feed that its source wrote before the last one (`at`)
    is not applied (E-05). Raises `UnknownDomain`, `NotOwner` (G-01), `Malformed` (DOM-01) and
    `Inconsistent` (a merged identifier; an overlay, FN-410).
    """
    work.trail.patients.add(patient)
    domains.require(work, patient)
    _require_owner(work, patient)
    content = statements.write(demographics, min(at, work.now) if at else None)
    found = _locked(work, patient)[patient]
    if found is None:
        person = PersonId(work.new_id())
        if rows.insert_identifier(work.db, patient, person, work.now):
            _keep(work, patient, demographics, content)
            _event(work, "registered", person, {"patient": _pair(patient)})
            return (person,)
        found = _locked(work, patient)[patient]
        if found is None:
            raise Busy("the identifier is being registered", "登録処理中です。再送してください")
    if found.survivor:
        raise Inconsistent("the identifier was merged away", "統合済みのIDです", rule="FN-403")
    before = rows.select_demographics(work.db, patient)
    if before is not None and statements.is_newer(before, content):
        work.trail.code, work.trail.detail["applied"] = "ORDER", False
        _event(work, "overtaken", found.person, {"patient": _pair(patient), "said": content})
        return ()
    if before is not None and statements.says_the_same(before, content):
        if before != content:
            _keep(work, patient, demographics, content)
        return ()
    if before is not None and matching.is_overlay(statements.read(before), demographics):
        # Held before it is refused: the message keeps its place in the audit trail.
        raise Inconsistent(
            "name, birth date and gender all differ: a person must confirm this",
            "氏名・生年月日・性別がすべて異なります。窓口で確認してください",
            rule="FN-410",
            log="LINK",
        )
    _keep(work, patient, demographics, content)
    _event(work, "revised", found.person, {"patient": _pair(patient), "before": before})
    work.trail.detail["revise"] = revise
    return (found.person,)


def lock(work: Work, person: PersonId) -> None:
    """Keep others from changing this person's identifiers or consent until this Work ends."""
    rows.lock_persons(work.db, {person})


def lock_all(db: Connection, patients: Iterable[PatientId]) -> None:
    """Lock the persons of all these identifiers at once, in one order for everybody.

    For several Works in one transaction, so that two of those do not wait in a ring.
    """
    if writes_alone(db):
        return
    found = persons(db, {*patients})
    if found:
        rows.lock_persons(db, {*found.values()})


def merge(work: Work, survivor: PatientId, subsumed: PatientId) -> tuple[PersonId, ...]:
    """ITI-44 duplicates resolved: `subsumed` gives way to `survivor` (ITI TF-2: 3.44.4.3)."""
    work.trail.patients.update((survivor, subsumed))
    work.trail.code = "MERGE"
    for patient in (survivor, subsumed):
        domains.require(work, patient)
        _require_owner(work, patient)
    if survivor == subsumed:
        raise Inconsistent("an identifier cannot replace itself", "同じIDは統合できません",
                           rule="FN-401", log="MERGE")  # fmt: skip
    if survivor.domain != subsumed.domain:
        raise Inconsistent(
            "the identifiers are of different domains",
            "異なるドメインのIDは統合できません",
            rule="G-07",
            log="MERGE",
        )
    locked = _locked(work, survivor, subsumed)
    keeping, leaving = locked[survivor], locked[subsumed]
    if keeping is None or leaving is None:
        raise UnknownPatient("patient identifier not known", "患者IDが登録されていません")
    if leaving.survivor == survivor.value:
        return ()
    if keeping.survivor or leaving.survivor:
        raise Inconsistent("one of the identifiers was merged already", "統合済みのIDです",
                           rule="FN-402", log="MERGE")  # fmt: skip
    if shared_id(work, leaving.person) is not None and leaving.person != keeping.person:
        # Two shared ids, or data of a consenting person under another: a person decides (G-07).
        raise Inconsistent("the replaced identifier is linked to a shared patient id",
                           "共有IDに紐づくIDです。事務局で確認してください",
                           rule="G-07", log="MERGE")  # fmt: skip
    before = [
        [_pair(row.patient), row.person, row.survivor]
        for person in {keeping.person, leaving.person}
        for row in rows.select_identifiers(work.db, person)
    ]
    rows.update_survivor(work.db, subsumed, survivor)
    rows.update_person(work.db, [subsumed], keeping.person)
    content = {"survivor": _pair(survivor), "subsumed": _pair(subsumed), "before": before}
    for person in dict.fromkeys((keeping.person, leaving.person)):
        _event(work, "merged", person, content)
    return (keeping.person,)


def unmerge(work: Work, survivor: PatientId, subsumed: PatientId) -> tuple[PersonId, ...]:
    """Undo a merge by the state that its event kept (FN-405); a person decides that."""
    work.trail.patients.update((survivor, subsumed))
    work.trail.code = "MERGE"
    if work.caller.kind is not CallerKind.OPERATOR:
        raise NotPermitted("only the operator undoes a merge", "事務局のみが解除できます",
                           rule="G-07", log="AUTHZ-DENY")  # fmt: skip
    locked = _locked(work, survivor, subsumed)
    keeping, leaving = locked[survivor], locked[subsumed]
    if keeping is None or leaving is None or leaving.survivor != survivor.value:
        raise Inconsistent("the identifiers are not merged", "統合されていません",
                           rule="FN-405", log="MERGE")  # fmt: skip
    before = leaving.person
    for kind, content in rows.select_link_events(work.db, leaving.person):
        if kind == "merged" and content["subsumed"] == _pair(subsumed):
            before = next(p for pair, p, _ in content["before"] if pair == _pair(subsumed))
    rows.clear_survivor(work.db, subsumed)
    rows.update_person(work.db, [subsumed], before)
    content = {"survivor": _pair(survivor), "subsumed": _pair(subsumed)}
    persons = tuple(dict.fromkeys((keeping.person, PersonId(before))))
    for person in persons:
        _event(work, "unmerged", person, content)
    return persons


def link(work: Work, shared: PatientId, chart: PatientId) -> PersonId:
    """Tie a chart id to a shared patient id (LNK-01); twice is once."""
    work.trail.patients.update((shared, chart))
    if domains.require(work, shared).kind != domains.SHARED:
        raise Malformed("not a shared patient id", "共有IDではありません", rule="DOM-01")
    if domains.require(work, chart).kind != domains.CHART:
        raise Malformed("not a chart id", "施設内カルテIDではありません", rule="DOM-02")
    locked = _locked(work, shared, chart)
    known, found = locked[shared], locked[chart]
    if known is None or known.survivor:
        raise unknown()
    if found is None or found.survivor:
        raise UnknownPatient("the chart id was never fed", "カルテIDが未登録です", at="chart")
    person = known.person
    if found.person == person:
        return person
    if shared_id(work, found.person) is not None:
        raise Inconsistent("the chart id is linked to another shared patient id: unlink it first",
                           "別の共有IDに紐づいています。先に解除してください",
                           rule="LNK-01")  # fmt: skip
    moving = [row.patient for row in rows.select_identifiers(work.db, found.person)]
    rows.update_person(work.db, moving, person)
    content = {"shared": _pair(shared), "chart": _pair(chart), "before": found.person}
    _event(work, "linked", person, content)
    _event(work, "linked", found.person, content)
    return person


def unlink(work: Work, chart: PatientId) -> PersonId:
    """Undo a link: the chart id becomes a person of its own again."""
    work.trail.patients.add(chart)
    if domains.require(work, chart).kind != domains.CHART:
        raise Malformed("not a chart id", "施設内カルテIDではありません", rule="DOM-02")
    found = _locked(work, chart)[chart]
    if found is None or found.survivor:
        raise UnknownPatient("the chart id is not known", "カルテIDが未登録です", at="chart")
    if shared_id(work, found.person) is None:
        raise Inconsistent("the chart id is not linked", "紐づけられていません", rule="LNK-01")
    person = PersonId(work.new_id())
    moving = [
        row.patient
        for row in rows.select_identifiers(work.db, found.person)
        if row.patient == chart or (row.patient.domain == chart.domain and row.survivor)
    ]
    rows.update_person(work.db, moving, person)
    content = {"chart": _pair(chart), "before": found.person}
    _event(work, "unlinked", found.person, content)
    _event(work, "unlinked", person, content)
    return person


def issue_shared_id(work: Work, demographics: Demographics) -> PatientId:
    """A new person with a new 16-digit shared patient id, random and never used before (RD-03)."""
    domain = work.policy.shared_id.domain
    for _ in range(20):
        patient = PatientId(domain, f"{secrets.randbelow(10**16):016d}")
        person = PersonId(work.new_id())
        if not work.policy.shared_id.matches(patient.value):
            continue
        if rows.insert_identifier(work.db, patient, person, work.now):
            _keep(work, patient, demographics, statements.write(demographics))
            _event(work, "issued", person, {"patient": _pair(patient)})
            work.trail.patients.add(patient)
            return patient
    raise Busy("no free identifier was found: try again", "発番できません。再試行してください")


def resolve(work: Work, permit: Permit, wanted: tuple[Oid, ...]) -> list[PatientId]:
    """The other identifiers of the permitted person, in the wanted domains or in all of them.

    The queried identifier is never among them (ITI TF-2: 3.45.4.2.3).
    """
    asked, own = permit.patient, work.caller.domains
    return [
        PatientId(_oid(domain), value)
        for domain, value in rows.select_linked(work.db, permit.person)
        if (not wanted or domain in wanted)
        and (not permit.own_only or domain in own)
        and not (asked is not None and value == asked.value and domain == asked.domain)
    ]


def discover(work: Work, demographics: Demographics) -> list[PersonId]:
    """Persons whose name and birth date match exactly, and whose gender does not contradict."""
    names = matching.name_keys(demographics)
    if not names or demographics.birth is None:
        return []
    gender = demographics.gender.value if demographics.gender else ""
    found = rows.select_persons_named(work.db, names, demographics.birth.isoformat())
    return list(
        dict.fromkeys(
            PersonId(person)
            for person, stated in found
            if not gender or not stated or stated == gender
        )
    )


def shared_id(work: Work, person: PersonId) -> PatientId | None:
    """The person's shared patient id, if one was issued."""
    domain = work.policy.shared_id.domain
    for found, value in rows.select_linked(work.db, person):
        if found == domain:
            return PatientId(domain, value)
    return None


def identifiers(work: Work, person: PersonId) -> list[PatientId]:
    """Every identifier of a person that was not merged away; for our own services, not callers."""
    return [PatientId(Oid(d), value) for d, value in rows.select_linked(work.db, person)]


def every_identifier(work: Work, person: PersonId) -> list[PatientId]:
    """Every identifier of a person, merged ones included; for our own services."""
    return [row.patient for row in rows.select_identifiers(work.db, person)]


def demographics(work: Work, permit: Permit) -> Demographics:
    """What is known of the permitted person: the shared id's statement, else the newest chart's."""
    for domain, value in sorted(
        rows.select_linked(work.db, permit.person),
        key=lambda pair: pair[0] != work.policy.shared_id.domain,
    ):
        content = rows.select_demographics(work.db, PatientId(Oid(domain), value))
        if content is not None:
            return statements.read(content)
    return Demographics()


def forget_statement(work: Work, person: PersonId) -> None:
    """Erase what was stated about a person under the shared id; the id stays, never used again."""
    for row in rows.select_identifiers(work.db, person):
        if row.patient.domain == work.policy.shared_id.domain:
            rows.delete_demographics(work.db, row.patient)


def _locked(work: Work, *patients: PatientId) -> dict[PatientId, rows.IdentifierRow | None]:
    """These identifiers, with all of their persons locked, in one order for every Work."""
    seen: set[PersonId] = set()
    while True:
        found = {patient: rows.select_identifier(work.db, patient) for patient in patients}
        persons = {row.person for row in found.values() if row is not None}
        if persons <= seen:
            return found
        rows.lock_persons(work.db, persons)
        seen |= persons


@lru_cache(maxsize=4096)
def _oid(text: str) -> Oid:
    """A domain as stored; there are few, and they are read often."""
    return Oid(text)


def _require_owner(work: Work, patient: PatientId) -> None:
    """A facility feeds its own domain only (G-01); the secretariat any."""
    if work.caller.kind is CallerKind.OPERATOR or patient.domain in work.caller.domains:
        return
    raise NotOwner(
        "the sender does not own this identifier domain",
        "このIDドメインの所有者ではありません",
        rule="G-01",
        log="AUTH-SPOOF",
    )


def _keep(
    work: Work, patient: PatientId, demographics: Demographics, content: dict[str, Any]
) -> None:
    rows.replace_demographics(
        work.db, patient, content, matching.name_keys(demographics),
        demographics.birth.isoformat() if demographics.birth else "",
        demographics.gender.value if demographics.gender else "",
    )  # fmt: skip


def _event(work: Work, kind: str, person: PersonId, content: dict[str, Any]) -> None:
    rows.insert_link_event(
        work.db, at=work.now, kind=kind, person=person,
        actor=f"{work.caller.facility}/{work.caller.subject}", content=content,
    )  # fmt: skip


def _pair(patient: PatientId) -> list[str]:
    return [patient.domain, patient.value]
