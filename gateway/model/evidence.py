"""What a verdict was made of, known by its digest, so that it can be made again (SIG-06)."""

from dataclasses import dataclass
from enum import Enum
from typing import Any


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


def named(report: dict[str, Any]) -> set[str]:
    """The digests of evidence that a stored report names, by its verdicts and by its list."""
    found = {str(one["sha256"]) for one in report.get("evidence", ())}
    for signature in report["signatures"]:
        found.update(signature["evidence"])
        for key in ("embedded", "countersignatures"):
            found |= named({"signatures": signature.get(key, ())})
    return found
