"""What document sources say of their documents: read whole, or refused under the right code."""

import re
from datetime import UTC, datetime

import pytest
from lxml import etree

from conformance.submissions import HAS_MEMBER, LOINC, STABLE, Given, provide
from gateway.errors import Invalid, Malformed
from gateway.model.document import Author, Code
from gateway.model.identifiers import Oid, PatientId
from gateway.wire import xml
from gateway.wire.schemas import Schemas
from gateway.xca import submission
from gateway.xca.submission import Submission
from tests.shared import needs_shared, shared

CX = "00001^^^&2.999.30.1&ISO"
CHART = PatientId(Oid("2.999.30.1"), "00001")
OLD = "urn:uuid:43d7bae9-025b-43dc-bf25-3aecd9d9baee"
R1, R2 = (("Y1", "2.999.1", "一"), ("Y2", "2.999.1", "二"))
FULL = Given(
    patient=CX, id="urn:uuid:A3D7BAE9-025B-43DC-BF25-3AECD9D9BAEE", unique_id="2.25.77",
    title='サマリー <第1版> & "控え"', comments="注意", replaces=(OLD,),
    codes={
        "event": (R1, R2),
        "confidentiality": (("N", "2.16.840.1.113883.5.25", "n"), ("R", "2.999.2", "r")),
    },
    slots={
        "hash": ("DA39A3EE5E6B4B0D3255BFEF95601890AFD80709",), "size": ("0",),
        "serviceStartTime": ("202610",), "serviceStopTime": ("20261101",),
        "sourcePatientInfo": ("PID-5|山田^花子", "PID-8|F"),
        submission.CATEGORY: ("lab_result",),
    },
)  # fmt: skip


def read(*given: Given, change: tuple[str, str] = ("", ""), **options: str) -> Submission:
    text = provide(given or (Given(patient=CX),), **options)
    if change[0]:
        assert re.search(change[0], text), change
        text = re.sub(change[0], change[1], text)
    return submission.read(xml.parse(text.encode()))


def test_everything_that_is_said_is_read() -> None:
    found = read(FULL, unique_id="2.25.5")
    (one,) = found.documents
    assert (found.unique_id, found.patient, found.warnings) == ("2.25.5", CHART, ())
    assert (one.id, one.entry_uuid, one.unique_id) == (FULL.id, FULL.id.lower(), "2.25.77")
    assert (one.patient, one.source_patient) == (CHART, CHART)
    assert one.source_patient_info == ("PID-5|山田^花子", "PID-8|F")
    assert (one.title, one.comments, one.language) == (FULL.title, "注意", "ja-JP")
    assert one.category == "lab_result"
    assert one.class_code == one.type_code == Code("34133-9", LOINC, "診療経過要約")
    assert one.facility_type == Code("22232009", "2.16.840.1.113883.6.96", "Hospital")
    assert [code.code for code in one.confidentialities] == ["N", "R"]
    assert one.event_codes == (Code(*R1), Code(*R2))
    (author,) = one.authors
    assert author == Author(
        person="12^山田^太郎^^^^^^&2.999.60.1&ISO",
        institutions=("見本病院^^^^^^^^^2.999.50.1",), roles=("医師",),
    )  # fmt: skip
    assert one.created == datetime(2026, 11, 1, 1, tzinfo=UTC)
    assert one.service_start == datetime(2026, 10, 1, tzinfo=UTC)
    assert one.service_stop == datetime(2026, 11, 1, tzinfo=UTC)
    assert (one.hash_sha1, one.size) == ("da39a3ee5e6b4b0d3255bfef95601890afd80709", 0)
    assert one.replaces == (OLD,)
    assert len(found.contents) == 1


def test_a_request_fits_the_published_schema() -> None:
    body = xml.parse(provide([FULL, Given(patient=CX, content="YQ==")]).encode())
    if (root := shared("ihe", "schema")).is_dir():
        Schemas(root).check(body, "IHE/XDS.b_DocumentRepository.xsd")


test_a_request_fits_the_published_schema = needs_shared(test_a_request_fits_the_published_schema)


def test_the_title_in_the_documents_language_is_its_title() -> None:
    strings = (
        '<Name><LocalizedString xml:lang="en" value="Summary"/>'
        '<LocalizedString xml:lang="ja" value="サマリー"/></Name>'
    )
    change = ("<Name>.*?</Name>", strings)
    assert read(change=change).documents[0].title == "サマリー"
    assert read(Given(patient=CX, language="en-US"), change=change).documents[0].title == "Summary"
    assert read(Given(patient=CX, language="de"), change=change).documents[0].title == "サマリー"


def _folder(identifiers: str = "75df8f67-9973-4fbe-a900-df66cefecc5a") -> str:
    made = "".join(
        f'<ExternalIdentifier identificationScheme="urn:uuid:{scheme}" value="{value}"/>'
        for scheme, value in (
            ("f64ffdf0-4b97-4e06-b79f-a52b38ec2f8a", "00001^^^&amp;2.999.30.1&amp;ISO"),
            (identifiers, "2.25.9"),
        )
    )
    return (
        f'<RegistryPackage id="Folder01"><Classification classifiedObject="Folder01"'
        f' classificationNode="urn:uuid:d9d542f3-6cc4-48b6-8870-ea235fbc94c2"/>{made}'
        "</RegistryPackage>" + _link(HAS_MEMBER, "Folder01", source="SubmissionSet01")
    )


def _link(kind: str, target: str, *, source: str = "Document01", id: str = "as9") -> str:
    return (
        f'<Association id="{id}" associationType="{kind}" sourceObject="{source}"'
        f' targetObject="{target}"/>'
    )


IHE = "urn:ihe:iti:2007:AssociationType:"


@pytest.mark.parametrize(
    ("given", "extra", "codes"),
    [
        pytest.param({}, _folder(), ["PartialFolderContentNotProcessed"], id="folder"),
        pytest.param({}, _link(IHE + "APND", OLD), ["PartialAppendContentNotProcessed"], id="APND"),
        pytest.param({}, _link(IHE + "XFRM", OLD), ["PartialTransformNotProcessed"], id="XFRM"),
        pytest.param(
            {}, _link(IHE + "XFRM_RPLC", OLD), ["PartialTransformNotProcessed"], id="XFRM_RPLC"
        ),
        pytest.param(
            {}, _link(HAS_MEMBER, OLD, source="SubmissionSet01"),
            ["PartialRelationshipContentNotProcessed"], id="a member by reference",
        ),
        pytest.param(
            {"slots": {"urn:x:own": ("1",)}}, "", ["XDSExtraMetadataNotSaved"], id="own slot"
        ),
        pytest.param(
            {"slots": {"legalAuthenticator": ("^山田",)}}, "", ["XDSExtraMetadataNotSaved"],
            id="who signed: we say that ourselves",
        ),
        pytest.param(
            {"slots": {"URI": ("a.xml",), "repositoryUniqueId": ("1.2",)}}, "", [], id="ours to say"
        ),
    ],
)  # fmt: skip
def test_what_is_not_kept_is_warned_of(
    given: dict[str, object], extra: str, codes: list[str]
) -> None:
    found = read(Given(patient=CX, **given), extra=extra)  # type: ignore[arg-type]
    assert [warning.code for warning in found.warnings] == codes
    assert all(warning.warning for warning in found.warnings)
    assert found.documents[0].replaces == ((OLD,) if "XFRM_RPLC" in extra else ())


def test_a_transformed_replacement_replaces() -> None:
    found = read(extra=_link(IHE + "XFRM_RPLC", OLD.upper().replace("URN:UUID", "urn:uuid")))
    assert found.documents[0].replaces == (OLD,)


META, UNRESOLVED = "XDSRegistryMetadataError", "UnresolvedReferenceException"
TWO = (Given(patient=CX, unique_id="2.25.1"), Given(patient=CX, id="Document02"))
REFUSED = [
    # change, code, where
    (('<xds:Document id="Document01"', '<xds:Document id="D"'), "XDSMissingDocument", "[1]"),
    (("<xds:Document .*?</xds:Document>", ""), "XDSMissingDocument", "[1]"),
    (("(<xds:Document .*?</xds:Document>)", r'\1<xds:Document id="o"/>'),
     "XDSMissingDocumentMetadata", "Document"),
    (("<ExtrinsicObject.*</ExtrinsicObject>", ""), "XDSMissingDocumentMetadata", "Document"),
    (("(<xds:Document .*?</xds:Document>)", r"\1\1"), "XDSRepositoryMetadataError", "@id"),
    (("(<xds:Document .*?</xds:Document>)", r"\1<xds:Other/>"), "XDSRepositoryMetadataError", ""),
    ((STABLE, "urn:uuid:34268e47-fdf5-41a6-ba33-82133c465248"), META, "@objectType"),
    (('<Slot name="creationTime">.*?</Slot>', ""), META, "creationTime"),
    (("20261101010000", "yesterday"), "", "creationTime"),
    (("<Value>20261101010000</Value>", r"\g<0>\g<0>"), META, "creationTime"),
    (("<Value>ja-JP</Value>", "<Value>日本語</Value>"), META, "languageCode"),
    (('<Slot name="languageCode">.*?</Slot>', ""), META, "languageCode"),
    ((' mimeType="text/xml"', ""), META, "@mimeType"),
    (("urn:uuid:58a6f841-87b3-4a3e-92fd-a8ffeff98427", "x"), META, "patientId"),
    (("urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab", "x"), META, "uniqueId"),
    (("urn:uuid:a09d5840-386c-46f2-b5ad-9c3699a4309d", "x"), META, "format_code"),
    (('nodeRepresentation="22232009"', 'nodeRepresentation=""'), META, "Classification"),
    (("退院時サマリー", "あ" * 257), META, "title"),
    (("退院時サマリー", "\u202e"), META, "title"),
    (("山田", "\u2028"), META, "author"),
    (("urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd", "urn:uuid:x"), META, "RegistryPackage"),
    (("urn:uuid:96fdda7c-d067-4183-912e-bf5ee74998a8", "x"), META, "SubmissionSet/uniqueId"),
    (("urn:uuid:6b5aea1a-874d-4603-a4bc-96a0a7b38446", "x"), META, "SubmissionSet/patientId"),
    (("20261101020000", "now"), "", "submissionTime"),
    (("<Association .*?</Association>", ""), META, "[1]"),
    (("AssociationType:HasMember", "AssociationType:Knows"), META, "Association[1]"),
    (('sourceObject="SubmissionSet01"', 'sourceObject="Document01"'), META, "Association[1]"),
    (('targetObject="Document01"', 'targetObject="Document77"'), META, "[1]"),
    (("</RegistryObjectList>", "<Service/></RegistryObjectList>"), META, "RegistryObjectList"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "code", "at"), REFUSED)
def test_bad_metadata_has_its_code(change: tuple[str, str], code: str, at: str) -> None:
    with pytest.raises(Invalid) as caught:
        read(change=change)
    assert (caught.value.rule, caught.value.at.endswith(at)) == (code, True), caught.value.at
    assert "花子" not in caught.value.english


@pytest.mark.parametrize(
    ("given", "options", "code"),
    [
        pytest.param(
            TWO, {"unique_id": "2.25.1"}, "XDSRegistryDuplicateUniqueIdInMessage", id="of the set"
        ),
        pytest.param(
            (TWO[0], Given(patient=CX, id="b", unique_id="2.25.1")), {},
            "XDSRegistryDuplicateUniqueIdInMessage", id="of two documents",
        ),
        pytest.param(
            TWO, {"patient": "2^^^&2.999.30.1&ISO"}, "XDSPatientIdDoesNotMatch", id="of the set"
        ),
        pytest.param(
            (TWO[0], Given(patient="2^^^&2.999.30.1&ISO", id="b")), {},
            "XDSPatientIdDoesNotMatch", id="of one document",
        ),
        pytest.param(
            (TWO[0], Given(patient=CX)), {}, "XDSRepositoryMetadataError", id="one id twice"
        ),
        pytest.param(
            (TWO[0], Given(patient=CX, id="b", replaces=("Document01",))), {}, UNRESOLVED,
            id="replaces what comes with it",
        ),
        pytest.param(TWO, {"extra": _link(IHE + "RPLC", OLD, source=OLD[:-1] + "0")}, UNRESOLVED,
                     id="replaced by what is elsewhere"),
        pytest.param(TWO, {"extra": _link(HAS_MEMBER, "nothing", source="SubmissionSet01")},
                     UNRESOLVED, id="a member that is not there"),
        pytest.param(TWO, {"extra": _link(IHE + "APND", "Document01")}, META, id="to itself"),
        pytest.param(TWO, {"extra": _folder("aaaa")}, META, id="a folder without its id"),
        pytest.param(
            tuple(Given(patient=CX, id=f"d{place}") for place in range(100)), {},
            "XDSRepositoryOutOfResources", id="too many",
        ),
    ],
)  # fmt: skip
def test_what_does_not_fit_together(
    given: tuple[Given, ...], options: dict[str, str], code: str
) -> None:
    with pytest.raises(Invalid) as caught:
        read(*given, **options)
    assert caught.value.rule == code


@pytest.mark.parametrize(
    "change",
    [
        ("<lcm:SubmitObjectsRequest>.*</lcm:SubmitObjectsRequest>", ""),
        (' id="SubmissionSet01"', ""),
    ],
)
def test_what_is_no_submission_is_malformed(change: tuple[str, str]) -> None:
    with pytest.raises(Malformed):
        read(change=change)


# --- published requests -------------------------------------------------------------------------

PUBLISHED: dict[str, int | str] = {
    "direct__request.xml": 1,
    "direct__request_pdf.xml": 1,
    "nist__PnR1Doc.xml": 1,
    "nist__pnr-assoc-to-self.xml": META,
    "nist__pnr-bad-uplink.xml": 2,  # a part says that it is of another entry
    "nist__pnr-element-order.xml": 2,
    "nist__pnr-limited.xml": META,
    "nist__pnr.xml": 2,
    "nist__registry-message_pnr.xml": 2,
    "nist__sample_part_1.xml": 1,
    "nist__soap-message_pnr_soap.xml": 2,
    "nist__soap-pnr.xml": 2,
    "gematik__ePA1_Requests_provideandregister.xml": 1,
    "gematik__ePA2_provideAndRegisterDocumentSet_diga_request_noreplace.xml": 1,
    "gematik__ePA2_provideAndRegisterDocumentSet_diga_request_replace.xml": 1,
}
"The number of documents, or the code of the refusal."
PATIENT_IDS = {
    "urn:uuid:58a6f841-87b3-4a3e-92fd-a8ffeff98427",
    "urn:uuid:6b5aea1a-874d-4603-a4bc-96a0a7b38446",
    "urn:uuid:f64ffdf0-4b97-4e06-b79f-a52b38ec2f8a",
}


@needs_shared
@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_request(name: str) -> None:
    text = shared("ihe", "samples", "visible", "iti-41", name).read_text("utf-8-sig")
    root = xml.parse(re.sub(r"^<\?xml.*?\?>", "", text).encode())
    body = next(root.iter(xml.clark("xds:ProvideAndRegisterDocumentSetRequest")))
    for id in root.iter(xml.clark("rim:ExternalIdentifier")):
        if id.get("identificationScheme") in PATIENT_IDS:
            id.set("value", CX)
    for slot in root.iter(xml.clark("rim:Slot")):
        if slot.get("name") == "sourcePatientId":
            slot[0][0].text = CX
    if not xml.many(body, "xds:Document"):  # some show the metadata alone
        for entry in root.iter(xml.clark("rim:ExtrinsicObject")):
            etree.SubElement(body, xml.clark("xds:Document"), id=str(entry.get("id")))
    expected = PUBLISHED[name]
    if isinstance(expected, str):
        with pytest.raises(Invalid) as caught:
            submission.read(body)
        assert caught.value.rule == expected
    else:
        found = submission.read(body)
        assert len(found.documents) == expected
        assert all(one.unique_id and one.type_code.code for one in found.documents)
