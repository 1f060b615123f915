"""Diagnoses of claims: SY (medical), SB (DPC, with ICD-10), HS (dental, with the teeth).

A claim's diagnosis is a reason for what is claimed: some are there only to justify a test. So it
is an encounter diagnosis and no problem of the problem list, and の疑い stays provisional. It is
claimed month after month until its outcome; each month is a version of the same one.
"""

from typing import Any

from gateway.model.category import Category
from gateway.standardize.rows import Row
from gateway.standardize.uke import layout, masters
from gateway.standardize.uke.reading import PREFIX, UkeReading
from gateway.wire import fhir

_CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
_VERIFICATION = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
_CATEGORY = "http://terminology.hl7.org/CodeSystem/condition-category"
_STATUS = {"1": "active", "2": "resolved", "3": "inactive", "4": "inactive"}
"転帰区分 to clinicalStatus; a death and a stop end the claim, and nobody says cured."
_MAIN = "01"
_TAKEN = (
    "傷病名コード", "修飾語コード", "傷病名称", "診療開始日", "転帰区分", "主傷病", "補足コメント",
    "ICD-10", "傷病名区分", "歯式",
)  # fmt: skip


def read(reading: UkeReading, row: Row) -> None:
    """One row as JP_Condition_Diagnosis."""
    code = reading.code(row, "傷病名コード", 7)
    name = row.get("傷病名称")
    if not code and not name:
        reading.account(row, "field-missing" if not row.get("傷病名コード") else "exponent-number")
        if not row.get("傷病名コード"):
            reading.find("field-missing", reading.at(row, "傷病名コード"))
        return
    modifiers = _modifiers(reading, row)
    start = reading.day(row, "診療開始日")
    if start[:7] > reading.month:
        reading.find("month-order", reading.at(row, "診療開始日"))
    site = row.get("歯式")
    known = code if code != masters.UNCODED else ""
    key = reading.digest_key(
        f"{PREFIX}diagnosis", known or name, *modifiers, start or row.get("診療開始日"),
        row.get("傷病名区分"), site,
    )  # fmt: skip
    made = fhir.resource("Condition", "JP_Condition_Diagnosis", reading.identity("Condition", key))
    outcome = _outcome(reading, row)
    if outcome:
        made["extension"] = [outcome]
    made.update(_statuses(reading, row, modifiers))
    made["category"] = [fhir.concept(fhir.coding("encounter-diagnosis", _CATEGORY))]
    if row.get("主傷病") == _MAIN:
        made["category"].append(fhir.concept(text="主傷病"))
    elif row.get("主傷病"):
        reading.find("field-table", reading.at(row, "主傷病"))
    if row.get("傷病名区分"):
        made["category"].append(
            fhir.concept(fhir.coding(row.get("傷病名区分"), masters.DISEASE_CLASS))
        )
    made["code"] = _code(reading, row, code, name, modifiers)
    if site:
        made["bodySite"] = [fhir.concept(text=site)]
    made["subject"] = reading.subject
    if start:
        made["onsetDateTime"] = start
    if outcome and row.get("転帰区分") in ("2", "3", "4"):
        made["abatementDateTime"] = reading.month
    if row.get("補足コメント"):
        made["note"] = reading.notes_of([row.get("補足コメント")])
    reading.take(row, *_TAKEN, became="item Condition")
    reading.add(Category.DIAGNOSIS, made, key, row, version=reading.order)


def _modifiers(reading: UkeReading, row: Row) -> list[str]:
    """Modifiers of four digits each, in one cell."""
    text = row.get("修飾語コード")
    if not text:
        return []
    if not (text.isascii() and text.isdigit() and len(text) % 4 == 0):
        reading.find("field-type", reading.at(row, "修飾語コード"))
        return [text]
    return [text[place : place + 4] for place in range(0, len(text), 4)]


def _code(
    reading: UkeReading, row: Row, code: str, name: str, modifiers: list[str]
) -> dict[str, Any]:
    """The disease of the receipt master with its modifiers; the name as far as one is known.

    In the master of modifiers 8xxx stand behind the name and the others in front of it.
    """
    whole = len(code) == 7 and code.isascii() and code.isdigit()
    known = name or (reading.name(masters.DISEASE, code) if whole else "")
    codings = []
    if code:
        system = masters.DISEASE if whole else reading.local_system("disease")
        codings.append(fhir.coding(code, system, reading.name(system, code)))
    if not whole or code == masters.UNCODED:
        reading.find("unmapped-code", reading.at(row, "傷病名コード"))
    elif not known:
        reading.find("name-not-loaded")
    if row.get("ICD-10"):
        codings.append(fhir.coding(row.get("ICD-10"), masters.ICD10))
    extensions, before, behind = [], "", ""
    for modifier in modifiers:
        coded = len(modifier) == 4
        text = reading.name(masters.MODIFIER, modifier) if coded else ""
        suffix = modifier.startswith("8")
        kind = (
            "JP_Condition_DiseasePostfixModifier"
            if suffix
            else ("JP_Condition_DiseasePrefixModifier")
        )
        system = masters.MODIFIER if coded else reading.local_system("disease-modifier")
        concept = fhir.concept(fhir.coding(modifier, system, text), text=text)
        extensions.append(fhir.extension(fhir.EXTENSIONS + kind, "CodeableConcept", concept))
        if not text:
            reading.find("name-not-loaded")
        shown = text or f"〔修飾語{modifier}〕"
        before, behind = (before, behind + shown) if suffix else (before + shown, behind)
    made = fhir.concept(*codings, text=before + known + behind if known else "")
    return {"extension": extensions, **made} if extensions else made


def _outcome(reading: UkeReading, row: Row) -> dict[str, Any] | None:
    """転帰区分 as the outcome extension."""
    text = row.get("転帰区分")
    name = layout.names("outcome").get(text, "")
    if not name:
        if text:
            reading.find("field-table", reading.at(row, "転帰区分"))
        return None
    concept = fhir.concept(fhir.coding(text, masters.OUTCOME, name), text=name)
    return fhir.extension(
        fhir.EXTENSIONS + "JP_Condition_DiseaseOutcome", "CodeableConcept", concept
    )


def _statuses(reading: UkeReading, row: Row, modifiers: list[str]) -> dict[str, Any]:
    """Clinical and verification status; DPC's records of diseases say no outcome."""
    status = _STATUS.get(row.get("転帰区分"), "active")
    made = {"clinicalStatus": fhir.concept(fhir.coding(status, _CLINICAL))}
    if masters.SUSPECTED in modifiers:
        made["verificationStatus"] = fhir.concept(fhir.coding("provisional", _VERIFICATION))
    return made
