"""The data types of a storage: their messages, and who reads them; one table for every door.

SS-MIX2 標準化ストレージ仕様書 1.2, chapter on data types. A message that comes without a storage
(by file, by MLLP) is of the data type that a storage would keep it under, so that its items have
the same keys whichever way they come (STG-04).
"""

from collections.abc import Mapping

from gateway.errors import Invalid
from gateway.standardize import tables
from gateway.standardize.message import Mapper, MessageReading
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
from gateway.wire import hl7v2_check
from gateway.wire.hl7v2 import Message

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
_INJECTED = frozenset({"IV", "IM", "SC", "IA", "ID"})
"Routes of an injection (HL7 table 0162)."
_PHYSIOLOGY = frozenset({"AU", "CTH", "CUS", "EC", "EN", "OUS", "PF", "VUS"})
"Diagnostic services of OBR-24 (HL7 table 0074) that are physiology; all others are laboratories."


def data_type_of(message: Message) -> str:
    """The data type of a message that came without its name; empty where it has none.

    RDE^O11 and RAS^O17 are both prescription and injection: an injection has parts (RXC) or is
    given over time. ADT^A11 takes back an admission of an inpatient, else a reception.
    """
    kind = message.type
    if kind in ("RDE^O11", "RAS^O17"):
        injected = message.all("RXC") or any(
            one.value(1) in _INJECTED for one in message.all("RXR")
        )
        day = "01" if kind == "RDE^O11" else "11"
        return f"OMP-{int(day) + 1:02d}" if injected else f"OMP-{day}"
    if kind == "ADT^A11":
        visit = message.first("PV1")
        return "ADT-22" if visit and visit.value(2) == "I" else "ADT-12"
    return next((name for name, kinds in MESSAGES.items() if kind in kinds), "")


def structure_of(message: Message) -> str:
    """The structure of a message that came without its name."""
    if message.type in ("OUL^R22", "ORU^R01"):
        return message.type.replace("^", "_")
    return MESSAGES[data_type_of(message)][message.type]


def is_physiology(message: Message) -> bool:
    """Whether the results of a message are those of a physiological examination."""
    return any(one.value(24) in _PHYSIOLOGY for one in message.all("OBR"))


def read_as(reading: MessageReading, data_type: str) -> None:
    """Check a message against its structure and turn it into items."""
    message = reading.message
    if message.type not in MESSAGES.get(data_type, ()):
        raise Invalid(
            "the message is not of the data type of its name",
            "メッセージ型がデータ種別と一致しません",
            at="MSH-9",
            rule="E-08",
        )
    structure = STRUCTURES.get(MESSAGES[data_type][message.type])
    if structure:
        reading.check(structure)
    READERS[data_type](reading)
