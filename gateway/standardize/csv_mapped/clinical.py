"""Rows of diagnoses and allergies: JP_Condition_Diagnosis and JP_AllergyIntolerance."""

from typing import Any

from gateway.model.category import Category
from gateway.standardize import allergies, codes
from gateway.standardize.csv_mapped.reading import CsvReading
from gateway.standardize.csv_mapped.rows import CsvRow
from gateway.wire import fhir

_CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
_VERIFICATION = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
_CATEGORY = "http://terminology.hl7.org/CodeSystem/condition-category"
_OUTCOMES = {
    "治癒": "resolved", "治ゆ": "resolved", "軽快": "remission", "寛解": "remission",
    "死亡": "inactive", "中止": "inactive", "転医": "inactive", "移行": "inactive",
    "継続": "active", "不変": "active",
}  # fmt: skip
_STATUSES = frozenset({"active", "resolved", "inactive", "remission"})
_YES = frozenset({"yes", "1", "疑い", "疑", "○", "主", "主病名"})
_MILD = {"軽度": "mild", "中等度": "moderate", "重度": "severe"}
_SEVERITIES = frozenset({"mild", "moderate", "severe"})
_KINDS = {"薬剤": "medication", "薬": "medication", "食物": "food", "食品": "food",
          "環境": "environment"}  # fmt: skip
_ALLERGENS = frozenset({"medication", "food", "environment", "biologic"})


def diagnoses(reading: CsvReading, rows: list[CsvRow]) -> None:
    """Every row as a problem-list item."""
    for row in rows:
        name = reading.cell(row, "name")
        code, standard = reading.coded(row, "code", name, "disease")
        if not code:
            reading.refuse(row, "field-missing", reading.names.get("name", "").strip())
            continue
        if not standard:
            reading.unmapped(code, reading.at(row, "code"))
        number, onset = reading.cell(row, "number"), reading.day(row, "date")
        item = code.get("coding", [{}])[0].get("code", "")
        key = reading.digest_key("diagnosis|csv", number or "|".join((item, name, onset)))
        made = fhir.resource(
            "Condition", "JP_Condition_Diagnosis", reading.identity("Condition", key)
        )
        if number:
            system = codes.local_identifiers(reading.domain, "diagnosis")
            made["identifier"] = [fhir.identifier(system, number)]
        ended = reading.day(row, "end")
        made.update(_statuses(reading, row, ended))
        made["category"] = [fhir.concept(fhir.coding("problem-list-item", _CATEGORY))]
        if reading.cell(row, "main") in _YES:
            made["category"].append(fhir.concept(text="主病名"))
        made["code"] = code
        made["subject"] = reading.subject
        recorded = reading.day(row, "recorded")
        for element, day in (("onsetDateTime", onset), ("abatementDateTime", ended),
                             ("recordedDate", recorded)):  # fmt: skip
            if day:
                made[element] = day
        _notes(reading, row, made)
        reading.account(row, "item Condition")
        reading.add(Category.DIAGNOSIS, made, key, row)


def _statuses(reading: CsvReading, row: CsvRow, ended: str) -> dict[str, Any]:
    """Clinical and verification status; a word that is not known says nothing (con-4)."""
    said = reading.cell(row, "outcome")
    status = said if said in _STATUSES else _OUTCOMES.get(said, "")
    if said and not status:
        reading.find("field-table", reading.at(row, "outcome"))
    if ended and status in ("", "active"):
        status = "inactive"
    made = {"clinicalStatus": fhir.concept(fhir.coding(status or "active", _CLINICAL))}
    if said:
        made["clinicalStatus"]["text"] = said
    if reading.cell(row, "suspected") in _YES:
        made["verificationStatus"] = fhir.concept(fhir.coding("provisional", _VERIFICATION))
    return made


def _notes(reading: CsvReading, row: CsvRow, made: dict[str, Any]) -> None:
    notes = reading.all(row, "comment")
    if notes:
        made["note"] = [{"text": text} for text in notes]


def allergies_of(reading: CsvReading, rows: list[CsvRow]) -> None:
    """Every row as an allergy that holds."""
    for row in rows:
        name = reading.cell(row, "name")
        code, standard = reading.coded(row, "code", name, "allergen")
        if not code:
            reading.refuse(row, "field-missing", reading.names.get("name", "").strip())
            continue
        if not standard:
            reading.unmapped(code, reading.at(row, "code"))
        item = code.get("coding", [{}])[0].get("code", "")
        key = reading.digest_key("allergy|csv", item, name)
        made = allergies.allergy(reading.identity("AllergyIntolerance", key), cancelled=False)
        kind = reading.cell(row, "kind")
        category = kind if kind in _ALLERGENS else _KINDS.get(kind, "")
        if category:
            made["category"] = [category]
        elif kind:
            reading.find("field-table", reading.at(row, "kind"))
        made["code"] = code
        made["patient"] = reading.subject
        recorded = reading.day(row, "date")
        if recorded:
            made["recordedDate"] = recorded
        _notes(reading, row, made)
        said = reading.cell(row, "severity")
        severity = said if said in _SEVERITIES else _MILD.get(said, "")
        if said and not severity:
            reading.find("field-table", reading.at(row, "severity"))
        text = reading.cell(row, "reaction")
        if text or severity:
            made["reaction"] = [allergies.reaction(text, severity)]
        reading.account(row, "item AllergyIntolerance")
        reading.add(Category.ALLERGY, made, key, row)
