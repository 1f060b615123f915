"""NetworkPolicy: one network's rules as one frozen value, read from its YAML.

`requirements.md` section 6. Unknown keys and unknown values stop the start; where the rules are
silent the default of the section's last column applies. Readings of unclear rules (section 7) are
values here, never code.
"""

import re
import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from enum import Enum
from typing import Any, TypeVar

from gateway.model.category import Category, ExclusionGroup, FacilityType
from gateway.model.identifiers import Oid

_Section = TypeVar("_Section")


class PolicyError(Exception):
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
class SharedIdPolicy:
    """`identifiers`: the shared patient id (DOM-01, DOM-03)."""

    domain: Oid
    "Assigning authority of the shared patient id."
    pattern: str = "[0-9]{16}"
    "What a value must match, whole and in half-width characters."

    def matches(self, value: str) -> bool:
        """Whether `value` has the form of a shared patient id."""
        return value.isascii() and re.fullmatch(self.pattern, value) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentPolicy:
    """`consent`: how taking part begins (CON-01 to CON-06)."""

    accepted_by: Acceptance = Acceptance.OPERATOR
    forms: tuple[str, ...] = ()
    signers: tuple[str, ...] = ("person", "guardian", "family")
    "Who may sign (CON-04, CON-05)."
    bases: tuple[str, ...] = ()
    "Grounds of eligibility, one of which a grant names (CON-02)."


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


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionPolicy:
    """`retention`: how long posted information is kept (RET-01 to RET-04)."""

    years: int = 0
    "0: no age limit."
    since: str = "registered"
    "`registered` or `posted`."
    first_day_counts: bool = False
    bound_to_contract: bool = False
    on_expiry: Expiry = Expiry.LIST_FOR_OPERATOR


@dataclass(frozen=True, slots=True, kw_only=True)
class SignaturePolicyKeys:
    """`signature`: which documents need a doctor card's signature (SIG-05)."""

    required: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    "Document kind to the hcRole texts of which the signer must have one."
    timestamp: bool = False
    crl_grace_hours: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessPolicy:
    """`access`: who sees what (ACC-02 to ACC-11)."""

    model: AccessModel = AccessModel.PERMITTED_LIST
    relation_required: bool = True
    "The facility must have a linked chart of the patient (ACC-04)."
    matrix: Mapping[FacilityType, Mapping[str, frozenset[Category]]] = field(default_factory=dict)
    "Facility type to user position (`*`: every other position) to the categories it may see."
    neighbours: frozenset[Category] = frozenset()
    "Categories that a configured neighbour may see (XCA-03, XCA-04)."


@dataclass(frozen=True, slots=True, kw_only=True)
class StagingPolicy:
    """`staging`: input about people who have not consented (STG-06, STG-11)."""

    custody: bool = False
    "Accepted under a custody contract."


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkPolicy:
    """One network's rules."""

    network: str
    "`tgp`, `tkm`, `ngr`, `fko` or `igt`."
    operator: str
    "`council` or `city`."
    shared_id: SharedIdPolicy
    timezone: str = "Asia/Tokyo"
    categories: frozenset[Category] = frozenset(Category)
    "Categories shared in this network (STD-04)."
    purposes: frozenset[str] = frozenset({"TREATMENT"})
    "Purposes of use, as canonical words (ACC-11)."
    labels: Mapping[str, str] = field(default_factory=dict)
    "Canonical role to the network's own word (DOM-05)."
    consent: ConsentPolicy = field(default_factory=ConsentPolicy)
    exclusion: ExclusionPolicy = field(default_factory=ExclusionPolicy)
    withdrawal: WithdrawalPolicy = field(default_factory=WithdrawalPolicy)
    retention: RetentionPolicy = field(default_factory=RetentionPolicy)
    signature: SignaturePolicyKeys = field(default_factory=SignaturePolicyKeys)
    access: AccessPolicy = field(default_factory=AccessPolicy)
    staging: StagingPolicy = field(default_factory=StagingPolicy)

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> "NetworkPolicy":
        """Read the policy file's mapping; raises `PolicyError` naming the key."""
        keys = dict(mapping)
        version = keys.pop("policy_version", None)
        if version != 1:
            raise PolicyError("policy_version must be 1")
        return _section(cls, "policy", keys)


def _section(kind: type[_Section], name: str, mapping: object) -> _Section:
    """One mapping as its dataclass."""
    if not isinstance(mapping, Mapping):
        raise PolicyError(f"{name} must be a mapping")
    items = {item.name: item for item in fields(kind)}  # type: ignore[arg-type]
    unknown = sorted(str(key) for key in mapping if key not in items)
    if unknown:
        raise PolicyError(f"unknown key {name}.{unknown[0]}: known are {', '.join(sorted(items))}")
    hints = typing.get_type_hints(kind)
    values: dict[str, Any] = {}
    for key, item in items.items():
        if key in mapping:
            values[key] = _value(hints[key], f"{name}.{key}", mapping[key])
        elif item.default is MISSING and item.default_factory is MISSING:
            raise PolicyError(f"{name}.{key} is missing")
    return kind(**values)


def _value(hint: Any, name: str, value: object) -> Any:
    """One value as its declared type."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.get_origin(Mapping[str, str]) and isinstance(value, Mapping):
        return types.MappingProxyType(
            {
                _value(arguments[0], name, key): _value(arguments[1], f"{name}.{key}", part)
                for key, part in value.items()
            }
        )
    if origin in (tuple, frozenset) and isinstance(value, list):
        return origin(_value(arguments[0], name, part) for part in value)
    if isinstance(hint, type):
        if issubclass(hint, Enum) and isinstance(value, str):
            return _member(hint, name, value)
        if issubclass(hint, Oid) and isinstance(value, str):
            return hint(value)
        if hint in (str, bool, int) and type(value) is hint:
            return value
        if hasattr(hint, "__dataclass_fields__"):
            return _section(hint, name, value)
    raise PolicyError(f"{name} has the wrong type: {type(value).__name__}")


def _member(kind: type[Enum], name: str, value: str) -> Enum:
    """The member of an enumeration that `value` names."""
    for member in kind:
        if member.value == value:
            return member
    known = ", ".join(str(member.value) for member in kind)
    raise PolicyError(f"{name}: unknown value {value!r}; possible are {known}")
