"""`gateway audit verify|who-saw|consistency`: the chain, who saw whose record (AUD-01, AUD-05)."""

import sys
from pathlib import Path

import click

from gateway.cli.common import REFUSED, configured, emit, speaking, table


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
