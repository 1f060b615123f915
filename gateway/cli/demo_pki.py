"""The demo's certificates, as `gateway init --demo` writes them; tools may rely on the names.

`INTERFACES.md` section 5. All of it is made anew for each installation. The HPKI part carries the
policy of test cards and its authorities are marked as test ones: it counts only in an installation
with `[hpki] insecure_test_cards`, and nowhere under the trust that ships with the product.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from gateway.cli import demo_authority as make
from gateway.cli.demo_authority import Extension, Issued
from gateway.hpki.policy import SIGNING_TEST

CLIENTS = ("hospital-a", "clinic-b", "pharmacy-c", "lab-d", "neighbour-n")
"Names of the demo's client certificates."
AUTHENTICATION_TEST = "1.2.392.100495.1.5.1.2.0.1"
"Policy of the demo's log-in cards, by analogy with the signing one."
_HOSTS: tuple[x509.GeneralName, ...] = (
    x509.DNSName("localhost"),
    x509.IPAddress(ip_address("127.0.0.1")),
)
_TRUST = """\
# Trust of the demo. Marked as test: it counts only with `[hpki] insecure_test_cards = true`.

[[anchor]]
kind = "hpki"
file = "root.pem"
test = true

[[anchor]]
kind = "tsa"
file = "tsa.pem"
test = true

[[certificate]]
file = "signing-ca.pem"

[[certificate]]
file = "authentication-ca.pem"

[[crl]]
file = "crl/sarl.crl"

[[crl]]
file = "crl/signing.crl"

[[crl]]
file = "crl/authentication.crl"

[[crl]]
file = "crl/tsa.crl"
"""


@dataclass(frozen=True, slots=True)
class _Period:
    """When everything here is valid."""

    now: datetime

    @property
    def since(self) -> datetime:
        return self.now - timedelta(days=1)

    @property
    def until(self) -> datetime:
        return self.now + make.years(5)

    @property
    def end(self) -> datetime:
        return self.now + make.years(10)


def write_demo_pki(folder: Path, now: datetime) -> None:
    """Write `folder`/pki with every certificate, key and list of the demo."""
    now = now.replace(microsecond=0)
    place = folder / "pki"
    for name in ("clients", "xua", "hpki/crl"):
        (place / name).mkdir(parents=True, exist_ok=True)
    _write_tls(place, _Period(now))
    _write_hpki(place / "hpki", _Period(now))


def _write_tls(place: Path, period: _Period) -> None:
    """The server, the clients, and the neighbour's signer of assertions."""
    ca = make.issue(
        make.name("Demo CA"),
        make.ec_key(),
        None,
        make.authority(0),
        serial=1,
        since=period.since,
        until=period.end,
    )
    _write(place / "ca", ca)
    server = (make.purposes(ExtendedKeyUsageOID.SERVER_AUTH), make.names(*_HOSTS))
    client = make.purposes(ExtendedKeyUsageOID.CLIENT_AUTH)
    both = make.purposes(ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH)
    _write(place / "server", _leaf("localhost", ca, period, 2, server))
    for serial, name in enumerate(CLIENTS, 3):
        peer = name.startswith("neighbour")
        extensions = (both, make.names(*_HOSTS)) if peer else (client,)
        _write(place / "clients" / name, _leaf(name, ca, period, serial, extensions))
    _write(
        place / "xua" / "neighbour-n",
        _leaf("neighbour-n assertions", ca, period, 100, (), key=make.rsa_key()),
    )
    crl = make.revocation_list(ca, since=period.since, until=period.end)
    (place / "clients.crl.pem").write_bytes(crl.public_bytes(Encoding.PEM))


def _leaf(
    common: str,
    issuer: Issued,
    period: _Period,
    serial: int,
    extensions: Iterable[Extension],
    key: make.Key | None = None,
) -> Issued:
    return make.issue(
        make.name(common),
        key or make.ec_key(),
        issuer,
        (make.leaf(), make.usage("digital_signature"), *extensions),
        serial=serial,
        since=period.since,
        until=period.until,
    )


def _write_hpki(place: Path, period: _Period) -> None:
    """A hierarchy in the shape of HPKI: root, two authorities, cards, a time-stamp authority."""
    root = make.issue(
        make.name("Demo HPKI Root CA"),
        make.rsa_key(),
        None,
        make.authority(),
        serial=1,
        since=period.since,
        until=period.end,
    )
    sarl, authorities = make.authorities_only(root)
    signing, login = (
        make.issue(
            make.name(f"HPKI-01-Demo-{purpose}"),
            make.rsa_key(),
            root,
            (*make.authority(), make.policies(policy), make.points(sarl)),
            serial=serial,
            since=period.since,
            until=period.end,
        )
        for serial, purpose, policy in (
            (2, "forNonRepudiation", SIGNING_TEST),
            (3, "forAuthentication-forIndividual", AUTHENTICATION_TEST),
        )
    )
    stamper = make.issue(
        make.name("Demo Time Stamp Service"),
        make.rsa_key(),
        root,
        (make.leaf(), make.usage("digital_signature"), make.stamping()),
        serial=4,
        since=period.since,
        until=period.end,
    )
    _write(place / "root", root, with_key=False)
    _write(place / "signing-ca", signing, with_key=False)
    _write(place / "authentication-ca", login, with_key=False)
    _write(place / "tsa", stamper)
    _write_cards(place, signing, login, period)
    for name, issuer, scope in (
        ("sarl", root, authorities),
        ("tsa", root, make.users_only()),
        ("signing", signing, None),
        ("authentication", login, None),
    ):
        crl = make.revocation_list(issuer, since=period.since, until=period.end, scope=scope)
        (place / "crl" / f"{name}.crl").write_bytes(crl.public_bytes(Encoding.DER))
    (place / "trust.toml").write_text(_TRUST, encoding="utf-8")


def _write_cards(place: Path, signing: Issued, login: Issued, period: _Period) -> None:
    """A doctor with two certificates, and a pharmacist with one."""
    doctor, pharmacist = ("Jiro Demo", "DEMO0001"), ("Hanako Demo", "DEMO0002")
    cards = (
        ("doctor-sign", doctor, "Medical Doctor", signing),
        ("doctor-login", doctor, "Medical Doctor", login),
        ("pharmacist-sign", pharmacist, "Pharmacist", signing),
    )
    for serial, (name, (person, number), role, issuer) in enumerate(cards, 10):
        signs = issuer is signing
        card = make.issue(
            make.name(person, "Demo Hospital", number),
            make.rsa_key(),
            issuer,
            (
                make.usage("content_commitment" if signs else "digital_signature"),
                make.policies(SIGNING_TEST if signs else AUTHENTICATION_TEST),
                make.role(role),
                *(() if signs else (make.purposes(ExtendedKeyUsageOID.CLIENT_AUTH),)),
            ),
            serial=serial,
            since=period.since,
            until=period.until,
        )
        _write(place / name, card)


def _write(place: Path, issued: Issued, *, with_key: bool = True) -> None:
    """NAME.pem, and NAME.key that only its owner may read."""
    place.with_suffix(".pem").write_bytes(issued.pem)
    if not with_key:
        return
    key = place.with_suffix(".key")
    key.unlink(missing_ok=True)
    number = os.open(key, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(number, "wb") as file:
        file.write(issued.key_pem)
