"""Every field of every sample is seen in what becomes of it, is found, or has its reason here.

A field is cleared in all segments or rows of its name; where then nothing differs, no resource, no
key, no finding, it was dropped in silence.
"""

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest

from gateway.standardize import Upload, batches
from gateway.standardize.uke import layout
from gateway.wire import fhir
from tests.shared import needs_shared, shared
from tests.standardize.conftest import FILES, sample
from tests.standardize.test_published_samples import NOTEBOOKS, STORAGE, VISIBLE, storage

MESSAGES = [name for name in FILES if name.startswith(("ssmix2/", "lab/"))]
ROWS = [name for name in FILES if name.startswith(("notebook/", "uke/"))]
ROWS += ["prescription/jahis10.csv"]
_SEPARATE = re.compile("[\r\n]+")
_PLACE = re.compile(r"([A-Z][A-Z0-9]{2})\[[0-9]+\](?:\.([0-9]+))?")
_ROW = re.compile(r"row ([0-9]+)(?: (\S+))?$")

REASONS = {
    # segment or record and field: why nothing becomes of it
    "MSH": "how the message is to be read, and from whom to whom: uploads have receipts",
    "*.1": "a number of the segment within the message",
    "EVN.2": "when the event was recorded; MSH-7 or the file name orders messages",
    "PID.33": "when the patient was changed; MSH-7 or the file name orders messages",
    "EVN.6": "when a leave or a move was; an admission and a discharge have PV1-44 and 45",
    "ORC.2": "the number that OBR-2 has too",
    "ORC.3": "the number that OBR-3 has too, or beside that of the placer",
    "ORC.8": "the parent that OBR-29 has too",
    "OBR.2": "the number that ORC-2 has too",
    "OBR.8": "the moment that OBR-7 has too",
    "OBR.29": "the parent that ORC-8 has too",
    "ORC.12": "the doctor that OBR-16 or PV1-7 has too",
    "ORC.29": "in- or outpatient, of a laboratory's order: PV1-2 says so",
    "OBR.16": "the doctor that ORC-12 has too",
    "OBR.25": "the state that ORC-5 or the results say too",
    "OBX.2": "the type, where the value itself shows it",
    "OBX.11": "final, as the report is",
    "OBX.14": "the time that SPM-17 or OBR-7 has too",
    "PRB.7": "the day that PRB-2 has too",
    "PRB.15": "the day that PRB-9 has too; another is found",
    "PRB.17": "the name that PRB-3 has too",
    "ZPR.2": "the number that PRB-3 has too; another is found",
    "RXA.2": "a number of the administration within its order",
    "RXA.4": "the moment that RXA-3 has too",
    "PV1.7": "the doctor that ORC-12 has too",
    "PV1.17": "the doctor that PV1-7 has too",
    # medication notebook, prescription
    **dict.fromkeys(
        (
            "2.3",
            "5.2",
            "11.8",
            "15.3",
            "51.5",
            "55.3",
            "201.7",
            "281.3",
            "291.3",
            "301.8",
            "311.3",
            "391.3",
            "401.2",
            "411.3",
            "421.2",
            "501.2",
            "701.6",
        ),
        "who wrote it: a professional; where it is the patient, that is found",
    ),
    "301.6": "kind of the usage code, of which there is none",
    "111.5": "the times that the text of the usage has too",
    "241.4": "the times that 111 has too",
    "201.3": "kind of information: always a drug",
    **dict.fromkeys(("231.4", "231.5", "231.6"), "not borne by this public payment"),
    # claims
    "*.回数": "the days say how often; where there are none, it counts",
    "GO.件数": "compared with the file",
    "BU.今回入院年月日": "the day that RE has too",
    "RE.入院年月日": "the day that BU has too",
    "CD.順序番号": "place of the row",
    "CD.行為明細番号": "place of the row",
    "CO.コメントコード": "free text",
    "TK.コメントコード": "free text",
    "TO.診療識別": "the kind that the rows before it have too",
    "IY.1回用量": "the dose that the amount says too; another is found",
    "KK.年齢": "the birth date says it",
}


def seen(upload: Upload) -> tuple[str, frozenset[tuple[str, str]], set[str]]:
    """What becomes of an upload, what is found where, and which places became nothing else."""
    told: list[object] = []
    found: set[tuple[str, str]] = set()
    left: set[str] = set()
    for batch in batches(upload):
        told.append(f"{batch.patient} {batch.demographics} {batch.occurred} {batch.version}")
        told.append(fhir.dumps(batch.patient_resource or {}))
        for item in batch.items:
            told.append(f"{item.key} {item.version} {item.cancelled} {fhir.dumps(item.resource)}")
            told += [fhir.dumps(one) for one in item.companions]
        found |= {(one.code, one.at) for one in batch.findings}
        left |= {at for at, became in batch.account.items()
                 if became != "used" and not became.startswith("item")}  # fmt: skip
    return "\n".join(map(str, told)), frozenset(found), left


def silent_fields(upload: Upload) -> Iterator[str]:
    """Fields of a message that nothing becomes of, though they have content."""
    charset = "iso2022_jp_ext" if b"\x1b" in upload.content else "utf-8"
    segments = [one for one in _SEPARATE.split(upload.content.decode(charset)) if one[3:4] == "|"]
    whole = "\r".join(segments) + "\r"
    base = seen(replace(upload, content=whole.encode(charset)))
    places = [one for _, at in base[1] if (one := _PLACE.match(at))]
    found = {(one[1], one[2]) for one in places if one[2]}
    left = {one[1] for at in base[2] if (one := _PLACE.match(at))}
    names = {one[:3] for one in segments} - {"MSH"} - left
    for name in sorted(names):
        most = max(one.count("|") for one in segments if one.startswith(name))
        for number in range(1, most + 1):
            cut = [_without(one, number) if one.startswith(name) else one for one in segments]
            if cut == segments or (name, str(number)) in found:
                continue
            content = ("\r".join(cut) + "\r").encode(charset)
            if seen(replace(upload, content=content))[:2] == base[:2]:
                yield f"{name}.{number}"


def _without(segment: str, number: int) -> str:
    fields = segment.split("|")
    if number < len(fields) and fields[number] != '""':
        fields[number] = ""
    return "|".join(fields)


def unexplained(fields: Iterator[str]) -> set[str]:
    return {one for one in fields if one not in REASONS and f"*.{one.split('.')[1]}" not in REASONS}


@pytest.mark.parametrize("name", MESSAGES)
def test_no_field_of_our_messages_vanishes(name):
    assert unexplained(silent_fields(sample(name))) == set()


@needs_shared
def test_no_field_of_the_published_messages_vanishes():
    assert len(STORAGE) > 15
    for path in STORAGE:
        name = path.rpartition("/")[2]
        content = _own_number(storage(path)[1], name)
        if content.count(b"\rPID|") == 1 and not name.endswith(
            "_0"
        ):  # deleted: no state of its own
            missing = unexplained(silent_fields(Upload(path=name, content=content)))
            assert (name, missing) == (name, set())


def _own_number(content: bytes, name: str) -> bytes:
    """A message whose PID-3 is that of its path: else nothing of PID is taken."""
    number = name.partition("_")[0].encode()
    return re.sub(rb"(\rPID\|[^|\r]*\|[^|\r]*\|)[^|^\r]*", rb"\g<1>" + number, content)


CLAIMS = {"C": layout.MEDICAL, "D": layout.DPC, "S": layout.DENTAL, "Y": layout.PHARMACY}


def _names(path: str) -> dict[tuple[bytes, int], str]:
    """Names of the columns of a claim; those of other rows have numbers."""
    kind = CLAIMS[path[-5]] if path.endswith(".UKE") else ""
    layouts = layout.layouts(kind) if kind else {}
    return {
        (record.encode(), place): name
        for record, columns in layouts.items()
        for place, name in enumerate(columns, start=1)
    }


def silent_columns(upload: Upload) -> Iterator[str]:
    """Columns of rows that nothing becomes of, though they have content."""
    end = b"\r\n" if b"\r\n" in upload.content else b"\n"
    rows = [one.split(b",") for one in upload.content.split(end)]
    base = seen(upload)
    found = {one.groups() for _, at in base[1] if (one := _ROW.search(at))}
    numbers = {number for number, word in found if word is None}
    numbers |= {at.partition(" ")[2] for at in base[2] if at.startswith("row ")}
    names = _names(upload.path)
    billing = ("billing-only", "") in base[1]
    records = dict.fromkeys(row[0] for row in rows[1:] if row[0].strip(b"\x1a "))
    for record in records:
        own = [place for place, row in enumerate(rows) if row[0] == record]
        for column in range(1, max(len(rows[place]) for place in own)):
            cut = [
                [*row[:column], b"", *row[column + 1 :]] if place in own else row
                for place, row in enumerate(rows)
            ]
            if not any(b"".join(rows[place][column : column + 1]).strip() for place in own):
                continue
            if all(str(place + 1) in numbers for place in own):
                continue  # said of the whole row
            if billing and layout.is_billing(names.get((record, column), "")):
                continue  # said once a receipt
            content = end.join(b",".join(row) for row in cut)
            if seen(replace(upload, content=content))[:2] == base[:2]:
                yield f"{record.decode()}.{names.get((record, column), column)}"


@pytest.mark.parametrize("name", ROWS)
def test_no_column_of_our_rows_vanishes(name):
    assert unexplained(silent_columns(sample(name))) == set()


@needs_shared
def test_no_column_of_the_published_notebooks_vanishes():
    folder = shared(*VISIBLE, "okusuri-techo-tsuchi84", "sample_data")
    for name in NOTEBOOKS:
        upload = Upload(path=name, content=(folder / name).read_bytes())
        assert (name, unexplained(silent_columns(upload))) == (name, set())
