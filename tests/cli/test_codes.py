"""`gateway codes …` as it is typed: load, list, show, end, map load; refusals; the pure command."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from gateway.cli import group
from tests.served import Installation
from tests.standardize.build import PID, hl7
from tests.standardize.test_masters import DISEASE, DRUG, HOT, OLD_DRUG


def written(folder: Path, name: str, text: str, charset: str = "cp932") -> str:
    path = folder / name
    path.write_bytes(text.encode(charset))
    return str(path)


def result(folder: Path, code: str = "TP^総蛋白^99LAB") -> str:
    """One laboratory message as a file."""
    name = "0012345_20261104_OML-11_000000000080001_20261104090000000_01_1"
    content = hl7(
        "OUL^R22", PID, "SPM|1|||023", "OBR|1|000000000080001||E001|||20261104",
        "ORC|SC|000000000080001", f"OBX|1|NM|{code}||7.10|g/dL|||||F",
    )  # fmt: skip
    path = folder / "tree" / "001" / "234" / "0012345" / "20261104" / "OML-11" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return str(folder / "tree")


def test_a_master_is_loaded_shown_listed_and_ended(
    installation: Installation, tmp_path: Path
) -> None:
    file = written(tmp_path, "y.csv", DRUG + OLD_DRUG)
    loaded = installation.command("codes", "load", file, "--version", "2026-10",
                                  "--from", "2026-10-01")  # fmt: skip
    assert (loaded["kind"], loaded["rows"], loaded["loaded"]) == ("receipt-drug", 2, True)
    again = installation.command("codes", "load", file, "--version", "2026-10")
    assert (again["was_there"], again["id"]) == (True, loaded["id"])
    (listed,) = installation.command("codes", "list")
    assert listed["digest"] == loaded["digest"]
    assert listed["loaded_by"] == "secretariat/operator"
    (shown,) = installation.command("codes", "show", "699999902")
    assert (shown["display"], shown["end"]) == ("旧錠", "20240331")
    (other,) = installation.command("codes", "show", "9999999A1010")
    assert other["related"][0]["code"] == "699999901"
    ended = installation.command("codes", "end", str(loaded["id"]), "--last", "2026-10-31")
    assert ended["ends"] == "2026-10-31"
    installation.command("codes", "end", str(loaded["id"]), exit_code=1)
    installation.command("codes", "load", file, "--version", "2026-10", exit_code=1)
    installation.command("codes", "show", "000000000", exit_code=1)
    installation.command("codes", "end", "99", exit_code=1)


def test_the_same_version_with_other_content_is_refused(
    installation: Installation, tmp_path: Path
) -> None:
    installation.command("codes", "load", written(tmp_path, "a.csv", DRUG), "--version", "1")
    other = written(tmp_path, "b.csv", OLD_DRUG)
    installation.command("codes", "load", other, "--version", "1", exit_code=1)
    installation.command("codes", "load", other, "--version", "2")
    assert [one["version"] for one in installation.command("codes", "list")] == ["1", "2"]


def test_a_wrong_row_loads_nothing_and_is_named(installation: Installation, tmp_path: Path) -> None:
    file = written(tmp_path, "y.csv", DRUG + DRUG.replace("699999901", "1"))
    refused = installation.command("codes", "load", file, exit_code=1)
    assert refused["problems"][0]["row"] == 2
    assert refused["problems"][0]["code"] == "code-form"
    assert installation.command("codes", "list") == []
    words = ["codes", "load", file, "--config", str(installation.config)]
    done = CliRunner().invoke(group, words)
    assert done.exit_code == 1
    assert "row 2 code [code-form]" in done.output


@pytest.mark.parametrize(
    ("words", "exit_code"),
    [
        (["--kind", "nothing"], 1),
        (["--columns", "code"], 1),
        (["--columns", "code=99"], 1),
        (["--encoding", "ebcdic"], 2),
        (["--from", "yesterday"], 1),
        (["--version", "a:b"], 1),
        (["--encoding", "utf-8"], 1),
    ],
)
def test_wrong_options_are_refused(
    installation: Installation, tmp_path: Path, words: list[str], exit_code: int
) -> None:
    file = written(tmp_path, "y.csv", DRUG)
    installation.command("codes", "load", file, *words, exit_code=exit_code)
    assert installation.command("codes", "list") == []


def test_a_map_is_of_a_facility_that_there_is(installation: Installation, tmp_path: Path) -> None:
    text = "system,code,text,standard_system,standard_code\n99LAB,TP,,JC10,3A990000002399901\n"
    file = written(tmp_path, "map.csv", text)
    installation.command("codes", "load", file, exit_code=2)
    installation.command("codes", "map", "load", file, "--facility", "nobody", exit_code=1)
    loaded = installation.command("codes", "map", "load", file, "--facility", "hospital-a")
    assert (loaded["facility"], loaded["rows"]) == ("hospital-a", 1)
    (shown,) = installation.command("codes", "show", "TP")
    assert (shown["facility"], shown["system"]) == ("hospital-a", "99LAB")


def take_in(installation: Installation, tree: str) -> Any:
    return installation.command(
        "intake", tree, "--facility", "hospital-a", "--source", "emr", exit_code=0
    )


def test_the_ranking_is_exported_filled_in_and_loaded_back(
    installation: Installation, tmp_path: Path
) -> None:
    take_in(installation, result(tmp_path, "=TP^総蛋白^99LAB"))
    sheet = tmp_path / "codes.csv"
    installation.command("facility", "quality", "hospital-a", "--unmapped", str(sheet))
    with sheet.open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream))
    (row,) = [one for one in rows if one["code"] == "'=TP"]
    assert (row["system"], row["times"], row["standard_code"]) == ("99LAB", "1", "")
    row.update(standard_system="JC10", standard_code="3A990000002399901")
    with sheet.open("w", encoding="utf-8-sig", newline="") as stream:
        writer = csv.DictWriter(stream, row)
        writer.writeheader()
        writer.writerows(rows)
    loaded = installation.command("codes", "map", "load", str(sheet), "--facility", "hospital-a")
    assert loaded["rows"] == 1
    assert installation.command("codes", "show", "=TP")[0]["display"] == "総蛋白"


def test_what_is_loaded_is_used_by_the_next_file(
    installation: Installation, tmp_path: Path
) -> None:
    text = "system,code,text,standard_system,standard_code\n99LAB,TP,,JC10,3A990000002399901\n"
    installation.command("codes", "map", "load", written(tmp_path, "map.csv", text),
                         "--facility", "hospital-a")  # fmt: skip
    receipt = take_in(installation, result(tmp_path))
    assert {file["state"] for file in receipt["files"]} == {"standardized"}
    codes = [one for file in receipt["files"] for one in file["findings"]
             if (one["code"], one["at"]) == ("unmapped-code", "OBX[1].3")]  # fmt: skip
    assert codes == []


def test_the_pure_command_reads_masters_from_files(tmp_path: Path) -> None:
    text = "system,code,text,standard_system,standard_code\n99LAB,TP,,JC10,3A990000002399901\n"
    file = written(tmp_path, "map.csv", text)
    names = written(tmp_path, "n.csv", "JLAC10コード,項目名\n3A990000002399901,見本蛋白\n")
    words = ["standardize", result(tmp_path), "--json", "--codes", file, "--codes", names]
    done = CliRunner().invoke(group, words)
    items = [one for file in json.loads(done.stdout)["files"] for one in file["items"]]
    (coding,) = [
        coding for one in items if one["resource"]["resourceType"] == "Observation"
        for coding in one["resource"]["code"]["coding"] if "JLAC10" in coding["system"]
    ]  # fmt: skip
    assert coding["display"] == "見本蛋白"
    wrong = written(tmp_path, "w.csv", "JLAC10コード,項目名\nTP,見本蛋白\n")
    done = CliRunner().invoke(group, ["standardize", result(tmp_path), "--codes", wrong])
    assert done.exit_code == 1


def test_hot_and_disease_masters_load(installation: Installation, tmp_path: Path) -> None:
    for name, text, kind in (("h.csv", HOT, "hot"), ("b.csv", DISEASE, "receipt-disease")):
        loaded = installation.command("codes", "load", written(tmp_path, name, text))
        assert loaded["kind"] == kind
    kinds = [one["kind"] for one in installation.command("codes", "list")]
    assert kinds == ["hot", "receipt-disease"]
