"""`gateway standardize FILE.p7m`: the envelope is opened, and its verdict told beside the items."""

import base64
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gateway.cli import common, group
from tests import pki
from tests.cades import enclosing as p7m
from tests.cli.test_verify import folder
from tests.intake.test_envelopes import ORU, RX, detached, unsigned_data

__all__ = ["folder"]
OTHER = ORU.replace("M1|P", "M2|P").replace("PID|1||", "PID|1||9", 1)


@pytest.fixture(autouse=True)
def _then(monkeypatch: pytest.MonkeyPatch) -> None:
    """The moment at which the lists of the tests are fresh."""
    monkeypatch.setattr(common, "now", lambda: pki.NOW)


def run(folder: Path, content: bytes, *words: str, name: str = "r.hl7.p7m") -> Result:
    file = folder / name
    file.write_bytes(content)
    trust = ("--trust", str(folder / "trust.toml"))
    return CliRunner().invoke(group, ["standardize", str(file), *trust, *words])


def told(done: Result) -> list[dict[str, object]]:
    files: list[dict[str, object]] = json.loads(done.stdout)["files"]
    return files


@pytest.mark.parametrize("wrap", [bytes, base64.encodebytes], ids=["DER", "base64"])
def test_the_verdict_stands_beside_the_items(folder: Path, wrap: object) -> None:
    signed = wrap(p7m(ORU.encode()))  # type: ignore[operator]
    done = run(folder, signed, "--json")
    assert done.exit_code == 0, done.output
    (file,) = told(done)
    assert file["format"] == "cms/hl7/ORU^R01"
    assert file["items"][0]["resource"]["resourceType"] == "Observation"
    assert file["signature"]["verdict"] == "verified"
    assert file["signature"]["signatures"][0]["signer"]["role"] == "Medical Doctor"
    assert file["findings"][0]["code"] == "signature-verified"
    place = file["items"][0]["source"]
    if wrap is bytes:
        assert signed[place["start"] : place["end"]].startswith(b"OBX|1|NM")
    else:
        assert (place["start"], place["end"]) == (0, len(signed))
    assert file["account_total"]["whole"] is True
    shown = run(folder, signed, "--account").output
    assert "signature 署名: verified 検証済み CAdES-T, Medical Doctor" in shown


def test_several_people_carry_the_one_verdict(folder: Path) -> None:
    done = run(folder, p7m((ORU + OTHER).encode()), "--json")
    assert done.exit_code == 0, done.output
    files = told(done)
    assert len({file["patient"]["value"] for file in files}) == 2
    assert [file["signature"]["verdict"] for file in files] == ["verified"] * 2
    assert len({file["signature"]["file_sha256"] for file in files}) == 1


def test_a_prescription_inside_tells_both_signatures(folder: Path) -> None:
    signed = p7m(RX, pki.cards()["pharmacist"])
    (file,) = told(run(folder, signed, "--json"))
    assert file["format"] == "cms/e-prescription/SJ1"
    assert file["items"]
    roles = [
        file[key]["signatures"][0]["signer"]["role"] for key in ("signature", "signature_inside")
    ]
    assert roles == ["Pharmacist", "Medical Doctor"]
    shown = run(folder, signed).output
    assert "signature inside 内側の署名: verified 検証済み XAdES-T, Medical Doctor" in shown


def test_what_cannot_be_established_is_told_and_the_items_are_shown(folder: Path) -> None:
    text = (folder / "trust.toml").read_text("utf-8")
    (folder / "listless.toml").write_text(text.partition("[[crl]]")[0], "utf-8")
    (found,) = told(
        run(folder, p7m(ORU.encode()), "--trust", str(folder / "listless.toml"), "--json")
    )
    assert found["signature"]["verdict"] == "unverifiable"
    assert found["findings"][0]["code"] == "signature-unverifiable"
    assert found["items"]


def test_whom_nobody_here_trusts_is_told_and_nothing_is_made_of_it(folder: Path) -> None:
    file = folder / "r.hl7.p7m"
    file.write_bytes(p7m(ORU.encode()))
    done = CliRunner().invoke(group, ["standardize", str(file), "--json"])
    (found,) = json.loads(done.stdout)["files"]
    assert (found["signature"]["verdict"], found["items"]) == ("invalid", [])
    shown = CliRunner().invoke(group, ["standardize", str(file)]).output
    assert "signature 署名: invalid 無効 CAdES-T" in shown
    assert "issuer is unknown" in shown


BAD = {
    "changed": (p7m(ORU.encode()).replace(b"7.1|", b"9.1|"), "untrusted-signature"),
    "beside its content": (detached(ORU.encode()), "invalid"),
    "nobody signed": (unsigned_data(ORU.encode()), "untrusted-signature"),
    "an expired card": (p7m(ORU.encode(), pki.cards()["expired"]), "untrusted-signature"),
    "an envelope once more": (p7m(p7m(ORU.encode())), "unsupported"),
    "nothing known inside": (p7m(b"\x00\x01 nothing"), "unsupported"),
    "nothing inside": (p7m(b""), "invalid"),
    "cut off": (p7m(ORU.encode())[:-40], "untrusted-signature"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_intake_would_refuse(folder: Path, name: str) -> None:
    content, code = BAD[name]
    done = run(folder, content, "--json")
    assert done.exit_code == 1
    (file,) = told(done)
    assert (file["items"], [one["code"] for one in file["findings"]][-1]) == ([], code)


def test_trust_that_cannot_be_read(folder: Path) -> None:
    (folder / "bad.toml").write_text("[[anchor]]\nkind = 'wizard'\n")
    done = run(folder, p7m(ORU.encode()), "--trust", str(folder / "bad.toml"))
    assert done.exit_code == 2
    assert "--trust" in done.output
    assert run(folder, b"x", "--trust", "nobody.toml").exit_code == 2
