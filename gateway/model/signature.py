"""The verdict on a document's signatures: one value, stored, shown and repeatable (SIG-06)."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from gateway.model.evidence import Evidence


class Indication(Enum):
    """The three verdicts; `UNVERIFIABLE` is never treated as verified (RD-23)."""

    VERIFIED = "verified"
    INVALID = "invalid"
    UNVERIFIABLE = "unverifiable"


class CheckOutcome(Enum):
    """Outcome of one check."""

    PASSED = "passed"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class HcRole:
    """The health-care role a certificate states (ISO 17090 hcRole)."""

    text: str
    "As written: `Medical Doctor`, `Pharmacist` …; compared exactly."
    scheme: str = "1.2.392.100495.1.6.1.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check with its outcome and reason."""

    name: str
    "`structure`, `digest`, `signature`, `path`, `policy`, `revocation`, `key-usage`, `role` …"
    outcome: CheckOutcome
    reason: str
    "English, one sentence, no personal data."
    section: str = ""
    "The standard's section, e.g. `RFC 5280 6.1.3`."
    japanese: str = ""
    "The reason in Japanese, for people."

    def as_json(self) -> dict[str, Any]:
        """The check as `INTERFACES.md` section 7 names it."""
        return {
            "name": self.name,
            "outcome": self.outcome.value,
            "reason": self.reason,
            "reason_ja": self.japanese or self.reason,
            "section": self.section,
        }


class Basis(Enum):
    """What the moment rests on for which a signature is judged."""

    PROVEN = "proven"
    "A time-stamp that counts."
    RECEIVED = "received"
    "Our own reception."
    VERIFIED = "verified"
    "Nothing earlier than the verification itself."


@dataclass(frozen=True, slots=True, kw_only=True)
class Revocation:
    """A revocation that a list states, held against the moment that counts (RFC 5280 5.3)."""

    authority: bool
    "Whether an authority of the path was revoked, and not the signer."
    since: datetime | None
    "From when it counts: the earlier of `stated` and `invalid_since`; None means from ever."
    stated: datetime
    "revocationDate of the entry."
    invalid_since: datetime | None
    "invalidityDate of the entry (RFC 5280 5.3.2)."
    reason: str
    "As RFC 5280 5.3.1 names it."
    made: datetime
    "thisUpdate of the list: before it nobody could know."
    list_sha256: str
    moment: datetime
    "The moment that counts for the signature."
    basis: Basis

    @property
    def harms(self) -> bool:
        """Whether it counts at that moment."""
        return self.since is None or self.since <= self.moment

    def as_json(self) -> dict[str, Any]:
        """As `gateway verify --json` prints it."""
        return {
            "authority": self.authority,
            "since": self.since.isoformat() if self.since else None,
            "revocation_date": self.stated.isoformat(),
            "invalidity_date": self.invalid_since.isoformat() if self.invalid_since else None,
            "reason": self.reason,
            "list": {"sha256": self.list_sha256, "made": self.made.isoformat()},
            "moment": self.moment.isoformat(),
            "basis": self.basis.value,
            "harms": self.harms,
        }


@dataclass(frozen=True, slots=True)
class SignedFile:
    """A file that a signature covers, or one of several parts of a document."""

    name: str
    "As the signature calls it; a part by its id, with `#`."
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """The verdict on one signature."""

    format: str
    "`XAdES-BES`, `XAdES-T`, `PAdES-B`, `PAdES-T` …"
    indication: Indication
    checks: tuple[Check, ...]
    subject: str = ""
    serial: str = ""
    issuer: str = ""
    "Who issued the signer's certificate (RFC 4514)."
    role: HcRole | None = None
    "The first of `roles`."
    roles: tuple[HcRole, ...] = ()
    "Every role that the certificate states; today's cards state one."
    policy: str = ""
    "Certificate policy that was accepted."
    claimed: datetime | None = None
    "Signing time as the signer claims it."
    proven: datetime | None = None
    "Time proven by a trusted time-stamp."
    not_before: datetime | None = None
    "Time of a trusted time-stamp that is among what is signed: it was signed later than that."
    covered_sha256: str = ""
    "SHA-256 of the bytes that the signature covers."
    octets: bytes | memoryview = b""
    "Those bytes, or a view of the file that begins with them."
    whole_document: bool = False
    files: tuple[SignedFile, ...] = ()
    "What is covered beside the document, or of it where it is several things."
    embedded: "tuple[Signature, ...]" = ()
    "Signatures inside of what this one signs: not of this document's signers."
    countersignatures: "tuple[Signature, ...]" = ()
    "Signatures over this one's value: not of this document's signers."
    evidence: tuple[str, ...] = ()
    "SHA-256 of each certificate, CRL and token that was used."
    revocation: Revocation | None = None
    "What a list says of the signer or an authority, before or after the moment that counts."

    @property
    def covered(self) -> bytes:
        """What callers use from here on; the original is dropped (J-06). A view is copied."""
        return bytes(self.octets)

    def as_json(self) -> dict[str, Any]:
        """The signature as `INTERFACES.md` section 7 names it, and what is about it or inside."""
        told: dict[str, Any] = {
            "format": self.format,
            "verdict": self.indication.value,
            "signer": {
                "subject": self.subject,
                "serial": self.serial,
                "issuer": self.issuer,
                "role": self.role.text if self.role else None,
                "roles": [role.text for role in self.roles],
            },
            "policy": self.policy or None,
            "times": {
                "claimed": self.claimed.isoformat() if self.claimed else None,
                "proven": self.proven.isoformat() if self.proven else None,
            },
            "covered": {
                "sha256": self.covered_sha256 or None,
                "whole_document": self.whole_document,
            },
            "checks": [check.as_json() for check in self.checks],
            "evidence": list(self.evidence),
        }
        if self.not_before is not None:
            told["times"]["not_before"] = self.not_before.isoformat()
        if self.revocation is not None:
            told["revocation"] = self.revocation.as_json()
        if self.files:
            told["covered"]["files"] = [
                {"name": one.name, "sha256": one.sha256} for one in self.files
            ]
        for key, inner in (
            ("embedded", self.embedded),
            ("countersignatures", self.countersignatures),
        ):
            if inner:
                told[key] = [one.as_json() for one in inner]
        return told


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureReport:
    """What verification found; filing a document demands one (`record.documents.file`)."""

    file_sha256: str
    indication: Indication
    signatures: tuple[Signature, ...]
    "Empty for an unsigned document."
    verified_at: datetime
    received: datetime | None = None
    "When it came to us, where the caller said so."
    evidence: tuple[Evidence, ...] = ()
    "What the verdict rests on, with its bytes: to be kept with the report (SIG-06)."

    @property
    def signed(self) -> bool:
        """Whether there was any signature at all."""
        return bool(self.signatures)

    @property
    def passed(self) -> bool:
        """Whether every signature verified, and there was one."""
        return self.signed and self.indication is Indication.VERIFIED

    def as_json(self) -> dict[str, Any]:
        """The report as `gateway verify --json` prints it (`INTERFACES.md` section 7)."""
        return {
            "verdict": self.indication.value,
            "file_sha256": self.file_sha256,
            "signed": self.signed,
            "times": {
                "verified": self.verified_at.isoformat(),
                "received": self.received.isoformat() if self.received else None,
            },
            "signatures": [signature.as_json() for signature in self.signatures],
            "evidence": [{"kind": one.kind.value, "sha256": one.sha256} for one in self.evidence],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """A document that was handed in with a registration, and what verification said of it."""

    content: bytes
    report: SignatureReport

    @property
    def sha256(self) -> str:
        """Of the document as it came."""
        return self.report.file_sha256
