"""A card at the door: whose it is, and whether it may log in now (SIG-01, SIG-02, SIG-04).

The TLS handshake proves that whoever holds the card's key is there; OpenSSL's own look at the
certificate is not enough, because it asks no policy and no revocation list (`hpki/LIBRARIES.md`
surprise 16). Everything is judged here again, as of now: nothing but a fresh list lets anybody in
(J-03).
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from asn1crypto import x509

from gateway.errors import Invalid, Malformed
from gateway.hpki import trustworthy
from gateway.hpki.certificates import names, read_certificate
from gateway.hpki.hcrole import read_roles
from gateway.hpki.opened import failed
from gateway.hpki.policy import SignaturePolicy
from gateway.hpki.purpose import LOGIN
from gateway.model.signature import Check, CheckOutcome

_SERIAL = "serial_number"
_CHAIN = 4
"Certificates that are taken of what the handshake brought."


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A card, known again by its issuer and the holder's number there.

    The number is opaque and unique with its issuer only (`hpki/README.md` section 3), and it
    outlives the certificate: a renewed card is the same holder's.
    """

    issuer: str
    "SHA-256 of the issuer's name in DER."
    number: str
    "serialNumber of the subject, or `sha256:…` of the certificate where it has none."
    subject: str
    "RFC 4514, for people."
    authority: str
    "The issuer's name, for people."
    certificate: str
    "SHA-256 of the certificate."

    @property
    def key(self) -> str:
        """What a card is bound by."""
        return f"{self.issuer}/{self.number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CardVerdict:
    """Whether a card may log in."""

    card: Card | None
    "None where the certificate cannot be read."
    checks: tuple[Check, ...]
    roles: tuple[str, ...] = ()
    "Health-care roles, as the certificate words them."
    policy: str = ""
    evidence: tuple[str, ...] = ()

    @property
    def accepted(self) -> bool:
        """Whether every check held; what is unknown lets nobody in."""
        return bool(self.checks) and all(
            check.outcome is CheckOutcome.PASSED for check in self.checks
        )

    @property
    def reason(self) -> Check | None:
        """The first check that did not hold."""
        return next((one for one in self.checks if one.outcome is not CheckOutcome.PASSED), None)


def read_card(certificate: bytes) -> Card:
    """The card that a certificate in DER belongs to; raises `Malformed`."""
    return _card(read_certificate(certificate))


def to_register(certificate: bytes) -> tuple[Card, tuple[str, ...]]:
    """The card of a log-in certificate with its health-care roles, for the secretariat's register.

    Raises `Malformed` where it cannot be read or states no role, `Invalid` where it is not for
    log-in. Path and revocation are judged whenever the card is used.
    """
    read = read_certificate(certificate)
    usage = trustworthy.usage(read, LOGIN)
    if usage.outcome is not CheckOutcome.PASSED:
        raise Invalid(usage.reason, usage.japanese, at="certificate", rule="SIG-01")
    return _card(read), tuple(role.text for role in read_roles(read))


def judge(
    certificate: bytes,
    policy: SignaturePolicy,
    *,
    policies: frozenset[str],
    test_policies: frozenset[str],
    at: datetime,
    helpers: Iterable[bytes] = (),
) -> CardVerdict:
    """The verdict on a certificate that a TLS client proved to hold; raises nothing on input.

    `policies` are the certificate policies of log-in cards, `test_policies` those of test cards,
    which count where `policy` accepts them. `helpers` are certificates the client sent beside.
    """
    try:
        read = read_certificate(certificate)
        card = _card(read)
        chain = tuple(read_certificate(one) for one in list(helpers)[:_CHAIN])
    except Malformed as error:
        return CardVerdict(
            card=None, checks=(failed("structure", error.english, error.japanese, "RFC 5280 4.1"),)
        )
    found = trustworthy.judge(
        read,
        chain,
        policy.trust.crls,
        replace(policy, policies=policies, test_policies=test_policies),
        at,
        at,
        purpose=LOGIN,
    )
    return CardVerdict(
        card=card,
        checks=found.checks,
        roles=tuple(role.text for role in found.roles),
        policy=found.policy,
        evidence=found.evidence,
    )


def _card(certificate: x509.Certificate) -> Card:
    subject, authority = names(certificate)
    sha256 = hashlib.sha256(certificate.dump()).hexdigest()
    numbers = [
        str(one["value"].native)
        for rdn in certificate.subject.chosen
        for one in rdn
        if one["type"].native == _SERIAL
    ]
    return Card(
        issuer=hashlib.sha256(certificate.issuer.dump()).hexdigest(),
        number=numbers[0] if len(numbers) == 1 and numbers[0].strip() else f"sha256:{sha256}",
        subject=subject,
        authority=authority,
        certificate=sha256,
    )
