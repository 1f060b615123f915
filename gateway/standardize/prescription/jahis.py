"""Prescription in a 2D symbol (院外処方箋２次元シンボル, JAHIS1 to JAHIS10): what to dispense."""

import re
from dataclasses import replace
from typing import Any

from gateway.model.batch import Batch
from gateway.standardize.format import Format, Upload
from gateway.standardize.prescription import drugs, parties, records
from gateway.standardize.prescription.records import Prescription, PrescriptionReading
from gateway.wire.japanese import Charset

FORMAT_NAME = "jahis-prescription"
NEWEST = 10
_HEADER = re.compile(r"JAHIS([1-9][0-9]?)")
_FIRST = re.compile(rb"(?:\xef\xbb\xbf)?JAHIS[0-9]{1,2}(?:[,\r\n\x1a]|$)")


def recognise(upload: Upload) -> bool:
    """By its first line; JAHISTC is the medication notebook."""
    return _FIRST.match(upload.content) is not None


def read(upload: Upload) -> Batch:
    """Read one file; raises a Refusal where it is refused as a whole."""
    prescription = records.parse(upload, _HEADER, Charset.SHIFT_JIS, choose=True)
    reading = PrescriptionReading(upload, parties.patient_of(upload, prescription), prescription)
    if prescription.version > NEWEST:
        reading.find("version-unknown", prescription.head.at)
    name = f"{FORMAT_NAME}/JAHIS{prescription.version}"
    if any(row.record == "911" and row.get("total") not in ("", "1") for row in prescription.rows):
        for row in prescription.rows:
            reading.leave(row, "split-symbol")
        return reading.batch(name)
    return standardized(reading, prescription, name)


def standardized(
    reading: PrescriptionReading,
    prescription: Prescription,
    name: str,
    identifiers: tuple[dict[str, Any], ...] = (),
) -> Batch:
    """What the records become, wherever they came from; `identifiers` are the prescription's."""
    if not reading.upload.patient and reading.patient != parties.chart_of(prescription):
        reading.find("patient-without-number", prescription.about["11"].at)
    parties.describe(reading, prescription)
    requester, people = parties.requester(reading, prescription)
    shared = drugs.Shared(
        requester=requester,
        parties=people,
        insurances=parties.insurances(reading, prescription),
        identifiers=identifiers,
        issuer=parties.institution_code(prescription) or prescription.get("1", "name"),
    )
    drugs.read(reading, prescription, shared)
    for row in prescription.misplaced:
        reading.leave(row, "record-order")
    for row in prescription.rows:
        if row.record == "911":
            reading.take_whole(row)  # one of one
        elif not reading.has(row):
            known = row.record in records.LAYOUTS
            reading.leave(row, "not-yet-mapped" if known else "layout-unknown")
    issued = prescription.about.get("51")
    batch = reading.batch(name, reading.day(issued, "date") if issued else "")
    ordered = {row.at: batch.account[row.at] for row in (prescription.head, *prescription.rows)}
    return replace(batch, account=ordered)


FORMAT: Format = Format(name=FORMAT_NAME, recognise=recognise, read=read)
