"""`gateway verify --document`: the demo's signed referral, long after its authorities are gone."""

import json
import shutil
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import text

from gateway.cli import group
from gateway.store.database import Database
from tests.served import Installation, Templates


@pytest.fixture(scope="module")
def demo(templates: Templates, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """Without the authorities and lists with which the referral was verified."""
    made = templates.copy("sqlite", tmp_path_factory.mktemp("repeat") / "installation")
    shutil.rmtree(made.pki / "hpki")
    return made


def run(made: Installation, *words: str) -> Result:
    return CliRunner().invoke(group, ["verify", *words, "--config", str(made.config)])


def query(made: Installation, statement: str) -> list[tuple[str, ...]]:
    with closing(Database(made.database)) as database, database.writing() as db:
        done = db.execute(text(statement))
        return [tuple(row) for row in done] if done.returns_rows else []


def referral(made: Installation) -> tuple[str, str, str]:
    """Its unique id, its entry id and the digest of its bytes."""
    (found,) = query(made, "SELECT unique_id, entry_uuid, sha256 FROM document WHERE content LIKE"
                           " '%診療情報提供書%' AND content LIKE '%\"verified\"%'")  # fmt: skip
    return found[0], found[1], found[2]


def test_the_same_verdict_without_anything_that_was_configured(demo: Installation) -> None:
    for identity in referral(demo):
        done = run(demo, "--document", identity)
        assert done.exit_code == 0, done.output
        assert done.output.startswith("verified / 検証済み")
        assert "the same verdict from what was kept / 保存した証拠から同じ判定" in done.output
    told = json.loads(run(demo, "--document", referral(demo)[0], "--json").stdout)
    assert told["stored"] == {
        "verdict": "verified", "verified": told["times"]["verified"], "same": True,
        "missing": [], "evidence_kept": True, "trusted": [], "archive_time_stamps": [],
    }  # fmt: skip
    kinds = {one["kind"] for one in told["evidence"]}
    assert kinds == {"certificate", "crl", "time-stamp", "policy"}
    (event,) = query(demo, "SELECT content FROM audit_event ORDER BY id DESC LIMIT 1")
    assert "2.999.30.1" in event[0], "whose document it was stands in the trail"


def test_with_another_trust_it_is_judged_anew(demo: Installation, tmp_path: Path) -> None:
    (tmp_path / "none.toml").write_text("")
    done = run(demo, "--document", referral(demo)[0], "--trust", str(tmp_path / "none.toml"))
    assert done.exit_code == 1
    assert "issuer is unknown" in done.output
    assert "judged anew" in done.output


def test_a_file_of_evidence_is_judged_without_an_installation(
    demo: Installation, tmp_path: Path
) -> None:
    identity, _, digest = referral(demo)
    zipped, file = str(tmp_path / "evidence.zip"), str(tmp_path / "referral.pdf")
    assert run(demo, "--document", identity, "--save-evidence", zipped).exit_code == 0
    shutil.copy(next(demo.folder.glob(f"blobs/**/{digest}")), file)
    done = CliRunner().invoke(group, ["verify", file, "--evidence", zipped])
    assert done.exit_code == 0, done.output
    for words in ("the same verdict from what was kept", "trusted by the file", "Demo HPKI Root"):
        assert words in done.output
    with Path(file).open("ab") as stream:
        stream.write(b" ")
    done = CliRunner().invoke(group, ["verify", file, "--evidence", zipped])
    assert done.exit_code == 1
    assert "NOT the same verdict" in done.output
    for words, said in (
        ((file, "--save-evidence", zipped), "exists"),
        ((file, "--evidence", zipped, "--allow-test-cards"), "says whom to trust"),
        ((str(demo.config), "--save-evidence", str(tmp_path / "x.zip")), "no evidence"),
        ((file, "--evidence", file), "no file of evidence"),
    ):
        done = CliRunner().invoke(group, ["verify", *words])
        assert done.exit_code in (1, 2)
        assert said in done.output, words


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        pytest.param(("--document", "2.25.7"), 1, "no verdict on a signature", id="nobody's"),
        pytest.param((), 2, "name FILE, or --document", id="nothing"),
        pytest.param(("gateway.toml", "--document", "2.25.7"), 2, "name FILE, or", id="both"),
        pytest.param(
            ("--document", "2.25.7", "--content", "x"), 2, "name FILE, or", id="with files beside"
        ),
    ],
)
def test_what_is_no_question(
    demo: Installation, words: tuple[str, ...], code: int, said: str
) -> None:
    done = run(demo, *words)
    assert done.exit_code == code
    assert said in done.output


def test_missing_evidence_and_evidence_that_never_was_are_said(
    templates: Templates, tmp_path: Path
) -> None:
    made = templates.copy("sqlite", tmp_path / "installation")
    identity = referral(made)[0]
    query(made, "DELETE FROM evidence WHERE kind = 'crl'")
    done = run(made, "--document", identity)
    assert done.exit_code == 1
    assert done.output.count("evidence is missing / 証拠がありません: ") == 2
    assert "NOT the same verdict" in done.output
    query(made, "DELETE FROM evidence")
    done = run(made, "--document", identity)
    assert done.exit_code == 1
    assert "no evidence was kept with it" in done.output
    assert "証拠が保存されていません" in done.output
