"""`gateway retention run` and `gateway erase facility`: expiry, and the removal of a facility."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gateway.cli.common import configured, emit, speaking

if TYPE_CHECKING:
    from gateway.record.erase import ErasureReceipt


@click.group("retention")
def retention() -> None:
    """保存期間。Retention periods of the network policy."""


@retention.command("run")
@click.option("--dry-run", is_flag=True, help="Only count. 件数のみ表示します。")
@configured
def run(*, dry_run: bool, config: Path, as_json: bool) -> None:
    """期限切れの情報を削除します。Delete what has expired; twice is once."""
    from gateway.cli import opened
    from gateway.model.audit import EventKind
    from gateway.record import erase as erasing

    with speaking(), opened.work(config, EventKind.ERASE) as (_, work):
        receipt = erasing.expire(work, dry_run=dry_run)
    _tell(receipt, "would be deleted 削除対象" if dry_run else "deleted 削除", as_json=as_json)


@click.group("erase")
def erase() -> None:
    """削除。Deletion, with a receipt that holds counts and digests."""


@erase.command("facility")
@click.argument("name")
@configured
def facility(name: str, *, config: Path, as_json: bool) -> None:
    """終了した施設の情報を削除します。Delete what an ended facility provided."""
    from gateway.cli import opened
    from gateway.model.audit import EventKind
    from gateway.record import erase as erasing

    with speaking(), opened.work(config, EventKind.ERASE) as (_, work):
        receipt = erasing.leave(work, name)
    _tell(receipt, "deleted 削除", as_json=as_json)


def _tell(receipt: "ErasureReceipt", what: str, *, as_json: bool) -> None:
    from gateway.cli import opened

    emit(
        opened.plain(receipt),
        as_json=as_json,
        text=lambda: [
            f"{what}: {receipt.items} items, {receipt.documents} documents, "
            f"{receipt.staged} staged, {receipt.files} files; receipt {receipt.id or '-'}"
        ],
    )
