"""`gateway facility quality NAME`: the sheet that a facility can act on; text, JSON or one page."""

import csv
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gateway.cli.common import configured, emit, speaking, table

_Rows = list[Sequence[Any]]
_STYLE = (
    "body{font-family:sans-serif;margin:2em;max-width:70em}table{border-collapse:collapse}"
    "td,th{border:1px solid #999;padding:.2em .6em;text-align:left}.error{background:#fdd}"
    ".warning{background:#ffd}.bar{background:#69c;height:.8em}"
)


@click.command("quality")
@click.argument("name")
@click.option(
    "--html",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write one page here. 1ページの HTML を出力します。",
)
@click.option(
    "--unmapped",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write all codes without a standard one here, as CSV to fill in and load with "
    "`gateway codes map load`. 未対応コードの一覧(記入して登録できる CSV)。",
)
@configured
def quality(
    *, name: str, html: Path | None, unmapped: Path | None, config: Path, as_json: bool
) -> None:
    """データ品質票。What NAME delivered, what became of it, and what it can mend."""
    from gateway.cli import opened
    from gateway.model.audit import EventKind
    from gateway.record import quality as room

    with speaking():
        with opened.work(config, EventKind.ADMIN, reading=True) as (_, work):
            sheet = room.sheet(work, name)
            if unmapped is not None:
                ranked = room.unmapped(work, name)
        if unmapped is not None:
            _write_unmapped(unmapped, ranked)
        if html is not None:
            html.write_text(_page(sheet), encoding="utf-8")
    value = opened.plain(sheet)
    value["causes"] = [one._asdict() for one in sheet.causes]
    value["unmapped"] = [one._asdict() for one in sheet.unmapped]
    emit(value, as_json=as_json, text=lambda: _lines(sheet))


def _write_unmapped(path: Path, ranked: "Sequence[Unmapped]") -> None:
    """The ranking with empty columns for the standard codes; no cell is a formula (E-10)."""
    from gateway.standardize.code_map import HEADINGS, guarded

    with path.open("w", encoding="utf-8-sig", newline="") as made:
        writer = csv.writer(made)
        writer.writerow(HEADINGS)
        for one in ranked:
            texts = (guarded(one.system), guarded(one.code), guarded(one.text))
            writer.writerow((*texts, one.times, "", "", ""))


def _tables(sheet: "Sheet") -> Iterator[tuple[str, tuple[str, ...], _Rows]]:
    """Title, heading and rows of each table."""
    yield "Files ファイル", ("state", "files"), [*sheet.files.items()]
    yield "Formats 様式", ("format", "files"), [*sheet.formats.items()]
    yield (
        "Items 項目", ("category", "staged 仮保管", "shared 共有"),
        [(name, *pair) for name, pair in sheet.items.items()],
    )  # fmt: skip
    yield (
        "Findings by cause 指摘", ("severity", "code", "times 件数", "first at", "what to do"),
        [(one.severity, one.code, one.times, one.example, f"{one.text} {one.japanese}")
         for one in sheet.causes],
    )  # fmt: skip
    yield (
        "Codes without a standard one 未対応コード", ("system", "code", "text", "times 件数"),
        [*sheet.unmapped],
    )  # fmt: skip
    yield (
        "Timeliness 遅延・欠落", ("what", "number", "days"),
        [("late files 遅れたファイル", sheet.late, ""),
         ("days without delivery 配信のない日", len(sheet.missing), " ".join(sheet.missing)),
         ("findings about identity 患者同定の指摘", sheet.identity, "")],
    )  # fmt: skip


def _lines(sheet: "Sheet") -> Iterator[str]:
    yield f"{sheet.title} ({sheet.facility}), {sheet.day.isoformat()}"
    for title, heading, rows in _tables(sheet):
        yield ""
        yield title
        if not rows:
            yield "  none なし"
        for line in table(heading, [tuple(str(cell) for cell in row) for row in rows]):
            yield f"  {line}"


def _page(sheet: "Sheet") -> str:
    """One page without anything from elsewhere; every text is escaped."""
    title = escape(f"{sheet.title} データ品質票 Quality sheet {sheet.day.isoformat()}")
    parts = [
        f'<!doctype html><html lang="ja"><meta charset="utf-8"><title>{title}</title>',
        f"<style>{_STYLE}</style><h1>{title}</h1>",
    ]
    for name, heading, rows in _tables(sheet):
        parts.append(f"<h2>{escape(name)}</h2><table><tr>")
        parts += [f"<th>{escape(cell)}</th>" for cell in heading]
        for row in rows:
            mark = f' class="{escape(str(row[0]))}"' if "severity" in heading else ""
            cells = "".join(f"<td>{escape(str(cell))}</td>" for cell in row)
            parts.append(f"</tr><tr{mark}>{cells}")
        parts.append("</tr></table>")
    most = max(sheet.deliveries.values(), default=0) or 1
    parts.append("<h2>Deliveries 配信 (31 days)</h2><table>")
    for day, number in sheet.deliveries.items():
        width = 20 * number / most
        bar = f'<div class="bar" style="width:{width:.1f}em"></div>'
        parts.append(f"<tr><td>{escape(day)}</td><td>{number}</td><td>{bar}</td></tr>")
    parts.append("</table></html>\n")
    return "".join(parts)


if TYPE_CHECKING:
    from gateway.record.quality import Sheet, Unmapped
