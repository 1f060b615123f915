"""What a card's certificate is for: each serves one purpose and is refused for the other (SIG-01).

HPKI fact sheet sections 2 and 3: a signing certificate has nonRepudiation alone, one for log-in
digitalSignature alone, and their policies differ. Extended key usages are absent from signing
certificates; whether log-in certificates carry clientAuth differs, so both are taken.
"""

from dataclasses import dataclass

from gateway.hpki.policy import AUTHENTICATION, SIGNING

_ANY = "any_extended_key_usage"


@dataclass(frozen=True, slots=True, kw_only=True)
class Purpose:
    """One use of a certificate, and the words for who has it and who has not."""

    usage: str
    "Key usage bit that the certificate must have."
    excluded: frozenset[str]
    "Key usage bits that it must not have."
    extended: frozenset[str]
    "Extended key usages of which it must have one, where it has any."
    other: str
    "Policy of the certificates that are for the other purpose."
    fits: tuple[str, str]
    unfit: tuple[str, str]
    wrong: tuple[str, str]
    "Where the certificate is for the other purpose."
    policy: tuple[str, str]
    "Where the path holds for the policy."
    no_policy: tuple[str, str]


_AUTHORITY = frozenset({"key_cert_sign", "crl_sign"})
DOCUMENTS = Purpose(
    usage="non_repudiation",
    excluded=_AUTHORITY,
    extended=frozenset({_ANY, "email_protection", "1.3.6.1.5.5.7.3.36"}),
    other=AUTHENTICATION,
    fits=("the certificate is for signing documents", "署名用の鍵です"),
    unfit=(
        "the certificate is not for signing documents",
        "文書に署名するための証明書ではありません",
    ),
    wrong=(
        "a certificate for log-in, not for documents",
        "認証用の証明書であり、文書の署名には使えません",
    ),
    policy=("the path is valid for the signing policy", "署名用の証明書ポリシーです"),
    no_policy=(
        "the path is not valid for the signing policy",
        "署名用の証明書ポリシーではありません",
    ),
)
LOGIN = Purpose(
    usage="digital_signature",
    excluded=_AUTHORITY | {"non_repudiation"},
    extended=frozenset({_ANY, "client_auth"}),
    other=SIGNING,
    fits=("the certificate is for log-in", "認証用の鍵です"),
    unfit=("the certificate is not for log-in", "ログインするための証明書ではありません"),
    wrong=(
        "a certificate for signing documents, not for log-in",
        "署名用の証明書であり、ログインには使えません",
    ),
    policy=("the path is valid for the authentication policy", "認証用の証明書ポリシーです"),
    no_policy=(
        "the path is not valid for the authentication policy",
        "認証用の証明書ポリシーではありません",
    ),
)
