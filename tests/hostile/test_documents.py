"""`json/`, `pdf/`, `xml/` and `xslt/` at the document door, and XML bombs at every SOAP door."""

import json
import re
import time

import pytest
from lxml import etree

from conformance import saml
from gateway.wire import xml
from tests.hostile import forms, xua
from tests.hostile.forms import PUBLISHED, published
from tests.hostile.site import Site, is_fault
from tests.pace import process_spends
from tests.saml import neighbour
from tests.shared import needs_shared

JSONS = published("json/*.json")
PDFS = published("pdf/**/*", "gateway/pdf/*")
XMLS = published("xml/*.xml", "xml/*.xsd", "xslt/*")
LINES = published("xml/XXE_Fuzzing.txt")
PAYLOADS = {*JSONS, *PDFS, *XMLS, *LINES}
CONTROL = {"xml/simple.xml"}
FILED = {"gateway/pdf/control.pdf"}
MACHINES = ("/pix", "/xcpd", "/xca/query", "/xca/retrieve", "/pdq", "/registry", "/uploads/soap")


@needs_shared
@pytest.mark.parametrize("name", JSONS)
def test_text_that_is_no_json_is_no_entry(site: Site, name: str) -> None:
    with site.nothing_left():
        answer = forms.document(site, b"%PDF-1.7\n", (PUBLISHED / name).read_bytes())
        assert answer.status == 400
        assert json.loads(answer.body)[0]["code"] == "malformed"


@pytest.mark.parametrize(("name", "change"), [
    ("a key twice", lambda text: text.replace('"title"', '"title": "x", "title"', 1)),
    ("NaN", lambda text: text.replace('"ja"', "NaN", 1)),
    ("a big number", lambda text: text.replace('"ja"', "1" * 5000, 1)),
    ("a lone surrogate", lambda text: text.replace('"ja"', '"\\ud800"', 1)),
    ("deep", lambda text: text.replace('"ja"', "[" * 10_000 + "]" * 10_000, 1)),
    ("a list", lambda text: f"[{text}]"),
    ("unknown key", lambda text: text.replace('"title"', '"role": "admin", "title"', 1)),
    ("no patient", lambda text: text.replace('"patient"', '"patent"', 1)),
    ("wrong kind", lambda text: text.replace('"ja"', "{}", 1)),
    ("NUL in the title", lambda text: text.replace("見本文書", "a\\u0000b", 1)),
    ("another facility", lambda text: text.replace("hospital-a", "clinic-b", 1)),
    ("foreign domain", lambda text: text.replace("2.999.30.1", "2.999.30.2", 1)),
    ("not a mime type", lambda text: text.replace("application/pdf", "text/html", 1)),
    ("not an OID", lambda text: text.replace('"title"', '"unique_id": "x\\u0000", "title"', 1)),
])  # fmt: skip
def test_an_entry_that_is_not_ours_is_refused(site: Site, name: str, change: object) -> None:
    assert callable(change)
    text = json.dumps(forms.entry(site), ensure_ascii=False)
    changed = change(text)
    assert changed != text
    with site.nothing_left():
        control = PUBLISHED / "gateway/pdf/control.pdf"
        content = control.read_bytes() if control.is_file() else b"%PDF-1.7\n"
        answer = forms.document(site, content, changed.encode())
        assert answer.status in (400, 403, 422), name


@needs_shared
@pytest.mark.parametrize("name", PDFS)
def test_a_pdf(site: Site, name: str) -> None:
    content = (PUBLISHED / name).read_bytes()
    before = site.state()
    started = time.monotonic()
    answer = forms.document(site, content)
    assert time.monotonic() - started < 20  # the sandbox gives up after 10 s, its caller after 15
    if answer.status == 201:
        told = json.loads(answer.body)
        assert told["signature"]["signatures"] == []
        active = "launch" in name or "openaction" in name
        assert bool(told.get("active_content")) == active or not name.startswith("gateway/")
        return
    assert name not in FILED
    assert answer.status in (413, 422), (answer.status, answer.body)
    site.recorded(before.event, ("PDF", "TYPE", "LIMIT", "", "DOCSIG"), 1)
    after = site.settled(before)
    assert all(n <= before.rows[k] for k, n in after.rows.items())
    assert not after.files - before.files


@needs_shared
@pytest.mark.parametrize("name", XMLS)
def test_xml_with_a_doctype_as_a_document_or_an_upload(site: Site, name: str) -> None:
    content = (PUBLISHED / name).read_bytes()
    dangerous = b"<!DOCTYPE" in content
    if dangerous:
        with site.nothing_left():
            answer = forms.document(site, content, mime="application/xml", name=b"document.xml")
            assert answer.status == 422
    with site.nothing_left():
        answer = forms.upload(site, content, b"document.xml")
        assert answer.status == 422


def _bodies(name: str) -> list[bytes]:
    content = (PUBLISHED / name).read_bytes()
    return content.splitlines() if name in LINES else [content]


@needs_shared
@pytest.mark.parametrize("name", [*XMLS, *LINES])
@pytest.mark.parametrize("door", MACHINES)
def test_xml_that_is_no_message_of_ours(site: Site, door: str, name: str) -> None:
    """Refused on the DOCTYPE itself, quickly; alone and in front of a good request."""
    action, payload = xua.doors(site)["/xca/query"]
    good = xua.graft(xua.message(xua.signed())[1], action, payload)[0]
    client = site.client("hospital-a")
    for body in _bodies(name)[:: 1 if door == "/pix" else 7]:
        doctype = body.rfind(b"]>")
        forged = body[: doctype + 2] + good if b"<!DOCTYPE" in body and doctype > 0 else body
        for content in {body, forged}:
            if not content.strip():
                continue
            with site.nothing_left():
                with process_spends(site.process.pid, 1):
                    answer = xua.post(client, door, action, content)
                is_fault(answer, answer.fault[0], *answer.fault[1:], status=(400, 413, 500))
                assert answer.fault[0] in ("Sender", "VersionMismatch")
            if name in CONTROL:
                assert xml.parse(content).tag


@needs_shared
@pytest.mark.parametrize("name", published("xslt/*"))
def test_a_stylesheet_among_the_transforms_of_an_assertion(site: Site, name: str) -> None:
    content = re.sub(
        rb"<!DOCTYPE.*?\]>|&\w+;", b"", (PUBLISHED / name).read_bytes(), flags=re.DOTALL
    )
    sheet = etree.fromstring(content)
    action, payload = xua.doors(site)["/xca/query"]
    (envelope, *_) = xua.cases("SAML-06")
    for transform in envelope.iter("{*}Transform"):
        if "xslt" in transform.get("Algorithm", ""):
            transform.clear(keep_tail=True)
            transform.set("Algorithm", "http://www.w3.org/TR/1999/REC-xslt-19991116")
            transform.append(sheet)
    (signature,) = envelope.iter("{*}Signature")
    saml.resign(signature, neighbour().key)
    content, message_id = xua.graft(envelope, action, payload)
    with site.nothing_left():
        with process_spends(site.process.pid, 0.5):
            answer = xua.post(site.client("neighbour-n"), "/xca/query", action, content)
        assert answer.fault in (("Sender", "UnsupportedAlgorithm"), ("Sender", "InvalidSecurity"))
        assert answer.text("soap:Header/wsa:RelatesTo") == message_id
