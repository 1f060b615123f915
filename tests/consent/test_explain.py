"""An explanation says what the decision says, whoever asks."""

import itertools

import pytest

from gateway.consent.explain import Answer, explain
from gateway.consent.policy import SILENT, Request, Standing, decide
from gateway.model.caller import CallerKind
from gateway.model.category import Category, ExclusionGroup, FacilityType
from gateway.model.consent import Denial, Purpose
from gateway.model.network import NetworkPolicy
from tests.consent.test_policy import ALICE, PATIENT, TAKES_PART, member, neighbour

STANDINGS = (
    SILENT,
    TAKES_PART,
    Standing(withdrawn=True),
    Standing(participates=True, items=frozenset({Category.PRESCRIPTION})),
    Standing(participates=True, groups=frozenset({ExclusionGroup.CLINIC})),
    Standing(
        participates=True, pairs=frozenset({(Category.LAB_RESULT, ExclusionGroup.CLINIC)})
    ),
)  # fmt: skip
CHANGES = (
    {}, {"network": "fko"}, {"subject": ""}, {"purpose": "MARKETING"}, {"role": "gardener"},
    {"facility_type": FacilityType.LAB}, {"facility_type": FacilityType.OTHER},
    {"kind": CallerKind.JOB}, {"kind": CallerKind.OPERATOR, "purpose": "OPERATIONS"},
    {"kind": CallerKind.OPERATOR}, {"kind": CallerKind.SYSTEM, "role": "professional_user"},
)  # fmt: skip


@pytest.mark.parametrize("changes", CHANGES, ids=str)
@pytest.mark.parametrize("abroad", [False, True])
def test_the_last_step_is_the_decision(
    policy: NetworkPolicy, changes: dict[str, object], abroad: bool
) -> None:
    caller = neighbour(policy, **changes) if abroad else member(**changes)
    for standing, purpose, owns, related in itertools.product(
        STANDINGS, Purpose, (False, True), (False, True)
    ):
        request = Request(
            caller=caller, purpose=purpose, person=ALICE, patient=PATIENT, owns=owns,
            related=related,
        )  # fmt: skip
        decision = decide(policy, request, standing)
        *questions, last = explain(policy, request, standing)
        assert last.rule == decision.rule
        refused = [step.rule for step in questions if step.answer is Answer.NO]
        if isinstance(decision, Denial):
            assert last.answer is Answer.NO
            assert refused in ([], [decision.rule])
        elif decision.own_only:
            assert last.answer is Answer.LIMITS
            withdrawn = ["WDR-01"] if standing.withdrawn else []
            assert refused in ([decision.rule], withdrawn)
        else:
            assert last.answer is Answer.YES
            assert refused == []


def test_what_the_person_excludes_is_named(policy: NetworkPolicy) -> None:
    request = Request(
        caller=member(), purpose=Purpose.RECORD, person=ALICE, patient=PATIENT, related=True
    )
    steps = explain(policy, request, STANDINGS[3])
    limits = [step for step in steps if step.answer is Answer.LIMITS]
    assert [step.rule for step in limits] == ["EXC-01"]
    assert "prescription" in limits[0].english
    assert "prescription" not in steps[-1].english
    assert all(step.japanese for step in steps)
