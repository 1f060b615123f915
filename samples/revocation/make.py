"""A signed document, and three opinions of its authority about the signer's card.

`python samples/revocation/make.py FOLDER` makes, anew each time, a small HPKI with a referral that
a doctor signed and a time-stamp authority stamped ten days ago, and three trust files:

- `before.toml`: the list of that day; nobody is revoked.
- `backdated.toml`: also a list of yesterday, by which the key was not the doctor's since a moment
  before the time-stamp (invalidityDate, RFC 5280 5.3.2).
- `later.toml`: also a list of yesterday, by which that was so since a moment after it.

The commands to type are printed. The keys are thrown away.
"""

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.cli import demo_authority as make
from gateway.cli.demo_authority import Issued
from gateway.demo.page import one_page
from gateway.demo.sign import Card, pades, stamper
from gateway.hpki.policy import SIGNING_TEST

_CARD = 10
_TRUST = """\
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
"""
_SAY = """\
The referral was signed and stamped at {signed} (UTC). Now type:

gateway verify {folder}/referral.pdf --allow-test-cards --trust {folder}/before.toml
    verified: no list knows of a revocation
gateway verify {folder}/referral.pdf --allow-test-cards --trust {folder}/backdated.toml
    invalid: the revocation counts from a moment before the time-stamp
gateway verify {folder}/referral.pdf --allow-test-cards --trust {folder}/later.toml
    verified: the time-stamp proves that the signature was there before
gateway verify {folder}/referral.pdf --allow-test-cards --trust {folder}/backdated.toml --at {then}
    verified: as it was said then, before that list was made
"""


def main(folder: Path, now: datetime) -> None:
    """Write everything into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    signed, yesterday = now - timedelta(days=10), now - timedelta(days=1)
    born, end = now - timedelta(days=40), now + make.years(5)
    about = {"since": born, "until": end}
    root = make.issue(
        make.name("Sample HPKI Root CA"), make.rsa_key(), None, make.authority(), serial=1, **about
    )
    place, authorities = make.authorities_only(root)
    signing = make.issue(
        make.name("HPKI-01-Sample-forNonRepudiation"), make.rsa_key(), root,
        (*make.authority(), make.policies(SIGNING_TEST), make.points(place)), serial=2, **about,
    )  # fmt: skip
    tsa = make.issue(
        make.name("Sample Time Stamp Service"), make.rsa_key(), root,
        (make.leaf(), make.usage("digital_signature"), make.stamping()), serial=3, **about,
    )  # fmt: skip
    doctor = make.issue(
        make.name("Jiro Sample", "Sample Hospital", "SAMPLE0001"), make.rsa_key(), signing,
        (make.usage("content_commitment"), make.policies(SIGNING_TEST),
         make.role("Medical Doctor")), serial=_CARD, **about,
    )  # fmt: skip
    card = Card(certificate=doctor.certificate, key=doctor.key, chain=[signing.certificate])
    page = one_page(("診療情報提供書", "見本花子 様"))
    stamps = stamper(tsa.certificate, tsa.key, signed)
    (folder / "referral.pdf").write_bytes(pades(page, card, stamps))
    for name, issued in (("root", root), ("signing-ca", signing), ("tsa", tsa)):
        (folder / f"{name}.pem").write_bytes(issued.pem)
    _lists(folder, root, signing, authorities, signed, yesterday, end)
    told = {"folder": folder, "signed": f"{signed:%Y-%m-%dT%H:%M:%SZ}",
            "then": f"{signed + timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}"}  # fmt: skip
    sys.stdout.write(_SAY.format(**told))


def _lists(
    folder: Path, root: Issued, signing: Issued, scope: x509.IssuingDistributionPoint,
    signed: datetime, yesterday: datetime, end: datetime,
) -> None:  # fmt: skip
    """The lists and the trust files that name them."""
    window, made = timedelta(days=4), signed - timedelta(hours=9)
    compromised = ((_CARD, yesterday, x509.ReasonFlags.key_compromise),)
    lists = {
        "sarl": make.revocation_list(root, since=made, until=end, scope=scope),
        "stamps": make.revocation_list(root, since=made, until=end, scope=make.users_only()),
        "first": make.revocation_list(signing, since=made, until=made + window, number=1),
        "backdated": make.revocation_list(
            signing, since=yesterday, until=yesterday + window, number=2, revoked=compromised,
            invalid_since=signed - timedelta(days=2),
        ),
        "later": make.revocation_list(
            signing, since=yesterday, until=yesterday + window, number=2, revoked=compromised,
            invalid_since=signed + timedelta(days=2),
        ),
    }  # fmt: skip
    for name, crl in lists.items():
        (folder / f"{name}.crl").write_bytes(crl.public_bytes(Encoding.DER))
    for name, more in (("before", ()), ("backdated", ("backdated",)), ("later", ("later",))):
        rows = "".join(
            f'\n[[crl]]\nfile = "{one}.crl"\n' for one in ("sarl", "stamps", "first", *more)
        )
        (folder / f"{name}.toml").write_text(_TRUST + rows, "utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python samples/revocation/make.py FOLDER")
    main(Path(sys.argv[1]), datetime.now(UTC).replace(microsecond=0))
