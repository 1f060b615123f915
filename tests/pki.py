"""A test HPKI: root, two authorities, cards good and bad, a time-stamp authority, a rogue twin.

Made once per process with `gateway.cli.demo_authority`. Nothing here reads the clock: everything
stands around `SIGNED` and is looked at from `NOW`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from types import SimpleNamespace

from asn1crypto import x509 as asn1
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from pyhanko.sign.signers import pdf_cms
from pyhanko.sign.timestamps import dummy_client

from gateway.cli import demo_authority as make
from gateway.cli.demo_authority import Extension, Issued
from gateway.demo import sign
from gateway.demo.page import one_page
from gateway.hpki.certificates import read_certificate
from gateway.hpki.policy import (
    AUTHENTICATION,
    SIGNING,
    SIGNING_TEST,
    Anchor,
    AnchorKind,
    SignaturePolicy,
    Trust,
)
from gateway.hpki.revocation import RevocationList, read_list

SIGNED = datetime(2026, 5, 1, 3, 0, tzinfo=UTC)
"When documents are signed and stamped."
NOW = datetime(2026, 6, 1, tzinfo=UTC)
"When they are verified."
BEFORE, AFTER = SIGNED - timedelta(days=3), SIGNED + timedelta(days=3)
CSV = "1,EP1\r\n2,見本花子\r\n".encode("cp932")
_BORN, _END = datetime(2020, 1, 1, tzinfo=UTC), datetime(2035, 12, 31, 14, 59, 59, tzinfo=UTC)
REVOKED, HELD = 901, 902
"Serial numbers for the revocation lists of tests."


@cache
def _key(der: bytes, password: bytes | None) -> PrivateKeyTypes:
    return serialization.load_der_private_key(der, password)


for _module in (dummy_client, pdf_cms):
    # pyHanko reads the key anew for each signature, and looks for its primes: 45 of 48 ms.
    vars(_module)["serialization"] = SimpleNamespace(
        **{**vars(serialization), "load_der_private_key": _key}
    )


@dataclass(frozen=True)
class Hierarchy:
    """A whole PKI, with the names of HPKI's parts."""

    root: Issued
    signing: Issued
    login: Issued
    tsa_root: Issued
    tsa: Issued
    key: make.Key
    "The key of every card; what differs is the certificate."

    def card(
        self,
        *extensions: Extension,
        role: str | None = "Medical Doctor",
        policy: str = SIGNING,
        usage: str = "content_commitment",
        issuer: Issued | None = None,
        serial: int = 100,
        since: datetime = datetime(2025, 1, 1, tzinfo=UTC),
        until: datetime = datetime(2029, 12, 31, 14, 59, 59, tzinfo=UTC),
        key: make.Key | None = None,
        digest: hashes.SHA256 | None = None,
    ) -> Issued:
        """A card; what is not said is as on a doctor's."""
        return make.issue(
            make.name("Taro Mihon", "MIHON HOSPITAL", "T0001"),
            key or self.key,
            issuer or self.signing,
            (
                make.usage(usage),
                make.policies(policy),
                *(() if role is None else (make.role(role),)),
                *extensions,
            ),
            serial=serial,
            since=since,
            until=until,
            digest=digest,
        )

    def crl(
        self,
        revoked: Sequence[tuple[int, datetime, x509.ReasonFlags]] = (),
        *,
        issuer: Issued | None = None,
        since: datetime = SIGNED - timedelta(hours=9),
        days: float = 4,
        scope: x509.IssuingDistributionPoint | None = None,
    ) -> RevocationList:
        """A list of the signing authority (or another), made just before `SIGNED`."""
        return read_list(
            make.revocation_list(
                issuer or self.signing,
                since=since,
                until=since + timedelta(days=days),
                revoked=revoked,
                scope=scope,
            ).public_bytes(Encoding.DER)
        )

    @property
    def sarl(self) -> RevocationList:
        return self.crl(issuer=self.root, scope=make.authorities_only(self.root)[1])

    @property
    def tsa_crl(self) -> RevocationList:
        return self.crl(issuer=self.tsa_root, days=3650)

    def trust(self, lists: Iterable[RevocationList] | None = None, *, tsa: bool = True) -> Trust:
        """Its authorities pinned, with the usual lists or the ones given."""
        if lists is None:
            lists = (self.crl(), self.sarl, self.tsa_crl)
        anchors = [Anchor(kind=AnchorKind.HPKI, certificate=parsed(self.root))]
        if tsa:
            anchors.append(Anchor(kind=AnchorKind.TSA, certificate=parsed(self.tsa_root)))
        return Trust(
            anchors=tuple(anchors),
            certificates=(parsed(self.signing), parsed(self.login)),
            crls=tuple(lists),
        )

    def stamp(self, moment: datetime = SIGNED, tsa: Issued | None = None) -> sign.Stamp:
        """The time-stamp authority with its clock at `moment`."""
        issued = tsa or self.tsa
        return sign.token_maker(issued.certificate, issued.key, moment)


def parsed(issued: Issued) -> asn1.Certificate:
    """The certificate as the room reads it."""
    return read_certificate(issued.der)


def _build(label: str) -> Hierarchy:
    root = make.issue(
        make.name(f"{label} Root"), make.rsa_key(), None, make.authority(),
        serial=1, since=_BORN, until=_END,
    )  # fmt: skip
    point, _ = make.authorities_only(root)
    signing, login = (
        make.issue(
            make.name(f"HPKI-01-{label}-{name}"), make.rsa_key(), root,
            (*make.authority(), make.policies(policy), make.points(point)),
            serial=serial, since=_BORN, until=_END,
        )
        for serial, name, policy in (
            (2, "forNonRepudiation", SIGNING),
            (3, "forAuthentication-forIndividual", AUTHENTICATION),
        )
    )  # fmt: skip
    tsa_root = make.issue(
        make.name(f"{label} TSA Root"), make.rsa_key(), None, make.authority(),
        serial=1, since=_BORN, until=_END,
    )  # fmt: skip
    tsa = stamper(tsa_root)
    return Hierarchy(root, signing, login, tsa_root, tsa, make.rsa_key())


def stamper(
    tsa_root: Issued,
    *extensions: Extension,
    serial: int = 7,
    since: datetime = _BORN,
    until: datetime = _END,
    key: make.Key | None = None,
) -> Issued:
    """A time-stamp authority; without extensions it is as it must be."""
    return make.issue(
        make.name("Mihon Time Stamp Service"),
        key or make.rsa_key(),
        tsa_root,
        extensions or (make.leaf(), make.usage("digital_signature"), make.stamping()),
        serial=serial,
        since=since,
        until=until,
    )


@cache
def hierarchy() -> Hierarchy:
    """The test HPKI."""
    return _build("Mihon")


@cache
def rogue() -> Hierarchy:
    """Another one with the same names: only the keys differ."""
    return _build("Mihon")


@cache
def doctor() -> Issued:
    """A doctor's signing card."""
    return hierarchy().card()


def cards() -> dict[str, Issued]:
    """Cards by what is wrong with them."""
    here, there = hierarchy(), rogue()
    return {
        "doctor": doctor(),
        "pharmacist": here.card(role="Pharmacist"),
        "no role": here.card(role=None),
        "unknown role": here.card(role="Wizard"),
        "foreign scheme": here.card(make.role("Medical Doctor", scheme="2.999.1"), role=None),
        "test card": here.card(policy=SIGNING_TEST),
        "foreign policy": here.card(policy="2.999.2"),
        "log-in card": here.card(policy=AUTHENTICATION, usage="digital_signature",
                                 issuer=here.login),
        "log-in policy": here.card(policy=AUTHENTICATION),
        "wrong usage": here.card(usage="digital_signature"),
        "web server": here.card(make.purposes(ExtendedKeyUsageOID.SERVER_AUTH)),
        "expired": here.card(since=datetime(2020, 1, 1, tzinfo=UTC),
                             until=datetime(2026, 3, 31, 14, 59, 59, tzinfo=UTC)),
        "not yet valid": here.card(since=datetime(2026, 5, 10, tzinfo=UTC)),
        "ends after signing": here.card(until=datetime(2026, 5, 10, 14, 59, 59, tzinfo=UTC)),
        "revoked": here.card(serial=REVOKED),
        "held": here.card(serial=HELD),
        "weak key": here.card(key=make.rsa_key(1024)),
        "rogue twin": there.card(),
        "rogue twin with copied key ids": here.card(
            issuer=Issued(here.signing.certificate, there.signing.key)
        ),
        "critical unknown": here.card(
            (x509.UnrecognizedExtension(x509.ObjectIdentifier("2.999.3"), b"\x05\x00"), True)
        ),
    }  # fmt: skip


def hand(card: Issued, *, chain: Sequence[Issued] | None = None) -> sign.Card:
    """A card and what its owner encloses: its authority's certificate."""
    enclosed = [hierarchy().signing] if chain is None else chain
    return sign.Card(
        certificate=card.certificate, key=card.key, chain=[one.certificate for one in enclosed]
    )


def prescription(
    card: Issued | None = None, stamped: datetime | None = SIGNED, csv: bytes = CSV
) -> bytes:
    """A signed e-prescription; `stamped` None leaves the time-stamp away."""
    stamp = None if stamped is None else hierarchy().stamp(stamped)
    return sign.prescription(csv, hand(card or doctor()), stamp, SIGNED)


def enveloped(content: bytes, card: Issued | None = None) -> bytes:
    """An XML document with an enveloped signature."""
    return sign.enveloped(content, hand(card or doctor()), hierarchy().stamp(), SIGNED)


def page(*lines: str) -> bytes:
    """An unsigned PDF."""
    return one_page(lines or ("診療情報提供書", "見本花子 様"))


def pdf(card: Issued | None = None, stamped: datetime | None = SIGNED) -> bytes:
    """A signed PDF."""
    tsa = hierarchy().tsa
    authority = None if stamped is None else sign.stamper(tsa.certificate, tsa.key, stamped)
    return sign.pades(page(), hand(card or doctor()), authority)


def policy(lists: Iterable[RevocationList] | None = None, **changes: object) -> SignaturePolicy:
    """What the tests accept: the test HPKI as if it were the real one."""
    return replace(SignaturePolicy(trust=hierarchy().trust(lists)), **changes)
