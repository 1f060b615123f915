"""What our mapper does with each element of HL7 FHIR Japan's draft maps, found by running it.

For every row, two messages that differ in that element only are read; the paths in which the
resources then differ are where the element goes. Nothing is taken from what our code says.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

from gateway.model.identifiers import Oid
from gateway.standardize import Upload, read
from gateway.wire import fhir
from tests.shared import shared

Segments = list[tuple[str, dict[int, str]]]

DOCTOR, OTHER = "D1^医師^一郎", "D2^医師^二郎"
DAY, NEXT = "20261101", "20261102"
TIME, LATER = "202611010900", "202611020900"
TAB, CAP = "TAB^錠^MR9P", "CAP^カプセル^MR9P"

_UNDATED = {"PV1-44": ("", ""), "PV1-45": ("", "")}

# Segment to field to two values. A mapping of other fields beside it says what else the two need.
FIELDS: Mapping[str, Mapping[int, Any]] = {
    "MSH": {
        3: ("A", "B"), 5: ("A", "B"), 7: ("20261101090000", "20261102090000"),
        10: ("M1", "M2"), 24: ("x", "y"), 25: ("x", "y"),
    },
    "EVN": {1: ("", "x"), 2: (TIME, TIME), 6: (TIME, LATER)},
    "PID": {
        1: ("1", "2"), 3: ("0012345^^^^PI", "0012346^^^^PI"),
        5: ("架空^花子^^^^^L^I", "架空^春子^^^^^L^I"), 7: ("19621103", "19621104"), 8: ("F", "M"),
        11: ("^^^^100-0000^JPN^H^甲市", "^^^^100-0000^JPN^H^乙市"),
        13: ("^PRN^PH^^^^^^^^^000-1", "^PRN^PH^^^^^^^^^000-2"),
        14: ("^WPN^PH^^^^^^^^^000-3", "^WPN^PH^^^^^^^^^000-4"), 33: (DAY, NEXT),
    },
    "NK1": {
        1: ("1", "2"), 2: ("甲^乙", "甲^丙"), 3: ("SPO^配偶者^HL70063", "CHD^子^HL70063"),
        4: ("^^^^^JPN^H^甲市", "^^^^^JPN^H^乙市"), 5: ("^PRN^PH^^^^^^^^^1", "^PRN^PH^^^^^^^^^2"),
        6: ("^WPN^PH^^^^^^^^^3", "^WPN^PH^^^^^^^^^4"), 13: ("甲社", "乙社"),
    },
    "PV1": {
        1: ("1", "2"), 2: ("I", "O"), 3: ("32^302^1", "33^302^1"), 6: ("31^1", "30^1"),
        7: (DOCTOR, OTHER), 10: ("01", "02"), 17: ("D3^医師^三郎", "D4^医師^四郎"),
        36: ("01", "02"), 44: (TIME, LATER), 45: ("202611051000", "202611061000"),
    },
    "PV2": {
        1: ("40^1", "41^1"), 8: (TIME, LATER, _UNDATED),
        9: ("202611051000", "202611061000", _UNDATED),
        47: (LATER, "202611030900"),
    },
    "DB1": {1: ("1", "2"), 2: ("PT", "GT"), 4: ("Y", "N")},
    "AL1": {1: ("1", "2"), 2: ("DA", "FA"), 3: ("1^甲^99D", "2^乙^99D")},
    "IN1": {
        1: ("1", "2"), 2: ("06^組合^JHSD0001", "39^後期^JHSD0001"), 3: ("06270409", "01130012"),
        4: ("甲組合", "乙組合"), 10: ("１２", "１３"), 11: ("３４", "３５"), 12: (DAY, NEXT),
        13: ("20270101", "20270102"), 15: ("13", "14"),
        17: ("SEL^本人^HL70063", "SPO^配偶者^HL70063"),
    },
    "OBX": {
        1: ("1", "2"), 2: ("NM", "CWE", {"OBX-5": ("7.1", "A^A^JSHR002"), "OBX-6": ("", "")}),
        3: ("3A010000002327101^総蛋白^JC10", "3A015000002327101^アルブミン^JC10"), 4: ("1", "2"),
        5: ("7.1", "7.2"), 6: ("g/dL^g/dL^ISO+", "mg/dL^mg/dL^ISO+"), 7: ("1-9", "1-8"),
        8: ("N", "H"), 11: ("F", "P"), 14: (TIME, LATER),
    },
    "IAM": {
        1: ("1", "2"), 2: ("DA", "FA"), 3: ("1^甲^99D", "2^乙^99D"), 4: ("SV", "MO"),
        5: ("発疹", "咳"), 6: ("A", "D"), 7: ("1", "1"), 9: ("AL", "AD"), 11: (DAY, NEXT),
        12: ("幼児期", "学童期", {"IAM-11": ("", "")}), 13: (DAY, NEXT), 14: ("甲^乙", "丙^丁"),
        15: ("SEL", "SPO"), 17: ("C", "U"), 18: (DOCTOR, OTHER), 19: ("甲病院", "乙病院"),
        20: (DAY, NEXT),
    },
    "SPM": {
        1: ("1", "2"), 2: ("S1", "S1"), 4: ("023^血清^JC10", "022^血漿^JC10"),
        8: ("1^左^99D", "2^右^99D"), 17: (TIME, LATER),
    },
    "OBR": {
        1: ("1", "2"), 2: ("80001", "80002"), 3: ("L1", "L2"), 4: ("E1^甲^99D", "E2^乙^99D"),
        7: (TIME, LATER), 8: ("202611081000", "202611091000"), 12: ("A", "B"),
        16: (DOCTOR, OTHER, {"ORC-12": ("", "")}), 22: (TIME, LATER), 26: ("x^1", "y^1"),
    },
    "ORC": {
        1: ("NW", "CA"), 2: ("80001", "80002", {"OBR-2": ("", ""), "OBR-3": ("", "")}),
        3: ("L1", "L2", {"OBR-2": ("", ""), "OBR-3": ("", ""), "ORC-2": ("", "")}),
        4: ("80001_01_001", "80001_02_002"),
        5: ("CM", "IP"), 9: (TIME, LATER), 10: ("C1^入力^一", "C2^入力^二"), 12: (DOCTOR, OTHER),
        13: ("01^^^^^C", "02^^^^^C"), 15: ("1^理由^99D", "2^別^99D"),
        17: ("01^内科^99D", "02^外科^99D"), 18: ("PC1^^99D", "PC2^^99D"), 21: ("甲院", "乙院"),
        22: ("^^^^^JPN^^甲市", "^^^^^JPN^^乙市"), 23: ("^^^^^^^^^^^1", "^^^^^^^^^^^2"),
        29: ("O^外来^HL70482", "I^入院^HL70482"),
    },
    "RXE": {
        2: ("108665201^甲^HOT9", "110626901^乙^HOT9"), 3: ("1", "2", {"RXE-4": ("", "")}),
        4: ("2", "3"), 5: (TAB, CAP, {"RXE-4": ("", "")}), 6: ("TAB^錠剤^MR9P", "CAP^散^MR9P"),
        7: ("1^粉砕^99D", "2^一包化^99D"), 10: ("15", "16"), 11: (TAB, CAP), 12: ("1", "2"),
        13: ("D8^甲", "D9^乙"), 14: ("P1^甲", "P2^乙"), 15: ("R1", "R2"), 16: ("1", "2"),
        17: ("1", "2"), 18: (TIME, LATER), 19: ("3^TAB&錠&MR9P", "4^TAB&錠&MR9P"),
        21: ("OHP^外来処方^MR9P", "IHP^入院処方^MR9P"), 25: ("1", "2"), 26: (TAB, CAP),
        27: ("1^x^99D", "2^y^99D"), 28: ("1", "2"), 29: (TAB, CAP), 30: ("1", "2"),
        31: ("2112345F1012^甲^YJ", "2112345F1020^甲^YJ"),
        32: (DAY, NEXT, {"ORC-9": ("", "")}), 33: ("1", "2"), 34: (TAB, CAP), 35: ("1", "2"),
        36: ("1", "2"), 37: ("1", "2"), 38: ("1", "2"), 39: ("1", "2"), 40: ("1", "2"),
        41: ("x", "y"),
    },
    "TQ1": {
        3: ("1013044400000000&内服・経口・１日３回朝昼夕食後&JAMISDP01",
            "1012040400000000&内服・経口・１日２回朝夕食後&JAMISDP01~V11NNNNN&不均等&JAMISDP01"),
        7: (DAY, NEXT), 8: ("20261108", "20261109"),
    },
    "RXR": {
        1: ("PO^口^HL70162", "SL^舌下^HL70162"), 2: ("1^左^99D", "2^右^99D"),
        3: ("1^甲器^99D", "2^乙器^99D"), 4: ("1^甲法^99D", "2^乙法^99D"),
    },
    "RXA": {
        1: ("0", "1"), 2: ("1", "2"), 3: (TIME, "202611010930"), 4: (LATER, "202611020930"),
        5: ("108665201^甲^HOT9", "110626901^乙^HOT9"), 6: ("1", "2"), 7: (TAB, CAP),
        8: ("1^x^99D", "2^y^99D"), 9: ("^左手^99D", "^右手^99D"), 10: ("N1^甲^乙", "N2^丙^丁"),
        11: ("09A^021^4", "09B^021^4"), 12: ("102ml/hr", "103ml/hr"), 13: ("1", "2"),
        14: (TAB, CAP), 15: ("L1", "L2"), 16: (DAY, NEXT), 17: ("甲社", "乙社"),
        18: ("1^甲^99D", "2^乙^99D"), 19: ("1^x^99D", "2^y^99D"), 20: ("CP", "PA"),
        21: ("A", "D"), 22: (TIME, LATER), 23: ("1", "2"), 24: (TAB, CAP), 25: ("1", "2"),
        26: ("1", "2"),
    },
    "PRB": {
        1: ("AD", "DE"), 2: (DAY, NEXT, {"PRB-7": ("", "")}),
        3: ("20054174^胃炎^MDCDX2", "20061638^気管支炎^MDCDX2"), 4: ("P1", "P2"), 5: ("1", "2"),
        6: ("1", "2"), 7: (DAY, NEXT), 8: (DAY, NEXT), 9: ("20261120", "20261121"),
        10: ("K297^^I10^O^外来時^JHSD0004", "K298^^I10^O^外来時^JHSD0004"),
        11: ("1", "2"), 12: ("1", "2"), 13: ("", "1"),
        14: ("R^回復^HL70241", "N^回復せず^HL70241"),
        15: ("20261118", "20261119", {"PRB-9": ("", "")}), 16: ("20261031", "20261030"),
        17: ("胃炎", "急性胃炎"), 18: ("1^主診断^JHSD0007", ""), 19: ("1", "2"), 20: ("1", "2"),
        21: ("1", "2"), 22: ("1", "2"), 23: ("1", "2"), 24: ("1", "2"), 25: ("V", "R"),
    },
    "ZPR": {
        1: ("4012^急性^MDCDX2", "4011^慢性^MDCDX2"), 2: ("20054174^胃炎^MDCDX2", "1^x^MDCDX2"),
        3: ("8002^疑い^MDCDX2", "8048^術後^MDCDX2"), 4: ("3068^急性^x", "3067^慢性^x"),
        5: ("TSQF^胃炎^MDCDX2", "TSQG^胃炎^MDCDX2"), 6: ("8002^疑い^x", "8048^術後^x"),
        7: ("甲", "乙"),
    },
}  # fmt: skip

_ADT = ["EVN", "PID", "PV1", "PV2"]
_EVENTS = ("ADT^A04", "ADT^A14", "ADT^A01", "ADT^A21", "ADT^A22", "ADT^A15", "ADT^A02",
           "ADT^A16", "ADT^A03")  # fmt: skip
_BASE = ("ADT^A08", ["EVN", "PID", "NK1", "PV1", "DB1", "OBX", "AL1", "IN1"])
_LAB = ("OUL^R22", ["PID", "PV1", "SPM", "OBR", "ORC", "OBX"])
_PRESCRIPTION = ("RDE^O11", ["PID", "PV1", "AL1", "ORC", "RXE", "TQ1", "RXR"])
_GIVEN = ("RAS^O17", ["PID", "AL1", "PV1", "ORC", "RXE", "TQ1", "RXC", "RXA", "RXR", "CTI"])
_DIAGNOSES = ("PPR^ZD1", ["PID", "PRB", "ZPR", "ORC"])

MESSAGES: Mapping[str, list[tuple[str, list[str]]]] = {
    "message-adt-00-to-bundle": [_BASE],
    "message-adt-22-to-bundle": [("ADT^A01", _ADT)],
    "message-adt-61-to-bundle": [("ADT^A60", ["PID", "IAM"])],
    "message-oml-11-to-bundle": [_LAB],
    "message-omp-01-to-bundle": [_PRESCRIPTION],
    "message-omp-12-to-bundle": [_GIVEN],
    "message-ppr-01-to-bundle": [_DIAGNOSES],
    "segment-adt-00-al1-to-allergyintolerance": [_BASE],
    "segment-adt-00-in1-to-coverage": [_BASE],
    "segment-adt-00-obx-to-observation": [_BASE],
    "segment-adt-61-iam-to-allergyintolerance": [("ADT^A60", ["PID", "IAM"])],
    "segment-adt-xx-pv1-to-encounter": [(event, _ADT) for event in _EVENTS],
    "segment-msh-to-bundle": [_BASE],
    "segment-msh-to-messageheader": [_BASE],
    "segment-oml-11-obr-to-diagnosticreport": [_LAB],
    "segment-oml-11-obx-to-observation": [_LAB],
    "segment-oml-11-orc-to-servicerequest": [_LAB],
    "segment-oml-11-spm-to-specimen": [_LAB],
    "segment-omp-01-rxe-to-medicationrequest": [_PRESCRIPTION],
    "segment-omp-12-rxa-to-medicationadministration": [_GIVEN],
    "segment-pid-to-patient": [_BASE],
    "segment-ppr-01-prb-to-condition": [_DIAGNOSES],
    "segment-pv1-to-encounter": [(event, _ADT) for event in _EVENTS],
}
"Map to the messages that its rows are tried on."

_TABLES: Mapping[str, tuple[str, str]] = {
    "table-v2-0001-to-administrativegender": ("PID-8", "Patient.gender"),
    "table-v2-0004-to-v3-actcode": ("PV1-2", "Encounter.class.code"),
    "table-v2-0127-to-allergyintolerancecategory": ("IAM-2", "AllergyIntolerance.category"),
    "table-v2-0128-to-reactioneventseverity": ("IAM-4", "AllergyIntolerance.reaction.severity"),
    "table-v2-0201-to-contactpointuse": ("PID-13", "Patient.telecom.use"),
    "table-v2-0465-to-iso-21090": ("PID-5", "Patient.name.extension.valueCode"),
}
_ON_EVENTS = {
    "table-v2-0003-to-encounterlocationstatus": "Encounter.location.status",
    "table-v2-0003-to-encounterstatus": "Encounter.status",
}
_SHAPES = {"PID-13": "^{}^PH^^^^^^^^^000", "PID-5": "架空^花子^^^^^L^{}"}
_BODY = ("9N001000000000001^身長^JC10", "9N006000000000001^体重^JC10")
_SPECIAL = {"RXC": {1: "A", 2: "108665201^甲^HOT9", 3: "1", 4: TAB}, "CTI": {1: "1"}}


_NAMED = frozenset({"Patient", "Practitioner", "PractitionerRole", "Organization", "Location",
                    "Medication", "?"})  # fmt: skip
"Types whose id says what they are, not which item of a message."


class Row(NamedTuple):
    """One row of a draft map."""

    map: str
    source: str
    name: str
    target: str
    "Empty where the draft maps nothing."


class Found(NamedTuple):
    """What we do with it."""

    verdict: str
    "`same`, `different`, `not mapped`, `ours only`, `neither`."
    paths: tuple[str, ...]


@cache
def rows() -> tuple[Row, ...]:
    """Every row of the published draft."""
    found = []
    path = shared("japan", "tables", "ssmix2-to-fhir-maps.json")
    for name, one in json.loads(path.read_text("utf-8")).items():
        if name != "_about":
            for source, title, target, equivalence, _ in one["rows"]:
                goal = "" if equivalence == "disjoint" or target == "未定" else target or ""
                title = re.sub(r"\s+", "", title)
                found.append(Row(name, source.replace("–", "-"), title, goal))
    return tuple(dict.fromkeys(found))


def examine(row: Row) -> Found:
    """What we do with one row."""
    if row.map in _ON_EVENTS:
        alone = {"PV1-6": "", "PV2-1": ""}
        return _code(row, f"ADT^{row.source}", _ADT, alone, _ON_EVENTS[row.map])
    if row.map in _TABLES:
        place, path = _TABLES[row.map]
        kind, segments = _GIVEN_FOR[place.partition("-")[0]]
        value = _SHAPES.get(place, "{}").format(row.source)
        return _code(row, kind, segments, {"PID-14": "", place: value}, path)
    if row.map.startswith("message-"):
        changed = _removed(row)
        goal = _type(row.target)
    else:
        changed = set()
        for kind, segments in MESSAGES[row.map]:
            changed |= _varied(row.source, kind, segments)
        goal = row.target
    return Found(_verdict(goal, changed), tuple(sorted(changed)))


_GIVEN_FOR = {"PID": _BASE, "PV1": _BASE, "IAM": ("ADT^A60", ["PID", "IAM"])}


def _code(row: Row, kind: str, segments: list[str], values: dict[str, str], path: str) -> Found:
    got = {value for where, value in _paths(kind, segments, values) if where == path}
    ours = ", ".join(sorted(got))
    if ours == row.target:
        return Found("same" if ours else "neither", (ours,) if ours else ())
    return Found("different" if ours else "not mapped", (ours,) if ours else ())


def _verdict(goal: str, changed: set[str]) -> str:
    if not goal:
        return "ours only" if changed else "neither"
    if any(path.startswith(_pattern(goal)) for path in changed):
        return "same"
    return "different" if changed else "not mapped"


def _pattern(target: str) -> str:
    if target == "Bundle.entry.resource.meta.profile":
        return "Observation.meta.profile"  # of any resource
    return re.sub(r":[A-Za-z]+", "", target).removesuffix("[x]")


def _type(profile: str) -> str:
    """`JP_MedicationAdministration_Injection` as the type that it is of."""
    return profile.split("_")[1] if profile.startswith("JP_") else profile


def _removed(row: Row) -> set[str]:
    """Types of resources in which it shows that a segment is not there."""
    name = row.source.rpartition(".")[2]
    if name == "MSH":
        return set()  # a message without it is none
    ((kind, segments),) = MESSAGES[row.map]
    with_it = _paths(kind, segments, {})
    if name == "PID":  # a message without a patient's number is refused
        bare = {f"PID-{number}": "" for number in FIELDS["PID"] if number != 3}
        without = _paths(kind, segments, bare)
    else:
        without = _paths(kind, [one for one in segments if one != name], {})
    return {path.partition(".")[0] for path in _difference(with_it, without)}


def _varied(source: str, kind: str, segments: list[str]) -> set[str]:
    """Paths in which two messages differ that differ in one field."""
    name, _, number = source.partition("-")
    if not number:
        return _difference(
            _paths(kind, segments, {}), _paths(kind, [one for one in segments if one != name], {})
        )
    if source == "MSH-9":
        other = ("ADT^A03", _ADT) if segments is _ADT else _LAB
        return _difference(_paths(kind, segments, {}), _paths(*other, {}))
    if number == "0" or (name not in segments and name != "MSH"):
        return set()
    two_values = _BODY if segments is _BASE[1] and source == "OBX-3" else FIELDS[name][int(number)]
    first, second, *more = two_values
    beside = more[0] if more else {}
    return _difference(
        _paths(kind, segments, {source: first, **{at: two[0] for at, two in beside.items()}}),
        _paths(kind, segments, {source: second, **{at: two[1] for at, two in beside.items()}}),
    )


def _difference(one: Counter[tuple[str, str]], other: Counter[tuple[str, str]]) -> set[str]:
    return {path for path, _ in (one - other) + (other - one)}


def _paths(kind: str, segments: list[str], values: dict[str, str]) -> Counter[tuple[str, str]]:
    """Path and value of everything in what a message becomes; ids are left out."""
    profile = "SS-MIX2_1.20^SS-MIX2^1.2.392.200250.2.1.100.1.2.120^ISO"
    msh = {3: "A", 5: "A", 7: "20261101090000", 9: f"{kind}^X", 10: "M1", 11: "P", 12: "2.5",
           18: "UNICODE UTF-8", 21: profile}  # fmt: skip
    lines = [_line("MSH", msh, values)[:4] + "^~\\&" + _line("MSH", msh, values)[4:]]
    for name in segments:
        fields = _SPECIAL.get(name) or {number: two[0] for number, two in FIELDS[name].items()}
        if name == "OBR":
            fields = {**fields, 26: ""}
        if name == "RXR" and kind == "RAS^O17":
            fields = {**fields, 1: "IV^静脈^HL70162"}
        if name == "ORC" and kind == "PPR^ZD1":
            fields = {**fields, 1: "NW"}
        lines.append(_line(name, fields, values))
    content = "\r".join(lines).encode() + b"\r"
    batch = read(Upload(path="x.hl7", content=content, domain=Oid("2.999.30.1")))
    found = {one.resource["id"]: one.resource for one in batch.items}
    found |= {one["id"]: one for item in batch.items for one in item.companions}
    if batch.patient_resource:
        found[batch.patient_resource["id"]] = batch.patient_resource
    counted: Counter[tuple[str, str]] = Counter({("Item.version", batch.version): 1})
    for one in found.values():
        counted.update(_walk(json.loads(fhir.dumps(one)), one["resourceType"], found))
    for item in batch.items:
        counted[f"Item.cancelled {item.resource['resourceType']}", str(item.cancelled)] += 1
    return counted


def _line(name: str, fields: Mapping[int, str], values: Mapping[str, str]) -> str:
    given = dict(fields)
    for place, value in values.items():
        segment, _, number = place.partition("-")
        if segment == name:
            given[int(number)] = value
    last = max(given, default=1)
    shift = 1 if name == "MSH" else 0
    return "|".join([name, *(given.get(number, "") for number in range(1 + shift, last + 1))])


def _walk(node: Any, path: str, known: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "reference":
                identity = str(value).removeprefix("urn:uuid:")
                kind = known.get(identity, {}).get("resourceType", "?")
                yield f"{path}.reference", identity if kind in _NAMED else kind
            elif key not in ("id", "resourceType", "language"):
                yield from _walk(value, f"{path}.{key}", known)
    elif isinstance(node, list):
        for one in node:
            yield from _walk(one, path, known)
    else:
        yield path, str(node)
