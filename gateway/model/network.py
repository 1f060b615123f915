"""NetworkPolicy: one network's rules as one frozen value, read from its YAML.

`requirements.md` section 6. Unknown keys and unknown values stop the start; where the rules are
silent the default of the section's last column applies. Readings of unclear rules (section 7) are
values here, never code. Sections that later issues act on stand in `model/rules.py`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from importlib import resources
from typing import Any, Literal

from gateway.model import mapping as reading
from gateway.model.category import Category, ExclusionGroup, FacilityType
from gateway.model.consent import Purpose
from gateway.model.identifiers import Oid
from gateway.model.mapping import MappingError
from gateway.model.rules import FormRules, OtherRules

NETWORKS = ("tgp", "tkm", "ngr", "fko", "igt")
"The networks whose policies ship with the product."


class PolicyError(MappingError):
    """The policy file is wrong; the text names the key and the values that are possible."""


class AccessModel(Enum):
    """How a network decides who sees what (`access.model`)."""

    MATRIX = "matrix"
    PERMITTED_LIST = "permitted_list"
    ROOM = "room"
    GRANT_CHAIN = "grant_chain"


class WithdrawalEffect(Enum):
    """What a withdrawal does (WDR-01)."""

    DELETE = "delete"
    DISCONTINUE = "discontinue"
    STOP_SHARING = "stop_sharing"


class Expiry(Enum):
    """What happens when a retention period ends (RET-01 to RET-04, RD-20)."""

    HIDE_THEN_DELETE = "hide_then_delete"
    LIST_FOR_OPERATOR = "list_for_operator"


class Acceptance(Enum):
    """Who makes a consent effective (CON-01)."""

    SECRETARIAT = "secretariat"
    OPERATOR = "operator"
    USER = "user"


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorRules:
    """`network.operator`."""

    kind: Literal["council", "city"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AreaRules:
    """`network.area` (CON-02)."""

    basis: Literal[
        "treated_at_member_facility", "residence_or_actual", "residence", "citizen_related",
        "operator_decides",
    ] = "operator_decides"  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkRules:
    """`network`: which network this is."""

    id: Literal["tgp", "tkm", "ngr", "fko", "igt"]
    name: str = ""
    operator: OperatorRules
    area: AreaRules = field(default_factory=AreaRules)
    timezone: Literal["Asia/Tokyo"] = "Asia/Tokyo"


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedIdPolicy:
    """`identifiers.shared_patient_id` (DOM-01, DOM-03)."""

    domain: Oid
    "Assigning authority of the shared patient id: the installation's own."
    pattern: str = "[0-9]{16}"
    "What a value must match, whole and in half-width characters."

    def matches(self, value: str) -> bool:
        """Whether `value` has the form of a shared patient id."""
        return value.isascii() and re.fullmatch(self.pattern, value) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentifierRules:
    """`identifiers`."""

    shared_patient_id: SharedIdPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentPolicy:
    """`consent`: how taking part begins (CON-01 to CON-12)."""

    accepted_by: Acceptance = Acceptance.OPERATOR
    forms: tuple[FormRules, ...] = ()
    signers: tuple[str, ...] = ("person", "guardian", "family")
    "Who may sign (CON-04, CON-05); key `consent.proxy` of section 6, with the person itself."
    bases: tuple[str, ...] = ()
    "Grounds of eligibility, one of which a grant names (CON-02); empty: none is asked for."
    paper_trail: frozenset[Literal["fax", "original", "copy_to_person"]] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class ExclusionPolicy:
    """`exclusion`: what a patient may exclude (EXC-01, EXC-02)."""

    items: frozenset[Category] = frozenset()
    groups: frozenset[ExclusionGroup] = frozenset()
    prescription_hides_dispensing: bool = True
    "RD-04."
    medical_other: frozenset[FacilityType] = frozenset({FacilityType.VISITING_NURSE})
    "RD-05."
    care_any: frozenset[FacilityType] = frozenset(
        {
            FacilityType.CARE_SUPPORT,
            FacilityType.CARE_SERVICE,
            FacilityType.COMMUNITY_SUPPORT_CENTRE,
        }
    )
    "RD-05."


@dataclass(frozen=True, slots=True, kw_only=True)
class WithdrawalPolicy:
    """`withdrawal`: what stopping does and needs (WDR-01, WDR-02, WDR-05)."""

    effect: WithdrawalEffect = WithdrawalEffect.STOP_SHARING
    reasons: tuple[str, ...] = ("patient_withdrawal",)
    "Reason codes that deletion may be based on."
    form_required: bool = True
    form: str = ""
    "Name of the form, where the network has one."
    custody: Literal["return", "delete"] = "return"
    "What becomes of shared data of facilities with a custody contract (RD-02)."


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionPolicy:
    """`retention`: how long posted information is kept (RET-01 to RET-04)."""

    years: int = 0
    "0: no age limit."
    since: Literal["registered", "posted"] = "registered"
    first_day_counts: bool = False
    bound_to_contract: bool = False
    on_expiry: Expiry = Expiry.LIST_FOR_OPERATOR


@dataclass(frozen=True, slots=True, kw_only=True)
class SignaturePolicyKeys:
    """`signature`: which documents need a doctor card's signature (SIG-05)."""

    required: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    "Document kind to the hcRole texts of which the signer must have one."
    registrations: Mapping[Literal["consent", "exclusion", "withdrawal"], tuple[str, ...]] = field(
        default_factory=dict
    )
    "The same for what the secretariat enters of a person; a kind that is not here needs nothing."
    timestamp: bool = False
    crl_grace_hours: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessPolicy:
    """`access`: who sees what (ACC-02 to ACC-11)."""

    model: AccessModel = AccessModel.PERMITTED_LIST
    relation_required: bool = True
    "The facility must have a linked chart of the patient (ACC-04)."
    positions: frozenset[str] = frozenset()
    "User positions that exist; a caller of any other position is refused (G3)."
    matrix: Mapping[FacilityType, Mapping[str, frozenset[Category]]] = field(default_factory=dict)
    "Facility type to user position (`*`: every other position) to the categories it may see."
    functions: Mapping[FacilityType, Mapping[str, frozenset[Purpose]]] = field(default_factory=dict)
    "The same for functions; a facility type that is not here may use all of them."
    neighbours: frozenset[Category] = frozenset()
    "Categories that a configured neighbour may see (XCA-03, XCA-04)."
    grants_cascade: bool = False
    "Onward grants fall with the grantor's own (RD-16)."
    revoke_on_relation_lost: bool = True
    "ACC-08."

    def __post_init__(self) -> None:
        """Refuse cells for positions that do not exist."""
        for row in (*self.matrix.values(), *self.functions.values()):
            for position in row:
                if position != "*" and position not in self.positions:
                    raise ValueError(f"position {position} is not among access.positions")


@dataclass(frozen=True, slots=True, kw_only=True)
class StagingPolicy:
    """`staging`: input about people who have not consented (STG-06, STG-10, STG-11)."""

    custody: bool = False
    "Accepted under a custody contract."
    max_age_days: int = 0
    "Uploads older than this may be removed; 0: kept."


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkPolicy(OtherRules):
    """One network's rules."""

    about: NetworkRules = field(metadata={"key": "network"})
    identifiers: IdentifierRules
    categories: frozenset[Category] = frozenset(Category) - {Category.DIRECT_DOCUMENT}
    "Categories shared in this network (STD-04)."
    purposes: frozenset[str] = frozenset({"TREATMENT"})
    "Purposes of use, as canonical words (ACC-11)."
    operator_purposes: frozenset[str] = frozenset()
    "Operational purposes, for operator roles only (ACC-11, ACC-12)."
    consent: ConsentPolicy = field(default_factory=ConsentPolicy)
    exclusion: ExclusionPolicy = field(default_factory=ExclusionPolicy)
    withdrawal: WithdrawalPolicy = field(default_factory=WithdrawalPolicy)
    retention: RetentionPolicy = field(default_factory=RetentionPolicy)
    signature: SignaturePolicyKeys = field(default_factory=SignaturePolicyKeys)
    access: AccessPolicy = field(default_factory=AccessPolicy)
    staging: StagingPolicy = field(default_factory=StagingPolicy)

    @property
    def network(self) -> str:
        """`tgp`, `tkm`, `ngr`, `fko` or `igt`."""
        return self.about.id

    @property
    def operator(self) -> str:
        """`council` or `city`."""
        return self.about.operator.kind

    @property
    def timezone(self) -> str:
        """The zone in which days begin."""
        return self.about.timezone

    @property
    def shared_id(self) -> SharedIdPolicy:
        """The shared patient id."""
        return self.identifiers.shared_patient_id

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> "NetworkPolicy":
        """Read the policy file's mapping; raises `PolicyError` naming the key."""
        keys = dict(mapping)
        if keys.pop("policy_version", None) != 1:
            raise PolicyError("policy_version must be 1")
        try:
            policy = reading.read(cls, "policy", keys)
        except MappingError as error:
            raise PolicyError(str(error)) from error
        _check(policy)
        return policy


def load(text: str) -> NetworkPolicy:
    """Read a policy file's text; raises `PolicyError`."""
    try:
        mapping = reading.parse(text)
    except MappingError as error:
        raise PolicyError(str(error)) from error
    return NetworkPolicy.from_mapping(mapping)


def template(network: str) -> str:
    """The policy file of one network as it ships: what `gateway init` writes."""
    if network not in NETWORKS:
        raise PolicyError(f"unknown network {network!r}; possible are {', '.join(NETWORKS)}")
    return (resources.files("gateway") / "policies" / f"{network}.yaml").read_text("utf-8")


def _check(policy: NetworkPolicy) -> None:
    """What no single key can say."""
    try:
        re.compile(policy.shared_id.pattern)
    except re.error as error:
        raise PolicyError("policy.identifiers.shared_patient_id.pattern is no pattern") from error
    if Category.DIRECT_DOCUMENT in policy.categories | policy.access.neighbours:
        # Directly sent documents are never shared (XCA-05, HND-04).
        raise PolicyError("policy.categories: direct_document is never shared")
    seen = [cell for row in policy.access.matrix.values() for cell in row.values()]
    for categories in (policy.access.neighbours, policy.exclusion.items, *seen):
        beyond = categories - policy.categories
        if beyond:
            names = ", ".join(sorted(category.value for category in beyond))
            raise PolicyError(f"not among policy.categories, but used in access or items: {names}")
    if policy.withdrawal.effect is WithdrawalEffect.DELETE and not policy.withdrawal.reasons:
        raise PolicyError("policy.withdrawal.reasons: deletion needs at least one reason (WDR-05)")
