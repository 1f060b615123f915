"""The network policy: every key read, every unknown one refused."""

import re
from typing import Any

import pytest
import yaml

from gateway.model import network
from gateway.model.category import Category, ExclusionGroup, FacilityType
from gateway.model.network import AccessModel, NetworkPolicy, PolicyError, WithdrawalEffect


def tgp(**changes: Any) -> dict[str, Any]:
    mapping: dict[str, Any] = yaml.safe_load(network.template("tgp"))
    return {**mapping, **changes}


def test_tgp_says_what_its_rules_say() -> None:
    policy = network.load(network.template("tgp"))
    assert (policy.network, policy.operator, policy.timezone) == ("tgp", "council", "Asia/Tokyo")
    assert policy.withdrawal.effect is WithdrawalEffect.DELETE
    assert policy.withdrawal.custody == "return"
    assert policy.exclusion.items == {
        Category.DIAGNOSIS, Category.PRESCRIPTION, Category.LAB_RESULT
    }  # fmt: skip
    assert policy.exclusion.groups == frozenset(ExclusionGroup)
    assert policy.retention.years == 5
    assert policy.signature.required["referral"] == ("Medical Doctor", "Dentist")
    assert FacilityType.LAB not in policy.access.matrix
    assert policy.labels["subject"] == "患者"
    assert policy.credentials.id.min_length == 10


@pytest.mark.parametrize("code", network.NETWORKS)
def test_every_network_ships_a_policy_that_loads(code: str) -> None:
    policy = network.load(network.template(code))
    assert policy.network == code
    assert Category.DIRECT_DOCUMENT not in policy.categories
    assert policy.audit.record_views == "always"


@pytest.mark.parametrize(
    ("code", "holds"),
    [
        ("tgp", lambda p: p.access.model is AccessModel.MATRIX and p.staging.custody),
        ("tkm", lambda p: p.withdrawal.effect is WithdrawalEffect.DISCONTINUE),
        ("tkm", lambda p: p.deletion.operator_discretion and p.retention.bound_to_contract),
        ("ngr", lambda p: p.terminals.client_certificate == "required" and len(p.purposes) == 8),
        ("ngr", lambda p: p.users.citizen == "forbidden" and p.terms.days == 30),
        ("fko", lambda p: p.service.hours.open == "08:00" and p.incidents.levels == 5),
        ("fko", lambda p: p.consent.forms[0].valid_to.isoformat() == "2018-05-31"),
        ("fko", lambda p: p.credentials.temporary.replace == {"id", "password"}),
        ("igt", lambda p: p.retention.first_day_counts and p.notices.discontinue_months == 6),
        ("igt", lambda p: p.cross_network.governing == "residence_network"),
    ],
)
def test_each_network_keeps_its_own_rules(code: str, holds: Any) -> None:
    assert holds(network.load(network.template(code)))


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


def _access(**changes: Any) -> dict[str, Any]:
    return tgp(access={**tgp()["access"], **changes})


@pytest.mark.parametrize(
    ("mapping", "named"),
    [
        pytest.param(tgp(colour="red"), "policy.colour", id="unknown key"),
        pytest.param(tgp(withdrawal={"effect": "forget"}), "withdrawal.effect", id="value"),
        pytest.param(tgp(withdrawal={"efect": "delete"}), "withdrawal.efect", id="inner key"),
        pytest.param(tgp(retention={"years": "5"}), "retention.years", id="text for number"),
        pytest.param(tgp(retention={"years": True}), "retention.years", id="truth for number"),
        pytest.param(tgp(retention={"years": -1}), "retention.years", id="negative number"),
        pytest.param(tgp(retention={"since": "birth"}), "possible are", id="unknown word"),
        pytest.param(tgp(categories=["horoscope"]), "categories", id="unknown category"),
        pytest.param(tgp(categories=["care", "care"]), "stands twice", id="category twice"),
        pytest.param(tgp(categories=["direct_document"]), "never shared", id="direct documents"),
        pytest.param(tgp(categories=["care"]), "not among", id="cells beyond the categories"),
        pytest.param(_access(matrix={"casino": {"*": []}}), "matrix", id="facility type"),
        pytest.param(_access(matrix={"clinic": {"wizard": []}}), "wizard", id="position"),
        pytest.param(_access(model="trust"), "access.model", id="access model"),
        pytest.param(_without("identifiers"), "identifiers is missing", id="required key"),
        pytest.param(_without("network"), "network is missing", id="no network"),
        pytest.param(
            tgp(identifiers={"shared_patient_id": {"domain": "x"}}), "not an OID", id="no OID"
        ),
        pytest.param(
            tgp(identifiers={"shared_patient_id": {"domain": 2.9}}), "in quotes", id="bare OID"
        ),
        pytest.param(
            tgp(identifiers={"shared_patient_id": {"domain": "2.999", "pattern": "["}}),
            "no pattern", id="broken pattern",
        ),
        pytest.param(tgp(policy_version=2), "policy_version", id="other version"),
        pytest.param(tgp(consent=[]), "policy.consent", id="list for mapping"),
        pytest.param(tgp(exclusion={"items": "care"}), "exclusion.items", id="word for list"),
        pytest.param(tgp(withdrawal={"effect": "delete", "reasons": []}), "WDR-05", id="reasons"),
        pytest.param(tgp(audit={"record_views": "never"}), "record_views", id="audit off"),
        pytest.param(tgp(labels={"boss": "長"}), "labels", id="unknown role"),
    ],
)  # fmt: skip
def test_a_wrong_policy_stops_the_start(mapping: dict[str, Any], named: str) -> None:
    with pytest.raises(PolicyError, match=re.escape(named)):
        NetworkPolicy.from_mapping(mapping)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        pytest.param("a: [", "not YAML at line", id="broken YAML"),
        pytest.param("- a", "must be a mapping", id="a list"),
        pytest.param("", "must be a mapping", id="nothing"),
        pytest.param("policy_version: 1\npolicy_version: 1", "stands twice", id="a key twice"),
        pytest.param("a: &x [1]\nb: *x", "aliases", id="an alias"),
        pytest.param("a: !!python/object/apply:os.getcwd []", "not YAML", id="a Python object"),
        pytest.param("#" + "x" * 1024 * 1024, "larger", id="too large"),
    ],
)
def test_a_file_that_is_no_policy_is_named_so(text: str, named: str) -> None:
    with pytest.raises(PolicyError, match=named):
        network.load(text)


def test_an_unknown_network_has_no_template() -> None:
    with pytest.raises(PolicyError, match="possible are tgp"):
        network.template("../tgp")
