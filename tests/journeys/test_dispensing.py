"""What a pharmacy sends through the door: prescriptions, signed ones, parts of a notebook."""

import io
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gateway.demo.sign import sign_prescription
from tests.journeys.senders import taken
from tests.served import Served
from tests.standardize import test_symbols as symbols
from tests.standardize.prescriptions import DRUG, ORAL, USAGE, packed

SYMBOL = Path(__file__).resolve().parents[2] / "samples/standardize/prescription/jahis10.csv"
SENT = {"source": "dispensing", "patient": "P-7001"}


def told(found: Any) -> list[tuple[str, int, list[str]]]:
    return [
        (one["state"], sum(one["items"].values()), [each["code"] for each in one["findings"]])
        for one in found["files"]
    ]


def test_a_prescription_symbol(served: Served) -> None:
    client = served.client("pharmacy-c")
    ((state, items, _),) = told(taken(client, SYMBOL.name, SYMBOL.read_bytes(), **SENT))
    assert (state, items) == ("standardized", 6)


def test_a_signed_prescription_and_an_altered_copy(served: Served) -> None:
    client = served.client("pharmacy-c")
    csv = packed(ORAL, USAGE, DRUG).replace("架空 花子,ｶｸｳ ﾊﾅｺ", "標本 花,ﾋｮｳﾎﾝ ﾊﾅ")
    signed = sign_prescription(csv.encode(), served.installation.folder, datetime.now(UTC))
    sent = {**SENT, "patient": "P-7002"}
    ((state, items, found),) = told(taken(client, "e.xml", signed, **sent))
    assert (state, items) == ("standardized", 1)
    assert found[0] == "signature-verified"
    altered = signed.replace(b">U0ox", b">U0oy")
    assert told(taken(client, "f.xml", altered, **sent)) == [
        ("refused", 0, ["untrusted-signature"])
    ]


def test_parts_of_a_notebook_in_an_archive_and_apart(served: Served) -> None:
    client = served.client("pharmacy-c")
    sent = {**SENT, "patient": "P-7003"}
    packing = io.BytesIO()
    with zipfile.ZipFile(packing, "w") as archive:
        for part in symbols.parts():
            archive.writestr(part.path, part.content)
    together = told(taken(client, "parts.zip", packing.getvalue(), **sent))
    assert [one[:2] for one in together] == [
        ("standardized", 1), ("standardized", 1), ("standardized", 0),
    ]  # fmt: skip
    rows = (symbols.FIRST, symbols.SECOND)
    apart = [
        symbols.part(one, number, total=2, identity="20261102000009")
        for number, one in enumerate(rows, start=1)
    ]
    alone = told(taken(client, "a.csv", apart[0].content, **sent))
    assert alone == [("set-aside", 0, ["split-symbol"])]
    ((state, items, _),) = told(taken(client, "b.csv", apart[1].content, **sent))
    assert (state, items) == ("standardized", 1)
