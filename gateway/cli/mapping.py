"""`gateway mapping draft FILE`: propose how a facility's CSV is read.

Pure: it needs no settings and stores nothing but the file named by `--output`.
"""

import sys
from pathlib import Path

import click

from gateway.cli import common
from gateway.errors import Refusal
from gateway.standardize.csv_mapped import draft as csv_draft


@click.group("mapping")
def mapping() -> None:
    """CSV の対応表。How a facility's CSV is read (`mappings/<name>.yaml`)."""


@mapping.command("draft")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--facility", default="change-me", help="Facility's NAME. 施設の名前。")
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write here; never over a file. 出力先。既存のファイルは上書きしません。",
)
@common.configured
def draft(file: Path, *, facility: str, output: Path | None, config: Path, as_json: bool) -> None:
    """CSV の対応表を提案します。Propose a mapping for FILE, with confidence and examples."""
    del config  # every command takes it; this one needs none
    try:
        with file.open("rb") as stream:
            head = stream.read(csv_draft.LOOK)
    except OSError as error:
        click.echo(f"cannot read {file}: {error.strerror}; check its permissions", err=True)
        click.echo(f"{file} を読めません。アクセス権を確認してください。", err=True)
        sys.exit(common.UNAVAILABLE)
    try:
        proposal = csv_draft.propose(head)
    except Refusal as refusal:
        click.echo(f"refused: {refusal.english}", err=True)
        click.echo(f"拒否: {refusal.japanese}", err=True)
        sys.exit(common.REFUSED)
    text = csv_draft.as_yaml(proposal, facility)
    lacks = csv_draft.problem(text)
    if output:
        _write(output, text)
    if as_json:
        common.print_json(_told(proposal, text, lacks))
    elif not output:
        click.echo(text, nl=False)
    if lacks:
        click.echo(f"not yet complete: {lacks}", err=True)
        click.echo("対応表はまだ完成していません。上の点を直してください。", err=True)


def _write(output: Path, text: str) -> None:
    """A new file; one that is there is never replaced."""
    try:
        with output.open("x", encoding="utf-8") as made:
            made.write(text)
    except FileExistsError:
        click.echo(f"{output} exists: choose another name or remove it first", err=True)
        click.echo(f"{output} は既にあります。別の名前にするか、先に削除してください。", err=True)
        sys.exit(common.REFUSED)
    except OSError as error:
        click.echo(f"cannot write {output}: {error.strerror}", err=True)
        click.echo(f"{output} に書き込めません。", err=True)
        sys.exit(common.UNAVAILABLE)


def _told(proposal: csv_draft.Draft, text: str, lacks: str) -> dict[str, object]:
    """The proposal for machines."""
    return {
        "encoding": proposal.encoding,
        "delimiter": proposal.delimiter,
        "header": proposal.header,
        "category": proposal.category.value,
        "columns": [
            {
                "from": column.source,
                "to": column.to,
                "confidence": column.confidence,
                "examples": list(column.examples),
                **dict(column.keys),
            }
            for column in proposal.columns
        ],
        "complete": not lacks,
        "problem": lacks,
        "yaml": text,
    }
