"""`mtom.jsonl` and `mime/` over the wire, at the XCA retrieve door (C-05 to C-09)."""

import gzip
import json
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from conformance.client import WSSE, Answer, envelope
from conformance.submissions import LOINC, Given, new_oid, provided
from tests.hostile import forms, xua
from tests.hostile.forms import PUBLISHED, published
from tests.hostile.site import Site, is_fault
from tests.pace import process_spends
from tests.shared import needs_shared
from tests.wire.packages import BOUNDARY, content_type, package, part, root

IDS = [row["id"] for row in forms.rows("mtom.jsonl")]
MAILS = published("mime/mime4j/*", "mime/python-multipart/*.http")
PAYLOADS = {f"gateway/mtom.jsonl#{row}" for row in IDS}
DOOR = "/xca/retrieve"
XOP = "http://www.w3.org/2004/08/xop/include"


@dataclass
class At:
    """The retrieve door and a good package for it."""

    site: Site
    id: str = field(default_factory=lambda: f"urn:uuid:{uuid.uuid4()}")

    def soap(self, within: str = "", header: str = "") -> bytes:
        action, payload = xua.doors(self.site)[DOOR]
        if within:
            payload = payload.replace("</xds:DocumentUniqueId>", within + "</xds:DocumentUniqueId>")
        text = envelope(action, payload, to="https://localhost" + DOOR, message_id=self.id,
                        assertion=xua.token())  # fmt: skip
        return text.replace(b"</soap:Header>", header.encode() + b"</soap:Header>")

    def post(self, content: bytes, kind: str | None = None, **headers: str) -> Answer:
        fields = {"Content-Type": content_type() if kind is None else kind, **headers}
        return self.site.client("neighbour-n").request("POST", DOOR, content, fields)

    def answered(self, content: bytes, kind: str | None = None) -> None:
        answer = self.post(content, kind)
        assert (answer.status, answer.fault, len(answer.parts)) == (200, (), 1)
        assert answer.text("soap:Header/wsa:RelatesTo") == self.id
        self.id = f"urn:uuid:{uuid.uuid4()}"

    def refused(
        self, content: bytes, kind: str | None = None, *, status: tuple[int, ...] = (500,),
        logs: tuple[str, ...] = ("MTOM-REF", "MTOM-FRAME"), related: bool = False,
    ) -> None:  # fmt: skip
        with self.site.nothing_left(*logs, but=("assertion_seen",)):
            answer = self.post(content, kind)
            is_fault(answer, "Sender", status=status, relates_to=self.id if related else "")


def include(href: str = "cid:p") -> str:
    return f'<x:Include xmlns:x="{XOP}" href="{href}"/>'


def mtom_01(at: At) -> None:
    at.refused(package(root(at.soap(include("cid:missing")))), related=True)


def mtom_02(at: At) -> None:
    at.refused(package(root(at.soap()), part(b"one", "a"), part(b"two", "a")))


def mtom_03(at: At) -> None:
    for name in ("A@B", "&lt;a@b&gt;"):
        content = package(root(at.soap(include(f"cid:{name}"))), part(b"x", "a@b"))
        at.refused(content, related=True)


def mtom_04(at: At) -> None:
    for href in ("http://127.0.0.1:1/", "https://h/", "file:///etc/passwd", "ftp://h/", "data:,x"):
        at.refused(package(root(at.soap(include(href))), part(b"x", "p")), related=True)


def mtom_05(at: At) -> None:
    """A question holds no document: an Include is refused however its address is written."""
    content = package(root(at.soap(include("cid:a%40b"))), part(b"x", "a@b"))
    at.refused(content, related=True)
    at.answered(package(root(at.soap()), part(b"x", "a%40b")))


def mtom_06(at: At) -> None:
    for place in ("saml:Assertion", "ds:SignatureValue"):
        prefix, _, name = place.partition(":")
        namespace = {"saml": xua.issuing.SAML, "ds": xua.issuing.DS}[prefix]
        block = (f'<s:Security xmlns:s="{WSSE}"><{name} xmlns="{namespace}">{include()}'
                 f"</{name}></s:Security>")  # fmt: skip
        text = at.soap().decode()
        text = re.sub("<wsse:Security.*?</wsse:Security>", block, text, flags=re.DOTALL)
        at.refused(package(root(text.encode()), part(b"x", "p")), related=True)


def mtom_07(at: At) -> None:
    from conformance import messages
    from tests.hostile.test_soap import _PERSON

    fed = messages.feed("2.999.30.1", "M-1", _PERSON).replace("例示", include())
    text = envelope(messages.FEED_ADD, fed, to="https://localhost/pix", message_id=at.id)
    with at.site.nothing_left("MTOM-REF"):
        answer = at.site.client("hospital-a").request(
            "POST", "/pix", package(root(text), part(b"x", "p")), {"Content-Type": content_type()}
        )
        is_fault(answer, "Sender", status=400, relates_to=at.id)


def mtom_08(at: At) -> None:
    for spoilt in ("{}x", "x{}", "{}<b/>", "{}<!-- c -->"):
        content = package(root(at.soap(spoilt.format(include()))), part(b"x", "p"))
        at.refused(content, related=True)


def mtom_09(at: At) -> None:
    at.refused(package(root(at.soap(include() + include())), part(b"x", "p")), related=True)


def mtom_10(at: At) -> None:
    at.refused(package(root(at.soap(include("cid:root.message@cxf.apache.org")))), related=True)


def mtom_11(at: At) -> None:
    image = part(b"x", "img", "image/png")
    at.refused(package(root(at.soap()), image),
               content_type().replace("root.message@cxf.apache.org", "img"))  # fmt: skip


def mtom_12(at: At) -> None:
    for wrong in (content_type().replace("application/xop+xml", "text/xml"),
                  content_type().replace("multipart/related", "multipart/mixed")):  # fmt: skip
        with at.site.nothing_left("TYPE", "MTOM-FRAME"):
            assert at.post(package(root(at.soap())), wrong).status == 415


def mtom_13(at: At) -> None:
    for boundary in ("", "a" * 71, "a b", 'a\\"b', "a;b"):
        at.refused(package(root(at.soap()), boundary="a"), content_type(boundary))
    at.refused(package(root(at.soap())), content_type().replace("boundary", "bound"))
    long = "a" * 70
    at.answered(package(root(at.soap()), boundary=long), content_type(long))


def mtom_14(at: At) -> None:
    text = b"--AB\r\n--A\r\r\n--A-\r\n--A-B\r\n--AB--\r\n"
    at.answered(package(root(at.soap()), part(text, "p"), boundary="A"), content_type("A"))


def mtom_15(at: At) -> None:
    for kind in (content_type() + "; Boundary=b", "multipart/related; boundary=a; boundary=b"):
        at.refused(package(root(at.soap())), kind)


def mtom_16(at: At) -> None:
    for spoilt in (b"Content-ID: <p>\r\nx", b"Content-ID: <p>", b"x"):
        at.refused(package(root(at.soap()), spoilt))


def mtom_17(at: At) -> None:
    over = {"status": (413, 500), "logs": ("LIMIT", "MTOM-FRAME")}
    for content in (
        package(root(at.soap()), *(part(b"x", f"p{n}") for n in range(1000))),
        package(root(at.soap()), part(b"x", "p", extra="A: b\r\n" * 10_000)),
        package(root(at.soap()), part(b"x", "p", extra=f"A: {'y' * 1024 * 1024}\r\n")),
    ):
        at.refused(content, **over)  # type: ignore[arg-type]
    at.answered(package(root(at.soap()), *(part(b"x", f"p{n}") for n in range(99))))
    at.refused(package(root(at.soap()), *(part(b"x", f"p{n}") for n in range(100))),
               status=(413,), logs=("LIMIT",))  # fmt: skip
    headers = "".join(f"A{n}: b\r\n" for n in range(17))
    at.answered(package(root(at.soap()), part(b"x", "p", extra=headers)))
    at.refused(package(root(at.soap()), part(b"x", "p", extra=headers + "B: c\r\n")),
               **over)  # type: ignore[arg-type]  # fmt: skip


def mtom_18(at: At) -> None:
    inner = b"".join(b"--i%d\r\nContent-Type: multipart/mixed; boundary=i%d\r\n\r\n" % (n, n + 1)
                     for n in range(100))  # fmt: skip
    at.answered(package(root(at.soap()), part(inner, "p", "multipart/mixed; boundary=i0")))


def mtom_19(at: At) -> None:
    at.answered(package(root(at.soap()), part(b"eA==", "p").replace(b"binary", b"base64")))
    at.refused(package(root(at.soap()), part(b"x", "p").replace(b"binary", b"uuencode")))


def _raw(at: At, length: int, body: bytes, *, close: bool) -> bytes:
    head = (
        f"POST {DOOR} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {content_type()}\r\n"
        f"Content-Length: {length}\r\n\r\n"
    ).encode()
    with at.site.raw("neighbour-n") as connection:
        connection.sendall(head + body)
        if close:
            return b""
        found = b""
        while b"\r\n\r\n" not in found:
            chunk = connection.recv(65536)
            if not chunk:
                break
            found += chunk
        return found


def mtom_20(at: At) -> None:
    body = package(root(at.soap()))
    with at.site.nothing_left("MTOM-FRAME"):
        answer = _raw(at, len(body) - 20, body, close=False)
        assert b" 500 " in answer.partition(b"\r\n")[0]
    with at.site.nothing_left("HTTP-FRAME"):
        _raw(at, len(body) + 20, body, close=True)


def mtom_24(at: At) -> None:
    body = package(root(at.soap()), part(b"x" * 500_000, "p"))
    with at.site.nothing_left("HTTP-FRAME"):
        _raw(at, len(body), body[: len(body) * 99 // 100], close=True)


def mtom_22(at: At) -> None:
    """A large part is counted and flows by; a gigabyte of it is the campaign's."""
    before = at.site.peak()
    at.answered(package(root(at.soap()), part(b"x" * (48 * 1024 * 1024), "p")))
    assert at.site.peak() - before < 40 * 1024


def mtom_23(at: At) -> None:
    """A message that says it is over the limit is refused before it comes."""
    with at.site.nothing_left("LIMIT"):
        answer = _raw(at, 2 * 1024**3 + 1, b"--x", close=False)
        assert answer.startswith(b"HTTP/1.1 413")


def mtom_25(at: At) -> None:
    at.refused(package(root(at.soap()), part(b"x", "p"), end=False))


def mtom_26(at: At) -> None:
    content = package(root(at.soap()), part(b"x", "p")) + b"\r\n" + b"y" * 4_000_000
    at.refused(content, status=(413,), logs=("LIMIT",))
    before = b"y" * 100_000 + package(root(at.soap()))
    at.refused(before, status=(413,), logs=("LIMIT",))


def mtom_27(at: At) -> None:
    at.refused(package(part(b"x", "p"), root(at.soap())))


def mtom_28(at: At) -> None:
    for mixed in ("eA==" + include(), include() + "eA=="):
        at.refused(package(root(at.soap(mixed)), part(b"x", "p")), related=True)


def mtom_29(at: At) -> None:
    bomb = gzip.compress(package(root(at.soap()), part(b"\0" * 20_000_000, "p")))
    with process_spends(at.site.process.pid, 2), at.site.nothing_left("TYPE", "LIMIT"):
        answer = at.post(bomb, **{"Content-Encoding": "gzip"})
        assert answer.status == 415


# --- documents handed in by ITI-41 ---

PAGE = b"<ClinicalDocument>1</ClinicalDocument>"


def handed(site: Site, **changes: Any) -> Given:
    chart = site.known["patients"][0]["identifiers"][1]
    cx = f"{chart['value']}^^^&{chart['domain']}&ISO"
    codes = {"type": (("11450-4", LOINC, "病名"),)}
    return Given(**{"patient": cx, "content": include("cid:a%40b"), "codes": codes, **changes})


def hand_in(
    at: At, given: Given, change: tuple[str, str] = ("", ""), parts: dict[str, bytes] | None = None
) -> Answer:
    kind, content = provided(
        [given], {name: ("text/xml", what) for name, what in (parts or {"a@b": PAGE}).items()}
    )
    old, new = (text.encode() for text in change)
    assert old in content
    fields = {"Content-Type": kind}
    return at.site.client("hospital-a").request(
        "POST", "/repository", content.replace(old, new, 1), fields
    )


def failed(at: At, code: str, given: Given, *args: Any, logs: tuple[str, ...] = ()) -> None:
    """Failure with this code; nothing is kept, and the audit trail knows of it."""
    with at.site.nothing_left(*logs):
        answer = hand_in(at, given, *args)
        assert answer.status == 200
        assert answer.values("//rs:RegistryResponse/@status")[0].endswith(":Failure")
        assert answer.values("//rs:RegistryError/@errorCode") == [code]


def mtom_21(at: At) -> None:
    for slots in ({"hash": ("0" * 40,)}, {"size": (str(len(PAGE) + 1),)}, {"hash": ("a" * 64,)}):
        given = handed(at.site, slots=slots)
        failed(at, "XDSRepositoryMetadataError", given, logs=("DOC-HASH",))
    given = handed(at.site, unique_id=new_oid())
    for _ in range(2):
        answer = hand_in(at, given)
        assert answer.values("//rs:RegistryResponse/@status")[0].endswith(":Success")
    failed(at, "XDSNonIdenticalHash", given, ("", ""), {"a@b": PAGE + b"\n"})


def mtom_30(at: At) -> None:
    given = handed(at.site)
    failed(at, "XDSMissingDocument", given, ('Document id="Document01"', 'Document id="D"'))
    spare = ("</xds:Document>", '</xds:Document><xds:Document id="D">YQ==</xds:Document>')
    failed(at, "XDSMissingDocumentMetadata", given, spare)
    failed(at, "XDSMissingDocumentMetadata", given, ("", ""), {"a@b": PAGE, "left": PAGE})


def test_includes_stand_in_documents_alone(site: Site) -> None:
    at = At(site)
    given = handed(site)
    for change in (
        ("退院時サマリー", include("cid:a%40b")),
        ("<x:Include", "<!-- --><x:Include"),
        ("cid:a%40b", "cid:a%2540b"),
        ("cid:a%40b", "https://127.0.0.1:1/"),
        ("/></xds:Document>", "/>x</xds:Document>"),
        ("/></xds:Document>", "/>" + include("cid:a%40b") + "</xds:Document>"),
    ):
        with site.nothing_left("MTOM-REF", "XML-MIXED", "XML-SOAP"):
            answer = hand_in(at, given, change)
            told = answer.text("soap:Header/wsa:RelatesTo")
            is_fault(answer, "Sender", status=400, relates_to=told)


CHECKS: dict[str, Callable[[At], None]] = {
    name.upper().replace("_", "-"): value for name, value in list(globals().items())
    if re.fullmatch(r"mtom_\d\d", name)
}  # fmt: skip


@needs_shared
@pytest.mark.parametrize("row", IDS)
def test_row(site: Site, row: str) -> None:
    CHECKS[row](At(site))


def test_the_twin_is_answered_with_the_document(site: Site) -> None:
    at = At(site)
    at.answered(package(root(at.soap())))


@needs_shared
@pytest.mark.parametrize("name", MAILS)
def test_a_published_package_survives(site: Site, name: str) -> None:
    """As the whole body, and as one part behind a good root, whose bytes nobody reads."""
    content = (PUBLISHED / name).read_bytes()
    body = content.partition(b"\r\n\r\n")[2] or content
    at = At(site)
    found = re.search(rb'boundary="?([^"\r\n;]+)', content, re.IGNORECASE)
    boundary = found[1].decode("latin-1") if found else BOUNDARY
    kind = content_type(re.sub(r'[^ -~]|["\\]', "", boundary))
    for sent, said in ((body, kind), (content, content_type())):
        with site.nothing_left():
            answer = at.post(sent, said)
            assert answer.fault[:1] == ("Sender",) or answer.status in (413, 415)
    at.answered(package(root(at.soap()), part(content, "p")))


def test_json_is_no_package(site: Site) -> None:
    with site.nothing_left("TYPE"):
        answer = At(site).post(json.dumps({"a": 1}).encode(), "application/json")
        assert answer.status == 415
