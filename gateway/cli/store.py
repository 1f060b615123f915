"""`gateway store verify`: every stored document still has its hash (REC-02, R-22)."""

import sys
from pathlib import Path

import click

from gateway.cli.common import REFUSED, configured, emit, progress, speaking


@click.group("store")
def store() -> None:
    """文書の保管庫。The stored documents."""


@store.command("stamp")
@configured
def stamp(*, config: Path, as_json: bool) -> None:
    """アーカイブタイムスタンプを付与します。Stamp what is due, as `serve` does every hour.

    [hpki] tsa が必要です。It needs [hpki] tsa.
    """
    from functools import partial

    from gateway import app, settings

    with speaking(), app.open_gateway(settings.load(config)) as gateway:
        stamping = app.open_stamping(gateway)
        if stamping is None:
            raise settings.SettingsError("[hpki] tsa names the time-stamp authority")
        done, failed = stamping.run(partial(gateway.job, "archive time-stamps"), 10**9)
    emit(
        {"stamped": done, "failed": failed},
        as_json=as_json,
        text=lambda: [f"stamped {done}, failed {failed} / 付与 {done} 件、失敗 {failed} 件"],
    )
    if failed:
        sys.exit(REFUSED)


@store.command("verify")
@configured
def verify(*, config: Path, as_json: bool) -> None:
    """全文書のハッシュを検証します。Check the hash of every stored document."""
    from gateway import app, settings

    with speaking(), app.open_gateway(settings.load(config)) as gateway:
        hashes = list(gateway.blobs.each())
        bad = [
            digest for digest in progress(hashes, "verifying") if not gateway.blobs.verify(digest)
        ]
    value = {"good": not bad, "checked": len(hashes), "bad": bad}

    def lines() -> list[str]:
        if not bad:
            return [f"good: {len(hashes)} documents"]
        return [f"BAD: {digest}" for digest in bad] + [
            "保管文書が改変または欠落しています。バックアップから復元してください。"
        ]

    emit(value, as_json=as_json, text=lines)
    if bad:
        sys.exit(REFUSED)
