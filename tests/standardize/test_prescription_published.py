"""Prescriptions as published: the layout, its examples, a symbol."""

import json

from fhir.resources.R4B import get_fhir_model_class

from gateway.standardize import Upload, read
from gateway.standardize.prescription.records import COLUMNS
from gateway.wire import fhir
from tests.shared import needs_shared, shared
from tests.standardize.build import DOMAIN, findings
from tests.standardize.prescriptions import DRUG, HEAD, ORAL, USAGE, prescription


@needs_shared
def test_the_layout_is_the_published_one():
    layout = json.loads(shared("japan", "tables", "jahis-rx-layout.json").read_text())
    records = {}
    for (record, _), column in COLUMNS.items():
        records.setdefault(record, []).append((column.kind, column.digits, column.required))
    del records["911"]
    published = {
        one["record"]: [
            (field["type"], field["digits"], field["required"] == "required")
            for field in one["fields"]
        ]
        for one in layout["records"]
        if one["record"] != "HDR"
    }
    assert records == published


@needs_shared
def test_every_published_example_of_a_record_is_read():
    """Each example line of the layout, put where it belongs, is accounted for without harm."""
    layout = json.loads(shared("japan", "tables", "jahis-rx-layout.json").read_text())
    seen = 0
    for one in layout["records"]:
        if one["record"] == "HDR":
            continue
        for example in one["examples"]:
            rows = [*HEAD[1:], ORAL, "102,1,1,1", USAGE, "181,1,9,2,一包化,,", DRUG]
            if one["record"] not in ("102", "81", "181", "281", "201"):
                rows = [row for row in rows if row.split(",")[0] != one["record"]]
            if one["record"] == "201":
                rows.remove(DRUG)
            cells = example.split(",")
            if int(one["record"]) > 100:
                cells[1] = "1"
            rows.append(",".join(cells))
            rows.sort(key=lambda row: (int(row.split(",")[0]) > 200, int(row.split(",")[0])))
            batch = prescription(*rows, head=["JAHIS10"])
            assert len(batch.items) == 1, example
            at = next(at for at, row in enumerate(rows, start=2) if row == ",".join(cells))
            fate = batch.account[f"row {at}"]
            assert fate in ("used", "item MedicationRequest") or one["record"] == "102", example
            seen += 1
    assert seen > 100


@needs_shared
def test_the_published_symbol():
    """A fictitious JAHIS5 prescription: every row accounted for, quantities as printed."""
    path = shared("japan", "samples", "visible", "rx-qr-acedia", "debug", "from_qr")
    content = (path / "example_sjis.csv").read_bytes()
    batch = read(Upload(path="rx.csv", content=content, domain=DOMAIN))
    assert batch.format == "jahis-prescription/JAHIS5"
    assert len(batch.account) == 41
    assert sorted(set(batch.account.values())) == ["item MedicationRequest", "used"]
    found = [
        (str(item.resource["dispenseRequest"]["quantity"]["value"]),
         item.resource["dispenseRequest"]["quantity"]["unit"])
        for item in batch.items
    ]  # fmt: skip
    assert found == [
        ("42", "錠"), ("42", "錠"), ("28", "錠"), ("14", "錠"), ("3", "袋"), ("1", "キット"),
        ("20", "g"), ("30", "g"),
    ]  # fmt: skip
    assert batch.occurred == "2020-03-19"
    assert {"lost-character row 3 address", "lost-character row 15 address"} <= set(findings(batch))
    for item in batch.items:
        for one in (item.resource, *item.companions):
            get_fhir_model_class(one["resourceType"]).model_validate_json(fhir.dumps(one))
