"""Keys, a neighbour that issues assertions, and messages that carry them; for several rooms."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from lxml import etree

from conformance import saml
from gateway.wire import xml

NOW = datetime(2026, 11, 24, 9, 0, 0, tzinfo=UTC)
_MOMENT = ContextVar("moment", default=NOW)
AUDIENCE = "urn:oid:2.999.10.1"
NEIGHBOUR = "urn:oid:2.999.10.2"
STATEMENT = saml.Statement(
    audience=(AUDIENCE,), organization_id=NEIGHBOUR, home=NEIGHBOUR, subject="hanako"
)
ENVELOPE = """<env:Envelope xmlns:env="http://www.w3.org/2003/05/soap-envelope"><env:Header>
<wsa:Action xmlns:wsa="http://www.w3.org/2005/08/addressing">urn:x</wsa:Action></env:Header>
<env:Body><query xmlns="urn:q" id="q1"/></env:Body></env:Envelope>"""


def moment() -> datetime:
    """When assertions are issued: `NOW`, or what `issued_at` says."""
    return _MOMENT.get()


@contextmanager
def issued_at(at: datetime) -> Iterator[None]:
    """Issue assertions at another moment, for a verifier with a running clock."""
    token = _MOMENT.set(at)
    try:
        yield
    finally:
        _MOMENT.reset(token)


def certificate(
    key: saml.Key,
    name: str = "assertions",
    *,
    start: datetime = datetime(2020, 1, 1, tzinfo=UTC),
    end: datetime = datetime(2049, 12, 31, tzinfo=UTC),
    usage: x509.KeyUsage | None = None,
) -> x509.Certificate:
    """A self-signed certificate."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
    )
    if usage is not None:
        builder = builder.add_extension(usage, critical=True)
    return builder.sign(key, hashes.SHA256())


@cache
def rsa_key(number: int = 0, bits: int = 2048) -> rsa.RSAPrivateKey:
    """One of a few RSA keys, made once for each test process."""
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


@cache
def neighbour(name: str = NEIGHBOUR, number: int = 0) -> saml.Issuer:
    """An issuer with its own RSA key."""
    key = rsa_key(number)
    return saml.Issuer(name=name, key=key, certificate=certificate(key))


@cache
def ec_neighbour() -> saml.Issuer:
    """The neighbour with a P-256 key."""
    key = ec.generate_private_key(ec.SECP256R1())
    return saml.Issuer(name=NEIGHBOUR, key=key, certificate=certificate(key))


def pem(issuer: saml.Issuer) -> bytes:
    """The issuer's certificate as PEM."""
    assert issuer.certificate is not None
    return issuer.certificate.public_bytes(Encoding.PEM)


def statement(**changes: object) -> saml.Statement:
    """The usual statement with something else."""
    return replace(STATEMENT, **changes)  # type: ignore[arg-type]


def signed(
    stated: saml.Statement = STATEMENT, issuer: saml.Issuer | None = None, **options: str
) -> etree._Element:
    """A signed assertion of the neighbour."""
    by = issuer or neighbour()
    return saml.sign(saml.build(by.name, stated, moment()), by, **options)


def message(*tokens: etree._Element) -> tuple[etree._Element | None, etree._Element]:
    """Security header and envelope, after the bytes were read by the gateway's own entry."""
    root = etree.fromstring(ENVELOPE)
    if tokens:
        root[0].append(saml.security(*(deepcopy(token) for token in tokens)))
    return parsed(etree.tostring(root))


def parsed(content: bytes) -> tuple[etree._Element | None, etree._Element]:
    """Security header and envelope of these bytes."""
    envelope = xml.parse(content)
    return xml.maybe(envelope, "env:Header/wsse:Security"), envelope
