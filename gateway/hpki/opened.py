"""What a format reader hands on: cryptography judged, trust not yet."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from asn1crypto import x509

from gateway.model.signature import Check, CheckOutcome, SignedFile

Digest = Callable[[str], bytes]
"The digest of what must be stamped, by the name of its algorithm; may raise one of `RAISED`."


class Reach(Enum):
    """What a later time-stamp proves to have been there."""

    EVERYTHING = "everything"
    "The signature and every time-stamp before it."
    SIGNATURE = "signature"
    "The signature and its signature time-stamps (XAdES-X, type 1)."
    NOTHING = "nothing"
    "Only references to certificates and lists (XAdES-X, type 2)."


@dataclass(frozen=True, slots=True)
class Referred:
    """A certificate or a revocation list that a signature refers to by digest (XAdES-C)."""

    kind: str
    "`certificate` or `list`."
    algorithm: str
    "Empty where it is not on the list of algorithms."
    digest: bytes


@dataclass(frozen=True, slots=True)
class Archive:
    """A time-stamp over more than the signature value, or over less.

    An archive or document time-stamp is over the signature and all that was there to judge it.
    """

    token: bytes
    "In DER or as it came."
    digest: Digest
    reach: Reach = Reach.EVERYTHING


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """One signature as its format reader found it."""

    form: str
    "`XAdES`, `PAdES`, or what it seems to be where it cannot be read: `XML`, `PDF`."
    checks: tuple[Check, ...]
    "Structure, digest, signature: what can be judged without trust."
    certificate: x509.Certificate | None = None
    "The certificate whose key made the signature; None where it could not be established."
    helpers: tuple[x509.Certificate, ...] = ()
    "Other certificates that came along; never trusted, only tried."
    crls: tuple[bytes, ...] = ()
    "Revocation lists that came along."
    tokens: tuple[tuple[bytes, bytes], ...] = ()
    "Signature time-stamp tokens in DER, each with the bytes that it must be over."
    archives: tuple[Archive, ...] = ()
    "Archive time-stamps, oldest first: each is judged at the time of the next one."
    contents: tuple[Archive, ...] = ()
    "Content time-stamps, among what is signed and over the rest of it: there before the signature."
    level: str = ""
    "`B`, `T`, `LT` or `LTA` where the reader knows; else it is told from the tokens."
    countersigned: tuple["Opened", ...] = ()
    "Signatures over this signature's value: never the document's signers."
    counters_archived: bool = False
    "Whether every archive time-stamp is over them, too."
    embedded: tuple["Opened", ...] = ()
    "Signatures inside of what this one signs; its time proves that they were there."
    referred: tuple[Referred, ...] = ()
    files: tuple[SignedFile, ...] = ()
    "Files beside the signature that it covers, or parts of the document where it has several."
    digests: frozenset[str] = frozenset()
    "Digests that the signature rests on, where its reader took retired ones too."
    claimed: datetime | None = None
    covered: bytes | memoryview = b""
    "A view of the file where it is the beginning of one."
    covered_sha256: str = ""
    "Where the covered bytes are not kept, because a later signature covers them too."
    whole_document: bool = False


class Unfit(Exception):
    """The document is not what its kind must be; carries the check that says so."""

    def __init__(self, check: Check) -> None:
        super().__init__(check.reason)
        self.check = check


def passed(name: str, english: str, japanese: str, section: str) -> Check:
    """A check that held."""
    return _check(name, CheckOutcome.PASSED, english, japanese, section)


def failed(name: str, english: str, japanese: str, section: str) -> Check:
    """A check that did not hold: the signature is invalid."""
    return _check(name, CheckOutcome.FAILED, english, japanese, section)


def unknown(name: str, english: str, japanese: str, section: str) -> Check:
    """A check that could not be made: the signature is unverifiable (RD-23)."""
    return _check(name, CheckOutcome.UNKNOWN, english, japanese, section)


def _check(name: str, outcome: CheckOutcome, english: str, japanese: str, section: str) -> Check:
    return Check(name=name, outcome=outcome, reason=english, japanese=japanese, section=section)
