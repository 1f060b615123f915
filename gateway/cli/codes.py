"""`gateway codes …`: licensed code masters and facilities' code maps, loaded by the operator."""

import sys
from collections.abc import Iterable, Iterator
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from gateway.cli import common
from gateway.cli.common import configured, emit, speaking, table

if TYPE_CHECKING:
    from gateway.members.codes import Loaded
    from gateway.standardize.masters import Read

_FILE = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
_ENCODINGS = {"cp932": "shift_jis", "shift_jis": "shift_jis", "utf-8": "utf-8", "euc-jp": "euc-jp"}


@click.group("codes")
def codes() -> None:
    """コードマスター。Licensed code masters: load, list, show, end; map load."""


@codes.group("map")
def code_map() -> None:
    """施設コード対応表。A facility's own codes to standard ones."""


@codes.command("load")
@_FILE
@click.option("--kind", default="", help="hot, receipt-drug, disease, jlac10 … 種類。")
@click.option("--version", default="", help="The publisher's; else the first day. 版。")
@click.option("--name", default="", help="Else the kind. 名前。")
@click.option(
    "--from", "starts", default="", help="First day, YYYY-MM-DD; else today. 適用開始日。"
)
@click.option("--columns", default="", help="code=3,name=5: where the layout differs. 列番号。")
@click.option("--encoding", default="", help="cp932, utf-8; else found by the bytes. 文字コード。")
@configured
def load(
    file: Path, *, kind: str, version: str, name: str, starts: str, columns: str, encoding: str,
    config: Path, as_json: bool,
) -> None:  # fmt: skip
    """マスターを登録します。Load a code master whole, or not at all.

    The kind is found by headings, cells or name where it is not said. A row that is wrong refuses
    the file and is named. 誤りのある行があれば登録せず、行番号を示します。
    """
    with speaking():
        read = _read(file, kind, columns, encoding)
    if read.kind == "map":
        raise click.UsageError("this is a map: gateway codes map load FILE --facility NAME")
    _problems(read, as_json=as_json)
    _keep(config, read, name=name or read.kind, version=version, starts=starts, as_json=as_json)


@code_map.command("load")
@_FILE
@click.option("--facility", required=True, help="Facility's NAME. 施設の名前。")
@click.option("--version", default="", help="Else the moment of loading. 版。")
@click.option(
    "--from", "starts", default="", help="First day, YYYY-MM-DD; else today. 適用開始日。"
)
@click.option("--encoding", default="", help="cp932, utf-8; else found by the bytes. 文字コード。")
@configured
def map_load(
    file: Path, *, facility: str, version: str, starts: str, encoding: str, config: Path,
    as_json: bool,
) -> None:  # fmt: skip
    """施設コード対応表を登録します。Load a filled-in `facility quality NAME --unmapped FILE`.

    Columns: system, code, text, standard_system, standard_code, standard_name. Rows without a
    standard code say nothing yet; `-` says that there is none. Earlier maps hold beside it.
    """
    with speaking():
        read = _read(file, "map", "", encoding)
    _problems(read, as_json=as_json)
    _keep(config, read, name=f"map-{facility}", version=version, starts=starts, facility=facility,
          as_json=as_json)  # fmt: skip


@codes.command("list")
@configured
def list_codes(*, config: Path, as_json: bool) -> None:
    """登録済みマスターの一覧。Every version that was loaded."""
    from gateway.cli import opened
    from gateway.members import codes as room
    from gateway.model.audit import EventKind

    with speaking(), opened.work(config, EventKind.ADMIN, reading=True) as (_, work):
        found = room.masters(work)
    emit(
        [opened.plain(one) for one in found],
        as_json=as_json,
        text=lambda: table(
            ("id", "kind", "name", "version", "facility", "from", "until", "codes", "sha256"),
            [
                (one.id, one.kind, one.name, one.version, one.facility, one.starts, one.ends,
                 one.entries, one.digest[:12])
                for one in found
            ],
        ),
    )  # fmt: skip


@codes.command("show")
@click.argument("code")
@configured
def show(code: str, *, config: Path, as_json: bool) -> None:
    """コードを調べます。What every loaded version says about CODE."""
    from gateway.cli import opened
    from gateway.members import codes as room
    from gateway.model.audit import EventKind

    with speaking(), opened.work(config, EventKind.ADMIN, reading=True) as (_, work):
        found = room.show(work, code)
    told = [
        {
            "id": row.id, "kind": row.kind, "name": row.name, "version": row.version,
            "facility": row.facility, "code": entry.code.rpartition("\x1f")[2],
            "system": entry.code.rpartition("\x1f")[0], "display": entry.name,
            "start": entry.start, "end": entry.end,
            "related": [one._asdict() for one in entry.related],
        }
        for row, entry in found
    ]  # fmt: skip
    emit(told, as_json=as_json, text=lambda: _shown(told))
    if not found:
        click.echo(f"no loaded master knows {code}. どのマスターにもありません。", err=True)
        sys.exit(common.REFUSED)


@codes.command("end")
@click.argument("identity", metavar="ID", type=int)
@click.option("--last", default="", help="Last day, YYYY-MM-DD; else yesterday. 最終日。")
@configured
def end(identity: int, *, last: str, config: Path, as_json: bool) -> None:
    """版を終了します。Look a version up until a day only; it stays on record."""
    from datetime import timedelta

    from gateway import app
    from gateway.cli import opened
    from gateway.members import codes as room
    from gateway.model.audit import EventKind

    with speaking(), opened.work(config, EventKind.ADMIN) as (gateway, work):
        day = opened.day(last, "last") if last else gateway.day(app.now()) - timedelta(days=1)
        row = room.end(work, identity, day)
    emit(opened.plain(row), as_json=as_json,
         text=lambda: [f"{row.name} {row.version}: until {row.ends} まで"])  # fmt: skip


def read_files(files: Iterable[Path]) -> Iterator["tuple[Path, Read]"]:
    """Masters from disk for the pure command line; a wrong one stops it."""
    for file in files:
        read = _read(file, "", "", "")
        _problems(read, as_json=False)
        yield file, read


def _read(file: Path, kind: str, columns: str, encoding: str) -> "Read":
    from gateway.standardize import master_files, masters
    from gateway.wire.japanese import Charset

    word = _ENCODINGS.get(encoding.casefold(), "")
    if encoding and not word:
        raise click.UsageError(f"--encoding: one of {', '.join(_ENCODINGS)}")
    charset = Charset(word) if word else None
    try:
        size = file.stat().st_size
        with common.progress_of(max(size, 1), "read") as advance, file.open("rb") as stream:
            return masters.read(
                _Counted(stream, advance), name=file.name, kind=kind,
                columns=master_files.columns_of(columns), charset=charset,
            )  # fmt: skip
    except OSError as error:
        click.echo(f"cannot read {file}: {error.strerror}; check its permissions", err=True)
        click.echo(f"{file} を読めません。アクセス権を確認してください。", err=True)
        sys.exit(common.UNAVAILABLE)


class _Counted:
    """A file that tells the progress bar what was read of it."""

    def __init__(self, stream: BinaryIO, advance: Any) -> None:
        self._stream = stream
        self._advance = advance

    def readline(self, limit: int, /) -> bytes:
        """The next line, or so many bytes of it."""
        line = self._stream.readline(limit)
        self._advance(len(line))
        return line


def _problems(read: "Read", *, as_json: bool) -> None:
    """Say which rows are wrong, and stop."""
    if not read.problems:
        return
    told = [one._asdict() for one in read.problems]
    if as_json:
        common.print_json({"kind": read.kind, "loaded": False, "problems": told})
    for one in read.problems:
        click.echo(f"row {one.row} {one.what} [{one.code}]: {one.text} {one.japanese}", err=True)
    click.echo("nothing was loaded. 登録していません。", err=True)
    sys.exit(common.REFUSED)


def _keep(
    config: Path, read: "Read", *, name: str, version: str, starts: str, as_json: bool,
    facility: str = "",
) -> None:  # fmt: skip
    from gateway import app
    from gateway.cli import opened
    from gateway.members import codes as room
    from gateway.model.audit import EventKind

    with speaking(), opened.work(config, EventKind.ADMIN) as (gateway, work):
        first: date = opened.day(starts, "from") if starts else gateway.day(app.now())
        fallback = work.now.strftime("%Y%m%dT%H%M%S") if facility else first.isoformat()
        found = room.load(
            work, kind=read.kind, name=name, version=version or fallback, text=read.text,
            count=read.rows, starts=first, facility=facility,
        )  # fmt: skip
    emit({**opened.plain(found), "loaded": True}, as_json=as_json, text=lambda: [_said(found)])


def _said(found: "Loaded") -> str:
    state = "was there 登録済み" if found.was_there else "loaded 登録しました"
    whose = f" of {found.facility}" if found.facility else ""
    return (
        f"{found.kind} {found.version}{whose}: {state}, {found.rows} codes, from {found.starts}, "
        f"id {found.id}, sha256 {found.digest[:12]}"
    )


def _shown(told: list[dict[str, Any]]) -> Iterator[str]:
    for one in told:
        whose = f" of {one['facility']} ({one['system']})" if one["facility"] else ""
        dates = f", until {one['end']}" if one["end"] else ""
        yield f"{one['kind']} {one['version']}{whose}: {one['code']} {one['display']}{dates}"
        for other in one["related"]:
            yield f"  {other['system']} {other['code']} {other['display']}".rstrip()
