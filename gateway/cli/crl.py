"""`gateway crl …`: the revocation lists that verdicts rest on, and where they come from."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gateway.cli import common
from gateway.cli.common import configured, emit, speaking, table

if TYPE_CHECKING:
    from gateway.app import Gateway
    from gateway.intake.lists import Fetched, Lists, Standing


@click.group("crl")
def crl() -> None:
    """失効リスト。Revocation lists: list, fetch, load."""


@crl.command("list")
@click.option("--archive", is_flag=True, help="Every list that ever came. 保存済みの全リスト。")
@configured
def list_lists(*, archive: bool, config: Path, as_json: bool) -> None:
    """取得元と失効リストの状態。How each source is, and when its window ends.

    Exit 1 where a window ends soon or has ended, or no list is there.
    """
    from gateway.intake.lists import as_json as shown
    from gateway.record import lists as room

    with speaking(), _opened(config) as (gateway, lists):
        if archive:
            rows = gateway.door.snapshot(room.every, max_age=0.0)
            emit(
                [shown(row) for row in rows],
                as_json=as_json,
                text=lambda: table(
                    ("received", "made", "until", "number", "entries", "anomalies", "source",
                     "sha256"),
                    [
                        (f"{row.received:%Y-%m-%d %H:%M}", f"{row.since:%Y-%m-%d %H:%M}",
                         f"{row.until:%Y-%m-%d %H:%M}", row.number, row.entries,
                         " ".join(one["code"] for one in row.anomalies), row.source, row.sha256)
                        for row in rows
                    ],
                ),
            )  # fmt: skip
            return
        found = lists.standings()
    emit([_told(one) for one in found], as_json=as_json, text=lambda: _standings(found))
    if any(one.alarming for one in found):
        sys.exit(common.REFUSED)


@crl.command("fetch")
@click.argument("source", required=False, default="")
@configured
def fetch(*, source: str, config: Path, as_json: bool) -> None:
    """今すぐ取得します。Fetch from SOURCE (a url or file of the trust file), or from all, now."""
    with speaking(), _opened(config) as (gateway, lists):
        caller = gateway.operator

        def ask() -> "list[Fetched]":
            return lists.refresh(caller, named=source) if source else lists.fetch_all(caller)

        found = ask()
    _say(found, as_json=as_json)


@crl.command("load")
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option(
    "--source", default="", help="Whose list it is: a url or file of the trust file. 取得元。"
)
@click.option("--older", is_flag=True, help="Also lists older than those here. 古いリストも保存。")
@configured
def load(*, files: tuple[Path, ...], source: str, older: bool, config: Path, as_json: bool) -> None:
    """ファイルから登録します。Take lists from files, where the gateway has no network.

    Each must be signed by a configured authority. 設定した認証局の署名を確認して保存します。
    """
    from gateway.errors import Refusal
    from gateway.intake.lists import BY_HAND, Fetched

    found = []
    with speaking(), _opened(config) as (gateway, lists):
        largest = gateway.settings.hpki.crl_bytes
        for file in files:
            try:
                content = _read(file, largest)
                kept = lists.load(content, gateway.operator(), named=source, older=older)
            except Refusal as refusal:
                kept = Fetched(
                    source=BY_HAND, outcome="refused", reason=refusal.english,
                    japanese=refusal.japanese,
                )  # fmt: skip
            found.append((str(file), kept))
    _say([one for _, one in found], as_json=as_json, names=[name for name, _ in found])


def _read(file: Path, largest: int) -> bytes:
    """The bytes of a file, or a usage error; never more than a list may have."""
    try:
        with file.open("rb") as stream:
            content = stream.read(largest + 1)
    except OSError as error:
        raise click.UsageError(f"cannot read {file} / 読み込めません: {file}") from error
    if len(content) > largest:
        raise click.UsageError(f"{file}: larger than [hpki] crl_bytes / 上限超過")
    return content


@contextmanager
def _opened(config: Path) -> "Iterator[tuple[Gateway, Lists]]":
    from gateway import app, settings

    with app.open_gateway(settings.load(config)) as gateway:
        yield gateway, app.open_lists(gateway)


def _say(found: "list[Fetched]", *, as_json: bool, names: list[str] | None = None) -> None:
    from gateway.intake.lists import told

    titles = names or [one.source for one in found]
    emit(
        [{**told(one), "file": name} if names else told(one)
         for name, one in zip(titles, found, strict=True)],
        as_json=as_json,
        text=lambda: _lines(titles, found),
    )  # fmt: skip
    if not all(one.well for one in found):
        sys.exit(common.REFUSED)


_NONE = "the trust file names no [[crl]]. 信頼設定に [[crl]] がありません。"
_OUTCOMES = {
    "new": "new 新規保存",
    "same": "here already 保存済み",
    "refused": "refused 拒否",
    "unanswered": "no answer 応答なし",
}


def _lines(names: list[str], found: "list[Fetched]") -> Iterator[str]:
    if not found:
        yield _NONE
    for name, one in zip(names, found, strict=True):
        reason = f": {one.reason} / {one.japanese}" if one.reason else ""
        yield f"{name}: {_OUTCOMES[one.outcome]}{reason}"
        if one.row is not None:
            yield (
                f"  number 番号 {one.row.number or '-'}, made 発行 {one.row.since.isoformat()},"
                f" until 有効期間 {one.row.until.isoformat()}, entries 失効件数 {one.row.entries}"
            )
            for anomaly in one.row.anomalies:
                serials = " ".join(anomaly["serials"])
                yield f"  anomaly 異常: {anomaly['code']} {serials}".rstrip()


def _told(one: "Standing") -> dict[str, Any]:
    from gateway.intake.lists import as_json

    return {
        "source": one.source.name, "alarming": one.alarming,
        "until": one.until.isoformat() if one.until else None,
        "tried": one.state.tried.isoformat() if one.state.tried else None,
        "fetched": one.state.fetched.isoformat() if one.state.fetched else None,
        "failures": one.state.failures, "problem": one.state.problem or None,
        "problem_ja": one.state.japanese or None,
        "list": None if one.row is None else as_json(one.row),
    }  # fmt: skip


def _standings(found: "list[Standing]") -> Iterator[str]:
    from gateway.intake.lists import lines

    if not found:
        yield _NONE
        return
    yield from table(
        ("source", "made", "window ends", "failures", "problem"),
        [
            (one.source.name, f"{one.row.since:%Y-%m-%d %H:%M}" if one.row else "-",
             f"{one.until:%Y-%m-%d %H:%M}" if one.until else "-", one.state.failures,
             one.state.problem)
            for one in found
        ],
    )  # fmt: skip
    for one in found:
        for english, japanese in lines(one):
            yield f"{english}. {japanese}。"
