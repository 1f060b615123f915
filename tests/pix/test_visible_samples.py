"""Every published sample of ITI-44, 45 and 55: a question where it is valid, else a refusal."""

from pathlib import Path

import pytest
from lxml import etree

from gateway.errors import Malformed, Refusal
from gateway.pix import iti44, iti45, iti55
from gateway.transaction import Transaction
from gateway.wire import soap, xml
from tests.pix.messages import CORE, SCHEMAS, STAMP, judged
from tests.shared import SHARED, needs_shared

VISIBLE = SHARED / "ihe/samples/visible" if SHARED else None
ROWS = {
    "PRPA_IN201301UV02": iti44.ITI_44,
    "PRPA_IN201302UV02": iti44.ITI_44,
    "PRPA_IN201304UV02": iti44.ITI_44,
    "PRPA_IN201309UV02": iti45.ITI_45,
    "PRPA_IN201305UV02": iti55.ITI_55,
}
REFUSED = {
    # name: kind of the refusal, why the profile wants it
    "ipf__prpa-invalid.xml": "Malformed",  # another element than id
    "ipf__iti44-multipatient-request-1.xml": "Invalid",  # two patients in one feed (FN-302)
    "ipf__PIX_FEED_REG_Maximal_Request.xml": "Invalid",  # a patient id without root (E.1)
    "ipf__PIX_FEED_REV_Maximal_Request.xml": "Invalid",  # likewise
    "ipf__iti55-sample-request-deferred.xml": "Invalid",  # deferred, an option not offered
    "nist__FindPatient_XCA_findpatient.xml": "Invalid",  # template variables for values
    "nist__testplan.xml": "Invalid",  # likewise
}


def requests() -> list[Path]:
    if VISIBLE is None:
        return []
    paths = [
        path for number in (44, 45, 55) for path in sorted((VISIBLE / f"iti-{number}").iterdir())
    ]
    return [path for path in paths if payload_name(path.read_bytes()) in ROWS]


def payload_name(content: bytes) -> str:
    payload = payload_of(content)
    return "" if payload is None else etree.QName(payload).localname


def payload_of(content: bytes) -> etree._Element | None:
    """The message in an envelope, in a test plan, or alone."""
    root = xml.parse(content)
    return next(
        (e for e in root.iter("{urn:hl7-org:v3}*") if "_IN" in etree.QName(e).localname), None
    )


def is_valid(body: etree._Element) -> bool:
    assert SCHEMAS is not None
    try:
        SCHEMAS.check(body, f"{CORE}{etree.QName(body).localname}.xsd")
    except Malformed:
        return False
    return True


@needs_shared
def test_all_requests_are_here() -> None:
    assert len(requests()) == 16 + 6 + 5


@needs_shared
@pytest.mark.parametrize("path", requests(), ids=lambda path: path.name)
def test_sample(path: Path) -> None:
    body = payload_of(path.read_bytes())
    assert body is not None
    row: Transaction = ROWS[etree.QName(body).localname]
    expected = REFUSED.get(path.name)
    if expected is None:
        question = row.decode(body)
        assert is_valid(body)
        empty: object = iti55.Matches() if row is iti55.ITI_55 else ()
        judged(row.encode(question, empty, STAMP))
        return
    with pytest.raises(Refusal) as caught:
        row.decode(body)
    assert type(caught.value).__name__ == expected
    payload = row.refuse(body, caught.value, STAMP)
    if payload is None:
        assert soap.fault_of(caught.value).code == "env:Sender"
    elif is_valid(body):  # an answer repeats its question: one to an invalid question is invalid
        judged(payload)


@needs_shared
@pytest.mark.parametrize("name", ["iti44-1", "iti44-2", "iti44-3", "iti45-1", "iti45-3", "iti55-1"])
def test_requests_of_a_strict_client(name: str) -> None:
    assert SHARED is not None
    message = soap.read((SHARED / f"ihe/wire/{name}.req.body").read_bytes())
    row = ROWS[etree.QName(message.payload).localname]
    assert row.roots[message.action] == message.payload.tag
    question = row.decode(message.payload)
    empty: object = iti55.Matches() if row is iti55.ITI_55 else ()
    judged(row.encode(question, empty, STAMP))
