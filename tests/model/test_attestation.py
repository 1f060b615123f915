"""What is told of a stored report: read back as it was found, whoever wrote it and when."""

import orjson
import pytest

from gateway.hpki.verify import verify
from gateway.model import attestation
from gateway.model.signature import Indication, SignatureReport
from tests import pki, xades
from tests.hpki.test_xades_inner import LATER, dispensed


def kept(report: SignatureReport) -> tuple[attestation.Attestation, ...]:
    """The report stored and read, as JSON does it."""
    return attestation.read(orjson.loads(orjson.dumps(report.as_json())))


def test_a_prescription_inside_of_a_dispensing_document() -> None:
    root, _ = dispensed()
    (outer,) = kept(xades.judge(root))
    assert (outer.verdict, outer.roles, outer.proven) == (
        Indication.VERIFIED, ("Pharmacist",), LATER,
    )  # fmt: skip
    (inner,) = outer.inside
    assert (inner.roles, inner.proven, inner.when) == (
        ("Medical Doctor",), pki.SIGNED, (pki.SIGNED, "proven"),
    )  # fmt: skip
    assert outer.name
    assert outer.issuer
    assert outer.serial.isdigit()
    assert outer.doubts == ()


def test_doubts_name_what_did_not_pass() -> None:
    content = pki.prescription(pki.cards()["doctor"], stamped=None)
    (one,) = kept(verify(content, pki.policy(lists=[]), at=pki.NOW))
    assert one.verdict is Indication.UNVERIFIABLE
    assert "revocation" in one.doubts
    assert not one.holds
    assert one.when[1] == "claimed"
    broken = content.replace(b"<PrescriptionDocument ", b'<PrescriptionDocument x="" ')
    assert broken != content
    (one,) = kept(verify(broken, pki.policy(), at=pki.NOW, received=pki.NOW))
    assert one.verdict is Indication.INVALID


def test_reports_of_before_lack_issuer_and_roles() -> None:
    told = verify(pki.pdf(), pki.policy(), at=pki.NOW).as_json()
    for one in told["signatures"]:
        del one["signer"]["issuer"], one["signer"]["roles"]
    (one,) = attestation.read(told)
    assert (one.issuer, one.roles) == ("", ("Medical Doctor",))
    assert attestation.read(None) == ()
    assert attestation.read(verify(pki.page("x"), pki.policy(), at=pki.NOW).as_json()) == ()


@pytest.mark.parametrize(
    ("subject", "name"),
    [
        ("CN=Taro Yamada,serialNumber=T1,C=JP", "Taro Yamada"),
        ("C=JP,CN=Taro\\, Yamada \\+ Sons", "Taro, Yamada + Sons"),
        ("serialNumber=1+CN=山田 太郎,O=x", "山田 太郎"),
        ("O=CN\\=no,C=JP", "O=CN\\=no,C=JP"),
        ("", ""),
    ],
)
def test_the_name_is_the_common_name(subject: str, name: str) -> None:
    one = attestation.Attestation(
        verdict=Indication.VERIFIED, level="", checked=pki.NOW, signer=subject
    )
    assert one.name == name
