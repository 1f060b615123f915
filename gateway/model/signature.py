"""The verdict on a document's signatures: one value, stored, shown and repeatable (SIG-06)."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """The verdict on one signature."""

    format: str
    "`XAdES-BES`, `XAdES-T`, `PAdES-B`, `PAdES-T` …"
    indication: Indication
    checks: tuple[Check, ...]
    subject: str = ""
    serial: str = ""
    role: HcRole | None = None
    policy: str = ""
    claimed: datetime | None = None
    "Signing time as the signer claims it."
    proven: datetime | None = None
    "Time proven by a trusted time-stamp."
    covered_sha256: str = ""
    "SHA-256 of the bytes that the signature covers."
    covered: bytes = b""
    "Those bytes: what callers use from here on; the original is dropped (J-06)."
    whole_document: bool = False
    evidence: tuple[str, ...] = ()
    "SHA-256 of each certificate, CRL and token that was used."


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureReport:
    """What verification found; filing a document demands one (`record.documents.file`)."""

    file_sha256: str
    indication: Indication
    signatures: tuple[Signature, ...]
    "Empty for an unsigned document."
    verified_at: datetime

    @property
    def signed(self) -> bool:
        """Whether there was any signature at all."""
        return bool(self.signatures)

    @property
    def passed(self) -> bool:
        """Whether every signature verified, and there was one."""
        return self.signed and self.indication is Indication.VERIFIED
