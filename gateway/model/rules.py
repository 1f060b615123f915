"""The sections of a network policy that later issues act on (`requirements.md` section 6).

They are read and checked at start like all others, so that a policy file is whole from the first
day. The default of each key is the last column of section 6.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

Role = Literal[
    "operator", "network_head", "operations_manager", "secretariat", "platform_admin",
    "contractor", "facility_admin", "facility_user_admin", "professional_user", "linked_user",
    "citizen_user", "subject", "proxy", "auditor", "lab_vendor",
]  # fmt: skip
"Canonical roles (section 5.1)."


@dataclass(frozen=True, slots=True, kw_only=True)
class FacilityRules:
    """`facility`: how facilities join and change (FAC-02 to FAC-10)."""

    apply_via: frozenset[Literal["portal", "paper"]] = frozenset({"portal"})
    forms: tuple[str, ...] = ()
    "Application forms, as the network names them."
    pledge: Literal[
        "original_and_application", "eleven_points", "conditions_agreed", "form_1", "none"
    ] = "none"
    environment_check: Literal["city_approved", "required", "none"] = "none"
    conditional_permit: bool = False
    change: Literal["application", "direct"] = "application"
    annual_report: Literal["form_5", "none"] = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class FacilityExitRules:
    """`facility_exit`: what becomes of the data of a facility that leaves (WDR-04, WDR-07)."""

    data: Literal["delete_provided", "optional_erase", "hide"] = "hide"


@dataclass(frozen=True, slots=True, kw_only=True)
class UserRules:
    """`users`: who issues ids and which kinds of users exist (USR-02 to USR-06, ACC-13)."""

    issuers: frozenset[Role] = frozenset({"operator"})
    individual_pledge: Literal["agreement", "form_2", "none"] = "none"
    citizen: Literal["with_proofs", "forbidden", "none"] = "none"
    linked: Literal["with_permit", "none"] = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class IdRules:
    """`credentials.id` (CRD-02)."""

    min_length: int = 8
    alphabet: Literal["letters_digits"] = "letters_digits"


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordRules:
    """`credentials.password` (CRD-03, CRD-04, CRD-10)."""

    min_length: int = 8
    classes: frozenset[Literal["letter", "digit", "symbol"]] = frozenset(
        {"letter", "digit", "symbol"}
    )
    guessable: Literal["refuse", "accept"] = "refuse"
    max_age_months: int | None = None
    "None: no limit, or one that the operator sets."
    regular_change: bool = False
    "The rules ask for a regular change and leave the interval to the operator."


@dataclass(frozen=True, slots=True, kw_only=True)
class TemporaryRules:
    """`credentials.temporary`: what the first login must replace (CRD-05)."""

    issued: bool = False
    replace: frozenset[Literal["id", "password"]] = frozenset({"password"})


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialRules:
    """`credentials` (CRD-01 to CRD-10)."""

    id: IdRules = field(default_factory=IdRules)
    password: PasswordRules = field(default_factory=PasswordRules)
    temporary: TemporaryRules = field(default_factory=TemporaryRules)
    reissue: Literal[
        "facility_reset", "new_id_and_password", "id_notice_or_temporary", "new_password"
    ] = "new_password"
    doctor_card: frozenset[Literal["login", "signature"]] = frozenset()
    handover: Literal["direct", "manager"] = "direct"
    "Who hands a temporary password over: the operator, or a manager of the facility (CRD-07)."


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminalRules:
    """`terminals` (TRM-01)."""

    client_certificate: Literal["required", "none"] = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletionRules:
    """`deletion` (WDR-06)."""

    operator_discretion: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewDeadlineRules:
    """`view_deadline`: when viewing ends after a person has left (RET-05)."""

    trigger: Literal["residence_ended"]
    months: int
    inclusive_day: bool = True
    "The day after the period's end is still a viewing day (RD-17)."
    earlier_by: frozenset[Role] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class HandlingRules:
    """`handling`: what may be done with what is shown (HND-01, HND-02, XNW-03)."""

    print: Literal["prohibited", "facility_rules"] = "prohibited"
    save: Literal["prohibited", "facility_rules"] = "prohibited"
    save_exceptions: tuple[
        Literal["card_signed", "referral_letter", "own_ordered_test_result"], ...
    ] = ()
    copy_to_other_systems: Literal["operator_permit", "allowed"] = "operator_permit"


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossNetworkRules:
    """`cross_network` (XNW-01 to XNW-04)."""

    agreement_required: Literal["configured_peer", "concluded"] = "configured_peer"
    governing: Literal["residence_network", "stricter"] = "stricter"


@dataclass(frozen=True, slots=True, kw_only=True)
class EmergencyRules:
    """`emergency` (EMG-01, EMG-02)."""

    release: Literal["council_and_parties", "minimum", "none"] = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class HourRules:
    """`service.hours`: Japan time (SVC-01, RD-18)."""

    open: str
    close: str
    applies_to: frozenset[Literal["view", "portal", "xca", "upload"]]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedStopRules:
    """`service.planned_stop` (SVC-02)."""

    notice: Literal["before", "bulletin_before"] = "before"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceRules:
    """`service` (SVC-01 to SVC-03)."""

    hours: HourRules | None = None
    "None: always."
    planned_stop: PlannedStopRules = field(default_factory=PlannedStopRules)
    stop_without_notice: tuple[
        Literal["urgent_maintenance", "fire_or_power_failure", "disaster", "other_judgement"], ...
    ] = ("urgent_maintenance", "disaster")


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeRules:
    """`notices`: how long before its end the service says so (SVC-04)."""

    discontinue_months: int = 1
    "0: beforehand, without a period."


@dataclass(frozen=True, slots=True, kw_only=True)
class UserSuspensionRules:
    """`suspension.user` (CRD-08)."""

    prior_notice: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SuspensionRules:
    """`suspension`."""

    user: UserSuspensionRules = field(default_factory=UserSuspensionRules)


@dataclass(frozen=True, slots=True, kw_only=True)
class TermsRules:
    """`terms.deemed_consent` (TOS-02)."""

    deemed_consent: Literal["by_use", "after_notice", "none"] = "none"
    days: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SupportRules:
    """`support.hours`: weekdays, Japan time (POR-07)."""

    hours: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentRules:
    """`incidents` (INC-02)."""

    levels: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRules:
    """`audit`: views are recorded in every network (AUD-01, RD-09)."""

    record_views: Literal["always"] = "always"


@dataclass(frozen=True, slots=True, kw_only=True)
class PortalRules:
    """`public_portal` (POR-02)."""

    listing: Literal["opt_in", "opt_out", "none"] = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class FormRules:
    """One consent form and when it is valid (CON-10)."""

    code: str
    valid_from: date | None = field(default=None, metadata={"key": "from"})
    valid_to: date | None = field(default=None, metadata={"key": "to"})
    "Last day, inclusive."
    access_rule: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherRules:
    """The sections above, together; the keys stand at the top level of the policy file."""

    facility: FacilityRules = field(default_factory=FacilityRules)
    facility_exit: FacilityExitRules = field(default_factory=FacilityExitRules)
    users: UserRules = field(default_factory=UserRules)
    credentials: CredentialRules = field(default_factory=CredentialRules)
    terminals: TerminalRules = field(default_factory=TerminalRules)
    deletion: DeletionRules = field(default_factory=DeletionRules)
    view_deadline: ViewDeadlineRules | None = None
    handling: HandlingRules = field(default_factory=HandlingRules)
    cross_network: CrossNetworkRules = field(default_factory=CrossNetworkRules)
    emergency: EmergencyRules = field(default_factory=EmergencyRules)
    service: ServiceRules = field(default_factory=ServiceRules)
    notices: NoticeRules = field(default_factory=NoticeRules)
    suspension: SuspensionRules = field(default_factory=SuspensionRules)
    terms: TermsRules = field(default_factory=TermsRules)
    support: SupportRules = field(default_factory=SupportRules)
    incidents: IncidentRules = field(default_factory=IncidentRules)
    audit: AuditRules = field(default_factory=AuditRules)
    subject_requests: frozenset[
        Literal["disclosure", "ask_providers", "correction", "deletion"]
    ] = frozenset({"disclosure"})
    public_portal: PortalRules = field(default_factory=PortalRules)
    collaboration: frozenset[
        Literal[
            "business_pages", "direct_documents", "portal", "rooms", "announcement_room",
            "bulletin", "exchange", "projects",
        ]
    ] = frozenset()  # fmt: skip
    billing: bool = False
    backup: Literal["required", "by_contractor", "by_provider"] = "required"
    area_municipalities: tuple[str, ...] = ()
    "Municipalities of the area (FAC-16)."
    labels: Mapping[Role, str] = field(default_factory=dict)
    "Canonical role to the network's own word (DOM-05)."
