"""ITI-38 Cross Gateway Query: a neighbour asks by stored query which documents there are.

ITI TF-2: 3.38 and 3.18. What the patient's consent or the neighbour's agreement hides is answered
as if it were not there, and so is an unknown patient (`security.md` 2.1, G8).
"""

from dataclasses import dataclass

from gateway import errors
from gateway.errors import (
    MissingCommunity,
    NotPermitted,
    Refusal,
    SeveralPatients,
    TooManyResults,
    UnknownCommunity,
    Unsupported,
)
from gateway.model.audit import EventKind
from gateway.model.document import DocumentEntry
from gateway.record import disclose
from gateway.store.work import Work
from gateway.transaction import Body, Payload, Stamp, Transaction
from gateway.wire import ebxml, xml
from gateway.wire.ebxml import RegistryError, Status
from gateway.xca import metadata, stored_query
from gateway.xca.stored_query import Asked, StoredQuery

_MOST_ENTRIES, _MOST_REFERENCES = 1000, 10_000
_DENIED = "AUTHZ-DENY"
_RETURN_TYPES = {"LeafClass": True, "ObjectRef": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One stored query as a neighbour asks it."""

    row: StoredQuery
    asked: Asked
    home: str | None
    "AdhocQuery/@home, as it came."
    leaf_class: bool
    "Whole entries, or references to them."


def decode(body: Body) -> Question:
    """Read AdhocQueryRequest (ITI TF-2: 3.38.4.1.2)."""
    query = ebxml.read_query(body)
    row, asked = stored_query.read(query)
    if query.return_type not in _RETURN_TYPES:
        raise Unsupported(
            "returnType is LeafClass or ObjectRef",
            "returnType は LeafClass か ObjectRef です",
            at="ResponseOption/@returnType",
        )
    return Question(
        row=row, asked=asked, home=query.home, leaf_class=_RETURN_TYPES[query.return_type]
    )


def handle(work: Work, question: Question) -> tuple[DocumentEntry, ...]:
    """The entries that this neighbour may see."""
    work.trail.detail["query"] = question.row.name
    _check_home(work, question)
    found = _find(work, question.asked)
    if not all(work.caller.may_hear_of(entry.patient) for entry in found):
        raise NotPermitted("the assertion is about another patient", rule="FN-1010", log=_DENIED)
    if question.leaf_class and len({entry.patient for entry in found}) > 1:
        raise SeveralPatients("the result is about several patients", "結果が複数患者に及びます")
    if len(found) > (_MOST_ENTRIES if question.leaf_class else _MOST_REFERENCES):
        raise TooManyResults("narrow the query", "条件を絞ってください", log="LIMIT")
    return found


def _check_home(work: Work, question: Question) -> None:
    """Our own homeCommunityId, where the query names one or must name one (FN-105, FN-106)."""
    if question.home:
        if question.home != work.community.home.urn:
            raise UnknownCommunity(
                "the homeCommunityId is not ours", "homeCommunityId が異なります", log="HCID"
            )
    elif question.row.needs_home:
        raise MissingCommunity(
            "this query needs a homeCommunityId", "homeCommunityId が必要です", log="HCID"
        )


def _find(work: Work, asked: Asked) -> tuple[DocumentEntry, ...]:
    """Ask the record's only way out; a query that can match nothing reads nothing."""
    if asked.patient is not None:
        work.trail.patients.add(asked.patient)
    if asked.find is not None:
        return disclose.find_documents(work, asked.find)
    if asked.entry_uuids or asked.unique_ids:
        return disclose.get_documents(
            work, entry_uuids=asked.entry_uuids, unique_ids=asked.unique_ids
        )
    return ()


def encode(question: Question, found: tuple[DocumentEntry, ...], stamp: Stamp) -> Payload:
    """AdhocQueryResponse with entries or references, each with its `home`."""
    write = metadata.write if question.leaf_class else metadata.write_reference
    return Payload(ebxml.write_query_response(Status.SUCCESS, (), map(write, found)))


_ABSENT = ""
"Answered like a question that finds nothing."

CODES: dict[type[Refusal], str | None] = {
    # ITI TF-3: 4.2.4.1; None is said as a SOAP fault (`security.md` 2.1)
    errors.Malformed: None,
    errors.Invalid: "XDSRegistryError",
    errors.Unsupported: "XDSRegistryError",
    errors.UnknownPatient: _ABSENT,
    errors.UnknownDomain: _ABSENT,
    errors.UnknownDocument: _ABSENT,
    errors.UnknownRepository: "XDSRegistryError",
    errors.UnknownCommunity: "XDSUnknownCommunity",
    errors.MissingCommunity: "XDSMissingHomeCommunityId",
    errors.UnknownQuery: "XDSUnknownStoredQuery",
    errors.MissingParameter: "XDSStoredQueryMissingParam",
    errors.ParameterCount: "XDSStoredQueryParamNumber",
    errors.SeveralPatients: "XDSResultNotSinglePatient",
    errors.TooManyResults: "XDSTooManyResults",
    errors.NotPermitted: _ABSENT,
    errors.NotOwner: _ABSENT,
    errors.Unauthenticated: None,
    errors.Gone: _ABSENT,
    errors.Inconsistent: "XDSRegistryError",
    errors.NotFound: _ABSENT,
    errors.OverLimit: None,
    errors.Busy: None,
    errors.UntrustedSignature: "XDSRegistryError",
}


def refuse(body: Body, refusal: Refusal, stamp: Stamp) -> Payload | None:
    """AdhocQueryResponse with one RegistryError, located at our community (FN-108)."""
    code = CODES[type(refusal)]
    if code is None:
        return None
    if code == _ABSENT:
        return Payload(ebxml.write_query_response(Status.SUCCESS))
    context = f"{refusal.english}: {refusal.at}" if refusal.at else refusal.english
    error = RegistryError(code=code, context=context, location=stamp.home.urn)
    return Payload(ebxml.write_query_response(Status.FAILURE, (error,)))


_REQUEST = "urn:ihe:iti:2007:CrossGatewayQuery"
_RESPONSE = "urn:ihe:iti:2007:CrossGatewayQueryResponse"
_ROOT = xml.clark("query:AdhocQueryRequest")

ITI_38 = Transaction(
    number="ITI-38",
    endpoint="/xca/query",
    actions={_REQUEST: _RESPONSE},
    roots={_REQUEST: _ROOT},
    decode=decode,
    handle=handle,
    encode=encode,
    refuse=refuse,
    audit=EventKind.GATEWAY_QUERY,
    request_schemas={_ROOT: "ebRS/query.xsd"},
    judged=ebxml.with_short_values,
    response_schema={_RESPONSE: "ebRS/query.xsd"},
    reading=True,
    assertion=True,
)
