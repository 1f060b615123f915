"""Text stays text: `text/`, `console.jsonl`, `csv_cells.jsonl`, `encodings.jsonl` (F, G10, K-06).

As names and addresses fed by ITI-44 and read back, as targets, and as files with a character set.
"""

import html
import re
import unicodedata
import uuid
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote_from_bytes

import pytest

from conformance import messages
from conformance.client import Answer, envelope
from conformance.messages import Person
from tests.hostile import forms
from tests.hostile.forms import PUBLISHED, published, rows
from tests.hostile.site import Site, is_fault
from tests.hostile.xua import post
from tests.shared import needs_shared
from tests.wire.test_japanese import EXPECTED

INERT = [name for name in published("text/*.txt")
         if not re.search("utf8tests|traversal|redirect", name)]  # fmt: skip
TARGETS = published("text/redirect.txt", "http/crlfinjection.txt")
UTF8 = published("text/utf8tests.txt")
ENCODINGS = rows("encodings.jsonl")
CELLS = rows("csv_cells.jsonl")
CONSOLE = rows("console.jsonl")
PAYLOADS = {
    *INERT, *TARGETS, *UTF8, *(f"gateway/encodings.jsonl#{row['id']}" for row in ENCODINGS),
}  # fmt: skip
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\ufffe\uffff\ud800-\udfff]")
_ODD = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u180b-\u180f\u200b-\u200f\u2028-\u202f\u205f-\u206f\ufe00-\ufeff]"
)


def feed(site: Site, family: str, address: str = "x") -> tuple[str, Answer]:
    """One ITI-44 with a name of any text; the identifier it was fed under."""
    chart = f"X-{uuid.uuid4().hex[:12]}"
    person = Person(family=family, given="試", family_kana="ア", given_kana="イ", birth="19700101",
                    gender="M", address=address)  # fmt: skip
    payload = messages.feed("2.999.30.1", chart, person)
    return chart, site.client("hospital-a").soap("/pix", messages.FEED_ADD, payload)


def stored(site: Site, chart: str) -> str:
    """What was kept of a person, as one text."""
    found = site.query(
        "SELECT d.content FROM demographics d WHERE d.domain = '2.999.30.1' AND d.value = ?", chart
    )
    return str(found[-1][0]) if found else ""


def is_plain(text: str) -> bool:
    """Whether a name may be so: visible, within its length, few marks in a row."""
    marks = re.search("[\u0300-\u036f\u3099\u309a]{9}", text)
    return bool(text.strip()) and len(text) <= 200 and not _ODD.search(text) and not marks


def lines(name: str) -> Iterator[str]:
    for line in (PUBLISHED / name).read_text("utf-8", "replace").splitlines():
        if line.strip():
            yield line


@needs_shared
@pytest.mark.parametrize("name", INERT)
def test_a_line_as_a_name_is_kept_as_it_is_or_refused(site: Site, name: str) -> None:
    taken = 0
    before = site.state().rows
    for text in dict.fromkeys(lines(name)):
        if _UNSEEN.search(" ".join(text.split())):
            continue  # not a character of XML: the parser refuses it, as test_utf8 shows
        family = " ".join(text.split())
        chart, answer = feed(site, family)
        codes = answer.values("//hl7:acknowledgement/hl7:typeCode/@code")
        if codes == ["CA"]:
            taken += 1
            (kept,) = site.query(
                "SELECT content FROM demographics WHERE domain = '2.999.30.1' AND value = ?", chart
            )
            assert not is_plain(family) or written(family) in kept[0], text
        else:
            assert not is_plain(family), (text, codes, answer.fault)
            assert family not in html.unescape(answer.body.decode()) or len(family) < 4
    after = site.state().rows
    assert after["identifier"] - before["identifier"] == taken
    assert taken > 3


def written(text: str) -> str:
    """As JSON writes it, without quotes."""
    import orjson

    return orjson.dumps(text).decode()[1:-1]


@needs_shared
@pytest.mark.parametrize("row", [*CONSOLE, *CELLS], ids=lambda row: row["id"])
def test_a_table_value_as_a_name(site: Site, row: dict[str, Any]) -> None:
    """The pages and exports that show them come later; here they go in, and stay text."""
    value = row.get("value", row.get("cell"))
    value = value * 10_000 if row["id"] == "CON-16" else value
    if _UNSEEN.search(value.strip().replace("\r\n", " ").replace("\n", " ").replace("\t", " ")):
        with site.nothing_left():
            answer = post(site.client("hospital-a"), "/pix", messages.FEED_ADD, envelope(
                messages.FEED_ADD, messages.feed("2.999.30.1", "C-1", Person(
                    family="FAMILY", given="x", family_kana="x", given_kana="x",
                    birth="19700101", gender="M")), to="https://localhost/pix",
            ).replace(b"FAMILY", value.encode()))  # fmt: skip
            assert answer.fault[:1] == ("Sender",) or answer.values("//@code").count("CE") == 1
        return
    chart, answer = feed(site, value.strip())
    if answer.values("//hl7:acknowledgement/hl7:typeCode/@code") == ["CA"]:
        kept = stored(site, chart)
        assert written(" ".join(value.split())) in kept or not is_plain(value)
        assert not re.search("[\u202a-\u202e\u2066-\u2069]", kept)
    else:
        assert not is_plain(value)


def _utf8_cases() -> Iterator[tuple[str, bool, bytes]]:
    for line in (PUBLISHED / UTF8[0]).read_text("ascii").splitlines():
        number, colon, rest = line.partition(":")
        if line.startswith("#") or not colon:
            continue
        kind, _, value = rest.partition(":")
        if kind == "valid":
            yield number, True, value.encode("ascii")
        elif kind in ("valid hex", "invalid hex"):
            digits = re.sub(r"[^0-9a-fA-F]", "", value.partition(":")[0])
            yield number, kind == "valid hex", bytes.fromhex(digits)


@needs_shared
def test_utf8(site: Site) -> None:
    """Every byte sequence as a name: wrong ones are refused, none is replaced."""
    count = 0
    for number, valid, content in _utf8_cases():
        person = Person(family="FAMILY", given="x", family_kana="x", given_kana="x",
                        birth="19700101", gender="M")  # fmt: skip
        chart = f"U-{uuid.uuid4().hex[:10]}"
        text = envelope(messages.FEED_ADD, messages.feed("2.999.30.1", chart, person),
                        to="https://localhost/pix")  # fmt: skip
        body = text.replace(b"FAMILY", b"a" + content + b"b")
        answer = post(site.client("hospital-a"), "/pix", messages.FEED_ADD, body)
        taken = answer.values("//hl7:acknowledgement/hl7:typeCode/@code") == ["CA"]
        if not valid:
            assert answer.fault == ("Sender",), number
            assert answer.status == 400
        elif taken:
            assert "\ufffd" not in stored(site, chart) or b"\xef\xbf\xbd" in content
        else:
            name = f"a{content.decode()}b"
            assert any(unicodedata.category(c) in ("Cc", "Cf", "Cn", "Co") for c in name) or any(
                c in '&<"' for c in name
            ), (number, answer.fault)
        count += 1
    assert count > 100


@needs_shared
@pytest.mark.parametrize("name", TARGETS)
def test_a_line_as_a_target_redirects_nobody_and_adds_no_header(site: Site, name: str) -> None:
    for line in (PUBLISHED / name).read_bytes().splitlines():
        target = quote_from_bytes(line if line.startswith(b"/") else b"/" + line, safe="/%:@?&=+")
        answer = site.client("hospital-a").request("GET", target)
        assert answer.status in (400, 404), line
        assert not {"location", "set-cookie", "crlf"} & answer.headers.keys()
        assert b"example" not in answer.body


# --- character sets ---

_MSH18 = {"iso-2022-jp": "~ISO IR87", "shift_jis": "SJIS", "euc-jp": "EUC-JP",
          "utf-8": "UNICODE UTF-8"}  # fmt: skip
XML = ("ENC-19", "ENC-20", "ENC-21", "ENC-22", "ENC-23")
HIDDEN = ("ENC-27", "ENC-28", "ENC-31")
"Decoded as they are, and refused where a name or an identifier is made of them."


@needs_shared
@pytest.mark.parametrize("row", [r for r in ENCODINGS if r["id"] in XML], ids=lambda r: r["id"])
@pytest.mark.parametrize("charset", ["", "declared"])
def test_xml_in_another_encoding(site: Site, row: dict[str, Any], charset: str) -> None:
    kind = "application/soap+xml" + (f"; charset={row['declared']}" if charset else "")
    with site.nothing_left("XML-ENC", "XML-SOAP"):
        answer = site.client("hospital-a").request(
            "POST", "/pix", bytes.fromhex(row["payload_hex"]), {"Content-Type": kind}
        )
        is_fault(answer, "Sender", status=400)


@pytest.mark.parametrize(("codec", "declared", "charset", "taken"), [
    ("utf-8", "utf-8", "utf-8", True), ("utf-8-sig", "UTF-8", "", True),
    ("utf-16", "utf-16", "", True), ("utf-16", "", "utf-16", True),
    ("utf-16-le", "utf-16", "", False), ("utf-16", "utf-8", "", False),
    ("utf-8", "utf-16", "", False), ("utf-8", "utf-8", "utf-16", False),
    ("utf-8", "iso-8859-1", "", False), ("utf-8", "utf-8", "iso-8859-1", False),
    ("utf-7", "utf-7", "", False), ("utf-7", "", "utf-7", False), ("utf-32", "utf-32", "", False),
    ("cp037", "cp037", "", False), ("cp500", "ebcdic-cp-be", "", False),
    ("shift_jis", "Shift_JIS", "", False), ("iso2022_jp", "ISO-2022-JP", "", False),
    ("utf-8", "x", "", False), ("utf-16-be", "", "", False), ("utf-16-le", "", "utf-16", False),
])  # fmt: skip
def test_a_05_the_whole_request_in_an_encoding(
    site: Site, codec: str, declared: str, charset: str, taken: bool
) -> None:
    person = Person(family="山田", given="x", family_kana="x", given_kana="x", birth="19700101",
                    gender="M")  # fmt: skip
    chart = f"E-{uuid.uuid4().hex[:10]}"
    text = envelope(messages.FEED_ADD, messages.feed("2.999.30.1", chart, person), to="urn:x:y")
    head = f'<?xml version="1.0" encoding="{declared}"?>' if declared else ""
    body = (head + text.decode()).encode(codec, "replace")
    kind = "application/soap+xml" + (f"; charset={charset}" if charset else "")

    def send() -> Answer:
        return site.client("hospital-a").request("POST", "/pix", body, {"Content-Type": kind})

    if taken:
        assert send().values("//hl7:acknowledgement/hl7:typeCode/@code") == ["CA"]
        assert "山田" in stored(site, chart)
        return
    with site.nothing_left("XML-ENC", "XML-SOAP", "TYPE"):
        answer = send()
        assert answer.status in (400, 415)
        assert answer.fault in ((), ("Sender",))


@needs_shared
@pytest.mark.parametrize("row", [r for r in ENCODINGS if r["id"] not in XML], ids=lambda r: r["id"])
def test_a_file_with_a_character_set(site: Site, row: dict[str, Any]) -> None:
    """The bytes in a test's name in a result message that declares their character set."""
    content = bytes.fromhex(row["payload_hex"])
    message = forms.laboratory(f"CHART-{row['id']}")
    header, cr, rest = message.partition(b"\r")
    fields = header.split(b"|")
    fields[17] = _MSH18[row["declared"]].encode()
    body = re.sub(rb"\x1b\$B.*?\x1b\(B", b"", rest)
    body = re.sub(rb"\|3D046000001920402\^[^|^]*", lambda m: b"|3D046000001920402^" + content, body)
    expected = EXPECTED.get(row["id"], "")
    answer = forms.upload(site, b"|".join(fields) + cr + body)
    if answer.status != 202:
        assert answer.status in (400, 422)
        assert expected is None or row["id"] in HIDDEN
        return
    (file,) = forms.done(site, answer)
    kept = "".join(
        str(found[0]) for found in site.query(
            "SELECT content FROM staged_item WHERE value = ?", f"CHART-{row['id']}"
        )
    )  # fmt: skip
    assert "\ufffd" not in kept
    if expected is None:
        assert file["state"] == "refused", file
        assert not kept
    elif file["state"] == "standardized" and row["id"] not in HIDDEN:
        assert written(expected) in kept, (expected, file)
