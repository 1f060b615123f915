"""`gateway standardize PATH`: what a file, an archive or a folder would become.

Pure: it needs no settings, opens no database and stores nothing.
"""

import hashlib
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gateway import standardize as room
from gateway.cli import account, common
from gateway.cli.codes import read_files
from gateway.cli.replay import replay
from gateway.cli.why import why
from gateway.errors import Refusal
from gateway.hpki.wrapping import recognised
from gateway.members.mappings import load_mapping
from gateway.model.batch import Batch, Finding, Item, Resource, Severity
from gateway.model.codebook import NO_CODES, CodeBook, Master
from gateway.model.mapping import MappingError
from gateway.model.person import Demographics
from gateway.model.signature import SignatureReport
from gateway.settings import LimitSettings
from gateway.standardize import archive, diagnose
from gateway.standardize.findings import refused
from gateway.standardize.format import Upload
from gateway.wire import fhir, provenance

if TYPE_CHECKING:
    from gateway.cli.enveloped import Opened


class _WordsOrPath(click.Group):
    """`why` and `replay` are words of their own; anything else is a path (`./why` too)."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the name of the command for paths before what is no word of ours."""
        if args and args[0] not in (*self.commands, "--help", "-h"):
            args = ["path", *args]
        return super().parse_args(ctx, args)

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Both uses."""
        formatter.write_usage(ctx.command_path, "[OPTIONS] PATH | why RESOURCE | replay")


@click.group("standardize", cls=_WordsOrPath)
def standardize() -> None:
    """標準化。What a file would become (PATH), where a resource comes from (why), replay."""


@standardize.command("path")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--format", "format_name", help="Read as this format. この様式として読みます。")
@click.option(
    "--diagnose",
    "second",
    is_flag=True,
    help="Add other libraries' opinion. 別実装の意見も示します。",
)
@click.option(
    "--account",
    "accounting",
    is_flag=True,
    help="What became of every segment or row. 各セグメント・行の扱いを一覧します。",
)
@click.option(
    "--mapping",
    "mapping_files",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Read CSV by this mapping file. この対応表で CSV を読みます。",
)
@click.option(
    "--codes",
    "code_files",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Use this code master or map. このコードマスターまたは対応表を使います。",
)
@click.option(
    "--patient",
    default="",
    help="Chart id, for files that carry none. 患者番号(ファイルにない場合)。",
)
@click.option(
    "--trust",
    "trust_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Trusted authorities, TOML, for .p7m. 信頼する認証局(.p7m)。",
)
@click.option(
    "--allow-test-cards", is_flag=True, help="Never in production. テスト用カードも認めます。"
)
@common.configured
def standardize_path(
    path: Path,
    format_name: str | None,
    *,
    second: bool,
    accounting: bool,
    mapping_files: tuple[Path, ...],
    code_files: tuple[Path, ...],
    patient: str,
    trust_file: Path | None,
    allow_test_cards: bool,
    config: Path,
    as_json: bool,
) -> None:
    """Print the items and findings of PATH, and the verdict on a signed envelope (.p7m).

    PATH を標準化した結果と指摘を表示します。.p7m は署名の検証結果も示します。設定は不要です。
    """
    del config  # every command takes it; this one needs none
    if not path.exists():
        raise click.UsageError(f"there is no {path}")
    try:
        chosen = room.format_named(format_name) if format_name else None
    except Refusal as refusal:
        known = ", ".join(one.name for one in room.FORMATS)
        raise click.UsageError(f"{refusal.english}: {format_name}. Known: {known}") from refusal
    try:
        known_mappings = tuple(load_mapping(file) for file in mapping_files)
    except MappingError as error:
        raise click.UsageError(f"--mapping: {error}") from error
    with_all = Upload(
        path="", content=b"", patient=patient, mappings=known_mappings, codes=_book(code_files)
    )
    files: list[dict[str, Any]] = []
    counts: Counter[str] = Counter()
    items: Counter[str] = Counter()
    found: Counter[str] = Counter()
    moment = common.now() if as_json else None
    opening = _opening(trust_file, allow_test_cards=allow_test_cards)
    for batches, content, verdict in _progress(_batches(path, chosen, with_all, opening)):
        total = account.total(batches, content)
        if verdict is not None and verdict.opened is not None:
            batches, content = verdict.opened.placed(batches), verdict.opened.envelope.content
        counts["files"] += 1
        counts["unaccounted"] += not total.whole
        counts["refused"] += not any(batch.format for batch in batches)
        for number, batch in enumerate(batches):
            opinion = diagnose.opinion(batch, content) if second else None
            items.update(item.resource["resourceType"] for item in batch.items)
            found.update(finding.code for finding in batch.findings)
            counts["errors"] += any(one.severity is Severity.ERROR for one in batch.findings)
            if moment is not None:
                files.append(
                    {
                        **_file_json(batch, opinion),
                        **(verdict.as_json() if verdict else {}),
                        "provenance": _provenance(batch, content, number, moment),
                        "account_total": total.told(),
                    }
                )
                continue
            for line in (*_file_text(batch, opinion), *(verdict.lines() if verdict else ())):
                click.echo(line)
            if accounting:
                for line in account.lines(batch):
                    click.echo(line)
        if accounting and not as_json:
            click.echo(account.summary(total))
    if as_json:
        _print(files, counts, items, found)
    else:
        click.echo(_summary(counts, items, found))
    if counts["refused"] or counts["errors"] or counts["unaccounted"]:
        sys.exit(common.REFUSED)


standardize.add_command(why)
standardize.add_command(replay)


@dataclass(frozen=True, slots=True)
class _Verdict:
    """What is told of a signature beside what a file became."""

    report: SignatureReport
    opened: "Opened | None" = None
    "None where the envelope was refused."

    def as_json(self) -> dict[str, Any]:
        from gateway.cli import enveloped

        return enveloped.as_json(self.report, self.opened.own if self.opened else None)

    def lines(self) -> Iterator[str]:
        from gateway.cli import enveloped

        return enveloped.lines(self.report, self.opened.own if self.opened else None)


_Batches = tuple[tuple[Batch, ...], bytes, _Verdict | None]
_Opening = Callable[[Upload], "Opened"]


def _opening(trust_file: Path | None, *, allow_test_cards: bool) -> _Opening:
    """What opens a signed envelope; loaded where there is one."""

    def open_one(upload: Upload) -> "Opened":
        from gateway.cli.enveloped import open_envelope
        from gateway.cli.verify import load_trust
        from gateway.hpki.policy import SignaturePolicy
        from gateway.hpki.trust import shipped
        from gateway.settings import SettingsError

        try:
            trust = shipped() if trust_file is None else load_trust(trust_file)
        except SettingsError as error:
            raise click.UsageError(f"--trust: {error}") from error
        policy = SignaturePolicy(trust=trust, accept_test=allow_test_cards)
        return open_envelope(upload, policy, common.now())

    return open_one


def _batches(
    path: Path, chosen: room.Format | None, with_all: Upload, opening: _Opening
) -> Iterator[_Batches]:
    """Each file as its batches, one a person; a refused entry is one with its finding.

    `with_all` has what every file is read with, and no file. What an envelope holds is read alone,
    and the envelope stands beside it.
    """
    try:
        for one in archive.at_path(path, LimitSettings()):
            if isinstance(one, archive.RefusedEntry):
                yield (_refused_batch(one.path, one.finding),), b"", None
                continue
            upload = replace(with_all, path=one.path, content=one.content, in_tree=one.in_tree)
            if not recognised(one.content):
                yield tuple(room.batches(upload, format=chosen)), one.content, None
                continue
            try:
                found = opening(upload)
            except Refusal as refusal:
                report = getattr(refusal, "report", None)
                verdict = _Verdict(report) if isinstance(report, SignatureReport) else None
                yield (_refused_batch(one.path, refused(refusal)),), b"", verdict
                continue
            verdict = _Verdict(found.report, found)
            yield tuple(room.batches(found.inner, format=chosen)), found.inner.content, verdict
    except Refusal as refusal:
        yield (_refused_batch(path.name, refused(refusal)),), b"", None
    except OSError as error:
        click.echo(f"cannot read {path}: {error.strerror}; check its permissions", err=True)
        click.echo(f"{path} を読めません。アクセス権を確認してください。", err=True)
        sys.exit(common.UNAVAILABLE)


def _book(files: tuple[Path, ...]) -> CodeBook:
    """The masters and maps that are named, the first before the others."""
    if not files:
        return NO_CODES
    with common.speaking():
        return CodeBook(
            Master(kind=read.kind, name=read.kind, version=file.name, text=read.text)
            for file, read in read_files(files)
        )


def _refused_batch(path: str, finding: Finding) -> Batch:
    return Batch(path=path, format="", patient=None, findings=(finding,))


def _progress(batches: Iterable[_Batches]) -> Iterator[_Batches]:
    """A count of files on stderr while it takes longer than a second; nothing into a pipe."""
    if not sys.stderr.isatty():
        yield from batches
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.completed} files"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("standardize", total=None)
        for one in batches:
            progress.advance(task)
            yield one


def _file_json(batch: Batch, opinion: list[str] | None) -> dict[str, Any]:
    """One file as `INTERFACES.md` section 7 says."""
    made: dict[str, Any] = {"path": batch.path, "format": batch.format or None}
    made["patient"] = (
        {"domain": batch.patient.domain, "value": batch.patient.value} if batch.patient else None
    )
    made["patient_resource"] = _patient(batch)
    made["items"] = [_item_json(item) for item in batch.items]
    made["findings"] = [
        {
            "code": finding.code,
            "severity": finding.severity.value,
            "at": finding.at,
            "text": finding.text,
            "japanese": finding.japanese,
        }
        for finding in batch.findings
    ]
    made["account"] = batch.account
    if opinion is not None:
        made["diagnosis"] = opinion
    return made


def _patient(batch: Batch) -> Resource | None:
    """The person as the file describes them; where it gives no more than the number, that."""
    if batch.patient_resource is not None or batch.patient is None:
        return batch.patient_resource
    return fhir.patient_resource(batch.demographics or Demographics(), [batch.patient])


def _provenance(batch: Batch, content: bytes, number: int, recorded: datetime) -> Resource | None:
    """Where everything of one message comes from; nothing is hidden outside a gateway."""
    return provenance.of_message(
        batch, _patient(batch), sha256=hashlib.sha256(content).hexdigest(), number=number,
        recorded=recorded,
    )  # fmt: skip


def _item_json(item: Item) -> dict[str, Any]:
    source = item.source
    return {
        "category": item.category.value,
        "key": item.key,
        "resource": item.resource,
        "companions": list(item.companions),
        "cancelled": item.cancelled,
        "source": {
            "file": source.file,
            "at": source.at,
            "start": source.start,
            "end": source.end,
        },
    }


def _print(
    files: list[dict[str, Any]],
    counts: Counter[str],
    items: Counter[str],
    found: Counter[str],
) -> None:
    """One JSON document; decimals as the source wrote them."""
    document = {
        "files": files,
        "counts": {
            "files": counts["files"],
            "refused": counts["refused"],
            "items": dict(sorted(items.items())),
            "findings": dict(sorted(found.items())),
        },
    }
    click.echo(fhir.dumps(document).decode())


def _file_text(batch: Batch, opinion: list[str] | None) -> Iterator[str]:
    """One file for people: what it is, what came out, what was found."""
    kinds = Counter(item.resource["resourceType"] for item in batch.items)
    became = ", ".join(f"{number} {kind}" for kind, number in kinds.items()) or "no items"
    yield f"{_shown(batch.path)}: {batch.format or 'refused 取込不可'}: {became}"
    for finding in batch.findings:
        place = f" {_shown(finding.at)}" if finding.at else ""
        head = f"{finding.severity.value}{place} [{finding.code}]"
        yield f"  {head} {finding.text} {finding.japanese}"
    for line in opinion or ():
        yield f"  second opinion: {line}"


def _shown(text: str) -> str:
    """Text on one line; control characters are shown, not obeyed."""
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


def _summary(counts: Counter[str], items: Counter[str], found: Counter[str]) -> str:
    kinds = ", ".join(f"{number} {kind}" for kind, number in sorted(items.items())) or "none"
    causes = ", ".join(f"{number} {code}" for code, number in found.most_common()) or "none"
    return (
        f"{counts['files']} files, {counts['refused']} refused; items: {kinds}; findings: {causes}"
    )
