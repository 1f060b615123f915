"""Validation data of CAdES: what a signature encloses for the long term, and what it refers to.

EN 319 122-1 5.4 and annex A.1, RFC 5126 6.2 and 6.3. None of it is trusted: it is only tried.
"""

from collections.abc import Iterator
from itertools import islice

from asn1crypto import algos, core, x509
from asn1crypto import cms as asn1

from gateway.hpki import cades_archive, cms
from gateway.hpki.cades_archive import CERTIFICATE_REFERENCES, REVOCATION_REFERENCES, attributes
from gateway.hpki.certificates import readable
from gateway.hpki.libraries import RAISED
from gateway.hpki.opened import Referred

_MOST = 30
_CERTIFICATES = "1.2.840.113549.1.9.16.2.23"
_REVOCATIONS = "1.2.840.113549.1.9.16.2.24"
_DIGESTS = {"sha256", "sha384", "sha512"}
_STAMPS = {
    cades_archive.SIGNATURE_STAMP, cades_archive.ESC_STAMP, cades_archive.REFERENCES_STAMP,
    *cades_archive.ARCHIVES,
}  # fmt: skip


class Lists(core.SequenceOf):  # type: ignore[misc]
    """Certificates or lists, as they are encoded."""

    _child_spec = core.Any


class RevocationValues(core.Sequence):  # type: ignore[misc]
    """EN 319 122-1 A.1.1.2; HPKI has no OCSP, so only the lists are read."""

    _fields = [  # noqa: RUF012
        ("crls", Lists, {"explicit": 0, "optional": True}),
        ("ocsp", core.Any, {"explicit": 1, "optional": True}),
        ("other", core.Any, {"explicit": 2, "optional": True}),
    ]


class OtherHashValue(core.Sequence):  # type: ignore[misc]
    """OtherHashAlgAndValue (RFC 5126 5.8.1)."""

    _fields = [("algorithm", algos.DigestAlgorithm), ("value", core.OctetString)]  # noqa: RUF012


class OtherHash(core.Choice):  # type: ignore[misc]
    """A digest: by SHA-1 where no algorithm is said."""

    _alternatives = [("sha1", core.OctetString), ("other", OtherHashValue)]  # noqa: RUF012


class OtherCertId(core.Sequence):  # type: ignore[misc]
    """OtherCertID (RFC 5126 6.2.1)."""

    _fields = [("digest", OtherHash), ("issuer", core.Any, {"optional": True})]  # noqa: RUF012


class CertificateReferences(core.SequenceOf):  # type: ignore[misc]
    """CompleteCertificateRefs (RFC 5126 6.2.1)."""

    _child_spec = OtherCertId


class _ListIds(core.SequenceOf):  # type: ignore[misc]
    _child_spec = OtherCertId  # CrlValidatedID has the same form


class CrlListId(core.Sequence):  # type: ignore[misc]
    """CRLListID (RFC 5126 6.2.2)."""

    _fields = [("crls", _ListIds)]  # noqa: RUF012


class CrlOcspRef(core.Sequence):  # type: ignore[misc]
    """What one certificate of the path was checked with (RFC 5126 6.2.2)."""

    _fields = [  # noqa: RUF012
        ("crls", CrlListId, {"explicit": 0, "optional": True}),
        ("ocsp", core.Any, {"explicit": 1, "optional": True}),
        ("other", core.Any, {"explicit": 2, "optional": True}),
    ]


class RevocationReferences(core.SequenceOf):  # type: ignore[misc]
    """CompleteRevocationRefs (RFC 5126 6.2.2)."""

    _child_spec = CrlOcspRef


def enclosed(signer: cms.Signer) -> tuple[tuple[x509.Certificate, ...], tuple[bytes, ...]]:
    """Certificates and revocation lists of a signature; raises one of `RAISED` or `Malformed`."""
    certificates = readable(
        one.dump()
        for value in cades_archive.values(signer.info, _CERTIFICATES)
        for one in list(Lists.load(value))[:_MOST]
    )
    lists = [*_lists(signer.signed, signer.info)]
    for kind, _, token in attributes(signer.info):
        if kind in _STAMPS:
            lists.extend(_lists_of(token))
    return tuple(islice(certificates, _MOST)), tuple(dict.fromkeys(lists[:_MOST]))


def _lists(signed: asn1.SignedData, info: asn1.SignerInfo) -> Iterator[bytes]:
    for one in list(signed["crls"] or ())[:_MOST]:
        yield one.chosen.dump()
    for value in cades_archive.values(info, _REVOCATIONS):
        held = RevocationValues.load(value)["crls"]
        if isinstance(held, Lists):
            yield from (one.dump() for one in list(held)[:_MOST])


def _lists_of(token: bytes) -> list[bytes]:
    """Lists in a time-stamp token: there before it was stamped itself (TS 101 733 6.4.1)."""
    try:
        signed = asn1.ContentInfo.load(token)["content"]
        return [one for info in signed["signer_infos"] for one in _lists(signed, info)]
    except RAISED:
        return []  # the token will be judged


def referred(info: asn1.SignerInfo) -> Iterator[Referred]:
    """Certificates and lists that a signature refers to; raises one of `RAISED`."""
    for kind, _, value in attributes(info):
        if kind == CERTIFICATE_REFERENCES:
            for one in list(CertificateReferences.load(value, strict=True))[:_MOST]:
                yield _referred("certificate", one)
        elif kind == REVOCATION_REFERENCES:
            for one in list(RevocationReferences.load(value, strict=True))[:_MOST]:
                if isinstance(one["crls"], CrlListId):
                    for crl in list(one["crls"]["crls"])[:_MOST]:
                        yield _referred("list", crl)
                for name in ("ocsp", "other"):
                    if not isinstance(one[name], core.Void):
                        yield Referred("list", "", b"")  # nothing of ours can be that


def _referred(kind: str, one: OtherCertId) -> Referred:
    held = one["digest"].chosen
    if not isinstance(held, OtherHashValue):
        return Referred(kind, "", held.native)
    algorithm = str(held["algorithm"]["algorithm"].native)
    return Referred(kind, algorithm if algorithm in _DIGESTS else "", held["value"].native)
