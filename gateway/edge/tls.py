"""TLS contexts of the doors, and the revocation list they ask (`security.md` J-03, J-08, G13)."""

import logging
import ssl
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.settings import SettingsError, TlsSettings

logger = logging.getLogger(__name__)

_SUITES = "ECDHE+AESGCM:ECDHE+CHACHA20"
_READABLE_BY_OTHERS = 0o077


def check_private(key: Path) -> None:
    """Refuse to start with a private key that others may read (G13, M-03)."""
    try:
        mode = key.stat().st_mode
    except OSError as error:
        raise SettingsError(f"private key {key.name} cannot be read: {error.strerror}") from error
    if mode & _READABLE_BY_OTHERS:
        raise SettingsError(f"private key {key.name} is readable by others: chmod 600 it")


def server_context(settings: TlsSettings, *, client: bool) -> ssl.SSLContext:
    """The context of a door; `client` demands a client certificate of a configured authority."""
    check_private(settings.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    match settings.minimum:
        case "1.3":
            context.minimum_version = ssl.TLSVersion.TLSv1_3
        case "1.2":
            context.minimum_version = ssl.TLSVersion.TLSv1_2
        case _:
            raise SettingsError("[tls] minimum must be 1.2 or 1.3")
    context.set_ciphers(_SUITES)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_TICKET
    context.num_tickets = 0  # a handshake each time: nothing to resume after a revocation
    try:
        context.load_cert_chain(settings.certificate, settings.key)
        if client:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(settings.client_ca)
            context.verify_flags |= ssl.VERIFY_X509_STRICT
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(f"[tls] cannot be loaded: {error}") from error
    return context


def people_context(
    settings: TlsSettings, authorities: Sequence[bytes], *, tls13: bool
) -> ssl.SSLContext:
    """The context of the people door; `authorities`, in DER, are those that issue log-in cards.

    A card is asked for and may be absent; with one, `hpki.login` judges after the hand-shake. Cards
    sign by PKCS #1 v1.5 alone (`hpki/README.md` section 7), which TLS 1.3 has not (RFC 8446 4.2.3).
    """
    context = server_context(settings, client=False)
    if not authorities:
        return context
    context.verify_mode = ssl.CERT_OPTIONAL
    context.load_verify_locations(cadata=b"".join(authorities))
    if not tls13:
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context


def is_usable(settings: TlsSettings, at: datetime) -> bool:
    """Whether our certificate is valid and the revocation list fresh at a moment (R-24, J-09)."""
    own = x509.load_pem_x509_certificate(settings.certificate.read_bytes())
    if not own.not_valid_before_utc <= at <= own.not_valid_after_utc:
        return False
    lists = [] if settings.crl is None else _read(settings.crl.read_bytes())
    return all(crl.next_update_utc is None or at < crl.next_update_utc for crl in lists)


class Revocations:
    """The revocation list of the client authorities: in the handshake and for open connections.

    Without a fresh list nobody is accepted (J-03): OpenSSL refuses an expired one by itself.
    """

    def __init__(self, crl: Path | None) -> None:
        self._file = crl
        self._stamp: tuple[float, int] | None = None
        self._revoked: frozenset[tuple[bytes, int]] = frozenset()
        self._contexts: list[ssl.SSLContext] = []

    def guard(self, context: ssl.SSLContext) -> None:
        """Make a context ask the list in every handshake from now on."""
        if self._file is None:
            return
        self._contexts.append(context)
        context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
        self._stamp = None

    def refresh(self) -> bool:
        """Read the list again if the file changed; a bad new list leaves the old one in force."""
        if self._file is None:
            return False
        found = self._file.stat()
        stamp = (found.st_mtime, found.st_size)
        if stamp == self._stamp:
            return False
        try:
            content = self._file.read_bytes()
            lists = _read(content)
        except (OSError, ValueError) as error:
            if self._stamp is None:
                raise SettingsError(f"[tls] crl {self._file.name} cannot be read") from error
            logger.error("the new revocation list cannot be read; the old one stays in force")
            self._stamp = stamp
            return False
        revoked: set[tuple[bytes, int]] = set()
        for crl in lists:
            issuer = crl.issuer.public_bytes()
            revoked.update((issuer, entry.serial_number) for entry in crl)
        pem = b"".join(crl.public_bytes(Encoding.PEM) for crl in lists)
        for context in self._contexts:
            _load(context, pem, self._file)
        self._revoked = frozenset(revoked)
        self._stamp = stamp
        return True

    def is_revoked(self, certificate: x509.Certificate) -> bool:
        """Whether the list names this certificate: asked for connections that are open already."""
        return (certificate.issuer.public_bytes(), certificate.serial_number) in self._revoked


def _read(content: bytes) -> list[x509.CertificateRevocationList]:
    """Every list of a PEM bundle, or the one of a DER file."""
    if b"-----BEGIN" not in content:
        return [x509.load_der_x509_crl(content)]
    end = b"-----END X509 CRL-----"
    blocks = [block for block in content.split(end) if b"BEGIN X509 CRL" in block]
    if not blocks:
        raise ValueError("no revocation list in the file")
    return [x509.load_pem_x509_crl(block + end + b"\n") for block in blocks]


def _load(context: ssl.SSLContext, pem: bytes, file: Path) -> None:
    """Hand the lists to OpenSSL, which takes them from a PEM file only."""
    if file.read_bytes().startswith(b"-----BEGIN"):
        context.load_verify_locations(file)
        return
    spool = file.with_name(f".{file.name}.pem")
    try:
        spool.write_bytes(pem)
        context.load_verify_locations(spool)
    finally:
        spool.unlink(missing_ok=True)
