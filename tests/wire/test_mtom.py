"""The MTOM parser and writer: any cut, exact bytes, nothing left behind; a second opinion."""

import hashlib
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from python_multipart.multipart import MultipartParser

from gateway.errors import Malformed, OverLimit, Refusal
from gateway.wire import mtom, soap
from gateway.wire.limits import DEFAULT, Limits
from gateway.wire.soap import Fault
from tests.shared import SHARED, needs_shared
from tests.wire.packages import BOUNDARY, START, Taken, content_type, package, part, root, take

TRICKY = b"\r\n--uuid:ace\r\n\r\n--" + BOUNDARY.encode()[:-1] + b"\r\n-\r-\n--\x00\xff\r\n"
GOOD = package(root(), part(TRICKY, "one@x"), part(b"", "two@x"))


def test_a_good_package() -> None:
    taken = take(GOOD)
    assert taken.parser.root == b"<a/>"
    assert taken.parser.charset == "UTF-8"
    assert taken.contents == {"one@x": TRICKY, "two@x": b""}
    one = taken.parser.parts["one@x"]
    assert (one.mime_type, one.size) == ("application/pdf", len(TRICKY))


def test_any_cut_gives_the_same() -> None:
    expected = take(GOOD).contents
    for cut in range(len(GOOD) + 1):
        taken = Taken().feed(GOOD[:cut], GOOD[cut:])
        assert (taken.parser.root, taken.contents) == (b"<a/>", expected)
    assert Taken().feed(*(GOOD[n : n + 1] for n in range(len(GOOD)))).contents == expected


@given(st.lists(st.integers(0, len(GOOD)), max_size=8))
def test_any_cuts_give_the_same(cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(GOOD)]
    chunks = [GOOD[a:b] for a, b in pairwise(places)]
    assert Taken().feed(*chunks).contents == {"one@x": TRICKY, "two@x": b""}


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(GOOD.removeprefix(b"\r\n"), id="no line end before"),
        pytest.param(b"a preamble\r\nof two lines" + GOOD, id="a preamble"),
        pytest.param(GOOD + b"\r\nmore\r\n--" + BOUNDARY.encode() + b"\r\n", id="an epilogue"),
        pytest.param(GOOD.replace(b"\r\n\r\n<a/>", b"\r\n\r\n<a/>", 1) + b" \t\r\n", id="padding"),
        pytest.param(
            GOOD.replace(BOUNDARY.encode() + b"\r\n", BOUNDARY.encode() + b" \t \r\n"),
            id="padding after each boundary",
        ),
        pytest.param(GOOD.replace(b"Content-ID", b"content-id"), id="lower-case headers"),
        pytest.param(GOOD.replace(b"; charset", b";\r\n charset"), id="a folded header"),
        pytest.param(GOOD.replace(b"Content-ID: <", b"Content-ID:\t<"), id="a tab"),
    ],
)  # fmt: skip
def test_what_is_let_in(content: bytes) -> None:
    assert take(content).contents == {"one@x": TRICKY, "two@x": b""}


@pytest.mark.parametrize(
    ("content", "log"),
    [
        pytest.param(b"", "MTOM-FRAME", id="nothing"),
        pytest.param(b"<a/>", "MTOM-FRAME", id="no boundary"),
        pytest.param(b"--" + BOUNDARY.encode() + b"--", "MTOM-FRAME", id="no part"),
        pytest.param(GOOD[:-2], "MTOM-FRAME", id="no closing boundary"),
        pytest.param(GOOD[:-1], "MTOM-FRAME", id="half a closing boundary"),
        pytest.param(GOOD[:-40], "MTOM-FRAME", id="cut in the last part"),
        pytest.param(GOOD[:60], "MTOM-FRAME", id="cut in the headers"),
        pytest.param(GOOD + b"x", "MTOM-FRAME", id="the closing boundary goes on"),
        pytest.param(
            package(root(), b"Content-ID: <x>"), "MTOM-FRAME", id="a part without blank line"
        ),
        pytest.param(package(root(), b"no colon\r\n\r\nx"), "MTOM-FRAME", id="no header"),
        pytest.param(package(root(), b"A: \x01\r\n\r\nx"), "MTOM-FRAME", id="a control character"),
        pytest.param(package(root(), b"A: b\nC: d\r\n\r\nx"), "MTOM-FRAME", id="a bare line feed"),
        pytest.param(package(root(), b"A: b\rC: d\r\n\r\nx"), "MTOM-FRAME", id="a bare return"),
        pytest.param(package(root(), b"A : b\r\n\r\nx"), "MTOM-FRAME", id="blank before colon"),
        pytest.param(
            package(root(), b"Content-ID: <a>\r\nContent-Id: <b>\r\n\r\n"), "MTOM-FRAME", id="twice"
        ),
        pytest.param(package(root(), b"A: b\r\n\r\nx"), "MTOM-REF", id="no Content-ID"),
        pytest.param(package(root(), part(b"x", START)), "MTOM-REF", id="the root's Content-ID"),
        pytest.param(package(part(b"x", "y"), root()), "MTOM-REF", id="the root is not first"),
        pytest.param(package(root(kind="text/xml")), "MTOM-REF", id="the root is not XOP"),
        pytest.param(
            package(root(kind='application/xop+xml; type="text/xml"')), "MTOM-REF", id="SOAP 1.1"
        ),
    ],
)  # fmt: skip
def test_what_is_refused(content: bytes, log: str) -> None:
    taken = Taken()
    with pytest.raises(Malformed) as caught:
        taken.feed(content)
    assert caught.value.log == log
    assert all(sink.aborted for sink in taken.sinks.values())


def test_every_truncation_is_noticed() -> None:
    for length in range(len(GOOD)):
        with pytest.raises(Refusal):
            take(GOOD[:length])


def made(name: str, count: int) -> bytes:
    """A package with `count` of the limited thing."""
    match name:
        case "parts":
            return package(root(), *(part(b"x", f"p{n}") for n in range(count - 1)))
        case "part_headers":
            lines = "".join(f"A{n}: b\r\n" for n in range(count - 3))
            return package(root(), part(b"x", "p", extra=lines))
        case "part_header_bytes":
            empty = len(part(b"", "p", extra="A: \r\n")) - 2
            return package(root(), part(b"x", "p", extra=f"A: {'y' * (count - empty)}\r\n"))
        case "part_bytes":
            return package(root(), part(b"x" * count, "p"))
        case "xml_bytes":
            return package(root(b"x" * count))
        case "message_bytes":
            rest = len(package(root(), part(b"", "p")))
            return package(root(), part(b"x" * (count - rest), "p"))
        case _:
            return package(root()) + b"\r\n" + b"x" * (count - 0)


SMALL = Limits(part_bytes=1000, message_bytes=3000, xml_bytes=500)


@pytest.mark.parametrize(
    ("name", "most"),
    [
        ("parts", DEFAULT.parts),
        ("part_headers", DEFAULT.part_headers),
        ("part_header_bytes", DEFAULT.part_header_bytes),
        ("part_bytes", SMALL.part_bytes),
        ("xml_bytes", SMALL.xml_bytes),
        ("message_bytes", 1000),
        ("around_bytes", DEFAULT.around_bytes),
    ],
)
def test_each_limit_at_the_limit_and_one_over(name: str, most: int) -> None:
    limits = Limits(
        part_bytes=SMALL.part_bytes,
        xml_bytes=SMALL.xml_bytes,
        message_bytes=1000 if name == "message_bytes" else DEFAULT.message_bytes,
    )
    assert take(made(name, most), limits=limits)
    with pytest.raises((OverLimit, Malformed)) as caught:
        take(made(name, most + 1), limits=limits)
    assert isinstance(caught.value, OverLimit) or name == "part_headers"


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        pytest.param("multipart/related", 400, id="no boundary"),
        pytest.param(content_type(""), 400, id="an empty boundary"),
        pytest.param(content_type("a" * 71), 400, id="71 characters"),
        pytest.param(content_type("a b"), 400, id="a blank"),
        pytest.param(content_type("a").replace('"a"', "a; boundary=b"), 400, id="two boundaries"),
        pytest.param("", 400, id="nothing"),
        pytest.param("multipart/related; boundary", 400, id="no value"),
        pytest.param('multipart/related; boundary="a', 400, id="an open quote"),
        pytest.param(content_type("a").replace("related", "mixed"), 415, id="mixed"),
        pytest.param(content_type("a").replace("application/xop+xml", "text/xml"), 415, id="type"),
        pytest.param(content_type("a").replace("soap+xml", "xml"), 415, id="start-info"),
        pytest.param("multipart/related; boundary=a", 415, id="no type"),
    ],
)
def test_media_types_that_are_refused(kind: str, status: int) -> None:
    with pytest.raises((Malformed, Fault)) as caught:
        Taken(kind)
    fault = caught.value if isinstance(caught.value, Fault) else soap.fault_of(caught.value)
    assert fault.status == status


@pytest.mark.parametrize(
    ("kind", "root_kind"),
    [
        (content_type(rest='; action="urn:x:A"'), None),
        (content_type().replace('soap+xml"', 'soap+xml; action=\\"urn:x:A\\""'), None),
        (None, 'application/xop+xml; type="application/soap+xml; action=\\"urn:x:A\\""'),
        (None, 'application/xop+xml; type="application/soap+xml"; action="urn:x:A"'),
    ],
)
def test_the_action_wherever_stacks_write_it(kind: str | None, root_kind: str | None) -> None:
    first = root() if root_kind is None else root(kind=root_kind)
    assert take(package(first), kind).parser.action == "urn:x:A"
    both = take(package(first), (kind or content_type()) + '; start-info2="x"; action="urn:x:B"') \
        if kind is None else None  # fmt: skip
    if both is not None:
        with pytest.raises(Fault):
            _ = both.parser.action


@pytest.mark.parametrize(
    ("encoding", "sent", "meant"),
    [
        ("base64", b"5bGx\r\n55Sw", "山田".encode()),
        ("BASE64", b"eA==\r\n", b"x"),
        ("quoted-printable", b"=E5=B1=B1=\r\n x", "山 x".encode()),
        ("8bit", b"x", b"x"),
        ("7bit", b"x", b"x"),
        ("base64", b"", b""),
    ],
)
def test_transfer_encodings(encoding: str, sent: bytes, meant: bytes) -> None:
    content = package(root(), part(sent, "p").replace(b"binary", encoding.encode()))
    for cut in range(len(content)):
        assert Taken().feed(content[:cut], content[cut:]).contents == {"p": meant}


@pytest.mark.parametrize(
    ("encoding", "sent"),
    [("base64", b"abc"), ("base64", b"a b=c"), ("base64", b"eA==eA=="), ("x-gzip", b"x"),
     ("base64", "山".encode())],
)  # fmt: skip
def test_transfer_encodings_that_are_refused(encoding: str, sent: bytes) -> None:
    with pytest.raises(Malformed):
        take(package(root(), part(sent, "p").replace(b"binary", encoding.encode())))


PIECES = st.sampled_from(
    [b"\r\n--" + BOUNDARY.encode(), b"--", b"\r\n", b"\r\n\r\n", b" ", b"Content-ID: <a>", b"x: y",
     root(), part(b"x", "p"), b"\x00", b":", b"Content-Transfer-Encoding: base64", b"\xff"]
)  # fmt: skip


@given(st.lists(st.one_of(PIECES, st.binary(max_size=9)), max_size=12), st.integers(1, 50))
def test_any_bytes_are_taken_or_refused(pieces: list[bytes], size: int) -> None:
    """G6: no other exception, and the same outcome in one piece and in many."""
    content = b"".join(pieces)
    outcomes = []
    for chunks in ([content], [content[n : n + size] for n in range(0, len(content), size)]):
        taken = Taken()
        try:
            taken.feed(*chunks)
        except Refusal as refusal:
            outcomes.append((refusal.log, {}))
            assert all(sink.aborted for sink in taken.sinks.values())
        else:
            outcomes.append(("", taken.contents))
    assert outcomes[0] == outcomes[1]


@dataclass
class Outgoing:
    content_id: str
    mime_type: str
    size: int
    path: Path


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    documents = []
    for number, content in enumerate((TRICKY, b"", b"x" * 600_000)):
        path = tmp_path / str(number)
        path.write_bytes(content)
        documents.append(
            Outgoing(f"d{number}+山".replace("山", "@x"), "application/pdf", len(content), path)
        )
    kind, length, chunks = mtom.write(b"<a/>", documents)
    sent = list(chunks)
    assert sum(map(len, sent)) == length
    assert max(map(len, sent)) <= 256 * 1024
    taken = Taken(kind).feed(*sent)
    assert taken.parser.root == b"<a/>"
    assert [hashlib.sha256(content).digest() for content in taken.contents.values()] == [
        hashlib.sha256(item.path.read_bytes()).digest() for item in documents
    ]
    assert len(kind.split('boundary="')[1].split('"')[0]) <= 70


def test_a_media_type_cannot_bring_a_header_of_its_own(tmp_path: Path) -> None:
    """C-11."""
    (tmp_path / "x").write_bytes(b"x")
    item = Outgoing("a", "text/plain\r\nX-Evil: 1", 1, tmp_path / "x")
    kind, _, chunks = mtom.write(b"<a/>", [item])
    assert Taken(kind).feed(*chunks).parser.parts["a"].mime_type == "application/octet-stream"
    with pytest.raises(ValueError, match="Content-ID"):
        mtom.write(b"<a/>", [Outgoing("a>\r\nX: <", "text/plain", 1, tmp_path / "x")])


def test_a_file_that_changed_breaks_the_answer_off(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"x")
    _, _, chunks = mtom.write(b"<a/>", [Outgoing("a", "text/plain", 2, tmp_path / "x")])
    with pytest.raises(OSError, match="metadata"):
        list(chunks)


def second_opinion(content: bytes, boundary: str = BOUNDARY) -> list[bytes]:
    """The parts as python-multipart cuts them."""
    parts: list[bytearray] = []
    parser = MultipartParser(boundary, {
        "on_part_begin": lambda: parts.append(bytearray()),
        "on_part_data": lambda data, start, end: parts[-1].extend(data[start:end]),
    })  # fmt: skip
    parser.write(content)
    parser.finalize()
    return [bytes(item) for item in parts]


@given(st.lists(st.one_of(st.binary(max_size=60), st.sampled_from([TRICKY, b"\r\n", b"--", b"-"])),
                max_size=4))  # fmt: skip
def test_a_second_parser_cuts_alike(contents: list[bytes]) -> None:
    """python-multipart as a differential oracle; it does not want a preamble."""
    content = package(root(), *(part(c, f"p{n}") for n, c in enumerate(contents)))[2:]
    ours = take(content)
    assert [ours.parser.root, *ours.contents.values()] == second_opinion(content)


def _kind(head: Path) -> str:
    lines = head.read_text("utf-8").splitlines()
    return next(line.partition(":")[2].strip() for line in lines if line.startswith("content-type"))


CAPTURED = sorted((SHARED / "ihe" / "wire").glob("*.head")) if SHARED else []


@needs_shared
@pytest.mark.parametrize(
    "path", [path for path in CAPTURED if _kind(path).startswith("multipart")],
    ids=lambda path: path.name,
)  # fmt: skip
def test_captured_packages_of_a_strict_client(path: Path) -> None:
    kind = _kind(path)
    content = path.with_suffix(".body").read_bytes()
    taken = take(content, kind)
    message = soap.read(
        taken.parser.root, charset=taken.parser.charset, answer=".resp." in path.name,
        includes=("{urn:ihe:iti:xds-b:2007}Document",),
    )  # fmt: skip
    includes = mtom.Includes(taken.parser.parts)
    documents = list(message.payload.iter("{urn:ihe:iti:xds-b:2007}Document"))
    found = [includes.take(document) for document in documents]
    assert [item.size for item in found if isinstance(item, mtom.Part)] == [512] * len(documents)
