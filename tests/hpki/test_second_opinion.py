"""xmlsec's opinion on the cryptography of the same XML, with the same certificate.

Every form and every published XML document is judged twice. Where the two differ, `EXPLAINED` says
why: our profile refuses before any cryptography what xmlsec would compute.
"""

from collections.abc import Callable
from pathlib import Path

import pytest
from lxml import etree

from gateway.hpki.policy import Algorithms
from gateway.hpki.xades.names import DS, ENVELOPED, EXCLUSIVE, FILTER2, XADES
from gateway.hpki.xades.reader import open_signatures
from gateway.model.signature import CheckOutcome
from tests import pki, xades, xades_levels
from tests.shared import SHARED

xmlsec = pytest.importorskip("xmlsec", reason="xmlsec is not installed: no second opinion")
FILES = {"a": b"1", "b.bin": bytes(range(256))}
"Files beside a signature; xmlsec reads them from the directory in which it runs."
LETTER = "<letter><text>紹介状</text></letter>".encode()


def ours(content: bytes) -> list[bool]:
    """For each signature, whether digests and value hold for us."""
    return [
        all(
            check.outcome is CheckOutcome.PASSED
            for check in one.checks
            if check.name in ("structure", "digest", "signature", "signer", "algorithm")
        )
        for outer in open_signatures(content, Algorithms(), FILES)
        for one in _every(outer)
    ]


def _every(opened):
    yield opened
    for one in (*opened.embedded, *opened.countersigned):
        yield from _every(one)


def theirs(content: bytes) -> list[bool]:
    """The same from xmlsec, with the certificate that each signature's KeyInfo holds first."""
    try:
        root = etree.fromstring(content)
    except etree.XMLSyntaxError:
        return [False]
    xmlsec.tree.add_ids(root, ["Id", "id", "ID"])
    return [_verifies(one) for one in _in_our_order(root)]


def _in_our_order(root):
    """Document order, except that a dispensing document's own signature comes first."""
    found = list(root.iter(f"{DS}Signature"))
    above = {one: one.getparent() for one in found}
    return sorted(found, key=lambda one: above[one] is None or above[one].tag != "DispensingSign")


def _verifies(signature) -> bool:
    context = xmlsec.SignatureContext()
    given = signature.findtext(f"{DS}KeyInfo/{DS}X509Data/{DS}X509Certificate")
    try:
        pem = f"-----BEGIN CERTIFICATE-----\n{given.strip()}\n-----END CERTIFICATE-----\n"
        context.key = xmlsec.Key.from_memory(pem, xmlsec.constants.KeyDataFormatCertPem)
        context.verify(signature)
    except (xmlsec.Error, AttributeError):
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


def _enveloped(*transforms: str) -> bytes:
    root = etree.fromstring(LETTER)
    whole = etree.tostring(root, method="c14n")
    made = xades.sign(root, lambda _: [xades.Signs("", lambda _: whole, transforms)])
    return xades.written(xades.stamped(made))


def _two() -> bytes:
    root = etree.fromstring(LETTER)
    xades.stamped(xades.enveloped(root))
    xades.stamped(xades.enveloped(root, name="B", card=xades.PHARMACIST))
    return xades.written(root)


def _beside() -> bytes:
    root = etree.fromstring(
        '<r xmlns:u="urn:u" xml:lang="ja"><u:p Id="A">処方</u:p>'
        '<p Id="B" xml:space="preserve"/></r>'
    )
    return xades.written(xades.beside(root, "A", "B"))


def _countersigned() -> bytes:
    made = xades.enveloping(xades.PDF)
    xades.stamp(made)
    xades.countersign(made, card=xades.PHARMACIST)
    return xades.written(made)


def _archived() -> bytes:
    made = xades.enveloping(etree.fromstring(LETTER))
    xades.stamp(made)
    xades_levels.values(made)
    xades_levels.archive(made, pki.NOW)
    return xades.written(made)


CASES: dict[str, Callable[[], bytes]] = {
    "prescription": pki.prescription,
    "without stamp": lambda: pki.prescription(stamped=None),
    "enveloped": lambda: pki.enveloped(LETTER),
    "enveloped, namespaces": lambda: pki.enveloped(
        b'<a xmlns="urn:a" xmlns:b="urn:b"><b:c b:d="1"/></a>'
    ),
    "left out by transform": lambda: _enveloped(ENVELOPED),
    "left out by filter": lambda: _enveloped(FILTER2, EXCLUSIVE),
    "two signatures": _two,
    "enveloping, bytes": lambda: xades.written(xades.enveloping(xades.PDF)),
    "enveloping, element": lambda: xades.written(xades.enveloping(etree.fromstring(LETTER))),
    "beside": _beside,
    "list of files": lambda: xades.written(xades.manifest(FILES)),
    "detached": lambda: xades.written(xades.detached(FILES)),
    "detached file changed": lambda: xades.written(xades.detached({**FILES, "a": b"2"})),
    "dispensing": lambda: xades.written(xades.dispensing()[0]),
    "countersigned": _countersigned,
    "archived": _archived,
    "body changed": lambda: _changed(".//PrescriptionDocument", "AAAA")(pki.prescription()),
    "value changed": lambda: _changed(f".//{DS}SignatureValue", "A" * 342 + "==")(
        pki.prescription()
    ),
    "digest changed": lambda: _changed(f".//{DS}DigestValue", "A" * 43 + "=")(pki.prescription()),
    "letter changed": lambda: _changed("text", "別の紹介状")(pki.enveloped(LETTER)),
    "carried bytes changed": lambda: _changed(f"{DS}Object[@Id]", "AAAA")(
        xades.written(xades.enveloping(xades.PDF))
    ),
    "part changed": lambda: _changed("{urn:u}p", "別")(_beside()),
    "list changed": lambda: _changed(f".//{DS}Manifest//{DS}DigestValue", "AAAA")(
        xades.written(xades.manifest(FILES))
    ),
    "properties changed": lambda: _changed(f".//{XADES}SigningTime", "2020-01-01T00:00:00Z")(
        xades.written(xades.enveloping(xades.PDF))
    ),
}


def _published() -> dict[str, Path]:
    if SHARED is None:
        return {}
    folder = SHARED / "hpki" / "vectors"
    found = (
        one
        for part in ("dss/xades", "xmldsig", "hpki-real")
        for one in (folder / part).rglob("*.xml")
    )
    return {str(one.relative_to(folder)): one for one in sorted(found)}


NAMED = "the signed properties name another card"
EXPLAINED = {
    "dss/xades/xades-sign-cert-v1-wrong-serialnumber.xml": NAMED,
    "dss/xades/xades-sign-cert-v2-wrong-digest.xml": NAMED,
    "dss/xades/xades-sign-cert-v2-wrong-issuer-serial.xml": NAMED,
    "dss/xades/xades-wrong-sign-cert-digest.xml": NAMED,
    "dss/xades/xsw/XSW-enveloping-fake-object.xml": "what is signed was moved (wrapping)",
}
"""Mathematically valid for xmlsec, which knows nothing of XAdES and looks for ids anywhere."""


@pytest.fixture(autouse=True)
def _files_beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("name", CASES)
def test_both_agree(name: str) -> None:
    content = CASES[name]()
    found = ours(content)
    assert found == theirs(content)
    assert found
    assert all(found) is ("changed" not in name)


@pytest.mark.parametrize("name", _published())
def test_both_agree_on_published_documents(name: str) -> None:
    content = _published()[name].read_bytes()
    found, other = ours(content), theirs(content)
    if name in EXPLAINED:
        assert (found, other) == ([False], [True]), EXPLAINED[name]
    else:
        assert found == other
