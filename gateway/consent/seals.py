"""What a signed document must be where a doctor's name and seal would stand (SIG-05).

Each thing that is missing has a refusal of its own: whoever hands a document in learns what to do.
"""

from collections.abc import Iterable
from typing import Literal

from gateway.errors import UntrustedSignature
from gateway.model.network import SignaturePolicyKeys
from gateway.model.signature import Indication, Sealed, Signature, SignatureReport

Kind = Literal["consent", "exclusion", "withdrawal"]
"A registration that a network may want a seal for: `signature.registrations`."
_AT = "document"
_ENVELOPE = "CAdES"


def require(rule: SignaturePolicyKeys, kind: Kind, sealed: Sealed | None) -> None:
    """Refuse a registration without the document that it needs; raises `UntrustedSignature`.

    A document that is handed in where none is needed must be signed and verify all the same.
    """
    wanted = rule.registrations.get(kind)
    if sealed is None:
        if wanted is not None:
            stamp = (", with a time-stamp", "とタイムスタンプ") if rule.timestamp else ("", "")
            raise UntrustedSignature(
                f"this registration needs a document signed by {' or '.join(wanted)}{stamp[0]}:"
                " name it with --document",
                f"電子署名{stamp[1]}のある文書が必要です(署名者の資格: {'、'.join(wanted)})。"
                "--document で指定してください",
                at=_AT,
            )  # fmt: skip
        return
    _require_verified(sealed.report)
    if wanted is not None:
        _require_signer(rule, wanted, sealed.report)


def satisfied(
    rule: SignaturePolicyKeys, wanted: Iterable[str], signatures: Iterable[Signature]
) -> bool:
    """Whether one of the signatures has a wanted role, and the time-stamp that the rule wants."""
    return any(
        _roles(one) & set(wanted) and (one.proven is not None or not rule.timestamp)
        for one in signatures
    )


def _require_verified(report: SignatureReport) -> None:
    """It is signed, all of it, and every signature verified."""
    if not report.signed:
        raise UntrustedSignature(
            "there is no signature in the document: have it signed (PDF, XML or .p7m)",
            "文書に電子署名がありません。署名済みの文書(PDF、XML、.p7m)を指定してください",
            at=_AT, report=report,
        )  # fmt: skip
    if report.indication is Indication.UNVERIFIABLE:
        raise UntrustedSignature(
            "the signature cannot be established now: `gateway verify` says why; fetch today's"
            " revocation lists (`gateway crl fetch`), then enter it again",
            "署名を今は確認できません。gateway verify で理由を確かめ、失効リストを取得"
            "(gateway crl fetch)してから再登録してください",
            at=_AT, report=report,
        )  # fmt: skip
    if not report.passed:
        raise UntrustedSignature(
            "the signature does not verify: `gateway verify` says why",
            "署名が正しくありません。gateway verify で理由を確かめてください",
            at=_AT, report=report,
        )  # fmt: skip
    if not any(
        one.whole_document or (one.format.startswith(_ENVELOPE) and one.covered)
        for one in report.signatures
    ):
        raise UntrustedSignature(
            "the signature covers only a part of the document: have all of it signed",
            "署名が文書の一部だけを対象としています。文書全体に署名してください",
            at=_AT, report=report,
        )  # fmt: skip


def _require_signer(
    rule: SignaturePolicyKeys, wanted: tuple[str, ...], report: SignatureReport
) -> None:
    """Who signed may sign this, and when is proven."""
    if satisfied(rule, wanted, report.signatures):
        return
    if not any(_roles(one) & set(wanted) for one in report.signatures):
        raise UntrustedSignature(
            f"the signer is no {' or '.join(wanted)}",
            f"署名者の資格が異なります(必要な資格: {'、'.join(wanted)})",
            at="role", report=report,
        )  # fmt: skip
    raise UntrustedSignature(
        "the signature has no time-stamp that counts: have it time-stamped, then enter it again",
        "署名に有効なタイムスタンプがありません。タイムスタンプを付与してから再登録してください",
        at="time-stamp", report=report,
    )  # fmt: skip


def _roles(signature: Signature) -> set[str]:
    return {role.text for role in (*signature.roles, signature.role) if role}
