"""The published schemas as judges."""

import threading

import pytest
from lxml import etree

from gateway.errors import Malformed
from gateway.wire import soap, xml
from gateway.wire.schemas import Schemas
from tests.shared import needs_shared, shared

QUERY = "HL7V3/NE2008/multicacheschemas/PRPA_IN201309UV02.xsd"

SCHEMA = """<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"><xs:element name="a">
<xs:complexType><xs:sequence><xs:element name="b" type="xs:int" maxOccurs="3"/></xs:sequence>
<xs:attribute name="c" type="xs:int"/></xs:complexType></xs:element></xs:schema>"""


@pytest.fixture
def schemas(tmp_path) -> Schemas:
    (tmp_path / "a.xsd").write_text(SCHEMA)
    return Schemas(tmp_path)


def test_what_fits_passes(schemas: Schemas) -> None:
    schemas.check(xml.parse(b"<a><b>1</b></a>"), "a.xsd")


@pytest.mark.parametrize(
    ("content", "at"),
    [
        (b"<x/>", "/x"),
        (b"<a/>", "/a"),
        (b"<a><!-- c --><b>1</b><b>x</b></a>", "/a/b[2]"),
        (b"<a c='x'><b>1</b></a>", "/a"),
        (b"<a><b>1</b><d/></a>", "/a/d"),
    ],
)
def test_what_does_not_fit_is_named_by_its_place(schemas: Schemas, content: bytes, at: str) -> None:
    with pytest.raises(Malformed) as caught:
        schemas.check(xml.parse(content), "a.xsd")
    assert caught.value.at == at
    assert "x" not in caught.value.english.replace("expected", "")


def test_a_missing_schema_is_a_defect(schemas: Schemas) -> None:
    with pytest.raises(OSError, match=r"b\.xsd"):
        schemas.load(["b.xsd"])


@needs_shared
def test_many_threads_share_one_schema() -> None:
    schemas = Schemas(shared("ihe/schema"))
    content = shared("ihe/wire/iti45-1.req.body").read_bytes()
    bad = content.replace(b"<parameterList>", b"<parameterList><odd/>")
    wrong: list[object] = []

    def judge(number: int) -> None:
        for _ in range(50):
            good = number % 2 == 0
            try:
                schemas.check(soap.read(content if good else bad).payload, QUERY)
            except Malformed as refusal:
                if good or not refusal.at.endswith("/odd"):
                    wrong.append(refusal.at)
            else:
                if not good:
                    wrong.append("passed")

    threads = [threading.Thread(target=judge, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@needs_shared
def test_a_type_named_by_a_prefix_of_the_envelope_is_understood() -> None:
    schemas = Schemas(shared("ihe/schema"))
    content = shared("ihe/wire/iti45-1.req.body").read_bytes()
    content = content.replace(b"<soap:Envelope ", b'<soap:Envelope xmlns:h="urn:hl7-org:v3" ')
    for kind, fits in ((b"h:II", True), (b"h:PN", False), (b"nobody:II", False)):
        typed = content.replace(b"<value ", b'<value xsi:type="%s" ' % kind)
        payload: etree._Element = soap.read(typed).payload
        if fits:
            schemas.check(payload, QUERY)
        else:
            with pytest.raises(Malformed):
                schemas.check(payload, QUERY)
