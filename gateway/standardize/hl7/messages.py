"""HL7 v2.5 messages as they come by file and by MLLP: which are taken, and what they mean.

A message outside a storage is read as the data type that a storage would keep it under, so that
its items have the same keys (STG-04). Only an order states everything that belongs to it; a list of
diagnoses or allergies, or results that come in pieces, add and change, and end nothing they lack.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.errors import Malformed, NotOwner, Unsupported
from gateway.model.batch import Batch
from gateway.model.identifiers import PatientId
from gateway.standardize import persons
from gateway.standardize.findings import finding
from gateway.standardize.format import Format, Run, Upload
from gateway.standardize.hl7 import batches
from gateway.standardize.laboratory import groups as laboratory
from gateway.standardize.laboratory import observation
from gateway.standardize.message import MessageReading
from gateway.standardize.ssmix2 import data_types, stored_name
from gateway.wire import hl7v2
from gateway.wire.hl7v2 import Message


@dataclass(frozen=True, slots=True)
class Kind:
    """What becomes of one type of message."""

    structure: str = ""
    "Its structure, where no data type has it."
    data_type: str = ""
    "The data type it is read as, where its type alone does not say so."
    whole: bool = False
    "It states everything under its order: what an older message had there and it lacks is ended."
    deletes: bool = False
    "It takes back what it names."
    acknowledges: bool = False
    "An application's answer to an order: it repeats numbers and says nothing new."


_ORDERS = ("OMD^O03", "RDE^O11", "RAS^O17", "OML^O33", "OMG^O19", "OMI^Z23")
_ANSWERS = ("ACK", "ORG^O20", "ORL^O22", "ORL^O34", "ORR^O02", "ORD^O04", "ORI^O24", "RRE^O12",
            "RRA^O18")  # fmt: skip
TYPES: Mapping[str, Kind] = {
    **{name: Kind() for kinds in data_types.MESSAGES.values() for name in kinds},
    **{name: Kind(whole=True) for name in _ORDERS},
    "ADT^A23": Kind(deletes=True),
    "ADT^A28": Kind(structure="ADT_A05", data_type="ADT-00"),
    "ADT^A31": Kind(structure="ADT_A05", data_type="ADT-00"),
    **{name: Kind(acknowledges=True) for name in _ANSWERS},
}
"Every type of message that is taken."

IDENTITY_EVENTS = frozenset(
    f"ADT^A{number}"
    for number in (18, 24, 30, 34, 35, 36, 37, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51)
)
"Merges, links and changes of numbers (HL7 v2.5 3.3): those go by ITI-44."

_RESULTS = frozenset({"OUL^R22", "ORU^R01"})
_BEGINNINGS = (b"MSH", *batches.ENVELOPE)


def recognise(upload: Upload) -> bool:
    """What begins like a message or a batch, unless a storage wrote it."""
    head = upload.content[:64].lstrip(b"\r\n\x0b\xef\xbb\xbf")
    return (
        head.startswith(_BEGINNINGS)
        and head[3:4] not in (b"", b"\r", b"\n")
        and not head[3:4].isalnum()
        and stored_name(upload.path) is None
    )


def read(upload: Upload) -> Batch:
    """Read one message; raises a Refusal where it is refused as a whole."""
    envelope, run = _runs(upload)
    message = hl7v2.parse(run.content, base=run.start)
    batch = standardize(upload, message)
    for line in envelope:
        batch.account.setdefault(f"{line.content[:3].decode()}[{line.row}]", "used")
    return batch


def standardize(upload: Upload, message: Message) -> Batch:
    """What one message becomes; raises a Refusal where it is refused as a whole."""
    kind = kind_of(message)
    if len(message.all("PID")) > 1:
        raise Malformed(
            "more than one patient", "複数の患者が含まれています", at="PID[2]", rule="HL7 AE 102"
        )
    patient = persons.patient_of(upload, message.first("PID"))
    label = f"hl7/{message.type}"
    if kind.acknowledges:
        return _acknowledgement(upload, message, patient, label)
    if patient is None:
        raise Malformed(
            "patient number missing", "患者番号がありません", at="PID-3", rule="HL7 AE 101"
        )
    reading = MessageReading(upload, message, patient, cancelled=kind.deletes)
    stored = "SS-MIX2" in message.header.raw(21)
    if message.type in _RESULTS and not stored:
        _read_results(reading)
    elif kind.structure:
        reading.check(data_types.STRUCTURES[kind.structure])
        data_types.READERS[kind.data_type](reading)
    else:
        data_types.read_as(reading, data_types.data_type_of(message))
    if not (stored or kind.whole):
        reading.scope = ""
    return reading.batch(label)


def kind_of(message: Message) -> Kind:
    """What becomes of a message; raises a Refusal where its type is not taken."""
    name = message.header.value(9)
    found = TYPES.get("ACK" if name == "ACK" else message.type)
    if found is not None:
        return found
    if message.type in IDENTITY_EVENTS:
        raise Unsupported(
            "merges and changes of patient numbers go by ITI-44, not by this message",
            "患者番号の統合・変更は ITI-44 で送ってください。このメッセージでは扱いません",
            at="MSH-9", rule="HL7 AE 204",
        )  # fmt: skip
    known = any(one.startswith(name + "^") for one in TYPES)
    raise Unsupported(
        "message type not taken", "扱わないメッセージ型です", at="MSH-9",
        rule=f"HL7 AR {'201' if known else '200'}",
    )  # fmt: skip


def refuse_foreign(upload: Upload, message: Message) -> None:
    """Refuse a merge that names another facility's number in MRG-1, before its type is judged."""
    for mrg in message.all("MRG"):
        for repetition in mrg.repetitions(1):
            authority = mrg.subcomponents(repetition, 4)[1:2]
            if authority and authority[0] and authority[0] != (upload.domain or authority[0]):
                raise NotOwner(
                    "identifier of another assigning authority", "他機関が発番した患者IDです",
                    at="MRG-1", rule="HL7 AE 204", log="AUTH-SPOOF",
                )  # fmt: skip


def _runs(upload: Upload) -> tuple[list[Run], Run]:
    """The envelope's lines and the message of a part, or of a whole file with one message."""
    runs = list(upload.lines)
    envelope = [run for run in runs if run.content[:3] in batches.ENVELOPE]
    own = [run for run in runs if run.content[:3] not in batches.ENVELOPE]
    return (envelope, own[0]) if own else ([], runs[0])


def _read_results(reading: MessageReading) -> None:
    """A laboratory may send part of an order now and the rest later."""
    message = reading.message
    reading.check(data_types.STRUCTURES[message.type.replace("^", "_")])
    physiology = data_types.is_physiology(message)
    chosen = observation.PHYSIOLOGY if physiology else observation.SPECIMEN
    laboratory.read(reading, complete=False, examination=chosen)


def _acknowledgement(
    upload: Upload, message: Message, patient: PatientId | None, label: str
) -> Batch:
    """An answer to an order: kept with its bytes; the order and its results say what it repeats."""
    return Batch(
        path=upload.path, format=label, patient=patient,
        findings=(finding("acknowledgement", "MSA[1]"),),
        account={segment.at: "acknowledgement" for segment in message},
    )  # fmt: skip


def bind(upload: Upload) -> Format:
    """One message is read as it is; several are cut into parts first."""
    return _SEVERAL if batches.are_several(upload.content) else _ONE


_SEVERAL = Format(name="hl7", recognise=recognise, read=read, split=batches.split)
_ONE = Format(name="hl7", recognise=recognise, read=read)
FORMAT: Format = Format(name="hl7", recognise=recognise, read=read, split=batches.split, bind=bind)
