"""DPC claims and stays: BU (diagnosis group), SB (diseases), SK (acts), CD (each day's acts), KK.

Only the records that a public source describes are read; SY, SI, IY, TO and CO of a DPC claim are
not among them and stay as they came (`japan/README.md`, formats without a public layout).
"""

from gateway.model.batch import Resource
from gateway.model.category import Category
from gateway.standardize.rows import Row
from gateway.standardize.uke import acts, diseases, masters
from gateway.standardize.uke.acts import Act
from gateway.standardize.uke.reading import PREFIX, UkeReading
from gateway.wire import fhir

_V3_ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
_SIMPLE = "http://jpfhir.jp/fhir/core/CodeSystem/JP_SimpleObservationCategory_CS"
_STATES = {
    "体重": "体重",
    "JCS": "JCS（入院時）",
    "BurnIndex": "Burn Index",
    "重症度等": "重症度等",
}
"Columns of KK that say how the patient is, and what they are called."
_INDEX = "BurnIndex"
_MEASURED = frozenset({"体重", _INDEX})
_DRUG, _MATERIAL, _COMMENT = "6", "7", "8"
"First digit of a code of nine; the others are acts."


def stay(reading: UkeReading, re: Row, bu: Row | None) -> None:
    """The stay in hospital: admission (RE, BU), discharge and diagnosis group (BU)."""
    source = bu if bu and bu.get("今回入院年月日") else re
    admitted = reading.day(source, "入院年月日" if source is re else "今回入院年月日")
    discharged = reading.day(bu, "今回退院年月日") if bu else ""
    group = bu.get("診断群分類番号") if bu else ""
    if bu:
        reading.take(bu, "診断群分類番号", "今回入院年月日", "今回退院年月日",
                     became="item Encounter" if admitted else "used")  # fmt: skip
    if not admitted:
        return
    key = reading.digest_key(f"{PREFIX}stay", admitted)
    made = fhir.resource("Encounter", "JP_Encounter", reading.identity("Encounter", key))
    made["status"] = "finished" if discharged else "unknown"
    made["class"] = fhir.coding("IMP", _V3_ACT, "inpatient encounter")
    if group:
        made["type"] = [fhir.concept(fhir.coding(group, masters.GROUP))]
    made["subject"] = reading.subject
    made["period"] = {"start": admitted} | ({"end": discharged} if discharged else {})
    companions: tuple[Resource, ...] = ()
    if reading.institution is not None:
        made["serviceProvider"] = fhir.reference(reading.institution["id"])
        companions = (reading.institution,)
    if discharged and discharged < admitted:
        reading.find("month-order", reading.at(source, "今回退院年月日"))
        made["period"] = {"start": admitted}
    reading.add(
        Category.VISIT_HISTORY, made, key, source, companions=companions, version=reading.order
    )


def read(reading: UkeReading) -> None:
    """Every record of a DPC claim that is described."""
    for row in reading.receipt.rows:
        match row.record:
            case "SB":
                diseases.read(reading, row)
            case "SK":
                _procedure(reading, row)
            case "CD":
                _detail(reading, row)
            case "KK":
                _state(reading, row)


def _state(reading: UkeReading, row: Row) -> None:
    """KK: how the patient was at admission; what its codes of admission mean is not public."""
    bu = next((one for one in reading.receipt.rows if one.record == "BU"), None)
    re = reading.receipt.re
    admitted = reading.day(bu, "今回入院年月日") if bu else ""
    admitted = admitted or (reading.day(re, "入院年月日") if re else "")
    there = [name for name in _STATES if row.get(name)]
    reading.take(row, *_STATES, "年齢", "月齢", became="item Observation" if there else "used")
    for name in there:
        key = reading.item_key("state", name, admitted)
        made = fhir.resource(
            "Observation", "JP_Observation_Common", reading.identity("Observation", key)
        )
        made["status"] = "unknown"
        made["category"] = [fhir.concept(fhir.coding("exam", _SIMPLE))]
        made["code"] = fhir.concept(text=_STATES[name])
        made["subject"] = reading.subject
        if admitted:
            made["effectiveDateTime"] = admitted
        number = reading.number(row, name) if name in _MEASURED else None
        if number is None:
            made["valueString"] = row.get(name)
        else:
            made["valueQuantity"] = fhir.quantity(number)
            if name != _INDEX:
                reading.find("unit-not-stated", reading.at(row, name))
        reading.add(Category.MEDICAL, made, key, row)


def _procedure(reading: UkeReading, row: Row) -> None:
    """SK: an operation or treatment that decides the diagnosis group."""
    code, name = reading.code(row, "診療行為コード", 9), row.get("診療行為名称")
    day = reading.day(row, "実施年月日")
    number = row.get("区分番号")
    if not (code or name or number):
        reading.leave(row, "field-missing")
        return
    reading.take(row, "診療行為コード", "区分番号", "実施年月日", "診療行為名称",
                 became="item Procedure")  # fmt: skip
    act = Act(
        row=row, column="診療行為コード", code=code, kind="", day=day, text=name or number,
        comments=(f"区分番号 {number}",) if number and name else (),
    )  # fmt: skip
    acts.procedure(reading, act, masters.PROCEDURE)


def _detail(reading: UkeReading, row: Row) -> None:
    """CD: what was done or given on a day of its own."""
    code = reading.code(row, "コード", 9)
    day = reading.day(row, "実施年月日")
    if not code:
        reading.leave(row, "exponent-number" if row.get("コード") else "field-missing")
        return
    count = reading.number(row, "回数")
    whole = count is not None and count == count.to_integral_value() and 0 < count < 1000
    name = row.get("特定器材名称")
    column = "使用量" if row.get("使用量") else "数量データ"
    kind = row.get("診療識別").zfill(2) if row.get("診療識別") else ""
    act = Act(
        row=row, column="コード", code=code, kind=kind, day=day,
        count=int(count) if whole and count is not None else 0,
        quantity=reading.number(row, column), unit=row.get("単位コード"),
        text=name if code[0] == _MATERIAL else "",
    )  # fmt: skip
    became = {_DRUG: "MedicationRequest" if acts.is_taken(kind) else "MedicationAdministration",
              _MATERIAL: "SupplyDelivery", _COMMENT: "Communication"}  # fmt: skip
    reading.take(
        row, "実施年月日", "診療識別", "コード", "使用量", "数量データ", "単位コード", "回数",
        "特定器材名称", "順序番号", "行為明細番号",
        became=f"item {became.get(code[0], 'Procedure')}",
    )  # fmt: skip
    match code[0]:
        case "6":
            acts.drug(reading, act)
        case "7":
            acts.material(reading, act, Category.MEDICAL)
        case "8":
            acts.message(
                reading, [row], [f"{code} {name}".strip()], "レセプトコメント", Category.MEDICAL
            )
        case _:
            acts.procedure(reading, act, masters.PROCEDURE)
