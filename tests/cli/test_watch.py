"""`gateway watch` and `gateway queue` as they are typed; a kill in the middle doubles nothing."""

import os
import re
import time
from pathlib import Path

import pytest

from bench.population import population, tree
from tests import forked
from tests.served import Installation, Served

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


def test_what_is_watched_is_told_at_the_operators_door(
    served: Served, installation: Installation, drop: Path
) -> None:
    (drop / "note.txt").write_text("nothing of ours")
    os.utime(drop / "note.txt", (1_700_000_000, 1_700_000_000))
    installation.command(*words(drop), exit_code=1)
    until = time.monotonic() + 60
    names = f'facility="hospital-a",folder="{drop}"'
    while f"gateway_watch_taken_files_total{{{names}}} {FILES}.0" not in (
        told := served.operator("/metrics")[1]
    ):
        assert time.monotonic() < until, told
        time.sleep(1)
    assert f"gateway_watch_refused_files_total{{{names}}} 1.0" in told
    assert f"gateway_watch_unfinished_files{{{names}}} 0.0" in told
    assert f"gateway_watch_looked_seconds{{{names}}}" in told
    done = re.compile(r'gateway_intake_files_total\{facility="hospital-a"\} ([0-9.]+)')
    while not (found := done.search(told)) or float(found[1]) < FILES:
        assert time.monotonic() < until, told
        time.sleep(1)
        told = served.operator("/metrics")[1]
    assert "gateway_intake_waiting_files{" not in told


def test_what_waits_is_told_by_facility(installation: Installation, drop: Path) -> None:
    config = ["--config", str(installation.config)]
    with Path(os.devnull).open("w") as nowhere:
        process = forked.start(*words(drop), *config, stdout=nowhere, stderr=nowhere)
    found: dict[str, object] = {}
    until = time.monotonic() + 60
    while not found.get("rate"):
        assert time.monotonic() < until, found
        for one in installation.command("queue")["facilities"]:
            found = one
    process.kill()
    process.wait(10)
    assert set(found) == {"facility", "files", "oldest", "seconds", "rate", "left"}
    assert found["facility"] == "hospital-a"
    assert found["left"] == pytest.approx(found["files"] / found["rate"], abs=2, rel=0.2)  # type: ignore[operator]
