"""One document before and after a revocation that is dated back: `samples/revocation/make.py`."""

import json
import re
import runpy
from datetime import datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gateway import app
from gateway.cli import group

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("revocation")
    script = runpy.run_path(str(ROOT / "samples" / "revocation" / "make.py"))
    script["main"](place, app.now().replace(microsecond=0))
    return place


def verify(folder: Path, trust: str, *more: str) -> Result:
    words = [str(folder / "referral.pdf"), "--allow-test-cards", "--trust", str(folder / trust)]
    return CliRunner().invoke(group, ["verify", *words, *more])


def test_verified_before_and_refused_after(folder: Path) -> None:
    before = verify(folder, "before.toml")
    assert before.exit_code == 0, before.output
    assert "revocation of" not in before.output
    after = verify(folder, "backdated.toml")
    assert after.exit_code == 1
    for words in ("invalid / 無効", "keyCompromise", "Refused: the revocation counts from",
                  "無効の理由: 失効の効力は", "proven by its time-stamp"):  # fmt: skip
        assert words in after.output
    signature = json.loads(verify(folder, "backdated.toml", "--json").stdout)["signatures"][0]
    told = signature["revocation"]
    assert told["harms"] is True
    assert told["basis"] == "proven"
    assert told["moment"] == signature["times"]["proven"]
    assert told["since"] == told["invalidity_date"] < told["moment"] < told["revocation_date"]
    assert told["list"]["sha256"] in signature["evidence"]


def test_a_revocation_after_the_proven_time_does_no_harm_and_is_told(folder: Path) -> None:
    done = verify(folder, "later.toml")
    assert done.exit_code == 0, done.output
    assert "No harm: the signature was there at" in done.output
    assert "影響なし" in done.output
    told = json.loads(verify(folder, "later.toml", "--json").stdout)["signatures"][0]["revocation"]
    assert told["harms"] is False
    assert told["since"] > told["moment"]


def test_as_of_a_day_before_the_list_it_is_as_it_was(folder: Path) -> None:
    told = json.loads(verify(folder, "backdated.toml", "--json").stdout)
    proven = told["signatures"][0]["times"]["proven"]
    assert datetime.fromisoformat(proven).tzinfo is not None
    assert verify(folder, "backdated.toml", "--at", proven).exit_code == 0


def test_without_a_time_stamp_that_counts_it_is_open_and_never_verified(folder: Path) -> None:
    text = (folder / "backdated.toml").read_text("utf-8")
    (folder / "unstamped.toml").write_text(re.sub(r'kind = "tsa"', 'kind = "hpki"', text), "utf-8")
    done = verify(folder, "unstamped.toml")
    assert done.exit_code == 1
    assert done.output.startswith("unverifiable")
    assert "Open: revoked or held from" in done.output
