"""Certificate files as they are typed at the command line."""

from pathlib import Path

from gateway.errors import Malformed


def fingerprint_of(path: Path) -> str:
    """SHA-256 of the first certificate in a PEM file, hexadecimal."""
    from cryptography import x509
    from cryptography.hazmat.primitives.hashes import SHA256

    try:
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
    except ValueError as error:
        raise Malformed("not a PEM certificate", "PEM 形式の証明書ではありません") from error
    return certificate.fingerprint(SHA256()).hex()
