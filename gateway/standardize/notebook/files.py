"""Medication notebook (電子版お薬手帳, JAHISTC01 to 08): what a pharmacy dispensed.

The file carries no patient number. Its sender may state one beside it (`Upload.patient`); else a
number is made of everything the file says about the person, and somebody has to link it. Two files
that describe a person differently stay two people until then: a wrong split can be mended, a wrong
merge cannot.
"""

import sys

from gateway.errors import Malformed
from gateway.model.batch import Batch
from gateway.model.category import Category
from gateway.model.identifiers import PatientId
from gateway.model.person import Address, Demographics, Gender, Script, Telecom
from gateway.standardize import allergies, codes
from gateway.standardize.dates import western
from gateway.standardize.described import patient_of, person_name
from gateway.standardize.format import Format, Upload
from gateway.standardize.notebook import blocks as notebook_blocks
from gateway.standardize.notebook import notes as notebook_notes
from gateway.standardize.notebook import rows as notebook_rows
from gateway.standardize.notebook.reading import FORMAT_NAME, NotebookReading
from gateway.standardize.notebook.rows import Notebook
from gateway.standardize.reading import stated_domain
from gateway.standardize.rows import Row
from gateway.wire import fhir

NEWEST = 8
_GTIN = "https://www.gs1.org/gtin"
_KINDS = {"1": "allergy", "2": "intolerance"}
_BLOCK = ("5", "11", "15")
_OF_BLOCKS = frozenset(
    {"11", "15", "51", "55", "201", "281", "291", "301", "311", "321", "391", "401", "501"}
)
"Records that a record 5 (the day of dispensing) comes before."
"Records that say when and by whom something was dispensed."
_PERSON = ("name", "sex", "birth", "postal", "address", "tel", "kana")


def recognise(upload: Upload) -> bool:
    """By its first line."""
    return upload.content.removeprefix(b"\xef\xbb\xbf").startswith(b"JAHISTC")


def read(upload: Upload) -> Batch:
    """Read one file; raises a Refusal where it is refused as a whole."""
    notebook = notebook_rows.parse(upload)
    person = [row for row in notebook.rows if row.record == "1"]
    if len(person) != 1:
        raise Malformed(
            "a notebook is about one patient", "患者情報は一件でなければなりません", at="record 1"
        )
    reading = NotebookReading(upload, _patient(upload, person[0]), notebook)
    if not upload.patient:
        reading.find("patient-without-number", person[0].at)
    if notebook.version > NEWEST:
        reading.find("version-unknown", notebook.head.at)
    _describe(reading, person[0])
    if any(
        row.record == "911" and row.get("total").lstrip("0") not in ("", "1")
        for row in notebook.rows
    ):
        for row in notebook.rows:
            if not reading.has(row):
                reading.leave(row, "split-symbol")
    else:
        _read_rows(reading, notebook)
    newest = max((day for row in notebook.rows if row.record == "5"
                  if (day := reading.day(row, "date"))), default="")  # fmt: skip
    return reading.batch(f"{FORMAT_NAME}/JAHISTC{notebook.version:02d}", newest)


def _read_rows(reading: NotebookReading, notebook: Notebook) -> None:
    notebook_blocks.read(reading, notebook.rows)
    begun = next((row.number for row in notebook.rows if row.record == "5"), sys.maxsize)
    left = []
    block: dict[str, Row] = {}
    for row in notebook.rows:
        if row.record == "5":
            block = {}
        if row.record in _BLOCK:
            block[row.record] = row
        if not reading.has(row) and not notebook_notes.read(reading, row, block):
            left.append(row)
    for row in left:
        if reading.has(row):
            continue
        if row.record == "2" and row.get("kind") in _KINDS and row.get("text"):
            _read_allergy(reading, row)
        elif row.record == "3" and row.get("drug"):
            _read_otc(reading, row, _ingredients(notebook, row))
        elif row.cells and not any(row.get(name) for name in row.cells if name != "creator"):
            reading.leave(row, "empty-row")
        elif row.record == "911":
            reading.take(row, "id", "total", "part")
        elif row.record in notebook_rows.COLUMNS:
            early = row.record in _OF_BLOCKS and row.number < begun
            reading.leave(row, "row-order" if early else "not-yet-mapped")
        else:
            reading.leave(row, "layout-unknown")


def _patient(upload: Upload, row: Row) -> PatientId:
    """The stated number, or one made of the description."""
    domain = stated_domain(upload)
    if upload.patient:
        return PatientId(domain, upload.patient)
    birth = western(row.get("birth"))[0]
    parts = [birth.isoformat() if birth else row.get("birth")]
    parts += [row.get(column) for column in _PERSON if column != "birth"]
    return patient_of(domain, "tc", parts)


def _describe(reading: NotebookReading, row: Row) -> None:
    """Record 1 as demographics and JP_Patient."""
    names = []
    for column, script in (("name", Script.KANJI), ("kana", Script.KANA)):
        if row.get(column):
            names.append(person_name(row.get(column), script))
    born = reading.day(row, "birth")
    place = Address(text=row.get("address"), postal_code=row.get("postal"), use="H")
    reading.demographics = Demographics(
        names=tuple(names),
        birth=western(row.get("birth"))[0] if born else None,
        gender={"1": Gender.MALE, "2": Gender.FEMALE}.get(row.get("sex")),
        addresses=(place,) if place.text or place.postal_code else (),
        telecoms=(Telecom(row.get("tel"), "H"),) if row.get("tel") else (),
    )
    reading.patient_resource = fhir.patient_resource(reading.demographics, [reading.patient])
    reading.take(row, *_PERSON)


def _read_allergy(reading: NotebookReading, row: Row) -> None:
    """Record 2, kinds 1 and 2, as JP_AllergyIntolerance; the text is all there is."""
    kind = _KINDS[row.get("kind")]
    key = reading.digest_key("notebook|allergy", kind, row.get("text"))
    made = allergies.allergy(reading.identity("AllergyIntolerance", key), cancelled=False)
    made["type"] = kind
    found = codes.allergens_in(row.get("text"))
    made["code"] = fhir.concept(*found, text=row.get("text"))
    made["patient"] = reading.subject
    if not found:
        reading.find("unmapped-code", f"{row.at} text")
    reading.take(row, "kind", "text", became="item AllergyIntolerance")
    reading.add(Category.ALLERGY, made, key, row)


def _ingredients(notebook: Notebook, row: Row) -> list[Row]:
    """Records 31 of a record 3, by its number."""
    if not row.get("seq"):
        return []
    return [
        one
        for one in notebook.rows
        if one.record == "31" and one.get("seq") == row.get("seq") and one.get("ingredient")
    ]


def _read_otc(reading: NotebookReading, row: Row, ingredients: list[Row]) -> None:
    """Records 3 and 31, a medicine bought without prescription, as JP_MedicationStatement."""
    start, end = reading.day(row, "start"), reading.day(row, "end")
    key = reading.digest_key("notebook|statement", row.get("drug"), start, end)
    made = fhir.resource(
        "MedicationStatement",
        "JP_MedicationStatement",
        reading.identity("MedicationStatement", key),
    )
    made["status"] = "completed" if end else "unknown"
    coding = [fhir.coding(row.get("jan"), _GTIN)] if row.get("jan") else []
    made["medicationCodeableConcept"] = fhir.concept(*coding, text=row.get("drug"))
    made["subject"] = reading.subject
    period = {name: day for name, day in (("start", start), ("end", end)) if day}
    if period:
        made["effectivePeriod"] = period
    if row.get("creator") == "2":
        made["informationSource"] = reading.subject
    if ingredients:
        made["note"] = [
            {"text": f"成分: {one.get('ingredient')} {one.get('code')}".strip()}
            for one in ingredients
        ]
    for one in ingredients:
        reading.take(one, "seq", "ingredient", "code_kind", "code")
    if not coding:
        reading.find("unmapped-code", f"{row.at} drug")
    columns = ("drug", "start", "end", "seq", "jan")
    reading.take(row, *columns, became="item MedicationStatement")
    reading.add(Category.DISPENSING, made, key, row)


FORMAT: Format = Format(name=FORMAT_NAME, recognise=recognise, read=read)
