"""Audit values: what happened, in the words of ATNA and `security.md` section 5."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any

from gateway.model.caller import Caller
from gateway.model.identifiers import PatientId


class EventKind(Enum):
    """What was attempted. The value is stored and shown."""

    PATIENT_FEED = "ITI-44"
    PIX_QUERY = "ITI-45"
    PIX_UPDATE = "ITI-46"
    DEMOGRAPHICS_QUERY = "ITI-47"
    DISCOVERY = "ITI-55"
    GATEWAY_QUERY = "ITI-38"
    GATEWAY_RETRIEVE = "ITI-39"
    STORED_QUERY = "ITI-18"
    RETRIEVE = "ITI-43"
    PROVIDE = "ITI-41"
    UPLOAD = "upload"
    INTAKE = "intake"
    RECEIPT_READ = "receipt-read"
    DOCUMENT_FILED = "document-filed"
    VIEW = "view"
    ENROL = "enrol"
    LINK = "link"
    UNLINK = "unlink"
    MERGE = "merge"
    CONSENT_GRANT = "consent-grant"
    CONSENT_EXCLUDE = "consent-exclude"
    CONSENT_WITHDRAW = "consent-withdraw"
    ERASE = "erase"
    ADMIN = "admin"
    AUDIT_READ = "audit-read"
    LOGIN = "login"
    SECURITY_ALERT = "security-alert"
    JOB = "job"
    BACKUP = "backup"
    RESTORE = "restore"


class Outcome(Enum):
    """ATNA event outcome: success, minor (bad input), serious (denied, forged), major (defect)."""

    SUCCESS = 0
    MINOR = 4
    SERIOUS = 8
    MAJOR = 12


@dataclass(slots=True, kw_only=True)
class Trail:
    """What the code that knows notes down while a Work runs; becomes the event's content."""

    patients: set[PatientId] = field(default_factory=set)
    objects: list[str] = field(default_factory=list)
    "Document unique ids with hash, receipt ids, message ids: never content."
    rule: str = ""
    "The rule that decided (ACC-02)."
    code: str = ""
    "Audit code of section 5 where one applies, e.g. `CONSENT-DENY`, `AUTH-SPOOF`."
    detail: dict[str, Any] = field(default_factory=dict)
    "Small facts: counts, withheld items, message id, query id. Never clinical content (WDR-08)."
    outcome: Outcome | None = None
    "Set by code that answers a refusal as data (an NF, an error list); None means success."


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One audit record before it is sealed into the chain."""

    kind: EventKind
    outcome: Outcome
    at: datetime
    caller: Caller
    patients: tuple[PatientId, ...] = ()
    objects: tuple[str, ...] = ()
    rule: str = ""
    code: str = ""
    detail: dict[str, Any] = field(default_factory=dict)
    incident: str = ""
    "Incident number of a defect, as the peer heard it."
