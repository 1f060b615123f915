"""Neighbours: configured, in force, mapped, or refused."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
import yaml

from gateway.errors import NotPermitted, Unauthenticated
from gateway.members import neighbours
from gateway.members.neighbours import NeighbourError
from gateway.model.caller import CallerKind
from gateway.model.category import Category, FacilityType
from gateway.model.document import Code
from gateway.model.identifiers import HomeCommunityId
from gateway.model.network import NetworkPolicy

SNOMED = "2.16.840.1.113883.6.96"
PURPOSES = "2.16.840.1.113883.3.18.7.1"
DOCTOR = (Code("112247003", SNOMED),)
TREATMENT = (Code("TREATMENT", PURPOSES),)
DAY = date(2026, 11, 21)


def profile(**changes: Any) -> str:
    mapping = {
        "name": "neighbour-n",
        "home_community_id": "2.999.10.2",
        "issuer": "urn:oid:2.999.10.2",
        "assertion_certificates": ["pki/xua/neighbour-n.pem"],
        "client_certificates": ["cd" * 32],
        "agreement": {"from": date(2026, 4, 1), "to": date(2027, 3, 31)},
        "roles": {f"{SNOMED}|112247003": "doctor", "106289002": "dentist"},
        "purposes": {f"{PURPOSES}|TREATMENT": "TREATMENT"},
        **changes,
    }
    return yaml.safe_dump({key: value for key, value in mapping.items() if value is not None})


def ask(policy: NetworkPolicy, text: str, **changes: Any) -> Any:
    neighbour = neighbours.load(text, policy)
    asked = {
        "network": "tgp", "policy": policy, "day": DAY, "subject": "dr@n", "roles": DOCTOR,
        "purposes": TREATMENT, "organization": "urn:oid:2.999.10.2",
        "home": HomeCommunityId("2.999.10.2"),
    }  # fmt: skip
    return neighbours.user_caller(neighbour, **{**asked, **changes})


def test_a_mapped_user_of_a_configured_neighbour_is_a_caller(policy: NetworkPolicy) -> None:
    caller = ask(policy, profile())
    assert caller.kind is CallerKind.NEIGHBOUR
    assert (caller.role, caller.purpose, caller.home) == ("doctor", "TREATMENT", "2.999.10.2")
    assert caller.facility_type is FacilityType.OTHER
    assert caller.categories == policy.access.neighbours


def test_the_profile_says_what_type_of_facility_asks(policy: NetworkPolicy) -> None:
    text = profile(
        organizations=["2.999.10.2", "2.999.10.2.7"],
        facility_types={"2.999.10.2.7": "pharmacy"},
        facility_type="clinic",
    )
    assert ask(policy, text).facility_type is FacilityType.CLINIC
    pharmacy = ask(policy, text, organization="urn:oid:2.999.10.2.7")
    assert pharmacy.facility_type is FacilityType.PHARMACY


def test_an_agreement_may_cover_less(policy: NetworkPolicy) -> None:
    agreement = {"from": date(2026, 4, 1), "categories": ["allergy"]}
    assert ask(policy, profile(agreement=agreement)).categories == {Category.ALLERGY}


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        pytest.param({"roles": ()}, "ACC-04", id="no role"),
        pytest.param({"roles": (Code("1", SNOMED),)}, "ACC-04", id="unknown role"),
        pytest.param({"roles": (*DOCTOR, Code("1", SNOMED))}, "ACC-04", id="one unknown of two"),
        pytest.param(
            {"roles": (*DOCTOR, Code("106289002", ""))}, "ACC-04", id="two that contradict"
        ),
        pytest.param({"roles": (Code("112247003", "2.999"),)}, "ACC-04", id="another code system"),
        pytest.param({"purposes": ()}, "ACC-11", id="no purpose"),
        pytest.param({"purposes": (Code("MARKETING", PURPOSES),)}, "ACC-11", id="other purpose"),
        pytest.param({"day": date(2026, 3, 31)}, "XCA-03", id="before the agreement"),
        pytest.param({"day": date(2027, 4, 1)}, "XCA-03", id="after the agreement"),
    ],
)
def test_what_the_profile_does_not_know_is_refused(
    policy: NetworkPolicy, changes: dict[str, Any], rule: str
) -> None:
    with pytest.raises(NotPermitted) as caught:
        ask(policy, profile(), **changes)
    assert caught.value.rule == rule


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"home": HomeCommunityId("2.999.10.3")}, id="another community"),
        pytest.param({"organization": "urn:oid:2.999.10.3"}, id="another organization"),
        pytest.param({"organization": "2.999.10.2.1"}, id="an organization below"),
    ],
)
def test_an_assertion_speaks_for_its_own_community_only(
    policy: NetworkPolicy, changes: dict[str, Any]
) -> None:
    with pytest.raises(Unauthenticated) as caught:
        ask(policy, profile(), **changes)
    assert caught.value.log == "SAML-ORG"


def test_without_an_assertion_a_neighbour_may_ask_nothing(policy: NetworkPolicy) -> None:
    caller = neighbours.system_caller(neighbours.load(profile(), policy), network="tgp")
    assert (caller.role, caller.purpose, caller.categories) == ("", "", None)


@pytest.mark.parametrize("status", ["500", 500])
def test_a_peer_may_want_its_faults_behind_500(policy: NetworkPolicy, status: Any) -> None:
    assert neighbours.load(profile(sender_fault_status=status), policy).fault_status == 500


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        pytest.param({"name": "N!"}, "name", id="name"),
        pytest.param({"issuer": None}, "issuer is missing", id="no issuer"),
        pytest.param({"home_community_id": "urn:oid:2.9"}, "not an OID", id="a URN for an OID"),
        pytest.param({"client_certificates": ["zz"]}, "SHA-256", id="no fingerprint"),
        pytest.param({"assertion_certificates": []}, "at least one", id="no certificate"),
        pytest.param({"roles": {"1": "wizard"}}, "no position", id="unknown position"),
        pytest.param({"purposes": {"1": "FUN"}}, "no purpose", id="unknown purpose"),
        pytest.param({"sender_fault_status": 200}, "sender_fault_status", id="other status"),
        pytest.param({"endpoints": {"query": "http://n"}}, "https", id="plain HTTP"),
        pytest.param({"endpoints": {"query": "https://u@n"}}, "https", id="user in the address"),
        pytest.param({"agreement": {"from": "soon"}}, "agreement.from", id="no date"),
        pytest.param(
            {"agreement": {"from": DAY, "categories": ["user_note"]}}, "does not give", id="beyond"
        ),
        pytest.param({"colour": "red"}, "unknown key", id="unknown key"),
    ],
)
def test_a_wrong_profile_stops_the_start(
    policy: NetworkPolicy, changes: dict[str, Any], named: str
) -> None:
    with pytest.raises(NeighbourError, match=named):
        neighbours.load(profile(**changes), policy)


def test_a_profile_is_a_value(policy: NetworkPolicy) -> None:
    first, second = (neighbours.load(profile(), policy) for _ in range(2))
    assert first == second
    assert replace(first, issuer="x") != second
