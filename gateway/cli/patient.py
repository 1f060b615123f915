"""`gateway patient …`: shared patient ids, their links, and what is seen of a patient."""

from pathlib import Path

import click

from gateway.cli.common import configured, document_option, emit, speaking
from gateway.cli.view import show, why


@click.group("patient")
def patient() -> None:
    """患者と共有ID。Shared patient ids (TGP ID) and their links."""


@patient.command("enrol")
@click.option("--name", required=True, help="FAMILY GIVEN in kanji. 漢字氏名。")
@click.option("--kana", required=True, help="FAMILY GIVEN in kana. カナ氏名。")
@click.option("--birth", required=True, help="YYYY-MM-DD or YYYYMMDD. 生年月日。")
@click.option("--gender", required=True, type=click.Choice(["M", "F", "UN", "U"]))
@click.option("--signed-by", default="person", show_default=True, help="Who signed (CON-04).")
@click.option("--basis", default="", help="Ground of eligibility (CON-02).")
@click.option("--form", "form_sha256", default="", help="SHA-256 of the scanned form (STD-05).")
@click.option("--submitted", is_flag=True, help="Handed in, not accepted yet. 受付のみ。")
@document_option
@configured
def enrol(
    *, name: str, kana: str, birth: str, gender: str, signed_by: str, basis: str,
    form_sha256: str, submitted: bool, document: Path | None, config: Path, as_json: bool,
) -> None:  # fmt: skip
    """共有IDを発番します。Accept a consent and issue a shared patient id."""
    from gateway.cli import opened
    from gateway.consent import enrolment
    from gateway.identity import crossref
    from gateway.model.audit import EventKind
    from gateway.model.person import Demographics, Gender, PersonName, Script
    from gateway.record import registrations

    entering = opened.registering(config, EventKind.ENROL, document)
    with speaking(), entering as (work, sealed):
        family, _, given = name.partition(" ")
        family_kana, _, given_kana = kana.partition(" ")
        shared = enrolment.enrol(
            work,
            Demographics(
                names=(
                    PersonName(family, given),
                    PersonName(family_kana, given_kana, Script.KANA),
                ),
                birth=opened.day(birth, "birth"),
                gender=Gender(gender),
            ),
            signed_by=signed_by,
            basis=basis,
            form_sha256=form_sha256,
            accepted=not submitted,
            sealed=sealed,
        )
        if sealed is not None:
            person = crossref.person_of(work, shared)
            registrations.keep(work, person, "consent", sealed, work.now)
    value = {"shared_id": shared.value, "domain": shared.domain, "accepted": not submitted}
    emit(value, as_json=as_json, text=lambda: [f"shared id {shared.value}"])


@patient.command("link")
@click.argument("shared")
@click.argument("chart", metavar="DOMAIN/VALUE")
@configured
def link(shared: str, chart: str, *, config: Path, as_json: bool) -> None:
    """カルテIDを紐づけます。Tie a chart id to a shared id; what waits in staging moves (LNK-02)."""
    from gateway.cli import opened
    from gateway.consent import ledger
    from gateway.identity import crossref
    from gateway.model.audit import EventKind
    from gateway.record import staging

    with speaking(), opened.work(config, EventKind.LINK) as (_, work):
        found = opened.shared_id(work, shared)
        ledger.grant_of(work, crossref.person_of(work, found))
        person = crossref.link(work, found, opened.patient_id(chart))
        moved = staging.promote(work, person)
    value = {"shared_id": shared, "items": moved.items, "documents": moved.documents}
    emit(
        value,
        as_json=as_json,
        text=lambda: [f"linked; {moved.items} items and {moved.documents} documents moved"],
    )


@patient.command("unlink")
@click.argument("chart", metavar="DOMAIN/VALUE")
@configured
def unlink(chart: str, *, config: Path, as_json: bool) -> None:
    """紐づけを解除します。Undo a link."""
    from gateway.cli import opened
    from gateway.identity import crossref
    from gateway.model.audit import EventKind
    from gateway.record import staging

    with speaking(), opened.work(config, EventKind.UNLINK) as (_, work):
        # What was shared of this chart leaves the shared record with the link (AUD-05).
        staging.promote(work, crossref.unlink(work, opened.patient_id(chart)))
    emit({"unlinked": chart}, as_json=as_json, text=lambda: ["unlinked"])


@patient.command("merge")
@click.argument("survivor", metavar="DOMAIN/VALUE")
@click.argument("subsumed", metavar="DOMAIN/VALUE")
@configured
def merge(survivor: str, subsumed: str, *, config: Path, as_json: bool) -> None:
    """重複IDを統合します。Let one chart id replace another of its domain."""
    from gateway.cli import opened
    from gateway.identity import crossref
    from gateway.model.audit import EventKind
    from gateway.record import staging

    with speaking(), opened.work(config, EventKind.MERGE) as (_, work):
        changed = crossref.merge(work, opened.patient_id(survivor), opened.patient_id(subsumed))
        for person in changed:
            staging.promote(work, person)
    emit({"survivor": survivor, "subsumed": subsumed}, as_json=as_json, text=lambda: ["merged"])


@patient.command("unmerge")
@click.argument("survivor", metavar="DOMAIN/VALUE")
@click.argument("subsumed", metavar="DOMAIN/VALUE")
@configured
def unmerge(survivor: str, subsumed: str, *, config: Path, as_json: bool) -> None:
    """統合を取り消します。Give a merged chart id back to its own patient (FN-405)."""
    from gateway.cli import opened
    from gateway.identity import crossref
    from gateway.model.audit import EventKind
    from gateway.record import staging

    with speaking(), opened.work(config, EventKind.MERGE) as (_, work):
        changed = crossref.unmerge(work, opened.patient_id(survivor), opened.patient_id(subsumed))
        for person in changed:
            staging.promote(work, person)
    emit({"survivor": survivor, "subsumed": subsumed}, as_json=as_json, text=lambda: ["unmerged"])


patient.add_command(show)
patient.add_command(why)
