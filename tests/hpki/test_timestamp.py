"""Time-stamp tokens: bound to the signature, by an authority that counts, at a time that can be."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from asn1crypto import cms, pem, tsp
from cryptography.x509 import ReasonFlags
from cryptography.x509.oid import ExtendedKeyUsageOID

from gateway.cli import demo_authority as make
from gateway.cli.demo_authority import Issued
from gateway.hpki.certificates import read_all
from gateway.hpki.policy import Anchor, AnchorKind, SignaturePolicy, Trust
from gateway.hpki.revocation import RevocationList, read_list
from gateway.hpki.timestamp import Stamp, Surroundings, judge
from gateway.model.signature import CheckOutcome
from tests import pki
from tests.shared import needs_shared, shared

PASSED, FAILED, UNKNOWN = CheckOutcome.PASSED, CheckOutcome.FAILED, CheckOutcome.UNKNOWN
HERE = pki.hierarchy()
VALUE = b"signature value"
LEAF, USAGE = make.leaf(), make.usage("digital_signature")


def around(
    lists: tuple[RevocationList, ...] | None = None,
    *,
    now: datetime = pki.NOW,
    received: datetime | None = None,
    policy: SignaturePolicy | None = None,
) -> Surroundings:
    policy = policy or pki.policy()
    return Surroundings(
        policy=policy,
        helpers=(),
        crls=(HERE.tsa_crl,) if lists is None else lists,
        now=now,
        received=received,
    )


def token(tsa: Issued | None = None, moment: datetime = pki.SIGNED, over: bytes = VALUE) -> bytes:
    return HERE.stamp(moment, tsa)(over)


def test_a_token_proves_its_moment() -> None:
    stamp = judge(token(), VALUE, around())
    assert (stamp.check.outcome, stamp.time) == (PASSED, pki.SIGNED)
    assert len(stamp.evidence) >= 4


def changed(edit: Callable[[cms.SignedData], None]) -> bytes:
    content = cms.ContentInfo.load(token())
    edit(content["content"])
    return content.dump(force=True)


def _drop_certificates(signed: cms.SignedData) -> None:
    signed["certificates"] = []


def _forge_value(signed: cms.SignedData) -> None:
    signed["signer_infos"][0]["signature"] = bytes(256)


def _two_signers(signed: cms.SignedData) -> None:
    signed["signer_infos"].append(signed["signer_infos"][0].copy())


STRANGERS = {
    "without its purpose": (LEAF, USAGE),
    "with two purposes": (
        LEAF,
        USAGE,
        make.purposes(
            ExtendedKeyUsageOID.TIME_STAMPING, ExtendedKeyUsageOID.CODE_SIGNING, critical=True
        ),
    ),
    "with a purpose that is not critical": (
        LEAF,
        USAGE,
        make.purposes(ExtendedKeyUsageOID.TIME_STAMPING),
    ),
}


@pytest.mark.parametrize("name", STRANGERS)
def test_a_certificate_must_be_for_time_stamping_alone(name: str) -> None:
    tsa = pki.stamper(HERE.tsa_root, *STRANGERS[name])
    stamp = judge(token(tsa), VALUE, around())
    assert stamp.check.outcome is FAILED
    assert "for time-stamping alone" in stamp.check.reason


@pytest.mark.parametrize(
    ("content", "outcome", "reason"),
    [
        pytest.param(token(over=b"other"), FAILED, "something else", id="over something else"),
        pytest.param(b"", FAILED, "cannot be read", id="empty"),
        pytest.param(b"\x30\x03\x02\x01\x01", FAILED, "cannot be read", id="no CMS"),
        pytest.param(token()[:-9], FAILED, "", id="cut"),
        pytest.param(changed(_drop_certificates), UNKNOWN, "is missing", id="no certificate"),
        pytest.param(changed(_forge_value), FAILED, "does not verify", id="forged value"),
        pytest.param(
            token().replace(b"20260501030000Z", b"20200501030000Z"),
            FAILED,
            "does not verify",
            id="moved time",
        ),
        pytest.param(changed(_two_signers), FAILED, "cannot be read", id="two signers"),
        pytest.param(token(pki.rogue().tsa), UNKNOWN, "not on the list", id="an unknown authority"),
        pytest.param(
            token(moment=pki.NOW + timedelta(minutes=10)), FAILED, "later than", id="of tomorrow"
        ),
        pytest.param(
            token(pki.stamper(HERE.tsa_root, since=pki.AFTER)),
            FAILED,
            "outside",
            id="before its certificate",
        ),
        pytest.param(
            token(pki.stamper(HERE.tsa_root, key=make.rsa_key(1024))),
            FAILED,
            "too weakly",
            id="a weak key",
        ),
    ],
)
def test_tokens_that_prove_nothing(content: bytes, outcome: CheckOutcome, reason: str) -> None:
    stamp = judge(content, VALUE, around())
    assert (stamp.check.outcome, stamp.time) == (outcome, None)
    assert reason in stamp.check.reason


def test_a_little_skew_is_forgiven() -> None:
    soon = token(moment=pki.NOW + timedelta(seconds=179))
    assert judge(soon, VALUE, around()).check.outcome is PASSED
    late = token(moment=pki.NOW + timedelta(seconds=181))
    assert judge(late, VALUE, around()).check.outcome is FAILED


def test_a_token_cannot_be_younger_than_our_reception_of_it() -> None:
    assert judge(token(), VALUE, around(received=pki.AFTER)).check.outcome is PASSED
    assert judge(token(), VALUE, around(received=pki.BEFORE)).check.outcome is FAILED


def test_an_ended_certificate_needs_a_proof_of_reception() -> None:
    tsa = pki.stamper(HERE.tsa_root, until=pki.AFTER + timedelta(days=1))
    stamp = judge(token(tsa), VALUE, around())
    assert stamp.check.outcome is UNKNOWN
    assert "has ended since" in stamp.check.reason
    assert judge(token(tsa), VALUE, around(received=pki.AFTER)).check.outcome is PASSED


def test_a_pinned_service_needs_no_path_and_counts_for_its_days() -> None:
    pinned = Anchor(
        kind=AnchorKind.TSA, certificate=pki.parsed(HERE.tsa), since=pki.BEFORE, until=pki.AFTER
    )
    policy = replace(pki.policy(), trust=Trust(anchors=(pinned,)))
    assert judge(token(), VALUE, around((), policy=policy)).check.outcome is PASSED
    for moment in (pki.BEFORE - timedelta(hours=1), pki.AFTER + timedelta(hours=1)):
        stamp = judge(token(moment=moment), VALUE, around((), policy=policy))
        assert stamp.check.outcome is UNKNOWN
        assert "for that time" in stamp.check.reason


@pytest.mark.parametrize(
    ("moment", "reason", "outcome"),
    [
        (pki.BEFORE, ReasonFlags.cessation_of_operation, FAILED),
        (pki.AFTER, ReasonFlags.cessation_of_operation, PASSED),
        (pki.AFTER, ReasonFlags.superseded, PASSED),
        (pki.AFTER, ReasonFlags.key_compromise, FAILED),
        (pki.AFTER, ReasonFlags.certificate_hold, UNKNOWN),
        (pki.NOW + timedelta(1), ReasonFlags.key_compromise, PASSED),
    ],
)
def test_a_revoked_authority(moment: datetime, reason: ReasonFlags, outcome: CheckOutcome) -> None:
    crl = HERE.crl([(7, moment, reason)], issuer=HERE.tsa_root, days=365)
    assert judge(token(), VALUE, around((crl,))).check.outcome is outcome


def test_without_a_list_nothing_is_proven() -> None:
    stale = HERE.crl(issuer=HERE.tsa_root)
    for lists in ((), (stale,)):
        stamp = judge(token(), VALUE, around(lists))
        assert stamp.check.outcome is UNKNOWN
        assert "no usable revocation list" in stamp.check.reason
    assert judge(token(), VALUE, around((stale,), received=pki.SIGNED)).time == pki.SIGNED


# --- published tokens -------------------------------------------------------------------------


def published(anchor: bytes, lists: tuple[bytes, ...] = ()) -> Surroundings:
    anchors = tuple(Anchor(kind=AnchorKind.TSA, certificate=one) for one in read_all(anchor))
    policy = SignaturePolicy(trust=Trust(anchors=anchors))
    return Surroundings(
        policy=policy,
        helpers=read_all(anchor),
        crls=tuple(map(read_list, lists)),
        now=datetime(2026, 6, 1, tzinfo=UTC),
        received=None,
    )


@needs_shared
def test_the_real_japanese_token() -> None:
    folder = shared("hpki", "vectors", "hpki-real")
    content = (folder / "tst" / "prescription-sig0.tst.der").read_bytes()
    message = (folder / "tst" / "prescription-sig0.message.bin").read_bytes()
    anchor = (folder / "certs" / "tsa-test-ca.der").read_bytes()
    crl = (folder / "crls" / "tsa-test-ca.crl").read_bytes()
    stamp = judge(content, message, published(anchor, (crl,)))
    assert stamp.check.outcome is PASSED
    assert stamp.time == datetime(2022, 9, 7, 8, 18, 25, 197000, UTC)
    assert judge(content, message + b" ", published(anchor, (crl,))).check.outcome is FAILED
    assert judge(content, message, published(anchor)).check.outcome is UNKNOWN


def _rfc3161() -> list[dict[str, str]]:
    folder = shared("hpki", "vectors", "rfc3161")
    cases = json.loads((folder / "expected.json").read_text())["cases"]
    return [{**case, "folder": str(folder)} for case in cases]


@needs_shared
def test_published_responses_of_two_public_authorities() -> None:
    """They are judged without their revocation lists, which are not published with them."""
    folder = shared("hpki", "vectors", "rfc3161")
    found: dict[str, Stamp] = {}
    for case in _rfc3161():
        response = tsp.TimeStampResp.load((folder / case["file"]).read_bytes())
        chain = (folder / case["chain"]).read_bytes()
        assert pem.detect(chain)
        content = response["time_stamp_token"].dump()
        surroundings = published(chain)
        found[case["file"]] = judge(content, b"hello", surroundings)
        assert judge(content, b"hallo", surroundings).check.outcome is FAILED
    outcomes = {name: (stamp.check.outcome, stamp.check.reason) for name, stamp in found.items()}
    for case in _rfc3161():
        outcome, _ = outcomes[case["file"]]
        if case["expected"] == "valid":
            assert outcome is PASSED, (case, outcomes[case["file"]])
        elif case["expected"] == "invalid":
            assert outcome is FAILED
        elif case["expected"] == "untrusted":
            assert outcome is not PASSED
