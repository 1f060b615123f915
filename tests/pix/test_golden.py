"""Whole answers to the samples, byte for byte; `make golden` writes them anew for review."""

import os
from pathlib import Path

import pytest
from lxml import etree

from gateway.errors import Refusal, UnknownDomain, UnknownPatient
from gateway.pix import iti44, iti45, iti55
from gateway.record.disclose import Discovered
from gateway.transaction import Transaction
from gateway.wire import soap
from tests.pix.messages import SAMPLES, STAMP, judged, pid
from tests.pix.test_iti55 import FOUND

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "pix"
LINKED = (pid("1234567890123456", "2.999.20.1"), pid("77", "2.999.30.2"))
SHARED_ONLY = Discovered(patient=FOUND.patient, demographics=FOUND.demographics, other_ids=())

CASES = [
    # answer, sample, row, what was found or refused
    ("iti44-add", "iti44-add", iti44.ITI_44, ()),
    ("iti44-add-unknown-domain", "iti44-add", iti44.ITI_44, UnknownDomain("x")),
    ("iti44-revise", "iti44-revise", iti44.ITI_44, ()),
    ("iti44-merge", "iti44-merge", iti44.ITI_44, ()),
    ("iti45-two-domains", "iti45-two-domains", iti45.ITI_45, LINKED),
    ("iti45-all-domains", "iti45-all-domains", iti45.ITI_45, LINKED),
    ("iti45-nothing-found", "iti45-two-domains", iti45.ITI_45, ()),
    ("iti45-unknown-patient", "iti45-two-domains", iti45.ITI_45, UnknownPatient("x")),
    ("iti45-unknown-domain", "iti45-two-domains", iti45.ITI_45, UnknownDomain("x", positions=(2,))),
    ("iti55-match", "iti55-demographics", iti55.ITI_55, iti55.Matches((SHARED_ONLY,))),
    ("iti55-no-match", "iti55-shared-id", iti55.ITI_55, iti55.Matches()),
    (
        "iti55-ask-for-more",
        "iti55-demographics",
        iti55.ITI_55,
        iti55.Matches(wanted=("PatientAddressRequested", "PatientTelecomRequested")),
    ),
]


@pytest.mark.parametrize(("case", "name", "row", "found"), CASES, ids=[case[0] for case in CASES])
def test_golden(case: str, name: str, row: Transaction, found: object) -> None:
    message = soap.read((SAMPLES / f"{name}.xml").read_bytes())
    if isinstance(found, Refusal):
        payload = row.refuse(message.payload, found, STAMP)
    else:
        payload = row.encode(row.decode(message.payload), found, STAMP)
    judged(payload)
    assert payload is not None
    answer = soap.write(
        action=row.actions[message.action],
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
