"""The one entry of XML: what is let in, what is refused, and how XML leaves."""

import threading
import time
from pathlib import Path

import pytest
from lxml import etree

from gateway.errors import Malformed, OverLimit, Refusal
from gateway.wire import xml
from gateway.wire.limits import DEFAULT, Limits
from tests.pace import thread_spends
from tests.shared import SHARED, needs_shared

PAYLOADS = SHARED / "security" / "payloads" if SHARED else None
BOM = b"\xef\xbb\xbf"


def utf16(text: str) -> bytes:
    return text.encode("utf-16")


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"<a/>", id="no declaration"),
        pytest.param(b"<?xml version='1.0'?><a/>", id="no encoding"),
        pytest.param(b'<?xml version="1.0" encoding="UTF-8"?><a/>', id="UTF-8"),
        pytest.param(b'<?xml version="1.0" encoding="utf-8" standalone="yes"?>\n<a/>', id="lower"),
        pytest.param(BOM + b'<?xml version="1.0" encoding="utf-8"?><a/>', id="UTF-8 with mark"),
        pytest.param(utf16('<?xml version="1.0" encoding="UTF-16"?><a/>'), id="UTF-16 with mark"),
        pytest.param(utf16("<a>山田</a>"), id="UTF-16 without declaration"),
        pytest.param(b"<!-- before --><a/><!-- after -->", id="comments around the root"),
        pytest.param(b"<a><![CDATA[<?no pi?> <!DOCTYPE x>]]></a>", id="CDATA is text"),
    ],
)
def test_what_is_let_in(content: bytes) -> None:
    assert xml.parse(content).tag == "a"


@pytest.mark.parametrize(
    ("content", "log"),
    [
        pytest.param(b"", "XML-SOAP", id="nothing"),
        pytest.param(b"   ", "XML-SOAP", id="blanks"),
        pytest.param(b"<a>", "XML-SOAP", id="not closed"),
        pytest.param(b"<a/><b/>", "XML-SOAP", id="two roots"),
        pytest.param(b"<a/>rest", "XML-SOAP", id="text after the root"),
        pytest.param(b"<a>\x00</a>", "XML-SOAP", id="a NUL"),
        pytest.param(b"<a>&x;</a>", "XML-SOAP", id="an entity nobody declared"),
        pytest.param(b"<h:a/>", "XML-SOAP", id="a prefix nobody declared"),
        pytest.param(b"<!DOCTYPE a><a/>", "XML-DTD", id="an empty doctype"),
        pytest.param(b"<!-- x --><!DOCTYPE a><a/>", "XML-DTD", id="a doctype behind a comment"),
        pytest.param(BOM + b"\n<!DOCTYPE a><a/>", "XML-DTD", id="a doctype behind a mark"),
        pytest.param(utf16("<!DOCTYPE a><a/>"), "XML-DTD", id="a doctype in UTF-16"),
        pytest.param(b'<?xml-stylesheet href="x"?><a/>', "XML-PI", id="a PI before"),
        pytest.param(b"<a><?php x?></a>", "XML-PI", id="a PI inside"),
        pytest.param(b"<a/><?php x?>", "XML-PI", id="a PI after"),
        pytest.param(b"<!-- --><?p x?><a/>", "XML-PI", id="a PI behind a comment"),
        pytest.param(b'<?xml version="1.0" encoding="ISO-8859-1"?><a/>', "XML-ENC", id="Latin 1"),
        pytest.param(b'<?xml version="1.0" encoding="Shift_JIS"?><a/>', "XML-ENC", id="Shift_JIS"),
        pytest.param(b'<?xml version="1.0" encoding="UTF-7"?><a/>', "XML-ENC", id="UTF-7"),
        pytest.param(b'<?xml version="1.0" encoding="utf-16"?><a/>', "XML-ENC", id="UTF-16 said"),
        pytest.param(b'<?xml version="1.1"?><a/>', "XML-ENC", id="XML 1.1"),
        pytest.param("<a/>".encode("utf-16-le"), "XML-SOAP", id="UTF-16 without mark"),
        pytest.param("<a/>".encode("utf-32"), "XML-ENC", id="UTF-32"),
        pytest.param("<a/>".encode("cp037"), "XML-SOAP", id="EBCDIC"),
        pytest.param(
            BOM + b'<?xml version="1.0" encoding="UTF-16"?><a/>', "XML-ENC", id="mark against word"
        ),
        pytest.param(utf16('<?xml version="1.0" encoding="UTF-8"?><a/>'), "XML-ENC", id="reverse"),
        pytest.param(b"\xff\xfe<\x00a\x00/\x00>", "XML-ENC", id="half a character"),
        pytest.param(b"<a>\xc0\xaf</a>", "XML-SOAP", id="overlong UTF-8"),
        pytest.param(b"<a>\xed\xa0\x80</a>", "XML-SOAP", id="a surrogate"),
        pytest.param(b"<a>\xe5\xb1</a>", "XML-SOAP", id="a cut character"),
        pytest.param(b"<a>\x83R</a>", "XML-SOAP", id="Shift_JIS bytes"),
    ],
)
def test_what_is_refused(content: bytes, log: str) -> None:
    with pytest.raises(Malformed) as caught:
        xml.parse(content)
    assert caught.value.log == log


@pytest.mark.parametrize(
    ("charset", "content", "good"),
    [
        ("UTF-8", b"<a/>", True),
        ("utf-8", b'<?xml version="1.0" encoding="UTF-8"?><a/>', True),
        ("utf-16", utf16("<a/>"), True),
        ("utf-16", b"<a/>", False),
        ("utf-8", utf16("<a/>"), False),
        ("shift_jis", b"<a/>", False),
        ("iso-8859-1", b"<a/>", False),
    ],
)
def test_the_transport_may_not_contradict_the_document(
    charset: str, content: bytes, good: bool
) -> None:
    if good:
        assert xml.parse(content, charset=charset).tag == "a"
        return
    with pytest.raises(Malformed):
        xml.parse(content, charset=charset)


def nested(depth: int) -> bytes:
    return b"<a>" * depth + b"</a>" * depth


def attributes(count: int) -> bytes:
    return b"<a " + b" ".join(b'a%d=""' % n for n in range(count)) + b"/>"


def namespaces(count: int) -> bytes:
    return b"<a " + b" ".join(b'xmlns:a%d="u:%d"' % (n, n) for n in range(count)) + b"/>"


def elements(count: int) -> bytes:
    return b"<a>" + b"<b/>" * (count - 1) + b"</a>"


SMALL = Limits(elements=100, xml_bytes=500)

LIMITS = [
    pytest.param(nested, DEFAULT.depth, DEFAULT, id="depth"),
    pytest.param(attributes, DEFAULT.attributes, DEFAULT, id="attributes"),
    pytest.param(namespaces, DEFAULT.namespaces, DEFAULT, id="namespaces"),
    pytest.param(elements, 100, SMALL, id="elements"),
    pytest.param(lambda n: b"<" + b"a" * n + b"/>", DEFAULT.name, DEFAULT, id="element name"),
    pytest.param(
        lambda n: b"<a " + b"b" * n + b'="1"/>', DEFAULT.name, DEFAULT, id="attribute name"
    ),
    pytest.param(lambda n: b"<a>" + b"x" * (n - 7) + b"</a>", 500, SMALL, id="bytes"),
]


@pytest.mark.parametrize(("make", "most", "limits"), LIMITS)
def test_each_limit_at_the_limit_and_one_over(make, most, limits) -> None:
    assert xml.parse(make(most), limits=limits) is not None
    with pytest.raises(OverLimit) as caught:
        xml.parse(make(most + 1), limits=limits)
    assert caught.value.log == "LIMIT"


def test_elements_inside_one_another_and_beside_count_alike() -> None:
    with pytest.raises(OverLimit):
        xml.parse(b"<a>" + b"<b></b>" * 100 + b"</a>", limits=SMALL)


@pytest.mark.parametrize("make", [attributes, namespaces, nested, elements])
def test_ten_times_the_input_takes_at_most_linear_time(make) -> None:
    """A-04: measured where the refusal comes; what is quadratic would take 100 times."""

    def spent(count: int) -> float:
        content = make(count)
        best = 9.0
        for _ in range(5):
            start = time.thread_time()
            with pytest.raises(Refusal):
                xml.parse(content, limits=Limits(elements=1000))
            best = min(best, time.thread_time() - start)
        return best

    assert spent(100_000) <= 30 * spent(10_000) + 0.1


def test_an_entity_bomb_is_refused_before_it_is_read() -> None:
    bomb = b"<!DOCTYPE a [" + b"".join(
        b'<!ENTITY e%d "%s">' % (n, b"&e%d;" % (n - 1) * 10) for n in range(1, 5000)
    )
    bomb += b"]><a>&e4999;</a>"
    with thread_spends(0.05), pytest.raises(Malformed) as caught:
        xml.parse(bomb)
    assert caught.value.log == "XML-DTD"


@needs_shared
@pytest.mark.parametrize(
    "path",
    sorted(PAYLOADS.glob("x*/*")) if PAYLOADS else [],
    ids=lambda path: f"{path.parent.name}/{path.name}",
)
def test_payload_files(path: Path) -> None:
    """`xml/` and `xslt/`: controls pass, the rest is refused or, being no bomb, is only data."""
    content = path.read_bytes()
    if path.name == "XXE_Fuzzing.txt":
        for line in content.splitlines():
            if b"<!DOCTYPE" in line or b"<!ENTITY" in line or b"<?" in line:
                with pytest.raises(Malformed):
                    xml.parse(line)
        with pytest.raises(Malformed):
            xml.parse(content)
    elif path.name == "simple.xml":
        assert xml.parse(content).tag == "root"
    elif path.name in ("schema-include.xsd", "system-properties.xsl"):
        root = etree.QName(xml.parse(content))
        assert root.localname in ("schema", "stylesheet")  # parsed as data: nothing was fetched
    else:
        with pytest.raises(Malformed):
            xml.parse(content)


def test_each_thread_has_its_own_parser() -> None:
    seen: list[object] = []

    def look() -> None:
        xml.parse(b"<a/>")
        seen.append(xml._parser())

    threads = [threading.Thread(target=look) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(parser) for parser in seen}) == 3
