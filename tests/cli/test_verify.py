"""`gateway verify`: for people and for machines, with exit codes that tell."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gateway.cli import group
from tests import pki, xades
from tests.shared import needs_shared, shared

TRUST = """
[[anchor]]
kind = "hpki"
file = "root.pem"
[[anchor]]
kind = "tsa"
file = "tsa-root.pem"
[[certificate]]
file = "signing.pem"
[[crl]]
file = "signing.crl"
[[crl]]
file = "sarl.crl"
[[crl]]
file = "tsa.crl"
"""
AT = "2026-06-01T09:00:00+09:00"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from cryptography.hazmat.primitives.serialization import Encoding

    place = tmp_path_factory.mktemp("verify")
    here = pki.hierarchy()
    (place / "trust.toml").write_text(TRUST)
    for name, issued in (
        ("root", here.root),
        ("tsa-root", here.tsa_root),
        ("signing", here.signing),
    ):
        (place / f"{name}.pem").write_bytes(issued.pem)
    for name, held in (("signing", here.crl()), ("sarl", here.sarl), ("tsa", here.tsa_crl)):
        (place / f"{name}.crl").write_bytes(held.crl.public_bytes(Encoding.DER))
    (place / "good.xml").write_bytes(pki.prescription())
    (place / "good.pdf").write_bytes(pki.pdf())
    (place / "bad.pdf").write_bytes(pki.pdf() + b" ")
    (place / "plain.txt").write_text("診療情報")
    return place


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(group, ["verify", *map(str, arguments)])


@pytest.mark.parametrize("name", ["good.xml", "good.pdf"])
def test_a_verified_document(folder: Path, name: str) -> None:
    done = run(folder / name, "--trust", folder / "trust.toml", "--at", AT)
    assert done.exit_code == 0, done.output
    assert done.output.startswith("verified / 検証済み")
    for word in ("Medical Doctor", "time-stamp", "信頼する認証局", "Taro Mihon"):
        assert word in done.output


def test_json_is_one_document(folder: Path) -> None:
    done = run(folder / "good.pdf", "--trust", folder / "trust.toml", "--at", AT, "--json")
    told = json.loads(done.stdout)
    assert (done.exit_code, told["verdict"]) == (0, "verified")
    assert told["times"]["verified"] == AT
    assert told["signatures"][0]["signer"]["role"] == "Medical Doctor"
    assert told["signatures"][0]["covered"]["whole_document"] is True


def test_a_changed_document(folder: Path) -> None:
    done = run(folder / "bad.pdf", "--trust", folder / "trust.toml", "--at", AT)
    assert done.exit_code == 1
    assert "does not cover the document" in done.output


def test_an_unsigned_file(folder: Path) -> None:
    done = run(folder / "plain.txt")
    assert done.exit_code == 1
    assert "unsigned" in done.output
    assert json.loads(run(folder / "plain.txt", "--json").stdout)["verdict"] == "unverifiable"


def test_under_the_shipped_trust_the_test_hpki_counts_for_nothing(folder: Path) -> None:
    for more in ((), ("--allow-test-cards",)):
        done = run(folder / "good.xml", "--at", AT, *more)
        assert done.exit_code == 1
        assert "issuer is unknown" in done.output


def test_files_beside_a_signature_are_named_as_its_folder_names_them(folder: Path) -> None:
    files = {"referral.pdf": b"%PDF-1.4", "image/1.dcm": b"DICM"}
    (folder / "image").mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    (folder / "sign.xml").write_bytes(xades.written(xades.stamped(xades.manifest(files))))
    usual = (folder / "sign.xml", "--trust", folder / "trust.toml", "--at", AT)
    given = [argument for name in files for argument in ("--content", folder / name)]
    done = run(*usual, *given)
    assert done.exit_code == 0, done.output
    for word in ("image/1.dcm", "these files or parts", "every file of the signed list"):
        assert word in done.output
    for some, words in ((given[:2], "not handed in"), ([], "not handed in")):
        done = run(*usual, *some)
        assert done.exit_code == 1
        assert words in done.output
    done = run(*usual, *given, "--content", folder / "plain.txt")
    assert "is not signed here" in done.output
    assert "two files are called" in run(*usual, *given, *given).output


def test_signatures_inside_and_about_are_shown_under_their_own(folder: Path) -> None:
    root, made = xades.dispensing()
    xades.stamp(made)
    xades.stamp(xades.countersign(made))
    (folder / "dispensing.xml").write_bytes(xades.written(root))
    done = run(folder / "dispensing.xml", "--trust", folder / "trust.toml", "--at", AT)
    assert done.exit_code == 0, done.output
    for word in (
        "Pharmacist",
        "inside / 含まれる文書: XAdES-T",
        "countersignature / 副署: XAdES-T",
    ):
        assert word in done.output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nobody.pdf",), "cannot read"),
        (("good.pdf", "--at", "yesterday"), "is not a time"),
        (("good.pdf", "--trust", "nobody.toml"), "cannot read nobody.toml"),
        (("good.pdf", "--trust", "good.pdf"), "trust"),
        (("good.pdf", "--nonsense",), "No such option"),
        ((), "name FILE, or --document ID"),
    ],
)  # fmt: skip
def test_wrong_usage_says_what_to_do(
    folder: Path, arguments: tuple[str, ...], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    done = run(*arguments)
    assert done.exit_code == 2
    assert words in done.output


def test_a_time_without_zone_is_japans(folder: Path) -> None:
    done = run(
        folder / "good.pdf", "--trust", folder / "trust.toml", "--at", "2026-06-01T09:00:00",
        "--json",
    )  # fmt: skip
    moment = datetime.fromisoformat(json.loads(done.stdout)["times"]["verified"])
    assert moment == datetime(2026, 6, 1, tzinfo=UTC)


@needs_shared
def test_the_real_prescription_by_command_line() -> None:
    file = shared("hpki", "vectors", "hpki-real", "xades", "prescription-004_01.xml")
    at = ("--at", "2026-11-24")
    assert run(file, "--allow-test-cards", *at).exit_code == 0
    refused = run(file, *at)
    assert refused.exit_code == 1
    assert "a test card" in refused.output
