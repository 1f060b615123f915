"""The conformance suite: it holds against our gateway, and not against one that does wrong."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import conformance.__main__ as suite
from tests.conformance_suite.conftest import Answer, forward, instead
from tests.shared import SHARED

ROOT = Path(__file__).resolve().parents[2] / "conformance"
CASES = {case.id: case for group in suite.GROUPS for case in group.cases}
_ID = re.compile(r"\b(?:ITI-\d\d|WS)-\d\d\b")

Demo = tuple[Path, str]


def run(capsys: pytest.CaptureFixture[str], folder: Path, target: str, *words: str) -> dict:  # type: ignore[type-arg]
    """Run cases in this process; outcome by case id."""
    capsys.readouterr()
    suite.main(["--demo", str(folder), "--target", target, "--json", "--timeout", "10", *words])
    told = json.loads(capsys.readouterr().out)
    return {case["id"]: case for case in told["cases"]}


def only(*ids: str) -> list[str]:
    return [word for one in ids for word in ("--only", one)]


def test_every_case_holds_against_the_demo(demo: Demo, tmp_path: Path) -> None:
    folder, target = demo
    page = tmp_path / "report.html"
    words = ["--demo", str(folder), "--target", target, "--report", str(page), "--json"]
    if SHARED is not None:
        words += ["--schemas", str(SHARED / "ihe" / "schema")]
    done = subprocess.run(
        [sys.executable, "-m", "conformance", *words],
        cwd=ROOT.parent, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.stderr == ""
    told = json.loads(done.stdout)
    assert [case for case in told["cases"] if not case["held"]] == []
    assert told["held"]
    assert done.returncode == 0
    assert {case["id"] for case in told["cases"]} == CASES.keys()
    text = page.read_text("utf-8")
    assert "適合性試験報告書" in text
    assert all(case.id in text for case in CASES.values())
    assert not re.search(r"(src|href|url)\s*[=(]", text)


def test_a_table_is_printed_where_nothing_else_is_asked(
    demo: Demo, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, target = demo
    words = ["--demo", str(folder), "--target", target, *only("ITI-45-01", "WS-04")]
    assert suite.main(words) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines] == [
        ["ITI-45-01", "held"], ["WS-04", "held"], ["2", "cases:"],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("profile", "prefixes"),
    [
        ("pix", {"ITI-44", "ITI-45", "WS", "ITI-19"}),
        ("xca", {"ITI-55", "ITI-38", "ITI-39", "ITI-40", "WS", "ITI-19"}),
    ],
)
def test_a_profile_selects_its_cases(profile: str, prefixes: set[str]) -> None:
    options = suite._arguments(["--profile", profile])
    assert {case.id.rpartition("-")[0] for _, case in suite._selected(options)} == prefixes


def test_a_gateway_that_says_nothing_holds_no_case(
    demo: Demo, capsys: pytest.CaptureFixture[str]
) -> None:
    def silent(*_: object) -> Answer:
        return 200, {"Content-Type": "application/soap+xml"}, b""

    with instead(demo[0], silent) as target:
        told = run(capsys, demo[0], target)
    held = {name for name, case in told.items() if case["held"]}
    # A certificate is accepted, and TLS 1.1 is not: that is all this server does right.
    assert held <= {"ITI-19-01", "ITI-19-03"}


ALTERATIONS = [
    (rb"(<wsa:RelatesTo>urn:uui)d", rb"\1e", ["ITI-44-01", "ITI-45-01", "ITI-55-01", "WS-01"]),
    (rb"(QueryRespons)e</wsa:Action>", rb"\1</wsa:Action>", ["ITI-38-01", "ITI-40-01"]),
    (rb'location="urn:oid:2.999.10.1"', b'location=""', ["ITI-38-14", "ITI-39-04", "ITI-39-05"]),
    (rb' home="urn:oid:2.999.10.1"', b"", ["ITI-38-01", "ITI-38-03"]),
    (rb"urn:ihe:iti:2007:(ResponseStatusType)", rb"urn:oasis:names:tc:ebxml-regrep:\1",
     ["ITI-39-05"]),
    (rb'errorCode="XDS\w+"', b'errorCode="XDSRegistryError"', ["ITI-38-17", "ITI-38-18"]),
    (rb'<rim:Slot name="hash">.*?</rim:Slot>', b"", ["ITI-38-01", "ITI-39-01"]),
    (rb'("resourceTyp)e|(%PD)F|(<ClinicalDocumen)t', rb"\1\2\3f", ["ITI-39-01", "ITI-39-02"]),
    (rb"<xds:HomeCommunityId>.*?</xds:HomeCommunityId>", b"", ["ITI-39-01"]),
    (rb'<typeCode code="AA"/>', b'<typeCode code="AE"/>', ["ITI-45-01", "ITI-55-05"]),
    (rb'<typeCode code="CA"/>', b'<typeCode code="CE"/>', ["ITI-44-01", "ITI-44-03"]),
    (rb'code="204"', b'code="205"', ["ITI-45-05", "ITI-45-07"]),
    (rb"dataSource\[2\]", b"dataSource[1]", ["ITI-45-07"]),
    (rb'queryResponseCode code="NF"', b'queryResponseCode code="OK"', ["ITI-45-03", "ITI-55-05"]),
    (rb"NotHealthDataLocator", b"Other", ["ITI-55-03"]),
    (rb"env:Sender", b"env:Receiver", ["WS-04", "ITI-40-05", "ITI-40-07"]),
    (rb"wsse:\w+</env:Value>", b"wsse:Other</env:Value>", ["ITI-40-05", "ITI-40-15"]),
    (rb"env:VersionMismatch", b"env:Sender", ["WS-12"]),
    (rb"NotUnderstood", b"Other", ["WS-13"]),
    (rb"definitions", b"other", ["WS-19", "WS-20"]),
]  # fmt: skip
"What is changed in the answers of a good gateway, and cases that must notice."


@pytest.mark.parametrize(("old", "new", "noticing"), ALTERATIONS, ids=lambda value: str(value)[:40])
def test_an_altered_answer_is_noticed(
    demo: Demo, capsys: pytest.CaptureFixture[str], old: bytes, new: bytes, noticing: list[str]
) -> None:
    folder, gateway = demo
    onward = forward(folder, gateway)

    def alter(method: str, path: str, body: bytes, headers: dict[str, str]) -> Answer:
        status, found, content = onward(method, path, body, headers)
        return status, found, re.sub(old, new, content, flags=re.DOTALL)

    with instead(folder, alter) as target:
        told = run(capsys, folder, target, *only(*noticing))
    assert {name: case["held"] for name, case in told.items()} == dict.fromkeys(noticing, False)


def test_an_unaltered_answer_is_not(demo: Demo, capsys: pytest.CaptureFixture[str]) -> None:
    """The twin: through the same server, the noticing cases hold."""
    noticing = sorted({name for _, _, names in ALTERATIONS for name in names})
    with instead(demo[0], forward(*demo)) as target:
        told = run(capsys, demo[0], target, *only(*noticing))
    assert {name for name, case in told.items() if not case["held"]} == set()


def test_a_gateway_that_is_not_there_holds_nothing(
    demo: Demo, capsys: pytest.CaptureFixture[str]
) -> None:
    told = run(capsys, demo[0], "https://localhost:1", *only("WS-01", "ITI-45-01"))
    assert [(case["held"], case["tried"]) for case in told.values()] == [(False, True)] * 2
    assert {case["detail"].partition(":")[0] for case in told.values()} == {
        "ConnectionRefusedError"
    }


def test_what_cannot_be_tried_is_not_held(demo: Demo, capsys: pytest.CaptureFixture[str]) -> None:
    folder, target = demo
    words = [
        "--target", target, "--ca", str(folder / "pki" / "ca.pem"),
        "--data", str(folder / "demo.json"), *only("ITI-45-01", "ITI-38-01"),
    ]  # fmt: skip
    assert suite.main(words) == 1
    said = capsys.readouterr().out
    assert "not tried" in said
    assert "give --cert" in said


def test_without_a_neighbours_key_its_cases_are_not_tried_and_the_others_hold(
    demo: Demo, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, target = demo
    clients = folder / "pki" / "clients"
    words = [
        "--target", target, "--ca", str(folder / "pki" / "ca.pem"),
        "--cert", str(clients / "hospital-a.pem"), "--key", str(clients / "hospital-a.key"),
        "--data", str(folder / "demo.json"),
    ]  # fmt: skip
    assert suite.main(words) == 1
    said = capsys.readouterr().out
    assert ", 0 NOT HELD, " in said
    assert "give --assertion-key" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "--target"),
        (["--demo", "nowhere"], "demo installation"),
        (["--target", "https://localhost:1", "--demo", "nowhere"], "nowhere"),
        (["--target", "https://localhost:1", "--profile", "fhir"], "unknown profile"),
        (["--target", "https://localhost:1", "--only", "ITI-99-01"], "no such case"),
        (["--target", "https://localhost:1", "--ca", "x"], "--data"),
    ],
)
def test_wrong_usage_is_said(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert suite.main(words) == 2
    assert said in capsys.readouterr().err


def test_data_that_lacks_something_is_wrong_usage(
    demo: Demo, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data.json"
    for text, said in (("{}", "community"), ("[", "JSON"), ('{"community": {}}', "lacks")):
        data.write_text(text, "utf-8")
        words = ["--demo", str(demo[0]), "--target", "https://localhost:1", "--data", str(data)]
        assert suite.main(words) == 2
        said_now = capsys.readouterr().err
        assert said in said_now or "Expecting" in said_now


def _stated() -> set[str]:
    """Every id in the conformance statement, with its ranges written out."""
    text = (ROOT / "README.md").read_text("utf-8")
    found = set(_ID.findall(text))
    for first, last in re.findall(r"(\S+-\d\d) to (\S+-\d\d)", text):
        prefix, low = first.rsplit("-", 1)
        for number in range(int(low), int(last.rsplit("-", 1)[1]) + 1):
            found.add(f"{prefix}-{number:02}")
    return found


def test_the_statement_names_every_case() -> None:
    assert _stated() == CASES.keys()


def test_the_divergences_name_cases_that_exist() -> None:
    text = (ROOT / "divergences.md").read_text("utf-8")
    assert set(_ID.findall(text)) <= CASES.keys()


def test_every_case_says_where_it_is_from() -> None:
    assert len(CASES) == sum(len(group.cases) for group in suite.GROUPS)
    for case in CASES.values():
        assert case.section
        assert case.sends
        assert case.expects
