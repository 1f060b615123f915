"""CAdES: what is signed and by whom, inside or beside, in every wrapping; and its attacks."""

import asyncio
from base64 import encodebytes
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from asn1crypto import cms, core
from click.testing import CliRunner
from cryptography.x509 import ReasonFlags
from pyhanko.sign import signers
from pyhanko_certvalidator.registry import SimpleCertificateStore

from gateway.cli.verify import verify as command
from gateway.demo import sign
from gateway.hpki.verify import verify
from gateway.hpki.wrapping import recognised
from gateway.model.signature import CheckOutcome, Indication, SignatureReport
from tests import cades, pki
from tests.cades import TEXT, attribute, named, signed_data, signer_info

HERE = pki.hierarchy()
STAMP = HERE.stamp()
VERIFIED, INVALID, UNVERIFIABLE = (
    Indication.VERIFIED,
    Indication.INVALID,
    Indication.UNVERIFIABLE,
)


def judge(content: bytes, **kind: object) -> SignatureReport:
    policy = kind.pop("policy", None) or pki.policy()
    return verify(content, policy, at=kind.pop("at", pki.NOW), **kind)


def reasons(report: SignatureReport) -> str:
    return "; ".join(
        f"{check.name}: {check.reason}"
        for one in report.signatures
        for check in one.checks
        if check.outcome is not CheckOutcome.PASSED
    )


def one(**parts: object) -> bytes:
    """An object with one signer, its parts as said."""
    parts.setdefault("stamp", STAMP)
    return signed_data([signer_info(TEXT, pki.doctor(), **parts)]).dump()


def test_the_content_inside_is_what_is_covered() -> None:
    report = judge(cades.cades())
    assert (report.passed, reasons(report)) == (True, "")
    (signature,) = report.signatures
    assert signature.format == "CAdES-T"
    assert (signature.covered, signature.whole_document) == (TEXT, False)
    assert (signature.proven, signature.claimed) == (pki.SIGNED, pki.SIGNED)
    assert [role.text for role in signature.roles] == ["Medical Doctor"]


def test_without_a_stamp_it_is_of_the_basic_level() -> None:
    report = judge(cades.cades(stamped=None), received=pki.SIGNED)
    assert report.passed
    assert report.signatures[0].format == "CAdES-B"


def test_another_library_signs_and_we_verify() -> None:
    store = SimpleCertificateStore()
    store.register(pki.parsed(HERE.signing))
    card = pki.hand(pki.doctor())
    signer = signers.SimpleSigner(
        signing_cert=pki.parsed(pki.doctor()),
        signing_key=sign._asn1_key(card.key),
        cert_registry=store,
    )
    authority = sign.stamper(HERE.tsa.certificate, HERE.tsa.key, pki.SIGNED)
    made = asyncio.run(
        signer.async_sign_general_data(
            TEXT, "sha256", detached=False, use_cades=True, timestamper=authority
        )
    )
    report = judge(made.dump())
    assert reasons(report) == ""
    assert report.signatures[0].covered == TEXT


def test_the_content_beside_it() -> None:
    content = signed_data([signer_info(TEXT, pki.doctor(), stamp=STAMP)], None).dump()
    report = judge(content, detached={"letter.txt": TEXT})
    assert report.passed
    assert report.signatures[0].covered == TEXT
    for beside, verdict, reason in (
        ({}, UNVERIFIABLE, "not in the file"),
        ({"a": TEXT + b"\n"}, INVALID, "digest: what is signed was altered"),
        ({"a": TEXT, "b": TEXT}, INVALID, "several contents"),
    ):
        report = judge(content, detached=beside)
        assert report.indication is verdict
        assert reason in reasons(report)
        assert report.signatures[0].covered == b""


def test_what_is_inside_and_beside_must_be_the_same() -> None:
    assert judge(cades.cades(), detached={"same": TEXT}).passed
    report = judge(cades.cades(), detached={"other": b"other"})
    assert "the content beside it is not the one signed" in reasons(report)


def _ber(content: bytes) -> bytes:
    """Indefinite lengths outside, and the content in two pieces (X.690 8.1.3.6, 8.7.3.2)."""
    signed = cms.ContentInfo.load(content)["content"]
    pieces = b"".join(core.OctetString(part).dump() for part in (TEXT[:4], TEXT[4:]))
    end = b"\0\0"
    inner = b"\xa0\x80" + b"\x24\x80" + pieces + end + end
    whole = b"\x30\x80" + cms.ContentType("data").dump() + inner + end
    parts = (
        signed["version"].dump(), signed["digest_algorithms"].dump(), whole,
        signed["certificates"].dump(), signed["signer_infos"].dump(),
    )  # fmt: skip
    data = b"\xa0\x80" + b"\x30\x80" + b"".join(parts) + end + end
    return b"\x30\x80" + cms.ContentType("signed_data").dump() + data + end


def _pem(content: bytes, label: bytes = b"PKCS7") -> bytes:
    text = encodebytes(content)
    return b"-----BEGIN " + label + b"-----\n" + text + b"-----END " + label + b"-----\n"


@pytest.mark.parametrize(
    "wrap",
    [
        pytest.param(_ber, id="BER with indefinite lengths"),
        pytest.param(_pem, id="PEM"),
        pytest.param(lambda content: _pem(content, b"CMS"), id="PEM of CMS"),
        pytest.param(encodebytes, id="base64 in lines"),
        pytest.param(lambda content: encodebytes(content).replace(b"\n", b"\r\n"), id="CRLF"),
        pytest.param(lambda content: _pem(_ber(content)), id="BER in PEM"),
    ],
)
def test_wrappings(wrap: Callable[[bytes], bytes]) -> None:
    report = judge(wrap(cades.cades()))
    assert reasons(report) == ""
    assert report.passed
    assert report.signatures[0].covered == TEXT


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(cades.cades() + b"\0", id="a byte behind"),
        pytest.param(_pem(cades.cades()) + _pem(cades.cades()), id="two PEM blocks"),
        pytest.param(b"-----BEGIN PKCS7-----\n!!\n-----END PKCS7-----", id="no base64"),
        pytest.param(encodebytes(cades.cades()) + b"=", id="base64 with a tail"),
        pytest.param(cades.cades()[:-200], id="cut"),
        pytest.param(cades.cades()[:20], id="only its head"),
        pytest.param(signed_data([]).dump(), id="no signer"),
        pytest.param(
            signed_data([signer_info(TEXT, pki.doctor())] * 11).dump(), id="eleven signers"
        ),
        pytest.param(b"\x30\x80" + cades.cades()[4:15] + b"\xa0\x80" * 500, id="nested"),
    ],
)
def test_what_cannot_be_read_is_signed_and_invalid(content: bytes) -> None:
    report = judge(content)
    assert report.indication is INVALID
    assert "structure: the signed CMS data cannot be read" in reasons(report)


@pytest.mark.parametrize(
    "content", [b"", b"0", b"MIIB", b"M" * 96, b"\x30\x05hello", b"-----BEGIN CERTIFICATE-----"]
)
def test_other_things_are_not_taken_for_signatures(content: bytes) -> None:
    assert not recognised(content)
    assert not judge(content).signed


PHARMACIST = HERE.card(role="Pharmacist", serial=101)
RSA_OF_ANOTHER = HERE.card(key=pki.make.rsa_key(), serial=100)
ATTACKS = {
    "the content was changed": (
        lambda: one().replace(TEXT, TEXT[:-1] + b" "),
        "digest: what is signed was altered",
    ),
    "the signature value was changed": (
        lambda: _value_changed(),
        "signature: the signature value does not verify",
    ),
    "no attribute names the certificate": (
        lambda: one(names=[]),
        "signer: no signed attribute names the signer's certificate",
    ),
    "the attribute names another certificate": (
        lambda: one(names=[named(PHARMACIST)]),
        "signer: the signing-certificate attribute names another certificate",
    ),
    "the certificate was swapped": (
        lambda: signed_data(
            [signer_info(TEXT, pki.doctor(), stamp=STAMP)],
            certificates=[RSA_OF_ANOTHER, HERE.signing],
        ).dump(),
        "signer: the signing-certificate attribute names another certificate",
    ),
    "version 2 names another issuer": (
        lambda: one(names=[named(pki.doctor(), issuer=HERE.login)]),
        "signer: the signing-certificate attribute names another certificate",
    ),
    "version 1 names another issuer": (
        lambda: one(names=[named(pki.doctor(), version=1, issuer=HERE.login)]),
        "signer: the signing-certificate attribute names another certificate",
    ),
    "version 1 and version 2 disagree": (
        lambda: one(names=[named(PHARMACIST, version=1), named(pki.doctor())]),
        "signer: the signing-certificate attribute names another certificate",
    ),
    "no content type": (
        lambda: one(content_type=None),
        "signed-attributes: content type and digest must be signed attributes",
    ),
    "two content types": (
        lambda: one(extra=[attribute("content_type", cms.ContentType("data"))]),
        "signed-attributes: content type and digest must be signed attributes",
    ),
    "another content type": (
        lambda: one(content_type="signed_data"),
        "signed-attributes: the signed content type is another one",
    ),
    "two digests": (
        lambda: one(extra=[attribute("message_digest", core.OctetString(bytes(32)))]),
        "signed-attributes: content type and digest must be signed attributes",
    ),
    "SHA-1": (lambda: one(digest="sha1"), "algorithm: a signature or digest algorithm"),
    "the token of another signature": (
        lambda: one(stamp=lambda _: STAMP(b"another value")),
        "time-stamp: it stamps something else",
    ),
    "a token of a card": (
        lambda: one(stamp=HERE.stamp(tsa=pki.stamper(HERE.tsa_root, pki.make.leaf()))),
        "time-stamp: its certificate is not for time-stamping alone",
    ),
    "a token of the future": (
        lambda: one(stamp=HERE.stamp(pki.NOW + timedelta(days=1))),
        "time-stamp: its time is later than",
    ),
    "eleven tokens": (
        lambda: signed_data([_stamped_often()]).dump(),
        "time-stamp: there are more time-stamps than are looked at",
    ),
}


def _value_changed() -> bytes:
    info = signer_info(TEXT, pki.doctor(), stamp=STAMP)
    value = bytearray(info["signature"].native)
    value[-1] ^= 1
    info["signature"] = bytes(value)
    return signed_data([info]).dump()


def _stamped_often() -> cms.SignerInfo:
    info = signer_info(TEXT, pki.doctor())
    token = cms.ContentInfo.load(STAMP(info["signature"].native))
    return cades.add(info, *[attribute("signature_time_stamp_token", token)] * 11)


@pytest.mark.parametrize("name", ATTACKS)
def test_attacks(name: str) -> None:
    make, reason = ATTACKS[name]
    report = judge(make())
    assert report.indication is INVALID
    assert reason in reasons(report)


def test_version_1_of_the_attribute_counts_too() -> None:
    """It names by SHA-1, as tokens in the wild do: the certificate is judged by itself."""
    assert judge(one(names=[named(pki.doctor(), version=1)])).passed
    assert judge(one(names=[named(pki.doctor(), version=1), named(pki.doctor())])).passed


def test_a_signer_without_certificate_is_unverifiable() -> None:
    content = signed_data([signer_info(TEXT, pki.doctor())], certificates=()).dump()
    report = judge(content)
    assert report.indication is UNVERIFIABLE
    assert "signer: the signer's certificate is not in the document" in reasons(report)


@pytest.mark.parametrize(
    ("card", "reason"),
    list(
        {
            "expired": "path: the certificate had expired",
            "rogue twin": "path: ",
            "test card": "policy: a test card",
            "foreign policy": "policy: the path is not valid",
            "log-in card": "policy: a certificate for log-in",
            "wrong usage": "key-usage: ",
            "no role": "role: ",
            "unknown role": "role: the role text is not in the role table",
            "weak key": "algorithm: ",
        }.items()
    ),
)
def test_signers_who_may_not(card: str, reason: str) -> None:
    report = judge(cades.cades(pki.cards()[card]))
    assert not report.passed
    assert reason in reasons(report)


@pytest.mark.parametrize(
    ("since", "verdict"), [(pki.BEFORE, INVALID), (pki.SIGNED, INVALID), (pki.AFTER, VERIFIED)]
)
def test_revocation_counts_against_the_proven_time(since: datetime, verdict: Indication) -> None:
    lists = (
        HERE.crl([(100, since, ReasonFlags.key_compromise)], since=pki.AFTER),
        HERE.sarl,
        HERE.tsa_crl,
    )
    assert judge(cades.cades(), policy=pki.policy(lists)).indication is verdict


# --- several signers, countersignatures --------------------------------------------------------


def _two(other: cms.SignerInfo) -> bytes:
    first = signer_info(TEXT, pki.doctor(), stamp=STAMP)
    certificates = [pki.doctor(), PHARMACIST, HERE.signing]
    return signed_data([first, other], certificates=certificates).dump()


def test_each_signer_is_judged() -> None:
    report = judge(_two(signer_info(TEXT, PHARMACIST, stamp=STAMP)))
    assert report.passed
    found = {role.text for one in report.signatures for role in one.roles}
    assert found == {"Medical Doctor", "Pharmacist"}
    report = judge(_two(signer_info(b"something else", PHARMACIST, stamp=STAMP)))
    assert report.indication is INVALID
    verdicts = sorted(one.indication.value for one in report.signatures)
    assert verdicts == ["invalid", "verified"]


def counter(
    maker: pki.Issued, value: bytes | None = None, names: Sequence[object] | None = None
) -> bytes:
    info = signer_info(TEXT, pki.doctor(), stamp=STAMP)
    value = info["signature"].native if value is None else value
    by = signer_info(value, maker, content_type=None, names=names)
    cades.add(info, attribute("counter_signature", by))
    return signed_data([info], certificates=[pki.doctor(), maker, HERE.signing]).dump()


def test_a_countersigner_is_never_the_signer() -> None:
    report = judge(counter(PHARMACIST), received=pki.SIGNED)
    assert reasons(report) == ""
    (signature,) = report.signatures
    assert [role.text for role in signature.roles] == ["Medical Doctor"]
    assert "countersignature" in {check.name for check in signature.checks}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (lambda: counter(PHARMACIST, b"another value"), "the signature value does not verify"),
        (lambda: counter(pki.rogue().card(serial=101)), "no path leads to a trusted authority"),
        (lambda: counter(PHARMACIST, names=[]), "no signed attribute names"),
        (lambda: counter(pki.cards()["expired"]), "the certificate had expired"),
    ],
)
def test_a_bad_countersignature_is_said(content: Callable[[], bytes], reason: str) -> None:
    report = judge(content(), received=pki.SIGNED)
    assert not report.passed
    assert f"countersignature: a countersignature: {reason}" in reasons(report)


# --- the command line ---------------------------------------------------------------------------


def test_the_command_takes_the_content_beside(tmp_path) -> None:
    signature, letter = tmp_path / "letter.p7s", tmp_path / "letter.txt"
    signature.write_bytes(signed_data([signer_info(TEXT, pki.doctor())], None).dump())
    letter.write_bytes(TEXT)
    at = ["--at", datetime(2026, 6, 1, tzinfo=UTC).isoformat()]
    alone = CliRunner().invoke(command, [str(signature), *at])
    assert "hand it over beside it" in alone.output
    both = CliRunner().invoke(command, [str(signature), "--content", str(letter), *at])
    assert "what is signed is unaltered" in both.output
    assert both.exit_code != 0  # the test authority is not in the shipped trust
    missing = CliRunner().invoke(command, [str(signature), "--content", str(tmp_path / "none")])
    assert missing.exit_code == 2
