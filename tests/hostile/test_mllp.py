"""`hl7v2.jsonl` over MLLP: each row gets the table's answer, and nothing of it stays (R-13)."""

import time
import tomllib
from collections.abc import Iterator
from typing import Any

import pytest

from tests.edge.peer import END, START, Sender, code
from tests.hostile.forms import rows
from tests.hostile.site import Site
from tests.hostile.test_messages import ROWS, as_file
from tests.shared import needs_shared

PAYLOADS = {f"gateway/hl7v2.jsonl#{row['id']}" for row in rows("hl7v2.jsonl")}
ACCEPTED = {"HL7-01", "HL7-03", "HL7-04", "HL7-05", "HL7-16", "HL7-30"}
"16: no authority stands in PID-3, and the certificate's facility has one."
ANSWERS = {
    "HL7-02": "AE 102", "HL7-06": "AR 102", "HL7-07": "AR 102", "HL7-08": "AR 102",
    "HL7-09": "AR 100", "HL7-10": "AR 100", "HL7-11": "AR 100", "HL7-12": "AR 100",
    "HL7-13": "AE 102", "HL7-14": "AE 204", "HL7-15": "AE 204", "HL7-17": "AE 204",
    "HL7-18": "AE 204", "HL7-19": "AE 204", "HL7-20": "AE 204", "HL7-21": "AR 101",
    "HL7-22": "AE 205", "HL7-23": "AR 204", "HL7-24": "AR 203", "HL7-25": "AR 201",
    "HL7-26": "AE 102", "HL7-27": "AE 102", "HL7-28": "AR 102", "HL7-29": "AE 102",
    "HL7-31": "AE 102", "HL7-32": "AE 102",
}  # fmt: skip
SPOOFED = {"HL7-14", "HL7-15", "HL7-17", "HL7-18", "HL7-23"}
ENDING = {"HL7-09", "HL7-10", "HL7-11", "HL7-12"}


@pytest.fixture
def sender(site: Site) -> Iterator[Sender]:
    port = tomllib.loads((site.folder / "gateway.toml").read_text("utf-8"))["mllp"]["port"]
    made = Sender(site.folder / "pki", port)
    yield made
    made.close()


@needs_shared
def test_every_row_has_an_answer() -> None:
    assert {row["id"] for row in ROWS} == ACCEPTED | ANSWERS.keys()


@needs_shared
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["id"])
def test_a_message_over_mllp(site: Site, sender: Sender, row: dict[str, Any]) -> None:
    number, content = row["id"], as_file(row)
    if number == "HL7-22":
        assert code(sender.send(as_file(ROWS[0]))) == "AA"  # taken before, or now
    if number in ACCEPTED:
        assert code(sender.send(content)) == "AA"
    waiting = "SELECT count(*) FROM upload_file WHERE state = 'received'"
    while site.query(waiting)[0][0]:
        time.sleep(0.02)
    if number in ACCEPTED:
        return
    codes = ("AUTH-SPOOF",) if number in SPOOFED else ("HL7-FMT", "REPLAY")
    with site.nothing_left(*codes):
        sender.write(START + content + END)
        answer = sender.read()
        assert code(answer) == ANSWERS[number]
        if number in ENDING:
            assert sender.read() == b""
    assert b"YAMADA" not in answer
