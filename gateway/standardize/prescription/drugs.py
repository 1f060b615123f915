"""Drugs of a prescription to JP_MedicationRequest: records 51 to 82 and 101 to 281.

One resource a 201; how it is taken is in `dosage.py`.
"""

from dataclasses import dataclass
from typing import Any

from gateway.model.batch import Resource
from gateway.model.category import Category
from gateway.standardize import medication, values
from gateway.standardize.prescription import dosage
from gateway.standardize.prescription.records import (
    LAYOUTS,
    Drug,
    Prescription,
    PrescriptionReading,
    Rp,
)
from gateway.standardize.rows import Row
from gateway.wire import fhir

_FORM = "urn:oid:1.2.392.100495.20.2.21"
_FORMS = {"1": "内服", "2": "頓服", "3": "外用", "4": "内服滴剤", "5": "注射", "6": "医療材料"}
_EXCHANGE = "urn:x-regional-gateway:id:prescription-exchange-number"
"引換番号: no public system is known for it."
_SUBSTITUTION = (
    "http://jpfhir.jp/fhir/core/mhlw/CodeSystem/MedicationSubstitutionProhibittedCategory"
)
_FIXED = {"3": ("1", "変更不可"), "4": ("2", "剤形変更不可"), "5": ("3", "含量規格変更不可")}
_FIXED_BOTH = "6"
_INSTRUCTION = fhir.EXTENSIONS + "JP_MedicationRequest_DispenseRequest_InstructionForDispense"
_REPEATS = fhir.EXTENSIONS + "JP_MedicationRequest_DispenseRequest_ExpectedRepeatCount"
_PREPARATION = "urn:oid:1.2.392.200250.2.2.30.10"
_ONE_PACK, _CRUSH = ("OP", "一包化指示"), ("C", "粉砕指示")
_PREPARED_RP = {"2": _ONE_PACK, "4": _CRUSH}
_PREPARED_DRUG = {"1": _ONE_PACK, "2": _CRUSH}
_PREPARED_ALL = {"1": _ONE_PACK, "2": _CRUSH}
_LEFTOVERS = {"1": "保険医療機関へ疑義照会した上で調剤", "2": "保険医療機関へ情報提供"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """What every drug of the prescription has in common."""

    requester: dict[str, Any] | None
    parties: tuple[Resource, ...]
    insurances: tuple[tuple[str, Resource, tuple[Resource, ...]], ...]
    identifiers: tuple[dict[str, Any], ...]
    "Of the whole prescription, beside the exchange number."
    issuer: str
    "Code or name of the institution, for telling prescriptions apart."


@dataclass(frozen=True, slots=True)
class _Sheet:
    """Records 51 to 82 as FHIR says them."""

    authored: str
    validity: dict[str, str]
    repeats: int | None
    exchange: str
    notes: tuple[str, ...]
    preparations: tuple[dict[str, Any], ...]


def read(reading: PrescriptionReading, prescription: Prescription, shared: Shared) -> None:
    """Every drug of every RP."""
    sheet = _sheet(reading, prescription)
    for rp in prescription.rps:
        if not rp.drugs:
            for row in (*rp.about.values(), *rp.notes):
                reading.leave(row, "record-order")
            continue
        for place, drug in enumerate(rp.drugs, start=1):
            made = _request(reading, rp, drug, place, sheet)
            made["identifier"] += shared.identifiers
            if shared.requester:
                made["requester"] = shared.requester
            paying = _paying(drug, shared)
            if paying:
                made["insurance"] = [fhir.reference(one["id"]) for _, one, _ in paying]
            key = _key(reading, prescription, shared, rp, drug, sheet)
            made["id"] = reading.identity("MedicationRequest", key)
            _settle(reading, rp, drug)
            reading.add(
                Category.PRESCRIPTION, made, key, drug.row,
                companions=(
                    *shared.parties, *(part for _, one, payer in paying for part in (one, *payer)),
                ),
            )  # fmt: skip


def _sheet(reading: PrescriptionReading, prescription: Prescription) -> _Sheet:
    """Dates, validity, refills, exchange number, remarks."""
    about = prescription.about
    authored, until = (
        reading.day(about[record], "date") if record in about else "" for record in ("51", "52")
    )
    notes, preparations = [], []
    if prescription.get("62", "flag"):
        flag = prescription.get("62", "flag")
        notes.append(f"残薬確認対応: {_LEFTOVERS.get(flag, flag)}")
    if "63" in about:
        total, turn = prescription.get("63", "total"), prescription.get("63", "turn")
        notes.append(f"分割指示: {total}回のうち{turn}回目")
    for row in prescription.remarks:
        if row.get("text"):
            notes.append(row.get("text"))
        if row.get("kind") in _PREPARED_ALL:
            preparations.append(_preparation(*_PREPARED_ALL[row.get("kind")], row.get("text")))
        reading.take_whole(row)
    number = prescription.get("82", "number")
    if number and prescription.get("82", "kind") != "1":
        notes.append(f"処方箋番号: {number}")
        number = ""
    total_uses = values.decimal(prescription.get("64", "total"))
    if prescription.get("64", "total") and (total_uses is None or not 1 <= total_uses <= 9):
        reading.find("field-type", f"{about['64'].at} total")
        notes.append(f"リフィル回数: {prescription.get('64', 'total')}")
    for record in ("51", "52", "62", "63", "64", "82"):
        if record in about:
            reading.take_whole(about[record])
    validity = {name: day for name, day in (("start", authored), ("end", until)) if day}
    return _Sheet(
        authored, validity if until else {},
        int(total_uses) - 1 if total_uses is not None and 1 <= total_uses <= 9 else None,
        number, tuple(notes), tuple(preparations),
    )  # fmt: skip


def _request(
    reading: PrescriptionReading, rp: Rp, drug: Drug, place: int, sheet: _Sheet
) -> Resource:
    """One 201 as a JP_MedicationRequest."""
    row = drug.row
    made = fhir.resource("MedicationRequest", "JP_MedicationRequest", "")
    order = row.get("seq").lstrip("0") or str(place)
    made["identifier"] = medication.rp_identifiers(rp.number, order)
    if sheet.exchange:
        made["groupIdentifier"] = fhir.identifier(_EXCHANGE, sheet.exchange)
    made["status"] = "active"
    made["intent"] = "order"
    form = dosage.form_of(rp)
    kind = rp.about["101"].get("form_name") if "101" in rp.about else ""
    if form:
        shown = _FORMS.get(form, "")
        made["category"] = [fhir.concept(fhir.coding(form, _FORM, shown), text=kind or shown)]
    made["medicationCodeableConcept"] = _drug(reading, row)
    made["subject"] = reading.subject
    if sheet.authored:
        made["authoredOn"] = sheet.authored
    taken = dosage.dosage(reading, rp, drug)
    supply = _supply(reading, rp, drug, sheet)
    told = "quantity" in supply or "doseAndRate" in taken
    notes = [*sheet.notes, *_notes(rp, drug), *_unread(reading, rp, row, told=told)]
    if notes:
        made["note"] = [{"text": text} for text in notes]
    if taken:
        made["dosageInstruction"] = [taken]
    if supply:
        made["dispenseRequest"] = supply
    fixed = _substitution(reading, drug)
    if fixed:
        made["substitution"] = fixed
    return made


def _drug(reading: PrescriptionReading, row: Row) -> dict[str, Any]:
    """Code of its kind and name; a general name without a code says only that it is one."""
    kind, code, name = (row.get(column) for column in ("code_kind", "code", "name"))
    coding = medication.drug_coding(reading, f"{row.at} code", kind, code, name)
    return fhir.concept(*([coding] if coding else []), text=name)


def _supply(reading: PrescriptionReading, rp: Rp, drug: Drug, sheet: _Sheet) -> dict[str, Any]:
    """What to dispense: preparation, quantity, days or times, validity, refills."""
    made: dict[str, Any] = {}
    count, dose = dosage.count_of(reading, rp), dosage.number_in(reading, drug.row, "dose")
    form = dosage.form_of(rp)
    extensions = list(sheet.preparations)
    for rows, kinds in ((rp.notes, _PREPARED_RP), (drug.notes, _PREPARED_DRUG)):
        for row in rows:
            if row.get("kind") in kinds:
                one = _preparation(*kinds[row.get("kind")], row.get("text"))
                if one not in extensions:
                    extensions.append(one)
    if form == dosage.AS_NEEDED and count is not None and count == count.to_integral_value():
        extensions.append(fhir.extension(_REPEATS, "Integer", int(count)))
    if extensions:
        made["extension"] = extensions
    if sheet.validity:
        made["validityPeriod"] = sheet.validity
    if sheet.repeats is not None:
        made["numberOfRepeatsAllowed"] = sheet.repeats
    total = medication.whole(dose, count) if dose is not None and count is not None else None
    if total is not None:
        made["quantity"] = dosage.amount_of(reading, drug.row, total)
        if count != 1:
            reading.find("computed-quantity", drug.row.at)
    if form == dosage.DAILY and count is not None:
        made["expectedSupplyDuration"] = medication.days(count)
    return made


def _preparation(code: str, display: str, text: str) -> dict[str, Any]:
    concept = fhir.concept(fhir.coding(code, _PREPARATION, display), text=text or display)
    return fhir.extension(_INSTRUCTION, "CodeableConcept", concept)


def _substitution(reading: PrescriptionReading, drug: Drug) -> dict[str, Any]:
    """Record 281: whether another product may be given; what has no code stays text."""
    chosen = [row for row in drug.notes if row.get("kind") in {*_FIXED, _FIXED_BOTH}]
    if not chosen:
        return {}
    coding = []
    if len(chosen) == 1 and chosen[0].get("kind") in _FIXED:
        code, display = _FIXED[chosen[0].get("kind")]
        coding = [fhir.coding(code, _SUBSTITUTION, display)]
    else:
        reading.find("unmapped-code", f"{chosen[0].at} kind")
    texts = [row.get("text") for row in chosen if row.get("text")]
    if not coding and not texts:
        texts = ["剤形変更不可及び含量規格変更不可"]
    return {"allowedCodeableConcept": fhir.concept(*coding, text="、".join(texts))}


def _notes(rp: Rp, drug: Drug) -> list[str]:
    """What has no place of its own: split amounts, unit conversion, remarks on the drug."""
    found = []
    split = rp.about.get("102")
    if split:
        found.append(f"分割回ごとの調剤数量 {split.get('count')}、総調剤数量 {split.get('total')}")
    factor = drug.about.get("211")
    if factor and factor.get("factor"):
        found.append(f"単位変換係数(薬価収載単位を1とする) {factor.get('factor')}")
    taken = (*_PREPARED_DRUG, *_FIXED, _FIXED_BOTH, "7")
    found += [
        row.get("text") for row in drug.notes if row.get("kind") not in taken and row.get("text")
    ]
    return found


def _unread(reading: PrescriptionReading, rp: Rp, row: Row, *, told: bool) -> list[str]:
    """Amounts that no element has: no numbers, or of a form that does not say what they are of."""
    found = []
    count = rp.about["101"].get("count") if "101" in rp.about else ""
    if count and dosage.count_of(reading, rp) is None:
        found.append(f"調剤数量 {count}")
    if row.get("dose") and not told:
        found.append(f"用量 {row.get('dose')}{row.get('unit')}")
    return found


def _paying(drug: Drug, shared: Shared) -> list[tuple[str, Resource, tuple[Resource, ...]]]:
    """The coverages of a drug: with record 231 only those public ones that bear it."""
    row = drug.about.get("231")
    if row is None:
        return list(shared.insurances)
    columns = {"27": "first", "28": "second", "29": "third", "30": "special"}
    return [
        one for one in shared.insurances if one[0] not in columns or row.get(columns[one[0]]) == "1"
    ]


def _key(
    reading: PrescriptionReading,
    prescription: Prescription,
    shared: Shared,
    rp: Rp,
    drug: Drug,
    sheet: _Sheet,
) -> str:
    """Institution and exchange number, or day, doctor and department; then RP, place and drug."""
    own = [sheet.exchange] if len(sheet.exchange) == 16 else [
        sheet.authored, prescription.get("5", "code") or prescription.get("5", "name"),
        prescription.get("4", "code") or prescription.get("4", "name"),
        prescription.get("63", "turn"), sheet.exchange,
    ]  # fmt: skip
    return reading.digest_key(
        "rx", shared.issuer, *own, rp.number, drug.row.get("seq").lstrip("0"),
        drug.row.get("code") or drug.row.get("name"),
    )  # fmt: skip


def _settle(reading: PrescriptionReading, rp: Rp, drug: Drug) -> None:
    """Account for the rows of a drug and its RP."""
    for row in (*rp.about.values(), *rp.notes, *drug.about.values(), *drug.notes):
        reading.take_whole(row)
    reading.take(drug.row, *LAYOUTS["201"], became="item MedicationRequest")
