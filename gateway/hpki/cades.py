"""CAdES: signed CMS data, with its content inside or beside it (ETSI EN 319 122-1).

Every SignerInfo is one signature, judged by itself. A countersignature is over the value of the
signature that carries it; its maker is never the document's signer. The archive time-stamps are
read in `cades_archive`.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from asn1crypto import cms as asn1
from asn1crypto import core, x509

from gateway.errors import Malformed
from gateway.hpki import cades_archive, cades_elements, cades_values, cms
from gateway.hpki.cades_elements import Elements
from gateway.hpki.libraries import RAISED
from gateway.hpki.opened import Opened, Unfit, failed, passed, unknown
from gateway.hpki.policy import Algorithms
from gateway.hpki.wrapping import unwrap
from gateway.model.signature import Check

SECTION = "RFC 5652 5.4"
_NAMED = "EN 319 122-1 5.2.2"
_LEVELS = (
    ("LTA", {cades_archive.ARCHIVE}),
    ("A", cades_archive.ARCHIVES),
    ("X", {cades_archive.ESC_STAMP, cades_archive.REFERENCES_STAMP}),
    ("C", {cades_archive.CERTIFICATE_REFERENCES, cades_archive.REVOCATION_REFERENCES}),
)
_TROUBLE: tuple[type[BaseException], ...] = (*RAISED, Malformed)


class _Encapsulated(core.Sequence):  # type: ignore[misc]
    """The content as octets, whatever its type says that they are."""

    _fields = [  # noqa: RUF012 - asn1crypto's way
        ("content_type", core.ObjectIdentifier),
        ("content", core.OctetString, {"explicit": 0, "optional": True}),
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Content:
    """What is signed."""

    kind: str
    octets: bytes
    inside: bool


def open_signatures(
    content: bytes, allowed: Algorithms, detached: Mapping[str, bytes]
) -> tuple[Opened, ...]:
    """The signatures of a CMS object: one for each signer."""
    try:
        encoded = unwrap(content)
        signed = asn1.ContentInfo.load(encoded, strict=True)["content"]
        about = _content(signed, detached)
        signers = cms.read_signers(signed)
    except Unfit as unfit:
        return (Opened(form="CAdES", checks=(unfit.check,)),)
    except _TROUBLE:
        return (_unreadable(),)
    return tuple(
        _open(signer, about, allowed, partial(cades_elements.read, encoded, place))
        for place, signer in enumerate(signers)
    )


def content_inside(content: bytes) -> bytes:
    """The content of a CMS object that was verified before; raises `Malformed`."""
    try:
        object_ = asn1.ContentInfo.load(unwrap(content), strict=True)
        return _content(object_["content"], {}).octets
    except Unfit as unfit:
        raise Malformed(unfit.check.reason, unfit.check.japanese) from unfit
    except _TROUBLE as error:
        raise Malformed("not signed data", "署名データではありません") from error


def _content(signed: asn1.SignedData, detached: Mapping[str, bytes]) -> _Content:
    """The octets inside or beside; what is both inside and beside must be the same."""
    kind = signed["encap_content_info"]["content_type"].native
    held = _Encapsulated.load(signed["encap_content_info"].dump())["content"]
    beside = list(detached.values())
    if len(beside) > 1:
        raise Unfit(_strange("several contents are beside one signature", "内容が複数あります"))
    if isinstance(held, core.OctetString):
        octets = held.native
        if beside and beside[0] != octets:
            raise Unfit(_strange("the content beside it is not the one signed", _OTHER))
        return _Content(kind=kind, octets=octets, inside=True)
    if not beside:
        raise Unfit(
            unknown(
                "content",
                "the signed content is not in the file: hand it over beside it",
                "署名対象がファイルにありません。内容を併せて指定してください",
                "RFC 5652 5.2",
            )
        )
    return _Content(kind=kind, octets=beside[0], inside=False)


_OTHER = "併せて指定された内容は署名対象と異なります"


def _open(
    signer: cms.Signer, about: _Content, allowed: Algorithms, elements: Callable[[], Elements]
) -> Opened:
    """One signature, as far as it can be judged without trust."""
    try:
        helpers, lists = cades_values.enclosed(signer)
        referred = tuple(cades_values.referred(signer.info))
        certificate = _certificate(signer, helpers)
        known = cms.read_info(signer.signed, signer.info, (certificate, *signer.others))
        if cms.weakness(known, allowed):
            raise Unfit(_weak())
        _check_attributes(signer.info, about.kind)
        intact, valid = cms.is_intact(
            known, about.kind, lambda algorithm: hashlib.new(algorithm, about.octets).digest()
        )
        tokens = tuple(_tokens(signer.info))
        contents = cades_archive.content_stamps(signer.info, partial(_digest_of, about.octets))
        later = cades_archive.read(signer, about.octets, elements, inside=about.inside)
        countersigned = tuple(_countersignatures(signer, (*signer.others, *helpers), allowed))
        claimed = _claimed(signer.info)
    except Unfit as unfit:
        return Opened(form="CAdES", checks=(unfit.check,))
    except _TROUBLE:
        return _unreadable()
    sound = intact and valid
    return Opened(
        form="CAdES",
        checks=(_digest(intact), _value(valid), *later.checks),
        certificate=certificate,
        helpers=(*signer.others, *helpers),
        crls=lists,
        tokens=tokens,
        archives=later.archives,
        contents=contents,
        referred=referred,
        level=_level(signer.info, values=bool(lists)),
        countersigned=countersigned,
        digests=known.digests,
        claimed=claimed,
        covered=about.octets if sound else b"",
        covered_sha256=hashlib.sha256(about.octets).hexdigest() if sound else "",
        whole_document=False,
    )


def _level(info: asn1.SignerInfo, *, values: bool) -> str:
    """The level by what is there (EN 319 122-1 6; TS 101 733 4.4 for the older ones)."""
    kinds = {kind for kind, _, _ in cades_archive.attributes(info)}
    for level, wanted in _LEVELS:
        if kinds & wanted:
            return level
    if cades_archive.SIGNATURE_STAMP in kinds:
        return "LT" if values else "T"
    return "B"


def _certificate(signer: cms.Signer, helpers: tuple[x509.Certificate, ...]) -> x509.Certificate:
    """The signer's certificate, named by a signed attribute (EN 319 122-1 5.2.2)."""
    found = cms.read_info(signer.signed, signer.info, (*signer.others, *helpers)).certificate
    if found is None:
        raise Unfit(
            unknown(
                "signer",
                "the signer's certificate is not in the document",
                "署名者の証明書が文書にありません",
                "RFC 5652 5.1",
            )
        )
    named = cms.names_certificate(signer.info, found)
    if named is None:
        raise Unfit(
            failed(
                "signer",
                "no signed attribute names the signer's certificate",
                "署名証明書属性がありません",
                _NAMED,
            )
        )
    if not named:
        raise Unfit(
            failed(
                "signer",
                "the signing-certificate attribute names another certificate",
                "署名証明書属性が証明書と一致しません",
                _NAMED,
            )
        )
    return found


def _check_attributes(info: asn1.SignerInfo, kind: str) -> None:
    """Content type and digest are signed, each once (RFC 5652 11.1, 11.2)."""
    attributes = list(info["signed_attrs"] or ())
    kinds = [one["type"].native for one in attributes]
    if kinds.count("content_type") != 1 or kinds.count("message_digest") != 1:
        raise Unfit(
            failed(
                "signed-attributes",
                "content type and digest must be signed attributes, each once",
                "内容種別とハッシュ値の署名属性がないか、重複しています",
                "RFC 5652 11.1",
            )
        )
    if attributes[kinds.index("content_type")]["values"][0].native != kind:
        raise Unfit(
            failed(
                "signed-attributes",
                "the signed content type is another one",
                "署名された内容種別が異なります",
                "RFC 5652 11.1",
            )
        )


def _tokens(info: asn1.SignerInfo) -> Iterator[tuple[bytes, bytes]]:
    """Signature time-stamps, each over the signature value (EN 319 122-1 5.3)."""
    stamped = info["signature"].native
    for token in cades_archive.values(info, cades_archive.SIGNATURE_STAMP):
        yield token, stamped


def _countersignatures(
    signer: cms.Signer, known: tuple[x509.Certificate, ...], allowed: Algorithms
) -> Iterator[Opened]:
    """Signatures over the signature value (RFC 5652 11.4)."""
    values = list(cades_archive.values(signer.info, "1.2.840.113549.1.9.6"))
    if len(values) > cms.MOST_SIGNERS:
        raise Malformed("too many countersignatures")
    octets = signer.info["signature"].native
    for value in values:
        info = asn1.SignerInfo.load(value, strict=True)
        counter = cms.read_info(signer.signed, info, known)
        try:
            certificate = _certificate(counter, ())
            if cms.weakness(counter, allowed):
                raise Unfit(_weak())
            sound = cms.countersigns(counter, certificate, octets)
        except Unfit as unfit:
            yield Opened(form="CAdES", checks=(unfit.check,))
            continue
        yield Opened(
            form="CAdES",
            checks=(_value(sound),),
            certificate=certificate,
            helpers=known,
            tokens=tuple(_tokens(info)),
            contents=cades_archive.content_stamps(info, partial(_digest_of, octets)),
            digests=counter.digests,
            claimed=_claimed(info),
        )


def _digest_of(octets: bytes, algorithm: str) -> bytes:
    return hashlib.new(algorithm, octets).digest()


def _claimed(info: asn1.SignerInfo) -> datetime | None:
    """The signing time as claimed; nothing is proven by it."""
    for attribute in info["signed_attrs"] or ():
        if attribute["type"].native == "signing_time":
            time = attribute["values"][0].native
            return time if isinstance(time, datetime) and time.tzinfo is not None else None
    return None


def _digest(intact: bool) -> Check:
    return _either(
        "digest",
        intact,
        ("what is signed is unaltered", "署名対象は改変されていません"),
        ("what is signed was altered", "署名対象が改変されています"),
    )


def _value(valid: bool) -> Check:
    return _either(
        "signature",
        valid,
        ("the signature value verifies", "署名値は正しいです"),
        ("the signature value does not verify", "署名値が正しくありません"),
    )


def _either(name: str, holds: bool, good: tuple[str, str], bad: tuple[str, str]) -> Check:
    make: Callable[..., Check] = passed if holds else failed
    return make(name, *(good if holds else bad), SECTION)


def _strange(english: str, japanese: str) -> Check:
    return failed("content", english, japanese, "RFC 5652 5.2")


def _weak() -> Check:
    return failed(
        "algorithm",
        "a signature or digest algorithm is not on the list",
        "署名またはハッシュの方式が認められません",
        SECTION,
    )


def _unreadable() -> Opened:
    check = failed(
        "structure",
        "the signed CMS data cannot be read",
        "署名データを読み取れません",
        "RFC 5652 5",
    )
    return Opened(form="CMS", checks=(check,))
