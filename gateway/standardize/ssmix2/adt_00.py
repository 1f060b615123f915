"""ADT-00 patient base data (患者基本情報): ADT^A08, the newest state of one patient."""

from gateway.model.category import Category
from gateway.standardize import allergies, encounters, insurances, persons, values
from gateway.standardize.laboratory import results
from gateway.standardize.message import HEADER, MessageReading
from gateway.wire import fhir
from gateway.wire.hl7v2 import Segment

_PREFIX = "ssmix2/ADT-00|"
_EVN = frozenset({1, 2, 6})
_OBX = frozenset({1, 2, 3, 5, 6, 7, 8, 11, 14})
_SIMPLE = "http://jpfhir.jp/fhir/core/CodeSystem/JP_SimpleObservationCategory_CS"
_BODY = "http://jpfhir.jp/fhir/core/CodeSystem/JP_ObservationBodyMeasurementCategory_CS"
_MEASURES = {"9N001": ("height", "身長"), "9N006": ("weight", "体重")}
"First characters of JLAC10 to the second category of a body measurement."


def read(reading: MessageReading) -> None:
    """Read the patient, the stay, body measures and blood group, allergies and insurances."""
    message = reading.message
    reading.take(message.header, HEADER)
    for evn in message.all("EVN"):
        reading.take(evn, _EVN)
    pid = message.first("PID")
    if pid:
        persons.describe(reading, pid, message.all("NK1"))
        if reading.cancelled and reading.patient_resource:
            reading.patient_resource["active"] = False
    for pv1 in message.all("PV1")[:1]:
        _read_pv1(reading, pv1)
    for db1 in message.all("DB1"):
        # Disability: R4 has an extension of its own for it, JP Core 1.2.0's patient has none.
        if any(db1.fields[1:]):
            reading.leave(db1, "no-element")
    for obx in message.all("OBX"):
        _read_obx(reading, obx)
    for al1 in message.all("AL1"):
        allergies.read_al1(reading, al1, _PREFIX)
    for in1 in message.all("IN1"):
        if any(in1.fields[1:]):
            insurances.read(reading, in1, _PREFIX)
    reading.scope = _PREFIX


def _read_pv1(reading: MessageReading, pv1: Segment) -> None:
    """Where the patient is now, and with whom; a PV1 that says only in or out says no visit."""
    if not any(pv1.fields[1:]):
        return
    if not encounters.has_class(pv1):
        reading.leave(pv1, "field-table")
        return
    if not encounters.says_more(pv1):
        reading.leave(pv1, "unmapped-field")
        return
    key = reading.key(f"{_PREFIX}encounter")
    status = "finished" if pv1.value(45) else "unknown"
    if reading.cancelled:
        status = "entered-in-error"
    identity = reading.identity("Encounter", key)
    made, companions = encounters.stay(reading, pv1, identity, status)
    reading.take(pv1, encounters.PV1, "item Encounter")
    reading.add(Category.VISIT_HISTORY, made, key, pv1, companions=companions)


def _read_obx(reading: MessageReading, obx: Segment) -> None:
    """Height and weight are body measurements; anything else is a plain laboratory statement."""
    if not obx.raw(3) or not obx.raw(5):
        reading.leave(obx, "field-missing")
        return
    number = obx.value(3)
    measure = _MEASURES.get(number[:5]) if obx.value(3, 3) == "JC10" else None
    key = reading.key(f"{_PREFIX}observation|{number or obx.value(3, 2)}")
    profile = "JP_Observation_BodyMeasurement" if measure else "JP_Observation_Common"
    made = fhir.resource("Observation", profile, reading.identity("Observation", key))
    made["status"] = (
        "entered-in-error" if reading.cancelled else results.STATUS.get(obx.raw(11), "unknown")
    )
    kind = fhir.coding("body-measurement" if measure else "laboratory", _SIMPLE)
    made["category"] = [fhir.concept(kind)]
    if measure:
        made["category"].append(fhir.concept(fhir.coding(measure[0], _BODY, measure[1])))
    made["code"] = reading.concept(obx, 3)
    made["subject"] = reading.subject
    measured = reading.time(obx, 14)
    if measured:
        made["effectiveDateTime"] = measured
    parts = [*obx.components(6), "", ""]
    unit = dict(values.unit(parts[0], parts[1]))
    number_found = values.decimal(obx.value(5))
    if obx.raw(2) in ("CWE", "CE"):
        # Blood groups are coded in JAHIS tables, which are national but not FHIR's.
        made["valueCodeableConcept"] = reading.coded(obx, 5)[0]
    elif number_found is not None:
        made.update(values.number_value(number_found, unit))
    else:
        if obx.raw(2) == "NM":
            reading.find("not-a-number", f"{obx.at}.5")
        made.update(values.text_value(obx.value(5), unit))
    if obx.raw(7):
        sex = reading.demographics.gender if reading.demographics else None
        limits = values.reference_range(obx.value(7), unit, sex.fhir if sex else "")
        made["referenceRange"] = [limits]
    if obx.raw(8):
        meaning, known = values.interpretation(obx.value(8))
        made["interpretation"] = [meaning]
        if not known:
            reading.find("unmapped-flag", f"{obx.at}.8")
    reading.take(obx, _OBX, "item Observation")
    category = Category.NURSING if measure else Category.LAB_RESULT
    reading.add(category, made, key, obx)
