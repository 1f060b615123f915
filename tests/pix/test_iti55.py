"""ITI-55 Cross Gateway Patient Discovery: what is asked, the five answers, the refusals."""

import copy
from datetime import date

import pytest

from gateway import errors
from gateway.errors import Invalid, Malformed, MissingCommunity, OverLimit
from gateway.model.person import Address, Demographics, Gender, PersonName, Script, Telecom
from gateway.pix import iti55
from gateway.pix.iti55 import Matches
from gateway.record.disclose import Discovered
from tests.pix.messages import STAMP, judged, pid, sample, value

DEMO, SHARED_ID = "iti55-demographics", "iti55-shared-id"

HANAKO = Demographics(
    names=(
        PersonName("見本", "花子", Script.KANJI),
        PersonName("ミホン", "ハナコ", Script.KANA),
        PersonName("", "", Script.ROMAN, text="Hanako <Mihon>"),
    ),
    birth=date(1980, 2, 3),
    gender=Gender.FEMALE,
    addresses=(
        Address(postal_code="100-0001", state="東京都", line="1-1", use="H"),
        Address(text="遠く"),
    ),
    telecoms=(Telecom("tel:+81-3-5555-0101", "HP"),),
)
FOUND = Discovered(
    patient=pid("1234567890123456", "2.999.20.1"),
    demographics=HANAKO,
    other_ids=(pid("77", "2.999.20.9"),),
)


def test_decode_demographics() -> None:
    query = iti55.decode(sample(DEMO))
    assert query.demographics == Demographics(
        names=(PersonName("見本", "花子", Script.KANJI),),
        birth=date(1980, 2, 3),
        gender=Gender.FEMALE,
    )
    assert (query.ids, query.home) == ((), "2.999.10.2")
    assert "patientAddress" not in query.given


def test_decode_identifiers() -> None:
    query = iti55.decode(sample(SHARED_ID))
    assert query.ids == (pid("1234567890123456", "2.999.20.1"),)
    assert query.demographics == Demographics()
    null = ('<value root="2.999.20.1" extension="1234567890123456"/>', '<value nullFlavor="UNK"/>')
    assert iti55.decode(sample(SHARED_ID, null)).ids == ()


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        pytest.param(('<value use="IDE">', '<value use="SRCH">'), Invalid, id="a search name"),
        pytest.param(('value="19800203"', 'value="19800230"'), Invalid, id="30 February"),
        pytest.param(('<value code="F"/>', '<value code="?"/>'), Invalid, id="gender"),
        pytest.param(('Code code="I"', 'Code code="D"'), Invalid, id="later, by the wrong action"),
        pytest.param(
            ('<id root="2.999.10.2"/>\n            </representedOrganization>',
             '<id root="2.999.10.02"/></representedOrganization>'),
            MissingCommunity,
            id="no community",
        ),
        pytest.param(("asAgent", "asOther"), MissingCommunity, id="no agent"),
        pytest.param(("parameterList", "otherList"), Malformed, id="no parameters"),
    ],
)  # fmt: skip
def test_decode_refuses(change: tuple[str, str], kind: type[errors.Refusal]) -> None:
    with pytest.raises(kind):
        iti55.decode(sample(DEMO, change))


@pytest.mark.parametrize(
    ("name", "path", "count", "kind"),
    [
        (DEMO, "livingSubjectBirthTime", 1, Malformed),
        (DEMO, "livingSubjectAdministrativeGender", 1, Malformed),
        (DEMO, "livingSubjectName", 100, OverLimit),
        (SHARED_ID, "livingSubjectId", 100, OverLimit),
    ],
)
def test_decode_refuses_repetitions(name, path, count, kind) -> None:
    body = sample(name)
    first = body.find(f".//{{*}}{path}")
    assert first is not None
    for _ in range(count):
        first.addnext(copy.deepcopy(first))
    with pytest.raises(kind):
        iti55.decode(body)


def test_a_birth_year_alone_is_no_birth_date() -> None:
    query = iti55.decode(sample(DEMO, ('value="19800203"', 'value="1980"')))
    assert query.demographics.birth is None


def test_encode_one_match() -> None:
    body = sample(DEMO)
    root = judged(iti55.encode(iti55.decode(body), Matches((FOUND,)), STAMP))
    assert value(root, "h:acknowledgement/h:typeCode/@code") == "AA"
    assert value(root, "//h:queryResponseCode/@code") == "OK"
    assert value(root, "string(//h:patient/h:id/@extension)") == "1234567890123456"
    assert value(root, "string(//h:asOtherIDs/h:id/@extension)") == "77"
    names = root.findall(".//{*}patientPerson/{*}name")
    assert [name.get("use") for name in names] == ["IDE", "SYL", None]
    assert names[2].text == "Hanako <Mihon>"
    assert value(root, "string(//h:patientPerson/h:birthTime/@value)") == "19800203"
    assert value(root, "string(//h:patientPerson/h:addr[2])") == "遠く"
    assert value(root, "string(//h:custodian/h:assignedEntity/h:id/@root)") == STAMP.home
    assert value(root, "//h:queryMatchObservation/h:value/@value") == "100"
    organization = "string(h:receiver/h:device/h:asAgent/h:representedOrganization/h:id/@root)"
    assert value(root, organization) == "2.999.10.2"


def test_encode_a_person_of_whom_nothing_is_known() -> None:
    found = Discovered(patient=FOUND.patient, demographics=Demographics(), other_ids=())
    root = judged(iti55.encode(iti55.decode(sample(SHARED_ID)), Matches((found,)), STAMP))
    assert value(root, "string(//h:patientPerson/h:name/@nullFlavor)") == "NA"


def test_encode_no_match() -> None:
    root = judged(iti55.encode(iti55.decode(sample(DEMO)), Matches(), STAMP))
    assert value(root, "h:acknowledgement/h:typeCode/@code") == "AA"
    assert value(root, "//h:queryResponseCode/@code") == "NF"
    assert not list(root.iter("{*}registrationEvent", "{*}detectedIssueEvent"))


def test_encode_ask_for_more() -> None:
    wanted = ("LivingSubjectAdministrativeGenderRequested", "PatientAddressRequested")
    root = judged(iti55.encode(iti55.decode(sample(DEMO)), Matches(wanted=wanted), STAMP))
    assert value(root, "//h:queryResponseCode/@code") == "OK"
    codes = root.xpath(
        "//h:detectedIssueEvent/h:triggerFor/h:actOrderRequired/h:code"
        "[@codeSystem='1.3.6.1.4.1.19376.1.2.27.1']/@code",
        namespaces={"h": "urn:hl7-org:v3"},
    )
    assert tuple(codes) == wanted
    assert not list(root.iter("{*}registrationEvent"))


@pytest.mark.parametrize(
    ("refusal", "code", "issue"),
    [
        pytest.param(errors.Busy("x"), "AE", "ResponderBusy", id="busy"),
        pytest.param(errors.MissingParameter("x"), "AE", "AnswerNotAvailable", id="too little"),
        pytest.param(errors.TooManyResults("x"), "AE", "AnswerNotAvailable", id="too many"),
        pytest.param(errors.NotPermitted("x"), "AE", "AnswerNotAvailable", id="policy"),
        pytest.param(errors.UnknownPatient("x"), "AA", "", id="a denied patient is no match"),
        pytest.param(errors.UnknownDomain("x"), "AA", "", id="an unknown domain is no match"),
    ],
)
def test_refuse(refusal: errors.Refusal, code: str, issue: str) -> None:
    root = judged(iti55.refuse(sample(DEMO), refusal, STAMP))
    assert value(root, "h:acknowledgement/h:typeCode/@code") == code
    assert value(root, "//h:queryResponseCode/@code") == ("AE" if issue else "NF")
    path = "string(//h:mitigatedBy/h:detectedIssueManagement/h:code/@code)"
    assert value(root, path) == issue


def test_a_denied_patient_looks_like_no_match() -> None:
    body = sample(DEMO)
    nobody = iti55.encode(iti55.decode(body), Matches(), STAMP)
    assert iti55.refuse(body, errors.UnknownPatient("x"), STAMP) == nobody


@pytest.mark.parametrize("kind", errors.kinds(), ids=lambda kind: kind.__name__)
def test_every_kind_of_refusal_has_a_line(kind: type[errors.Refusal]) -> None:
    assert kind in iti55._ANSWERS
    payload = iti55.refuse(sample(DEMO), kind("SECRET"), STAMP)
    if payload is not None:
        assert b"SECRET" not in payload.xml
        judged(payload)


def test_a_later_answer_is_not_offered() -> None:
    """ITI TF-2: 3.55.6.2: MCCI with AE and NS250."""
    row = iti55.ITI_55_DEFERRED
    body = sample(DEMO, ('Code code="I"', 'Code code="D"'))
    with pytest.raises(errors.Unsupported) as caught:
        row.decode(body)
    root = judged(row.refuse(body, caught.value, STAMP))
    assert value(root, "local-name()") == "MCCI_IN000002UV01"
    assert value(root, "h:acknowledgement/h:typeCode/@code") == "AE"
    assert value(root, "string(//h:acknowledgementDetail/h:code/@code)") == "NS250"
    assert row.refuse(body, Malformed("x"), STAMP) is None


def test_what_cannot_be_echoed_becomes_a_fault() -> None:
    assert iti55.refuse(sample(DEMO), Malformed("x"), STAMP) is None
    body = sample(DEMO, ("queryId", "queryIdentity"))
    assert iti55.refuse(body, errors.UnknownPatient("x"), STAMP) is None
    assert iti55.ITI_55_DEFERRED.refuse(
        sample(DEMO, ("sender", "speaker")), errors.Unsupported("x"), STAMP
    ) is None  # fmt: skip
