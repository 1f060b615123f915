"""Certificates and keys that may be relied on, and those that may not (J-02)."""

import subprocess
from pathlib import Path

import pytest
from asn1crypto import keys, x509
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gateway.errors import Malformed
from gateway.hpki.certificates import (
    decode_base64,
    describe,
    key_weakness,
    names,
    read_all,
    read_certificate,
    signature_weakness,
)
from gateway.hpki.policy import Algorithms
from tests import pki

HERE = pki.hierarchy()


def info(key: object) -> keys.PublicKeyInfo:
    public = key.public_key()  # type: ignore[attr-defined]
    return keys.PublicKeyInfo.load(
        public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    )


@pytest.mark.parametrize(
    ("key", "weak"),
    [
        pytest.param(rsa.generate_private_key(65537, 2048), "", id="RSA 2048"),
        pytest.param(rsa.generate_private_key(65537, 1024), "1024 bits", id="RSA 1024"),  # noqa: S505
        pytest.param(ec.generate_private_key(ec.SECP256R1()), "", id="P-256"),
        pytest.param(ec.generate_private_key(ec.SECP256K1()), "curve", id="another curve"),
        pytest.param(ed25519.Ed25519PrivateKey.generate(), "kind of key", id="Ed25519"),
        pytest.param(dsa.generate_private_key(1024), "kind of key", id="DSA"),  # noqa: S505
    ],
)
def test_keys(key: object, weak: str) -> None:
    found = key_weakness(info(key), Algorithms())
    assert weak in found
    assert bool(found) is bool(weak)


@pytest.mark.parametrize("exponent", [0, 1, 2, 4, 2**70 + 1])
def test_bad_exponents(exponent: int) -> None:
    modulus = HERE.key.public_key().public_numbers().n  # type: ignore[union-attr]
    made = keys.PublicKeyInfo.wrap(
        keys.RSAPublicKey({"modulus": modulus, "public_exponent": exponent}), "rsa"
    )
    assert "exponent" in key_weakness(made, Algorithms())


def test_a_key_that_cannot_be_read_is_no_key() -> None:
    broken = keys.PublicKeyInfo.load(info(HERE.key).dump())
    damaged = keys.PublicKeyInfo.load(
        broken.dump().replace(b"\x02\x82\x01\x01", b"\x05\x82\x01\x01")
    )
    assert key_weakness(damaged, Algorithms())


def test_explicit_curve_parameters_are_refused(tmp_path: Path) -> None:
    subprocess.run(
        ["openssl", "ecparam", "-name", "prime256v1", "-param_enc", "explicit", "-genkey",
         "-noout", "-out", "key.pem"],
        cwd=tmp_path, check=True, capture_output=True,
    )  # fmt: skip
    subprocess.run(
        ["openssl", "req", "-x509", "-new", "-key", "key.pem", "-subj", "/CN=explicit",
         "-outform", "DER", "-out", "cert.der"],
        cwd=tmp_path, check=True, capture_output=True,
    )  # fmt: skip
    certificate = read_certificate((tmp_path / "cert.der").read_bytes())
    assert key_weakness(certificate.public_key, Algorithms())


def test_signature_algorithms() -> None:
    for name, weak in (("sha256_rsa", False), ("sha1_rsa", True), ("md5_rsa", True),
                       ("sha512_ecdsa", False), ("sha256_dsa", True)):  # fmt: skip
        certificate = x509.Certificate.load(HERE.root.der)
        mechanism = certificate["signature_algorithm"].copy()
        mechanism["algorithm"] = name
        assert bool(signature_weakness(mechanism, Algorithms())) is weak


def test_files_hold_one_or_more_certificates() -> None:
    assert len(read_all(HERE.root.der)) == 1
    assert len(read_all(HERE.root.pem + HERE.signing.pem)) == 2
    for content in (b"", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"):
        with pytest.raises(Malformed):
            read_all(content)


def test_an_extension_must_not_stand_twice() -> None:
    certificate = x509.Certificate.load(HERE.root.der)
    extensions = certificate["tbs_certificate"]["extensions"]
    extensions.append(extensions[0].copy())
    with pytest.raises(Malformed):
        read_certificate(certificate.dump(force=True))


def test_a_certificate_has_a_size() -> None:
    with pytest.raises(Malformed):
        read_certificate(b"\x30\x83\x02\x00\x00" + bytes(0x20000))


@pytest.mark.parametrize("text", ["あ", "A", "AA=A", "====", "A" * 5])
def test_what_is_no_base64(text: str) -> None:
    with pytest.raises(Malformed):
        decode_base64(text)


def test_white_space_is_no_part_of_base64() -> None:
    assert decode_base64(" QU\n JD\t") == b"ABC"
    assert decode_base64(None) == b""


def test_a_signer_is_described_for_people() -> None:
    doctor = pki.parsed(pki.doctor())
    subject, issuer, serial = describe(doctor)
    assert subject == "serialNumber=T0001,CN=Taro Mihon,O=MIHON HOSPITAL,C=JP"
    assert issuer == names(doctor)[1]
    assert issuer.endswith("C=JP")
    assert serial == "100"
    assert describe(None) == ("", "", "")
