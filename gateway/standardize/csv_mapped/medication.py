"""Rows of prescribed and dispensed drugs: JP_MedicationRequest and JP_MedicationDispense.

A row is one drug. The dose is what its column says, and its unit; nothing is multiplied.
"""

from decimal import Decimal
from typing import Any

from gateway.model.batch import Resource
from gateway.model.category import Category
from gateway.standardize import codes, medication, usage, values
from gateway.standardize.csv_mapped.reading import CsvReading
from gateway.standardize.csv_mapped.rows import CsvRow
from gateway.wire import fhir

_LONGEST_DAYS = 3


def read(reading: CsvReading, rows: list[CsvRow]) -> None:
    """Every row as one drug; its place in the RP is counted where the file has RP numbers."""
    places: dict[tuple[str, str, str], int] = {}
    for row in rows:
        name = reading.cell(row, "name")
        drug, standard = reading.coded(row, "code", name, "drug")
        day = reading.day(row, "date", "time")
        if not drug:
            reading.refuse(row, "field-missing", reading.names.get("code", "").strip())
            continue
        if not standard:
            reading.unmapped(drug, reading.at(row, "code"))
        order, rp = reading.cell(row, "order"), reading.cell(row, "rp").lstrip("0")
        place = ""
        if rp:
            group = (order, day, rp)
            places[group] = places.get(group, 0) + 1
            place = str(places[group])
        _drug_row(reading, row, drug, (order, rp, place, day))


def _drug_row(
    reading: CsvReading, row: CsvRow, drug: Resource, numbers: tuple[str, str, str, str]
) -> None:
    order, rp, place, day = numbers
    category = reading.mapping.row.category
    asked = category is Category.PRESCRIPTION
    kind = "MedicationRequest" if asked else "MedicationDispense"
    item = drug.get("coding", [{}])[0].get("code", "") or drug.get("text", "")
    usage = reading.cell(row, "usage") or reading.cell(row, "usage.code")
    key = reading.digest_key(f"{category.value}|csv|{order}|{day}", rp, item, usage)
    made = fhir.resource(kind, f"JP_{kind}", reading.identity(kind, key))
    made["identifier"] = medication.rp_identifiers(rp, place)
    if order:
        system = codes.local_identifiers(reading.domain, "order")
        made["identifier"].append(fhir.identifier(system, order))
    made["status"] = "unknown" if asked else "completed"
    if asked:
        made["intent"] = "order"
    made["medicationCodeableConcept"] = drug
    made["subject"] = reading.subject
    if day:
        made["authoredOn" if asked else "whenHandedOver"] = day
    notes = [*reading.all(row, "comment"), *_unread(reading, row)]
    if notes:
        made["note"] = [{"text": text} for text in notes]
    days = _days(reading, row)
    dosage = _dosage(reading, row, days)
    if dosage:
        made["dosageInstruction"] = [dosage]
    quantity = _amount(reading, row, "quantity")
    if asked:
        supply = {"quantity": quantity, "expectedSupplyDuration": days}
        found = {name: value for name, value in supply.items() if value}
        if found:
            made["dispenseRequest"] = found
    else:
        if quantity:
            made["quantity"] = quantity
        if days:
            made["daysSupply"] = days
    reading.account(row, f"item {kind}")
    reading.add(category, made, key, row)


_AMOUNTS = {"dose": "用量", "days": "日数", "quantity": "数量"}
"Columns of numbers, and what people call them."


def _unread(reading: CsvReading, row: CsvRow) -> list[str]:
    """Amounts that are no numbers, as people read them."""
    return [
        f"{name} {text}"
        for word, name in _AMOUNTS.items()
        if (text := reading.cell(row, word)) and values.decimal(text) is None
    ]


def _number(reading: CsvReading, row: CsvRow, word: str) -> Decimal | None:
    text = reading.cell(row, word)
    found = values.decimal(text) if text else None
    if text and found is None:
        reading.find("not-a-number", reading.at(row, word))
    return found


def _amount(reading: CsvReading, row: CsvRow, word: str) -> dict[str, Any]:
    value = _number(reading, row, word)
    if value is None:
        return {}
    column = reading.column(word)
    unit = (column.unit if column else "") or reading.cell(row, "unit")
    code = codes.dose_unit_code(unit)
    if unit and not code:
        reading.find("unmapped-unit", reading.at(row, "unit"))
    return medication.dose(value, unit, code)


def _days(reading: CsvReading, row: CsvRow) -> dict[str, Any]:
    value = _number(reading, row, "days")
    if value is None or not 0 < value < 10**_LONGEST_DAYS:
        if value is not None:
            reading.find("field-type", reading.at(row, "days"))
        return {}
    return medication.days(value)


def _dosage(reading: CsvReading, row: CsvRow, days: dict[str, Any]) -> dict[str, Any]:
    """Usage as text and code, days, and the dose as far as it is one."""
    made: dict[str, Any] = {}
    if days:
        made["extension"] = [fhir.extension(medication.USAGE_DURATION, "Duration", days)]
    text, code = reading.cell(row, "usage"), reading.cell(row, "usage.code")
    if text or code:
        parts, problems = usage.dosage(code, text)
        made |= {"text": code} | parts
        for problem in problems:
            reading.find(problem, reading.at(row, "usage.code"))
    dose = _amount(reading, row, "dose")
    if dose:
        # Of one time or of a day, the file does not say which: a dose, not a rate.
        made["doseAndRate"] = [{"doseQuantity": dose}]
    return made
