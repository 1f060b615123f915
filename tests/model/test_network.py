"""The network policy: every key read, every unknown one refused."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.model.category import Category, ExclusionGroup, FacilityType
from gateway.model.network import NetworkPolicy, PolicyError, WithdrawalEffect

POLICIES = Path(__file__).resolve().parents[2] / "gateway" / "policies"


def tgp() -> dict[str, Any]:
    mapping: dict[str, Any] = yaml.safe_load((POLICIES / "tgp.yaml").read_text("utf-8"))
    return mapping


def test_tgp_says_what_its_rules_say() -> None:
    policy = NetworkPolicy.from_mapping(tgp())
    assert policy.withdrawal.effect is WithdrawalEffect.DELETE
    assert policy.exclusion.items == {
        Category.DIAGNOSIS, Category.PRESCRIPTION, Category.LAB_RESULT
    }  # fmt: skip
    assert policy.exclusion.groups == frozenset(ExclusionGroup)
    assert policy.retention.years == 5
    assert policy.signature.required["referral"] == ("Medical Doctor", "Dentist")
    assert FacilityType.LAB not in policy.access.matrix


@pytest.mark.parametrize(
    ("value", "holds"),
    [
        pytest.param("1234567890123456", True, id="16 half-width digits"),
        pytest.param("123456789012345", False, id="15 digits"),
        pytest.param("12345678901234567", False, id="17 digits"),
        pytest.param("123456789012345a", False, id="a letter"),
        pytest.param("１２３４５６７８９０１２３４５６", False, id="full-width digits"),
        pytest.param("1234567890123456\n", False, id="a line end behind it"),
    ],
)
def test_the_form_of_a_shared_id(value: str, holds: bool) -> None:
    assert NetworkPolicy.from_mapping(tgp()).shared_id.matches(value) is holds


def _without(key: str) -> dict[str, Any]:
    mapping = tgp()
    del mapping[key]
    return mapping


@pytest.mark.parametrize(
    ("mapping", "named"),
    [
        pytest.param({**tgp(), "colour": "red"}, "policy.colour", id="unknown key"),
        pytest.param(
            {**tgp(), "withdrawal": {"effect": "forget"}}, "policy.withdrawal.effect", id="value"
        ),
        pytest.param(
            {**tgp(), "withdrawal": {"efect": "delete"}}, "policy.withdrawal.efect", id="inner key"
        ),
        pytest.param(
            {**tgp(), "retention": {"years": "5"}}, "retention.years", id="text for number"
        ),
        pytest.param(
            {**tgp(), "retention": {"years": True}}, "retention.years", id="truth for number"
        ),
        pytest.param({**tgp(), "categories": ["horoscope"]}, "categories", id="unknown category"),
        pytest.param(
            {**tgp(), "access": {"matrix": {"casino": {"*": []}}}}, "matrix", id="facility type"
        ),
        pytest.param(_without("shared_id"), "shared_id is missing", id="required key"),
        pytest.param({**tgp(), "policy_version": 2}, "policy_version", id="other version"),
        pytest.param({**tgp(), "consent": []}, "policy.consent", id="list for mapping"),
    ],
)
def test_a_wrong_policy_stops_the_start(mapping: dict[str, Any], named: str) -> None:
    with pytest.raises(PolicyError, match=named):
        NetworkPolicy.from_mapping(mapping)
