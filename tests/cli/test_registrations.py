"""`--document` of the secretariat's entries, as typed, on an installation that wants a seal."""

import hashlib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.demo import sign
from gateway.demo.page import one_page
from tests import forked
from tests.served import Installation, Templates

ENROL = ("patient", "enrol", "--name", "見本 花子", "--kana", "ミホン ハナコ",
         "--birth", "1950-01-02", "--gender", "F", "--basis",
         "treated_at_member_facility")  # fmt: skip


@pytest.fixture(scope="module")
def sealing(templates: Templates, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """The demo, whose network wants a doctor's seal on a consent."""
    made = templates.copy("sqlite", tmp_path_factory.mktemp("sealing") / "installation")
    (policy,) = (made.folder / "policy").glob("*.yaml")
    text = policy.read_text("utf-8")
    wanted = "  registrations: {consent: [Medical Doctor, Dentist]}\n  timestamp: true"
    policy.write_text(text.replace("  timestamp: true", wanted, 1), "utf-8")
    return made


def write(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    return str(path)


def pdf(made: Installation, who: str = "doctor", *, stamped: bool = True) -> bytes:
    place = made.pki / "hpki"
    certificate, key = sign._pair(place / f"{who}-sign")
    chain = [sign._certificate(place / "signing-ca.pem")]
    card = sign.Card(certificate=certificate, key=key, chain=chain)
    now = datetime.now(UTC)
    authority = sign.stamper(*sign._authority(made.folder), now) if stamped else None
    return sign.pades(one_page(("参加同意書", f"{now}")), card, authority)


def refused(made: Installation, said: str, *words: str) -> None:
    done = forked.run(*words, "--config", str(made.config))
    assert done.returncode == 1, (said, done.stdout, done.stderr)
    for one in (said, "拒否:", "[SIG-05]"):
        assert one in done.stderr


def test_a_sealed_consent_is_entered_shown_and_repeatable(
    sealing: Installation, tmp_path: Path
) -> None:
    file = write(tmp_path / "consent.pdf", pdf(sealing))
    digest = hashlib.sha256(Path(file).read_bytes()).hexdigest()
    shared = sealing.command(*ENROL, "--document", file)["shared_id"]
    refused(sealing, "another registration already", *ENROL, "--document", file)
    Path(file).unlink()
    told = sealing.command("consent", "show", shared)
    assert told["participates"]
    assert told["entries"][0]["document"] == digest
    (document,) = told["documents"]
    assert (document["kind"], document["sha256"]) == ("consent", digest)
    assert document["signature"]["verdict"] == "verified"
    repeated = sealing.command("verify", "--document", digest)
    assert repeated["verdict"] == "verified"
    assert repeated["stored"]["same"] is True
    assert repeated["stored"]["missing"] == []
    shown = forked.run("consent", "show", shared, "--config", str(sealing.config)).stdout
    assert "verified PAdES-T Medical Doctor" in shown
    assert f"gateway verify --document {digest}" in shown
    assert sealing.command("store", "verify") is not None
    # an entry that nothing is demanded for takes a document all the same
    other = write(tmp_path / "out.pdf", pdf(sealing, "pharmacist", stamped=False))
    sealing.command("consent", "withdraw", shared, "--form", "1", "--document", other)
    kinds = [one["kind"] for one in sealing.command("consent", "show", shared)["documents"]]
    assert kinds == ["consent", "withdrawal"]


def test_what_does_not_carry_the_seal_is_refused_and_leaves_nothing(
    sealing: Installation, tmp_path: Path
) -> None:
    """The other reasons: `tests/consent/test_seals.py`."""
    submitted = sealing.command(*ENROL, "--submitted")["shared_id"]
    grant = ("consent", "grant", submitted, "--basis", ENROL[-1])
    count = len(list((sealing.folder / "blobs").rglob("*")))
    for said, content in (
        ("name it with --document", None),
        ("is no Medical Doctor or Dentist", pdf(sealing, "pharmacist")),
    ):
        words = ("--document", write(tmp_path / "x.pdf", content)) if content else ()
        refused(sealing, said, *grant, *words)
    assert not sealing.command("consent", "show", submitted)["participates"]
    assert len(list((sealing.folder / "blobs").rglob("*"))) == count, "no bytes of theirs stay"


@pytest.mark.parametrize("name", ["absent.pdf", "."])
def test_a_document_that_is_not_there(sealing: Installation, tmp_path: Path, name: str) -> None:
    words = (*ENROL, "--document", str(tmp_path / name), "--config", str(sealing.config))
    done = forked.run(*words)
    assert done.returncode == 2
    assert "--document" in done.stderr
