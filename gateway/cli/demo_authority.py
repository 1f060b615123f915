"""A certificate authority in a few functions: for the demo and the tests, never for real.

The gateway issues nothing in operation (SIG-02). Certificates made here have the shape of HPKI
ones, so that what reads them reads the real ones.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from gateway.hpki.hcrole import ACTOR, SCHEME

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
Extension = tuple[x509.ExtensionType, bool]
"An extension and whether it is critical."

SUBJECT_ATTRIBUTES = ObjectIdentifier("2.5.29.9")
_USAGES = (
    "digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
    "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate with its key."""

    certificate: x509.Certificate
    key: Key

    @property
    def pem(self) -> bytes:
        """The certificate in PEM."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def der(self) -> bytes:
        """The certificate in DER."""
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def key_pem(self) -> bytes:
        """The key in PEM, not encrypted."""
        return self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )

    @property
    def key_der(self) -> bytes:
        """The key in DER, not encrypted."""
        return self.key.private_bytes(
            serialization.Encoding.DER,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )


def rsa_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    """A new RSA key."""
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def ec_key() -> ec.EllipticCurvePrivateKey:
    """A new key on P-256."""
    return ec.generate_private_key(ec.SECP256R1())


def name(common: str, organisation: str = "Demo", serial: str = "") -> x509.Name:
    """A subject as HPKI authorities write it."""
    attributes = [
        x509.NameAttribute(NameOID.COUNTRY_NAME, "JP"),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation),
        x509.NameAttribute(NameOID.COMMON_NAME, common),
    ]
    if serial:
        attributes.append(x509.NameAttribute(NameOID.SERIAL_NUMBER, serial))
    return x509.Name(attributes)


def issue(
    subject: x509.Name,
    key: Key,
    issuer: Issued | None,
    extensions: Iterable[Extension],
    *,
    serial: int,
    since: datetime,
    until: datetime,
    digest: hashes.SHA256 | hashes.SHA384 | hashes.SHA512 | None = None,
) -> Issued:
    """A certificate for `key`; without issuer it signs itself."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(since)
        .not_valid_after(until)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
    )
    if issuer is not None:
        builder = builder.add_extension(authority_key(issuer), False)
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    signer = issuer.key if issuer else key
    return Issued(builder.sign(signer, digest or hashes.SHA256()), key)


def authority_key(issuer: Issued) -> x509.AuthorityKeyIdentifier:
    """The key identifier of an issuer, as its certificates and lists carry it."""
    held = issuer.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(held.value)


def usage(*names: str) -> Extension:
    """Key usage, critical; `content_commitment` is what others call nonRepudiation."""
    return x509.KeyUsage(**{one: one in names for one in _USAGES}), True


def authority(path_length: int | None = None) -> tuple[Extension, Extension]:
    """What makes a certificate an authority's."""
    return (
        (x509.BasicConstraints(ca=True, path_length=path_length), True),
        usage("key_cert_sign", "crl_sign"),
    )


def leaf() -> Extension:
    """What makes a certificate nobody's authority."""
    return x509.BasicConstraints(ca=False, path_length=None), True


def policies(*oids: str) -> Extension:
    """Certificate policies, critical as in HPKI."""
    found = [x509.PolicyInformation(ObjectIdentifier(oid), None) for oid in oids]
    return x509.CertificatePolicies(found), True


def purposes(*oids: ObjectIdentifier, critical: bool = False) -> Extension:
    """Extended key usage."""
    return x509.ExtendedKeyUsage(oids), critical


def stamping() -> Extension:
    """The one purpose of a time-stamp authority's certificate (RFC 3161 2.3)."""
    return purposes(ExtendedKeyUsageOID.TIME_STAMPING, critical=True)


def names(*hosts: x509.GeneralName) -> Extension:
    """Subject alternative names."""
    return x509.SubjectAlternativeName(hosts), False


def points(*places: x509.GeneralName) -> Extension:
    """Distribution points of the revocation list."""
    return (
        x509.CRLDistributionPoints(
            [x509.DistributionPoint([place], None, None, None) for place in places]
        ),
        False,
    )


def role(*texts: str, scheme: str = SCHEME) -> Extension:
    """The health-care roles (ISO 17090 hcRole), as the HPKI profile writes them."""
    actors = b"".join(
        _tlv(0x30, _tlv(0xA0, _tlv(0x31, _tlv(0xA0, _oid(scheme)) + _tlv(0xA2, _utf8(text)))))
        for text in sorted(texts)
    )
    attribute = _tlv(0x30, _oid(ACTOR) + _tlv(0x31, _tlv(0x31, actors)))
    return x509.UnrecognizedExtension(SUBJECT_ATTRIBUTES, _tlv(0x30, attribute)), False


def _tlv(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    digits = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(digits))) + digits + content


def _utf8(text: str) -> bytes:
    return _tlv(0x0C, text.encode())


def _oid(dotted: str) -> bytes:
    first, second, *rest = map(int, dotted.split("."))
    content = b""
    for arc in (first * 40 + second, *rest):
        digits = [arc & 0x7F]
        while arc := arc >> 7:
            digits.append(0x80 | arc & 0x7F)
        content += bytes(reversed(digits))
    return _tlv(0x06, content)


def revocation_list(
    issuer: Issued,
    *,
    since: datetime,
    until: datetime,
    number: int = 1,
    revoked: Sequence[tuple[int, datetime, x509.ReasonFlags]] = (),
    scope: x509.IssuingDistributionPoint | None = None,
    invalid_since: datetime | None = None,
) -> x509.CertificateRevocationList:
    """A complete revocation list of `issuer`; `invalid_since` is its entries' invalidityDate."""
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.certificate.subject)
        .last_update(since)
        .next_update(until)
        .add_extension(authority_key(issuer), False)
        .add_extension(x509.CRLNumber(number), False)
    )
    if scope is not None:
        builder = builder.add_extension(scope, True)
    for serial, moment, reason in revoked:
        entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(moment)
        if reason is not x509.ReasonFlags.unspecified:
            entry = entry.add_extension(x509.CRLReason(reason), False)
        if invalid_since is not None:
            entry = entry.add_extension(x509.InvalidityDate(invalid_since), False)
        builder = builder.add_revoked_certificate(entry.build())
    return builder.sign(issuer.key, hashes.SHA256())


def authorities_only(issuer: Issued) -> tuple[x509.DirectoryName, x509.IssuingDistributionPoint]:
    """The name and the scope of a list about authorities alone (SARL)."""
    place = x509.DirectoryName(
        x509.Name([*issuer.certificate.subject, x509.NameAttribute(NameOID.COMMON_NAME, "SARL")])
    )
    return place, _scope(place, authorities=True)


def users_only() -> x509.IssuingDistributionPoint:
    """The scope of a list about end entities alone."""
    return _scope(None, authorities=False)


def _scope(place: x509.GeneralName | None, *, authorities: bool) -> x509.IssuingDistributionPoint:
    return x509.IssuingDistributionPoint(
        full_name=[place] if place is not None else None,
        relative_name=None,
        only_contains_user_certs=not authorities,
        only_contains_ca_certs=authorities,
        only_some_reasons=None,
        indirect_crl=False,
        only_contains_attribute_certs=False,
    )


def years(count: int) -> timedelta:
    """Some years, more or less."""
    return timedelta(days=365 * count)
