"""ITI-41 Provide and Register Document Set-b: a document source of ours hands in documents.

ITI TF-2: 3.41. Each is judged as at `POST /documents`; a submission is filed whole or not at all.
That a chart is unknown, another facility's, or its person has not consented, is told in the same
words (`security.md` G8).
"""

import re
from copy import deepcopy
from typing import Protocol

from gateway import errors
from gateway.errors import Refusal
from gateway.model.audit import EventKind
from gateway.store.work import Work
from gateway.transaction import Body, Payload, Stamp, Transaction
from gateway.wire import ebxml, xml
from gateway.wire.ebxml import RegistryError, Status
from gateway.xca import metadata, submission
from gateway.xca.submission import Submission


class Provided(Protocol):
    """The documents of a submission: judged, verified and durable (`Transaction.documents`)."""

    def file(self, work: Work) -> tuple[RegistryError, ...]:
        """File all of them; what the source is warned of. Raises a Refusal, and none is filed."""


def decode(body: Body) -> Submission:
    """Read ProvideAndRegisterDocumentSetRequest (ITI TF-2: 3.41.4.1.2)."""
    return submission.read(body)


def handle(work: Work, provided: Provided) -> tuple[RegistryError, ...]:
    """File what came; what its source is warned of."""
    return provided.file(work)


def encode(provided: Provided, warnings: tuple[RegistryError, ...], stamp: Stamp) -> Payload:
    """RegistryResponse: Success, with warnings where something is not kept or waits."""
    return Payload(ebxml.write_response(Status.SUCCESS, warnings).encode())


_UNKNOWN = "XDSUnknownPatientId"
_CONTENT = "InvalidDocumentContent"
_SAID = {
    _UNKNOWN: (
        "the patient id is not known as yours, or no consent is in effect: feed the patient"
        " (ITI-44) and ask the secretariat, then send again"
        " / 患者IDが貴施設のものとして登録されていないか、有効な同意がありません。"
        "ITI-44で登録し、事務局に確認のうえ再送してください"
    ),
}
"One text for what reads the same (G8)."

CODES: dict[type[Refusal], str | None] = {
    # ITI TF-3: 4.2.4.1; None is said as a SOAP fault (`security.md` 2.1)
    errors.Malformed: None,
    errors.Invalid: "XDSRegistryMetadataError",
    errors.Unsupported: "XDSRepositoryError",
    errors.UnknownPatient: _UNKNOWN,
    errors.UnknownDomain: _UNKNOWN,
    errors.UnknownDocument: "XDSRepositoryError",
    errors.UnknownRepository: "XDSRepositoryError",
    errors.UnknownCommunity: "XDSRepositoryError",
    errors.MissingCommunity: "XDSRepositoryError",
    errors.UnknownQuery: "XDSRepositoryError",
    errors.MissingParameter: "XDSRepositoryError",
    errors.ParameterCount: "XDSRepositoryError",
    errors.SeveralPatients: "XDSPatientIdDoesNotMatch",
    errors.TooManyResults: "XDSRepositoryError",
    errors.NotPermitted: "XDSRepositoryError",
    errors.NotOwner: _UNKNOWN,
    errors.Unauthenticated: None,
    errors.Gone: "XDSRepositoryError",
    errors.Inconsistent: "XDSRepositoryError",
    errors.NotFound: "XDSRepositoryError",
    errors.OverLimit: None,
    errors.Busy: "XDSRepositoryBusy",
    errors.UntrustedSignature: _CONTENT,
}
_RULES = {
    "CON-01": _UNKNOWN,
    "DOM-01": _UNKNOWN,
    "E-11": _CONTENT,
    "E-12": _CONTENT,
    "STG-09": _CONTENT,
    "J-06": _CONTENT,
    "FN-804": "XDSNonIdenticalHash",
}
"Rules that say more than the kind of refusal; a rule that is an error code is that code."
_CODE = re.compile(r"XDS[A-Za-z]+|[A-Z][a-z]+[A-Z][A-Za-z]{9,}")
_PLACE = re.compile(r"ExtrinsicObject\[([0-9]{1,3})\]")
_SPEAKABLE = re.compile(r"[0-9.]{1,64}")
_SEAL = (
    "sign it with the card of a professional of that role, with a time-stamp, and send it again"
    " / 該当資格者のカードで署名し、タイムスタンプを付与して再送してください"
)


def refuse(body: Body, refusal: Refusal, stamp: Stamp) -> Payload | None:
    """RegistryResponse: Failure with one error, which says in words what to do."""
    code = _code(refusal)
    if code is None:
        return None
    said = _SAID.get(code, refusal.english)
    told = [said if code in _SAID else f"{said} / {refusal.japanese}"]
    if isinstance(refusal, errors.UntrustedSignature):
        told.append(_SEAL)
    place = "" if code == _UNKNOWN else refusal.at
    unique_id = _unique_id(body, refusal.at) if code in (_CONTENT, "XDSNonIdenticalHash") else ""
    error = RegistryError(
        code=code,
        context=": ".join((*told, place) if place else told),
        location=unique_id or place,
    )
    return Payload(ebxml.write_response(Status.FAILURE, (error,)).encode())


def _code(refusal: Refusal) -> str | None:
    if isinstance(refusal, errors.Invalid | errors.Inconsistent) and _CODE.fullmatch(refusal.rule):
        return refusal.rule
    return _RULES.get(refusal.rule) or CODES[type(refusal)]


def _unique_id(body: Body, at: str) -> str:
    """The unique id of the document that a place is of, where it is a plain one (4.2.4.1)."""
    place = _PLACE.match(at)
    if place is None:
        return ""
    entries = xml.many(body, "lcm:SubmitObjectsRequest/rim:RegistryObjectList/rim:ExtrinsicObject")
    found = metadata.read_identifiers(entries[int(place[1]) - 1]).get(metadata.UNIQUE, "")
    return found if _SPEAKABLE.fullmatch(found) else ""


def without_parts(body: Body) -> Body:
    """The request as its schema sees it: a document that came as a part counts as empty."""
    include = xml.clark("xop:Include")
    if next(body.iter(include), None) is None:
        return body
    copy = deepcopy(body)
    for found in list(copy.iter(include)):
        parent = found.getparent()
        if parent is not None:
            parent.remove(found)
    return copy


_REQUEST = "urn:ihe:iti:2007:ProvideAndRegisterDocumentSet-b"
_RESPONSE = "urn:ihe:iti:2007:ProvideAndRegisterDocumentSet-bResponse"
_ROOT = xml.clark("xds:ProvideAndRegisterDocumentSetRequest")

ITI_41 = Transaction(
    number="ITI-41",
    endpoint="/repository",
    actions={_REQUEST: _RESPONSE},
    roots={_REQUEST: _ROOT},
    decode=decode,
    handle=handle,
    encode=encode,
    refuse=refuse,
    audit=EventKind.PROVIDE,
    request_schemas={_ROOT: "IHE/XDS.b_DocumentRepository.xsd"},
    judged=without_parts,
    response_schema={_RESPONSE: "ebRS/rs.xsd"},
    documents=True,
    mtom=True,
)
