"""ITI-39 Cross Gateway Retrieve: a neighbour fetches documents, as XOP parts.

ITI TF-2: 3.39 and 3.43. Each document that does not leave is one RegistryError with the id that
was asked for; forbidden and absent ones read the same (`security.md` 2.1, G8).
"""

import re
from dataclasses import dataclass

from gateway import errors
from gateway.errors import Malformed, Refusal, SeveralPatients, TooManyResults
from gateway.model.audit import EventKind, Outcome
from gateway.model.document import DocumentRequest, Retrieved
from gateway.record import disclose
from gateway.store.work import Work
from gateway.transaction import Attachment, Body, Payload, Stamp, Transaction
from gateway.wire import ebxml, xml
from gateway.wire.ebxml import RegistryError, Status
from gateway.wire.xml import NAMESPACES, Fragment, Template

_MOST_DOCUMENTS = 99
"The parts of one MTOM message, less its root."
_LONGEST = 256
_SPEAKABLE = re.compile(r"[A-Za-z0-9.:^_-]{1,128}")
_ABSENT = "XDSDocumentUniqueIdError"
_PARTS = [
    xml.clark(f"xds:{name}")
    for name in ("HomeCommunityId", "RepositoryUniqueId", "DocumentUniqueId")
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One DocumentRequest, as it came."""

    home: str
    repository: str
    unique_id: str


Question = tuple[Asked, ...]
"The documents of one request, each once, in its order."


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """A document that does not leave, and the code that says why as far as may be said."""

    asked: Asked
    code: str
    reason: str


Found = tuple[Retrieved | Missing, ...]


def decode(body: Body) -> Question:
    """Read RetrieveDocumentSetRequest (ITI TF-2: 3.43.4.1.2)."""
    requests = xml.many(body, "xds:DocumentRequest")
    if not requests or len(requests) != len(xml.children(body)):
        raise Malformed(
            "RetrieveDocumentSetRequest holds DocumentRequests",
            "RetrieveDocumentSetRequest の構造が違います",
            at="RetrieveDocumentSetRequest",
        )
    if len(requests) > _MOST_DOCUMENTS:
        raise TooManyResults("ask for fewer documents", "一度に求める文書が多すぎます", log="LIMIT")
    return tuple(dict.fromkeys(_read(request) for request in requests))


def _read(request: Body) -> Asked:
    """One DocumentRequest; ids are opaque and compared as they are (FN-710)."""
    names = [child.tag for child in xml.children(request)]
    if [name for name in names if name != _PARTS[0]] != _PARTS[1:] or _PARTS[0] in names[1:]:
        raise Malformed(
            "DocumentRequest holds HomeCommunityId, RepositoryUniqueId, DocumentUniqueId",
            "DocumentRequest の構造が違います",
            at=xml.location(request),
        )
    home = xml.maybe(request, "xds:HomeCommunityId")
    texts = [
        xml.text(home) if home is not None else "",
        xml.text(xml.one(request, "xds:RepositoryUniqueId")),
        xml.text(xml.one(request, "xds:DocumentUniqueId")),
    ]
    if max(map(len, texts)) > _LONGEST:
        raise Malformed("an id is too long", "ID が長すぎます", at=xml.location(request))
    return Asked(home=texts[0], repository=texts[1], unique_id=texts[2])


def handle(work: Work, question: Question) -> Found:
    """The documents that this neighbour may have, and the others as missing."""
    ours = [asked for asked in question if _misplaced(work, asked) is None]
    requests = tuple(
        DocumentRequest(
            home=work.community.home, repository=asked.repository, unique_id=asked.unique_id
        )
        for asked in ours
    )
    answers = disclose.retrieve(work, requests) if requests else ()
    by_asked = dict(zip(ours, answers, strict=True))
    found: list[Retrieved | Missing] = []
    for asked in question:
        answer = by_asked.get(asked)
        if isinstance(answer, Retrieved) and work.caller.may_hear_of(answer.entry.patient):
            found.append(answer)
        else:
            found.append(_misplaced(work, asked) or _missing(asked))
    documents = [item for item in found if isinstance(item, Retrieved)]
    if len({item.entry.patient for item in documents}) > 1:
        raise SeveralPatients("the documents are of several patients", "文書が複数患者に及びます")
    if len(documents) < len(found):
        work.trail.detail["missing"] = len(found) - len(documents)
        if not documents:
            work.trail.outcome = Outcome.MINOR
    return tuple(found)


def _misplaced(work: Work, asked: Asked) -> Missing | None:
    """Whether the request is for another community or repository (G-09)."""
    if not asked.home:
        return Missing(
            asked=asked, code="XDSMissingHomeCommunityId", reason="homeCommunityId is required"
        )
    if asked.home != work.community.home.urn:
        return Missing(asked=asked, code="XDSUnknownCommunity", reason="not our homeCommunityId")
    if asked.repository != work.community.repository:
        return Missing(asked=asked, code="XDSUnknownRepositoryId", reason="not our repository")
    return None


def _missing(asked: Asked) -> Missing:
    return Missing(asked=asked, code=_ABSENT, reason="no such document")


_DOCUMENT = Template(
    """<xds:DocumentResponse><xds:HomeCommunityId>{home}</xds:HomeCommunityId>
    <xds:RepositoryUniqueId>{repository}</xds:RepositoryUniqueId>
    <xds:DocumentUniqueId>{unique_id}</xds:DocumentUniqueId>
    <xds:mimeType>{mime_type}</xds:mimeType>
    <xds:Document><xop:Include href="cid:{content_id}"/></xds:Document></xds:DocumentResponse>"""
)
_RESPONSE_SET = Template(
    f'<xds:RetrieveDocumentSetResponse xmlns:xds="{NAMESPACES["xds"]}"'
    f' xmlns:xop="{NAMESPACES["xop"]}">'
    "{response}{documents}</xds:RetrieveDocumentSetResponse>"
)


def encode(question: Question, found: Found, stamp: Stamp) -> Payload:
    """RetrieveDocumentSetResponse; the bytes follow as attachments (ITI TF-2: V.3.6)."""
    documents: list[Fragment] = []
    attachments: list[Attachment] = []
    failures: list[RegistryError] = []
    for item in found:
        if isinstance(item, Missing):
            failures.append(_error(item, stamp))
            continue
        entry = item.entry
        content_id = f"document{len(attachments) + 1}.{stamp.id}@xca.gateway"
        documents.append(
            _DOCUMENT.fill(
                home=entry.home.urn,
                repository=entry.repository,
                unique_id=entry.unique_id,
                mime_type=entry.mime_type,
                content_id=content_id,
            )
        )
        attachments.append(
            Attachment(
                content_id=content_id, mime_type=entry.mime_type, size=entry.size, path=item.path
            )
        )
    return _payload(failures, documents, attachments)


def _payload(
    failures: list[RegistryError], documents: list[Fragment], attachments: list[Attachment]
) -> Payload:
    status = Status.of(errors=len(failures), results=len(documents))
    content = _RESPONSE_SET.fill(
        response=ebxml.write_response(status, failures), documents=xml.join(documents)
    )
    return Payload(content.encode(), tuple(attachments))


def _error(missing: Missing, stamp: Stamp) -> RegistryError:
    """The error of one document, with its id where that is a plain id (ITI TF-2: 3.43.4.2.3)."""
    unique_id = missing.asked.unique_id
    spoken = f": {unique_id}" if _SPEAKABLE.fullmatch(unique_id) else ""
    return RegistryError(
        code=missing.code, context=missing.reason + spoken, location=stamp.home.urn
    )


CODES: dict[type[Refusal], str | None] = {
    # ITI TF-3: 4.2.4.1; None is said as a SOAP fault (`security.md` 2.1)
    errors.Malformed: None,
    errors.Invalid: "XDSRepositoryError",
    errors.Unsupported: "XDSRepositoryError",
    errors.UnknownPatient: _ABSENT,
    errors.UnknownDomain: _ABSENT,
    errors.UnknownDocument: _ABSENT,
    errors.UnknownRepository: "XDSUnknownRepositoryId",
    errors.UnknownCommunity: "XDSUnknownCommunity",
    errors.MissingCommunity: "XDSMissingHomeCommunityId",
    errors.UnknownQuery: "XDSRepositoryError",
    errors.MissingParameter: "XDSRepositoryError",
    errors.ParameterCount: "XDSRepositoryError",
    errors.SeveralPatients: "XDSResultNotSinglePatient",
    errors.TooManyResults: "XDSRepositoryError",
    errors.NotPermitted: _ABSENT,
    errors.NotOwner: _ABSENT,
    errors.Unauthenticated: None,
    errors.Gone: _ABSENT,
    errors.Inconsistent: "XDSRepositoryError",
    errors.NotFound: _ABSENT,
    errors.OverLimit: None,
    errors.Busy: None,
    errors.UntrustedSignature: "XDSRepositoryError",
}


def refuse(body: Body, refusal: Refusal, stamp: Stamp) -> Payload | None:
    """Failure with one error, or with one for each document where they are to look absent."""
    code = CODES[type(refusal)]
    if code is None:
        return None
    if code == _ABSENT:
        return _payload([_error(_missing(asked), stamp) for asked in decode(body)], [], [])
    error = RegistryError(code=code, context=refusal.english, location=stamp.home.urn)
    return _payload([error], [], [])


_REQUEST = "urn:ihe:iti:2007:CrossGatewayRetrieve"
_RESPONSE = "urn:ihe:iti:2007:CrossGatewayRetrieveResponse"
_ROOT = xml.clark("xds:RetrieveDocumentSetRequest")
_SCHEMA = "IHE/XDS.b_DocumentRepository.xsd"

ITI_39 = Transaction(
    number="ITI-39",
    endpoint="/xca/retrieve",
    actions={_REQUEST: _RESPONSE},
    roots={_REQUEST: _ROOT},
    decode=decode,
    handle=handle,
    encode=encode,
    refuse=refuse,
    audit=EventKind.GATEWAY_RETRIEVE,
    request_schemas={_ROOT: _SCHEMA},
    response_schema={_RESPONSE: _SCHEMA},
    reading=True,
    assertion=True,
    mtom=True,
)
