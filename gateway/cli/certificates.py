"""Certificate files as they are typed at the command line."""

from pathlib import Path

from gateway.errors import Malformed


def der_of(path: Path) -> bytes:
    """The first certificate of a file in PEM or DER, as DER."""
    from gateway.hpki.certificates import read_all

    return bytes(read_all(path.read_bytes())[0].dump())


def fingerprint_of(path: Path) -> str:
    """SHA-256 of the first certificate in a PEM file, hexadecimal."""
    from cryptography import x509
    from cryptography.hazmat.primitives.hashes import SHA256

    try:
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
    except ValueError as error:
        raise Malformed("not a PEM certificate", "PEM 形式の証明書ではありません") from error
    return certificate.fingerprint(SHA256()).hex()
