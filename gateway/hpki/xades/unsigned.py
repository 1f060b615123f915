"""What was added to a signature after signing: time-stamps, and the data to judge them by.

EN 319 132-1 5.3 to 5.5 and annex A; TS 101 903 7.3 to 7.7 and 8. None of it is trusted: tokens are
judged, certificates and lists are tried. Every time-stamp is over what stands before it, so their
order is part of what they say: signature time-stamps, those over references, archive time-stamps.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from asn1crypto import x509
from lxml import etree

from gateway.errors import Malformed
from gateway.hpki.certificates import decode_base64, readable
from gateway.hpki.opened import Archive, Reach, Referred, Unfit
from gateway.hpki.xades import archive, refusals, stamps
from gateway.hpki.xades.canonical import canonical
from gateway.hpki.xades.names import DIGESTS, DS, XADES, XADES141
from gateway.hpki.xades.places import Parts
from gateway.hpki.xades.references import Reference

_MOST = 100
"Certificates, lists and references looked at in one signature."
_SIGNATURE = f"{XADES}SignatureTimeStamp"
_ARCHIVES = (f"{XADES}ArchiveTimeStamp", f"{XADES141}ArchiveTimeStamp")
_REFERENCES = {
    f"{XADES}CompleteCertificateRefs", f"{XADES}CompleteRevocationRefs",
    f"{XADES}AttributeCertificateRefs", f"{XADES}AttributeRevocationRefs",
}  # fmt: skip
_REFERENCES_V2 = {
    f"{XADES141}CompleteCertificateRefsV2", f"{XADES}CompleteRevocationRefs",
    f"{XADES141}AttributeCertificateRefsV2", f"{XADES}AttributeRevocationRefs",
}  # fmt: skip
_OVER = {
    # annex A.1.5 and TS 101 903 7.5: what is stamped, and what that proves
    f"{XADES}SigAndRefsTimeStamp": ({_SIGNATURE, *_REFERENCES}, Reach.SIGNATURE),
    f"{XADES141}SigAndRefsTimeStampV2": ({_SIGNATURE, *_REFERENCES_V2}, Reach.SIGNATURE),
    f"{XADES}RefsOnlyTimeStamp": (_REFERENCES, Reach.NOTHING),
    f"{XADES141}RefsOnlyTimeStampV2": (_REFERENCES_V2, Reach.NOTHING),
}
_ORDER = {_SIGNATURE: 0, **dict.fromkeys(_OVER, 1), **dict.fromkeys(_ARCHIVES, 2)}
_UNREAD = f"{XADES141}RenewedDigests"
"Withdrawn (EN 319 132-1 A.2.2); it counts the references of the lists instead of naming them."


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsigned:
    """The unsigned properties, read."""

    tokens: tuple[tuple[bytes, bytes], ...] = ()
    archives: tuple[Archive, ...] = ()
    referred: tuple[Referred, ...] = ()
    level: str = "BES"
    counters_archived: bool = False


def read(
    parts: Parts,
    references: tuple[Reference, ...],
    octets: tuple[bytes | None, ...],
    files: Mapping[str, bytes],
) -> Unsigned:
    """Every time-stamp with what it must be over; raises `Unfit` where their order is wrong."""
    if parts.unsigned is None:
        return Unsigned()
    properties = [child for child in parts.unsigned if isinstance(child.tag, str)]
    containers = [child for child in properties if child.tag in _ORDER]
    if len(containers) > _MOST:
        raise refusals.crowd()
    places = [_ORDER[str(stamp.tag)] for stamp in containers]
    if places != sorted(places):
        raise refusals.order()
    if any(child.tag == _UNREAD for child in properties):
        raise refusals.unread(
            "renewed digests of the withdrawn form are not read by this version, but those of V2",
            "廃止された形式のハッシュ更新（RenewedDigests）は読み取れません（V2 のみ対応）",
        )
    tokens: list[tuple[bytes, bytes]] = []
    archives: list[Archive] = []
    for stamp in containers:
        held = stamps.read(stamp)
        token, method, prefixes = held.token, held.method, held.prefixes
        before = properties[: properties.index(stamp)]
        if stamp.tag == _SIGNATURE:
            tokens.extend(_over_value(parts, one, method, prefixes) for one in held.tokens)
        elif stamp.tag in _OVER:
            names, reach = _OVER[str(stamp.tag)]
            covered = [one for one in before if one.tag in names]
            start = [parts.value] if reach is Reach.SIGNATURE else []
            over = archive.Imprint(method=method, prefixes=prefixes, elements=(*start, *covered))
            archives.append(Archive(token, over.digest, reach=reach))
        else:
            over = archive.imprint(
                parts, references, octets, files, before, method, prefixes,
                newer=stamp.tag == _ARCHIVES[1],
            )  # fmt: skip
            archives.append(Archive(token, over.digest))
    return Unsigned(
        tokens=tuple(tokens),
        archives=tuple(archives),
        referred=tuple(_referred(properties)),
        level=_level(properties),
        counters_archived=_behind(properties),
    )


def _over_value(
    parts: Parts, token: bytes, method: str | None, prefixes: tuple[str, ...]
) -> tuple[bytes, bytes]:
    """A signature time-stamp: over the signature value (EN 319 132-1 5.3)."""
    try:
        return token, canonical(parts.value, method, prefixes)
    except Unfit:
        return b"", b""


def _behind(properties: list[etree._Element]) -> bool:
    """Whether archive time-stamps stand behind every countersignature, and so are over them."""
    tags = [str(one.tag) for one in properties]
    counters = [place for place, tag in enumerate(tags) if tag == f"{XADES}CounterSignature"]
    archives = [place for place, tag in enumerate(tags) if tag in _ARCHIVES]
    return bool(counters and archives) and max(counters) < min(archives)


def _level(properties: list[etree._Element]) -> str:
    names = {str(one.tag) for one in properties}
    if names & set(_ARCHIVES):
        return "A"
    if names & set(_OVER):
        return "X"
    if names & {*_REFERENCES, *_REFERENCES_V2}:
        return "C"
    return "T" if _SIGNATURE in names else "BES"


def _referred(properties: list[etree._Element]) -> Iterator[Referred]:
    """Certificates and revocation data that the signature refers to by digest (annex A.1.1)."""
    count = 0
    for one in properties:
        if one.tag not in _REFERENCES | _REFERENCES_V2:
            continue
        for element in one.iter(f"{XADES}CertDigest", f"{XADES}DigestAlgAndValue"):
            count += 1
            if count > _MOST:
                raise refusals.crowd()
            kind = "certificate" if element.tag == f"{XADES}CertDigest" else "list"
            method = element.find(f"{DS}DigestMethod")
            algorithm = DIGESTS.get("" if method is None else method.get("Algorithm") or "", "")
            try:
                digest = decode_base64(element.findtext(f"{DS}DigestValue"))
            except Malformed:
                digest = b""
            yield Referred(kind, algorithm, digest)


def certificates(parts: Parts) -> tuple[x509.Certificate, ...]:
    """Certificates among the unsigned properties; what cannot be read helps nobody."""
    return tuple(readable(_values(parts.unsigned, f"{XADES}EncapsulatedX509Certificate")))


def lists(parts: Parts) -> tuple[bytes, ...]:
    """Revocation lists among the unsigned properties."""
    return tuple(_values(parts.unsigned, f"{XADES}EncapsulatedCRLValue"))


def _values(parent: etree._Element | None, name: str) -> Iterator[bytes]:
    """Base64 values anywhere below `parent`, each once, up to a limit."""
    found: set[bytes] = set()
    for element in () if parent is None else parent.iter(name):
        if len(found) == _MOST:
            return
        try:
            value = decode_base64(element.text)
        except Malformed:
            continue
        if value not in found:
            found.add(value)
            yield value
