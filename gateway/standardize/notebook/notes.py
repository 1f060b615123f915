"""What a notebook says outside of its dispensing blocks: history, notes, family pharmacist.

Free text that a person wrote to another is a Communication (FHIR R4): it says who wrote it, where
the row says so, and claims nothing else. Plain R4: JP Core has no profile for these.
"""

from typing import Any

from gateway.model.batch import Resource
from gateway.model.category import Category
from gateway.model.person import PersonName, Script
from gateway.standardize.notebook.blocks import institution, practitioner
from gateway.standardize.notebook.reading import NotebookReading
from gateway.standardize.rows import Row
from gateway.wire import fhir

_VERIFICATION = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
_INFORMATION = {
    "30": "入院中の情報",
    "31": "入院中に副作用が発現した薬剤に関する情報",
    "99": "その他",
}
_TEXTS = {
    # record: what it is, whose information, the column of its text and of its day
    "4": ("手帳メモ", Category.USER_NOTE, "memo", "date"),
    "601": ("患者等記入", Category.USER_NOTE, "text", "date"),
    "401": ("服用注意", Category.DISPENSING, "text", ""),
    "411": ("医療機関等提供情報", Category.DISPENSING, "text", ""),
    "421": ("残薬確認", Category.DISPENSING, "text", ""),
    "501": ("備考", Category.DISPENSING, "text", ""),
}
_BY_PATIENT = "601"
"Written by the patient or somebody at home, whatever else the row says."


_PHARMACY = ("name", "prefecture", "fee_table", "number", "postal", "address", "tel")


def read(reading: NotebookReading, row: Row, block: dict[str, Row]) -> bool:
    """Read a row that stands for itself; `block` is what stands above it. False for another."""
    match row.record:
        case "2" if row.get("kind") == "3" and row.get("text"):
            _history(reading, row)
        case "2" if row.get("kind") == "9" and row.get("text"):
            _communication(reading, row, "患者特記", Category.DISPENSING, row.get("text"), "")
            reading.take(row, "kind", "text", became="item Communication")
        case "701" if row.get("name") or row.get("pharmacy"):
            _family_pharmacist(reading, row)
        case "4" | "601" | "401" | "411" | "421" | "501":
            return _text(reading, row, block)
        case _:
            return False
    return True


def _text(reading: NotebookReading, row: Row, block: dict[str, Row]) -> bool:
    title, category, column, dated = _TEXTS[row.record]
    if not row.get(column):
        return False
    kind = row.get("kind") if row.record == "411" else ""
    shown = f"{title}({_INFORMATION.get(kind, kind)})" if kind else title
    if dated:
        _communication(reading, row, shown, category, row.get(column), reading.day(row, dated))
    else:
        writers = _writers(reading, block)
        day = block.get("5")
        sent = reading.day(day, "date") if day else ""
        _communication(reading, row, shown, category, row.get(column), sent, writers)
    reading.take(row, column, "kind", *([dated] if dated else []), became="item Communication")
    return True


def _writers(reading: NotebookReading, block: dict[str, Row]) -> tuple[Resource, ...]:
    """Who dispensed on the day of a block: the pharmacist and the pharmacy (15, 11)."""
    found: list[Resource] = []
    if "5" in block:
        reading.take(block["5"], "date")
    if "11" in block:
        found.append(institution(reading, block["11"]))
        reading.take(block["11"], *_PHARMACY)
    if "15" in block and block["15"].get("name"):
        found.insert(0, practitioner(reading, block["15"], found))
        reading.take(block["15"], "name")
    return tuple(found)


def _communication(
    reading: NotebookReading,
    row: Row,
    title: str,
    category: Category,
    text: str,
    sent: str,
    writers: tuple[Resource, ...] = (),
) -> None:
    """What somebody wrote, and when."""
    key = reading.digest_key("notebook|note", row.record, title, sent, text)
    made = fhir.resource("Communication", "", reading.identity("Communication", key))
    made["status"] = "completed"
    made["category"] = [fhir.concept(text=title)]
    made["subject"] = reading.subject
    if sent:
        made["sent"] = sent
    if row.get("creator") == "2" or row.record == _BY_PATIENT:
        made["sender"] = reading.subject
        writers = ()
    elif writers:
        made["sender"] = fhir.reference(writers[0]["id"])
    made["payload"] = [{"contentString": text}]
    reading.add(category, made, key, row, companions=writers)


def _history(reading: NotebookReading, row: Row) -> None:
    """Record 2, kind 3: a past illness as text; whether it goes on is not said."""
    key = reading.digest_key("notebook|history", row.get("text"))
    made = fhir.resource("Condition", "JP_Condition", reading.identity("Condition", key))
    made["verificationStatus"] = fhir.concept(fhir.coding("unconfirmed", _VERIFICATION))
    made["code"] = fhir.concept(text=row.get("text"))
    made["subject"] = reading.subject
    if row.get("creator") == "2":
        made["asserter"] = reading.subject
    made["note"] = [{"text": "既往歴"}]
    reading.find("unmapped-code", f"{row.at} text")
    reading.take(row, "kind", "text", became="item Condition")
    reading.add(Category.DIAGNOSIS, made, key, row)


def _family_pharmacist(reading: NotebookReading, row: Row) -> None:
    """Record 701, かかりつけ薬剤師, as a CareTeam of one."""
    start, end = reading.day(row, "start"), reading.day(row, "end")
    key = reading.digest_key("notebook|pharmacist", row.get("name"), row.get("pharmacy"), start)
    made = fhir.resource("CareTeam", "", reading.identity("CareTeam", key))
    made["status"] = "inactive" if end else "active"
    made["category"] = [fhir.concept(text="かかりつけ薬剤師")]
    made["subject"] = reading.subject
    period = {name: day for name, day in (("start", start), ("end", end)) if day}
    if period:
        made["period"] = period
    place = _pharmacy(reading, row)
    person = _pharmacist(reading, row, place)
    member: dict[str, Any] = {"role": [fhir.concept(text="薬剤師")]}
    found = [one for one in (person, place) if one]
    member["member"] = fhir.reference(found[0]["id"])
    if person and place:
        member["onBehalfOf"] = fhir.reference(place["id"])
    made["participant"] = [member]
    if row.get("contact"):
        made["telecom"] = [{"system": "phone", "value": row.get("contact")}]
    columns = ("name", "pharmacy", "contact", "start", "end")
    reading.take(row, *columns, became="item CareTeam")
    reading.add(Category.DISPENSING, made, key, row, companions=tuple(found))


def _pharmacy(reading: NotebookReading, row: Row) -> Resource | None:
    name = row.get("pharmacy")
    if not name:
        return None
    return fhir.organization(fhir.resource_id("Organization", reading.patient.domain, name), name)


def _pharmacist(reading: NotebookReading, row: Row, place: Resource | None) -> Resource | None:
    parts = row.get("name").replace("\u3000", " ").split()
    if not parts:
        return None
    name = (
        PersonName(parts[0], parts[1], Script.KANJI)
        if len(parts) == 2
        else PersonName("", "", Script.KANJI, text=" ".join(parts))
    )
    at = place["id"] if place else reading.patient.domain
    return fhir.practitioner(fhir.resource_id("Practitioner", str(at), name.full), (name,))
