"""Who a prescription is about, who wrote it, and who pays: records 1 to 31 and 61.

The chart id of record 11 is the issuing institution's. It is the patient's number here only where
the file is delivered for that institution; anybody else's file about the patient has the number
that its sender states, or one made of everything it says about the person (as in the medication
notebook), and the chart id stays an attribute (FN-205).
"""

from dataclasses import replace
from decimal import Decimal
from typing import Any

from gateway.errors import Malformed
from gateway.model.batch import Resource
from gateway.model.identifiers import Oid, PatientId
from gateway.model.person import Address, Demographics, Gender, PersonName, Script, Telecom
from gateway.standardize import coverage, dates, values
from gateway.standardize.coverage import Insurance, PublicPayment
from gateway.standardize.described import patient_of as described
from gateway.standardize.format import Upload
from gateway.standardize.names import safe_identifier
from gateway.standardize.persons import visible
from gateway.standardize.prescription.records import Prescription, PrescriptionReading
from gateway.standardize.reading import stated_domain
from gateway.standardize.rows import Row
from gateway.wire import fhir

_CHARTS = "1.2.392.100495.20.3.51.1"
_DOCTORS = "urn:oid:1.2.392.100495.20.3.41.1"
_NARCOTICS = "urn:oid:1.2.392.100495.20.3.32.1"
"Arcs that a ten-digit institution code or a prefecture is put behind (JP Core 1.2.0)."
_DEPARTMENT = "urn:oid:1.2.392.100495.20.2.51"
_LICENCE = "http://jpfhir.jp/fhir/core/CodeSystem/JP_MedicalLicenseCertificate_CS"
_PERSON = (("11", ("code", "name", "kana")), ("12", ("sex",)), ("13", ("birth",)))
_MAJOR = {"2": "2", "3": "3", "4": "4", "5": "5", "6": "6", "7": "7"}
"Kind of insurance (21) to major category; 1 is an insurance or a public payment: not said which."
_CLASSES = (
    ("14", "copay", "患者一部負担区分"),
    ("24", "benefit", "保険給付率"),
    ("25", "reason", "職務上の事由"),
    ("31", "kind", "レセプト種別"),
)


def institution_code(prescription: Prescription) -> str:
    """The ten digits of record 1: prefecture, fee table (medical where it is left out), number."""
    row = prescription.about.get("1")
    if row is None:
        return ""
    code = row.get("prefecture").zfill(2) + (row.get("kind") or "1") + row.get("number")
    return code if len(code) == 10 and code.isascii() and code.isdigit() else ""


def patient_of(upload: Upload, prescription: Prescription) -> PatientId:
    """The patient's number in the domain of the facility that the file is delivered for."""
    domain = stated_domain(upload)
    if upload.patient:
        return PatientId(domain, upload.patient)
    chart = chart_of(prescription)
    if chart is not None and chart.domain == domain:
        return chart
    parts = [institution_code(prescription)]
    for record, columns in _PERSON:
        parts += [prescription.get(record, column) for column in columns]
    born = prescription.get("13", "birth")
    day, _ = dates.western(born)
    parts[-1] = day.isoformat() if day else dates.partial(born) or born
    return described(domain, "rx", parts)


def chart_of(prescription: Prescription) -> PatientId | None:
    """The chart id of record 11 in the domain of the issuing institution; None where not stated."""
    code, number = institution_code(prescription), prescription.get("11", "code")
    if not code or not number:
        return None
    try:
        return PatientId(Oid(_CHARTS + code), safe_identifier(number))
    except Malformed as refusal:
        at = prescription.about["11"].at
        raise Malformed(refusal.english, refusal.japanese, at=at, rule="E-06") from refusal


def describe(reading: PrescriptionReading, prescription: Prescription) -> None:
    """Records 11 to 13 and the address of 61 as demographics and JP_Patient."""
    person = prescription.about["11"]
    names = tuple(
        _name(reading, person, column, script)
        for column, script in (("name", Script.KANJI), ("kana", Script.KANA))
        if person.get(column)
    )
    birth, born = prescription.about.get("13"), ""
    if birth:
        born = reading.any_day(birth, "birth")
        reading.take_whole(birth)
    chart = chart_of(prescription)
    addresses, telecoms = _home(reading, prescription)
    reading.demographics = Demographics(
        names=names,
        birth=dates.western(birth.get("birth"))[0] if birth and len(born) == 10 else None,
        gender={"1": Gender.MALE, "2": Gender.FEMALE}.get(prescription.get("12", "sex")),
        addresses=addresses,
        telecoms=telecoms,
        other_ids=(chart,) if chart and chart != reading.patient else (),
    )
    numbers = [reading.patient, *reading.demographics.other_ids]
    reading.patient_resource = fhir.patient_resource(reading.demographics, numbers)
    if born and len(born) < 10:
        reading.patient_resource["birthDate"] = born
    reading.take_whole(person)
    if "12" in prescription.about:
        reading.take_whole(prescription.about["12"])


def _home(
    reading: PrescriptionReading, prescription: Prescription
) -> tuple[tuple[Address, ...], tuple[Telecom, ...]]:
    """Address and telephone of a patient whom narcotics are prescribed for (61)."""
    row = prescription.about.get("61")
    if row is None:
        return (), ()
    reading.take_whole(row)
    place, number = row.get("address"), row.get("tel")
    return (
        (Address(text=place, use="H"),) if place else (),
        (Telecom(number, "H"),) if number else (),
    )


def _name(reading: PrescriptionReading, row: Row, column: str, script: Script) -> PersonName:
    """A name; with one blank in it, that is where it divides."""
    text = visible(reading, f"{row.at} {column}", row.get(column))
    parts = text.replace("\u3000", " ").split()
    if len(parts) == 2:
        return PersonName(parts[0], parts[1], script)
    return PersonName("", "", script, text=" ".join(parts))


def requester(
    reading: PrescriptionReading, prescription: Prescription
) -> tuple[dict[str, Any] | None, tuple[Resource, ...]]:
    """Who prescribed and where: a reference, and what it leads to (1 to 5, 61)."""
    parts: list[Resource] = []
    place = _institution(reading, prescription)
    if place:
        parts.append(place)
    doctor = _doctor(reading, prescription, place)
    if doctor:
        parts.append(doctor)
    department = _department(reading, prescription)
    if not parts and not department:
        return None, ()
    if not doctor and not department:
        return fhir.reference(parts[0]["id"]), tuple(parts)
    identity = fhir.resource_id(
        "PractitionerRole", reading.domain, *(one["id"] for one in parts),
        prescription.get("4", "code"), prescription.get("4", "name"),
    )  # fmt: skip
    role = fhir.resource("PractitionerRole", "JP_PractitionerRole", identity)
    for one in parts:
        role[str(one["resourceType"]).lower()] = fhir.reference(one["id"])
    if department:
        role["specialty"] = [department]
    return fhir.reference(identity), (role, *parts)


def _institution(reading: PrescriptionReading, prescription: Prescription) -> Resource | None:
    """Records 1 to 3 as JP_Organization."""
    row = prescription.about.get("1")
    where, reach = prescription.about.get("2"), prescription.about.get("3")
    for one in (row, where, reach):
        if one:
            reading.take_whole(one)
    if row is None:
        return None
    prefecture = row.get("prefecture").zfill(2) if row.get("prefecture") else ""
    number, name = row.get("number"), row.get("name")
    if not number and not name:
        return None
    identity = fhir.resource_id(
        "Organization", "" if number else reading.domain, prefecture, row.get("kind") or "1",
        number or name,
    )  # fmt: skip
    address = Address(
        text=prescription.get("2", "address"), postal_code=prescription.get("2", "postal")
    )
    pairs = (("tel", ""), ("fax", "fax:"), ("other", ""))
    telecoms = [
        Telecom(prefix + prescription.get("3", column), "WP")
        for column, prefix in pairs
        if prescription.get("3", column)
    ]
    made = fhir.organization(
        identity, name, prefecture=prefecture, fee_table=row.get("kind") or "1", number=number,
        addresses=[address] if address.text or address.postal_code else [], telecoms=telecoms,
    )  # fmt: skip
    if not name:
        del made["name"]
    return made


def _doctor(
    reading: PrescriptionReading, prescription: Prescription, place: Resource | None
) -> Resource | None:
    """Record 5 as JP_Practitioner, with the narcotics licence of 61."""
    row = prescription.about.get("5")
    if row is None:
        return None
    reading.take_whole(row)
    names = [
        _name(reading, row, column, script)
        for column, script in (("name", Script.KANJI), ("kana", Script.KANA))
        if row.get(column)
    ]
    number, code = row.get("code"), institution_code(prescription)
    if not names and not number:
        return None
    at = str(place["id"]) if place else reading.domain
    identity = fhir.resource_id("Practitioner", at, number, "" if number else names[0].full)
    system = _DOCTORS + code if code else fhir_local(reading)
    made = fhir.practitioner(identity, names, system=system, number=number)
    licence = prescription.get("61", "licence")
    if licence:
        prefecture = prescription.get("1", "prefecture").zfill(2)
        coding = fhir.coding("narcotics-practitioner", _LICENCE)
        made["qualification"] = [
            {
                "identifier": [fhir.identifier(_NARCOTICS + prefecture, licence)],
                "code": fhir.concept(coding, text="麻薬施用者免許"),
            }
        ]
    return made


def fhir_local(reading: PrescriptionReading) -> str:
    """Staff numbers of an institution that has no code: those of the sender's file."""
    return f"urn:x-regional-gateway:id:{reading.domain}:staff"


def _department(reading: PrescriptionReading, prescription: Prescription) -> dict[str, Any]:
    """Record 4: the ministry's department code where it says that it is one (kind 2)."""
    row = prescription.about.get("4")
    if row is None:
        return {}
    reading.take_whole(row)
    code, name = row.get("code"), row.get("name")
    if row.get("kind") == "2" and code.isascii() and code.isdigit() and len(code) <= 2:
        return fhir.concept(fhir.coding(code.zfill(2), _DEPARTMENT, name), text=name)
    if code:
        reading.find("unmapped-code", f"{row.at} code")
        coding = fhir.coding(code, reading.local_system("department"), name)
        return fhir.concept(coding, text=name)
    return fhir.concept(text=name)


def insurances(
    reading: PrescriptionReading, prescription: Prescription
) -> tuple[tuple[str, Resource, tuple[Resource, ...]], ...]:
    """Records 14 and 21 to 31 as JP_Coverage: the record that numbers it, coverage, payer."""
    found = []
    main = _insurance(prescription)
    for record in ("14", "21", "22", "23", "24", "25", "31"):
        if record in prescription.about:
            reading.take_whole(prescription.about[record])
    if main is not None:
        key = reading.digest_key("rx|insurance", main.insurer, main.symbol, main.number,
                                 main.branch, main.major)  # fmt: skip
        made, payer = coverage.describe(reading, _at(prescription, "22", "23", "21"), key, main)
        classes = [
            {"type": fhir.concept(text=title), "value": prescription.get(record, column)}
            for record, column, title in _CLASSES
            if prescription.get(record, column)
        ]
        if classes:
            made["class"] = classes
        found.append(("22", made, payer))
    for order, record in enumerate(("27", "28", "29", "30"), start=1):
        row = prescription.about.get(record)
        if row is None:
            continue
        reading.take_whole(row)
        stated = PublicPayment(payer=row.get("payer"), recipient=row.get("recipient"), order=order)
        key = reading.digest_key("rx|public", record, stated.payer, stated.recipient)
        found.append((record, *coverage.describe(reading, row.at, key, stated)))
    return tuple(found)


def _insurance(prescription: Prescription) -> Insurance | None:
    """Records 21 to 24; None where they name no insurance and no kind."""
    share = values.decimal(prescription.get("24", "share"))
    kind = prescription.get("21", "kind")
    made = Insurance(
        insurer=prescription.get("22", "insurer"),
        symbol=prescription.get("23", "symbol"),
        number=prescription.get("23", "number"),
        branch=prescription.get("23", "branch"),
        holder={"1": "self", "2": "family"}.get(prescription.get("23", "holder"), ""),  # type: ignore[arg-type]
        major=_MAJOR.get(kind, ""),
        share=share if share is not None and share <= Decimal(100) else None,
    )
    if kind == "1" and made.insurer:
        known = coverage.major_of_insurer(coverage.insurer_number(made.insurer))
        made = replace(made, major=known or "1")
    return made if made.insurer or made.number or made.major else None


def _at(prescription: Prescription, *records: str) -> str:
    return next(
        (prescription.about[one].at for one in records if one in prescription.about), "record 22"
    )
