"""What is handed to the foreign validator, and what is made of its answer."""

import json
import tarfile
from collections import Counter
from pathlib import Path

import pytest

from conformance.peers.hapi import faults, inputs, installation, run, sheet
from conformance.peers.hapi.inputs import File
from conformance.peers.hapi.verdict import (
    DIVERGENCES,
    UNHEARD,
    Accepted,
    accepted,
    said,
    unused,
    verdicts,
)
from conformance.peers.java import Unavailable

LINE = {
    "file": "input-00000-0000.json", "entry": 1, "id": "1", "type": "Observation",
    "profile": "http://jpfhir.jp/fhir/core/StructureDefinition/JP_Observation_LabResult",
    "severity": "error", "location": "component[2].code.coding[0]", "message": "Rule_1",
    "text": "it has none",
}  # fmt: skip
ROW = Accepted(input="*", resource="*", at="*", message="*", says="*", reason="why")
TABLE = """# Divergences

## FHIR content

Text with a | in it.

| input | resource | at | message | says | reason |
| --- | --- | --- | --- | --- | --- |
| `ssmix2/*` | Observation | `component.*` | `Rule_1` | has none | Because |

## Other

| `a` | b |
"""


def one_file(**more: object) -> File:
    return File(origin="samples", path="ssmix2/a", bundles=[inputs.bundle([{"id": "1"}])], **more)


def judged(*lines: dict[str, object], rows: tuple[Accepted, ...] = (), names: frozenset[str]):
    return verdicts([one_file()], {0: [said(line) for line in lines]}, rows, names)[0]


# --- inputs -------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", ["7.10", "1E+2", "-0.0", "5", "0.000000000000000000001"])
def test_numbers_are_handed_on_as_they_were_written(number: str) -> None:
    text = f'{{"value": {number}, "text": "7.10"}}'
    assert inputs.dumps(inputs.loads(text)) == text


def test_parts_of_one_file_are_one_row_and_a_bundle_each() -> None:
    patient = {"resourceType": "Patient", "id": "p"}
    beside = {"resourceType": "Specimen", "id": "s"}
    item = {"resource": {"resourceType": "Observation", "id": "o"}, "companions": [beside]}
    part = {"path": "a", "format": "csv/x", "patient_resource": patient, "items": [item, item],
            "findings": [{"code": "late"}]}  # fmt: skip
    refused = {"path": "a", "format": None, "patient_resource": None, "items": [],
               "findings": [{"code": "bad-date"}]}  # fmt: skip
    (file,) = inputs.files("samples", {"files": [part, part, refused]})
    assert file.formats == Counter({"csv/x": 2, "": 1})
    assert file.items == Counter({"Observation": 4})
    assert file.findings == Counter({"late": 2, "bad-date": 1})
    assert [len(one["entry"]) for one in file.bundles] == [3, 3]
    urls = [entry["fullUrl"] for entry in file.bundles[0]["entry"]]
    assert urls == ["urn:uuid:p", "urn:uuid:o", "urn:uuid:s"]


def test_two_contents_under_one_id_are_both_shown_to_the_judge() -> None:
    made = [
        {"resource": {"resourceType": "Basic", "id": "1", "n": n}, "companions": []} for n in "ab"
    ]
    part = {"path": "a", "format": "x", "items": made, "findings": []}
    assert len(inputs.files("samples", {"files": [part]})[0].bundles[0]["entry"]) == 2


def test_a_gateway_that_breaks_is_no_result(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="standardize failed"):
        inputs.standardized("samples", tmp_path / "absent")


def test_the_gateway_hands_out_the_patient_too(tmp_path: Path) -> None:
    made = inputs.standardized("samples", inputs.REPOSITORY / "samples" / "standardize" / "lab")
    kinds = {one["resource"]["resourceType"] for file in made for one in file.bundles[0]["entry"]}
    assert {"Patient", "Observation", "DiagnosticReport"} <= kinds


def test_documents_are_found_among_other_blobs(tmp_path: Path) -> None:
    document = b'{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Composition"}}]}'
    made = {"a/1": document, "a/2": b"%PDF-1.7", "b/3": b'{"resourceType":"Patient"}'}
    for name, content in made.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    file = installation.documents(tmp_path)
    assert file.items == Counter({"Composition": 1})
    assert file.formats == Counter({"FHIR document": 1})


# --- the verdict --------------------------------------------------------------------------------


def test_a_location_loses_its_numbers() -> None:
    assert said(LINE).at == "component.code.coding"
    assert said(LINE).profile == "JP_Observation_LabResult"


@pytest.mark.parametrize(
    "other",
    [
        {"input": "lab/*"},
        {"resource": "Patient"},
        {"at": "code"},
        {"message": "Rule_2"},
        {"says": "it has two"},
    ],
)
def test_a_row_explains_only_what_it_names(other: dict[str, str]) -> None:
    (row,) = accepted(TABLE)
    assert row.covers("ssmix2/a", said(LINE))
    fields = {"input": row.input, "resource": row.resource, "at": row.at, "message": row.message,
              "says": row.says, "reason": row.reason}  # fmt: skip
    assert not Accepted(**{**fields, **other}).covers("ssmix2/a", said(LINE))


def test_an_error_stands_until_a_row_explains_it() -> None:
    verdict = judged(LINE, names=frozenset())
    assert [one.message for one in verdict.unexplained] == ["Rule_1"]
    explained = judged(LINE, rows=accepted(TABLE), names=frozenset())
    assert (explained.unexplained, len(explained.explained)) == ([], 1)
    assert unused([verdict], accepted(TABLE)) == list(accepted(TABLE))
    assert unused([explained], accepted(TABLE)) == []


@pytest.mark.parametrize("severity", ["warning", "information"])
def test_what_is_no_error_is_counted_by_kind(severity: str) -> None:
    verdict = judged({**LINE, "severity": severity}, rows=(ROW,), names=frozenset())
    assert (verdict.unexplained, verdict.explained) == ([], [])
    assert sheet.warnings([verdict]) == Counter({(severity, "Rule_1"): 1})


def test_what_nobody_here_may_have_is_counted_apart() -> None:
    lines = [
        {**LINE, "text": "ValueSet 'http://a/vs' not found"},
        {**LINE, "text": "CodeSystem is unknown and can't be validated: http://a/cs for 'x#1'"},
        {**LINE, "text": "CodeSystem is unknown and can't be validated: urn:x-regional-gateway:c"},
    ]
    verdict = judged(*lines, names=frozenset({"http://a/cs"}))
    assert verdict.not_obtainable == Counter({"http://a/vs": 1, "http://a/cs": 1})
    assert (verdict.local, verdict.unexplained, verdict.warnings) == (1, [], [])


def test_a_code_system_in_no_published_list_is_an_error_of_ours() -> None:
    text = "CodeSystem is unknown and can't be validated: http://a/csx for 'http://a/csx#1'"
    line = {**LINE, "severity": "warning", "text": text}
    assert [one.message for one in judged(line, names=frozenset({"http://a/cs"})).unexplained] == [
        UNHEARD
    ]
    assert judged(line, names=frozenset()).not_obtainable == Counter({"http://a/csx": 1})


# --- the table of divergences -------------------------------------------------------------------


def test_our_own_table_can_be_read() -> None:
    assert all(row.reason for row in accepted(DIVERGENCES.read_text("utf-8")))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("## FHIR content", "## FHIR"),
        ("| says | reason |", "| reason |"),
        ("| Because |", "|"),
        ("| Because |", "| |"),
        ("| Because |", "| Because | of |"),
    ],
)
def test_a_table_that_is_none_is_refused(before: str, after: str) -> None:
    with pytest.raises(ValueError, match=r"no '## FHIR|columns|not a row"):
        accepted(TABLE.replace(before, after))


# --- names, lines, sheet ------------------------------------------------------------------------


def test_names_come_from_packages_and_lists(tmp_path: Path) -> None:
    lists = {
        "jp-core/terminology/naming-systems.tsv": "JP\tcodesystem\t-\turi:urn:oid:1.2 | uri:http://a/cs*\n",
        "jp-core/required-elements.tsv": 'jp-x\tP\tfixedUri="http://e/cs"\t\n',
        "tables/oid-url-map.tsv": "1.3\thttp://b/cs\n",
        "samples/visible/jp-core-1.2.0-examples/a.json": '{"system": "http://d/cs"}',
    }
    for name, text in lists.items():
        (tmp_path / "japan" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "japan" / name).write_text(text)
    inside = tmp_path / "ValueSet-a.json"
    inside.write_text('{"url": "http://c/vs|4.0.1", "text": "see http://not/this"}')
    package = tmp_path / "a.tgz"
    with tarfile.open(package, "w:gz") as made:
        made.add(inside, "package/ValueSet-a.json")
    assert run.names(tmp_path, [package]) == {
        "urn:oid:1.2",
        "http://a/cs",
        "http://b/cs",
        "http://c/vs",
        "http://d/cs",
        "http://e/cs",
    }


def test_packages_that_are_not_all_there_are_none(tmp_path: Path) -> None:
    assert run.packages(None) == []
    folder = tmp_path / "japan" / "jp-core" / "packages"
    folder.mkdir(parents=True)
    (folder / run.PACKAGES[0]).touch()
    assert run.packages(tmp_path) == []
    (folder / run.PACKAGES[1]).touch()
    assert [file.name for file in run.packages(tmp_path)] == list(run.PACKAGES)


def test_a_bundle_that_was_not_judged_is_no_result(tmp_path: Path) -> None:
    made = run.write_bundles(tmp_path, [one_file()])
    (name,) = made
    judged_line = {"file": name, "judged": 1}
    assert len(run.messages({name: [LINE, judged_line]}, made)[0]) == 1
    with pytest.raises(Unavailable, match="did not judge"):
        run.messages({name: [LINE]}, made)


@pytest.mark.parametrize("ending", ["exit 3", "true"])
def test_a_judge_that_does_not_finish_is_no_result(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ending: str
) -> None:
    script = f"echo '{json.dumps(LINE)}'; {ending}"
    monkeypatch.setattr("conformance.peers.java.Peer.command", lambda *_: ["sh", "-c", script])
    with pytest.raises(Unavailable, match="broke"):
        run.judge(tmp_path, [], [])


def test_files_that_came_out_alike_share_a_row_and_errors_are_told_in_full() -> None:
    names = ("b/1", "b/2", "c/3")
    many = [
        File(origin="visible", path=name, findings=Counter({"unsupported": 1})) for name in names
    ]
    text = {**LINE, "text": "x" * 300}
    found = verdicts([*many, one_file()], {3: [said(text), said(text)]}, (), frozenset())
    rows = sheet.rows(found)
    assert [row[0] for row in rows] == [
        "visible: b/ (2 files)",
        "visible: c/3",
        "samples: ssmix2/a",
    ]
    assert rows[0][1:4] == ("nothing", "none", "1 unsupported")
    complaints = "\n".join(sheet.complaints(found))
    assert "x" * 300 in complaints
    assert complaints.count("NOT EXPLAINED") == 1
    assert "(2 times)" in complaints
    assert "4 files, 1 resources judged: 2 errors" in sheet.text(found)
    assert "| visible: c/3 |" in sheet.markdown(found, "command", "judge")
    assert not sheet.document(found, [], 1)["held"]


# --- planted faults -----------------------------------------------------------------------------


def test_each_planted_fault_differs_from_what_is_right(tmp_path: Path) -> None:
    planted = faults.write(tmp_path, with_guide=True)
    texts = [(tmp_path / name).read_text() for name in planted]
    assert len(set(texts)) == len(texts) == len(faults.FAULTS) + 1
    assert len(faults.write(tmp_path, with_guide=False)) < len(texts)


def test_a_judge_who_sees_nothing_is_found_out(tmp_path: Path) -> None:
    planted = faults.write(tmp_path, with_guide=True)
    blind = {name: [{"judged": 7}] for name in planted}
    assert len(faults.missed(planted, blind)) == len(faults.FAULTS)
    assert len(faults.missed(planted, {})) == len(faults.FAULTS) + 1


def test_a_judge_who_calls_everything_wrong_is_found_out(tmp_path: Path) -> None:
    planted = faults.write(tmp_path, with_guide=True)
    ids = [one["id"] for one in faults.right().values()]
    errors = [{"severity": "error", "id": one, "type": "?", "text": "no"} for one in ids]
    assert faults.missed(planted, {name: [*errors, {"judged": 7}] for name in planted}) == [
        "right, and called wrong: ?: no"
    ] * len(ids)
