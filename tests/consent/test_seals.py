"""The document of a registration: what it must be, and a reason of its own for each lack."""

import hashlib
from datetime import datetime

import pytest

from gateway.consent import seals
from gateway.errors import UntrustedSignature
from gateway.hpki.verify import verify
from gateway.model.network import SignaturePolicyKeys
from gateway.model.signature import Sealed
from tests import cades, pki, xades

WANTED = {"consent": ("Medical Doctor", "Dentist")}
RULE = SignaturePolicyKeys(registrations=WANTED, timestamp=True)
XML = b"<consent><name>x</name></consent>"


def sealed(content: bytes, *, lists: bool = True, at: datetime = pki.NOW) -> Sealed:
    report = verify(content, pki.policy(None if lists else []), at=at, received=at)
    assert report.file_sha256 == hashlib.sha256(content).hexdigest()
    return Sealed(content=content, report=report)


def refused(document: Sealed | None, rule: SignaturePolicyKeys = RULE) -> UntrustedSignature:
    with pytest.raises(UntrustedSignature) as found:
        seals.require(rule, "consent", document)
    assert found.value.rule == "SIG-05"
    assert found.value.japanese != found.value.english
    return found.value


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(pki.pdf(), id="PAdES-T"),
        pytest.param(pki.enveloped(XML), id="XAdES-T"),
        pytest.param(cades.cades(), id="CAdES-T, attached"),
    ],
)
def test_a_doctors_stamped_signature_over_all_of_it_is_enough(content: bytes) -> None:
    seals.require(RULE, "consent", sealed(content))


def test_what_is_not_demanded_needs_nothing_and_what_is_handed_in_must_verify() -> None:
    seals.require(RULE, "withdrawal", None)
    seals.require(
        RULE, "withdrawal", sealed(pki.pdf(pki.cards()["pharmacist"], stamped=None), at=pki.SIGNED)
    )
    with pytest.raises(UntrustedSignature, match="no signature in the document"):
        seals.require(RULE, "withdrawal", sealed(pki.page("x")))


def test_each_lack_has_its_own_reason() -> None:
    pdf = bytearray(pki.pdf())
    pdf[pdf.index(b"MediaBox") + 10] ^= 1
    packed = xades.written(xades.stamped(xades.enveloping(b"%PDF-1.7 consent")))
    pharmacist = pki.cards()["pharmacist"]
    said = {
        "none": refused(None),
        "unsigned": refused(sealed(pki.page("x"))),
        "changed": refused(sealed(bytes(pdf))),
        "packed": refused(sealed(packed)),
        "no lists": refused(sealed(pki.pdf(), lists=False)),
        "no stamp": refused(sealed(pki.pdf(stamped=None), at=pki.SIGNED)),
        "wrong role": refused(sealed(pki.pdf(pharmacist))),
        "no role": refused(sealed(cades.cades(pki.cards()["no role"]))),
    }
    assert "name it with --document" in said["none"].english
    assert "Medical Doctor or Dentist, with a time-stamp" in said["none"].english
    assert "no signature in the document" in said["unsigned"].english
    assert "does not verify" in said["changed"].english
    assert "only a part" in said["packed"].english
    assert "cannot be established now" in said["no lists"].english
    assert "no time-stamp that counts" in said["no stamp"].english
    assert "no Medical Doctor or Dentist" in said["wrong role"].english
    places = [said[one].at for one in ("none", "no stamp", "wrong role")]
    assert places == ["document", "time-stamp", "role"]
    assert said["none"].report is None
    assert said["wrong role"].report is not None
