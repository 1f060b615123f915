"""`edge.sandbox`: the report of the process of its own is the verifier's report."""

from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.edge.sandbox import Sandbox
from gateway.errors import Invalid
from gateway.hpki.verify import verify
from gateway.model.signature import Signature
from gateway.settings import HpkiSettings
from tests import cades, pki, xades
from tests.cli.test_verify import TRUST


@pytest.fixture(scope="module")
def trust(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place, here = tmp_path_factory.mktemp("sandbox"), pki.hierarchy()
    for name, issued in (
        ("root", here.root), ("tsa-root", here.tsa_root), ("signing", here.signing),
    ):  # fmt: skip
        (place / f"{name}.pem").write_bytes(issued.pem)
    for name, held in (("signing", here.crl()), ("sarl", here.sarl), ("tsa", here.tsa_crl)):
        (place / f"{name}.crl").write_bytes(held.crl.public_bytes(Encoding.DER))
    (place / "trust.toml").write_text(TRUST)
    return place / "trust.toml"


def _dispensing() -> bytes:
    root, made = xades.dispensing()
    xades.stamp(made)
    xades.stamp(xades.countersign(made))
    return xades.written(root)


def _without_inner_bytes(signature: Signature) -> Signature:
    """As it is handed over: what is inside or about it without the bytes that it covers."""

    def bare(one: Signature) -> Signature:
        return replace(_without_inner_bytes(one), octets=b"")

    return replace(
        signature,
        embedded=tuple(map(bare, signature.embedded)),
        countersignatures=tuple(map(bare, signature.countersignatures)),
    )


DOCUMENTS = {
    "prescription": pki.prescription,
    "dispensing, countersigned": _dispensing,
    "enveloping": lambda: xades.written(xades.stamped(xades.enveloping(xades.PDF))),
    "unsigned": lambda: b"<a/>",
    "a PDF in an envelope": lambda: cades.enclosing(pki.page("x")),
}


def test_the_report_comes_over_whole(trust: Path, tmp_path: Path) -> None:
    sandbox = Sandbox(HpkiSettings(trust=trust))
    try:
        for name, make in DOCUMENTS.items():
            content = make()
            file = tmp_path / "document"
            file.write_bytes(content)
            here = verify(content, pki.policy(), at=pki.NOW, received=pki.NOW)
            there, _ = sandbox.verify(file, at=pki.NOW, received=pki.NOW)
            expected = tuple(map(_without_inner_bytes, here.signatures))
            assert replace(here, signatures=expected) == there, name
        file.write_bytes(cades.enclosing(b"%PDF-1.7 broken"))
        with pytest.raises(Invalid):  # what is inside is looked at as well (E-11)
            sandbox.verify(file, at=pki.NOW, received=pki.NOW)
    finally:
        sandbox.close()
