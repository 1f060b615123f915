"""The format: which files are claims, and what one receipt of them becomes.

One file is one institution's claims of one month about many patients. Each receipt (RE and what
follows) is a part of its own; header and end are shared by all (`japan/receipt-uke.md`).
"""

from dataclasses import replace

from gateway.model.batch import Batch
from gateway.model.category import Category
from gateway.standardize.findings import finding
from gateway.standardize.format import Format, Upload
from gateway.standardize.rows import Row
from gateway.standardize.uke import (
    acts,
    diseases,
    dpc,
    layout,
    person,
    pharmacy,
    receipt,
    structure,
)
from gateway.standardize.uke.reading import UkeReading
from gateway.standardize.uke.receipt import Receipt

NAME = "uke"
_HEAD = 4096


def recognise(upload: Upload) -> bool:
    """By its header, which wrappers of returned claims may stand before."""
    head = upload.content[:_HEAD].removeprefix(b"\xef\xbb\xbf").decode("latin-1")
    for line in head.replace("\r", "\n").split("\n"):
        cells = [cell.strip() for cell in line.split(",")]
        if cells[0] in layout.HEADERS:
            return len(cells) > 4 and bool(receipt.kind_of(cells[0], cells[3]))
        if line.strip() and cells[0] not in layout.WRAPPERS:
            return False
    return False


def read(upload: Upload) -> Batch:
    """Read one receipt; raises a Refusal where it is refused as a whole."""
    found = receipt.parse(upload)
    name = f"{NAME}/{found.kind}"
    if found.re is None:
        return _nobody(upload, found, name)
    reading = person.begin(upload, found, found.re)
    own = _own_rows(reading)
    found.rows = own
    person.insurances(reading)
    _stay(reading, found.re)
    if found.kind == layout.PHARMACY:
        pharmacy.read(reading, found.re)
    elif found.kind == layout.DPC:
        dpc.read(reading)
    else:
        _medical(reading)
    for row in found.rows:
        if row.record == "SJ":
            text = row.get("症状詳記データ")
            acts.message(reading, [row], [text], "症状詳記", Category.PROGRESS)
        elif not reading.has(row):
            reading.leave(row, "row-order")
    _beside(reading)
    return replace(reading.batch(name, reading.month), restates=_restates(reading))


def _restates(reading: UkeReading) -> tuple[str, ...]:
    """A receipt is whole; of a claim in several volumes nobody says which files are one statement.

    Items of the month have the claim's version, what goes on from month to month its own.
    """
    if reading.receipt.header.get("マルチボリューム識別情報") not in structure.SINGLE:
        return ()
    return (reading.claimed, reading.order)


def _own_rows(reading: UkeReading) -> list[Row]:
    """The rows that are read: about the patient, of care, of a known layout.

    From where an organ's donor is named a receipt is about somebody else.
    """
    rows, known = reading.receipt.rows, layout.layouts(reading.receipt.kind)
    for place, row in enumerate(rows):
        if row.record in layout.DONOR:
            for other in rows[place:]:
                reading.leave(other, "other-person")
            rows = rows[:place]
            break
    found = []
    for row in rows:
        if row.record in layout.BILLING_RECORDS:
            reading.account(row, "billing-only")
            reading.find("billing-only")
        elif row.record not in known:
            reading.leave(row, "layout-unknown")
        else:
            found.append(row)
    return found


def _stay(reading: UkeReading, re: Row) -> None:
    bu = next((row for row in reading.receipt.rows if row.record == "BU"), None)
    if bu is not None or re.get("入院年月日"):
        dpc.stay(reading, re, bu)


def _medical(reading: UkeReading) -> None:
    """Diagnoses, then acts, drugs and materials by groups."""
    rows = reading.receipt.rows
    for row in rows:
        if row.record in ("SY", "HS"):
            diseases.read(reading, row)
    for group in acts.groups(row for row in rows if row.record in ("SI", "SS", "IY", "TO", "CO")):
        acts.read(reading, group)


def _beside(reading: UkeReading) -> None:
    """The end of the file, and wrappers of a returned claim."""
    for row in reading.receipt.beside:
        if row.record == "GO":
            reading.take(row, "総件数", "総合計点数", "マルチボリューム識別情報")
            if row.get("マルチボリューム識別情報") not in ("", "99") or not row.get("総件数"):
                reading.find("totals-not-checked", row.at)
        else:
            reading.leave(row, "layout-unknown")


def _nobody(upload: Upload, found: Receipt, name: str) -> Batch:
    """A file without a receipt: nobody's."""
    account = {found.header.at: "used"}
    account |= {row.at: "used" for row in found.beside}
    return Batch(
        path=upload.path, format=name, patient=None, account=account,
        findings=(finding("no-receipt", found.header.at),),
    )  # fmt: skip


FORMAT: Format = Format(name=NAME, recognise=recognise, read=read, split=structure.split)
