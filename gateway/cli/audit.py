"""`gateway audit verify|export|who-saw|consistency`: the chain and its events (AUD-01)."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click
import orjson

from gateway.cli.common import (
    REFUSED,
    configured,
    emit,
    print_json,
    progress_of,
    speaking,
    table,
)

if TYPE_CHECKING:
    from gateway.audit.export import StoredEvent


@click.group("audit")
def audit() -> None:
    """監査証跡。The audit trail."""


@audit.command("verify")
@configured
def verify(config: Path, *, as_json: bool) -> None:
    """連鎖を検証します。Verify the hash chain and its checkpoints."""
    from gateway import app, settings
    from gateway.audit import chain

    with speaking():
        found = settings.load(config)
        with app.open_gateway(found) as gateway:
            result = gateway.door.verify(found.audit.checkpoints)
    value = {
        "good": result.good, "sealed": result.sealed, "unsealed": result.unsealed,
        "first_bad": result.bad, "reason": result.reason,
    }  # fmt: skip
    assert isinstance(result, chain.Verification)  # noqa: S101

    def lines() -> list[str]:
        if result.good:
            return [f"good: {result.sealed} records sealed, {result.unsealed} not yet"]
        return [
            f"BAD from record {result.bad}: {result.reason}",
            "監査証跡が改変された可能性があります。運用管理責任者に連絡してください。",
        ]

    emit(value, as_json=as_json, text=lines)
    if not result.good:
        sys.exit(REFUSED)


@audit.command("who-saw")
@click.argument("domain")
@click.argument("value")
@configured
def who_saw(domain: str, value: str, config: Path, *, as_json: bool) -> None:
    """閲覧者を一覧します。List who asked about one patient: DOMAIN (OID) and VALUE."""
    from gateway import app, settings
    from gateway.audit import report
    from gateway.model.audit import EventKind
    from gateway.model.identifiers import Oid, PatientId

    with speaking(), app.open_gateway(settings.load(config)) as gateway:
        patient = PatientId(Oid(domain), value)
        with gateway.door.work(EventKind.AUDIT_READ, gateway.operator(), reading=True) as work:
            seen = report.who_saw(work, patient)
        if work.recorded is not None:
            work.recorded.result()
    headings = ("at", "event", "outcome", "facility", "subject", "role", "purpose", "rule")
    emit(
        seen,
        as_json=as_json,
        text=lambda: table(headings, [[row[name] for name in headings] for row in seen]),
    )


@audit.command("export")
@click.option(
    "--format", "form", type=click.Choice(["atna", "fhir"]), default="atna", show_default=True,
    help="ITI-20 messages, or R4 AuditEvent resources.",
)  # fmt: skip
@click.option("--since", default="", help="First day, YYYY-MM-DD. 開始日。")
@click.option("--until", default="", help="Last day, YYYY-MM-DD. 終了日。")
@configured
def export(form: str, since: str, until: str, config: Path, *, as_json: bool) -> None:
    """監査証跡を出力します。Print events, one a line, oldest first; exporting is recorded first."""
    from gateway import app, settings
    from gateway.audit import export as exporting
    from gateway.cli import opened
    from gateway.model.audit import EventKind

    with speaking(), app.open_gateway(settings.load(config)) as gateway:
        start, end = opened.moments(gateway, since, until)
        with gateway.door.work(EventKind.AUDIT_READ, gateway.operator(), reading=True) as work:
            chosen = exporting.span(work.db, start, end)
            work.trail.detail.update(exported=chosen.count, format=form)
        if work.recorded is not None:
            work.recorded.result()
        community = gateway.community
        found = exporting.events(lambda page: gateway.door.snapshot(page, max_age=0.0), chosen)
        counted = _counted(found, chosen.count)
        if form == "atna":
            written = (exporting.atna(one, community).decode() for one in counted)
            if as_json:
                print_json({"format": form, "events": list(written)})
                return
            for line in written:
                click.echo(line)
            return
        made = (exporting.fhir(one, community) for one in counted)
        if as_json:
            entries = [{"resource": one} for one in made]
            print_json({"resourceType": "Bundle", "type": "collection", "entry": entries})
            return
        for one in made:
            click.echo(orjson.dumps(one).decode())


def _counted(events: "Iterator[StoredEvent]", count: int) -> "Iterator[StoredEvent]":
    """The same with a progress bar."""
    with progress_of(count, "exporting 出力") as advance:
        for event in events:
            yield event
            advance()


@audit.command("consistency")
@configured
def consistency(config: Path, *, as_json: bool) -> None:
    """同意のない共有データがないことを確認します。Prove that nothing is shared without consent."""
    from gateway.cli import opened
    from gateway.model.audit import EventKind
    from gateway.record import consistency as proof

    with speaking(), opened.work(config, EventKind.AUDIT_READ, reading=True) as (_, work):
        found = proof.check(work)
    value = {
        "findings": [
            {"patients": opened.plain(one.patients), "items": one.items, "documents": one.documents}
            for one in found
        ]
    }

    def lines() -> list[str]:
        if not found:
            return ["0 findings: nothing is shared without consent 問題ありません"]
        told = [
            f"{' '.join(f'{p.domain}/{p.value}' for p in one.patients) or 'no known identifier'}: "
            f"{one.items} items, {one.documents} documents"
            for one in found
        ]
        return [
            *told,
            "shared without consent: stop disclosure, then look into the audit trail (who-saw)",
            "同意のない共有データがあります。開示を止め、監査証跡を調べてください。",
        ]

    emit(value, as_json=as_json, text=lines)
    if found:
        sys.exit(REFUSED)
