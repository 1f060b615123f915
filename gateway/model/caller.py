"""The caller: who asks, for whom, why, and how surely we know (ACC-01)."""

from dataclasses import dataclass, fields
from enum import Enum

from gateway.model.category import Category, FacilityType
from gateway.model.identifiers import HomeCommunityId, Oid, PatientId


class CallerKind(Enum):
    """Through which kind of door the caller came."""

    SYSTEM = "system"
    "A facility's machine with its client certificate and no assertion."
    USER = "user"
    "A registered person at a facility."
    NEIGHBOUR = "neighbour"
    "Another community's gateway, with an assertion about one of its users."
    OPERATOR = "operator"
    "The operator or secretariat at the command line or console."
    JOB = "job"
    "The gateway itself: background intake, retention, checkpoints."


class LevelOfAssurance(Enum):
    """How surely the caller is who it says (SIG-03)."""

    CERTIFICATE = "certificate"
    ASSERTION = "assertion"
    PASSWORD = "password"  # noqa: S105
    HPKI = "hpki"
    LOCAL = "local"


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """One caller within one network; every Work has exactly one (ACC-01)."""

    network: str
    kind: CallerKind
    facility: str
    "Registered NAME of the facility, or of the neighbour; `secretariat`, `gateway` for our own."
    facility_type: FacilityType
    subject: str
    "User or system account, as authenticated."
    role: str
    "Canonical role (`requirements.md` 5.1) or the mapped role of an assertion."
    purpose: str = "TREATMENT"
    "Purpose of use, as a canonical word of the network policy (ACC-11)."
    assurance: LevelOfAssurance = LevelOfAssurance.CERTIFICATE
    home: HomeCommunityId | None = None
    "The neighbour's community, None for our own callers."
    domains: frozenset[Oid] = frozenset()
    "Identifier domains the facility owns, so may feed and is always told of (G-01)."
    certificate: str = ""
    "SHA-256 of the TLS client certificate, hexadecimal."
    tls_subject: str = ""
    address: str = ""
    request: str = ""
    "Request id: found again in the audit trail (R-24)."
    assertion: str = ""
    "Id of the assertion that was verified, for replay memory (B-12)."
    categories: frozenset[Category] | None = None
    "What a neighbour's agreement covers (XCA-03); None for our own callers."
    about: PatientId | None = None
    "Patient whom the assertion is about, where it names one: no other is told of (FN-1010)."

    def asking(self, request: str) -> "Caller":
        """The same caller in one request: what `replace(self, request=…)` gives, for less."""
        found = object.__new__(Caller)
        for name in _FIELDS:
            object.__setattr__(found, name, getattr(self, name))
        object.__setattr__(found, "request", request)
        return found

    def may_hear_of(self, patient: PatientId) -> bool:
        """Whether the assertion allows this patient: one of the same domain must be the same."""
        about = self.about
        return about is None or about.domain != patient.domain or about.value == patient.value


_FIELDS = tuple(field.name for field in fields(Caller) if field.name != "request")
