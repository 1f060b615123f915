"""Acts, drugs and materials of medical and dental claims: SI, SS, IY, TO, with their comments CO.

A group of rows begins where 診療識別 is stated and goes on while it is blank. A row says on which
days it was done by its day columns, so each day is an item; a row without any (older and dental
files) was done in the month. Drugs of 14 and 21 to 28 are handed out to be taken (MedicationRequest
with what is supplied); those of injections, treatments, operations and tests are given there and
then (MedicationAdministration). A material is a SupplyDelivery.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from gateway.model.batch import Resource
from gateway.model.category import Category
from gateway.standardize import medication
from gateway.standardize.rows import Row
from gateway.standardize.uke import layout, masters
from gateway.standardize.uke.reading import UkeReading, amount
from gateway.wire import fhir

_COMMENTS = tuple((f"コメントコード{n}", f"文字データ{n}") for n in (1, 2, 3))
_COMMENT_COLUMNS = frozenset(name for pair in _COMMENTS for name in pair)
_TAKEN = ("診療識別", "回数", *(name for pair in _COMMENTS for name in pair),
          *(f"{day}日" for day in range(1, 32)))  # fmt: skip
_WHOLE = frozenset({"01", "99"})
"診療識別 of comments on all of the receipt."
_ORAL, _AS_NEEDED, _AT_HOME = "21", "22", "14"


@dataclass(slots=True)
class Group:
    """Rows of one 診療識別."""

    kind: str
    items: list[Row] = field(default_factory=list)
    comments: list[Row] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One thing that was done or given on one day, wherever the claim says it."""

    row: Row
    column: str
    "Of the code."
    code: str
    kind: str
    "診療識別."
    day: str
    count: int = 0
    "How often; 0 where the claim does not say."
    quantity: Decimal | None = None
    unit: str = ""
    text: str = ""
    comments: tuple[str, ...] = ()
    usage: str = ""
    "What stands beside a drug as its usage."


def groups(rows: Iterable[Row]) -> list[Group]:
    """Rows as groups."""
    found: list[Group] = []
    for row in rows:
        if row.get("診療識別") or not found:
            found.append(Group(row.get("診療識別").zfill(2) if row.get("診療識別") else ""))
        (found[-1].comments if row.record == "CO" else found[-1].items).append(row)
    return found


def read(reading: UkeReading, group: Group) -> None:
    """Every row of a group; comments alone are kept as what the claim tells the payer."""
    if not group.items or group.kind in _WHOLE:
        texts = [_told(reading, row) for row in group.comments]
        message(reading, group.comments, texts, "レセプトコメント", Category.MEDICAL)
    usage, notes = _comments(reading, group)
    for row in group.items:
        match row.record:
            case "SI" | "SS":
                _procedure_row(reading, group, row, notes)
            case "IY":
                _drug_row(reading, group, row, usage, notes)
            case "TO":
                _material_row(reading, group, row, notes)


def _comments(reading: UkeReading, group: Group) -> tuple[str, list[str]]:
    """What the comments of a group say: the usage of drugs that are taken, and notes."""
    usage, notes = "", []
    drugs = is_taken(group.kind) and any(row.record == "IY" for row in group.items)
    for row in group.comments:
        if not reading.has(row):
            reading.take(row, "診療識別", "コメントコード", "文字データ", "歯式")
        text = _told(reading, row)
        if drugs and not usage and row.get("コメントコード").startswith(masters.FREE_TEXT):
            usage = reading.comment(row.get("コメントコード"), row.get("文字データ"))
            text = f"歯式 {row.get('歯式')}" if row.get("歯式") else ""
        if text:
            notes.append(text)
    return usage, notes


def _told(reading: UkeReading, row: Row) -> str:
    """A comment as people read it; a dental one may say of which teeth (歯式)."""
    text = reading.comment(row.get("コメントコード"), row.get("文字データ"))
    return " ".join(one for one in (row.get("歯式"), text) if one)


def is_taken(kind: str) -> bool:
    """Whether drugs of this 診療識別 are handed out, to be taken at home or in the ward."""
    return kind == _AT_HOME or kind.startswith("2")


def _when(reading: UkeReading, row: Row) -> list[tuple[str, int]]:
    """Days and counts; the month and the whole count where the row has no days."""
    days = reading.days(row)
    if days:
        return days
    count = reading.number(row, "回数")
    whole = count is not None and count == count.to_integral_value() and 0 < count < 1000
    return [(reading.month, int(count) if whole and count is not None else 0)]


def _acts(
    reading: UkeReading, group: Group, row: Row, column: str, usage: str, notes: Sequence[str],
    *, quantity: str, unit: str = "", text: str = "",
) -> list[Act]:  # fmt: skip
    """The acts of a row; none where its code cannot be used."""
    code = reading.code(row, column, 9)
    if not code and not text:
        problem = "exponent-number" if row.get(column) else "field-missing"
        reading.leave(row, problem)
        return []
    value = reading.number(row, quantity)
    comments = (*notes, *_beside(reading, row))
    return [
        Act(row=row, column=column, code=code, kind=group.kind, day=day, count=count,
            quantity=value, unit=unit, text=text, comments=comments, usage=usage)
        for day, count in _when(reading, row)
    ]  # fmt: skip


def _beside(reading: UkeReading, row: Row) -> list[str]:
    """Comments in the columns of an act."""
    if _COMMENT_COLUMNS.isdisjoint(row.cells):
        return []
    return [reading.comment(row.get(code), row.get(text)) for code, text in _COMMENTS]


def _procedure_row(reading: UkeReading, group: Group, row: Row, notes: list[str]) -> None:
    dental = row.record == "SS"
    quantity = "数量データ1" if dental else "数量データ"
    more = _additions(row) if dental else []
    found = _acts(reading, group, row, "診療行為コード", "", [*notes, *more], quantity=quantity)
    if not found:
        return
    reading.take(
        row, *_TAKEN, "診療行為コード", quantity, "数量データ2", "加算コード1", "加算数量データ1",
        "加算コード2", "加算数量データ2", became="item Procedure",
    )  # fmt: skip
    system = masters.DENTAL_PROCEDURE if dental else masters.PROCEDURE
    for act in found:
        procedure(reading, act, system)


def _additions(row: Row) -> list[str]:
    """What dental acts have beside their code: additions (加算) and a second amount."""
    found = []
    for n in (1, 2):
        if row.get(f"加算コード{n}"):
            parts = ("加算", row.get(f"加算コード{n}"), row.get(f"加算数量データ{n}"))
            found.append(" ".join(part for part in parts if part))
    if row.get("数量データ2"):
        found.append(f"数量データ2 {row.get('数量データ2')}")
    return found


def procedure(reading: UkeReading, act: Act, system: str) -> None:
    """One act on one day as JP_Procedure."""
    key = reading.item_key("act", act.code, act.day)
    made = fhir.resource("Procedure", "JP_Procedure", reading.identity("Procedure", key))
    made["status"] = "completed"
    category = identification(reading, act.kind)
    if category:
        made["category"] = category
    made["code"] = coded(reading, act, system, "procedure")
    made["subject"] = reading.subject
    if act.day:
        made["performedDateTime"] = act.day
    companions = _performed(reading, made)
    notes = list(act.comments)
    if act.quantity is not None:
        notes.append(f"数量 {act.quantity}")
    if act.count > 1:
        notes.append(f"回数 {act.count}")
    if any(notes):
        made["note"] = reading.notes_of(notes)
    reading.add(Category.MEDICAL, made, key, act.row, companions=companions)


def _performed(reading: UkeReading, made: Resource) -> tuple[Resource, ...]:
    """Who did it: the institution; R4 lets none give a drug, so somebody in its service did."""
    if reading.institution is None:
        return ()
    institution = reading.institution["id"]
    if made["resourceType"] != "MedicationAdministration":
        made["performer"] = [{"actor": fhir.reference(institution)}]
        return (reading.institution,)
    identity = fhir.resource_id("PractitionerRole", "of", institution)
    role = fhir.resource("PractitionerRole", "JP_PractitionerRole", identity)
    role["organization"] = fhir.reference(institution)
    made["performer"] = [{"actor": fhir.reference(identity)}]
    return (role, reading.institution)


def identification(reading: UkeReading, kind: str) -> dict[str, Any]:
    """診療識別 as a concept; the names of dental ones are not among the public lists."""
    if not kind:
        return {}
    if reading.receipt.kind == layout.DENTAL:
        return fhir.concept(fhir.coding(kind, masters.DENTAL_IDENTIFICATION))
    name = layout.names("identification").get(kind, "")
    return fhir.concept(fhir.coding(kind, masters.IDENTIFICATION, name), text=name)


def coded(reading: UkeReading, act: Act, system: str, local: str) -> dict[str, Any]:
    """The code of an act, drug or material; one that has not the standard's form stays local."""
    if not (len(act.code) == 9 and act.code.isascii() and act.code.isdigit()):
        codings = [fhir.coding(act.code, reading.local_system(local))] if act.code else []
        made = fhir.concept(*codings, text=act.text)
        reading.unmapped(made, reading.at(act.row, act.column))
        return made
    return reading.named(system, act.code, act.text)


def _drug_row(reading: UkeReading, group: Group, row: Row, usage: str, notes: list[str]) -> None:
    found = _acts(reading, group, row, "医薬品コード", usage, notes, quantity="使用量")
    if not found:
        return
    kind = "MedicationRequest" if is_taken(group.kind) else "MedicationAdministration"
    reading.take(row, *_TAKEN, "医薬品コード", "使用量", became=f"item {kind}")
    for act in found:
        drug(reading, act)


def drug(reading: UkeReading, act: Act) -> None:
    """A drug that was handed out, or given."""
    taken = is_taken(act.kind)
    kind = "MedicationRequest" if taken else "MedicationAdministration"
    key = reading.item_key("supplied" if taken else "given", act.code, act.day)
    made = fhir.resource(kind, f"JP_{kind}", reading.identity(kind, key))
    made["identifier"] = medication.rp_identifiers("", "")
    made["status"] = "completed"
    if taken:
        made["intent"] = "order"
    category = identification(reading, act.kind)
    if category:
        made["category"] = [category] if taken else category
    made["medicationCodeableConcept"] = coded(reading, act, masters.DRUG, "drug")
    made["subject"] = reading.subject
    companions: tuple[Resource, ...] = ()
    notes = list(act.comments)
    if act.quantity is not None:
        reading.find("unit-not-stated")
    if taken:
        if reading.institution is not None:
            made["requester"] = fhir.reference(reading.institution["id"])
            companions = (reading.institution,)
        if act.day:
            made["authoredOn"] = act.day
        _supply(reading, act, made)
    else:
        if act.day:
            made["effectiveDateTime"] = act.day
        companions = _performed(reading, made)
        if act.usage:
            notes.insert(0, act.usage)
        if act.quantity is not None:
            made["dosage"] = {"dose": amount(act.quantity)}
        if act.count > 1:
            notes.append(f"回数 {act.count}")
    if any(notes):
        made["note"] = reading.notes_of(notes)
    reading.add(Category.PRESCRIPTION, made, key, act.row, companions=companions)


def _supply(reading: UkeReading, act: Act, made: Resource) -> None:
    """How much, for how long, how to take it.

    The amount of an oral drug is a day's, of one taken as needed one time's, of others all.
    """
    dosage: dict[str, Any] = {}
    supply: dict[str, Any] = {}
    oral = act.kind == _ORAL
    if oral and act.count:
        days = medication.days(Decimal(act.count))
        dosage["extension"] = [fhir.extension(medication.USAGE_DURATION, "Duration", days)]
        supply["expectedSupplyDuration"] = days
    if act.usage:
        dosage["text"] = act.usage
        dosage["timing"] = medication.usage("", act.usage)
    if act.kind == _AS_NEEDED:
        dosage["asNeededBoolean"] = True
    if act.quantity is not None:
        if oral:
            dosage["doseAndRate"] = [{"rateRatio": medication.per_day(amount(act.quantity))}]
        elif act.kind == _AS_NEEDED:
            dosage["doseAndRate"] = [{"doseQuantity": amount(act.quantity)}]
        total = medication.whole(act.quantity, act.count)
        if act.count and total is not None:
            supply["quantity"] = amount(total)
            if act.count != 1:
                reading.find("computed-quantity", act.row.at)
    if dosage:
        made["dosageInstruction"] = [dosage]
    if supply:
        made["dispenseRequest"] = supply


def _material_row(reading: UkeReading, group: Group, row: Row, notes: list[str]) -> None:
    names = [row.get(column) for column in ("特定器材名称", "商品名及び規格又はサイズ")]
    found = _acts(
        reading, group, row, "特定器材コード", "", notes, quantity="使用量",
        unit=row.get("単位コード"), text=" ".join(name for name in names if name),
    )  # fmt: skip
    if not found:
        return
    reading.take(
        row, *_TAKEN, "特定器材コード", "使用量", "単位コード", "特定器材名称",
        "商品名及び規格又はサイズ", became="item SupplyDelivery",
    )  # fmt: skip
    for act in found:
        material(reading, act, Category.MEDICAL)
    alone = row is group.items[0] and all(other.record == "TO" for other in group.items)
    told = [*(notes if alone else ()), *_beside(reading, row)]
    if any(told):  # a SupplyDelivery has no notes, and an act beside it has those of the group
        message(reading, [row], told, "特定器材コメント", Category.MEDICAL)


def material(reading: UkeReading, act: Act, category: Category) -> None:
    """A material on one day as SupplyDelivery: code, name, amount."""
    key = reading.item_key("material", act.code or act.text, act.day)
    made = fhir.resource("SupplyDelivery", "", reading.identity("SupplyDelivery", key))
    made["status"] = "completed"
    made["patient"] = reading.subject
    item: dict[str, Any] = {}
    if act.quantity is not None:
        total = medication.whole(act.quantity, act.count or 1)
        item["quantity"] = {"value": act.quantity if total is None else total}
        if act.unit:
            item["quantity"] |= {"system": masters.UNIT, "code": act.unit}
        if act.count > 1:
            reading.find("computed-quantity", act.row.at)
    item["itemCodeableConcept"] = coded(reading, act, masters.MATERIAL, "material")
    made["suppliedItem"] = item
    if act.day:
        made["occurrenceDateTime"] = act.day
    companions: tuple[Resource, ...] = ()
    if reading.institution is not None:
        made["supplier"] = fhir.reference(reading.institution["id"])
        companions = (reading.institution,)
    reading.add(category, made, key, act.row, companions=companions)


def message(
    reading: UkeReading, rows: Sequence[Row], texts: Sequence[str], title: str, category: Category
) -> None:
    """What a claim tells its payer in words, about all of the receipt, as Communication."""
    told = [text for text in texts if text]
    if not rows:
        return
    if not told:
        for row in rows:
            reading.leave(row, "empty-row")
        return
    key = reading.item_key("message", title, *told)
    made = fhir.resource("Communication", "", reading.identity("Communication", key))
    made["status"] = "completed"
    made["category"] = [fhir.concept(text=title)]
    made["subject"] = reading.subject
    companions: tuple[Resource, ...] = ()
    if reading.institution is not None:
        made["sender"] = fhir.reference(reading.institution["id"])
        companions = (reading.institution,)
    made["sent"] = f"{reading.claimed[:4]}-{reading.claimed[4:]}"
    made["payload"] = [{"contentString": text} for text in told]
    for row in rows:
        if reading.has(row):
            continue
        reading.take(
            row, "診療識別", "コメントコード", "文字データ", "歯式", "症状詳記データ",
            became="item Communication",
        )  # fmt: skip
    reading.add(category, made, key, rows[0], end=rows[-1].end, companions=companions)
