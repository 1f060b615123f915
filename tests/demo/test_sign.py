"""The demo's certificates and what is signed with them: good in the demo, and nowhere else."""

import stat
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from gateway.cli.demo_pki import CLIENTS, write_demo_pki
from gateway.demo.page import one_page
from gateway.demo.sign import sign_pdf, sign_prescription
from gateway.hpki.policy import SignaturePolicy, Trust
from gateway.hpki.trust import parse, shipped
from gateway.hpki.verify import required, verify
from gateway.model.signature import Indication

NOW = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
CSV = "1,EP1\r\n2,見本太郎\r\n".encode("cp932")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("demo")
    write_demo_pki(place, NOW)
    return place


def trust(folder: Path) -> Trust:
    place = folder / "pki" / "hpki"
    return parse(
        (place / "trust.toml").read_text("utf-8"), lambda name: (place / name).read_bytes()
    )


def test_the_names_that_the_interface_promises(folder: Path) -> None:
    found = {str(path.relative_to(folder / "pki")) for path in folder.rglob("*.*")}
    pairs = [
        "server", "ca", "xua/neighbour-n", "hpki/tsa", "hpki/doctor-sign", "hpki/doctor-login",
        "hpki/pharmacist-sign", *(f"clients/{name}" for name in CLIENTS),
    ]  # fmt: skip
    assert found == {
        *(f"{name}.{kind}" for name in pairs for kind in ("pem", "key")),
        "hpki/root.pem", "hpki/signing-ca.pem", "hpki/authentication-ca.pem", "hpki/trust.toml",
        *(f"hpki/crl/{name}.crl" for name in ("sarl", "signing", "authentication", "tsa")),
        "clients.crl.pem",
    }  # fmt: skip
    assert set(CLIENTS) == {"hospital-a", "clinic-b", "pharmacy-c", "lab-d", "neighbour-n"}


def test_keys_are_their_owners_alone_and_fit(folder: Path) -> None:
    for path in folder.rglob("*.key"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        key = load_pem_private_key(path.read_bytes(), None)
        certificate = x509.load_pem_x509_certificate(path.with_suffix(".pem").read_bytes())
        assert key.public_key() == certificate.public_key()


def test_the_server_is_named_as_it_is_called(folder: Path) -> None:
    server = x509.load_pem_x509_certificate((folder / "pki" / "server.pem").read_bytes())
    names = server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    assert [str(one) for one in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1"]


def test_openssl_accepts_them_strictly(folder: Path) -> None:
    place = folder / "pki"
    checks = [
        ["-CAfile", "ca.pem", "-purpose", "sslserver", "server.pem"],
        *(["-CAfile", "ca.pem", "-CRLfile", "clients.crl.pem", "-crl_check",
           "-purpose", "sslclient", f"clients/{name}.pem"] for name in CLIENTS),
        ["-CAfile", "hpki/root.pem", "-untrusted", "hpki/authentication-ca.pem",
         "-purpose", "sslclient", "hpki/doctor-login.pem"],
    ]  # fmt: skip
    for check in checks:
        done = subprocess.run(
            ["openssl", "verify", "-attime", str(int(NOW.timestamp())), "-x509_strict", *check],
            cwd=place, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, (check, done.stdout, done.stderr)


def signed(folder: Path) -> dict[str, bytes]:
    return {
        "prescription": sign_prescription(CSV, folder, NOW),
        "pdf": sign_pdf(one_page(["診療情報提供書", "見本太郎 様"]), folder, NOW),
    }


def test_the_demo_verifies_what_its_doctor_signs(folder: Path) -> None:
    policy = SignaturePolicy(trust=trust(folder), accept_test=True)
    for later in (timedelta(0), timedelta(days=1000)):
        for content in signed(folder).values():
            report = verify(content, policy, at=NOW + later)
            assert report.passed
            required(report, frozenset({"Medical Doctor"}), timestamp=True)


def test_nobody_else_does(folder: Path) -> None:
    held = trust(folder)
    for policy in (
        SignaturePolicy(trust=held),
        SignaturePolicy(trust=shipped()),
        SignaturePolicy(trust=shipped(), accept_test=True),
    ):
        for content in signed(folder).values():
            assert verify(content, policy, at=NOW).indication is Indication.INVALID


def test_each_installation_is_its_own(folder: Path, tmp_path: Path) -> None:
    write_demo_pki(tmp_path, NOW)
    policy = SignaturePolicy(trust=trust(tmp_path), accept_test=True)
    for content in signed(folder).values():
        assert verify(content, policy, at=NOW).indication is Indication.INVALID


def test_a_page_with_japanese_text_is_a_pdf() -> None:
    from io import BytesIO

    from pyhanko.pdf_utils.reader import PdfFileReader

    reader = PdfFileReader(BytesIO(one_page(["紹介状", "Letter"])))
    page = reader.root["/Pages"]["/Kids"][0]
    assert "紹介状".encode("utf-16-be").hex().encode() in page["/Contents"].data
