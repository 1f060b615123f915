"""The bench itself, in a tiny size: every figure is made, and by true answers."""

import json
from pathlib import Path

import pytest

from bench import figures, pix, start, xca
from bench.figures import Figure
from bench.generator import Job, Window
from bench.run import Run
from bench.windows import Series, ratio
from tests.shared import SHARED


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    schemas = None if SHARED is None else SHARED / "ihe" / "schema"
    return Run(
        small=20, large=60, seconds=0.4, warm=0.1, rounds=1, document=3 * 1024 * 1024,
        folder=tmp_path_factory.mktemp("bench"), schemas=schemas,
    )  # fmt: skip


def test_queries_are_measured_against_the_echo_and_the_peer(run: Run) -> None:
    made = {figure.name: figure for figure in pix.measure(run)}
    assert {"iti45-sqlite-1m", "iti45-sqlite-growth"} <= made.keys()
    assert ("iti45-schemas" in made) == (run.schemas is not None)
    assert all(figure.figure > 0 and figure.ratio > 0 for figure in made.values())
    assert all("recorded" in f.against for name, f in made.items() if name == "iti45-schemas")


def test_documents_are_measured_and_come_back_whole(run: Run) -> None:
    made = {figure.name: figure for figure in xca.measure(run)}
    assert {"iti38-10-entries", "iti39-1-mib", "iti39-3-mib-memory"} == made.keys()
    assert made["iti39-3-mib-memory"].held


def test_start_and_memory_are_measured(run: Run) -> None:
    made = {figure.name: figure for figure in start.measure(run)}
    assert {"start-to-ready", "idle-memory"} <= made.keys()


@pytest.mark.parametrize(
    ("goal", "value", "held"),
    [("<= 2.5", 2.5, True), ("<= 2.5", 2.6, False), (">= 4", 4.0, True), (">= 4", 3.9, False),
     ("", 99.0, True)],
)  # fmt: skip
def test_a_goal_is_held_or_not(goal: str, value: float, held: bool) -> None:
    assert _figure(goal, value).held is held


def test_the_table_is_kept_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "last.json"
    assert figures.write([_figure("<= 2", 1.0)], path)
    assert not figures.write([_figure("<= 2", 3.0)], path)
    (row,) = json.loads(path.read_text("utf-8"))
    assert row == {
        "name": "a", "figure": 1.0, "unit": "us", "against": "b", "floor": 2.0, "ratio": 3.0,
        "goal": "<= 2", "held": False, "command": "python -m bench", "seed": 1,
    }  # fmt: skip
    assert "NOT HELD" in capsys.readouterr().out


def test_a_ratio_is_made_of_neighbours_in_time() -> None:
    slow = Series([Window(answers=10, cpu=cpu, wall=1.0) for cpu in (2.0, 4.0, 60.0)])
    fast = Series([Window(answers=10, cpu=cpu, wall=1.0) for cpu in (1.0, 2.0, 20.0)])
    assert ratio(slow, fast) == 2.0


def test_a_wrong_answer_stops_the_bench(run: Run) -> None:
    from dataclasses import replace

    from bench import generator, installation, questions, server

    place = installation.make("small", run.small, folder=run.folder)
    with server.gateway(place) as found:
        good = questions.pix(found, place, run.small)
        job: Job = replace(good, seconds=0.2, warm=0.1, marker="never said")
        with pytest.raises(RuntimeError, match="wrong answers"):
            generator.run(job)


def _figure(goal: str, value: float) -> Figure:
    return Figure(
        name="a", figure=1.0, unit="us", against="b", floor=2.0, ratio=value, goal=goal,
        command="python -m bench",
    )  # fmt: skip
