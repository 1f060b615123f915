"""`gateway backup FILE`, `gateway restore FILE`: everything in one encrypted file, and back."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gateway.cli.common import REFUSED, USAGE, configured, emit, progress_of, speaking

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.settings import Settings

_PATH = click.Path(path_type=Path)
_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command("backup")
@click.argument("file", type=_PATH, required=False)
@click.option("--recipient", "recipients", multiple=True, help="age1…, instead of the settings'.")
@click.option("--make-key", type=_PATH, help="Only make a secret key. 秘密鍵を作成します。")
@configured
def backup(
    file: Path | None, *, recipients: tuple[str, ...], make_key: Path | None, config: Path,
    as_json: bool,
) -> None:  # fmt: skip
    """バックアップを作成します。Write everything, encrypted, into FILE while the gateway serves."""
    from importlib.metadata import version

    from gateway import app, settings
    from gateway.backup import archive
    from gateway.backup.take import take
    from gateway.cli import opened

    if (file is None) == (make_key is None):
        click.echo("name FILE, or --make-key FILE: one of them", err=True)
        sys.exit(USAGE)
    with speaking():
        if make_key is not None:
            public = archive.make_key(make_key)
            emit({"recipient": public}, as_json=as_json, text=lambda: [
                f"recipient {public}",
                f"put it into [backup] recipients, and keep {make_key.name} on another machine",
                "公開鍵を [backup] recipients に登録し、秘密鍵は別の場所に保管してください。",
            ])  # fmt: skip
            return
        assert file is not None  # noqa: S101
        found = settings.load(config)
        with app.open_gateway(found) as gateway, _steps("backup バックアップ") as tell:
            taken = take(
                gateway.door, gateway.blobs, found, gateway.operator(), file,
                recipients or found.backup.recipients, product=version("regional-gateway"),
                schema=gateway.database.schema_version(), tell=tell,
            )  # fmt: skip
            gateway.keep_erasures()
    value = opened.plain(taken)

    def lines() -> list[str]:
        told = [
            f"{taken.file}: {taken.rows} rows, {taken.documents} documents ({taken.bytes} bytes), "
            f"end point {taken.at.isoformat()}"
        ]
        if taken.damaged:
            told += [f"DAMAGED in the store: {digest}" for digest in taken.damaged]
            told.append(
                "これらの文書は保管庫で破損しています。gateway store verify を実行してください。"
            )
        return told

    emit(value, as_json=as_json, text=lines)
    if taken.damaged:
        sys.exit(REFUSED)


@click.command("restore")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--key",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File with the secret key. 秘密鍵のファイル。",
)
@click.option(
    "--audit-folder", type=_FOLDER, help="The audit folder that was kept. 控えの監査フォルダー。"
)
@click.option(
    "--without-audit-folder",
    is_flag=True,
    help="It is lost: nobody proves the backup, no newer erasure is applied again.",
)
@configured
def restore(
    file: Path, *, key: Path | None, audit_folder: Path | None, without_audit_folder: bool,
    config: Path, as_json: bool,
) -> None:  # fmt: skip
    """バックアップから復元します。Bring FILE back into an installation that is empty."""
    from gateway import app, settings
    from gateway.backup import archive
    from gateway.backup import restore as restoring
    from gateway.cli import opened
    from gateway.model.audit import EventKind
    from gateway.record import removal

    with speaking():
        found = settings.load(config)
        keys = archive.read_key(_key(key, found))
        ours = found.audit.checkpoints
        old = None if without_audit_folder else audit_folder or ours
        with app.alone(found), app.open_gateway(found) as gateway:
            checked = restoring.check(file, keys, old)
            restoring.require_match(
                checked, home=str(gateway.community.home), network=gateway.policy.network,
                schema=gateway.database.schema_version(),
            )  # fmt: skip
            gateway.door.snapshot(restoring.refuse_occupied, max_age=0.0)
        written = restoring.write_files(checked, found.folder)
        with (
            app.alone(found),
            app.open_gateway(found) as gateway,
            _steps("restore 復元") as tell,
        ):
            with gateway.door.work(EventKind.RESTORE, gateway.operator()) as work:
                restored = restoring.restore(
                    work, gateway.blobs, file, keys, checked, old=old, audit=ours, tell=tell
                )
            with gateway.door.work(EventKind.JOB, gateway.job("removal")) as work:
                removal.sweep(work, limit=1_000_000)
            gateway.door.checkpoint(ours)
            gateway.keep_erasures()
    value = {**opened.plain(restored), "files": written}

    def lines() -> list[str]:
        told = [
            f"restored as of {restored.at.isoformat()}: {restored.rows} rows, "
            f"{restored.documents} documents, {restored.sealed} audit records verified",
            f"erased again: {len(restored.erased_again)} 再消去",
        ]
        if restored.lost_records:
            told.append(
                f"LOST: {restored.lost_records} audit records until {restored.lost_until}; what "
                "they recorded is not in the backup (consents and exclusions: enter them again)"
            )
            told.append("バックアップ後の記録は失われています。同意・除外を再登録してください。")
        if not restored.proven:
            told.append("UNPROVEN: nobody says that this gateway wrote the backup 真正性未確認")
        told += [f"DAMAGED when it was taken: {digest}" for digest in restored.missing]
        told.append("next: put private keys back, compare gateway.toml.restored, then serve")
        return told

    emit(value, as_json=as_json, text=lines)
    if restored.missing or restored.unconsented:
        sys.exit(REFUSED)


def _key(named: Path | None, found: "Settings") -> Path:
    """The file of the secret key: as named, else the settings'."""
    from gateway.settings import SettingsError

    if named is None and found.backup.key is None:
        raise SettingsError("no secret key: name it with --key")
    return named or found.backup.key or Path()


class _steps:  # noqa: N801 - used like a function
    """A progress bar whose length is known only later."""

    def __init__(self, label: str) -> None:
        self._label = label

    def __enter__(self) -> "Callable[[int], Callable[[], None]]":
        from contextlib import ExitStack

        self._stack = ExitStack()
        return lambda total: self._stack.enter_context(progress_of(total, self._label))

    def __exit__(self, *_: object) -> None:
        self._stack.close()
