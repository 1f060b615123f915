"""What a strict foreign client really sent, posted with its own head and bytes, and re-rooted."""

import copy
import hashlib
import re
from collections.abc import Iterator

import pytest
from lxml import etree

from tests.journeys.visible import DOORS, Neighbourhood, said
from tests.served import CHARTS, Templates, serve
from tests.shared import SHARED, needs_shared, shared

pytestmark = needs_shared

CAPTURED: dict[str, tuple[str, str, str]] = {
    # exchange: its own bytes, its question as it is, re-rooted; no assertion is ours to accept
    "iti44-1": ("CE 204", "CE 204", "CA"),
    "iti44-2": ("CE 204", "CE 204", "CA"),
    "iti44-3": ("CE 204", "CE 204", "CA"),
    "iti45-1": ("AE AE 204", "AE AE 204", "AA OK"),
    "iti45-3": ("AE AE 204", "AE AE 204", "AA OK"),
    "iti55-1": ("500 Sender/InvalidSecurity", "AE AE", "AA NF"),
    "iti38-1": ("500 Sender/InvalidSecurity", "Success 0", "Success all"),
    "iti38-xua": ("500 Sender/FailedAuthentication", "Success 0", "Success all"),
    "iti39-1": ("500 Sender/InvalidSecurity", "Failure 0 XDSUnknownCommunity", "Success 1"),
}
NOT_BUILT = {
    "iti18-1": ("/registry", "400 Sender/ActionNotSupported"),
    "iti43-1": ("/repository", "400 Sender/ActionNotSupported"),
    "iti47-1": ("/pdq", "400 Sender/ActionNotSupported"),
}
HANDED_IN = "iti41-1"
PATHS = {"44": "/pix", "45": "/pix", "55": "/xcpd", "38": "/xca/query", "39": "/xca/retrieve"}


@pytest.fixture(scope="module")
def neighbourhood(
    templates: Templates, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Neighbourhood]:
    assert SHARED is not None
    installation = templates.copy("sqlite", tmp_path_factory.mktemp("wire") / "installation")
    installation.add(f'[ihe]\nschemas = "{SHARED / "ihe" / "schema"}"\n')
    with serve(installation) as served:
        yield Neighbourhood(served)


def sent(neighbourhood: Neighbourhood, name: str, path: str) -> str:
    """What is said to the captured bytes under their own media type."""
    head = shared("ihe", "wire", f"{name}.req.head").read_text()
    kind = re.search(r"(?im)^content-type: *(.+?)\r?$", head)
    assert kind is not None
    client = neighbourhood.clients["neighbour-n" if path.startswith("/xc") else "hospital-a"]
    body = shared("ihe", "wire", f"{name}.req.body").read_bytes()
    return said(client.request("POST", path, body, {"Content-Type": kind[1]}))


def question(name: str) -> etree._Element:
    content = shared("ihe", "wire", f"{name}.req.body").read_bytes()
    envelope = re.search(rb"<(\w+:)?Envelope.*Envelope>", content, re.DOTALL)
    assert envelope is not None
    root = etree.fromstring(envelope[0])
    return next(e for e in root.iter("{*}*") if etree.QName(e).localname in DOORS)


def test_every_capture_has_its_row() -> None:
    found = {path.name.partition(".")[0] for path in shared("ihe", "wire").glob("*.req.body")}
    assert found == {*CAPTURED, *NOT_BUILT, HANDED_IN}


@pytest.mark.parametrize("name", CAPTURED)
def test_a_captured_exchange(neighbourhood: Neighbourhood, name: str) -> None:
    own, as_it_is, rerooted = CAPTURED[name]
    assert sent(neighbourhood, name, PATHS[name[3:5]]) == own
    body = question(name)
    assert said(neighbourhood.post(copy.deepcopy(body))) == as_it_is
    asked = neighbourhood.reroot(body)
    if rerooted == "AA OK":
        value = asked.find(".//{*}patientIdentifier/{*}value")
        assert value is not None
        neighbourhood.know(f"{value.get('extension')}-{name}")
        value.set("extension", f"{value.get('extension')}-{name}")
    documents = len(neighbourhood.served.installation.patient("A")["documents"])
    assert said(neighbourhood.post(asked)) == rerooted.replace("all", str(documents))


def test_a_captured_document(neighbourhood: Neighbourhood) -> None:
    """A foreign patient's; ours, of a media type that is not taken; and as XML, with its hash."""
    assert sent(neighbourhood, HANDED_IN, "/repository") == "Failure 0 XDSUnknownPatientId"
    kind = re.search(
        r"(?im)^content-type: *(.+?)\r?$",
        shared("ihe", "wire", f"{HANDED_IN}.req.head").read_text(),
    )
    assert kind is not None
    body = shared("ihe", "wire", f"{HANDED_IN}.req.body").read_bytes()
    chart = next(
        one for one in neighbourhood.served.installation.patient("A")["identifiers"]
        if one["domain"] == CHARTS["hospital-a"]
    )  # fmt: skip
    cx = f"{chart['value']}^^^&amp;{chart['domain']}&amp;ISO".encode()
    ours = re.sub(rb"[\w.-]+\^\^\^&amp;1\.3\.6\.1\.4\.1\.99999\.1\.1&amp;ISO", cx, body)
    ours = ours.replace(b"urn:uuid:7934d87d", b"urn:uuid:7934d87e")
    client = neighbourhood.clients["hospital-a"]
    answer = client.request("POST", "/repository", ours, {"Content-Type": kind[1]})
    assert said(answer) == "Failure 0 InvalidDocumentContent"
    page = b"<ClinicalDocument>ipf</ClinicalDocument>"
    head, gap, rest = ours.rpartition(b"urn:ihe:iti:xds-b:2007>\r\n\r\n")
    end = rest.rpartition(b"\r\n--")
    xml = head + gap + page + end[1] + end[2]
    for old, new in (
        (b'mimeType="application/octet-stream"', b'mimeType="text/xml"'),
        (b"<Value>05adf5ac60937812a21b95d93860d9ef0ff076b3</Value>",
         b"<Value>" + hashlib.sha1(page, usedforsecurity=False).hexdigest().encode() + b"</Value>"),
        (b"<Value>512</Value>", b"<Value>%d</Value>" % len(page)),
        (b"urn:uuid:7934d87e", b"urn:uuid:7934d87f"),
    ):  # fmt: skip
        assert old in xml
        xml = xml.replace(old, new)
    answer = client.request("POST", "/repository", xml, {"Content-Type": kind[1]})
    assert said(answer) == "Success 0"
    assert answer.headers["content-type"].startswith("multipart/related")


@pytest.mark.parametrize("name", NOT_BUILT)
def test_a_door_that_is_not_built(neighbourhood: Neighbourhood, name: str) -> None:
    path, expected = NOT_BUILT[name]
    assert sent(neighbourhood, name, path) == expected
