"""Provenance: from which bytes, by which mapping, the resources of one message were made.

One for each message and document; every resource of it is a target, with its place in the source.
The source is named by digest and format, never by its path: paths carry chart ids.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from gateway.model.batch import Resource
from gateway.wire import fhir

POSITION = "urn:x-regional-gateway:source-position"
_DIGEST = "urn:x-regional-gateway:sha256"
_RECEIPT = "urn:x-regional-gateway:receipt"
_TABLE = "urn:x-regional-gateway:code-table:"
_MAPPING = "urn:x-regional-gateway:mapping:"
_ACTIVITY = "http://terminology.hl7.org/CodeSystem/v3-DataOperation"
_PARTICIPANT = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The message that resources were made of."""

    sha256: str
    "Of the file as received."
    format: str
    "`ssmix2/OML-11`"
    received: datetime
    receipt: str
    "Of the upload that brought it."
    mappings: tuple[str, ...]
    "Versions of mapping and shipped tables that made the resources; more than one after a replay."
    tables: tuple[str, ...]
    "Loaded code masters and maps that were used: name, version, digest."
    facility: str
    "Who provided it, as people read it."


def provenance(
    source: Source, targets: Iterable[tuple[str, str]], *, identity: str, recorded: datetime
) -> Resource:
    """The Provenance of resources by id, each with its place: `OBX[3] bytes 9-42`."""
    made = fhir.resource("Provenance", "", identity)
    made["target"] = [
        {"extension": [fhir.extension(POSITION, "String", place)], **fhir.reference(one)}
        for one, place in targets
    ]
    made["occurredDateTime"] = source.received.isoformat(timespec="milliseconds")
    made["recorded"] = recorded.isoformat(timespec="milliseconds")
    policy = [_MAPPING + one for one in source.mappings]
    policy += [_TABLE + quote(one, safe=":.-") for one in source.tables]
    if policy:
        made["policy"] = policy
    made["activity"] = fhir.concept(fhir.coding("CREATE", _ACTIVITY, "create"))
    made["agent"] = [
        _agent("assembler", "Assembler", " ".join(("regional-gateway", *source.mappings))),
        _agent("author", "Author", source.facility),
    ]
    what = {"identifier": fhir.identifier(_DIGEST, source.sha256), "display": source.format}
    upload = {"identifier": fhir.identifier(_RECEIPT, source.receipt), "display": "upload"}
    made["entity"] = [{"role": "source", "what": one} for one in (what, upload)]
    return made


def _agent(code: str, name: str, who: str) -> Resource:
    kind = fhir.concept(fhir.coding(code, _PARTICIPANT, name))
    return {"type": kind, "who": {"display": who}}
