"""`gateway consent grant|exclude|withdraw|show`."""

from pathlib import Path

import click

from gateway.cli.common import configured, document_option, emit, speaking


@click.group("consent")
def consent() -> None:
    """同意。Participation, exclusions, withdrawal of one person, named by the shared id."""


@consent.command("grant")
@click.argument("shared")
@click.option("--signed-by", default="person", show_default=True, help="Who signed (CON-04).")
@click.option("--basis", default="", help="Ground of eligibility (CON-02).")
@document_option
@configured
def grant(
    shared: str, *, signed_by: str, basis: str, document: Path | None, config: Path, as_json: bool
) -> None:
    """同意を受理します。Accept a submitted consent; what waits in staging moves."""
    from gateway.cli import opened
    from gateway.consent import ledger
    from gateway.identity import crossref
    from gateway.model.audit import EventKind
    from gateway.record import registrations, staging

    entering = opened.registering(config, EventKind.CONSENT_GRANT, document)
    with speaking(), entering as (work, sealed):
        person = crossref.person_of(work, opened.shared_id(work, shared))
        entered = ledger.grant(work, person, signed_by=signed_by, basis=basis, sealed=sealed)
        if sealed is not None:
            registrations.keep(work, person, "consent", sealed, entered.at)
        moved = staging.promote(work, person)
    value = {
        "shared_id": shared, "items": moved.items, "documents": moved.documents,
        "document": entered.document or None,
    }  # fmt: skip
    emit(value, as_json=as_json, text=lambda: [f"accepted; {moved.items} items moved"])


@consent.command("exclude")
@click.argument("shared")
@click.option("--item", "items", multiple=True, help="diagnosis, prescription, lab_result.")
@click.option("--group", "groups", multiple=True, help="hospital, clinic, pharmacy …")
@click.option("--pair", "pairs", multiple=True, metavar="ITEM:GROUP", help="One item, one group.")
@document_option
@configured
def exclude(
    shared: str, *, items: tuple[str, ...], groups: tuple[str, ...], pairs: tuple[str, ...],
    document: Path | None, config: Path, as_json: bool,
) -> None:  # fmt: skip
    """除外設定を登録します。Enter what is excluded; it replaces what was excluded before."""
    from gateway.cli import opened
    from gateway.consent import ledger
    from gateway.identity import crossref
    from gateway.model.audit import EventKind
    from gateway.model.category import Category, ExclusionGroup
    from gateway.record import registrations

    entering = opened.registering(config, EventKind.CONSENT_EXCLUDE, document)
    with speaking(), entering as (work, sealed):
        person = crossref.person_of(work, opened.shared_id(work, shared))
        entered = ledger.exclude(
            work,
            person,
            items=[opened.word(Category, item, "item") for item in items],
            groups=[opened.word(ExclusionGroup, group, "group") for group in groups],
            pairs=[
                (
                    opened.word(Category, pair.partition(":")[0], "pair"),
                    opened.word(ExclusionGroup, pair.partition(":")[2], "pair"),
                )
                for pair in pairs
            ],
            sealed=sealed,
        )
        if sealed is not None:
            registrations.keep(work, person, "exclusion", sealed, entered.at)
    value = {
        "shared_id": shared,
        "items": sorted(item.value for item in entered.items),
        "groups": sorted(group.value for group in entered.groups),
        "pairs": sorted([item.value, group.value] for item, group in entered.pairs),
    }
    emit(value, as_json=as_json, text=lambda: ["entered; in effect from the next request on"])


@consent.command("withdraw")
@click.argument("shared")
@click.option("--reason", default="patient_withdrawal", show_default=True)
@click.option("--form", required=True, help="The form on record (WDR-02). 撤回書。")
@document_option
@configured
def withdraw(
    shared: str, *, reason: str, form: str, document: Path | None, config: Path, as_json: bool
) -> None:
    """同意を撤回し、消去します。Withdraw, and erase where the network says so."""
    from gateway.cli import opened
    from gateway.consent import ledger
    from gateway.identity import crossref
    from gateway.model.audit import EventKind
    from gateway.record import erase, registrations

    entering = opened.registering(config, EventKind.CONSENT_WITHDRAW, document)
    with speaking(), entering as (work, sealed):
        person = crossref.person_of(work, opened.shared_id(work, shared))
        withdrawal = ledger.withdraw(work, person, reason=reason, form=form, sealed=sealed)
        if sealed is not None:
            registrations.keep(work, person, "withdrawal", sealed, withdrawal.at)
        receipt = erase.erase(work, withdrawal)
    value = opened.plain(receipt)
    emit(
        value,
        as_json=as_json,
        text=lambda: [f"withdrawn; {value['items']} items and {value['documents']} documents gone"],
    )


@consent.command("show")
@click.argument("shared")
@configured
def show(shared: str, *, config: Path, as_json: bool) -> None:
    """同意台帳を表示します。Show the ledger's entries of one person, and their documents."""
    from gateway.cli import opened
    from gateway.consent import ledger
    from gateway.identity import crossref
    from gateway.model import attestation
    from gateway.model.audit import EventKind
    from gateway.record import registrations

    with speaking(), opened.work(config, EventKind.ADMIN, reading=True) as (_, work):
        person = crossref.person_of(work, opened.shared_id(work, shared))
        entries = ledger.entries(work, person)
        standing = ledger.standing(work, person)
        documents = registrations.of(work, person)
    value = {
        "shared_id": shared,
        "participates": standing.participates,
        "entries": [{"kind": type(entry).__name__.lower(), **opened.plain(entry)}
                    for entry in entries],
        "documents": [{"kind": one.kind, "at": opened.plain(one.at), "sha256": one.sha256,
                       "signature": one.report} for one in documents],
    }  # fmt: skip

    def lines() -> list[str]:
        return (
            [f"participates: {'yes' if standing.participates else 'no'}"]
            + [
                f"{entry.at:%Y-%m-%d %H:%M} {type(entry).__name__.lower()} by {entry.by}"
                for entry in entries
            ]
            + [
                f"{one.at:%Y-%m-%d %H:%M} {one.kind} rests on / 登録の根拠: {signed.verdict.value}"
                f" {signed.level} {' '.join(signed.roles)} {signed.proven or ''}; "
                f"gateway verify --document {one.sha256}"
                for one in documents
                for signed in attestation.read(one.report)
            ]
        )

    emit(value, as_json=as_json, text=lines)
