"""`gateway standardize`: exit codes, JSON, text, archives, a second opinion."""

import hashlib
import json
import zipfile

import pytest
from click.testing import CliRunner

from gateway.cli import account
from gateway.cli.standardize import standardize
from gateway.model.batch import Batch
from tests.standardize.conftest import FILES, SAMPLES

MAPPED = [
    part for path in sorted((SAMPLES.parent / "mappings").iterdir()) for part in ("--mapping", path)
]

HARMFUL = "X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-" + "STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"


def run(*arguments):
    return CliRunner().invoke(standardize, [str(one) for one in arguments])


def test_json_of_the_sample_tree():
    result = run(SAMPLES, *MAPPED, "--json")
    assert result.exit_code == 1  # one CSV has rows that are refused
    document = json.loads(result.stdout)
    assert document["counts"]["files"] == len({one["path"] for one in document["files"]})
    assert document["counts"]["files"] == len(FILES)
    assert document["counts"]["refused"] == 0
    assert document["counts"]["items"]["Observation"] >= 16
    one = next(one for one in document["files"] if one["format"] == "ssmix2/OML-11")
    assert one["patient"] == {"domain": "2.999.0", "value": "0012345"}
    item = one["items"][0]
    assert item["category"] == "lab_result"
    assert item["source"]["at"] == "OBX[1]"
    assert item["source"]["file"] == one["path"]
    assert {"code", "severity", "at", "text"} <= set(one["findings"][0])
    assert '"value":7.10' in result.stdout


def test_text_for_people_is_in_two_languages():
    result = run(SAMPLES / "notebook" / "jahistc08.csv")
    assert result.exit_code == 0
    assert "5 MedicationDispense" in result.stdout
    assert "[patient-without-number]" in result.stdout
    assert "患者番号がありません" in result.stdout


def test_an_archive_is_the_same_as_the_folder(tmp_path):
    path = tmp_path / "tree.zip"
    with zipfile.ZipFile(path, "w") as made:
        for one in sorted(SAMPLES.rglob("*")):
            if one.is_file():
                made.write(one, one.relative_to(SAMPLES).as_posix())
        made.writestr("../slip", b"x")
    result = run(path, *MAPPED, "--json")
    assert result.exit_code == 1
    document = json.loads(result.stdout)
    refused = [one for one in document["files"] if one["format"] is None]
    assert [one["findings"][0]["code"] for one in refused] == ["unsafe-name"]
    folder = json.loads(run(SAMPLES, *MAPPED, "--json").stdout)
    assert document["counts"]["items"] == folder["counts"]["items"]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"hello", "unsupported"),
        (b"", "unsupported"),
        (HARMFUL.encode(), "invalid"),
        (b"MSH|^~\\&|", "unsupported"),
        (b"PK\x03\x04junk", "malformed"),
        (b"JAHISTC08,1\r\n", "malformed"),
    ],
)
def test_a_refused_file_says_why_and_exits_one(tmp_path, content, code):
    path = tmp_path / "x"
    path.write_bytes(content)
    result = run(path, "--json")
    assert result.exit_code == 1
    document = json.loads(result.stdout)
    assert document["counts"]["refused"] == 1
    (finding,) = document["files"][0]["findings"]
    assert finding["code"] == code
    assert finding["severity"] == "error"
    assert finding["japanese"]
    text = run(path)
    assert text.exit_code == 1
    assert "取込不可" in text.stdout


def test_a_clash_needs_somebody(tmp_path):
    source = next(one for one in SAMPLES.rglob("0012345_-_ADT-00*") if one.is_file())
    path = tmp_path / source.name.replace("0012345", "7654321")
    path.write_bytes(source.read_bytes())
    result = run(path)
    assert result.exit_code == 1
    assert "pid-clash" in result.stdout


def test_wrong_usage(tmp_path):
    assert run("why").exit_code == 2
    assert run(tmp_path / "absent").exit_code == 2
    assert run(SAMPLES, "--format", "nothing").exit_code == 2
    assert "jahis-notebook" in run(SAMPLES, "--format", "nothing").output


def test_a_format_may_be_named():
    path = SAMPLES / "lab" / "oul-r22.hl7"
    assert run(path, "--format", "hl7").exit_code == 0
    result = run(path, "--format", "jahis-notebook", "--json")
    assert result.exit_code == 1


def test_diagnose_adds_a_second_opinion(tmp_path):
    result = run(SAMPLES / "lab" / "oul-r22.hl7", "--diagnose", "--json")
    assert json.loads(result.stdout)["files"][0]["diagnosis"] == []
    unknown = next(one for one in SAMPLES.rglob("*PPR-01*_1") if one.is_file())
    result = run(unknown, "--diagnose")
    assert "second opinion: hl7apy" in result.stdout


def test_control_characters_in_names_are_shown_not_obeyed(tmp_path):
    path = tmp_path / "a\x1b[31mb"
    path.write_bytes(b"x")
    assert "\x1b" not in run(path).stdout


def test_the_account_names_every_segment_and_sums_up():
    result = run(SAMPLES, *MAPPED, "--account")
    sums = [one for one in result.stdout.splitlines() if " lines 行 " in one]
    assert len(sums) == len(FILES)
    for line in sums:
        head, parts = line.split(": ")
        number = int(head.split()[0])
        assert head.split()[3:] == ["=", str(number)]
        assert sum(int(one.split()[0]) for one in parts.split(", ")) == number
    assert "OBX[1]" in result.stdout
    assert "carried 使用" in result.stdout
    assert " lines 行 " not in run(SAMPLES).stdout


def test_the_account_of_a_refused_file_is_its_finding(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"a\r\nb\r\n")
    total = json.loads(run(path, "--json").stdout)["files"][0]["account_total"]
    assert total == {"lines": 2, "became": {"refused: unsupported": 2}, "whole": True}


def test_lines_that_are_not_accounted_for_are_said():
    batch = Batch(path="x", format="y", patient=None, account={"row 1": "used"})
    total = account.total([batch], b"1\n2\n")
    assert not total.whole
    assert "2 lines 行 NOT EQUAL 不一致 1: 1 used" in account.summary(total)


@pytest.mark.parametrize(
    ("text", "says"),
    [("facility: x", "missing"), ("facilty: x", "unknown key"), ("- x", "mapping of keys")],
)
def test_a_mapping_that_is_wrong_is_wrong_usage(tmp_path, text, says):
    path = tmp_path / "m.yaml"
    path.write_text(text, "utf-8")
    result = run(SAMPLES / "csv" / "clinic-b-lab.csv", "--mapping", path)
    assert result.exit_code == 2
    assert says in result.output


def test_a_csv_without_its_mapping_is_an_unknown_file():
    result = run(SAMPLES / "csv" / "clinic-b-lab.csv", "--json")
    assert json.loads(result.stdout)["files"][0]["findings"][0]["code"] == "unsupported"


def test_each_message_has_one_provenance_of_all_its_resources():
    files = json.loads(run(SAMPLES, *MAPPED, "--json").stdout)["files"]
    assert sum(one["path"] == "hl7/batch.hl7" for one in files) > 1  # messages, not files
    ids = set()
    for one in files:
        made = one["provenance"]
        resources = {part["id"]: item for item in one["items"]
                     for part in (item["resource"], *item["companions"])}  # fmt: skip
        if not resources and one["patient_resource"] is None:
            assert made is None
            continue
        ids.add(made["id"])
        told = {
            target["reference"].removeprefix("urn:uuid:"): target.get("extension")
            for target in made["target"]
        }
        person = {one["patient_resource"]["id"]} if one["patient_resource"] else set()
        assert told.keys() == resources.keys() | person, one["path"]
        assert len(told) == len(made["target"])
        for id, item in resources.items():
            where = told[id][0]["valueString"]
            assert "bytes" in where
            if id == item["resource"]["id"]:
                source = item["source"]
                assert where == f"{source['at']} bytes {source['start']}-{source['end']}"
        (entity,) = made["entity"]
        digest = hashlib.sha256(FILES[one["path"]].read_bytes()).hexdigest()
        assert entity["what"] == {
            "identifier": {"system": "urn:x-regional-gateway:sha256", "value": digest},
            "display": one["format"],
        }
        assert made["policy"][0].startswith("urn:x-regional-gateway:mapping:")
        assert "meta" not in made  # whole: nothing is hidden from who holds the file
    assert len(ids) == sum(one["provenance"] is not None for one in files)


def test_a_refused_file_has_no_provenance(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"MSH|^~\\&|")
    assert json.loads(run(path, "--json").stdout)["files"][0]["provenance"] is None
