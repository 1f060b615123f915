"""Dispensing blocks of a medication notebook to JP_MedicationDispense.

A block begins at record 5 (the day); 11 and 15 say who dispensed, 51 and 55 who prescribed, then
201 (drug) with 281 and 291, and 301 (usage) with 311, 321 and 391 for each RP. The amount of a 201
is a day's for oral drugs, one time's for those taken as needed, and the whole for the rest.
"""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from gateway.model.batch import Resource
from gateway.model.category import Category
from gateway.model.person import Address, Script, Telecom
from gateway.standardize import codes, medication, values
from gateway.standardize import usage as usages
from gateway.standardize.described import person_name
from gateway.standardize.notebook.reading import NotebookReading
from gateway.standardize.rows import Row
from gateway.wire import fhir

_DAILY = frozenset({"1", "2", "6", "7"})
_AS_NEEDED = "3"
_DAYS = "日分"
_MOST = 1000
"Days or times of one dispense are fewer."


@dataclass(slots=True)
class _Rp:
    """One RP: drugs with their own notes, usage, notes on all of it."""

    number: str
    drugs: list[tuple[Row, list[Row]]] = field(default_factory=list)
    usage: Row | None = None
    notes: list[Row] = field(default_factory=list)


@dataclass(slots=True)
class _Prescriber:
    """Records 51 and 55 and what they prescribed."""

    institution: Row | None
    doctor: Row | None
    rps: list[_Rp] = field(default_factory=list)

    def rp(self, number: str) -> _Rp:
        """The RP of that number, new where it is not there."""
        for one in self.rps:
            if one.number == number:
                return one
        self.rps.append(_Rp(number))
        return self.rps[-1]


@dataclass(slots=True)
class _Block:
    """One day at one pharmacy."""

    day: Row
    pharmacy: Row | None = None
    pharmacist: Row | None = None
    prescribers: list[_Prescriber] = field(default_factory=list)
    notes: list[Row] = field(default_factory=list)

    @property
    def prescriber(self) -> _Prescriber:
        """The one whose drugs follow; nobody where the file names none."""
        if not self.prescribers:
            self.prescribers.append(_Prescriber(None, None))
        return self.prescribers[-1]


def read(reading: NotebookReading, rows: list[Row]) -> None:
    """Read every block; rows of a block without drugs are left for the account."""
    for block in _blocks(rows):
        if any(rp.drugs for one in block.prescribers for rp in one.rps):
            _read_block(reading, block)


def _blocks(rows: list[Row]) -> list[_Block]:
    """Rows as blocks; rows before the first record 5 belong to none."""
    found: list[_Block] = []
    for row in rows:
        if row.record == "5":
            found.append(_Block(row))
        elif found:
            _place(found[-1], row)
    return found


def _place(block: _Block, row: Row) -> None:
    match row.record:
        case "11":
            block.pharmacy = row
        case "15":
            block.pharmacist = row
        case "51":
            block.prescribers.append(_Prescriber(row, None))
        case "55" if block.prescriber.doctor is None and not block.prescriber.rps:
            block.prescriber.doctor = row
        case "55":
            block.prescribers.append(_Prescriber(block.prescriber.institution, row))
        case "201":
            block.prescriber.rp(row.get("rp")).drugs.append((row, []))
        case "281" | "291":
            rp = block.prescriber.rp(row.get("rp"))
            (rp.drugs[-1][1] if rp.drugs else rp.notes).append(row)
        case "301":
            block.prescriber.rp(row.get("rp")).usage = row
        case "311" | "321" | "391":
            block.prescriber.rp(row.get("rp")).notes.append(row)
        case "401" | "501":
            block.notes.append(row)


def _read_block(reading: NotebookReading, block: _Block) -> None:
    """Every drug of a block, with who gave and who prescribed it."""
    day = reading.day(block.day, "date")
    reading.take(block.day, "date")
    givers: list[Resource] = []
    if block.pharmacy:
        givers.append(institution(reading, block.pharmacy))
        columns = ("name", "prefecture", "fee_table", "number", "postal", "address", "tel")
        reading.take(block.pharmacy, *columns)
    if block.pharmacist and block.pharmacist.get("name"):
        givers.append(practitioner(reading, block.pharmacist, givers))
        reading.take(block.pharmacist, "name")
    for row in block.notes:
        reading.take(row, "text")
    for prescriber in block.prescribers:
        origin = _origin(reading, prescriber)
        for rp in prescriber.rps:
            for place, (row, own) in enumerate(rp.drugs, start=1):
                notes = [*own, *rp.notes, *block.notes]
                made = _dispense(reading, rp, row, str(place), notes)
                if day:
                    made["whenHandedOver"] = day
                made["performer"] = [{"actor": fhir.reference(one["id"])} for one in givers]
                if not givers:
                    del made["performer"]
                if origin:
                    made["supportingInformation"] = [fhir.reference(origin[0]["id"])]
                key = _key(reading, block, prescriber, rp, row, day)
                made["id"] = reading.identity("MedicationDispense", key)
                reading.add(Category.DISPENSING, made, key, row, companions=(*givers, *origin))


def _key(
    reading: NotebookReading,
    block: _Block,
    prescriber: _Prescriber,
    rp: _Rp,
    row: Row,
    day: str,
) -> str:
    """Pharmacy, day, prescriber, RP and drug: all that tells two dispenses apart."""
    return reading.digest_key(
        "notebook|dispense",
        day,
        _name_or_number(block.pharmacy),
        _name_or_number(prescriber.institution),
        prescriber.doctor.get("name") if prescriber.doctor else "",
        rp.number,
        row.get("code") or row.get("drug"),
    )


def _name_or_number(row: Row | None) -> str:
    return (row.get("number") or row.get("name")) if row else ""


def institution(reading: NotebookReading, row: Row) -> Resource:
    """Records 11 and 51 as JP_Organization."""
    address = Address(text=row.get("address"), postal_code=row.get("postal"))
    number = row.get("number")
    prefecture = row.get("prefecture").zfill(2) if row.get("prefecture") else ""
    domain = "" if number else reading.patient.domain
    identity = fhir.resource_id(
        "Organization", domain, prefecture, row.get("fee_table"), number or row.get("name")
    )
    return fhir.organization(
        identity,
        row.get("name"),
        prefecture=prefecture,
        fee_table=row.get("fee_table"),
        number=number,
        addresses=[address] if address.text or address.postal_code else [],
        telecoms=[Telecom(row.get("tel"))] if row.get("tel") else [],
    )


def practitioner(reading: NotebookReading, row: Row, at: list[Resource]) -> Resource:
    """Records 15 and 55: a name at an institution is all that is known."""
    name = person_name(row.get("name"), Script.KANJI)
    place = at[0]["id"] if at else reading.patient.domain
    identity = fhir.resource_id("Practitioner", str(place), name.full)
    return fhir.practitioner(identity, (name,))


def _origin(reading: NotebookReading, prescriber: _Prescriber) -> tuple[Resource, ...]:
    """Who prescribed: a role, a doctor or an institution, and what it leads to."""
    parts: list[Resource] = []
    if prescriber.institution and prescriber.institution.get("name"):
        parts.append(institution(reading, prescriber.institution))
        reading.take(prescriber.institution, "name", "prefecture", "fee_table", "number")
    doctor = prescriber.doctor
    if doctor is None or not (doctor.get("name") or doctor.get("department")):
        return tuple(parts)
    reading.take(doctor, "name", "department")
    if doctor.get("name"):
        parts.append(practitioner(reading, doctor, parts))
    identity = fhir.resource_id(
        "PractitionerRole", *(str(one["id"]) for one in parts), doctor.get("department")
    )
    role = fhir.resource("PractitionerRole", "JP_PractitionerRole", identity)
    for one in parts:
        role[str(one["resourceType"]).lower()] = fhir.reference(one["id"])
    if doctor.get("department"):
        role["specialty"] = [fhir.concept(text=doctor.get("department"))]
    return (role, *parts)


def _dispense(
    reading: NotebookReading, rp: _Rp, row: Row, place: str, notes: list[Row]
) -> Resource:
    """One 201 with its usage."""
    made = fhir.resource("MedicationDispense", "JP_MedicationDispense", "")
    made["identifier"] = medication.rp_identifiers(rp.number, place)
    made["status"] = "completed"
    made["medicationCodeableConcept"] = _drug(reading, row)
    made["subject"] = reading.subject
    usage = rp.usage
    dose = values.decimal(row.get("dose")) if row.get("dose") else None
    if dose is None and row.get("dose"):
        reading.find("not-a-number", f"{row.at} dose")
    count = values.decimal(usage.get("quantity")) if usage and usage.get("quantity") else None
    if count is not None and usage and not 0 <= count < _MOST:
        reading.find("field-type", f"{usage.at} quantity")
        count = None
    texts = [note.get("text") for note in notes if note.get("text")]
    if usage and usage.get("quantity") and count is None:
        if values.decimal(usage.get("quantity")) is None:
            reading.find("not-a-number", f"{usage.at} quantity")
        texts.append(f"用法数量 {usage.get('quantity')}{usage.get('unit')}")
    total = medication.whole(dose, count) if dose is not None and count is not None else None
    if total is not None:
        made["quantity"] = _in_unit(reading, row, total)
        if count != 1:
            reading.find("computed-quantity", row.at)
    if usage is not None:
        if usage.get("unit") == _DAYS and count is not None:
            made["daysSupply"] = medication.days(count)
        dosage = _dosage(reading, row, usage, dose, count)
        if dosage:
            made["dosageInstruction"] = [dosage]
        columns = ("rp", "text", "quantity", "unit", "form", "code_kind", "code")
        reading.take(usage, *columns)
    told = "quantity" in made or any(
        "doseAndRate" in one for one in made.get("dosageInstruction", ())
    )
    if row.get("dose") and not told:
        texts.append(f"用量 {row.get('dose')}{row.get('unit')}")
    if texts:
        made["note"] = [{"text": text} for text in texts]
    for note in notes:
        reading.take(note, "rp", "text")
    taken = ("rp", "drug", "dose", "unit", "code_kind", "code")
    general = ("general", "general_kind", "general_code")
    reading.take(row, *taken, *general, became="item MedicationDispense")
    return made


def _in_unit(reading: NotebookReading, row: Row, value: Decimal) -> dict[str, Any]:
    code = codes.dose_unit_code(row.get("unit"))
    if not code:
        reading.find("unmapped-unit", f"{row.at} unit")
    return medication.dose(value, row.get("unit"), code)


def _drug(reading: NotebookReading, row: Row) -> dict[str, Any]:
    """The drug's code of its kind, the general name's where it is given, the name always."""
    at = f"{row.at} code"
    if row.cells.get("code", "") != row.get("code"):
        reading.find("trimmed-blank", at)
    general = row.get("general_code")
    codings = []
    if row.get("code") or not general:
        codings.append(
            medication.drug_coding(reading, at, row.get("code_kind"), row.get("code"),
                                   row.get("drug"))
        )  # fmt: skip
    if general:
        kind = row.get("general_kind")
        codings.append(medication.drug_coding(reading, at, kind, general, row.get("general")))
    return fhir.concept(*(one for one in codings if one), text=row.get("drug"))


def _dosage(
    reading: NotebookReading, row: Row, usage: Row, dose: Decimal | None, count: Decimal | None
) -> dict[str, Any]:
    """Record 301 as Dosage: text and code, days, and the dose as far as it is a dose."""
    made: dict[str, Any] = {}
    if usage.get("unit") == _DAYS and count is not None:
        made["extension"] = [
            fhir.extension(medication.USAGE_DURATION, "Duration", medication.days(count))
        ]
    text = usage.get("text")
    code = usage.get("code") if usage.get("code_kind") == "2" else ""
    parts, problems = usages.dosage(code, text)
    made |= parts
    for problem in problems:
        reading.find(problem, f"{usage.at} code")
    if usage.get("form") == _AS_NEEDED:
        made["asNeededBoolean"] = True
    if dose is not None and usage.get("form") in _DAILY:
        ratio = medication.per_day(_in_unit(reading, row, dose))
        made["doseAndRate"] = [{"rateRatio": ratio}]
    elif dose is not None and usage.get("form") == _AS_NEEDED:
        made["doseAndRate"] = [{"doseQuantity": _in_unit(reading, row, dose)}]
    return made
