"""The whole main job, from outside, on both databases."""

import json
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from gateway.demo import outside, run
from gateway.demo.sign import sign_prescription
from tests import forked
from tests.served import Installation, Served, _database

NAMES = 8


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_every_step_holds(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outside, "typed", forked.run)  # the next test starts each one cold
    database = ""
    if kind == "postgresql":
        database = _database(request.getfixturevalue("postgres_server"), "template0")
    told: list[str] = []
    steps = run(tmp_path, sign_prescription, database=database, tell=lambda s: told.append(s.name))
    assert [step for step in steps if not step.held] == []
    assert [step.name for step in steps] == told
    assert len(steps) == NAMES


def test_the_command_says_it_as_json_and_keeps_its_folder(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "gateway", "demo", "--json", "--keep", str(tmp_path / "kept")],
        capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    said = json.loads(done.stdout)
    assert said["held"] is True
    assert [set(step) for step in said["steps"]] == [{"name", "held", "ms", "detail"}] * NAMES
    assert (tmp_path / "kept" / "demo" / "gateway.db").exists()


def test_the_operator_door_tells_how_it_is(served: Served) -> None:
    assert served.operator("/healthz")[0] == 200
    status, text = served.operator("/readyz")
    assert status == 200, text
    status, text = served.operator("/metrics")
    assert status == 200
    assert "# TYPE" in text


def test_sigterm_stops_with_good_grace(served: Served) -> None:
    assert served.client("hospital-a").request("GET", "/pix?wsdl").status == 200
    begun = time.monotonic()
    assert served.stop() == 0
    assert time.monotonic() - begun < 25  # the client's idle connection (30 s) holds nothing up


def test_a_second_init_refuses_the_folder(installation: Installation) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "gateway", "init", str(installation.folder), "--demo"],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 1
    assert "not empty" in done.stderr
    assert "空ではありません" in done.stderr


def test_demo_json_lists_what_patient_a_has(installation: Installation) -> None:
    """`INTERFACES.md` section 5: three facilities, two documents of each category that is there."""
    told = installation.patient("A")
    assert told["consent"] == "active"
    assert len(told["identifiers"]) == 4
    documents = told["documents"]
    counts = Counter(one["category"] for one in documents)
    assert set(counts) == {"diagnosis", "prescription", "dispensing", "lab_result", "allergy"}
    assert min(counts.values()) >= 2
    assert len({one["unique_id"] for one in documents}) == len(documents)
    for one in documents:
        assert len(one["hash"]) == 40
        assert one["size"] > 0
        assert one["type"]
    places = {one["title"].partition("（")[2] for one in documents}
    assert places - {""} == {"見本病院）", "例示診療所）", "見本薬局）"}
    others = {label: installation.patient(label)["documents"] for label in "BCD"}
    assert (len(others["B"]), len(others["D"])) == (0, 0)
    assert others["C"]
