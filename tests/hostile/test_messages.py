"""`hl7v2.jsonl` as files of the upload door, and a short draw from `dict/` over the wire (R-12)."""

import json
import random
import re
from typing import Any

import pytest

from conformance import messages
from conformance.client import envelope
from tests.hostile import forms, xua
from tests.hostile.forms import PUBLISHED, published, rows
from tests.hostile.site import Site
from tests.shared import needs_shared
from tests.wire.test_hl7v2 import EXPECTED, content_of

ROWS = rows("hl7v2.jsonl")
DICTIONARIES = published("dict/*.dict")
PAYLOADS = {*DICTIONARIES, *(f"gateway/hl7v2.jsonl#{row['id']}" for row in ROWS)}
FOREIGN = ("HL7-14", "HL7-15", "HL7-17")
"Identifiers of a domain that is another facility's: refused by who sends, not by the message."
SAME_ID = "HL7-22"
"Its control id was used before: a file has its own identity, so this is the MLLP door's."


def as_file(row: dict[str, Any]) -> bytes:
    """The row's message with the demo's facility for FAC_A, and a chart of its own."""
    content = content_of(row)
    for ours, theirs in ((b"2.999.30.1", b"2.999.1"), (b"2.999.30.2", b"2.999.2")):
        content = content.replace(theirs + b"&ISO", ours + b"&ISO")
    return content.replace(b"1234567", f"H-{row['id'][-2:]}".encode())


@needs_shared
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["id"])
def test_a_message_as_a_file(site: Site, row: dict[str, Any]) -> None:
    """What the table refuses is refused here too, whole; nothing of it is staged."""
    chart = f"H-{row['id'][-2:]}"
    answer = forms.upload(site, as_file(row), f"{row['id']}.hl7".encode())
    staged = "SELECT count(*) FROM staged_item WHERE value = ?"
    if answer.status == 422:
        assert row["id"] in EXPECTED
        return
    (file,) = forms.done(site, answer)
    # A line end and a date are findings; two messages in a row are a file of two (E-02).
    lenient = {"HL7-09", "HL7-10", "HL7-27"}
    if row["id"] in EXPECTED and row["id"] not in lenient:
        assert file["state"] in ("refused", "set-aside"), file
    elif row["id"] in FOREIGN:
        assert [one["code"] for one in file["findings"]] == ["not-owner"]
    if file["state"] == "refused":
        assert site.query(staged, chart)[0][0] == 0
        assert file["findings"]


def tokens(name: str) -> list[bytes]:
    """The quoted words of one dictionary."""
    text = (PUBLISHED / name).read_text("utf-8", "replace")
    found = re.findall(r'^[^#\n]*?"((?:[^"\\]|\\.)*)"', text, re.MULTILINE)
    words = [one.encode("latin-1", "replace") for one in found]
    plain = [re.sub(rb"\\x([0-9a-fA-F]{2})", _byte, word) for word in words]
    return [word.replace(rb"\"", b'"').replace(rb"\\", b"\\") for word in plain]


def _byte(found: re.Match[bytes]) -> bytes:
    return bytes([int(found[1], 16)])


@needs_shared
@pytest.mark.parametrize("name", DICTIONARIES)
def test_words_of_a_dictionary_anywhere(site: Site, name: str) -> None:
    """Drawn by one seed: put into good requests; each gets a defined answer."""
    words = tokens(name)
    assert words
    draw = random.Random(name)  # noqa: S311 - a test's draw
    soap = envelope(messages.PIX_QUERY, messages.pix_query("2.999.30.1", "0000100001"),
                    to="https://localhost/pix")  # fmt: skip
    entry = json.dumps(forms.entry(site)).encode()
    file = forms.laboratory("FUZZ")

    def spoilt(content: bytes) -> bytes:
        for _ in range(draw.randint(1, 3)):
            at, end = draw.randrange(len(content)), draw.choice((0, 0, 1, 8))
            content = content[:at] + draw.choice(words) + content[at + end :]
        return content

    for _ in range(12):
        answer = xua.post(site.client("hospital-a"), "/pix", messages.PIX_QUERY, spoilt(soap))
        assert answer.status in (200, 400, 413) or answer.fault[0] in (
            "VersionMismatch", "MustUnderstand",
        )  # fmt: skip
        answer = forms.upload(site, spoilt(file))
        assert answer.status in (202, 400, 413, 422)
        answer = forms.document(site, b"%PDF-1.7\n" + spoilt(b"x" * 200), spoilt(entry))
        assert answer.status in (400, 403, 413, 422)
