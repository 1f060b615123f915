"""Every published query, retrieval and assertion: read, or refused as the rules say."""

from pathlib import Path

import pytest
from lxml import etree

from gateway import errors
from gateway.errors import Refusal, Unauthenticated
from gateway.wire import ebxml, saml, saml_claims, xml
from gateway.wire.ebxml import Status
from gateway.xca import iti38, iti39
from tests.saml import AUDIENCE, NEIGHBOUR, NOW, neighbour, pem
from tests.shared import SHARED, needs_shared, shared

pytestmark = needs_shared

QUERIES: dict[str, str | type[Refusal]] = {
    "iti-38/ihe__01_Sample_XCA_Query_Deferred-Capable_Request.xml": errors.Malformed,
    "iti-38/ihe__2019-01-09_DEPRECATED_Example_Deferred_Query_Request.xml": "FindDocuments",
    "iti-38/nist__FindDocuments2_XCA_query.xml": errors.Invalid,
    "iti-38/nist__FindDocumentsByRefId_XCA_query.xml": errors.UnknownQuery,
    "iti-38/nist__FindDocuments_XCA_query.xml": errors.Invalid,
    "iti-38/nist__FindFolders_XCA_query.xml": errors.Invalid,
    "iti-38/nist__GetAll_XCA_query.xml": errors.Invalid,
    "iti-38/nist__GetAssociations_XCA_query.xml": errors.Unsupported,
    "iti-38/nist__GetDocuments_XCA_query.xml": errors.ParameterCount,
    "iti-38/nist__GetFolderAndContents_XCA_query.xml": errors.ParameterCount,
    "iti-38/nist__GetFolders_XCA_query.xml": errors.ParameterCount,
    "iti-38/nist__GetRelated_XCA_query.xml": "GetRelatedDocuments",
    "iti-38/nist__GetSubmissionSetAndContents_XCA_query.xml": errors.ParameterCount,
    "iti-38/nist__GetSubmissionSets_XCA_query.xml": "GetSubmissionSets",
    "iti-38/nist__soap-xcq-req.xml": "FindDocuments",
    "iti-18/epr__ITI-18_request_raw.xml": "FindDocuments",
    "iti-18/gematik__ePA1_Requests_adhocquery.xml": "FindDocuments",
    "iti-18/gematik__ePA2_findFolders_request.xml": "FindFolders",
    "iti-18/gematik__ePA2_getFoldersAndContents_request.xml": "GetFolderAndContents",
    "iti-18/ipf__iti18request.xml": errors.Invalid,
    "iti-18/nist__soap-sq-req.xml": "FindDocuments",
    "iti-18/nist__sq-log.xml": errors.Malformed,
    "iti-18/nist__sq-req-bad-code.xml": errors.Invalid,
    "iti-18/nist__sq-req-bad-pid-format.xml": errors.Invalid,
    "iti-18/nist__sq-req-bad-stat-format1.xml": errors.Invalid,
    "iti-18/nist__sq-req-bad-stat-format2.xml": errors.Invalid,
    "iti-18/nist__sq-req-missing-stat.xml": errors.MissingParameter,
    "iti-18/nist__sq-req.xml": "FindDocuments",
    "iti-18/nist__sq.txt": errors.Invalid,
    "iti-18/nist__sq1.txt": errors.Invalid,
}
"The name of the query, or the refusal. Toolkit templates keep their `$home$` and `$id0$`."

RETRIEVALS: dict[str, int | type[Refusal]] = {
    "iti-39/ihe__05_Sample_XCA_Retrieve_Deferred-Capable_Request.xml": errors.Malformed,
    "iti-39/nist__RetrieveDocumentSet_XCA_query.xml": 10,
    "iti-39/nist__soap-xcr-req.xml": 2,
    "iti-43/epr__ITI-43_request_raw.xml": 1,
    "iti-43/gematik__ePA1_Requests_retrievedocument.xml": 7,
    "iti-43/nist__soap-ret-req-order.xml": errors.Malformed,
    "iti-43/nist__soap-ret-req.xml": 2,
}
"The number of documents asked for, or the refusal."

ANSWERS: dict[str, Status | type[Refusal]] = {
    "iti-38/ihe__02_Sample_XCA_Query_Response_Indicating_Deferred.xml": Status.PARTIAL,
    "iti-38/ihe__03_Sample_XCA_Query_Deferred_Results_message.xml": Status.PARTIAL,
    "iti-38/ihe__04_Sample_XCA_Query_Deferred_Results_Ack.xml": Status.SUCCESS,
    "iti-38/nist__mustUnderstand-debug.xml": Status.SUCCESS,
    "iti-38/nist__soap-xcq-resp-error.xml": Status.FAILURE,
    "iti-38/nist__soap-xcq-resp.xml": Status.SUCCESS,
    "iti-39/ihe__06_Sample_XCA_Retrieve_Response_Indicating_Deferred.xml": Status.PARTIAL,
    "iti-39/ihe__07_Sample_XCA_Retrieve_Deferred_Results_message.xml": Status.PARTIAL,
    "iti-39/ihe__08_Sample_XCA_Retrieve_Deferred_Results_Ack.xml": Status.SUCCESS,
    "iti-39/nist__soap-xret-resp-error.xml": Status.FAILURE,
    "iti-39/nist__soap-xret-resp-homeless.xml": Status.FAILURE,
    "iti-39/nist__soap-xret-resp.xml": Status.SUCCESS,
    "iti-18/epr__ITI-18_response_raw.xml": Status.SUCCESS,
    "iti-18/gematik__ePA1_Responses_adhocquery-resp.xml": Status.SUCCESS,
    "iti-18/gematik__ePA2_findFolders_response.xml": Status.SUCCESS,
    "iti-18/nist__sq-resp-lc-no-objectType.xml": Status.SUCCESS,
    "iti-18/nist__sq-resp-lc-no-status.xml": Status.SUCCESS,
    "iti-18/nist__sq-resp-lc.xml": Status.SUCCESS,
    "iti-18/nist__sq-resp-nostat-objectref.xml": errors.Malformed,
    "iti-18/nist__sq-resp-objectref.xml": Status.SUCCESS,
    "iti-43/epr__ITI-43_response_raw.xml": Status.SUCCESS,
    "iti-43/gematik__ePA1_Responses_retrievedocument-resp.xml": Status.PARTIAL,
    "iti-43/nist__soap-ret-resp.xml": Status.SUCCESS,
}
"The status of the answer."

CLAIMS: dict[str, str] = {
    "epr__6_Get_X-User_Assertion_Request-Policy-Administrator.xml": "33111",
    "epr__GetXAssertion_request_raw.xml": (
        "d04bff0e2094d3391c6bdf38fa1a669990f9b93a054d240ffbf0ace40b409996"
    ),
    "epr__GetXAssertion_response_raw.xml": "9801000050702",
    "epr__assertion_only.xml": "7601002469191",
    "nist3__wsseTool_validation_message1.xml": "CN=SUTUserName-11208",
}
"""Published assertions whose claims can be read, and their subject. The others lack Conditions
or AuthnStatement, name a community that is no OID, or pad their names."""


def folder(*names: str) -> list[str]:
    """What the folders hold, by folder and name."""
    if SHARED is None:
        return []
    visible = SHARED / "ihe" / "samples" / "visible"
    return sorted(f"{name}/{path.name}" for name in names for path in (visible / name).iterdir())


def root_of(path: Path) -> etree._Element:
    """The XML of a sample; a capture of HTTP holds it between the first and the last bracket."""
    content = path.read_bytes()
    if path.suffix == ".txt":
        content = content[content.find(b"<") : content.rfind(b">") + 1]
    return xml.parse(content)


def payload(name: str, *roots: str) -> etree._Element:
    root = root_of(shared("ihe", "samples", "visible", name))
    return next(element for path in roots for element in root.iter(xml.clark(path)))


def test_no_sample_is_left_out() -> None:
    judged = QUERIES.keys() | RETRIEVALS.keys() | ANSWERS.keys()
    assert folder("iti-18", "iti-38", "iti-39", "iti-43") == sorted(judged)


@pytest.mark.parametrize("name", QUERIES)
def test_a_published_query_is_read_or_refused(name: str) -> None:
    expected = QUERIES[name]
    if isinstance(expected, str):
        question = iti38.decode(payload(name, "query:AdhocQueryRequest"))
        assert question.row.name == expected
        return
    with pytest.raises(expected):
        iti38.decode(payload(name, "query:AdhocQueryRequest"))


@pytest.mark.parametrize("name", RETRIEVALS)
def test_a_published_retrieval_is_read_or_refused(name: str) -> None:
    expected = RETRIEVALS[name]
    body = payload(name, "xds:RetrieveDocumentSetRequest")
    if isinstance(expected, int):
        assert len(iti39.decode(body)) == expected
        return
    with pytest.raises(expected):
        iti39.decode(body)


@pytest.mark.parametrize("name", ANSWERS)
def test_a_published_answer_has_its_outcome(name: str) -> None:
    expected = ANSWERS[name]
    body = payload(name, "query:AdhocQueryResponse", "rs:RegistryResponse")
    if isinstance(expected, Status):
        assert ebxml.read_response(body).status is expected
        return
    with pytest.raises(expected):
        ebxml.read_response(body)


@pytest.mark.parametrize("name", folder("iti-40"))
def test_a_published_assertion_is_read_or_refused_and_never_trusted(name: str) -> None:
    path = shared("ihe", "samples", "visible", name)
    subject = CLAIMS.get(path.name)
    try:
        root = root_of(path)
    except Refusal:
        assert subject is None
        return
    assertion = next(root.iter(xml.clark("saml:Assertion")))
    security = assertion.getparent()
    trust = saml.trust_of([(NEIGHBOUR, pem(neighbour()))])
    with pytest.raises(Unauthenticated):
        saml.verify(security, root, trust, audience=AUDIENCE, now=NOW)
    signature = xml.maybe(assertion, "ds:Signature")
    if signature is not None:
        assertion.remove(signature)
    if subject is not None:
        assert saml_claims.read(assertion).subject == subject
        return
    with pytest.raises(Unauthenticated):
        saml_claims.read(assertion)
