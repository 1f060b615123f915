"""What this community accepts, as one frozen value (SIG-02)."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum

from asn1crypto import x509

from gateway.hpki import roles
from gateway.hpki.revocation import RevocationList
from gateway.hpki.roles import Role

SIGNING = "1.2.392.100495.1.5.1.1.3.1"
"Policy of HPKI signing certificates, production."
SIGNING_TEST = "1.2.392.100495.1.5.1.1.0.1"
"Policy that the authorities' test cards carry."
AUTHENTICATION = "1.2.392.100495.1.5.1.2.3.1"
"Policy of HPKI authentication certificates for persons: for log-in, never for documents."


class AnchorKind(Enum):
    """What an authority is trusted for."""

    HPKI = "hpki"
    TSA = "tsa"


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """One pinned authority."""

    kind: AnchorKind
    certificate: x509.Certificate
    since: datetime | None = None
    "First moment for which it is trusted; None means its own validity."
    until: datetime | None = None
    "Last moment for which it is trusted."
    test: bool = False
    "Trusted only where test cards are accepted."

    def covers(self, moment: datetime) -> bool:
        """Whether it is trusted for something that happened at `moment`."""
        since = self.since or self.certificate.not_valid_before
        until = self.until or self.certificate.not_valid_after
        return bool(since <= moment <= until)


@dataclass(frozen=True, slots=True)
class Retired:
    """A digest that counts only for what is proven to have been there by a day."""

    digest: str
    until: datetime


@dataclass(frozen=True, slots=True)
class Size:
    """The smallest RSA key, in bits, for what is there from a moment on."""

    bits: int
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ListSource:
    """Where a revocation list is fetched: an address or a file that the operator wrote (J-04)."""

    name: str
    "The address or the file name as it was written."
    remote: bool
    "Whether `name` is an address, http or https."
    issuer: x509.Certificate | None = None
    "Whose list it must be; None, for files only: any configured authority's."
    every: timedelta = timedelta(hours=6)
    "From one fetch to the next."
    alarm: timedelta | None = None
    "How long before the end of its window it is missed; None means half of the window."


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """Authorities, certificates that help to reach them, and revocation lists."""

    anchors: tuple[Anchor, ...] = ()
    certificates: tuple[x509.Certificate, ...] = ()
    "Intermediate certificates; not trusted by themselves."
    crls: tuple[RevocationList, ...] = ()
    retired: tuple[Retired, ...] = ()
    "Exceptions for old archives; none is shipped."
    sizes: tuple[Size, ...] = ()
    "Larger RSA keys that are demanded from a day on; none is shipped."
    roles: tuple[Role, ...] = ()
    "Rows that add to the role table, or take the place of its own."
    sources: tuple[ListSource, ...] = ()
    "Where lists are fetched; nowhere else."

    def __or__(self, other: "Trust") -> "Trust":
        """Both together, for example the shipped trust and the lists that were fetched."""
        return Trust(
            anchors=self.anchors + other.anchors,
            certificates=self.certificates + other.certificates,
            crls=self.crls + other.crls,
            retired=self.retired + other.retired,
            sizes=self.sizes + other.sizes,
            roles=roles.together(self.roles, other.roles),
            sources=self.sources + other.sources,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Algorithms:
    """What may be relied on today (J-02)."""

    digests: frozenset[str] = frozenset({"sha256", "sha384", "sha512"})
    signatures: frozenset[str] = frozenset({"rsassa_pkcs1v15", "rsassa_pss", "ecdsa"})
    curves: frozenset[str] = frozenset({"secp256r1", "secp384r1", "secp521r1"})
    smallest_rsa: int = 2048
    largest_rsa: int = 8192


@dataclass(frozen=True, slots=True, kw_only=True)
class SignaturePolicy:
    """Everything a verdict depends on besides the document and the moment."""

    trust: Trust
    policies: frozenset[str] = frozenset({SIGNING})
    "One of these must be valid for the whole path."
    test_policies: frozenset[str] = frozenset({SIGNING_TEST})
    "Looked for in the signer's certificate itself, and only where test cards are accepted."
    accept_test: bool = False
    "`[hpki] insecure_test_cards`, `--allow-test-cards`. Never in production (G13)."
    roles: tuple[Role, ...] = field(default_factory=roles.shipped)
    "The role table; the rows of `trust` come before it."
    timestamp_required: bool = False
    "Whether a signature without time-stamp is invalid (SIG-05)."
    crl_grace: timedelta = timedelta(0)
    "How long after its nextUpdate a revocation list still counts (J-03)."
    clock_skew: timedelta = timedelta(seconds=180)
    "How far ahead of us a time-stamp authority's clock may be."
    algorithms: Algorithms = field(default_factory=Algorithms)

    def anchors(self, kind: AnchorKind) -> tuple[Anchor, ...]:
        """The authorities that count for `kind` under this policy."""
        return tuple(
            anchor
            for anchor in self.trust.anchors
            if anchor.kind is kind and (self.accept_test or not anchor.test)
        )

    def allowed(self, moment: datetime | None = None) -> Algorithms:
        """What may be relied on for something that was there at `moment`; None: at any time."""
        found = self.algorithms
        old = {
            one.digest for one in self.trust.retired if moment is None or moment <= one.until
        } - found.digests
        if old:
            found = replace(found, digests=found.digests | old)
        if moment is not None:
            demanded = max((one.bits for one in self.trust.sizes if one.since <= moment), default=0)
            if demanded > found.smallest_rsa:
                found = replace(found, smallest_rsa=demanded)
        return found

    def role(self, text: str) -> Role | None:
        """The row of the role table with this text, to the letter."""
        table = roles.together(self.roles, self.trust.roles)
        return next((one for one in table if one.text == text), None)
