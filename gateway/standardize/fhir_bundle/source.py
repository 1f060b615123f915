"""FHIR JSON as it came: one object, a Bundle or lines of objects, each resource with its bytes.

E-13: no key twice, no NaN, no depth, no number that nobody can hold, no character that JSON or
FHIR forbids. Decimals keep their written precision (`fhir.loads`).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from gateway.errors import Malformed, OverLimit, Unsupported
from gateway.model.batch import Resource
from gateway.standardize import papers
from gateway.standardize.format import Upload
from gateway.wire import fhir

_TYPE = re.compile(rb'"resourceType"\s*:\s*"[A-Z][A-Za-z]{1,40}"')
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}:,]', re.DOTALL)
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f" r"\ud800-\udfff]")
_MARK = b"\xef\xbb\xbf"
_BLANKS = b" \t\r\n"
_DEEPEST = 100
_WIDEST = 40
"Digits of a decimal, before or after its point."
MOST_ENTRIES = 20_000
_FHIR_XML = b"http://hl7.org/fhir"

TAKEN = frozenset({"collection", "document", "transaction", "batch", "message", "searchset"})
"Kinds of Bundle that bring resources; the others are answers and history."


@dataclass(frozen=True, slots=True)
class Entry:
    """One resource, and where it stands."""

    at: str
    "`entry[3]` of a Bundle from 0, `line 3` of NDJSON from 1, `resource`."
    start: int
    end: int
    resource: Resource
    full_url: str = ""
    request: dict[str, Any] = field(default_factory=dict)
    mode: str = ""
    "Search mode."


@dataclass(frozen=True, slots=True)
class Source:
    """What one file holds."""

    kind: str
    "Type of the Bundle; `resource`, or `lines`."
    bundle: Resource
    "The Bundle without its entries; empty where there is none."
    entries: tuple[Entry, ...]
    lost: tuple[Entry, ...] = ()
    "Entries without a resource: a request alone, a link, a response."


def recognise(upload: Upload) -> bool:
    """A JSON object that names a FHIR resource; FHIR as XML is refused here, by what to send."""
    content = upload.content.removeprefix(_MARK).lstrip(_BLANKS)
    if content.startswith(b"{"):
        return _TYPE.search(content) is not None
    is_fhir = _FHIR_XML + b'"' in content[:2000].replace(b"'", b'"')
    if is_fhir and papers.root_name(upload.content) not in (b"", b"ClinicalDocument"):
        raise Unsupported(
            "FHIR as XML is not read: send the same resources as JSON (application/fhir+json)",
            "FHIR の XML 形式は読み取れません。JSON 形式で送ってください",
            at="content", rule="E-12",
        )  # fmt: skip
    return False


def parse(content: bytes) -> Source:
    """The resources of a file; raises `Malformed` where it is not sound JSON as a whole."""
    offset = len(_MARK) if content.startswith(_MARK) else 0
    try:
        text = content[offset:].decode("utf-8")
    except UnicodeDecodeError as error:
        raise Malformed("not UTF-8", "UTF-8 ではありません", at="content", rule="F-03") from error
    lines = [one for one in _lines(content, offset) if one[2].strip(_BLANKS)]
    if (
        len(lines) > 1
        and all(line.lstrip(_BLANKS).startswith(b"{") for _, _, line in lines)
        and (_whole(lines[0][2]))
    ):
        if len(lines) > MOST_ENTRIES:
            raise _too_many()
        entries = [
            Entry(f"line {number}", start, start + len(line.rstrip(_BLANKS)), _load(line, number))
            for number, start, line in lines
        ]
        if any(one.resource["resourceType"] == "Bundle" for one in entries):
            raise Malformed("a Bundle among lines: send it as a file of its own",
                            "複数行の中に Bundle があります。1ファイルで送ってください", at="line",
                            rule="E-13")  # fmt: skip
        return Source("lines", {}, tuple(entries))
    found = _load(content[offset:])
    if found["resourceType"] != "Bundle":
        end = len(content.rstrip(_BLANKS))
        start = len(content) - len(content[offset:].lstrip(_BLANKS))
        return Source("resource", {}, (Entry("resource", start, end, found),))
    return _bundle(found, text, offset)


def _bundle(found: Resource, text: str, offset: int) -> Source:
    kind = found.get("type")
    if not isinstance(kind, str) or kind not in TAKEN:
        raise Unsupported(
            "a Bundle of this type brings no resources: send collection, document, transaction, "
            "batch, message or searchset",
            "この種類の Bundle は受け付けません。collection・document などで送ってください",
            at="Bundle.type",
        )
    written = found.pop("entry", [])
    if not isinstance(written, list) or not all(isinstance(one, dict) for one in written):
        raise Malformed("Bundle.entry is no list of objects", "Bundle.entry が不正です",
                        at="Bundle.entry", rule="E-13")  # fmt: skip
    if len(written) > MOST_ENTRIES:
        raise _too_many()
    places = list(_places(text, offset))
    if len(places) != len(written):
        raise Malformed("Bundle.entry is no plain list", "Bundle.entry が不正です",
                        at="Bundle.entry", rule="E-13")  # fmt: skip
    taken: list[Entry] = []
    lost: list[Entry] = []
    for number, (one, (start, end)) in enumerate(zip(written, places, strict=True)):
        resource = one.get("resource")
        whole = isinstance(resource, dict) and isinstance(resource.get("resourceType"), str)
        request, search = one.get("request"), one.get("search")
        url = one.get("fullUrl")
        entry = Entry(
            f"entry[{number}]", start, end,
            resource if whole and isinstance(resource, dict) else {},
            url if isinstance(url, str) else "",
            request if _is_request(request) else {},
            str(search.get("mode", "")) if isinstance(search, dict) else "",
        )  # fmt: skip
        (taken if whole else lost).append(entry)
    return Source(str(kind), found, tuple(taken), tuple(lost))


def _is_request(value: object) -> bool:
    return isinstance(value, dict) and isinstance(value.get("method", ""), str)


def _load(content: bytes, line: int = 0) -> Resource:
    at = f"line {line}" if line else "content"
    try:
        found = fhir.loads(content)
    except Malformed as error:
        raise Malformed(error.english, error.japanese, at=at, rule="E-13") from error
    if not isinstance(found.get("resourceType"), str):
        raise Malformed("no resourceType", "resourceType がありません", at=at, rule="E-13")
    _judge(found, at)
    return found


def _judge(value: Resource, at: str) -> None:
    """Refuse depth, characters and numbers that nobody downstream could hold."""
    waiting: list[tuple[Any, int]] = [(value, 1)]
    while waiting:
        one, depth = waiting.pop()
        if depth > _DEEPEST:
            raise OverLimit("nested too deep", "階層が深すぎます", at=at, rule="E-13")
        if isinstance(one, dict):
            waiting += [(key, depth) for key in one]
            waiting += [(part, depth + 1) for part in one.values()]
        elif isinstance(one, list):
            waiting += [(part, depth + 1) for part in one]
        elif isinstance(one, str):
            if _FORBIDDEN.search(one):
                raise Malformed("a character that is no text", "使用できない文字があります", at=at,
                                rule="E-13")  # fmt: skip
        elif isinstance(one, Decimal) and (
            abs(one.adjusted()) > _WIDEST or len(one.as_tuple().digits) > _WIDEST
        ):
            raise OverLimit("number too long", "数値が長すぎます", at=at, rule="E-13")


def _whole(line: bytes) -> bool:
    """Whether the first line is an object by itself."""
    try:
        fhir.loads(line)
    except Malformed:
        return False
    return True


def _lines(content: bytes, offset: int) -> Iterator[tuple[int, int, bytes]]:
    """Number, first byte and bytes of each line."""
    start, number = offset, 0
    while start < len(content):
        number += 1
        end = content.find(b"\n", start)
        end = len(content) if end < 0 else end + 1
        yield number, start, content[start:end]
        start = end


def _places(text: str, offset: int) -> Iterator[tuple[int, int]]:
    """First byte and byte after each element of the outermost `entry`; the JSON is sound."""
    depth, key, began, inside, colon = 0, "", -1, False, False
    done, byte = 0, offset
    for token in _TOKEN.finditer(text):
        mark = token.group()
        if mark in ("{", "["):
            depth += 1
            if depth == 2 and mark == "[" and colon and key == "entry":
                inside = True
            elif depth == 3 and inside and mark == "{":
                byte += len(text[done : token.start()].encode())
                done, began = token.start(), byte
        elif mark in ("}", "]"):
            if depth == 3 and inside and began >= 0 and mark == "}":
                byte += len(text[done : token.end()].encode())
                done = token.end()
                yield began, byte
                began = -1
            depth -= 1
            if depth == 1:
                inside = False
        elif depth == 1:
            if mark == ":":
                colon = True
            elif mark == ",":
                colon = False
            elif not colon:
                key = mark[1:-1]


def _too_many() -> OverLimit:
    return OverLimit("too many resources in one file: send fewer at once",
                     "リソースが多すぎます。ファイルを分けて送ってください", at="Bundle.entry",
                     rule="E-13")  # fmt: skip
