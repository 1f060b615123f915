"""Every published sample of ITI-44, 45, 55, 38 and 39, over the wire, on both databases.

Each is posted with its own bytes, its question as it is in a careful envelope, and its question
about somebody of the demo. The last column is what the transaction's rules call for.
"""

import copy
from collections.abc import Iterator
from pathlib import Path

import pytest
from lxml import etree

from tests.journeys.visible import DOORS, Neighbourhood, every, name_of, payload, person_of, said
from tests.pix.messages import CORE, SCHEMAS
from tests.served import Templates, serve
from tests.shared import SHARED, needs_shared

pytestmark = needs_shared

BARE = "400 Sender"
"A payload without a SOAP envelope."
ABROAD = "500 Sender"
"The same to the neighbour, whose client cannot read a fault behind 400."
STRANGE = ("CE 204", "CA")
"A domain that is not the sender's; its own."
PIX_STRANGE = ("AE AE 204", "AA OK")

ALL_OF_A = "Success 12"
"Every document of patient A in the demo."

QUESTIONS: dict[str, tuple[str, str, str]] = {
    # file: its own bytes, as it is, re-rooted
    "iti-44/epr__ITI-44_request_raw.xml": ("CE 204", *STRANGE),
    "iti-44/ipf__A01_Response.xml": (BARE, *STRANGE),
    "iti-44/ipf__A01_with_BR_Response.xml": (BARE, *STRANGE),
    "iti-44/ipf__A04_Response.xml": (BARE, *STRANGE),
    "iti-44/ipf__A08_Response.xml": (BARE, *STRANGE),
    "iti-44/ipf__A40_Response.xml": (BARE, *STRANGE),
    "iti-44/ipf__PIX_FEED_MERGE_Maximal_Request.xml": (BARE, *STRANGE),
    # ids without root: no domain (ITI TF-2: E.1)
    "iti-44/ipf__PIX_FEED_REG_Maximal_Request.xml": (BARE, "CE 102", "CA"),
    "iti-44/ipf__PIX_FEED_REV_Maximal_Request.xml": (BARE, "CE 102", "CA"),
    # two patients in one feed (FN-302)
    "iti-44/ipf__iti44-multipatient-request-1.xml": (BARE, "CE 102", "CE 102"),
    # another element where an id must be: not of the schema
    "iti-44/ipf__prpa-invalid.xml": (BARE, "400 Sender", "400 Sender"),
    "iti-44/ipf__prpa-valid.xml": (BARE, *STRANGE),
    "iti-44/mohawk__01_PatientRegistryRecordAdded1.xml": (BARE, *STRANGE),
    "iti-44/mohawk__03_PatientRegistryRecordAdded2.xml": (BARE, *STRANGE),
    "iti-44/mohawk__04_PatientRegistryRecordRevised2.xml": (BARE, *STRANGE),
    "iti-44/mohawk__05_PatientRegistryDuplicatesResolved.xml": (BARE, *STRANGE),
    "iti-45/epr__ITI-45_request_raw.xml": ("AE AE 204", *PIX_STRANGE),
    "iti-45/ipf__NistPixpdq_Mesa10501-04_Example_01.xml": (BARE, *PIX_STRANGE),
    "iti-45/ipf__NistPixpdq_Mesa10501-05_Example_01.xml": (BARE, *PIX_STRANGE),
    "iti-45/ipf__NistPixpdq_Mesa10502-03_UnknownId_Example_01.xml": (
        BARE, "AE AE 204", "AE AE 204"
    ),
    "iti-45/ipf__NistPixpdq_Mesa10503-01_UnknownAssigningAuth_Example_01.xml": (
        BARE, "AE AE 204", "AE AE 204"
    ),
    "iti-45/mohawk__06_PIXQuery1.xml": (BARE, *PIX_STRANGE),
    # deferred answers are an option that is not offered
    "iti-55/ipf__iti55-sample-request-deferred.xml": (ABROAD, "AE AE", "AE AE"),
    # the sending community is another one than the assertion's
    "iti-55/ipf__iti55-sample-request.xml": (ABROAD, "AE AE", "AA OK"),
    "iti-55/nist__BasicXcpd_305_testplan.xml": (ABROAD, "AE AE", "AA OK"),
    # variables where the schema wants codes
    "iti-55/nist__FindPatient_XCA_findpatient.xml": (ABROAD, "500 Sender", "AA OK"),
    "iti-55/nist__testplan.xml": (ABROAD, "500 Sender", "AA OK"),
    "iti-38/ihe__2019-01-09_DEPRECATED_Example_Deferred_Query_Request.xml": (
        "500 Sender/ActionNotSupported", "Success 0", ALL_OF_A,
    ),
    "iti-38/nist__FindDocuments2_XCA_query.xml": (ABROAD, "500 Sender", ALL_OF_A),
    "iti-38/nist__FindDocumentsByRefId_XCA_query.xml": (
        ABROAD, "Failure 0 XDSUnknownStoredQuery", "Failure 0 XDSUnknownStoredQuery",
    ),
    "iti-38/nist__FindDocuments_XCA_query.xml": (
        ABROAD, "Failure 0 XDSRegistryError", ALL_OF_A
    ),
    # we keep no folders, submission sets or associations of documents
    "iti-38/nist__FindFolders_XCA_query.xml": (ABROAD, "Failure 0 XDSRegistryError", "Success 0"),
    "iti-38/nist__GetAll_XCA_query.xml": (ABROAD, "500 Sender", ALL_OF_A),
    "iti-38/nist__GetAssociations_XCA_query.xml": (ABROAD, "500 Sender", "Success 0"),
    "iti-38/nist__GetDocuments_XCA_query.xml": (ABROAD, "500 Sender", "Success 1"),
    "iti-38/nist__GetFolderAndContents_XCA_query.xml": (ABROAD, "500 Sender", "Success 0"),
    "iti-38/nist__GetFolders_XCA_query.xml": (ABROAD, "500 Sender", "Success 0"),
    "iti-38/nist__GetRelated_XCA_query.xml": (
        ABROAD, "Failure 0 XDSUnknownCommunity", "Success 0"
    ),
    "iti-38/nist__GetSubmissionSetAndContents_XCA_query.xml": (
        ABROAD, "Failure 0 XDSStoredQueryParamNumber", "Success 0",
    ),
    "iti-38/nist__GetSubmissionSets_XCA_query.xml": (
        ABROAD, "Failure 0 XDSUnknownCommunity", "Success 0"
    ),
    # the draft of WS-Addressing of 2004
    "iti-38/nist__soap-xcq-req.xml": (
        "500 Sender/MessageAddressingHeaderRequired", "Success 0", ALL_OF_A,
    ),
    # `homeCommunityId` for `HomeCommunityId`: not of the schema
    "iti-39/ihe__05_Sample_XCA_Retrieve_Deferred-Capable_Request.xml": (
        "500 Sender/InvalidSecurity", "500 Sender", "500 Sender",
    ),
    "iti-39/nist__RetrieveDocumentSet_XCA_query.xml": (
        ABROAD, "Failure 0 XDSUnknownCommunity", "Success 10"
    ),
    "iti-39/nist__soap-xcr-req.xml": (
        "500 Sender/InvalidSecurity", "Failure 0 XDSUnknownCommunity", "Success 2",
    ),
}  # fmt: skip

NO_QUESTIONS: dict[str, str] = {
    # answers, and one file that is not XML: posted as questions they are refused
    "iti-44/epr__ITI-44_response_raw.xml": "400 Sender/InvalidAddressingHeader",
    "iti-44/ipf__Ack.xml": BARE,
    "iti-45/epr__ITI-45_response_raw.xml": "400 Sender/MessageAddressingHeaderRequired",
    "iti-45/ipf__07_PIXQuery1Response.xml": BARE,
    "iti-55/ipf__iti55-sample-response.xml": ABROAD,
    "iti-55/nist__FindPatientResponse.xml": ABROAD,
    "iti-38/ihe__01_Sample_XCA_Query_Deferred-Capable_Request.xml": ABROAD,
    "iti-38/ihe__02_Sample_XCA_Query_Response_Indicating_Deferred.xml": (
        "500 Sender/InvalidAddressingHeader"
    ),
    "iti-38/ihe__03_Sample_XCA_Query_Deferred_Results_message.xml": "500 Sender/ActionNotSupported",
    "iti-38/ihe__04_Sample_XCA_Query_Deferred_Results_Ack.xml": (
        "500 Sender/InvalidAddressingHeader"
    ),
    "iti-38/nist__mustUnderstand-debug.xml": "500 Sender/InvalidAddressingHeader",
    "iti-38/nist__soap-xcq-resp-error.xml": "500 Sender/MessageAddressingHeaderRequired",
    "iti-38/nist__soap-xcq-resp.xml": "500 Sender/MessageAddressingHeaderRequired",
    "iti-39/ihe__06_Sample_XCA_Retrieve_Response_Indicating_Deferred.xml": (
        "500 Sender/InvalidAddressingHeader"
    ),
    "iti-39/ihe__07_Sample_XCA_Retrieve_Deferred_Results_message.xml": (
        "500 Sender/ActionNotSupported"
    ),
    "iti-39/ihe__08_Sample_XCA_Retrieve_Deferred_Results_Ack.xml": (
        "500 Sender/InvalidAddressingHeader"
    ),
    "iti-39/nist__soap-xret-resp-error.xml": "500 Sender/MessageAddressingHeaderRequired",
    "iti-39/nist__soap-xret-resp-homeless.xml": "500 Sender/MessageAddressingHeaderRequired",
    "iti-39/nist__soap-xret-resp.xml": "500 Sender/MessageAddressingHeaderRequired",
}
OF_FOLDER = {
    "iti-44": "/pix", "iti-45": "/pix", "iti-55": "/xcpd", "iti-38": "/xca/query",
    "iti-39": "/xca/retrieve",
}  # fmt: skip


def name(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def neighbourhood(
    request: pytest.FixtureRequest, templates: Templates, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Neighbourhood]:
    """A gateway that judges by the published schemas, and its machines."""
    folder = tmp_path_factory.mktemp("visible") / "installation"
    installation = templates.copy(request.param, folder)
    assert SHARED is not None
    installation.add(f'[ihe]\nschemas = "{SHARED / "ihe" / "schema"}"\n')
    with serve(installation) as served:
        yield Neighbourhood(served)


def test_every_file_has_its_row() -> None:
    assert sorted(map(name, every())) == sorted([*QUESTIONS, *NO_QUESTIONS])


@pytest.mark.parametrize("path", [p for p in every() if name(p) in NO_QUESTIONS], ids=name)
def test_what_is_no_question(neighbourhood: Neighbourhood, path: Path) -> None:
    answer = neighbourhood.post_file(path, OF_FOLDER[path.parent.name])
    assert said(answer) == NO_QUESTIONS[name(path)]


@pytest.mark.parametrize("path", [p for p in every() if name(p) in QUESTIONS], ids=name)
def test_question(neighbourhood: Neighbourhood, path: Path) -> None:
    own, as_it_is, rerooted = QUESTIONS[name(path)]
    body = payload(path)
    assert body is not None
    door, _ = DOORS[name_of(body)]
    assert said(neighbourhood.post_file(path, door)) == own
    assert said(neighbourhood.post(copy.deepcopy(body))) == as_it_is
    asked = neighbourhood.reroot(copy.deepcopy(body))
    other = ""
    if rerooted == "AA OK" and door == "/xcpd":
        neighbourhood.enrol(person_of(asked))
    elif rerooted == "AA OK":
        value = asked.find(".//{*}patientIdentifier/{*}value")
        assert value is not None
        other = neighbourhood.know(value.get("extension", ""))
    answer = neighbourhood.post(asked)
    assert said(answer) == rerooted
    found = answer.payload()
    assert found is not None
    if found.tag.startswith("{urn:hl7-org:v3}"):
        assert SCHEMAS is not None
        alone = etree.fromstring(etree.tostring(found))
        SCHEMAS.check(alone, f"{CORE}{etree.QName(found).localname}.xsd")
    if other:
        assert other in answer.values("//hl7:subject1/hl7:patient/hl7:id/@extension")
        authorities = answer.values("//hl7:subject1/hl7:patient/hl7:id/@assigningAuthorityName")
        assert "clinic-b" in authorities  # a PIX Manager names the authority (ITI TF-2: E.1)
