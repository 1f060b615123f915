"""xmlsec's opinion on the cryptography of the same XML, with the same certificate."""

from collections.abc import Callable

import pytest
from lxml import etree

from gateway.hpki.policy import Algorithms
from gateway.hpki.xades.names import DS
from gateway.hpki.xades.reader import open_signatures
from gateway.model.signature import CheckOutcome
from tests import pki
from tests.shared import SHARED

xmlsec = pytest.importorskip("xmlsec", reason="xmlsec is not installed: no second opinion")
LETTER = "<letter><text>紹介状</text></letter>".encode()


def ours(content: bytes) -> bool:
    (opened,) = open_signatures(content, Algorithms(), {})
    return all(check.outcome is CheckOutcome.PASSED for check in opened.checks)


def theirs(content: bytes) -> bool:
    root = etree.fromstring(content)
    (signature,) = root.iter(f"{DS}Signature")
    (opened,) = open_signatures(content, Algorithms(), {})
    assert opened.certificate is not None
    xmlsec.tree.add_ids(root, ["Id", "id"])
    context = xmlsec.SignatureContext()
    der = opened.certificate.dump()
    try:
        context.key = xmlsec.Key.from_memory(der, xmlsec.constants.KeyDataFormatCertDer)
        context.verify(signature)
    except xmlsec.Error:
        return False
    return True


def _changed(path: str, text: str) -> Callable[[bytes], bytes]:
    def change(content: bytes) -> bytes:
        root = etree.fromstring(content)
        found = root.find(path)
        assert found is not None
        found.text = text
        return etree.tostring(root)

    return change


CASES: dict[str, Callable[[], bytes]] = {
    "prescription": pki.prescription,
    "without stamp": lambda: pki.prescription(stamped=None),
    "enveloped": lambda: pki.enveloped(LETTER),
    "enveloped, namespaces": lambda: pki.enveloped(
        b'<a xmlns="urn:a" xmlns:b="urn:b"><b:c b:d="1"/></a>'
    ),
    "body changed": lambda: _changed(".//PrescriptionDocument", "AAAA")(pki.prescription()),
    "value changed": lambda: _changed(f".//{DS}SignatureValue", "A" * 342 + "==")(
        pki.prescription()
    ),
    "digest changed": lambda: _changed(f".//{DS}DigestValue", "A" * 43 + "=")(pki.prescription()),
    "letter changed": lambda: _changed("text", "別の紹介状")(pki.enveloped(LETTER)),
}
if SHARED is not None:
    _REAL = SHARED / "hpki" / "vectors" / "hpki-real" / "xades"
    CASES["the real prescription"] = (_REAL / "prescription-004_01.xml").read_bytes
    CASES["the real one, changed"] = lambda: _changed(".//PrescriptionDocument", "AAAA")(
        (_REAL / "prescription-004_01.xml").read_bytes()
    )
    CASES["DSS, enveloped"] = (
        SHARED / "hpki" / "vectors" / "dss" / "xades" / "dss-signed.xml"
    ).read_bytes


@pytest.mark.parametrize("name", CASES)
def test_both_agree(name: str) -> None:
    content = CASES[name]()
    assert ours(content) == theirs(content) == ("changed" not in name)
