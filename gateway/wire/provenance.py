"""Provenance: from which bytes, by which mapping, the resources of one message were made.

One for each message: every resource made of it is a target, with its place in the source. A copy
that leaves with a document tells only of that one's resources, under the same id, and always says
so (SUBSETTED): whether anything is left out is not told (XCA-04). The source is named by digest and
format, never by its path: paths carry chart ids.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from gateway.model.batch import Batch, Resource
from gateway.wire import fhir

POSITION = "urn:x-regional-gateway:source-position"
DIGEST = "urn:x-regional-gateway:sha256"
_RECEIPT = "urn:x-regional-gateway:receipt"
_TABLE = "urn:x-regional-gateway:code-table:"
_MAPPING = "urn:x-regional-gateway:mapping:"
_ACTIVITY = "http://terminology.hl7.org/CodeSystem/v3-DataOperation"
SUBSETTED = ("http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "SUBSETTED")
PARTICIPANT = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The message that resources were made of."""

    sha256: str
    "Of the file as received."
    format: str
    "`ssmix2/OML-11`"
    received: datetime | None
    "None where nobody received it: a file that is looked at outside a gateway."
    receipt: str
    "Of the upload that brought it; empty where none did."
    mappings: tuple[str, ...]
    "Versions of mapping and shipped tables that made the resources; more than one after a replay."
    tables: tuple[str, ...]
    "Loaded code masters and maps that were used: name, version, digest."
    facility: str
    "Who provided it, as people read it."


def place(at: str, start: int, end: int) -> str:
    """Where something stands in its source: `OBX[3] bytes 9-42`."""
    return f"{at} bytes {start}-{end}"


def provenance(
    source: Source,
    targets: Iterable[tuple[str, str]],
    *,
    identity: str,
    recorded: datetime,
    whole: bool,
) -> Resource:
    """The Provenance of resources by id, each with its place; empty for what has no single one.

    `whole`: every resource of the message is among them.
    """
    made = fhir.resource("Provenance", "", identity)
    if not whole:
        system, code = SUBSETTED
        made["meta"] = {"tag": [fhir.coding(code, system)]}
    made["target"] = [
        {"extension": [fhir.extension(POSITION, "String", at)], **fhir.reference(one)}
        if at
        else fhir.reference(one)
        for one, at in targets
    ]
    if source.received is not None:
        made["occurredDateTime"] = source.received.isoformat(timespec="milliseconds")
    made["recorded"] = recorded.isoformat(timespec="milliseconds")
    policy = [_MAPPING + one for one in source.mappings]
    policy += [_TABLE + quote(one, safe=":.-") for one in source.tables]
    if policy:
        made["policy"] = policy
    made["activity"] = fhir.concept(fhir.coding("CREATE", _ACTIVITY, "create"))
    made["agent"] = [
        _agent("assembler", "Assembler", " ".join(("regional-gateway", *source.mappings)))
    ]
    if source.facility:
        made["agent"].append(_agent("author", "Author", source.facility))
    entities = [{"identifier": fhir.identifier(DIGEST, source.sha256), "display": source.format}]
    if source.receipt:
        entities.append(
            {"identifier": fhir.identifier(_RECEIPT, source.receipt), "display": "upload"}
        )
    made["entity"] = [{"role": "source", "what": one} for one in entities]
    return made


def of_message(
    batch: Batch, patient: Resource | None, *, sha256: str, number: int, recorded: datetime
) -> Resource | None:
    """The Provenance of one message outside a gateway; None where nothing was made of it.

    `number` tells it from the others of its file, whose digest `sha256` is; `patient` is the person
    as it describes them.
    """
    targets: dict[str, str] = {patient["id"]: ""} if patient else {}
    for item in batch.items:
        at = place(item.source.at, item.source.start, item.source.end)
        for resource in (item.resource, *item.companions):
            targets.setdefault(resource["id"], at)
    if not targets:
        return None
    source = Source(
        sha256=sha256, format=batch.format, received=None, receipt="",
        mappings=(batch.mapping,) if batch.mapping else (), tables=batch.tables, facility="",
    )  # fmt: skip
    identity = fhir.resource_id("Provenance", sha256, batch.path, str(number))
    return provenance(source, targets.items(), identity=identity, recorded=recorded, whole=True)


def _agent(code: str, name: str, who: str) -> Resource:
    kind = fhir.concept(fhir.coding(code, PARTICIPANT, name))
    return {"type": kind, "who": {"display": who}}
