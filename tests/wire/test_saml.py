"""The assertion of a message: what is accepted, at which edges, and what is read from it."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from lxml import etree

from conformance import saml as issuing
from gateway.errors import OverLimit, Unauthenticated
from gateway.model.document import Code
from gateway.model.identifiers import HomeCommunityId, Oid, PatientId
from gateway.wire import saml, xml
from tests.saml import (
    AUDIENCE,
    NEIGHBOUR,
    NOW,
    certificate,
    ec_neighbour,
    message,
    neighbour,
    parsed,
    pem,
    rsa_key,
    signed,
    statement,
)
from tests.shared import needs_shared, shared


def _trust() -> saml.Trust:
    return saml.trust_of([(NEIGHBOUR, pem(neighbour()))])


def _verify(*tokens: etree._Element, **changes: object) -> saml.Claims:
    rules: dict[str, object] = {"audience": AUDIENCE, "now": NOW, **changes}
    trust = rules.pop("trust", None) or _trust()
    return saml.verify(*message(*tokens), trust, **rules)  # type: ignore[arg-type]


def _refused(*tokens: etree._Element, **changes: object) -> tuple[str, str]:
    with pytest.raises(Unauthenticated) as caught:
        _verify(*tokens, **changes)
    return caught.value.check, caught.value.log


def test_a_signed_assertion_is_read() -> None:
    stated = statement(resource="9000000000000001^^^&2.999.20.1&ISO", id="_a1")
    claims = _verify(signed(stated))
    assert claims.id == "_a1"
    assert claims.issuer == NEIGHBOUR
    assert (claims.subject, claims.name) == ("hanako", "Doctor One")
    assert claims.home == HomeCommunityId("2.999.10.2")
    assert claims.organization_ids == (NEIGHBOUR,)
    assert claims.roles == (Code("112247003", "2.16.840.1.113883.6.96", "Medical doctor"),)
    assert claims.purposes == (Code("TREATMENT", "2.16.840.1.113883.3.18.7.1", "Treatment"),)
    assert claims.patient == PatientId(Oid("2.999.20.1"), "9000000000000001")
    assert claims.audit_name == f"<hanako@{NEIGHBOUR}>"
    assert not claims.one_time_use
    expected = neighbour().certificate
    assert expected is not None
    assert claims.certificate == expected.fingerprint(SHA256()).hex()


@pytest.mark.parametrize("digest", ["sha256", "sha384", "sha512"])
@pytest.mark.parametrize("kind", ["rsa", "ecdsa"])
def test_each_allowed_algorithm_verifies(kind: str, digest: str) -> None:
    issuer = neighbour() if kind == "rsa" else ec_neighbour()
    trust = saml.trust_of([(NEIGHBOUR, pem(issuer))])
    assert _verify(signed(issuer=issuer, digest=digest), trust=trust).subject == "hanako"


def test_a_prefix_list_as_ipf_sends_it_verifies() -> None:
    assert _verify(signed(prefixes="saml")).subject == "hanako"


def test_both_keys_count_while_the_issuer_changes_them() -> None:
    old, new = neighbour(), neighbour(number=1)
    trust = saml.trust_of([(NEIGHBOUR, pem(old) + pem(new))])
    assert _verify(signed(issuer=old), trust=trust).id
    assert _verify(signed(issuer=new), trust=trust).id


def test_an_assertion_without_key_info_is_verified_with_the_pinned_key() -> None:
    bare = issuing.Issuer(name=NEIGHBOUR, key=neighbour().key)
    assert _verify(signed(issuer=bare)).subject == "hanako"


_ROLE_SHAPES = [
    pytest.param(
        issuing.DOCTOR,
        Code("112247003", "2.16.840.1.113883.6.96", "Medical doctor"),
        id="coded element",
    ),
    pytest.param("112247003", Code("112247003", ""), id="plain text"),
]


@pytest.mark.parametrize(("sent", "read"), _ROLE_SHAPES)
def test_roles_come_in_several_shapes(sent: object, read: Code) -> None:
    claims = _verify(signed(statement(roles=(sent,), purposes=(sent,))))
    assert claims.roles == (read,)
    assert claims.purposes == (read,)


@pytest.mark.parametrize(
    ("value", "read"),
    [
        pytest.param("<Role>112247003</Role>", Code("112247003", ""), id="nested text"),
        pytest.param(
            '<h:PurposeForUse xmlns:h="urn:hl7-org:v3" code="T" codeSystem="1.2"/>',
            Code("T", "1.2"),
            id="an older element name",
        ),
        pytest.param('<Role codeSystem="1.2">T</Role>', Code("T", "1.2"), id="nested with system"),
    ],
)
def test_nested_roles_are_read(value: str, read: Code) -> None:
    assertion = issuing.build(NEIGHBOUR, statement(), NOW)
    place = assertion.find(f".//*[@Name='{issuing.ROLE}']/*")
    assert place is not None
    place[:] = [etree.fromstring(value)]
    assert _verify(issuing.sign(assertion, neighbour())).roles == (read,)


def test_several_roles_are_all_told() -> None:
    claims = _verify(signed(statement(roles=(issuing.DOCTOR, "nurse"))))
    assert [role.code for role in claims.roles] == ["112247003", "nurse"]


def test_one_time_use_is_told() -> None:
    assert _verify(signed(statement(one_time_use=True))).one_time_use


@pytest.mark.parametrize(
    ("start", "life", "check"),
    [
        pytest.param(180, 600, "", id="not yet valid by the skew"),
        pytest.param(181, 600, "authentication", id="not yet valid by one second more"),
        pytest.param(-780, 600, "", id="over by the skew"),
        pytest.param(-781, 600, "expired", id="over by one second more"),
        pytest.param(-60, 4 * 3600, "", id="as long as allowed"),
        pytest.param(-60, 4 * 3600 + 1, "authentication", id="one second too long"),
        pytest.param(-60, 0, "authentication", id="no time at all"),
        pytest.param(-60, -30, "authentication", id="end before start"),
    ],
)
def test_times_are_judged_to_the_second(start: int, life: int, check: str) -> None:
    stated = statement(not_before=NOW + timedelta(seconds=start), life=timedelta(seconds=life))
    if check:
        assert _refused(signed(stated)) == (check, "SAML-TIME")
    else:
        assert _verify(signed(stated)).subject == "hanako"


def test_without_skew_the_end_is_exclusive() -> None:
    stated = statement(not_before=NOW - timedelta(seconds=600))
    assert _refused(signed(stated), skew=timedelta(0))[0] == "expired"
    earlier = NOW - timedelta(microseconds=1)
    assert _verify(signed(stated), skew=timedelta(0), now=earlier).id


@pytest.mark.parametrize(
    "text",
    ["2026-11-24T09:00:00", "2026-11-24T18:00:00+09:00", "9999-12-31T23:59:60Z", "", "now"],
)
def test_odd_times_are_refused(text: str) -> None:
    assertion = issuing.build(NEIGHBOUR, statement(), NOW)
    xml.one(assertion, "saml:Conditions").set("NotBefore", text)
    assert _refused(issuing.sign(assertion, neighbour())) == ("authentication", "SAML-TIME")


def test_a_recipient_must_be_one_of_our_addresses() -> None:
    stated = statement(confirmation={"Recipient": "https://localhost/xca/query"})
    ours = frozenset({"https://localhost/xca/query"})
    assert _verify(signed(stated), recipients=ours).id
    assert _refused(signed(stated)) == ("authentication", "SAML-AUD")


def test_holder_of_key_needs_the_same_tls_certificate() -> None:
    other = certificate(rsa_key(1), "client")
    stated = statement(method=issuing.HOLDER_OF_KEY, holder=other)
    holder = other.fingerprint(SHA256()).hex()
    assert _verify(signed(stated), holder=holder).id
    assert _refused(signed(stated), holder="0" * 64) == ("authentication", "SAML-HOK")
    assert _refused(signed(stated)) == ("authentication", "SAML-HOK")


@pytest.mark.parametrize("subject", ["", " hanako", "hana\u200bko", "hana\u202eko", "x" * 1025])
def test_odd_subjects_are_refused(subject: str) -> None:
    assert _refused(signed(statement(subject=subject))) == ("authentication", "SAML-ATTR")


def test_two_communities_contradict_each_other() -> None:
    assertion = issuing.build(NEIGHBOUR, statement(), NOW)
    place = assertion.find(f".//*[@Name='{issuing.HOME}']")
    assert place is not None
    etree.SubElement(place, place[0].tag).text = "urn:oid:2.999.10.3"
    assert _refused(issuing.sign(assertion, neighbour())) == ("authentication", "SAML-ATTR")


def test_an_unknown_condition_is_not_taken_as_met() -> None:
    assertion = issuing.build(NEIGHBOUR, statement(), NOW)
    conditions = xml.one(assertion, "saml:Conditions")
    etree.SubElement(conditions, conditions.tag.replace("Conditions", "Condition"))
    assert _refused(issuing.sign(assertion, neighbour())) == ("authentication", "SAML-ATTR")


def test_without_a_header_an_assertion_is_asked_for() -> None:
    assert _refused() == ("security", "SIG-MISSING")


@pytest.mark.parametrize(
    ("token", "check"),
    [
        ("<x/>", "security"),
        (f'<w:UsernameToken xmlns:w="{issuing.WSSE}"/>', "unsupported-token"),
        (f'<s:EncryptedAssertion xmlns:s="{issuing.SAML}"/>', "unsupported-token"),
        ('<s:Assertion xmlns:s="urn:oasis:names:tc:SAML:1.0:assertion"/>', "security"),
    ],
)
def test_other_tokens_are_refused(token: str, check: str) -> None:
    assert _refused(etree.fromstring(token))[0] == check
    assert _refused(signed(), etree.fromstring(token))[0] == check


def test_a_time_stamp_in_the_header_may_not_be_over() -> None:
    wsu = xml.NAMESPACES["wsu"]
    form = f'<u:Timestamp xmlns:u="{wsu}"><u:Expires>%s</u:Expires></u:Timestamp>'
    over = etree.fromstring(form % "2026-11-24T08:56:59Z")
    running = etree.fromstring(form % "2026-11-24T08:57:00Z")
    assert _refused(over, signed()) == ("expired", "SAML-TIME")
    assert _verify(running, signed()).id


def test_a_huge_assertion_is_refused_before_any_cryptography() -> None:
    for stated in (
        statement(name="x" * (300 * 1024)),
        statement(roles=("r",) * 1001),
    ):
        with pytest.raises(OverLimit):
            _verify(signed(stated))


def test_what_was_verified_is_remembered_and_judged_anew() -> None:
    verifier = saml.Verifier(_trust(), audience=AUDIENCE, remembered=2)
    token = signed()
    first = verifier.verify(*message(token), now=NOW)
    assert verifier.verify(*message(token), now=NOW) is first
    with pytest.raises(Unauthenticated) as caught:
        verifier.verify(*message(token), now=NOW + timedelta(hours=1))
    assert caught.value.check == "expired"
    assert all(verifier.verify(*message(signed()), now=NOW) for _ in range(3))
    assert verifier.verify(*message(token), now=NOW) is not first


def test_remembered_bytes_at_another_place_are_refused() -> None:
    verifier = saml.Verifier(_trust(), audience=AUDIENCE)
    token = signed()
    verifier.verify(*message(token), now=NOW)
    with pytest.raises(Unauthenticated):
        verifier.verify(*message(token, token), now=NOW)


def test_threads_share_one_verifier() -> None:
    verifier = saml.Verifier(_trust(), audience=AUDIENCE)
    tokens = [signed() for _ in range(4)]
    seen: list[str] = []

    def run() -> None:
        seen.extend(verifier.verify(*message(token), now=NOW).id for token in tokens)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(seen) == sorted([str(token.get("ID")) for token in tokens] * 4)


@needs_shared
def test_the_assertion_ipf_sent_is_read_with_its_own_certificate() -> None:
    content = shared("ihe", "wire", "iti38-xua.req.body").read_bytes()
    security, envelope = parsed(content)
    found = envelope.findtext(".//{*}X509Certificate")
    assert found is not None
    body = "".join(found.split())
    folded = "\n".join(body[at : at + 64] for at in range(0, len(body), 64))
    pem_text = f"-----BEGIN CERTIFICATE-----\n{folded}\n-----END CERTIFICATE-----\n"
    trust = saml.trust_of([("urn:ipfpeer:idp", pem_text.encode())])
    now = datetime(2026, 11, 23, 22, 30, 0, tzinfo=UTC)
    claims = saml.verify(security, envelope, trust, audience="urn:gateway", now=now)
    assert claims.subject == "CN=Dr Foreigner,O=Foreign Clinic"
    assert claims.roles == (Code("112247003", "2.16.840.1.113883.6.96", "Medical doctor"),)
    assert claims.patient == PatientId(Oid("1.3.6.1.4.1.99999.1.1"), "P1")
