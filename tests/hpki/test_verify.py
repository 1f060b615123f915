"""`hpki.verify`: the verdict, its reasons, and what callers may build on it."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography.x509 import ReasonFlags

from gateway.errors import UntrustedSignature
from gateway.hpki.policy import SIGNING, SIGNING_TEST, AnchorKind, SignaturePolicy
from gateway.hpki.trust import shipped
from gateway.hpki.verify import required, verify
from gateway.model.signature import CheckOutcome, Indication, SignatureReport
from tests import pki

VERIFIED, INVALID, UNVERIFIABLE = (
    Indication.VERIFIED,
    Indication.INVALID,
    Indication.UNVERIFIABLE,
)
FORMS = {"xml": pki.prescription, "pdf": pki.pdf}


def problems(report: SignatureReport) -> dict[str, str]:
    """Name and reason of every check that did not pass."""
    return {
        check.name: check.reason
        for signature in report.signatures
        for check in signature.checks
        if check.outcome is not CheckOutcome.PASSED
    }


@pytest.mark.parametrize("form", FORMS)
def test_a_doctor_signs_and_is_verified(form: str) -> None:
    content = FORMS[form]()
    report = verify(content, pki.policy(), at=pki.NOW)
    assert problems(report) == {}
    assert report.passed
    (signature,) = report.signatures
    assert signature.format == {"xml": "XAdES-T", "pdf": "PAdES-T"}[form]
    assert signature.role is not None
    assert signature.role.text == "Medical Doctor"
    assert signature.policy == SIGNING
    assert signature.proven == pki.SIGNED
    assert signature.serial == "100"
    assert "Taro Mihon" in signature.subject
    assert signature.covered
    assert signature.covered in content or form == "xml"
    assert len(signature.evidence) >= 5


BAD_CARDS = [
    ("no role", INVALID, "role", "states no health-care role"),
    ("unknown role", UNVERIFIABLE, "role", "not in the role table"),
    ("foreign scheme", INVALID, "role", "not written as the HPKI profile says"),
    ("test card", INVALID, "policy", "a test card"),
    ("foreign policy", INVALID, "policy", "not valid for the signing policy"),
    ("log-in card", INVALID, "policy", "for log-in"),
    ("log-in policy", INVALID, "policy", "for log-in"),
    ("wrong usage", INVALID, "key-usage", "not for signing documents"),
    ("web server", INVALID, "key-usage", "not for signing documents"),
    ("expired", INVALID, "path", "had expired"),
    ("not yet valid", INVALID, "path", "not valid yet"),
    ("rogue twin", INVALID, "path", "issuer is unknown"),
    ("rogue twin with copied key ids", INVALID, "path", "does not verify"),
    ("critical unknown", INVALID, "path", "critical extension"),
]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("card", "verdict", "name", "reason"), BAD_CARDS)
def test_bad_cards_are_refused_each_with_its_reason(
    form: str, card: str, verdict: Indication, name: str, reason: str
) -> None:
    content = FORMS[form](ALL_CARDS[card])
    report = verify(content, pki.policy(), at=pki.NOW)
    assert report.indication is verdict
    assert reason in problems(report)[name]


ALL_CARDS = pki.cards()


@pytest.mark.parametrize("form", FORMS)
def test_a_weak_key_is_refused_before_anything_else(form: str) -> None:
    report = verify(FORMS[form](ALL_CARDS["weak key"]), pki.policy(), at=pki.NOW)
    assert report.indication is INVALID
    assert list(problems(report)) == ["algorithm"]


def test_a_pharmacist_is_verified_and_is_no_doctor() -> None:
    report = verify(pki.prescription(ALL_CARDS["pharmacist"]), pki.policy(), at=pki.NOW)
    assert report.passed
    required(report, frozenset({"Pharmacist"}), timestamp=True)
    with pytest.raises(UntrustedSignature) as refused:
        required(report, frozenset({"Medical Doctor", "Dentist"}))
    assert refused.value.report is report


def test_test_cards_count_only_with_the_switch() -> None:
    content = pki.prescription(ALL_CARDS["test card"])
    assert verify(content, pki.policy(), at=pki.NOW).indication is INVALID
    report = verify(content, pki.policy(accept_test=True), at=pki.NOW)
    assert report.passed
    assert report.signatures[0].policy == SIGNING_TEST


def test_the_role_is_not_read_from_a_certificate_that_does_not_count() -> None:
    for card in ("test card", "rogue twin", "expired"):
        (signature,) = verify(
            pki.prescription(ALL_CARDS[card]), pki.policy(), at=pki.NOW
        ).signatures
        assert signature.roles == ()
        assert signature.role is None


def test_authorities_marked_as_test_count_only_with_the_switch() -> None:
    trust = pki.hierarchy().trust()
    marked = replace(trust, anchors=tuple(replace(one, test=True) for one in trust.anchors))
    content = pki.prescription()
    assert not verify(content, pki.policy(trust=marked), at=pki.NOW).passed
    assert verify(content, pki.policy(trust=marked, accept_test=True), at=pki.NOW).passed


def test_nobody_but_the_real_authorities_counts_under_the_shipped_trust() -> None:
    for test_cards in (False, True):
        policy = SignaturePolicy(trust=shipped(), accept_test=test_cards)
        report = verify(pki.prescription(), policy, at=pki.NOW)
        assert report.indication is INVALID
        assert "issuer is unknown" in problems(report)["path"]


def test_an_authority_counts_only_for_its_kind_and_its_time() -> None:
    trust = pki.hierarchy().trust()
    content = pki.prescription()
    swapped = tuple(
        replace(one, kind=AnchorKind.TSA if one.kind is AnchorKind.HPKI else AnchorKind.HPKI)
        for one in trust.anchors
    )
    report = verify(content, pki.policy(trust=replace(trust, anchors=swapped)), at=pki.NOW)
    assert set(problems(report)) == {"time-stamp", "path"}
    ended = tuple(replace(one, until=pki.BEFORE) for one in trust.anchors)
    report = verify(content, pki.policy(trust=replace(trust, anchors=ended)), at=pki.NOW)
    assert report.indication is UNVERIFIABLE
    assert "for that time" in problems(report)["time-stamp"]
    plain = verify(
        pki.prescription(stamped=None), pki.policy(trust=replace(trust, anchors=ended)), at=pki.NOW
    )
    assert "not trusted for that moment" in problems(plain)["path"]


def test_a_stamp_that_is_not_established_leaves_the_verdict_open() -> None:
    """Whether the certificate had ended before or after signing is what the stamp would tell."""
    content = pki.prescription(ALL_CARDS["ends after signing"])
    without = pki.hierarchy().trust(tsa=False)
    report = verify(content, pki.policy(trust=without), at=pki.NOW)
    assert report.indication is UNVERIFIABLE
    assert set(problems(report)) == {"time-stamp", "path"}
    revoked = pki.prescription(ALL_CARDS["revoked"])
    trust = pki.hierarchy().trust(lists(pki.REVOKED, pki.AFTER), tsa=False)
    report = verify(revoked, pki.policy(trust=trust), at=pki.AFTER + timedelta(hours=1))
    assert report.indication is UNVERIFIABLE
    assert set(problems(report)) == {"time-stamp", "revocation"}


# --- time -------------------------------------------------------------------------------------


def test_without_a_stamp_the_moment_is_that_of_reception_or_of_verification() -> None:
    content = pki.prescription(ALL_CARDS["ends after signing"], stamped=None)
    late = verify(content, pki.policy(), at=pki.NOW)
    assert (late.indication, late.signatures[0].format) == (INVALID, "XAdES-BES")
    assert "had expired" in problems(late)["path"]
    early = verify(content, pki.policy(), at=pki.NOW, received=pki.SIGNED)
    assert early.passed
    assert early.signatures[0].proven is None
    assert early.received == pki.SIGNED


def test_a_stamp_proves_that_the_certificate_still_held() -> None:
    content = pki.prescription(ALL_CARDS["ends after signing"])
    assert verify(content, pki.policy(), at=pki.NOW).passed
    late = pki.prescription(ALL_CARDS["ends after signing"], stamped=pki.SIGNED + timedelta(15))
    assert "had expired" in problems(verify(late, pki.policy(), at=pki.NOW))["path"]


def test_the_claimed_time_proves_nothing() -> None:
    content = pki.prescription(ALL_CARDS["ends after signing"], stamped=None)
    (signature,) = verify(content, pki.policy(), at=pki.NOW).signatures
    assert signature.claimed == pki.SIGNED
    assert signature.indication is INVALID


def test_a_stamp_that_is_due_and_missing_is_a_refusal() -> None:
    content = pki.prescription(stamped=None)
    report = verify(content, pki.policy(timestamp_required=True), at=pki.NOW, received=pki.SIGNED)
    assert problems(report) == {"time-stamp": "there is no time-stamp"}
    report = verify(content, pki.policy(), at=pki.NOW, received=pki.SIGNED)
    required(report, frozenset({"Medical Doctor"}))
    with pytest.raises(UntrustedSignature, match="time-stamp"):
        required(report, frozenset({"Medical Doctor"}), timestamp=True)


# --- revocation -------------------------------------------------------------------------------


def lists(serial: int, moment: object, reason: ReasonFlags = ReasonFlags.cessation_of_operation):
    here = pki.hierarchy()
    return here.crl([(serial, moment, reason)]), here.sarl, here.tsa_crl


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("moment", "verdict"), [(pki.BEFORE, INVALID), (pki.SIGNED, INVALID), (pki.AFTER, VERIFIED)]
)
def test_revocation_counts_against_the_proven_time(form, moment, verdict) -> None:
    content = FORMS[form](ALL_CARDS["revoked"])
    report = verify(content, pki.policy(lists(pki.REVOKED, moment)), at=pki.NOW)
    assert report.indication is verdict
    if verdict is INVALID:
        assert problems(report) == {"revocation": problems(report)["revocation"]}
        assert "revoked at or before" in problems(report)["revocation"]


def test_a_hold_is_not_yet_a_verdict() -> None:
    held = lists(pki.HELD, pki.BEFORE, ReasonFlags.certificate_hold)
    report = verify(pki.prescription(ALL_CARDS["held"]), pki.policy(held), at=pki.NOW)
    assert report.indication is UNVERIFIABLE
    assert "on hold" in problems(report)["revocation"]


def test_without_lists_nothing_is_verified() -> None:
    here = pki.hierarchy()
    content = pki.prescription()
    for given, reason in (
        ((here.tsa_crl, here.sarl), "no usable revocation list for the certificate"),
        ((here.tsa_crl, here.crl()), "no usable revocation list for an authority"),
        ((here.tsa_crl, here.sarl, here.crl(since=pki.SIGNED - timedelta(20))), "too old"),
        ((here.crl(), here.sarl), "time-stamp"),
    ):
        report = verify(content, pki.policy(given), at=pki.NOW)
        assert report.indication is UNVERIFIABLE
        assert any(reason in f"{name} {text}" for name, text in problems(report).items())


# --- what callers build on --------------------------------------------------------------------


UNSIGNED = {
    "nothing": b"",
    "text": "診療情報".encode(),
    "json": b'{"resourceType": "Bundle"}',
    "xml": b"<Document><Prescription/></Document>",
    "xml with a style sheet": b'<?xml-stylesheet href="cda.xsl"?><ClinicalDocument/>',
    "xml with an unknown entity": b'<?xml version="1.0"?><a>&undefined;</a>',
    "shift-jis xml": '<?xml version="1.0" encoding="Shift_JIS"?><a>見本</a>'.encode("cp932"),
    "almost xml": b"<1 is not a name",
    "zip": b"PK\x03\x04" + bytes(40),
    "pdf": pki.page(),
    "a broken pdf": pki.page()[:300],
    "dicom": bytes(128) + b"DICM",
}


@pytest.mark.parametrize("name", UNSIGNED)
def test_an_unsigned_document_has_a_report_that_says_so(name: str) -> None:
    report = verify(UNSIGNED[name], pki.policy(), at=pki.NOW)
    assert (report.signed, report.passed) == (False, False)
    assert (report.indication, report.signatures) == (UNVERIFIABLE, ())
    with pytest.raises(UntrustedSignature, match="required"):
        required(report)


def test_damaged_signed_documents_are_not_taken_for_unsigned_ones() -> None:
    for damaged in (
        pki.prescription()[:-40],
        pki.prescription().decode().encode("utf-16-be"),
        b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
        b"\n" + pki.pdf(),
        pki.pdf()[:-300],
    ):
        report = verify(damaged, pki.policy(), at=pki.NOW)
        assert report.signed
        assert report.indication is INVALID


def test_required_tells_invalid_from_unverifiable() -> None:
    bad = verify(pki.prescription(ALL_CARDS["expired"]), pki.policy(), at=pki.NOW)
    with pytest.raises(UntrustedSignature, match="invalid"):
        required(bad)
    unknown = verify(pki.prescription(), pki.policy(()), at=pki.NOW)
    with pytest.raises(UntrustedSignature, match="cannot be verified now"):
        required(unknown)


def test_the_report_as_json_is_what_the_interface_says() -> None:
    report = verify(pki.prescription(), pki.policy(), at=pki.NOW)
    told = json.loads(json.dumps(report.as_json()))
    assert told["verdict"] == "verified"
    assert told["file_sha256"] == report.file_sha256
    (signature,) = told["signatures"]
    assert signature["signer"]["role"] == "Medical Doctor"
    assert signature["times"]["proven"] == pki.SIGNED.isoformat()
    assert signature["covered"] == {
        "sha256": report.signatures[0].covered_sha256,
        "whole_document": False,
    }
    names = [check["name"] for check in signature["checks"]]
    assert names == [
        "structure", "digest", "signature", "time-stamp", "path", "policy", "key-usage",
        "revocation", "role",
    ]  # fmt: skip
    assert all(check["reason"] and check["reason_ja"] for check in signature["checks"])
    assert all(check["outcome"] == "passed" for check in signature["checks"])


def test_the_same_question_has_the_same_answer() -> None:
    content = pki.pdf()
    assert verify(content, pki.policy(), at=pki.NOW) == verify(content, pki.policy(), at=pki.NOW)
