"""`gateway watch` and `gateway queue` as they are typed; a kill in the middle doubles nothing."""

import os
import time
from pathlib import Path

import pytest

from bench.population import population, tree
from tests import forked
from tests.served import Installation

FILES = 150


@pytest.fixture
def drop(tmp_path: Path) -> Path:
    made = tmp_path / "drop"
    tree(population(1, FILES), made)
    for file in made.rglob("*"):
        os.utime(file, (1_700_000_000, 1_700_000_000))
    return made


def words(drop: Path) -> list[str]:
    return ["watch", str(drop), "--facility", "hospital-a", "--source", "emr", "--once"]


def test_a_watch_that_is_killed_goes_on_where_it_was(
    installation: Installation, drop: Path
) -> None:
    """`kill -9` at three moments; then everything is there once."""
    config = ["--config", str(installation.config)]
    for moment in (0.3, 0.6, 0.9):
        with Path(os.devnull).open("w") as nowhere:
            process = forked.start(*words(drop), *config, stdout=nowhere, stderr=nowhere)
        time.sleep(moment)
        process.kill()
        process.wait(10)
    taken = installation.command(*words(drop))["taken"]
    assert installation.command(*words(drop)) == {
        "seen": FILES, "taken": 0, "refused": 0, "unfinished": 0,
    }  # fmt: skip
    assert taken <= FILES
    until = time.monotonic() + 60  # a lane that a killed process left runs out
    while waiting := installation.command("queue")["waiting"]:
        assert time.monotonic() < until, waiting
        time.sleep(1)
        installation.command(*words(drop))
    sheet = installation.command("facility", "quality", "hospital-a")
    states = sheet["files"]
    assert "duplicate" not in states, states
    assert states.get("received", 0) == 0


def test_wrong_words(installation: Installation, tmp_path: Path) -> None:
    (tmp_path / "drop").mkdir()
    start = ["watch", str(tmp_path / "drop"), "--facility"]
    installation.command(*start, "nobody", "--source", "emr", "--once", exit_code=0)
    (tmp_path / "drop" / "a.txt").write_bytes(b"x")
    os.utime(tmp_path / "drop" / "a.txt", (1, 1))
    installation.command(*start, "nobody", "--source", "emr", "--once", exit_code=1)
    installation.command(*start, "hospital-a", "--source", "emr", "--once", exit_code=1)
    installation.command(*start, "hospital-a", "--source", "moon", "--once", exit_code=2)
    inside = str(tmp_path / "drop" / "away")
    installation.command(*start, "hospital-a", "--source", "emr", "--move-to", inside, exit_code=2)
    installation.command("watch", str(tmp_path / "no"), "--facility", "hospital-a", exit_code=2)
