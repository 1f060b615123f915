"""Rows of results: laboratory items, vital signs, body measures, notes of daily living.

A laboratory row becomes what an OBX becomes; rows of one order or moment are one report.
"""

from collections.abc import Iterator
from typing import Any

from gateway.model.batch import Resource
from gateway.model.category import Category
from gateway.model.csv_mapping import Column
from gateway.standardize import codes, values
from gateway.standardize.csv_mapped.reading import CsvReading, shown
from gateway.standardize.csv_mapped.rows import CsvRow
from gateway.standardize.laboratory import observation
from gateway.standardize.laboratory.observation import LabItem, terms
from gateway.standardize.laboratory.report import Sheet
from gateway.wire import fhir

_SIMPLE = "http://jpfhir.jp/fhir/core/CodeSystem/JP_SimpleObservationCategory_CS"
_STATUSES = {
    "F": "final", "最終": "final", "確定": "final", "P": "preliminary", "中間": "preliminary",
    "速報": "preliminary", "C": "corrected", "修正": "corrected", "訂正": "corrected",
    "X": "cancelled", "中止": "cancelled", "取消": "entered-in-error", "D": "entered-in-error",
}  # fmt: skip
_WORDS = frozenset(
    {"final", "preliminary", "corrected", "cancelled", "registered", "entered-in-error"}
)
_BODY = frozenset({"身長", "体重", "腹囲", "BMI", "頭囲", "胸囲"})
_KINDS = {
    # category to profile and simple category (JP Core 1.2.0)
    Category.BIOMETRIC: ("JP_Observation_VitalSigns", "vital-signs"),
    Category.DAILY_LIVING: ("JP_Observation_SocialHistory", "social-history"),
    Category.WATCH_OVER: ("JP_Observation_Common", "survey"),
}


def laboratory(reading: CsvReading, rows: list[CsvRow]) -> None:
    """Every row as Observation, every order or moment as DiagnosticReport."""
    sheets: dict[tuple[str, str, str], Sheet] = {}
    for row in rows:
        effective = reading.day(row, "date", "time")
        if not effective:
            _without_date(reading, row)
            continue
        order, panel = reading.cell(row, "order"), reading.cell(row, "panel")
        sheet = sheets.get((order, panel, effective))
        if sheet is None:
            sheet = sheets[(order, panel, effective)] = _sheet(reading, row, effective)
        reading.account(row, "used")
        for column, place in _values(reading):
            _result(reading, row, column, row.cells[place], sheet)
    for sheet in sheets.values():
        sheet.close(reading)


def _sheet(reading: CsvReading, row: CsvRow, effective: str) -> Sheet:
    order = reading.cell(row, "order")
    sheet = Sheet(
        place=row,
        prefix=f"csv|{order}|{effective}",
        effective=effective,
        issued=reading.day(row, "reported"),
        panel=reading.cell(row, "panel"),
    )
    if order:
        system = codes.local_identifiers(reading.domain, "order")
        sheet.numbers.append(fhir.identifier(system, order))
    return sheet


def _without_date(reading: CsvReading, row: CsvRow) -> None:
    """A result without the day it is of cannot be told from another: its row is left."""
    said = bool(reading.cell(row, "date"))
    reading.refuse(row, "bad-date" if said else "field-missing", reading.names["date"].strip())


def _values(reading: CsvReading) -> Iterator[tuple[Column, int]]:
    for place, column in enumerate(reading.mapping.columns):
        if column.to == "value":
            yield column, place


def _item(reading: CsvReading, row: CsvRow, column: Column) -> tuple[Resource, bool, str]:
    """The item of a value: the column's own, or what the row names; its concept, its key."""
    if column.code or column.name:
        made, standard = reading.concept(column.code, column.code_system, column.name, "item")
        return made, standard, column.code or column.name
    name = reading.cell(row, "name")
    made, standard = reading.coded(row, "code", name, "item")
    code = made.get("coding", [{}])[0].get("code", "")
    return made, standard, code or name


def _status(reading: CsvReading, row: CsvRow) -> str:
    said = reading.cell(row, "status")
    if not said:
        return reading.mapping.row.status
    status = said if said in _WORDS else _STATUSES.get(said.upper(), "")
    if not status:
        reading.find("field-table", reading.at(row, "status"))
    return status or "unknown"


def _result(reading: CsvReading, row: CsvRow, column: Column, text: str, sheet: Sheet) -> None:
    """One value of a row."""
    code, standard, item = _item(reading, row, column)
    if not item:
        reading.refuse(row, "field-missing", reading.names.get("code", "").strip())
        return
    wide = bool(column.code or column.name)
    if wide and not text:
        return
    status = _status(reading, row)
    unit = column.unit or reading.cell(row, "unit")
    flag = reading.cell(row, "flag")
    specimen = _specimen(reading, row, sheet)
    names = {**reading.names, "value": f" {shown(reading.mapping, column)}"}
    sheet.take(
        reading,
        LabItem(
            place=row,
            names=names,
            key=(f"{sheet.prefix}|{specimen['id'] if specimen else ''}",
                 item, ""),
            code=code,
            standard=standard,
            status=status,
            withdrawn=status == "entered-in-error",
            text=text,
            terms=terms(
                "", unit, *(reading.cell(row, one) for one in ("range", "low", "high")),
                reading.sex, *((flag,) if flag else ()),
            ),
            effective=sheet.effective,
            issued=sheet.issued if "T" in sheet.issued else "",
            notes=reading.all(row, "comment"),
            specimen=specimen,
            specimen_mark=sheet.prefix,
            companions=(specimen,) if specimen else (),
        ),
    )  # fmt: skip
    reading.account(row, "item Observation")


def _specimen(reading: CsvReading, row: CsvRow, sheet: Sheet) -> Resource | None:
    """The material that a row names, by JLAC10 code or in words."""
    code, text = reading.cell(row, "specimen.code"), reading.cell(row, "specimen")
    if not code and not text:
        return None
    name = codes.material(code)
    if name:
        kind = fhir.concept(fhir.coding(code, codes.MATERIAL, name), text=text or name)
    else:
        kind, _ = reading.coded(row, "specimen.code", text, "specimen")
    mark = f"{sheet.prefix}|{code or text}"
    return observation.specimen(reading, mark, kind)


def measured(reading: CsvReading, rows: list[CsvRow]) -> None:
    """Rows of vital signs, body measures, daily living and watching over."""
    for row in rows:
        effective = reading.day(row, "date", "time")
        if not effective:
            _without_date(reading, row)
            continue
        reading.account(row, "used")
        for column, place in _values(reading):
            if row.cells[place]:
                _measure(reading, row, column, row.cells[place], effective)


def _measure(reading: CsvReading, row: CsvRow, column: Column, text: str, effective: str) -> None:
    code, standard, item = _item(reading, row, column)
    if not item:
        reading.refuse(row, "field-missing", reading.names.get("code", "").strip())
        return
    category = reading.mapping.row.category
    profile, simple = _KINDS[category]
    if category is Category.BIOMETRIC and code.get("text", "") in _BODY:
        profile, simple = "JP_Observation_BodyMeasurement", "body-measurement"
    if not standard:
        reading.unmapped(code, reading.at(row, "code"))
    key = reading.key(f"{category.value}|csv|{effective}|{item}")
    made = fhir.resource("Observation", profile, reading.identity("Observation", key))
    status = _status(reading, row)
    made["status"] = status
    made["category"] = [fhir.concept(fhir.coding(simple, _SIMPLE))]
    made["code"] = code
    made["subject"] = reading.subject
    made["effectiveDateTime"] = effective
    unit = values.unit("", column.unit or reading.cell(row, "unit"))
    if len(unit) == 1:
        reading.find("unmapped-unit", reading.at(row, "unit"))
    made.update(_plain_value(text, dict(unit)))
    notes = reading.all(row, "comment")
    if notes:
        made["note"] = [{"text": note} for note in notes]
    reading.account(row, "item Observation")
    reading.add(category, made, key, row, cancelled=status == "entered-in-error")


def _plain_value(text: str, unit: dict[str, str]) -> dict[str, Any]:
    number = values.decimal(text)
    return (
        values.number_value(number, unit) if number is not None else values.text_value(text, unit)
    )
