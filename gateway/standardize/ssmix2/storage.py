"""SS-MIX2 standardized storage: what path and name say, and which data type reads the message.

SS-MIX2 標準化ストレージ仕様書 1.2, chapters on folders, file names and condition flags. The path
is the key: a file whose name contradicts its folders is refused, and a PID-3 that contradicts the
path is found as `pid-clash` (`security.md` E-08).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from gateway.errors import Invalid, Malformed
from gateway.model.batch import Batch
from gateway.model.identifiers import PatientId
from gateway.standardize import persons, tables
from gateway.standardize.format import Format, Upload
from gateway.standardize.message import Mapper, MessageReading
from gateway.standardize.names import safe_identifier
from gateway.standardize.reading import stated_domain
from gateway.standardize.ssmix2 import (
    administrations,
    adt_00,
    adt_61,
    examinations,
    omd,
    omg_13,
    oml_11,
    omp_01,
    omp_02,
    orders,
    ppr_01,
    visits,
)
from gateway.wire import hl7v2, hl7v2_check
from gateway.wire.hl7v2 import Message

_NAME = re.compile(
    r"(?P<patient>[^_/]{1,64})_(?P<day>[0-9]{8}|-)_(?P<data_type>[A-Z]{3}(?:-[0-9][0-9])?)"
    r"_(?P<order>[^_/]{1,22})_(?P<issued>[0-9]{8,17})_(?P<department>[^_/]*)_(?P<flag>[012])"
)
_DAY = re.compile(r"[0-9]{8}|-")
NO_ORDER = "999999999999999"
"Order number of data types that have no orders."

MESSAGES: Mapping[str, Mapping[str, str]] = {
    "ADT-00": {"ADT^A08": "ADT_A01", "ADT^A23": "ADT_A21"},
    "ADT-01": {"ADT^A54": "ADT_A54", "ADT^A55": "ADT_A52"},
    "ADT-12": {"ADT^A04": "ADT_A01", "ADT^A11": "ADT_A09"},
    "ADT-21": {"ADT^A14": "ADT_A05", "ADT^A27": "ADT_A21"},
    "ADT-22": {"ADT^A01": "ADT_A01", "ADT^A11": "ADT_A09"},
    "ADT-31": {"ADT^A21": "ADT_A21", "ADT^A52": "ADT_A52"},
    "ADT-32": {"ADT^A22": "ADT_A21", "ADT^A53": "ADT_A52"},
    "ADT-41": {"ADT^A15": "ADT_A15", "ADT^A26": "ADT_A21"},
    "ADT-42": {"ADT^A02": "ADT_A02", "ADT^A12": "ADT_A09"},
    "ADT-51": {"ADT^A16": "ADT_A16", "ADT^A25": "ADT_A21"},
    "ADT-52": {"ADT^A03": "ADT_A03", "ADT^A13": "ADT_A01"},
    "ADT-61": {"ADT^A60": "ADT_A60"},
    "PPR-01": {"PPR^ZD1": "PPR_ZD1"},
    "OMD": {"OMD^O03": "OMD_O03"},
    "OMP-01": {"RDE^O11": "RDE_O11"},
    "OMP-11": {"RAS^O17": "RAS_O17"},
    "OMP-02": {"RDE^O11": "RDE_O11"},
    "OMP-12": {"RAS^O17": "RAS_O17"},
    "OML-01": {"OML^O33": "OML_O33"},
    "OML-11": {"OUL^R22": "OUL_R22"},
    "OMG-01": {"OMG^O19": "OMG_O19"},
    "OMG-11": {"OMI^Z23": "OMI_Z23"},
    "OMG-02": {"OMG^O19": "OMG_O19"},
    "OMG-12": {"OMI^Z23": "OMI_Z23"},
    "OMG-03": {"OMG^O19": "OMG_O19"},
    "OMG-13": {"ORU^R01": "ORU_R01"},
}
"Data type to the messages it is stored as, and their structures."

READERS: Mapping[str, Mapper] = {
    "ADT-00": adt_00.read,
    **{name: visits.reader(name) for name in MESSAGES if name in visits.DATA_TYPES},
    "ADT-61": adt_61.read,
    "PPR-01": ppr_01.read,
    "OMD": omd.read,
    "OMP-01": omp_01.read,
    "OMP-11": administrations.read_prescribed,
    "OMP-02": omp_02.read,
    "OMP-12": administrations.read_injected,
    "OML-01": orders.reader("OML-01"),
    "OML-11": oml_11.read,
    "OMG-01": orders.reader("OMG-01"),
    "OMG-11": examinations.reader("JP_ImagingStudy_Radiology"),
    "OMG-02": orders.reader("OMG-02"),
    "OMG-12": examinations.reader("JP_ImagingStudy_Endoscopy"),
    "OMG-03": orders.reader("OMG-03"),
    "OMG-13": omg_13.read,
}
"Data type to its mapper."

STRUCTURES = hl7v2_check.read_structures(tables.rows("structures"))
_STORED_TYPES = frozenset(kind for kinds in MESSAGES.values() for kind in kinds) - {
    "OUL^R22",
    "ORU^R01",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredName:
    """What the name of a stored file says."""

    patient: str
    day: str
    data_type: str
    order: str
    issued: str
    department: str
    flag: str
    "`1` valid, `0` deleted, `2` superseded."

    @property
    def version(self) -> str:
        """The issue time as 17 digits; real trees also have shorter ones."""
        return self.issued.ljust(17, "0")


def stored_name(path: str) -> StoredName | None:
    """The name's parts, or None where it is not the name of a stored file."""
    found = _NAME.fullmatch(path.rpartition("/")[2])
    if not found or found["data_type"] not in MESSAGES:
        return None
    return StoredName(**found.groupdict())


def check_folders(path: str, name: StoredName) -> None:
    """Refuse a file whose folders say something else than its name (E-08).

    `<root>/<PID[0:3]>/<PID[3:6]>/<PID>/<day>/<data type>/<file>`; fewer levels are compared as
    far as they are there, once the innermost is a data type at all.
    """
    folders = path.split("/")[:-1]
    if not folders or (len(folders) < 5 and folders[-1] not in MESSAGES):
        return
    wanted = (name.data_type, name.day, name.patient, name.patient[3:6], name.patient[:3])
    for level, expected in zip(reversed(folders), wanted, strict=False):
        if level != expected:
            raise Invalid(
                "the file name contradicts its folders",
                "ファイル名とフォルダが矛盾しています",
                at="path",
                rule="E-08",
            )


def check_place(upload: Upload) -> None:
    """Refuse a file in a data type folder that the specification does not have (PATH-23).

    Only where the folders above it are those of a storage; any other tree is free in its names.
    """
    folders = upload.path.split("/")[:-1]
    if not upload.in_tree or len(folders) < 5:
        return
    first, second, patient, day, data_type = folders[-5:]
    is_storage = (first, second) == (patient[:3], patient[3:6]) and _DAY.fullmatch(day)
    if is_storage and data_type not in MESSAGES:
        raise Invalid(
            "the data type of the folder is not known",
            "フォルダのデータ種別が不明です",
            at="path",
            rule="E-06",
            log="PATH",
        )


def is_stored(upload: Upload) -> bool:
    """Whether an SS-MIX2 storage wrote it: its name says so, or its message profile (MSH-21)."""
    return stored_name(upload.path) is not None or b"SS-MIX2" in hl7v2.peek(upload.content)[1]


def recognise(upload: Upload) -> bool:
    """What a storage wrote, or a message that only storages have."""
    return is_stored(upload) or hl7v2.peek(upload.content)[0] in _STORED_TYPES


def read(upload: Upload) -> Batch:
    """Read one stored file; raises a Refusal where the file as a whole is refused."""
    name = stored_name(upload.path)
    if name and upload.in_tree:
        check_folders(upload.path, name)
    message = hl7v2.parse(upload.content)
    data_type = name.data_type if name else _data_type(message)
    if message.type not in MESSAGES.get(data_type, ()):
        raise Invalid(
            "the message is not of the data type of its name",
            "メッセージ型がデータ種別と一致しません",
            at="MSH-9",
            rule="E-08",
        )
    reading = _begin(upload, message, name)
    label = f"ssmix2/{data_type}"
    if name and name.flag == "2":
        reading.find("superseded", "path")
        reading.leave_all("superseded", message)
    else:
        structure = STRUCTURES.get(MESSAGES[data_type][message.type])
        if structure:
            reading.check(structure)
        READERS[data_type](reading)
        _compare_orders(reading, name)
    return reading.batch(label)


def _begin(upload: Upload, message: Message, name: StoredName | None) -> MessageReading:
    """Whose file it is: the path's patient, compared with PID-3."""
    inside = persons.patient_of(upload, message.first("PID"))
    if name is None:
        if inside is None:
            raise Malformed(
                "patient number missing", "患者番号がありません", at="PID-3", rule="HL7 AE 101"
            )
        return MessageReading(upload, message, inside)
    domain = inside.domain if inside else stated_domain(upload)
    try:
        patient = PatientId(domain, safe_identifier(name.patient))
    except Malformed as refusal:
        raise Invalid(refusal.english, refusal.japanese, at="path", rule="E-06") from refusal
    clash = inside is not None and inside.value != name.patient
    reading = MessageReading(
        upload,
        message,
        patient,
        version=name.version,
        cancelled=name.flag == "0",
        clash=clash,
    )
    if clash:
        reading.find("pid-clash", "PID-3")
    if reading.cancelled:
        reading.find("deleted", "path")
    return reading


def _compare_orders(reading: MessageReading, name: StoredName | None) -> None:
    """ORC-2 against the name; the one inside is what other deliveries of the order also have."""
    orc = reading.message.first("ORC")
    if name and orc and name.order != NO_ORDER and orc.value(2) not in ("", name.order):
        reading.find("order-clash", f"{orc.at}.2")


def _data_type(message: Message) -> str:
    """The data type of a message that came without its name.

    RDE^O11 and RAS^O17 are both prescription and injection: an injection has parts (RXC) or is
    given over time.
    """
    kind = message.type
    if kind in ("RDE^O11", "RAS^O17"):
        injected = message.all("RXC") or any(
            one.value(1) in ("IV", "IM", "SC", "IA", "ID") for one in message.all("RXR")
        )
        day = "01" if kind == "RDE^O11" else "11"
        return f"OMP-{int(day) + 1:02d}" if injected else f"OMP-{day}"
    return next((name for name, kinds in MESSAGES.items() if kind in kinds), "")


FORMAT = Format(name="ssmix2", recognise=recognise, read=read)
