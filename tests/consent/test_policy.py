"""decide(): each answer with the rule that decided, as a table."""

from dataclasses import replace
from typing import Any

import pytest

from gateway.consent.access import MODELS
from gateway.consent.policy import (
    SILENT,
    Request,
    Standing,
    decide,
    groups_of,
    standing_of,
)
from gateway.model import network
from gateway.model.caller import Caller, CallerKind
from gateway.model.category import Category, ExclusionGroup, FacilityType
from gateway.model.consent import Denial, Exclusion, Grant, Permit, Purpose, Withdrawal
from gateway.model.identifiers import HomeCommunityId, Oid, PatientId, PersonId
from gateway.model.network import AccessModel, NetworkPolicy
from tests.conftest import Clock

ALICE = PersonId("alice")
NOW = Clock().now
PATIENT = PatientId(Oid("2.999.30.1"), "1")
LAB, RX, DISPENSING, CARE = (
    Category.LAB_RESULT, Category.PRESCRIPTION, Category.DISPENSING, Category.CARE
)  # fmt: skip
GRANT = Grant(person=ALICE, at=NOW, by="office", signed_by="person")
WITHDRAWAL = Withdrawal(person=ALICE, at=NOW, by="office", reason="patient_withdrawal")
TAKES_PART = Standing(participates=True)


def exclusion(**what: Any) -> Exclusion:
    return Exclusion(person=ALICE, at=NOW, by="office", **what)


def member(**changes: Any) -> Caller:
    made = Caller(
        network="tgp", kind=CallerKind.USER, facility="clinic-b",
        facility_type=FacilityType.CLINIC, subject="dr", role="doctor",
    )  # fmt: skip
    return replace(made, **changes)


def neighbour(policy: NetworkPolicy, **changes: Any) -> Caller:
    made = member(
        kind=CallerKind.NEIGHBOUR, facility="neighbour-n", home=HomeCommunityId("2.999.10.2"),
        facility_type=FacilityType.HOSPITAL, categories=policy.access.neighbours,
    )  # fmt: skip
    return replace(made, **changes)


def ask(
    policy: NetworkPolicy, caller: Caller, standing: Standing = TAKES_PART, *,
    purpose: Purpose = Purpose.RECORD, owns: bool = False, related: bool = True,
) -> Permit | Denial:  # fmt: skip
    request = Request(
        caller=caller, purpose=purpose, person=ALICE, patient=PATIENT, owns=owns, related=related
    )
    return decide(policy, request, standing)


@pytest.mark.parametrize(
    ("entries", "standing"),
    [
        pytest.param([], SILENT, id="silence"),
        pytest.param([GRANT], TAKES_PART, id="a grant opens"),
        pytest.param([GRANT, WITHDRAWAL], Standing(withdrawn=True), id="a withdrawal closes"),
        pytest.param([GRANT, WITHDRAWAL, GRANT], TAKES_PART, id="the last word counts"),
        pytest.param(
            [GRANT, exclusion(items=frozenset({LAB}))],
            Standing(participates=True, items=frozenset({LAB})), id="an exclusion narrows",
        ),
        pytest.param(
            [GRANT, exclusion(items=frozenset({LAB})), exclusion()], TAKES_PART,
            id="an exclusion replaces the one before",
        ),
        pytest.param(
            [GRANT, exclusion(items=frozenset({LAB})), WITHDRAWAL, GRANT], TAKES_PART,
            id="a new grant starts without exclusions",
        ),
        pytest.param(
            [exclusion(items=frozenset({LAB})), GRANT],
            Standing(participates=True, items=frozenset({LAB})), id="an exclusion on the form",
        ),
    ],
)  # fmt: skip
def test_the_ledgers_last_words(entries: list[Any], standing: Standing) -> None:
    assert standing_of(entries) == standing


def test_a_member_with_a_relation_sees_the_cell_of_the_matrix(policy: NetworkPolicy) -> None:
    permit = ask(policy, member())
    assert isinstance(permit, Permit)
    assert permit.rule == "ACC-04"
    assert permit.categories == policy.access.matrix[FacilityType.CLINIC]["*"]
    assert (permit.own_facility, permit.own_only, permit.patient) == ("clinic-b", False, PATIENT)


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        pytest.param({"network": "fko"}, "ACC-01", id="another network"),
        pytest.param({"facility": ""}, "ACC-01", id="no facility"),
        pytest.param({"subject": ""}, "ACC-01", id="no user"),
        pytest.param({"purpose": ""}, "ACC-11", id="no purpose"),
        pytest.param({"purpose": "treatment"}, "ACC-11", id="a word of another spelling"),
        pytest.param({"purpose": "LOOK_UP"}, "ACC-11", id="an operational purpose"),
        pytest.param({"role": "wizard"}, "ACC-04", id="an unknown position"),
        pytest.param({"role": ""}, "ACC-04", id="no position"),
        pytest.param({"role": "clerk"}, "ACC-04", id="a function the position has not"),
        pytest.param({"facility_type": FacilityType.LAB}, "ACC-04", id="a type without rights"),
        pytest.param({"kind": CallerKind.JOB}, "ACC-14", id="the gateway itself"),
    ],
)
def test_who_is_refused(policy: NetworkPolicy, changes: dict[str, Any], rule: str) -> None:
    decision = ask(policy, member(**changes))
    assert isinstance(decision, Denial)
    assert decision.rule == rule


@pytest.mark.parametrize(
    ("standing", "rule"),
    [
        pytest.param(SILENT, "CON-01", id="silence means no"),
        pytest.param(Standing(withdrawn=True), "WDR-01", id="withdrawn"),
    ],
)
def test_without_consent_only_the_owner_hears_anything(
    policy: NetworkPolicy, standing: Standing, rule: str
) -> None:
    for caller in (member(), neighbour(policy)):
        assert ask(policy, caller, standing) == Denial(rule, ask(policy, caller, standing).reason)  # type: ignore[union-attr]
    permit = ask(policy, member(), standing, owns=True)
    assert isinstance(permit, Permit)
    assert (permit.rule, permit.own_only, permit.categories) == ("PIX-04", True, frozenset())


def test_without_a_relation_a_member_sees_nothing(policy: NetworkPolicy) -> None:
    assert ask(policy, member(), related=False) == Denial(
        "ACC-04", "the facility has no relation to the patient"
    )
    free = replace(policy, access=replace(policy.access, relation_required=False))
    assert isinstance(ask(free, member(), related=False), Permit)


def test_changing_one_cell_changes_the_answer(policy: NetworkPolicy) -> None:
    matrix = {**policy.access.matrix, FacilityType.CLINIC: {"doctor": frozenset({CARE})}}
    changed = replace(policy, access=replace(policy.access, matrix=matrix))
    permit = ask(changed, member())
    assert isinstance(permit, Permit)
    assert permit.categories == {CARE}
    assert isinstance(ask(changed, member(role="nurse")), Denial)


@pytest.mark.parametrize(
    ("what", "hidden"),
    [
        pytest.param({"items": {LAB}}, {LAB}, id="an item is hidden from everybody"),
        pytest.param({"items": {RX}}, {RX, DISPENSING}, id="prescription hides dispensing"),
        pytest.param({"pairs": {(LAB, ExclusionGroup.CLINIC)}}, {LAB}, id="from this group"),
        pytest.param({"pairs": {(LAB, ExclusionGroup.PHARMACY)}}, set(), id="from another group"),
        pytest.param(
            {"pairs": {(RX, ExclusionGroup.CLINIC)}}, {RX, DISPENSING}, id="a pair hides both"
        ),
    ],
)
def test_excluded_items(policy: NetworkPolicy, what: dict[str, Any], hidden: set[Category]) -> None:
    standing = Standing(participates=True, **{key: frozenset(v) for key, v in what.items()})
    permit = ask(policy, member(), standing)
    assert isinstance(permit, Permit)
    assert permit.categories == policy.access.matrix[FacilityType.CLINIC]["*"] - hidden


def test_whether_prescription_hides_dispensing_is_a_switch(policy: NetworkPolicy) -> None:
    rule = replace(policy.exclusion, prescription_hides_dispensing=False)
    standing = Standing(participates=True, items=frozenset({RX}))
    permit = ask(replace(policy, exclusion=rule), member(), standing)
    assert isinstance(permit, Permit)
    assert DISPENSING in permit.categories


def test_an_excluded_group_sees_its_own_data_only(policy: NetworkPolicy) -> None:
    standing = Standing(participates=True, groups=frozenset({ExclusionGroup.CLINIC}))
    permit = ask(policy, member(), standing)
    assert isinstance(permit, Permit)
    assert (permit.rule, permit.own_only, permit.own_facility) == ("EXC-02", True, "clinic-b")
    hospital = ask(policy, member(facility_type=FacilityType.HOSPITAL), standing)
    assert isinstance(hospital, Permit)
    assert not hospital.own_only


@pytest.mark.parametrize(
    ("kind", "groups"),
    [
        (FacilityType.HOSPITAL, {ExclusionGroup.HOSPITAL}),
        (FacilityType.VISITING_NURSE, {ExclusionGroup.MEDICAL_OTHER}),
        (FacilityType.CARE_SUPPORT, {ExclusionGroup.CARE_ANY}),
        (FacilityType.CARE_SERVICE, {ExclusionGroup.CARE_ANY}),
        (FacilityType.COMMUNITY_SUPPORT_CENTRE, {ExclusionGroup.CARE_ANY}),
        (FacilityType.OTHER, set(ExclusionGroup)),
        (FacilityType.PUBLIC_ADMINISTRATION, set(ExclusionGroup)),
    ],
)
def test_which_groups_a_type_is_in(
    policy: NetworkPolicy, kind: FacilityType, groups: set[ExclusionGroup]
) -> None:
    assert groups_of(policy.exclusion, kind) == groups


def test_a_neighbour_sees_what_policy_agreement_and_matrix_have_in_common(
    policy: NetworkPolicy,
) -> None:
    permit = ask(policy, neighbour(policy), related=False)
    assert isinstance(permit, Permit)
    assert permit.categories == policy.access.neighbours
    assert (permit.rule, permit.own_facility) == ("XCA-04", "")
    some = ask(policy, neighbour(policy, categories=frozenset({LAB, Category.USER_NOTE})))
    assert isinstance(some, Permit)
    assert some.categories == {LAB}
    pharmacy = ask(policy, neighbour(policy, facility_type=FacilityType.PHARMACY))
    assert isinstance(pharmacy, Permit)
    assert CARE not in pharmacy.categories


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        pytest.param({"home": None}, "XCA-03", id="no community"),
        pytest.param({"categories": None}, "XCA-03", id="no agreement"),
        pytest.param({"purpose": "RESEARCH"}, "ACC-11", id="another purpose"),
        pytest.param({"role": "wizard"}, "ACC-04", id="an unknown role"),
        pytest.param(
            {"role": "wizard", "facility_type": FacilityType.OTHER}, "ACC-04",
            id="an unknown role at an unknown type",
        ),
        pytest.param({"facility_type": FacilityType.LAB}, "ACC-04", id="a laboratory"),
        pytest.param({"role": "clerk"}, "ACC-04", id="a clerk"),
    ],
)  # fmt: skip
def test_which_neighbours_are_refused(
    policy: NetworkPolicy, changes: dict[str, Any], rule: str
) -> None:
    decision = ask(policy, neighbour(policy, **changes))
    assert isinstance(decision, Denial)
    assert decision.rule == rule


def test_a_neighbour_of_an_excluded_group_is_refused(policy: NetworkPolicy) -> None:
    standing = Standing(participates=True, groups=frozenset({ExclusionGroup.PHARMACY}))
    for kind, rule in ((FacilityType.PHARMACY, "EXC-02"), (FacilityType.OTHER, "EXC-02")):
        decision = ask(policy, neighbour(policy, facility_type=kind), standing)
        assert isinstance(decision, Denial)
        assert decision.rule == rule
    assert isinstance(ask(policy, neighbour(policy), standing), Permit)


def test_the_secretariat_reads_identifiers_for_its_tasks_and_no_content(
    policy: NetworkPolicy,
) -> None:
    office = member(kind=CallerKind.OPERATOR, role="secretariat", purpose="LOOK_UP")
    permit = ask(policy, office, purpose=Purpose.IDENTIFIERS)
    assert isinstance(permit, Permit)
    assert permit.categories == frozenset()
    content = ask(policy, office)
    assert isinstance(content, Denial)
    assert content.rule == "ACC-12"
    idle = ask(policy, replace(office, purpose="TREATMENT"), purpose=Purpose.IDENTIFIERS)
    assert isinstance(idle, Denial)
    assert idle.rule == "ACC-11"


@pytest.mark.parametrize(
    ("code", "rule"), [("tkm", "ACC-10"), ("igt", "ACC-10"), ("ngr", "ACC-09"), ("fko", "ACC-06")]
)
def test_a_network_whose_access_model_is_not_built_refuses_everybody(code: str, rule: str) -> None:
    policy = network.load(network.template(code))
    purpose = sorted(policy.purposes)[0]
    for purposes in Purpose:
        for caller in (
            member(network=code, purpose=purpose),
            neighbour(policy, network=code, purpose=purpose),
            neighbour(
                policy, network=code, purpose=purpose, facility_type=FacilityType.OTHER,
            ),
        ):  # fmt: skip
            decision = ask(policy, caller, purpose=purposes, owns=True)
            assert isinstance(decision, Denial)
            assert decision.rule == rule


def test_every_access_model_has_an_answer() -> None:
    assert set(MODELS) == set(AccessModel)
