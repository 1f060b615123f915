"""decide(): may this caller see this? Pure; no entry means no; every answer names the rule.

The order is that of G1 and `requirements.md` 3.13: who asks, for what, from where, whether the
person takes part, what the caller's rights are, what the person excluded. Readers are never told
that something is hidden (EXC-04).
"""

from collections.abc import Iterable
from dataclasses import dataclass

from gateway.consent.access import MODELS
from gateway.model.caller import Caller, CallerKind
from gateway.model.category import Category, ExclusionGroup, FacilityType
from gateway.model.consent import Denial, Entry, Exclusion, Grant, Permit, Purpose, Withdrawal
from gateway.model.identifiers import PatientId, PersonId
from gateway.model.network import AccessModel, ExclusionPolicy, NetworkPolicy

_NEIGHBOURLY = frozenset({AccessModel.MATRIX})
"Access models that can judge a neighbour whose type of facility is not known."
_NOTHING: frozenset[Category] = frozenset()
_EVERY_GROUP = frozenset(ExclusionGroup)
_OWN_GROUP = {
    FacilityType.HOSPITAL: frozenset({ExclusionGroup.HOSPITAL}),
    FacilityType.CLINIC: frozenset({ExclusionGroup.CLINIC}),
    FacilityType.DENTAL_CLINIC: frozenset({ExclusionGroup.DENTAL_CLINIC}),
    FacilityType.PHARMACY: frozenset({ExclusionGroup.PHARMACY}),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a person stands to sharing: the ledger's last words."""

    participates: bool = False
    withdrawn: bool = False
    items: frozenset[Category] = frozenset()
    groups: frozenset[ExclusionGroup] = frozenset()
    pairs: frozenset[tuple[Category, ExclusionGroup]] = frozenset()


SILENT = Standing()
"Nobody said anything: no."


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One question to the policy: who asks for what about whom (ACC-01)."""

    caller: Caller
    purpose: Purpose
    person: PersonId
    patient: PatientId | None = None
    "The identifier that was asked about."
    owns: bool = False
    "It is a chart id of the caller's own domain."
    related: bool = False
    "The caller's facility has a linked chart of this person (ACC-04)."


def standing_of(entries: Iterable[Entry]) -> Standing:
    """The standing that a person's ledger entries amount to, in their order."""
    standing = SILENT
    for entry in entries:
        match entry:
            case Grant():
                standing = Standing(
                    participates=True,
                    items=standing.items,
                    groups=standing.groups,
                    pairs=standing.pairs,
                )
            case Withdrawal():
                standing = Standing(withdrawn=True)
            case Exclusion():
                standing = Standing(
                    participates=standing.participates,
                    withdrawn=standing.withdrawn,
                    items=entry.items,
                    groups=entry.groups,
                    pairs=entry.pairs,
                )
    return standing


def decide(policy: NetworkPolicy, request: Request, standing: Standing) -> Permit | Denial:
    """Permit what the rules allow, or name the rule that refuses."""
    caller = request.caller
    if caller.network != policy.network or not (caller.facility and caller.subject):
        return Denial("ACC-01", "the caller is not established in this network")
    match caller.kind:
        case CallerKind.NEIGHBOUR:
            return _decide_neighbour(policy, request, standing)
        case CallerKind.SYSTEM | CallerKind.USER:
            return _decide_member(policy, request, standing)
        case CallerKind.OPERATOR:
            return _decide_operator(policy, request, standing)
        case CallerKind.JOB:
            return Denial("ACC-14", "the gateway itself reads nothing")


def _decide_member(policy: NetworkPolicy, request: Request, standing: Standing) -> Permit | Denial:
    """A facility's machine or user."""
    caller = request.caller
    if caller.purpose not in policy.purposes:
        return Denial("ACC-11", "the purpose is not one of this network")
    rights = rights_of(policy, caller, request.purpose)
    if isinstance(rights, Denial):
        return rights
    if not standing.participates:
        if request.owns:
            # The owner is told that its own id is known, and nothing else (PIX-04).
            return _own(request, "PIX-04")
        return _silent(standing)
    if policy.access.relation_required and not (request.owns or request.related):
        return Denial("ACC-04", "the facility has no relation to the patient")
    groups = groups_of(policy.exclusion, caller.facility_type)
    if not standing.groups.isdisjoint(groups):
        return _own(request, "EXC-02")
    return Permit(
        person=request.person,
        purpose=request.purpose,
        rule="ACC-04",
        categories=_visible(policy.exclusion, rights & policy.categories, standing, groups),
        own_facility=caller.facility,
        patient=request.patient,
    )


def _decide_neighbour(
    policy: NetworkPolicy, request: Request, standing: Standing
) -> Permit | Denial:
    """Another community's gateway, for one of its users."""
    caller = request.caller
    if caller.home is None or caller.categories is None:
        return Denial("XCA-03", "no agreement with this community")
    if caller.purpose not in policy.purposes:
        return Denial("ACC-11", "the purpose is not one of this network")
    rights = rights_of(policy, caller, request.purpose)
    if isinstance(rights, Denial):
        return rights
    if not standing.participates:
        return _silent(standing)
    groups = groups_of(policy.exclusion, caller.facility_type)
    if not standing.groups.isdisjoint(groups):
        return Denial("EXC-02", "the patient excludes this type of facility")
    allowed = rights & policy.access.neighbours & caller.categories & policy.categories
    return Permit(
        person=request.person,
        purpose=request.purpose,
        rule="XCA-04",
        categories=_visible(policy.exclusion, allowed, standing, groups),
        patient=request.patient,
    )


def _decide_operator(
    policy: NetworkPolicy, request: Request, standing: Standing
) -> Permit | Denial:
    """The secretariat: identifiers for its own tasks, clinical content never (ACC-12, ACC-14)."""
    if request.caller.purpose not in policy.operator_purposes:
        return Denial("ACC-11", "the purpose is not an operational one")
    if request.purpose is not Purpose.IDENTIFIERS:
        return Denial("ACC-12", "operators do not read clinical content")
    if not standing.participates:
        return _silent(standing)
    return Permit(
        person=request.person,
        purpose=request.purpose,
        rule="ACC-12",
        categories=_NOTHING,
        patient=request.patient,
    )


def rights_of(
    policy: NetworkPolicy, caller: Caller, purpose: Purpose
) -> frozenset[Category] | Denial:
    """What the access model gives this caller, before consent and exclusions (ACC-04)."""
    access = policy.access
    abroad = caller.kind is CallerKind.NEIGHBOUR and caller.facility_type is FacilityType.OTHER
    if not abroad or access.model not in _NEIGHBOURLY:
        return MODELS[access.model](access, caller, purpose)
    if caller.role not in access.positions:
        return Denial("ACC-04", "no rights for this position")
    return access.neighbours


def groups_of(exclusion: ExclusionPolicy, kind: FacilityType) -> frozenset[ExclusionGroup]:
    """The exclusion groups a type of facility belongs to; one in no group is in every one (G3)."""
    own = _OWN_GROUP.get(kind)
    if own is not None:
        return own
    if kind in exclusion.medical_other:
        return frozenset({ExclusionGroup.MEDICAL_OTHER})
    if kind in exclusion.care_any:
        return frozenset({ExclusionGroup.CARE_ANY})
    return _EVERY_GROUP


def _visible(
    exclusion: ExclusionPolicy,
    categories: frozenset[Category],
    standing: Standing,
    groups: frozenset[ExclusionGroup],
) -> frozenset[Category]:
    """What is left of `categories` after the person's excluded items (EXC-01, RD-04)."""
    if not standing.items and not standing.pairs:
        return categories
    hidden = standing.items | {item for item, group in standing.pairs if group in groups}
    if exclusion.prescription_hides_dispensing and Category.PRESCRIPTION in hidden:
        hidden |= {Category.DISPENSING}
    return categories - hidden


def _own(request: Request, rule: str) -> Permit:
    """Only what the caller's facility has itself."""
    return Permit(
        person=request.person,
        purpose=request.purpose,
        rule=rule,
        categories=_NOTHING,
        own_facility=request.caller.facility,
        own_only=True,
        patient=request.patient,
    )


def _silent(standing: Standing) -> Denial:
    """The person does not take part, or no longer."""
    if standing.withdrawn:
        return Denial("WDR-01", "consent was withdrawn")
    return Denial("CON-01", "no consent is in effect")
