"""Laboratory results in fixed records (256 bytes): A1, with its order in O1 and O2.

A result's key is chart id, item and day of collection: a single item that is sent again replaces
what came before (`japan/lab.md` section 6). A file is about many patients and is cut by chart id.
"""

import re
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from gateway.errors import Malformed
from gateway.model.batch import Batch, Resource
from gateway.model.identifiers import PatientId
from gateway.model.person import Demographics, Gender, PersonName, Script
from gateway.standardize import codes, dates, values
from gateway.standardize.format import Format, Part, Span, Upload
from gateway.standardize.lab_fixed import layouts as lab_fixed_layouts
from gateway.standardize.lab_fixed import records
from gateway.standardize.lab_fixed.layouts import ITEMS, ITEMS_DATED, ORDER, ORDER_DATED, RESULT
from gateway.standardize.lab_fixed.records import Record
from gateway.standardize.laboratory.observation import NO_TERMS, LabItem, terms
from gateway.standardize.laboratory.report import Sheet
from gateway.standardize.names import safe_identifier
from gateway.standardize.reading import Reading, stated_domain
from gateway.wire import fhir

NAME = "lab-fixed"
WINDOW = 4 * 1024 * 1024
_SHORT = 10
"Positions of the chart id in A1; O1 has 15."
_MOST_LONG = 100_000
_STATUSES = {"E": "final", "P": "preliminary"}
_SEXES = {"M": Gender.MALE, "1": Gender.MALE, "F": Gender.FEMALE, "2": Gender.FEMALE}
_HEAD = re.compile(rb"(?:O1|O2|A1)[\x20-\x2b\x2d-\x7e]{6}[^,\t]{12}")
_JLAC10 = re.compile(r"[0-9][0-9A-Z]{16}")
_DAY = re.compile(r"([0-9]{8})[0-9 ]{0,2}")
_NOT_TAKEN = ("department", "ward", "in_out", "doctor", "time", "height", "weight", "urine",
              "pregnancy", "dialysis", "urgent", "facility", "bed")  # fmt: skip
"""Fields of O1 and A1 that nothing is made of. What others say that are not read is said elsewhere
too: the age by the birth, how many items by O2, what is abnormal by the flags."""
_LOADS = (
    [slice(place.stop, place.stop + 10) for place in ITEMS],
    [slice(place.stop, place.stop + 11) for place in ITEMS_DATED],
)
"Load tests of O2, and the class behind them."
_CONDITIONS = (("chyle", "乳び"), ("hemolysis", "溶血"), ("bilirubin", "ビリルビン"))


def recognise(upload: Upload) -> bool:
    """By its first record's name and by there being no delimiter."""
    first = upload.content[: lab_fixed_layouts.LENGTH]
    return bool(_HEAD.match(first)) and b"\t" not in first and first.count(b",") < 3


def read(upload: Upload) -> Batch:
    """Read the records about one person; raises a Refusal where they are refused as a whole."""
    notes: set[str] = set()
    found = list(records.of_upload(upload))
    orders = [(one, _order(one, notes)) for one in found if one.kind == "O1"]
    results = [(one, records.fields(one, RESULT, notes)) for one in found if one.kind == "A1"]
    reading = Reading(upload, _patient(upload, orders, results))
    for note in sorted(notes):
        reading.find(note)
    if not orders and results and len(results[0][1]["chart"]) == _SHORT:
        reading.find("id-may-be-cut", results[0][0].at)
    _describe(reading, orders, results)
    requests = _requests(reading, found, orders, notes)
    _read_results(reading, results, requests[0] if len(requests) == 1 else None)
    _find_fields(reading, [*orders, *results])
    for one in found:
        if not reading.has(one):
            reading.leave(one, "not-yet-mapped" if one.kind else "layout-unknown")
    newest = max((str(item.resource.get("effectiveDateTime", "")) for item in reading.items),
                 default="")  # fmt: skip
    return reading.batch(f"{NAME}/A1" if results else f"{NAME}/O1", newest)


def _find_fields(reading: Reading, stated: Iterable[tuple[Record, dict[str, str] | None]]) -> None:
    """Find each field that nothing is made of, once a kind of record."""
    known = set()
    for record, fields in stated:
        for name in _NOT_TAKEN:
            if fields and fields.get(name, "").strip("0 ") and (record.kind, name) not in known:
                known.add((record.kind, name))
                reading.find("unmapped-field", f"{record.at} {name}")


def _order(record: Record, notes: set[str]) -> dict[str, str] | None:
    """O1 by the layout that its sex and birth fit; None where neither does or both could."""
    fitting = [
        layout
        for layout, length in ((ORDER, 6), (ORDER_DATED, 8))
        if _fits(records.cut(record, layout["sex"]), records.cut(record, layout["birth"]), length)
    ]
    if len(fitting) != 1:
        return None
    made = records.fields(record, fitting[0], notes)
    return made if made["chart"] or made["examinee"] else None


def _fits(sex: bytes, birth: bytes, length: int) -> bool:
    """Whether a sex and a birth stand where a layout has them; one of them may be blank."""
    born = birth.strip()
    if sex.strip() not in (b"", b"M", b"F", b"1", b"2") or (sex.isspace() and not born):
        return False
    return not born or (born.isdigit() and len(born) == length)


def _chart(order: dict[str, str]) -> str:
    return order["chart"] or order["examinee"]


_Orders = list[tuple[Record, dict[str, str] | None]]
_Results = list[tuple[Record, dict[str, str]]]


def _patient(upload: Upload, orders: _Orders, results: _Results) -> PatientId:
    """The chart id: O1's whole one where it is there, else the ten positions of A1."""
    whole = {_chart(order) for _, order in orders if order}
    cut = {result["chart"] for _, result in results}
    if (
        len(whole) > 1
        or len(cut) > 1
        or any(not one.startswith(other) for one in whole for other in cut)
    ):
        raise Malformed(
            "several patients, or a chart id that fits several",
            "複数の患者、または複数に該当する患者番号です",
            at="chart",
        )
    value = next(iter(whole or cut), "")
    if not value:
        raise Malformed("patient number missing", "患者番号がありません", at="chart")
    return PatientId(stated_domain(upload), safe_identifier(value))


def _describe(reading: Reading, orders: _Orders, results: _Results) -> None:
    """Name, sex and birth of O1; of A1 the name alone."""
    order = next((one for _, one in orders if one), None)
    name = order["name"] if order else next((one["name"] for _, one in results if one["name"]), "")
    born = None
    if order and order["birth"]:
        text = order["birth"] if len(order["birth"]) == 8 else order.get("era", "") + order["birth"]
        born, overrun = dates.western(text)
        place = next(record for record, one in orders if one)
        if born is None:
            reading.find("bad-date", f"{place.at} birth")
        elif overrun:
            reading.find("era-overrun", f"{place.at} birth")
    sex = _SEXES.get(order["sex"]) if order else None
    if name or born or sex:
        parts = name.replace("\u3000", " ").split()
        made = (
            PersonName(parts[0], parts[1], Script.KANA)
            if len(parts) == 2
            else PersonName("", "", Script.KANA, text=" ".join(parts))
        )
        reading.demographics = Demographics(names=(made,) if name else (), birth=born, gender=sex)
        reading.patient_resource = fhir.patient_resource(reading.demographics, [reading.patient])


def _requests(
    reading: Reading, found: list[Record], orders: _Orders, notes: set[str]
) -> list[Resource]:
    """O1 and its O2 as the order behind the results (JP_ServiceRequest_Common)."""
    made = []
    for record, order in orders:
        if order is None:
            continue
        key = order["request"] or _chart(order)
        request = fhir.resource(
            "ServiceRequest", "JP_ServiceRequest_Common", reading.identity("ServiceRequest", key)
        )
        if order["request"]:
            system = codes.local_identifiers(reading.domain, "order")
            request["identifier"] = [fhir.identifier(system, order["request"])]
        request["status"] = "unknown"
        request["intent"] = "order"
        places = ITEMS_DATED if len(order["birth"]) == 8 else ITEMS
        detail = []
        for one in found:
            if one.kind == "O2" and records.text(one, ORDER["request"], notes) == order["request"]:
                detail += [text for place in places if (text := records.text(one, place, notes))]
                reading.account(one, "used")
                loads = _LOADS[places is ITEMS_DATED]
                if any(records.text(one, place, notes).strip("0 ") for place in loads):
                    reading.find("unmapped-field", f"{one.at} load")
        if detail:
            system = reading.local_system("lab-order")
            # Details stand beside a code only (R4 prr-1); an O1 orders laboratory tests.
            request["code"] = fhir.concept(text="検体検査")
            request["orderDetail"] = [fhir.concept(fhir.coding(text, system)) for text in detail]
        request["subject"] = reading.subject
        day = _day(order["collected"])
        if day:
            request["occurrenceDateTime"] = day
        elif order["collected"].strip("0 "):
            reading.find("unmapped-field", f"{record.at} collected")
        if order["comment"]:
            request["note"] = [{"text": order["comment"]}]
        reading.account(record, "used")
        made.append(request)
    return made


def _read_results(reading: Reading, results: _Results, request: Resource | None) -> None:
    """Every item as Observation, every day as DiagnosticReport; the last word on an item counts."""
    days: dict[tuple[str, str], dict[str, LabItem]] = {}
    for record, result in results:
        day = _day(result["collected"])
        if not day:
            reading.leave(record, "bad-date" if result["collected"] else "field-missing")
            continue
        items = days.setdefault((result["centre"], day), {})
        reading.account(record, "used")
        if _DAY.fullmatch(result["collected"]) and result["collected"][8:].strip("0 "):
            reading.find("unmapped-field", f"{record.at} collected")
        for number in range(1, lab_fixed_layouts.RESULTS + 1):
            if result[f"code{number}"]:
                item = _item(reading, record, result, number, day, request)
                older = items.pop(item.key[1], None)
                if older is not None:
                    reading.find("superseded", f"{older.place.at}{older.names['value']}")
                items[item.key[1]] = item
    for items in days.values():
        if items:
            _add(reading, list(items.values()))


def _day(text: str) -> str:
    """The day of collection: 8 digits (and two marks of dialysis), or a date by era.

    Six digits do not say of which era their year is, and are no date.
    """
    found = _DAY.fullmatch(text)
    day = dates.birth(found[1]) if found else None
    if day is None and not (text.isdigit() and len(text) != 7):
        day = dates.western(text)[0]
    return day.isoformat() if day else ""


def _item(
    reading: Reading, record: Record, result: dict[str, str], number: int, day: str,
    request: Resource | None,
) -> LabItem:  # fmt: skip
    """One of the five results."""
    written = result[f"code{number}"]
    code = written.replace("-", "").upper()
    standard = bool(_JLAC10.fullmatch(code))
    system = codes.JLAC10 if standard else reading.local_system("lab-item")
    if not standard:
        code = written
    comments = [text for name in ("comment", "more") if (text := result[f"{name}{number}"])]
    value = result[f"value{number}"]
    if not value and comments:
        joined = "".join(comments)
        if values.decimal(joined) is not None or values.comparison(joined) is not None:
            # A value that is wider than its eight positions stands in the comments.
            value, comments = joined, []
            reading.find("value-in-comment", f"{record.at} value{number}")
    flag = result[f"flag{number}"]
    marks = [f"{name} {result[key]}" for key, name in _CONDITIONS if result[key]]
    return LabItem(
        place=record,
        names={name: f" {name}{number}" for name in ("code", "value", "flag")},
        key=(f"fixed|{result['centre']}|{day}", code, ""),
        code=fhir.concept(fhir.coding(code, system)),
        standard=standard,
        status=_STATUSES.get(result["status"], "unknown"),
        text=value,
        terms=terms("", "", "", "", "", "", flag) if flag else NO_TERMS,
        effective=day,
        notes=(*(f"comment {text}" for text in comments), *marks),
        request=fhir.reference(request["id"]) if request else None,
        companions=(request,) if request else (),
    )


def _add(reading: Reading, items: list[LabItem]) -> None:
    """The observations of one day, and the report that names them."""
    first = items[0]
    sheet = Sheet(
        place=first.place, prefix=first.key[0], effective=first.effective, request=first.request
    )
    for item in items:
        reading.account(item.place, "item Observation")
        sheet.take(reading, item)
    sheet.close(reading)


def split(stream: BinaryIO) -> Iterator[Part]:
    """Parts by chart id within windows; an O1 with a long chart id goes with its later results."""
    groups: dict[str, list[Span]] = {}
    long: dict[str, Span] = {}
    requests: dict[str, str] = {}
    begun = -1
    current = ""
    notes: set[str] = set()
    for record in records.of_stream(stream):
        if begun < 0:
            begun = record.start
        group, span = current, Span(record.number, record.start, record.end)
        match record.kind:
            case "O1":
                order = _order(record, notes)
                chart = _chart(order) if order else ""
                group = chart[:_SHORT].strip()
                if order and order["request"]:
                    requests[order["request"]] = group
                if len(chart) > _SHORT and len(long) < _MOST_LONG:
                    long[group] = span
            case "A1":
                group = records.text(record, RESULT["chart"], notes)
            case "O2":
                group = requests.get(records.text(record, ORDER["request"], notes), current)
        if record.start - begun > WINDOW and group != current:
            yield from _parts(groups)
            groups, requests, begun = {}, {}, record.start
        if group not in groups:
            first = long.get(group)
            groups[group] = [first] if first and first != span else []
        runs = groups[group]
        if runs and runs[-1].end == span.start:
            runs[-1] = Span(runs[-1].row, runs[-1].start, span.end)
        else:
            runs.append(span)
        current = group
    yield from _parts(groups)


def _parts(groups: dict[str, list[Span]]) -> Iterator[Part]:
    for runs in groups.values():
        yield Part(own=tuple(runs))


FORMAT: Format = Format(name=NAME, recognise=recognise, read=read, split=split)
