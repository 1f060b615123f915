"""What a verdict was made of, known by its digest, so that it can be made again (SIG-06)."""

from dataclasses import dataclass
from enum import Enum


class EvidenceKind(Enum):
    """What a piece of evidence is."""

    CERTIFICATE = "certificate"
    "Of a signer, an authority, a time-stamp authority, or one that is pinned; DER."
    LIST = "crl"
    TOKEN = "time-stamp"  # noqa: S105
    POLICY = "policy"
    "The policy in force as canonical JSON (`hpki/evidence.py`)."


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One piece of evidence."""

    kind: EvidenceKind
    sha256: str
    content: bytes
