"""Whole answers to the samples, byte for byte; `make golden` writes them anew for review."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
from lxml import etree

from gateway.errors import MissingCommunity, Refusal, UnknownPatient, UntrustedSignature
from gateway.model.document import Retrieved
from gateway.transaction import Transaction
from gateway.wire import soap, xml
from gateway.wire.schemas import Schemas
from gateway.xca import iti38, iti39, iti41, packages
from gateway.xca.iti39 import Asked, Missing
from tests.shared import SHARED
from tests.xca.test_iti38 import STAMP
from tests.xca.test_metadata import ENTRY

ROOT = Path(__file__).resolve().parents[2]
SAMPLES, GOLDEN = ROOT / "samples" / "xca", ROOT / "tests" / "golden" / "xca"
SECOND = replace(
    ENTRY,
    entry_uuid="urn:uuid:7c8f6ab0-58e4-4d9c-9a53-1f40a1f0f0aa",
    unique_id="2.25.289431293481293482",
    title="検査結果",
    mime_type="application/fhir+json",
    author="",
)
BOTH = (ENTRY, SECOND)
LEAVES = Retrieved(entry=ENTRY, path=Path("blob"))
ABSENT = Missing(
    asked=Asked(home="urn:oid:2.999.10.1", repository="2.999.40.1", unique_id=SECOND.unique_id),
    code="XDSDocumentUniqueIdError",
    reason="no such document",
)
NOT_KEPT = (packages.warning("XDSExtraMetadataNotSaved", "slots of its own: ExtrinsicObject[1]"),)
NO_SEAL = UntrustedSignature(
    "a prescription document needs a signature by Medical Doctor, with a time-stamp",
    "医師資格証等による電子署名とタイムスタンプが必要です", at="ExtrinsicObject[1]",
)  # fmt: skip

CASES = [
    # answer, sample, row, what was found or refused
    ("iti38-find-documents", "iti38-find-documents", iti38.ITI_38, BOTH),
    ("iti38-nothing-found", "iti38-find-documents", iti38.ITI_38, ()),
    ("iti38-unknown-patient", "iti38-find-documents", iti38.ITI_38, UnknownPatient("x")),
    ("iti38-find-references", "iti38-find-references", iti38.ITI_38, BOTH),
    ("iti38-get-documents", "iti38-get-documents", iti38.ITI_38, BOTH),
    (
        "iti38-missing-community",
        "iti38-get-documents",
        iti38.ITI_38,
        MissingCommunity("this query needs a homeCommunityId"),
    ),
    ("iti38-find-folders", "iti38-find-folders", iti38.ITI_38, ()),
    (
        "iti39-two-documents",
        "iti39-retrieve-two",
        iti39.ITI_39,
        (LEAVES, Retrieved(entry=SECOND, path=Path("blob"))),
    ),
    ("iti39-one-missing", "iti39-retrieve-two", iti39.ITI_39, (LEAVES, ABSENT)),
    ("iti39-both-missing", "iti39-retrieve-two", iti39.ITI_39, (ABSENT, ABSENT)),
    ("iti41-filed", "iti41-provide", iti41.ITI_41, ()),
    ("iti41-not-all-kept", "iti41-provide", iti41.ITI_41, NOT_KEPT),
    ("iti41-no-consent", "iti41-provide", iti41.ITI_41, UnknownPatient("x")),
    ("iti41-no-seal", "iti41-provide", iti41.ITI_41, NO_SEAL),
]


@pytest.mark.parametrize(("case", "name", "row", "found"), CASES, ids=[case[0] for case in CASES])
def test_golden(case: str, name: str, row: Transaction, found: object) -> None:
    message = soap.read((SAMPLES / f"{name}.xml").read_bytes())
    if isinstance(found, Refusal):
        payload = row.refuse(message.payload, found, STAMP)
    else:
        payload = row.encode(row.decode(message.payload), found, STAMP)
    assert payload is not None
    action = row.actions[message.action]
    if SHARED is not None:
        schemas = Schemas(SHARED / "ihe" / "schema")
        schemas.check(message.payload, row.request_schemas[str(message.payload.tag)])
        bare = xml.parse(payload.xml)
        etree.strip_elements(bare, xml.clark("xop:Include"))
        schemas.check(bare, row.response_schema[action])
    answer = soap.write(
        action=action,
        message_id="99999999-8888-4777-8666-555555555555",
        relates_to=message.message_id,
        payload=payload.xml,
    )
    root = etree.fromstring(answer, etree.XMLParser(remove_blank_text=True))
    etree.indent(root)
    text = etree.tostring(root, encoding="unicode") + "\n"
    path = GOLDEN / f"{case}.xml"
    if os.environ.get("GOLDEN"):
        path.write_text(text, "utf-8")
    assert path.is_file(), f"no golden file {path.name}: make golden"
    assert path.read_text("utf-8") == text


def test_every_sample_has_an_answer() -> None:
    assert {path.stem for path in SAMPLES.glob("*.xml")} == {case[1] for case in CASES}
