"""`security/payloads/gateway/mtom.jsonl` and `mime/`, as far as the package itself decides."""

import json
import re
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from lxml import etree

from gateway.errors import Malformed, OverLimit, Refusal
from gateway.wire import hl7v3, mtom, soap, xml
from gateway.wire.limits import Limits
from gateway.wire.soap import Fault
from tests.shared import SHARED, needs_shared
from tests.wire.envelopes import envelope
from tests.wire.packages import BOUNDARY, START, Taken, content_type, package, part, root, take

PAYLOADS = SHARED / "security/payloads" if SHARED else None
TABLE = PAYLOADS / "gateway/mtom.jsonl" if PAYLOADS else None
ROWS = [json.loads(line) for line in TABLE.read_text("utf-8").splitlines()] if TABLE else []

ELSEWHERE = {
    "MTOM-20": "edge: Content-Length is the server's to judge",
    "MTOM-21": "ITI-41: hash and size",
    "MTOM-29": "edge: Content-Encoding",
    "MTOM-30": "ITI-41: documents and entries",
}

XOP = xml.NAMESPACES["xop"]
DOCUMENT = "{urn:ihe:iti:xds-b:2007}Document"


def include(href: str) -> str:
    return f'<x:Include xmlns:x="{XOP}" href="{href}"/>'


def document(content: str) -> etree._Element:
    return xml.parse(f'<Document xmlns="urn:ihe:iti:xds-b:2007">{content}</Document>'.encode())


def parts(*names: str) -> dict[str, mtom.Part]:
    return {name: mtom.Part(content_id=name, mime_type="text/plain", size=1) for name in names}


def not_taken(content: str, *names: str) -> None:
    with pytest.raises(Malformed) as caught:
        mtom.Includes(parts(*names)).take(document(content))
    assert caught.value.log == "MTOM-REF"
    assert soap.fault_of(caught.value).code == "env:Sender"


def mtom_01() -> None:
    not_taken(include("cid:a"))


def mtom_02() -> None:
    taken = Taken()
    with pytest.raises(Malformed) as caught:
        taken.feed(package(root(), part(b"one", "a"), part(b"two", "a")))
    assert caught.value.log == "MTOM-REF"
    assert taken.sinks["a"].aborted


def mtom_03() -> None:
    taken = take(package(root(), part(b"x", "a@b")))
    assert list(taken.parser.parts) == ["a@b"]
    not_taken(include("cid:A@B"), "a@b")
    not_taken(include("cid:&lt;a@b&gt;"), "a@b")
    bare = part(b"x", "c").replace(b"<c>", b"c")
    assert list(take(package(root(), bare)).parser.parts) == ["c"]


def mtom_04() -> None:
    for href in ("http://127.0.0.1:1/", "https://h/", "file:///etc/passwd", "ftp://h/",
                 "data:,x", "CID:a", "", "a"):  # fmt: skip
        not_taken(include(href), "a", "")


def mtom_05() -> None:
    taken = mtom.Includes(parts("a@b", "a%40b")).take(document(include("cid:a%40b")))
    assert isinstance(taken, mtom.Part)
    assert taken.content_id == "a@b"
    twice = mtom.Includes(parts("a@b", "a%40b")).take(document(include("cid:a%2540b")))
    assert isinstance(twice, mtom.Part)
    assert twice.content_id == "a%40b"
    assert mtom.href("1@urn:ihe:iti") == "cid:1@urn%3Aihe%3Aiti"


def mtom_06() -> None:
    for place in ("saml:Assertion", "ds:SignatureValue"):
        tag = xml.clark(place)
        name, namespace = etree.QName(tag).localname, etree.QName(tag).namespace
        security = (
            f'<s:Security xmlns:s="{xml.NAMESPACES["wsse"]}"><{name} xmlns="{namespace}">'
            f"{include('cid:a')}</{name}></s:Security>"
        )
        with pytest.raises(Fault) as caught:
            soap.read(envelope(extra=security), includes=(DOCUMENT,))
        assert caught.value.log == "MTOM-REF"


def mtom_07() -> None:
    body = f'<q xmlns="urn:hl7-org:v3"><name><family>{include("cid:a")}</family></name></q>'
    with pytest.raises(Fault) as caught:
        soap.read(envelope(body=body), includes=(DOCUMENT,))
    assert caught.value.code == "env:Sender"


def mtom_08() -> None:
    for spoilt in ("{}x", "x{}", "{}<b/>", "<b/>{}", "{}<!-- c -->", " {}"):
        not_taken(spoilt.format(include("cid:a")), "a")
    not_taken(include("cid:a").replace("/>", ">x</x:Include>"), "a")
    not_taken(include("cid:a").replace("/>", "><b/></x:Include>"), "a")


def mtom_09() -> None:
    includes = mtom.Includes(parts("a"))
    assert includes.take(document(include("cid:a")))
    with pytest.raises(Malformed):
        includes.take(document(include("cid:a")))


def mtom_10() -> None:
    taken = take(package(root()))
    with pytest.raises(Malformed):
        mtom.Includes(taken.parser.parts).take(document(include(f"cid:{START}")))


def mtom_11() -> None:
    kind = content_type().replace(START, "img")
    with pytest.raises(Malformed) as caught:
        take(package(root(), part(b"x", "img", "image/png")), kind)
    assert caught.value.log == "MTOM-REF"
    with pytest.raises(Malformed):
        take(package(part(b"x", "img", "image/png"), root()), kind)


def mtom_12() -> None:
    with pytest.raises(Fault) as caught:
        Taken(content_type().replace("application/xop+xml", "text/xml"))
    assert caught.value.status == 415


def mtom_13() -> None:
    for boundary in ("", "a" * 71, "a b", 'a\\"b', "a;b", "山"):
        with pytest.raises(Malformed):
            Taken(content_type(boundary))
    with pytest.raises(Malformed):
        Taken(content_type().replace("boundary", "bound"))


def mtom_14() -> None:
    text = b"--AB\r\n--A\r\r\n--A-\r\n--A-B\r\n--AB--\r\n--A x\r\n--A--x\r\n"
    content = package(root(), part(text, "p"), boundary="A")
    assert take(content, content_type("A")).contents == {"p": text}


def mtom_15() -> None:
    for kind in ("multipart/related; boundary=a; boundary=b", content_type() + "; Boundary=b"):
        with pytest.raises(Malformed):
            Taken(kind)


def mtom_16() -> None:
    for spoilt in (b"Content-ID: <p>\r\nx", b"Content-ID: <p>", b"x"):
        with pytest.raises(Malformed) as caught:
            take(package(root(), spoilt))
        assert soap.fault_of(caught.value).status == 400


def mtom_17() -> None:
    for content in (
        package(root(), *(part(b"x", f"p{n}") for n in range(1000))),
        package(root(), part(b"x", "p", extra="".join(f"A{n}: b\r\n" for n in range(10_000)))),
        package(root(), part(b"x", "p", extra=f"A: {'y' * 1024 * 1024}\r\n")),
    ):
        tracemalloc.start()
        with pytest.raises(Refusal):
            take(content)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 8 * 1024 * 1024


def mtom_18() -> None:
    inner = b""
    for depth in range(100):
        inner = (
            b"--i%d\r\nContent-Type: multipart/mixed; boundary=i%d\r\n\r\n" % (depth, depth + 1)
            + inner
        )
    kind = "multipart/mixed; boundary=i0"
    taken = take(package(root(), part(inner, "p", kind)))
    assert taken.contents == {"p": inner}


def mtom_19() -> None:
    encoded = part(b"eA==", "p").replace(b"binary", b"base64")
    assert take(package(root(), encoded)).contents == {"p": b"x"}
    unknown = part(b"x", "p").replace(b"binary", b"uuencode")
    with pytest.raises(Malformed):
        take(package(root(), unknown))


class Forgetful:
    """A sink that keeps nothing."""

    def write(self, chunk: bytes) -> None:
        self.last = len(chunk)

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.aborted = True


def mtom_22() -> None:
    """Memory stays flat: 64 MiB here, a gigabyte in the campaign."""
    sink = Forgetful()
    parser = mtom.Parser(content_type(), open_part=lambda _: sink)
    head, chunk = package(root(), part(b"", "p"), end=False), b"\r\n--uuid:ace" * 5000
    tracemalloc.start()
    parser.feed(head)
    total = 0
    while total < 64 * 1024 * 1024:
        parser.feed(chunk)
        total += len(chunk)
    parser.feed(b"\r\n--" + BOUNDARY.encode() + b"--")
    parser.close()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert parser.parts["p"].size == total
    assert sink.closed
    assert peak < 1024 * 1024


def mtom_23() -> None:
    taken = Taken(limits=Limits(part_bytes=10_000))
    taken.parser.feed(package(root(), part(b"", "p"), end=False))
    with pytest.raises(OverLimit):
        for _ in range(4):
            taken.parser.feed(b"x" * 4000)
    assert taken.sinks["p"].aborted
    assert len(taken.sinks["p"].content) <= 10_000


def mtom_24() -> None:
    taken = Taken()
    taken.parser.feed(package(root(), part(b"x" * 1000, "p"))[:-60])
    taken.parser.abort()
    assert taken.sinks["p"].aborted


def mtom_25() -> None:
    taken = Taken()
    with pytest.raises(Malformed) as caught:
        taken.feed(package(root(), part(b"x", "p"), end=False))
    assert soap.fault_of(caught.value).status == 400
    assert taken.sinks["p"].aborted


def mtom_26() -> None:
    taken = Taken()
    taken.parser.feed(package(root(), part(b"x", "p")) + b"\r\n")
    with pytest.raises(OverLimit):
        for _ in range(100):
            taken.parser.feed(b"y" * 65536)
    assert taken.sinks["p"].aborted


def mtom_27() -> None:
    with pytest.raises(Malformed):
        take(package(part(b"x", "p"), root()))


def mtom_28() -> None:
    not_taken("eA==" + include("cid:a"), "a")
    not_taken(include("cid:a") + "eA==", "a")
    assert mtom.Includes({}).take(document("eA==\n")) == b"x"
    for text in ("e", "e===", "x-y_", "山", "<!-- -->eA=="):
        not_taken(text)


CHECKS: dict[str, Callable[[], None]] = {
    name.upper().replace("_", "-"): value
    for name, value in list(globals().items())
    if re.fullmatch(r"mtom_\d\d", name)
}


@needs_shared
@pytest.mark.parametrize(
    "row", [row for row in ROWS if row["id"] not in ELSEWHERE], ids=lambda row: row["id"]
)
def test_payload_row(row: dict[str, str]) -> None:
    CHECKS[row["id"]]()


@needs_shared
def test_every_row_is_here_or_named_as_elsewhere() -> None:
    assert {row["id"] for row in ROWS} == CHECKS.keys() | ELSEWHERE.keys()


def mime_files(pattern: str) -> list[Path]:
    return sorted(PAYLOADS.glob(pattern)) if PAYLOADS else []


@needs_shared
@pytest.mark.parametrize("path", mime_files("mime/mime4j/*"), ids=lambda path: path.name)
def test_broken_mails_survive(path: Path) -> None:
    """Bodies of odd mails as packages: a defined answer, whatever their boundary."""
    content = path.read_bytes()
    head, _, body = content.partition(b"\r\n\r\n")
    found = re.search(rb'boundary="?([^"\r\n;]+)', head, re.IGNORECASE)
    boundary = found[1].decode("latin-1") if found else BOUNDARY
    for taken_content in (body, content, package(root(), part(body, "p"))):
        try:
            taken = take(taken_content, content_type(boundary))
        except Refusal:
            continue
        assert taken.parser.root
    if b"\r\n--" + BOUNDARY.encode() not in body:
        assert take(package(root(), part(body, "p"))).contents == {"p": body}


@needs_shared
@pytest.mark.parametrize(
    "path", mime_files("mime/python-multipart/*.http"), ids=lambda path: path.name
)
def test_form_bodies_are_cut_as_their_table_says(path: Path) -> None:
    """The cut is the same as for forms; what makes it MTOM is put in front of it."""
    row = yaml.safe_load(path.with_suffix(".yaml").read_text("utf-8"))
    boundary = row["boundary"]
    number = iter(range(100))

    def named(found: re.Match[bytes]) -> bytes:
        return found[0] + b"Content-ID: <p%d>\r\n" % next(number)

    line = re.escape(b"--" + boundary.encode() + b"\r\n")
    body = re.sub(line, named, path.read_bytes().lstrip(b"\r\n"))
    first = package(root(), boundary=boundary, end=False)
    taken = Taken(content_type(boundary))
    if isinstance(row["expected"], dict):
        with pytest.raises(Malformed):
            taken.feed(first + b"\r\n" + body)
        return
    taken.feed(first + b"\r\n" + body)
    contents = [item["data"] for item in row["expected"]]
    assert list(taken.contents.values()) == contents


def test_demographics_do_not_take_an_include() -> None:
    """MTOM-07 without the schema: identifiers are attributes, and text holds no element."""
    element = xml.parse(f'<family xmlns="urn:hl7-org:v3">{include("cid:a")}</family>'.encode())
    with pytest.raises(Malformed):
        xml.text(element)
    assert hl7v3.tag("family") == element.tag
