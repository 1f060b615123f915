"""`gateway standardize replay` as it is typed: a map is loaded, its difference shown, applied."""

from pathlib import Path

from click.testing import CliRunner

from gateway.cli import group
from tests.cli.test_codes import result, take_in, written
from tests.served import Installation

MAP = "system,code,text,standard_system,standard_code\n99LAB,TP,,JC10,3A990000002399901\n"


def test_the_difference_of_a_map_is_shown_then_applied(
    installation: Installation, tmp_path: Path
) -> None:
    take_in(installation, result(tmp_path))
    whose = ("--facility", "hospital-a")
    none = installation.command("standardize", "replay", *whose)
    assert (none["added"], none["changed"], none["ended"]) == (0, 0, 0)
    assert none["files"] > 0
    installation.command("codes", "map", "load", written(tmp_path, "m.csv", MAP), *whose)
    seen = installation.command("standardize", "replay", *whose)
    assert (seen["applied"], seen["added"], seen["changed"], seen["ended"]) == (False, 0, 1, 0)
    assert seen["paths"] == [
        {"change": "changed", "path": "Observation.code.coding", "times": 1}
    ]  # fmt: skip
    (item,) = seen["items"]
    assert item["elements"] == [{"path": "Observation.code.coding[1]"}], "no values unless asked"
    shown = installation.command("standardize", "replay", *whose, "--values")
    assert shown["items"][0]["elements"][0]["new"]["code"] == "3A990000002399901"
    done = installation.command("standardize", "replay", *whose, "--apply")
    assert (done["applied"], done["changed"]) == (True, 1)
    again = installation.command("standardize", "replay", "--apply")
    assert (again["added"], again["changed"], again["ended"]) == (0, 0, 0)
    why = installation.command("standardize", "why", item["resource"])
    assert [one["version"].rpartition("!")[2] for one in why["versions"]][-1] == "1"
    assert why["versions"][-1]["tables"][0].startswith("map-hospital-a:")
    assert why["versions"][-1]["lines"][0].startswith("OBX|1|NM|TP^")
    installation.command("audit", "verify")


def test_the_text_says_what_to_do(installation: Installation, tmp_path: Path) -> None:
    take_in(installation, result(tmp_path))
    map_file = written(tmp_path, "m.csv", MAP)
    installation.command("codes", "map", "load", map_file, "--facility", "hospital-a")
    words = ["standardize", "replay", "--values", "--config", str(installation.config)]
    done = CliRunner().invoke(group, words)
    assert done.exit_code == 0, done.output
    assert "Observation.code.coding[1]: - → {" in done.output
    assert "1 changed" in done.output
    assert "--apply" in done.output


def test_a_facility_that_is_not_there_is_refused(installation: Installation) -> None:
    installation.command("standardize", "replay", "--facility", "nobody", exit_code=1)
