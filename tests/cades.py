"""CAdES for the tests, built part by part, so that each part can be wrong."""

import hashlib
from collections.abc import Callable, Sequence
from datetime import datetime

from asn1crypto import algos, cms, core, tsp, x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from pyhanko.sign.general import as_signing_certificate_v2

from gateway.cli.demo_authority import Issued
from gateway.demo.sign import Stamp
from gateway.hpki import cades_archive, cades_values
from gateway.hpki.cades_values import Lists, RevocationValues
from tests import pki

TEXT = "紹介状\r\n".encode()
Attribute = tuple[str, list[object]]


def attribute(kind: str, *values: core.Asn1Value) -> cms.CMSAttribute:
    """An attribute by its type's OID or name, whether or not the library knows it."""
    held = cades_archive._Attribute(
        {
            "type": kind if kind[0].isdigit() else cms.CMSAttributeType(kind).dotted,
            "values": cades_archive._Values([core.Any.load(one.dump()) for one in values]),
        }
    )
    return cms.CMSAttribute.load(held.dump())


def named(card: Issued, *, version: int = 2, issuer: Issued | None = None) -> cms.CMSAttribute:
    """The signing-certificate attribute for a card; `issuer` writes another's name in it."""
    certificate = pki.parsed(card)
    if version == 2:
        value = as_signing_certificate_v2(certificate)
        if issuer is not None:
            value["certs"][0]["issuer_serial"] = _issuer_serial(issuer, certificate.serial_number)
        return attribute("signing_certificate_v2", value)
    whole = {
        "cert_hash": hashlib.sha1(certificate.dump(), usedforsecurity=False).digest(),
        "issuer_serial": _issuer_serial(issuer, certificate.serial_number)
        if issuer
        else {
            "issuer": x509.GeneralNames([x509.GeneralName("directory_name", certificate.issuer)]),
            "serial_number": certificate.serial_number,
        },
    }
    return attribute("signing_certificate", tsp.SigningCertificate({"certs": [whole]}))


def _issuer_serial(issuer: Issued, serial: int) -> tsp.IssuerSerial:
    name = x509.GeneralName("directory_name", pki.parsed(issuer).subject)
    return tsp.IssuerSerial({"issuer": x509.GeneralNames([name]), "serial_number": serial})


def signer_info(
    content: bytes,
    card: Issued,
    *,
    names: Sequence[cms.CMSAttribute] | None = None,
    digest: str = "sha256",
    content_type: str | None = "data",
    stamp: Stamp | None = None,
    extra: Sequence[cms.CMSAttribute] = (),
    claimed: datetime = pki.SIGNED,
) -> cms.SignerInfo:
    """One signer over `content`."""
    kinds = [] if content_type is None else [cms.ContentType(content_type)]
    attributes = [
        *(attribute("content_type", kind) for kind in kinds),
        attribute("message_digest", core.OctetString(hashlib.new(digest, content).digest())),
        attribute("signing_time", cms.Time({"utc_time": core.UTCTime(claimed)})),
        *((named(card),) if names is None else names),
        *extra,
    ]  # fmt: skip
    attributes.sort(key=lambda one: one.dump())
    signed = cms.CMSAttributes(attributes)
    algorithm = {"sha1": hashes.SHA1, "sha256": hashes.SHA256, "sha512": hashes.SHA512}[digest]
    value = card.key.sign(signed.dump(), padding.PKCS1v15(), algorithm())
    certificate = pki.parsed(card)
    info = cms.SignerInfo(
        {
            "version": "v1",
            "sid": cms.SignerIdentifier(
                "issuer_and_serial_number",
                cms.IssuerAndSerialNumber(
                    {"issuer": certificate.issuer, "serial_number": certificate.serial_number}
                ),
            ),
            "digest_algorithm": {"algorithm": digest},
            "signed_attrs": signed,
            "signature_algorithm": {"algorithm": f"{digest}_rsa"},
            "signature": value,
        }
    )
    if stamp is not None:
        token = cms.ContentInfo.load(stamp(value))
        add(info, attribute("signature_time_stamp_token", token))
    return info


def add(info: cms.SignerInfo, *attributes: cms.CMSAttribute) -> cms.SignerInfo:
    """Put unsigned attributes behind those that are there."""
    held = list(info["unsigned_attrs"] or ())
    info["unsigned_attrs"] = cms.CMSAttributes([*held, *attributes])
    return info


def signed_data(
    infos: Sequence[cms.SignerInfo],
    content: bytes | None = TEXT,
    *,
    certificates: Sequence[Issued] | None = None,
    crls: Sequence[bytes] = (),
    content_type: str = "data",
) -> cms.ContentInfo:
    """The CMS object around some signers; `content` None makes it detached."""
    if certificates is None:
        certificates = [pki.doctor(), pki.hierarchy().signing]
    signed = cms.SignedData(
        {
            "version": "v3",
            "digest_algorithms": [algos.DigestAlgorithm({"algorithm": "sha256"})],
            "encap_content_info": cms.EncapsulatedContentInfo({"content_type": content_type}),
            "signer_infos": list(infos),
        }
    )
    if certificates:
        signed["certificates"] = [
            cms.CertificateChoices("certificate", pki.parsed(one)) for one in certificates
        ]
    if content is not None:
        signed["encap_content_info"]["content"] = cms.ParsableOctetString(content)
    if crls:
        loaded = [cms.CertificateList.load(crl) for crl in crls]
        signed["crls"] = [cms.RevocationInfoChoice("crl", crl) for crl in loaded]
    return cms.ContentInfo({"content_type": "signed_data", "content": signed})


def enclosing(content: bytes, card: Issued | None = None, *, stamped: bool = True) -> bytes:
    """Content inside of a CAdES signature by a doctor, T or B (`.p7m`)."""
    signer = card or pki.doctor()
    stamp = pki.hierarchy().stamp(pki.SIGNED) if stamped else None
    info = signer_info(content, signer, stamp=stamp)
    return signed_data([info], content, certificates=[signer, pki.hierarchy().signing]).dump()


def cades(card: Issued | None = None, stamped: datetime | None = pki.SIGNED) -> bytes:
    """An attached CAdES signature over `TEXT`: T, or B without a stamp."""
    card = card or pki.doctor()
    stamp = None if stamped is None else pki.hierarchy().stamp(stamped)
    info = signer_info(TEXT, card, stamp=stamp)
    return signed_data([info], certificates=[card, pki.hierarchy().signing]).dump()


def values_of(certificates: Sequence[Issued], crls: Sequence[bytes]) -> list[cms.CMSAttribute]:
    """The certificate-values and revocation-values attributes (EN 319 122-1 A.1.1)."""
    held = Lists([core.Any.load(one.der) for one in certificates])
    lists = RevocationValues({"crls": Lists([core.Any.load(crl) for crl in crls])})
    return [
        attribute("1.2.840.113549.1.9.16.2.23", held),
        attribute("1.2.840.113549.1.9.16.2.24", lists),
    ]


def archived(
    object_: cms.ContentInfo,
    stamp: Stamp,
    content: bytes = TEXT,
    *,
    index: Callable[[cades_archive.Index], None] | None = None,
    version: int = 3,
) -> cms.ContentInfo:
    """The same with an archive time-stamp of version 3 around its first signer.

    `version` is the index's: 3 is by value, 2 and 1 by attribute, and 1 need not say SHA-256.
    """
    object_ = cms.ContentInfo.load(object_.dump())
    signed = object_["content"]
    info = signed["signer_infos"][0]

    def digests(parts: list[bytes]) -> list[core.OctetString]:
        return [core.OctetString(hashlib.sha256(part).digest()) for part in parts]

    held = cades_archive.Index(
        {
            "algorithm": {"algorithm": "sha256"},
            "certificates": digests([one.dump() for one in signed["certificates"] or ()]),
            "crls": digests([one.dump() for one in signed["crls"] or ()]),
            "values": digests(
                [k + v for _, k, v in cades_archive.attributes(info)]
                if version == 3
                else [one.dump() for one in cades_archive.whole_attributes(info["unsigned_attrs"])]
            ),
        }
    )
    if index is not None:
        index(held)
    if version == 1:
        held = cades_archive._OldIndex(
            {name: held[name] for name in ("certificates", "crls", "values")}
        )
    covered = b"".join(
        (
            signed["encap_content_info"]["content_type"].dump(),
            hashlib.sha256(content).digest(),
            *(
                info[part].dump()
                for part in (
                    "version", "sid", "digest_algorithm", "signed_attrs",
                    "signature_algorithm", "signature",
                )
            ),
            held.dump(),
        )
    )  # fmt: skip
    token = cms.ContentInfo.load(stamp(covered))
    kind = (*cades_archive.OLD_INDEXES, cades_archive.INDEX)[version - 1]
    add(token["content"]["signer_infos"][0], attribute(kind, held))
    token = cms.ContentInfo.load(token.dump())
    add(info, attribute(cades_archive.ARCHIVE, token))
    return cms.ContentInfo.load(object_.dump())


def archived_whole(
    object_: cms.ContentInfo,
    stamp: Stamp,
    *,
    beside: bytes = b"",
    tagged: bool = True,
    kind: str = "1.2.840.113549.1.9.16.2.48",
    place: int = 0,
) -> cms.ContentInfo:
    """The same with an archive time-stamp of version 2 (TS 101 733 6.4.1), step by step."""
    object_ = cms.ContentInfo.load(object_.dump())
    signed = object_["content"]
    info = signed["signer_infos"][place]
    unsigned = info["unsigned_attrs"]
    covered = [signed["encap_content_info"].dump(), beside]
    covered += [signed[part].dump() for part in ("certificates", "crls") if signed[part]]
    covered += [
        info[part].dump()
        for part in (
            "version", "sid", "digest_algorithm", "signed_attrs", "signature_algorithm",
            "signature",
        )
    ]  # fmt: skip
    if unsigned:
        covered.append(unsigned.dump() if tagged else unsigned.contents)
    token = cms.ContentInfo.load(stamp(b"".join(covered)))
    add(info, attribute(kind, token))
    return cms.ContentInfo.load(object_.dump())


def references_to(certificates: Sequence[bytes], crls: Sequence[bytes]) -> list[cms.CMSAttribute]:
    """The attributes that refer to certificates and lists (RFC 5126 6.2): C."""

    def id_of(der: bytes) -> dict[str, object]:
        value = {"algorithm": {"algorithm": "sha256"}, "value": hashlib.sha256(der).digest()}
        return {"digest": cades_values.OtherHash("other", value)}

    lists = [cades_values.CrlOcspRef({"crls": {"crls": [id_of(crl)]}}) for crl in crls]
    return [
        attribute(
            "1.2.840.113549.1.9.16.2.21",
            cades_values.CertificateReferences([id_of(one) for one in certificates]),
        ),
        attribute("1.2.840.113549.1.9.16.2.22", cades_values.RevocationReferences(lists)),
    ]


def stamped_references(info: cms.SignerInfo, stamp: Stamp, *, whole: bool = True) -> None:
    """Add a time-stamp over signature and references, or over references alone (RFC 5126 6.3)."""
    names = ["1.2.840.113549.1.9.16.2.21", "1.2.840.113549.1.9.16.2.22"]
    covered = b""
    if whole:
        covered = info["signature"].native
        names.insert(0, "1.2.840.113549.1.9.16.2.14")
    held = cades_archive.whole_attributes(cms.CMSAttributes(list(info["unsigned_attrs"])))
    for name in names:
        for one in held:
            if one["type"].dotted == name:
                covered += one["type"].dump() + one["values"].dump()
    kind = "1.2.840.113549.1.9.16.2.25" if whole else "1.2.840.113549.1.9.16.2.26"
    add(info, attribute(kind, cms.ContentInfo.load(stamp(covered))))
