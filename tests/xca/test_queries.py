"""The published table of queries that try to get past consent: one test a row."""

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from conformance import messages
from gateway.consent import ledger
from gateway.dispatch import Answer
from gateway.model.audit import EventKind
from gateway.model.document import Availability
from gateway.record import erase
from gateway.wire import xml
from gateway.xca import stored_query
from tests.record.house import House
from tests.shared import SHARED as PUBLISHED
from tests.shared import needs_shared, shared
from tests.xca.conftest import HOME, REPOSITORY, Region, outcome, root, unique_ids
from tests.xca.test_iti38 import LOCATION, second_patient

ELSEWHERE = {
    "QRY-24": "XCPD with wildcards (pix)", "QRY-25": "PIX enumeration (edge)",
    "QRY-26": "PIX after a withdrawal (pix, record)", "QRY-27": "XCPD feed mode (pix)",
    "QRY-28": "deferred answers are not declared", "QRY-29": "console pages (console)",
    "QRY-30": "emergency access (members, consent)",
}  # fmt: skip
"Rows about other doors."

_SUBMISSION, _FOLDER, _ENTRY = "$XDSSubmissionSet", "$XDSFolder", "$XDSDocumentEntry"


def _rows() -> list[dict[str, str]]:
    if PUBLISHED is None:
        return []
    path = PUBLISHED / "security" / "payloads" / "gateway" / "queries.jsonl"
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


ROWS = {row["id"]: row for row in _rows()}
STORED = [row for row in ROWS.values() if row.get("uuid")]


def withdraw(house: House) -> None:
    person = house.person()
    with house.work(kind=EventKind.CONSENT_WITHDRAW) as work:
        withdrawal = ledger.withdraw(
            work, person, reason="patient_withdrawal", form="form 1 of 2026-11-21"
        )
        erase.erase(work, withdrawal)


def entry_uuid(region: Region) -> str:
    (element,) = root(region.query()).iter(xml.clark("rim:ExtrinsicObject"))
    return str(element.get("id"))


def parameters(region: Region, name: str, ids: tuple[str, str]) -> list[list[Any]]:
    """The parameters of a stored query, once for each way to name the document."""
    patient = region.house.shared
    cx, approved = f"'{patient.value}^^^&{patient.domain}&ISO'", f"('{messages.APPROVED}')"
    by_id = [
        [(f"{prefix}{kind}", [f"'{value}'"])]
        for prefix in (_ENTRY, _FOLDER, _SUBMISSION)
        for kind, value in zip(("EntryUUID", "UniqueId"), ids, strict=True)
    ]
    if name == "GetAll":
        statuses = [(f"{p}Status", [approved]) for p in (_ENTRY, _FOLDER, _SUBMISSION)]
        return [[("$patientId", [cx]), *statuses]]
    if name.startswith("Find"):
        kind = "SubmissionSet" if "Submission" in name else "Folder"
        prefix = f"$XDS{kind}" if "Documents" not in name else _ENTRY
        return [[(prefix + "PatientId", [cx]), (prefix + "Status", [approved])]]
    if name in ("GetAssociations", "GetSubmissionSets"):
        return [[("$uuid", [f"'{ids[0]}'"])]]
    if name == "GetRelatedDocuments":
        return [[*given, ("$AssociationTypes", ["('urn:x')"])] for given in by_id[:2]]
    if "Folder" in name and "ForDocument" not in name:
        return by_id[2:4]
    return by_id[4:] if "SubmissionSet" in name else by_id[:2]


@needs_shared
def test_every_row_of_the_table_is_tested_here_or_named_elsewhere() -> None:
    stored = {row["id"] for row in STORED}
    assert stored | TESTED.keys() | ELSEWHERE.keys() == ROWS.keys()
    assert len(STORED) == 14


@needs_shared
@pytest.mark.parametrize("withdrawn", [True, False], ids=["withdrawn", "shown"])
def test_no_stored_query_tells_of_a_patient_who_withdrew(region: Region, withdrawn: bool) -> None:
    """QRY-01 to QRY-14, with the ids that the caller kept; the twin shows that they were right."""
    known = (entry_uuid(region), next(iter(region.contents)))
    never = (f"urn:uuid:{uuid.uuid4()}", f"2.25.{uuid.uuid4().int}")
    if withdrawn:
        withdraw(region.house)
    told = set()
    for row in STORED:
        for mine, other in zip(
            parameters(region, row["query"], known),
            parameters(region, row["query"], never),
            strict=True,
        ):
            answers = []
            for given in (mine, other):
                payload = messages.stored_query(row["uuid"], given, home=HOME)
                answers.append(region.ask(payload))
            if unique_ids(answers[0]):
                told.add(row["query"])
            elif withdrawn:
                assert answers[0].payload.xml == answers[1].payload.xml, row["id"]
            assert known[0].encode() not in answers[0].payload.xml or not withdrawn
    shown = {"FindDocuments", "GetAll", "GetDocuments", "GetDocumentsAndAssociations"}
    assert told == (set() if withdrawn else shown)


def _retrieve(region: Region, *wanted: str, repository: str = REPOSITORY) -> Answer:
    return region.ask(messages.retrieve([(repository, one) for one in wanted], home=HOME))


def qry_15(region: Region) -> None:
    (known,) = region.contents
    withdraw(region.house)
    after, never = _retrieve(region, known), _retrieve(region, "2.25.1")
    assert outcome(after) == outcome(never)
    assert outcome(after) == ("FAILURE", [("XDSDocumentUniqueIdError", LOCATION)])
    assert not after.payload.attachments


def qry_16(region: Region) -> None:
    (mine,) = region.contents
    hidden = region.file(b"%PDF-1.7 hidden")
    person = region.house.person()
    with region.house.work() as work:
        ledger.exclude(work, person)
    answer = _retrieve(region, mine, "2.25.1")
    assert outcome(answer) == ("PARTIAL", [("XDSDocumentUniqueIdError", LOCATION)])
    assert len(answer.payload.attachments) == 1
    assert hidden.encode() not in answer.payload.xml


def qry_17(region: Region) -> None:
    withdraw(region.house)
    for status in Availability:
        assert not unique_ids(region.query(statuses=status.value))


def qry_18(region: Region) -> None:
    known = entry_uuid(region)
    withdraw(region.house)
    answer = region.ask(messages.get_documents([known], home=HOME, by="EntryUUID"))
    assert outcome(answer) == ("SUCCESS", [])
    assert not unique_ids(answer)


def qry_19(region: Region) -> None:
    (first,) = region.contents
    second = second_patient(region)
    both = messages.get_documents([first, second], home=HOME)
    assert outcome(region.ask(both)) == ("FAILURE", [("XDSResultNotSinglePatient", LOCATION)])
    withdraw(region.house)
    answer = region.ask(both)
    assert outcome(answer) == ("SUCCESS", [])
    assert unique_ids(answer) == [second]


def qry_20(region: Region) -> None:
    for home in ("2.999.10.2", "2.999.10.99", HOME + " "):
        answer = region.query(home=home)
        assert outcome(answer) == ("FAILURE", [("XDSUnknownCommunity", LOCATION)])


def qry_21(region: Region) -> None:
    answer = _retrieve(region, next(iter(region.contents)), repository="2.999.40.9")
    assert outcome(answer) == ("FAILURE", [("XDSUnknownRepositoryId", LOCATION)])


def qry_22(region: Region) -> None:
    for value in ("('1''^^^&1.2.3&ISO') or 1=1--", "'1' or '1'='1'", "'%^^^&2.999.20.1&ISO'"):
        payload = messages.stored_query(
            messages.FIND_DOCUMENTS,
            [(_ENTRY + "PatientId", [value]), (_ENTRY + "Status", [f"('{messages.APPROVED}')"])],
            home=HOME,
        )
        answer = region.ask(payload)
        assert not unique_ids(answer)
        assert {code for code, _ in outcome(answer)[1]} <= {"XDSRegistryError"}


def qry_23(region: Region) -> None:
    approved, patient = f"('{messages.APPROVED}')", region.house.shared
    whom = (_ENTRY + "PatientId", [f"'{patient.value}^^^&{patient.domain}&ISO'"])
    many = "(" + ",".join(["'x^^2.999.1'"] * 10_000) + ")"
    for extra, codes in (
        (("$XDSUnheardOf", ["'x'"]), []),
        (whom, ["XDSStoredQueryParamNumber"]),
        ((_ENTRY + "ClassCode", [many]), ["XDSStoredQueryParamNumber"]),
    ):
        given = [whom, (_ENTRY + "Status", [approved]), extra]
        answer = region.ask(messages.stored_query(messages.FIND_DOCUMENTS, given, home=HOME))
        assert [code for code, _ in outcome(answer)[1]] == codes


TESTED: dict[str, Callable[[Region], None]] = {
    "QRY-15": qry_15, "QRY-16": qry_16, "QRY-17": qry_17, "QRY-18": qry_18, "QRY-19": qry_19,
    "QRY-20": qry_20, "QRY-21": qry_21, "QRY-22": qry_22, "QRY-23": qry_23,
}  # fmt: skip


@pytest.mark.parametrize("name", TESTED)
def test_a_row_of_the_table_gets_its_answer(name: str, region: Region) -> None:
    TESTED[name](region)


@needs_shared
def test_the_table_names_the_queries_that_are_answered() -> None:
    assert shared("security").is_dir()
    known = {row["uuid"]: row["query"] for row in STORED}
    assert {uuid: row.name for uuid, row in stored_query.QUERIES.items()} == {
        uuid: name for uuid, name in known.items() if name != "FindDocumentsByReferenceId"
    }
