"""`gateway patient show|why`: one person's record as a user sees it, and why a caller sees it."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gateway.cli.common import configured, emit, speaking, table

if TYPE_CHECKING:
    from gateway.app import Gateway
    from gateway.model.caller import Caller
    from gateway.model.identifiers import Oid, PatientId
    from gateway.record.disclose import Viewed
    from gateway.store.work import Work

_NAMED = ("code", "medicationCodeableConcept", "vaccineCode", "type")


@click.command("show")
@click.argument("patient", metavar="ID")
@click.option("--as", "user", default="", help="User whose view it is. 利用者ID。")
@configured
def show(patient: str, *, user: str, config: Path, as_json: bool) -> None:
    """患者を表示します。Show identifiers and consent; with --as what that user sees (ACC-04).

    ID is a shared id (its digits alone) or DOMAIN/VALUE.
    """
    from gateway import app, settings

    with speaking(), app.open_gateway(settings.load(config)) as gateway:
        if user:
            viewed = _view(gateway, user, patient)
            emit(_plain_view(user, viewed), as_json=as_json, text=lambda: _lines(viewed))
            return
        found = _registration(gateway, patient)
        emit(found, as_json=as_json, text=lambda: _registration_lines(found))


@click.command("why")
@click.argument("patient", metavar="ID")
@click.option("--as", "user", default="", help="A user. 利用者ID。")
@click.option("--facility", default="", help="A facility's machine. 施設。")
@click.option("--peer", default="", help="A neighbour's user. 隣接地域。")
@click.option("--role", default="doctor", show_default=True, help="With --peer: position. 職種。")
@click.option("--purpose", default="TREATMENT", show_default=True, help="利用目的。")
@click.option(
    "--what", type=click.Choice(["identifiers", "documents", "record"]), default="record",
    show_default=True, help="What is asked for. 対象。",
)  # fmt: skip
@configured
def why(
    patient: str, *, user: str, facility: str, peer: str, role: str, purpose: str, what: str,
    config: Path, as_json: bool,
) -> None:  # fmt: skip
    """開示の可否を一段ずつ説明します。Tell step by step why a caller sees something or not."""
    from gateway import app, settings
    from gateway.model.audit import EventKind
    from gateway.model.consent import Purpose
    from gateway.record import disclose

    if sum(map(bool, (user, facility, peer))) != 1:
        raise click.UsageError("name one caller: --as, --facility or --peer (どれか一つ)")
    with speaking(), app.open_gateway(settings.load(config)) as gateway:
        with gateway.door.work(EventKind.ADMIN, gateway.operator(), reading=True) as work:
            caller = _caller(gateway, work, user, facility, peer, role, purpose)
            steps = disclose.why(work, caller, Purpose(what), _patient_id(work, patient))
        if work.recorded is not None:
            work.recorded.result()
    value = [
        {"rule": s.rule, "answer": s.answer.value, "text": s.english, "japanese": s.japanese}
        for s in steps
    ]
    emit(
        value,
        as_json=as_json,
        text=lambda: table(
            ("rule", "", "question", "問い"),
            [(s.rule, s.answer.value, s.english, s.japanese) for s in steps],
        ),
    )


def _patient_id(work: "Work", text: str) -> "PatientId":
    from gateway.cli import opened

    return opened.patient_id(text) if "/" in text else opened.shared_id(work, text)


def _owned(work: "Work", facility: str) -> "frozenset[Oid]":
    from gateway.identity import domains

    return frozenset(
        oid for oid, row in domains.every(work.db).items() if facility and row.facility == facility
    )


def _view(gateway: "Gateway", user: str, patient: str) -> "Viewed":
    """What this user sees; the event names the user, and that it was asked at the command line."""
    from gateway.members import users
    from gateway.model.audit import EventKind
    from gateway.record import disclose

    with gateway.door.work(EventKind.ADMIN, gateway.operator(), reading=True) as work:
        facility = users.find(work, user).facility
        caller = users.caller(work, user, domains=_owned(work, facility), request=work.new_id())
    with gateway.door.work(EventKind.VIEW, caller, reading=True) as reading:
        reading.trail.detail["asked_by"] = "operator, command line"
        viewed = disclose.view(reading, _patient_id(reading, patient))
    if reading.recorded is not None:
        reading.recorded.result()
    return viewed


def _registration(gateway: "Gateway", patient: str) -> dict[str, Any]:
    """What the secretariat registered: identifiers and consent, nothing clinical (ACC-12)."""
    from gateway.cli import opened
    from gateway.consent import ledger
    from gateway.identity import crossref
    from gateway.model.audit import EventKind

    with gateway.door.work(EventKind.ADMIN, gateway.operator(), reading=True) as work:
        named = _patient_id(work, patient)
        work.trail.patients.add(named)
        person = crossref.person_of(work, named)
        identifiers = crossref.identifiers(work, person)
        standing = ledger.standing(work, person)
    if work.recorded is not None:
        work.recorded.result()
    consent = opened.plain(standing)
    consent["pairs"] = [[item.value, group.value] for item, group in standing.pairs]
    return {
        "identifiers": [{"domain": one.domain, "value": one.value} for one in identifiers],
        "consent": {
            key: sorted(value) if isinstance(value, list) else value
            for key, value in consent.items()
        },
    }


def _registration_lines(found: dict[str, Any]) -> Iterator[str]:
    yield from table(
        ("domain", "id"), [(one["domain"], one["value"]) for one in found["identifiers"]]
    )
    consent = found["consent"]
    state = "withdrawn 撤回" if consent["withdrawn"] else (
        "takes part 同意あり" if consent["participates"] else "no consent 同意なし"
    )  # fmt: skip
    yield ""
    yield f"consent 同意: {state}"
    for name, label in (
        ("items", "excluded items 除外項目"),
        ("groups", "excluded groups 除外施設"),
    ):
        if consent[name]:
            yield f"{label}: {', '.join(consent[name])}"
    for item, group in consent["pairs"]:
        yield f"excluded 除外: {item} from {group}"


def _caller(
    gateway: "Gateway", work: "Work", user: str, facility: str, peer: str, role: str, purpose: str
) -> "Caller":
    """The caller that is asked about."""
    from dataclasses import replace

    from gateway.app import read_neighbours
    from gateway.errors import NotFound
    from gateway.members import facilities, neighbours, users
    from gateway.model.caller import Caller, CallerKind

    if user:
        at = users.find(work, user).facility
        return users.caller(work, user, domains=_owned(work, at), purpose=purpose)
    if facility:
        found = facilities.find(work, facility)
        return Caller(
            network=gateway.policy.network, kind=CallerKind.SYSTEM, facility=found.name,
            facility_type=found.type, subject=found.name, role="professional_user",
            purpose=purpose, domains=_owned(work, facility),
        )  # fmt: skip
    for neighbour, _ in read_neighbours(gateway.settings, gateway.policy):
        if neighbour.name == peer:
            base = neighbours.system_caller(neighbour, network=gateway.policy.network)
            agreed = neighbour.in_force(gateway.day(work.now))
            covered = neighbour.agreement.categories or gateway.policy.access.neighbours
            return replace(
                base, subject="why", role=role, purpose=purpose,
                categories=covered if agreed else None,
            )  # fmt: skip
    raise NotFound("no such neighbour: see the folder peers", "peers に登録がありません", at="peer")


def _plain_view(user: str, viewed: "Viewed") -> dict[str, Any]:
    from gateway.cli import opened

    return {
        "as": user,
        "items": [opened.plain(item) for item in viewed.items],
        "documents": [opened.plain(entry) for entry in viewed.documents],
    }


def _lines(viewed: "Viewed") -> Iterator[str]:
    """The view as two tables; the same words whether nothing is there or nothing may be seen."""
    if not viewed.items and not viewed.documents:
        yield "nothing to show 表示できる情報はありません"
        return
    yield from table(
        ("category", "what", "facility", "posted", "copy"),
        [
            (i.category.value, _what(i.resource), i.facility, _day(i.posted), "複製情報")
            for i in viewed.items
        ],
    )
    if viewed.documents:
        yield ""
        yield from table(
            ("category", "document", "created", "unique id"),
            [(d.category.value, d.title, _day(d.created), d.unique_id) for d in viewed.documents],
        )


def _day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d}"


def _what(resource: dict[str, Any]) -> str:
    """What an item is, in the words of its source."""
    for name in _NAMED:
        concept = resource.get(name)
        if isinstance(concept, dict):
            coding = concept.get("coding") or [{}]
            return str(concept.get("text") or coding[0].get("display") or coding[0].get("code", ""))
    return str(resource.get("resourceType", ""))
