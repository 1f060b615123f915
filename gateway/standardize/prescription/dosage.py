"""How a drug of a prescription is taken: records 111, 181, 221, 241 and JAMI's of 281 as a Dosage.

The dose of a 201 is a day's for oral drugs, one time's for those taken as needed, and with the
count of the RP the whole for the rest (`japan/pharmacy.md` section 3).
"""

import re
from decimal import Decimal
from typing import Any

from gateway.standardize import codes, medication, usage, values
from gateway.standardize.prescription.records import Drug, PrescriptionReading, Rp
from gateway.standardize.rows import Row
from gateway.standardize.usage import Supplement
from gateway.wire import fhir

DAILY, AS_NEEDED = "1", "2"
_MOST = 1000
"Forms of record 101: oral, taken as needed."
_STRENGTHS = {"1": "製剤量", "2": "原薬量"}
_USAGES = {"2": codes.USAGE, "3": usage.E_PRESCRIPTION}


def dosage(reading: PrescriptionReading, rp: Rp, drug: Drug) -> dict[str, Any]:
    """Records 111, 181, 221, 241 and JAMI's of 281 as one Dosage."""
    made: dict[str, Any] = {}
    count = count_of(reading, rp)
    if form_of(rp) == DAILY and count is not None:
        made["extension"] = [
            fhir.extension(medication.USAGE_DURATION, "Duration", medication.days(count))
        ]
    how = rp.about.get("111")
    once = drug.about.get("241")
    times = (how.get("times") if how else "") or (once.get("times") if once else "")
    if how and how.get("times") and not re.fullmatch("[1-9][0-9]?", how.get("times")):
        reading.find("unmapped-field", f"{how.at} times")
    code_kind = how.get("code_kind") if how else ""
    system = _USAGES.get(code_kind, "")
    told, problems = usage.dosage(
        how.get("code") if how and system else "", how.get("text") if how else "", times=times,
        supplements=_supplements(reading, rp, drug), system=system,
    )  # fmt: skip
    made |= told
    if how:
        for problem in problems:
            reading.find(problem, f"{how.at} code")
        if how.get("code") and not system:
            reading.find("unmapped-code", f"{how.at} code")
    if form_of(rp) == AS_NEEDED:
        made["asNeededBoolean"] = True
    extra = [
        fhir.concept(text=row.get("text"))
        for row in rp.notes
        if row.get("kind") == "7" and row.get("text")
    ]
    extra += _unequal(reading, drug, form_of(rp))
    for row in rp.notes:
        if row.get("kind") in ("6", "9"):
            code = row.get("site") if row.get("kind") == "9" else ""
            where = usage.site(code, row.get("text"))
            if where and made.setdefault("site", where) is not where:
                extra.append(where)  # one site is all that a Dosage has
    single = _once(reading, drug, extra)
    if extra:
        made.setdefault("additionalInstruction", []).extend(extra)
    rate = _rate(reading, rp, drug, single)
    if rate:
        made["doseAndRate"] = [rate]
    return made


def _supplements(reading: PrescriptionReading, rp: Rp, drug: Drug) -> list[Supplement]:
    """What changes days or amounts: all of 181 but how it is prepared, site and single dose."""
    found = []
    for row in rp.notes:
        if row.get("kind") not in ("2", "4", "6", "7", "9") and (
            row.get("text") or row.get("code")
        ):
            found.append(Supplement(row.get("code"), row.get("text")))
    for row in drug.notes:
        if row.get("kind") == "7" and (row.get("text") or row.get("code")):
            found.append(Supplement(row.get("code"), row.get("text")))
    return found


def _unequal(reading: PrescriptionReading, drug: Drug, form: str) -> list[dict[str, Any]]:
    """Record 221: how much at the first, second … time of a day, as supplements."""
    row = drug.about.get("221")
    if row is None:
        return []
    unit = drug.row.get("unit")
    found, total = [], Decimal(0)
    for turn in range(1, 6):
        amount, code = number_in(reading, row, f"dose{turn}"), row.get(f"code{turn}")
        if amount is None and not code:
            continue
        told = usage.unequal(code)
        if code and told != (turn, amount):
            reading.find("dose-clash", f"{row.at} code{turn}")
        shown = f"不均等・{turn}回目・{row.get(f'dose{turn}')}{unit}" if amount is not None else ""
        coding = [fhir.coding(code, usage.ADDITIONAL, shown)] if code else []
        found.append(fhir.concept(*coding, text=shown or code))
        total += amount or 0
    dose = number_in(reading, drug.row, "dose")
    if form == DAILY and dose is not None and found and total != dose:
        reading.find("dose-clash", row.at)
    return found


def _once(reading: PrescriptionReading, drug: Drug, extra: list[dict[str, Any]]) -> Decimal | None:
    """Record 241, one time's dose; one that is no decimal (2/3) stays text."""
    row = drug.about.get("241")
    if row is None or not row.get("dose"):
        return None
    found = values.decimal(row.get("dose"))
    if found is None:
        extra.append(fhir.concept(text=f"１回服用量 {row.get('dose')}{drug.row.get('unit')}"))
    return found


def _rate(
    reading: PrescriptionReading, rp: Rp, drug: Drug, single: Decimal | None
) -> dict[str, Any]:
    """The dose of a day, or of one time where it is taken as needed."""
    made: dict[str, Any] = {}
    row, form = drug.row, form_of(rp)
    dose = number_in(reading, row, "dose")
    if form == AS_NEEDED:
        single = single if single is not None else dose
    if form == DAILY and dose is not None:
        made["rateRatio"] = medication.per_day(amount_of(reading, row, dose))
    if single is not None:
        made["doseQuantity"] = amount_of(reading, row, single)
    strength = row.get("potency")
    if made and strength in _STRENGTHS:
        coding = fhir.coding(strength, medication.STRENGTH_TYPE, _STRENGTHS[strength])
        made["type"] = fhir.concept(coding, text=_STRENGTHS[strength])
    return made


def form_of(rp: Rp) -> str:
    """The form of an RP (101): oral, as needed, external …; empty where it is not stated."""
    return rp.about["101"].get("form") if "101" in rp.about else ""


def count_of(reading: PrescriptionReading, rp: Rp) -> Decimal | None:
    """Days or times of the RP; a count of more than three digits is none, and is found."""
    row = rp.about.get("101")
    found = number_in(reading, row, "count") if row else None
    return found if found is not None and 0 <= found < _MOST else None


def number_in(reading: PrescriptionReading, row: Row, column: str) -> Decimal | None:
    """A cell that is a number; one that is none is found."""
    text = row.get(column)
    found = values.decimal(text) if text else None
    if text and found is None:
        reading.find("not-a-number", f"{row.at} {column}")
    return found


def amount_of(reading: PrescriptionReading, row: Row, value: Decimal) -> dict[str, Any]:
    """A number in the unit of a 201."""
    unit = row.get("unit")
    code = codes.dose_unit_code(unit)
    if not code and unit:
        reading.find("unmapped-unit", f"{row.at} unit")
    return medication.dose(value, unit, code)
