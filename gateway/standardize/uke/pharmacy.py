"""Dispensing of pharmacy claims: each SH (a group of drugs) owns the CZ and IY, TO that follow.

A CZ is one handing over of the group, so a drug of the group is dispensed once for each CZ. The
amount of an oral drug is a day's and the CZ counts days; of others the CZ counts times.
"""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from gateway.model.batch import Resource
from gateway.model.category import Category
from gateway.model.person import Script
from gateway.standardize import medication
from gateway.standardize.described import person_name
from gateway.standardize.rows import Row
from gateway.standardize.uke import acts, layout, masters
from gateway.standardize.uke.acts import Act
from gateway.standardize.uke.person import organization
from gateway.standardize.uke.reading import UkeReading, amount
from gateway.wire import fhir

_DAILY = frozenset({"1", "2", "6", "7"})
"内服, 内滴, 浸煎, 湯: the amount is a day's, as in the medication notebook."
_AS_NEEDED = "3"


@dataclass(slots=True)
class _Group:
    """One SH."""

    sh: Row
    events: list[Row] = field(default_factory=list)
    items: list[Row] = field(default_factory=list)
    comments: list[Row] = field(default_factory=list)


def read(reading: UkeReading, re: Row) -> None:
    """Every group of drugs, then what the claim says in words."""
    group: _Group | None = None
    found: list[_Group] = []
    told: list[Row] = []
    for row in reading.receipt.rows:
        match row.record:
            case "SH":
                group = _Group(row)
                found.append(group)
            case "CZ" if group:
                group.events.append(row)
            case "IY" | "TO" if group:
                group.items.append(row)
            case "CO" if group:
                group.comments.append(row)
            case "CO" | "TK":
                told.append(row)
            case "CZ" | "IY" | "TO":
                reading.leave(row, "row-order")
    for one in found:
        _read_group(reading, re, one)
    for row in told:
        text = reading.comment(row.get("コメントコード"), row.get("文字データ"))
        acts.message(reading, [row], [text], "レセプト摘要", Category.DISPENSING)


def _read_group(reading: UkeReading, re: Row, group: _Group) -> None:
    """The drugs and materials of one SH for each of its CZ."""
    reading.take(group.sh, "No", "剤形コード", "用法コード", "特別指示")
    notes = [reading.comment(row.get("コメントコード"), row.get("文字データ"))
             for row in group.comments]  # fmt: skip
    for row in group.comments:
        reading.take(row, "コメントコード", "文字データ")
    for event in group.events:
        reading.take(event, "医師番号", "処方月日", "調剤月日", "調剤数量")
    place = 0
    for row in group.items:
        column = "医薬品コード" if row.record == "IY" else "特定器材コード"
        code = reading.code(row, column, 9)
        if not code:
            reading.leave(row, "exponent-number" if row.get(column) else "field-missing")
            continue
        place += row.record == "IY"
        quantity = reading.number(row, "使用量")
        kind = "MedicationDispense" if row.record == "IY" else "SupplyDelivery"
        reading.take(row, column, "使用量", "単位コード", "1回用量", became=f"item {kind}")
        if not group.events:
            reading.find("field-missing", f"{group.sh.at} CZ")
        events: list[Row | None] = [*group.events] or [None]
        for one in events:
            day = reading.day(one, "調剤月日") if one else ""
            count = reading.number(one, "調剤数量") if one else None
            whole = count is not None and count == count.to_integral_value() and 0 < count < 1000
            act = Act(
                row=row, column=column, code=code, kind="", day=day,
                count=int(count) if whole and count is not None else 0, quantity=quantity,
                unit=row.get("単位コード"), comments=tuple(notes),
            )  # fmt: skip
            if row.record == "TO":
                acts.material(reading, act, Category.DISPENSING)
            else:
                _dispense(reading, re, group.sh, one, act, str(place))


def _dispense(
    reading: UkeReading, re: Row, sh: Row, event: Row | None, act: Act, place: str
) -> None:
    """One drug handed over once, as JP_MedicationDispense."""
    number = sh.get("No").lstrip("0")
    key = reading.item_key("dispensed", act.code, act.day, number)
    made = fhir.resource(
        "MedicationDispense", "JP_MedicationDispense", reading.identity("MedicationDispense", key)
    )
    made["identifier"] = medication.rp_identifiers(number, place)
    made["status"] = "completed"
    made["medicationCodeableConcept"] = acts.coded(reading, act, masters.DRUG, "drug")
    made["subject"] = reading.subject
    companions: list[Resource] = []
    if reading.institution is not None:
        made["performer"] = [{"actor": fhir.reference(reading.institution["id"])}]
        companions.append(reading.institution)
    origin = _prescriber(reading, re, event)
    if origin:
        made["supportingInformation"] = [fhir.reference(origin[0]["id"])]
        companions += origin
    prescribed = reading.day(event, "処方月日") if event else ""
    if prescribed:
        made["authorizingPrescription"] = [
            {"type": "MedicationRequest", "display": f"処方日 {prescribed}"}
        ]
    if act.day:
        made["whenHandedOver"] = act.day
    daily = sh.get("剤形コード") in _DAILY
    if act.quantity is not None:
        reading.find("unit-not-stated")
        total = medication.whole(act.quantity, act.count)
        if act.count and total is not None:
            made["quantity"] = amount(total)
            if act.count != 1:
                reading.find("computed-quantity", act.row.at)
    if daily and act.count:
        made["daysSupply"] = medication.days(Decimal(act.count))
    dosage = _dosage(reading, sh, act, daily=daily)
    if dosage:
        made["dosageInstruction"] = [dosage]
    if any(act.comments):
        made["note"] = reading.notes_of(act.comments)
    reading.add(Category.DISPENSING, made, key, act.row, companions=tuple(companions))


def _dosage(reading: UkeReading, sh: Row, act: Act, *, daily: bool) -> dict[str, Any]:
    """Usage by its code of three digits and the special instruction, and the dose."""
    made: dict[str, Any] = {}
    if daily and act.count:
        days = medication.days(Decimal(act.count))
        made["extension"] = [fhir.extension(medication.USAGE_DURATION, "Duration", days)]
    usage = reading.code(sh, "用法コード", 3)
    name = reading.name(masters.USAGE, usage) if usage else ""
    text = " ".join(part for part in (name, sh.get("特別指示")) if part)
    if text:
        made["text"] = text
    if usage:
        made["timing"] = {"code": fhir.concept(fhir.coding(usage, masters.USAGE, name), text=text)}
        if not name:
            reading.find("name-not-loaded")
    form = sh.get("剤形コード")
    shown = layout.names("form").get(form, "")
    if form and not shown:
        reading.find("field-table", reading.at(sh, "剤形コード"))
    if shown:
        coding = fhir.coding(form, masters.FORM, shown)
        made["additionalInstruction"] = [fhir.concept(coding, text=shown)]
    if form == _AS_NEEDED:
        made["asNeededBoolean"] = True
    doses: dict[str, Any] = {}
    if act.quantity is not None and daily:
        doses["rateRatio"] = medication.per_day(amount(act.quantity))
    elif act.quantity is not None and form == _AS_NEEDED:
        doses["doseQuantity"] = amount(act.quantity)
    once = reading.number(act.row, "1回用量")
    if once is not None and doses.setdefault("doseQuantity", amount(once)) != amount(once):
        reading.find("dose-clash", reading.at(act.row, "1回用量"))
    if doses:
        made["doseAndRate"] = [doses]
    return made


def _prescriber(reading: UkeReading, re: Row, event: Row | None) -> list[Resource]:
    """RE-9 to 13 and the doctor that CZ-1 counts: a role, a doctor or an institution."""
    name, code = re.get("医療機関名称"), re.get("医療機関コード")
    parts: list[Resource] = []
    if name or code:
        parts.append(
            organization(
                reading, prefecture=re.get("医療機関都道府県"), fee_table=re.get("医療機関点数表"),
                code=code, name=name, address=re.get("医療機関所在地"),
            )
        )  # fmt: skip
    ordinal = event.get("医師番号") if event else ""
    doctor = re.get(f"医師氏名{int(ordinal)}") if ordinal.isascii() and ordinal.isdigit() else ""
    if ordinal and not doctor and event:
        reading.find("field-table", reading.at(event, "医師番号"))
    if not doctor:
        return parts
    shown = person_name(doctor, Script.KANJI)
    place = parts[0]["id"] if parts else str(reading.domain)
    practitioner = fhir.practitioner(fhir.resource_id("Practitioner", place, shown.full), (shown,))
    role = fhir.resource(
        "PractitionerRole",
        "JP_PractitionerRole",
        fhir.resource_id("PractitionerRole", place, practitioner["id"]),
    )
    role["practitioner"] = fhir.reference(practitioner["id"])
    if parts:
        role["organization"] = fhir.reference(parts[0]["id"])
    return [role, practitioner, *parts]
