"""`gateway verify FILE`: who signed a document, and whether that holds.

Pure: it needs no settings and opens no database, but for `--document ID`, which repeats the verdict
on a stored document from the evidence that was kept. Exit 0 only for a verified document.
"""

import sys
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

import click

from gateway.cli import common
from gateway.cli.repeat import Repeated, repeat, repeat_file
from gateway.hpki import roles
from gateway.hpki.policy import SignaturePolicy, Trust
from gateway.hpki.trust import JAPAN, parse, shipped
from gateway.hpki.verify import verify as verified
from gateway.model.signature import (
    Basis,
    CheckOutcome,
    HcRole,
    Indication,
    Revocation,
    Signature,
    SignatureReport,
)
from gateway.settings import SettingsError

_WORDS = {
    Indication.VERIFIED: ("verified", "検証済み"),
    Indication.INVALID: ("invalid", "無効"),
    Indication.UNVERIFIABLE: ("unverifiable", "検証できません"),
}


_BASES = {
    Basis.PROVEN: ("proven by its time-stamp", "タイムスタンプが証明する日時"),
    Basis.RECEIVED: ("when it was received", "受付の日時"),
    Basis.VERIFIED: ("the time of verification", "検証の日時"),
}


class _Moment(click.ParamType[datetime]):
    """A moment in RFC 3339; without a zone it is Japan's."""

    name = "time"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """Read the moment, or say how to write one."""
        try:
            moment = datetime.fromisoformat(str(value))
        except ValueError:
            self.fail(
                f"'{value}' is not a time: write 2026-11-21T09:00:00+09:00 / 日時の形式が違います",
                param,
                ctx,
            )
        return moment if moment.tzinfo else moment.replace(tzinfo=JAPAN)


@click.command()
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--document",
    "identity",
    default="",
    help="A stored document: unique id, entry id, or digest of a file. 保存済み文書のID。",
)
@click.option("--at", type=_Moment(), help="As of this time (now). この日時の時点で検証します。")
@click.option(
    "--trust",
    "trust_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Trusted authorities, TOML. 信頼する認証局。",
)
@click.option(
    "--content",
    "contents",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="What FILE signs, where it lies beside it. 署名対象が別ファイルの場合に指定します。",
)
@click.option(
    "--allow-test-cards", is_flag=True, help="Never in production. テスト用カードも認めます。"
)
@click.option(
    "--evidence",
    "evidence_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Repeat the verdict on FILE from a file of evidence. 証拠ファイルで検証を繰り返します。",
)
@click.option(
    "--save-evidence",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write what the verdict rests on, as a new ZIP. 判定の証拠を ZIP に保存します。",
)
@common.configured
def verify(
    file: Path | None,
    identity: str,
    at: datetime | None,
    trust_file: Path | None,
    contents: tuple[Path, ...],
    evidence_file: Path | None,
    save_evidence: Path | None,
    *,
    allow_test_cards: bool,
    config: Path,
    as_json: bool,
) -> None:
    """Print the signature report of FILE, or repeat the one of a stored document.

    FILE の電子署名とタイムスタンプを検証します。設定は不要です。
    --document では、保存した証拠から当時と同じ検証を繰り返します。
    """
    if (file is None) is (not identity) or (identity and (contents or evidence_file)):
        raise click.UsageError("name FILE, or --document ID / FILE か --document を指定します")
    if evidence_file is not None and (trust_file is not None or allow_test_cards):
        raise click.UsageError("--evidence says whom to trust / --evidence と併用できません")
    if save_evidence is not None and save_evidence.exists():
        raise click.UsageError(f"{save_evidence} exists / 同名のファイルがあります")
    try:
        trust = None if trust_file is None else load_trust(trust_file)
    except SettingsError as error:
        raise click.UsageError(str(error)) from error
    told: Repeated | None = None
    if file is None:
        told = repeat(config, identity, at, trust, test_cards=allow_test_cards)
        report = told.report
    elif evidence_file is not None:
        told = repeat_file(_read(file), _beside(file, contents), _read(evidence_file), at)
        report = told.report
    else:
        policy = SignaturePolicy(
            trust=shipped() if trust is None else trust, accept_test=allow_test_cards
        )
        content, detached = _read(file), _beside(file, contents)
        report = verified(content, policy, at=at or common.now(), detached=detached)
    if save_evidence is not None:
        _save(save_evidence, report)
    common.emit(
        report.as_json() if told is None else told.as_json(),
        as_json=as_json,
        text=lambda: (*_text(report), *(() if told is None else told.lines())),
    )
    another = told is not None and told.compared and not told.same
    unproven = told is not None and told.stamped_wrongly
    if report.indication is not Indication.VERIFIED or another or unproven:
        sys.exit(common.REFUSED)


def _save(target: Path, report: SignatureReport) -> None:
    """Write the file of evidence; an unsigned document has none."""
    from gateway.hpki.evidence_file import pack

    if not report.evidence:
        raise click.UsageError("there is no signature, so no evidence / 署名がなく証拠もありません")
    try:
        with target.open("xb") as stream:
            stream.write(pack(report.as_json(), report.evidence))
    except OSError as error:
        raise click.UsageError(f"cannot write {target} / 書き込めません: {target}") from error


def _beside(file: Path, contents: Sequence[Path]) -> dict[str, bytes]:
    """The files that are signed, by the names that a signature in FILE's folder gives them."""
    folder = file.absolute().parent
    found: dict[str, bytes] = {}
    for path in contents:
        inside = path.absolute().is_relative_to(folder)
        name = path.absolute().relative_to(folder).as_posix() if inside else path.name
        if name in found:
            raise click.UsageError(
                f"two files are called {name} / 同名のファイルがあります: {name}"
            )
        found[name] = _read(path)
    return found


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise click.UsageError(f"cannot read {path} / 読み込めません: {path}") from error


def load_trust(path: Path) -> Trust:
    """The trust that a file says, with the files beside it; raises `SettingsError`."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"trust: cannot read {path.name}") from error
    return parse(text, lambda name: (path.parent / name).read_bytes())


def _text(report: SignatureReport) -> Iterator[str]:
    """The report for people: the verdict, each signature, each check."""
    if not report.signed:
        yield "unsigned: there is no signature to verify / 署名がありません"
        return
    yield " / ".join(_WORDS[report.indication])
    for signature in report.signatures:
        yield from _signature(signature)


def _role(role: HcRole) -> str:
    """The role as the certificate words it, and what the shipped table calls it."""
    known = next((one.japanese for one in roles.shipped() if one.text == role.text), "")
    return f"{role.text} ({known})" if known else role.text


def _signature(signature: Signature, about: str = "") -> Iterator[str]:
    rows = [
        ("signer / 署名者", signature.subject),
        ("serial / 証明書番号", signature.serial),
        ("role / 資格", ", ".join(map(_role, signature.roles))),
        ("policy / ポリシー", signature.policy),
        ("claimed / 申告された日時", _time(signature.claimed)),
        ("proven / 証明された日時", _time(signature.proven)),
        ("signed after / 署名はこの日時以降", _time(signature.not_before)),
        ("covers / 署名対象", _covered(signature)),
        *(("file / ファイル", f"{one.name}  {one.sha256}") for one in signature.files),
    ]
    yield ""
    yield from common.table(
        (f"{about}{signature.format}", " / ".join(_WORDS[signature.indication])),
        [row for row in rows if row[1]],
    )
    yield ""
    yield from common.table(
        ("check", "outcome", "reason", "理由"),
        [(one.name, one.outcome.value, one.reason, one.japanese) for one in signature.checks],
    )
    if signature.revocation is not None:
        yield ""
        outcomes = [one.outcome for one in signature.checks if one.name == "revocation"]
        yield from _revocation(signature.revocation, decided=CheckOutcome.UNKNOWN not in outcomes)
    for one in signature.embedded:
        yield from _signature(one, "inside / 含まれる文書: ")
    for one in signature.countersignatures:
        yield from _signature(one, "countersignature / 副署: ")


def _revocation(found: Revocation, *, decided: bool) -> Iterator[str]:
    """What a list says, and why it does or does not matter: which of two moments came first."""
    whose = ("an authority", "認証局") if found.authority else ("the signer", "署名者")
    since = _time(found.since) or "ever / すべての時点"
    english, japanese = _BASES[found.basis]
    rows = [
        ("revocation date / 失効日時", _time(found.stated)),
        ("invalid since / 無効となった日時", _time(found.invalid_since)),
        ("reason / 失効理由", found.reason),
        ("told by the list of / 失効リストの発行日時", _time(found.made)),
        ("its digest / 失効リストのハッシュ値", found.list_sha256),
        (f"signature: {english} / 署名: {japanese}", _time(found.moment)),
    ]
    yield from common.table(
        (f"revocation of {whose[0]}", f"{whose[1]}の失効"), [row for row in rows if row[1]]
    )
    yield ""
    then = _time(found.moment)
    if not found.harms:
        yield f"No harm: the signature was there at {then}; the revocation counts from {since}."
        yield f"影響なし: 署名は {then} に存在し、失効の効力はそれより後の {since} からです。"
    elif decided:
        yield f"Refused: the revocation counts from {since}; the signature is known from {then} on."
        yield f"無効の理由: 失効の効力は {since} からで、署名の存在は {then} 以降しか示せません。"
    else:
        yield f"Open: revoked or held from {since}; nothing proves that the signature was earlier."
        yield f"未確定: {since} から失効または一時停止中で、署名がそれより前とは証明できません。"


def _time(moment: datetime | None) -> str:
    return moment.astimezone(JAPAN).isoformat() if moment else ""


def _covered(signature: Signature) -> str:
    if signature.files and not signature.whole_document:
        return "these files or parts / 次のファイルまたは部分"
    if not signature.octets:
        return "an earlier revision / 以前の版" if signature.covered_sha256 else ""
    if signature.whole_document:
        return "the whole document / 文書全体"
    return "the signed part / 署名部分"
