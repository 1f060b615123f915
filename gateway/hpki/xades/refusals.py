"""Why a signed XML document is not what its kind must be: one check for each reason."""

from gateway.hpki.opened import Unfit, failed, unknown
from gateway.hpki.xades.names import SECTION


def misplaced() -> Unfit:
    """The signature or its target stands elsewhere (wrapping, B-01)."""
    return Unfit(
        failed(
            "structure",
            "the signature or what it signs is not where this kind of document has it",
            "署名または署名対象が所定の位置にありません",
            SECTION,
        )
    )


def unsigned() -> Unfit:
    """A reference that must be there is not."""
    return Unfit(
        failed(
            "structure",
            "the document body or the signature's properties are not signed",
            "本文または署名属性が署名されていません",
            SECTION,
        )
    )


def beside() -> Unfit:
    """Something stands beside what is signed, where a reader would take it for signed."""
    return Unfit(
        failed(
            "structure",
            "beside what is signed there is something that is not signed",
            "署名対象のほかに、署名されていない内容が含まれています",
            SECTION,
        )
    )


def divided() -> Unfit:
    """Several signatures of one document, of which none speaks for what another one signs."""
    return Unfit(
        failed(
            "structure",
            "the signatures of this document are not over the same content",
            "この文書の複数の署名は、同じ内容を対象としていません",
            SECTION,
        )
    )


def pointer() -> Unfit:
    """A reference that would have to be looked for somewhere (B-03)."""
    return Unfit(
        failed(
            "structure",
            "a reference points outside of the document or is not a plain id",
            "文書の外、または識別子以外を参照しています",
            SECTION,
        )
    )


def ambiguous() -> Unfit:
    """An id that is not there, or not only once (A-08)."""
    return Unfit(
        failed(
            "structure",
            "a signed id is missing or occurs more than once",
            "署名対象の識別子がないか、重複しています",
            SECTION,
        )
    )


def transform() -> Unfit:
    """A transform that is not on the list (B-04, B-07)."""
    return Unfit(
        failed(
            "structure",
            "a transform or canonicalisation is not on the list",
            "認められない変換または正規化です",
            SECTION,
        )
    )


def weak() -> Unfit:
    """An algorithm that is not on the list (B-05)."""
    return Unfit(
        failed(
            "algorithm",
            "a signature or digest algorithm is not on the list",
            "署名またはハッシュの方式が認められません",
            SECTION,
        )
    )


def unreadable() -> Unfit:
    """A part that is not written as the standard says."""
    return Unfit(
        failed("structure", "the signature cannot be read", "署名を読み取れません", SECTION)
    )


def crowd() -> Unfit:
    """More of something than is looked at (G9)."""
    return Unfit(
        failed(
            "structure",
            "there are more signatures or references than are looked at",
            "署名または参照の数が上限を超えています",
            "G9",
        )
    )


def unread(english: str, japanese: str) -> Unfit:
    """Something the standards allow and this version does not read."""
    return Unfit(unknown("structure", english, japanese, SECTION))


def no_signer() -> Unfit:
    """The signed properties and the certificates do not go together."""
    return Unfit(
        failed(
            "signer",
            "the certificate that the signature names is missing or another one",
            "署名が示す証明書がないか、一致しません",
            "EN 319 132-1 5.2.2",
        )
    )


def absent_signer() -> Unfit:
    """No certificate came along: who signed may still be found out."""
    return Unfit(
        unknown(
            "signer",
            "the signer's certificate did not come along",
            "署名者の証明書が含まれていません",
            "EN 319 132-1 5.2.2",
        )
    )


def order() -> Unfit:
    """Time-stamps stand in an order in which they cannot have been made."""
    return Unfit(
        failed(
            "structure",
            "the time-stamps are not in the order in which they are added",
            "タイムスタンプの順序が正しくありません",
            "EN 319 132-1 5.5.2",
        )
    )
