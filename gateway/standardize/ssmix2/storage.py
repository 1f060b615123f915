"""SS-MIX2 standardized storage: what path and name say, and which data type reads the message.

SS-MIX2 標準化ストレージ仕様書 1.2, chapters on folders, file names and condition flags. The path
is the key: a file whose name contradicts its folders is refused, and a PID-3 that contradicts the
path is found as `pid-clash` (`security.md` E-08).
"""

import re
from typing import NamedTuple

from gateway.errors import Invalid, Malformed
from gateway.model.batch import Batch
from gateway.model.identifiers import PatientId
from gateway.standardize import persons
from gateway.standardize.format import Format, Upload
from gateway.standardize.message import MessageReading
from gateway.standardize.names import safe_identifier
from gateway.standardize.reading import stated_domain
from gateway.standardize.ssmix2 import data_types
from gateway.standardize.ssmix2.data_types import MESSAGES
from gateway.wire import hl7v2, memo
from gateway.wire.hl7v2 import Message

_NAME = re.compile(
    r"(?P<patient>[^_/]{1,64})_(?P<day>[0-9]{8}|-)_(?P<data_type>[A-Z]{3}(?:-[0-9][0-9])?)"
    r"_(?P<order>[^_/]{1,22})_(?P<issued>[0-9]{8,17})_(?P<department>[^_/]*)_(?P<flag>[0-9])"
    r"(?:\.(?:hl7|HL7|txt|TXT|dat|DAT))?"
)
_DAY = re.compile(r"[0-9]{8}|-")
_FLAGS = ("0", "1", "2")
NO_ORDER = "999999999999999"
"Order number of data types that have no orders."


class StoredName(NamedTuple):
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


@memo.by_text(256)
def stored_name(path: str) -> StoredName | None:
    """The name's parts, or None where it is not the name of a stored file.

    Those who copy a storage give its files an extension, which the specification does not have:
    without this, one that is deleted or superseded would be read as a message that holds.
    """
    found = _NAME.fullmatch(path.rpartition("/")[2])
    if not found or found["data_type"] not in MESSAGES:
        return None
    return StoredName(*found.groups())


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
    if is_storage and data_type not in MESSAGES and "^" not in data_type:
        raise Invalid(
            "the data type of the folder is not known",
            "フォルダのデータ種別が不明です",
            at="path",
            rule="E-06",
            log="PATH",
        )


def recognise(upload: Upload) -> bool:
    """What the name of a stored file says."""
    return stored_name(upload.path) is not None


def read(upload: Upload) -> Batch:
    """Read one stored file; raises a Refusal where the file as a whole is refused."""
    name = stored_name(upload.path)
    if name is None:
        raise Malformed(
            "not the name of a stored file", "標準化ストレージのファイル名ではありません",
            at="path", rule="E-08",
        )  # fmt: skip
    if name.flag not in _FLAGS:
        raise Invalid(
            "the condition flag of the file name is not known",
            "ファイル名のコンディションフラグが不明です", at="path", rule="E-08",
        )  # fmt: skip
    if upload.in_tree:
        check_folders(upload.path, name)
    return read_message(upload, hl7v2.parse(upload.content), name, f"ssmix2/{name.data_type}")


def read_message(
    upload: Upload, message: Message, name: StoredName, label: str, *, at: str = "path"
) -> Batch:
    """Read a message that a storage wrote, under the name that it has there; `at` says where."""
    reading = _begin(upload, message, name, at)
    if message.type not in MESSAGES.get(name.data_type, ()):
        raise Invalid(
            "the message is not of the data type of its name",
            "メッセージ型がデータ種別と一致しません",
            at="MSH-9",
            rule="E-08",
        )
    if name.flag == "2":
        reading.find("superseded", "path")
        reading.leave_all("superseded", message)
    else:
        data_types.read_as(reading, name.data_type)
        _compare_orders(reading, name)
    return reading.batch(label)


def _begin(upload: Upload, message: Message, name: StoredName, at: str) -> MessageReading:
    """Whose file it is: the patient of the name, compared with PID-3."""
    inside = persons.patient_of(upload, message.first("PID"))
    domain = inside.domain if inside else stated_domain(upload)
    try:
        patient = PatientId(domain, safe_identifier(name.patient))
    except Malformed as refusal:
        raise Invalid(refusal.english, refusal.japanese, at=at, rule="E-06") from refusal
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
        reading.find("deleted", at)
    return reading


def _compare_orders(reading: MessageReading, name: StoredName) -> None:
    """ORC-2 against the name; the one inside is what other deliveries of the order also have."""
    orc = reading.message.first("ORC")
    if orc and name.order != NO_ORDER and orc.value(2) not in ("", name.order):
        reading.find("order-clash", f"{orc.at}.2")


FORMAT: Format = Format(name="ssmix2", recognise=recognise, read=read, placed=True)
