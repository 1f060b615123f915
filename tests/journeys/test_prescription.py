"""The real e-prescription and its altered copies, by command line and at the document door.

The door judges at its own clock: what a copy is worth today says `gateway verify` of today.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from conformance.client import Answer, Client
from gateway.cli import group
from gateway.demo import sign
from gateway.demo.sign import sign_prescription
from tests.journeys.senders import form
from tests.served import CHARTS, Installation, Templates, serve
from tests.shared import SHARED, needs_shared, shared

REAL = "prescription-004_01.xml"
ALTERED = (
    "frag-signaturevalue-missing.xml", "frag-signer-keyinfo-not-referenced.xml",
    "frag-signer-not-found.xml", "frag-signer-via-signingcertificatev2.xml",
    "frag-signer-via-x509issuerserial.xml", "frag-tst-base64.xml",
    "frag-tst-c14n-method-changed.xml", "frag-tst-imprint-mismatch.xml", "frag-tst-missing.xml",
    "neg-keyinfo-cert-tampered.xml", "neg-no-signature.xml", "neg-reference-digest.xml",
    "neg-signature-base64.xml", "neg-signedinfo-bad-encoding.xml",
)  # fmt: skip
LISTS_END = datetime(2027, 6, 1, tzinfo=UTC)
"Until then the revocation lists beside the prescription are of use (HPKI lists drop entries)."
_LOINC, _TRUST = "2.16.840.1.113883.6.1", 'trust = "pki/hpki/trust.toml"\n'
_CARDS = "insecure_test_cards = true"


def vector(name: str) -> Path:
    return shared("hpki", "vectors", "hpki-real", "xades", name)


def file(client: Client, content: bytes, name: str) -> Answer:
    """POST /documents: a prescription of hospital-a."""
    code = {"code": "57833-6", "system": _LOINC, "display": "処方箋"}
    entry = {
        "patient": {"domain": CHARTS["hospital-a"], "value": "0000100001"},
        "title": "院外処方箋", "category": "prescription", "mime_type": "application/xml",
        "language": "ja", "facility": "hospital-a", "created": "2022-09-07T17:08:01+09:00",
        "class": code, "type": code, "author": {"name": "見本医師"},
        "format": {
            "code": "urn:ihe:iti:xds:2017:mimeTypeSufficient",
            "system": "1.3.6.1.4.1.19376.1.2.3", "display": "mimeTypeSufficient",
        },
        "confidentiality": {"code": "N", "system": "2.16.840.1.113883.5.25", "display": "N"},
    }  # fmt: skip
    body, kind = form({"entry": json.dumps(entry)}, {"content": (name, content)})
    return client.request("POST", "/documents", body, {"Content-Type": kind})


def door(installation: Installation, *, shipped: bool, cards: bool) -> Iterator[Client]:
    if shipped:
        installation.change(_TRUST, "")
    if not cards:
        installation.change(_CARDS, "insecure_test_cards = false")
    with serve(installation) as served:
        yield served.client("hospital-a")


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def allowing(
    request: pytest.FixtureRequest, templates: Templates, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Client]:
    """A gateway with the trust that ships, test cards allowed."""
    folder = tmp_path_factory.mktemp("allowing") / "installation"
    yield from door(templates.copy(request.param, folder), shipped=True, cards=True)


@pytest.fixture(scope="module")
def refusing(templates: Templates, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """The same, test cards not allowed."""
    folder = tmp_path_factory.mktemp("refusing") / "installation"
    yield from door(templates.copy("sqlite", folder), shipped=True, cards=False)


@needs_shared
def test_every_copy_is_named() -> None:
    assert {path.name for path in vector(REAL).parent.iterdir()} == {REAL, *ALTERED}


@needs_shared
def test_the_real_one_is_filed_where_test_cards_are_allowed(allowing: Client) -> None:
    answer = file(allowing, vector(REAL).read_bytes(), REAL)
    told = json.loads(answer.body)
    if datetime.now(UTC) >= LISTS_END:
        assert (answer.status, told["signature"]["verdict"]) == (202, "unverifiable")
        return
    assert (answer.status, told["signature"]["verdict"]) == (201, "verified")
    (signature,) = told["signature"]["signatures"]
    assert signature["signer"]["role"] == "Medical Doctor"
    assert signature["policy"] == "1.2.392.100495.1.5.1.1.0.1"


@needs_shared
def test_it_is_refused_where_they_are_not(refusing: Client) -> None:
    answer = file(refusing, vector(REAL).read_bytes(), REAL)
    assert answer.status == 422
    assert "a test card" in answer.body.decode()


@needs_shared
@pytest.mark.parametrize("name", ALTERED)
def test_an_altered_copy_is_refused(allowing: Client, name: str) -> None:
    answer = file(allowing, vector(name).read_bytes(), name)
    assert answer.status == 422, answer.body
    # Afterwards the door is as before, and knows nothing of it.
    assert allowing.request("GET", "/uploads/none").status == 404


@needs_shared
@pytest.mark.parametrize("name", ALTERED)
def test_an_altered_copy_by_command_line(name: str) -> None:
    words = ["verify", str(vector(name)), "--allow-test-cards", "--at", "2026-11-24", "--json"]
    done = CliRunner().invoke(group, words)
    assert done.exit_code == 1
    verdict = json.loads(done.stdout)["verdict"]
    assert verdict == ("unverifiable" if name == "neg-no-signature.xml" else "invalid")


@pytest.mark.parametrize("cards", [True, False])
def test_our_own_prescription(installation: Installation, *, cards: bool) -> None:
    """Where the published one is absent: the demo doctor's, whole and with one byte changed."""
    content = sign_prescription(b"1,EP1\r\n2,demo\r\n", installation.folder, datetime.now(UTC))
    at = content.index(b"</PrescriptionDocument>") - 8
    changed = content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]
    for client in door(installation, shipped=False, cards=cards):
        assert file(client, content, "p.xml").status == (201 if cards else 422)
        assert file(client, changed, "p.xml").status == 422
        unsigned, unstamped = _seals(installation.folder, content)  # SIG-05: both are due
        assert file(client, unsigned, "p.xml").status == 422
        answer = file(client, unstamped, "p.xml")
        assert answer.status == 422
        verdict = json.loads(answer.body)["signature"]["verdict"]
        assert verdict == ("verified" if cards else "invalid")  # verified, and yet not enough


def _seals(folder: Path, both: bytes) -> tuple[bytes, bytes]:
    """The same without any signature, and with one that has no time-stamp."""
    card, _ = sign._demo(folder, datetime.now(UTC))
    start, end = both.index(b"<PrescriptionSign>"), both.index(b"</PrescriptionSign>")
    unsigned = both[:start] + b"<PrescriptionSign>" + both[end:]
    return unsigned, sign.prescription(b"1,EP1\r\n", card, None, datetime.now(UTC))


def test_where_the_samples_are_absent_the_tests_say_so() -> None:
    if SHARED is None:
        pytest.skip("the published prescription is absent: our own is judged instead")
    assert vector(REAL).exists()
