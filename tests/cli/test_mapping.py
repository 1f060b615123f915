"""`gateway mapping draft`: YAML, JSON, a file that is never replaced, refusals."""

import json

import pytest
from click.testing import CliRunner

from gateway.cli.mapping import mapping
from gateway.model import csv_mapping
from tests.standardize.conftest import FILES

LAB = FILES["csv/clinic-b-lab.csv"]


def run(*arguments):
    return CliRunner().invoke(mapping, ["draft", *map(str, arguments)])


def test_yaml_that_can_be_read():
    result = run(LAB, "--facility", "clinic-b")
    assert result.exit_code == 0
    drafted = csv_mapping.load(result.stdout)
    assert (drafted.facility, drafted.encoding) == ("clinic-b", "cp932")
    assert "花子" not in result.stdout


def test_json():
    document = json.loads(run(LAB, "--json").stdout)
    assert document["category"] == "lab_result"
    assert document["complete"]
    first = document["columns"][0]
    assert (first["from"], first["to"], first["examples"][0]) == (
        "患者番号", "patient.id", "99999999",
    )  # fmt: skip


def test_a_file_is_written_once(tmp_path):
    path = tmp_path / "m.yaml"
    assert run(LAB, "--output", path).exit_code == 0
    text = path.read_text("utf-8")
    again = run(LAB, "--output", path, "--facility", "other")
    assert again.exit_code == 1
    assert "既にあります" in again.stderr
    assert path.read_text("utf-8") == text
    assert run(LAB, "--output", tmp_path / "no" / "m.yaml").exit_code == 3


def test_an_incomplete_draft_says_so_in_both_languages():
    result = run(FILES["csv/lab-d-results.tsv"])
    assert result.exit_code == 0
    assert "not yet complete: " in result.stderr
    assert "完成していません" in result.stderr


@pytest.mark.parametrize("content", [b"", b"one\ntwo\n", b"\x00\x00", b"\x80\xff\x00"])
def test_what_is_no_table_is_refused(tmp_path, content):
    path = tmp_path / "x.csv"
    path.write_bytes(content)
    result = run(path)
    assert result.exit_code == 1
    assert "拒否" in result.stderr
    assert run(tmp_path / "absent").exit_code == 2
