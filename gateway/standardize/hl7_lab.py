"""A laboratory's result message as one file: OUL^R22 or ORU^R01 (HL7 v2.5 chapter 7).

A laboratory may send part of an order now and the rest later, so a message replaces nothing but
the results it carries.
"""

from gateway.errors import Malformed, Unsupported
from gateway.model.batch import Batch
from gateway.standardize import laboratory, persons, ssmix2, tables
from gateway.standardize.format import Format, Upload
from gateway.standardize.message import MessageReading
from gateway.wire import hl7v2, hl7v2_check

TYPES = frozenset({"OUL^R22", "ORU^R01"})
_STRUCTURES = hl7v2_check.read_structures(tables.rows("structures"))


def recognise(upload: Upload) -> bool:
    """By message type; what an SS-MIX2 storage wrote is not ours."""
    kind, _ = hl7v2.peek(upload.content)
    return kind in TYPES and not ssmix2.is_stored(upload)


def read(upload: Upload) -> Batch:
    """Read one message; raises a Refusal where it is refused as a whole."""
    message = hl7v2.parse(upload.content)
    if message.type not in TYPES:
        raise Unsupported(
            "message type not taken", "扱わないメッセージ型です", at="MSH-9", rule="HL7 AR 201"
        )
    patient = persons.patient_of(upload, message.first("PID"))
    if patient is None:
        raise Malformed(
            "patient number missing", "患者番号がありません", at="PID-3", rule="HL7 AE 101"
        )
    if len(message.all("PID")) > 1:
        raise Malformed(
            "more than one patient", "複数の患者が含まれています", at="PID[2]", rule="HL7 AE 102"
        )
    reading = MessageReading(upload, message, patient)
    reading.check(_STRUCTURES["OUL_R22" if message.type == "OUL^R22" else "ORU_R01"])
    laboratory.read(reading, complete=False)
    return reading.batch(f"hl7-lab/{message.type}")


FORMAT = Format(name="hl7-lab", recognise=recognise, read=read)
