"""ITI-55 Cross Gateway Patient Discovery, answered: an exact match, or nothing.

ITI TF-2: 3.55; the five cases of the answer are in 3.55.4.2.3. A patient who may not be disclosed
is no match (`security.md` 2.1, G8).
"""

from dataclasses import dataclass, replace

from lxml import etree

from gateway import errors
from gateway.errors import Invalid, MissingParameter, NotPermitted, Refusal, Unsupported
from gateway.model.audit import EventKind
from gateway.model.identifiers import Oid, PatientId
from gateway.model.person import Demographics
from gateway.pix import person
from gateway.record import disclose
from gateway.record.disclose import Discovered
from gateway.store.work import Work
from gateway.transaction import Payload, Stamp, Transaction
from gateway.wire import hl7v3, xml
from gateway.wire.hl7v3 import Asked, Detail
from gateway.wire.xml import EMPTY, Fragment, Template

_REQUEST, _ANSWER, _ACCEPT = "PRPA_IN201305UV02", "PRPA_IN201306UV02", "MCCI_IN000002UV01"
_SCHEMAS = "HL7V3/NE2008/multicacheschemas/"
_MOST = 100

_LOCATORS = "1.3.6.1.4.1.19376.1.2.27.2"
_WANTED = "1.3.6.1.4.1.19376.1.2.27.1"
_PROBLEMS = "1.3.6.1.4.1.19376.1.2.27.3"

_MORE = {
    # parameter of the query: code that asks for it (ITI TF-2: 3.55.4.2.2.6)
    "livingSubjectAdministrativeGender": "LivingSubjectAdministrativeGenderRequested",
    "patientAddress": "PatientAddressRequested",
    "patientTelecom": "PatientTelecomRequested",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovery:
    """Whom another community looks for."""

    demographics: Demographics
    ids: tuple[PatientId, ...]
    home: Oid
    "Whose question it is: the sender's homeCommunityId."
    given: frozenset[str]
    "Which parameters the query has."
    asked: Asked


@dataclass(frozen=True, slots=True)
class Matches:
    """What is told: the one match, nothing, or what would tell the candidates apart."""

    found: tuple[Discovered, ...] = ()
    wanted: tuple[str, ...] = ()


def decode(body: etree._Element) -> Discovery:
    """Read PRPA_IN201305UV02 as XCPD narrows it."""
    query = xml.one(body, "hl7:controlActProcess/hl7:queryByParameter")
    asked = hl7v3.read_asked(body)
    priority = xml.maybe(query, "hl7:responsePriorityCode")
    if priority is not None and priority.get("code") != "I":
        raise Invalid("only immediate answers", "即時応答のみです", at=xml.location(priority))
    parameters = xml.one(query, "hl7:parameterList")
    given = frozenset(etree.QName(child).localname for child in xml.children(parameters))
    return Discovery(
        demographics=_demographics(parameters),
        ids=_ids(parameters),
        home=_home(body, asked),
        given=given,
        asked=asked,
    )


def _home(body: etree._Element, asked: Asked) -> Oid:
    """The sender's homeCommunityId, which this profile demands."""
    try:
        return Oid(asked.wrapper.sender_organization)
    except errors.Malformed as error:
        at = f"/{_REQUEST}/sender/device/asAgent/representedOrganization/id"
        raise errors.MissingCommunity(
            "homeCommunityId missing", "homeCommunityId がありません", at=at
        ) from error


def _demographics(parameters: etree._Element) -> Demographics:
    """Names, birth date and gender: what an exact match compares."""
    names = xml.many(parameters, "hl7:livingSubjectName/hl7:value")
    if len(names) > _MOST:
        raise errors.OverLimit("too many names", "氏名が多すぎます", rule="A-09", log="LIMIT")
    for name in names:
        if "SRCH" in name.get("use", "").split():
            raise Invalid(
                "names are not searched", "氏名の検索条件は使えません", at=xml.location(name)
            )
    birth = xml.maybe(parameters, "hl7:livingSubjectBirthTime/hl7:value")
    gender = xml.maybe(parameters, "hl7:livingSubjectAdministrativeGender/hl7:value")
    return Demographics(
        names=person.read_names(names),
        birth=None if birth is None else hl7v3.read_date(birth),
        gender=None if gender is None else person.read_gender(gender),
    )


def _ids(parameters: etree._Element) -> tuple[PatientId, ...]:
    """Identifiers that the other community knows; a null one says nothing."""
    found = person.filled(xml.many(parameters, "hl7:livingSubjectId/hl7:value"))
    if len(found) > _MOST:
        raise errors.OverLimit("too many identifiers", "IDが多すぎます", rule="A-09", log="LIMIT")
    return tuple(map(hl7v3.read_ii, found))


def handle(work: Work, query: Discovery) -> Matches:
    """The one person who matches and may be disclosed; several are never told apart by us."""
    if work.caller.home is not None and work.caller.home != query.home:
        raise NotPermitted("the question is of another community", rule="B-15", log="SAML-ORG")
    person_given = query.demographics.names and query.demographics.birth is not None
    if not (person_given or query.ids):
        raise MissingParameter(
            "name and birth date, or an identifier, are expected",
            "氏名と生年月日、またはIDが必要です",
            rule="H-02",
        )
    found = disclose.discover(work, query.demographics, query.ids)
    work.trail.detail["found"] = len(found)
    if len(found) <= 1:
        return Matches(found)
    wanted = tuple(code for name, code in _MORE.items() if name not in query.given)
    if not wanted:
        raise errors.TooManyResults("several persons match", "該当者が複数います", rule="H-02")
    return Matches(wanted=wanted)


_SUBJECT = Template(
    f"""<subject typeCode="SUBJ"><registrationEvent classCode="REG" moodCode="EVN">
    <id nullFlavor="NA"/><statusCode code="active"/>
    <subject1 typeCode="SBJ"><patient classCode="PAT">{{id}}<statusCode code="active"/>{{person}}
    <subjectOf1><queryMatchObservation classCode="COND" moodCode="EVN"><code code="IHE_PDQ"/>
    <value xsi:type="INT" value="100"/></queryMatchObservation></subjectOf1></patient></subject1>
    <custodian typeCode="CST"><assignedEntity classCode="ASSIGNED"><id root="{{home}}"/>
    <code code="NotHealthDataLocator" codeSystem="{_LOCATORS}"/></assignedEntity></custodian>
    </registrationEvent></subject>"""
)
_ISSUE = Template(
    """<reasonOf typeCode="RSON"><detectedIssueEvent classCode="ALRT" moodCode="EVN">
    <code code="ActAdministrativeDetectedIssueCode" codeSystem="2.16.840.1.113883.5.4"/>{content}
    </detectedIssueEvent></reasonOf>"""
)
_TRIGGER_FOR = Template(
    f"""<triggerFor typeCode="TRIG"><actOrderRequired classCode="ACT" moodCode="RQO">
    <code code="{{code}}" codeSystem="{_WANTED}"/></actOrderRequired></triggerFor>"""
)
_MITIGATED_BY = Template(
    f"""<mitigatedBy typeCode="MITGT"><detectedIssueManagement classCode="ACT" moodCode="EVN">
    <code code="{{code}}" codeSystem="{_PROBLEMS}"/></detectedIssueManagement></mitigatedBy>"""
)


def encode(query: Discovery, matches: Matches, stamp: Stamp) -> Payload:
    """PRPA_IN201306UV02: a match and ask-for-more are AA/OK, no match is AA/NF (cases 1 to 4)."""
    subjects = xml.join(
        _SUBJECT.fill(
            id=hl7v3.write_patient_id(match.patient),
            person=person.write_person(match.demographics, match.other_ids),
            home=stamp.home,
        )
        for match in matches.found
    )
    issue = EMPTY
    if matches.wanted:
        issue = _ISSUE.fill(content=xml.join(_TRIGGER_FOR.fill(code=c) for c in matches.wanted))
    response = "OK" if matches.found or matches.wanted else "NF"
    return _payload(query.asked, stamp, "AA", response, subjects=subjects, issue=issue)


def _payload(
    asked: Asked,
    stamp: Stamp,
    code: str,
    response: str,
    *,
    subjects: Fragment = EMPTY,
    issue: Fragment = EMPTY,
) -> Payload:
    return Payload(
        hl7v3.write_query_answer(
            _ANSWER,
            asked,
            id=stamp.id,
            at=stamp.at,
            code=code,
            response=response,
            subjects=subjects,
            issue=issue,
            home=stamp.home,
        )
    )


_NO_MATCH = ""
_CANNOT = "AnswerNotAvailable"

_ANSWERS: dict[type[Refusal], str | None] = {
    # kind: detected issue of an AE/AE answer; empty: no match (AA/NF); None: a SOAP fault.
    errors.Busy: "ResponderBusy",
    errors.Gone: _NO_MATCH,
    errors.Inconsistent: _CANNOT,
    errors.Invalid: _CANNOT,
    errors.Malformed: None,
    errors.MissingCommunity: _CANNOT,
    errors.MissingParameter: _CANNOT,
    errors.NotFound: _NO_MATCH,
    errors.NotOwner: _NO_MATCH,
    errors.NotPermitted: _CANNOT,
    errors.OverLimit: _CANNOT,
    errors.ParameterCount: _CANNOT,
    errors.SeveralPatients: _CANNOT,
    errors.TooManyResults: _CANNOT,
    errors.Unauthenticated: None,
    errors.UnknownCommunity: _CANNOT,
    errors.UnknownDocument: _NO_MATCH,
    errors.UnknownDomain: _NO_MATCH,
    errors.UnknownPatient: _NO_MATCH,
    errors.UnknownQuery: _CANNOT,
    errors.UnknownRepository: _CANNOT,
    errors.Unsupported: _CANNOT,
    errors.UntrustedSignature: _CANNOT,
}


def refuse(body: etree._Element, refusal: Refusal, stamp: Stamp) -> Payload | None:
    """AE with the detected issue (case 5), or no match for what must look like none."""
    answer = _ANSWERS[type(refusal)]
    if answer is None:
        return None
    try:
        asked = hl7v3.read_asked(body)
    except Refusal:
        return None
    if answer == _NO_MATCH:
        return _payload(asked, stamp, "AA", "NF")
    issue = _ISSUE.fill(content=_MITIGATED_BY.fill(code=answer))
    return _payload(asked, stamp, "AE", "AE", issue=issue)


_ACTION = "urn:hl7-org:v3:"
_DISCOVERY = f"{_ACTION}{_REQUEST}:CrossGatewayPatientDiscovery"
_DEFERRED = f"{_ACTION}{_REQUEST}:Deferred:CrossGatewayPatientDiscovery"
_FOUND = f"{_ACTION}{_ANSWER}:CrossGatewayPatientDiscovery"
_ROOT = hl7v3.tag(_REQUEST)

ITI_55 = Transaction(
    number="ITI-55",
    endpoint="/xcpd",
    actions={_DISCOVERY: _FOUND},
    roots={_DISCOVERY: _ROOT},
    decode=decode,
    handle=handle,
    encode=encode,
    refuse=refuse,
    audit=EventKind.DISCOVERY,
    request_schemas={_ROOT: f"{_SCHEMAS}{_REQUEST}.xsd"},
    response_schema={_FOUND: f"{_SCHEMAS}{_ANSWER}.xsd"},
    reading=True,
    assertion=True,
)


def _decode_deferred(body: etree._Element) -> Discovery:
    """A question to be answered later: an option that is not offered (ITI TF-2: 3.55.6.2)."""
    raise Unsupported("deferred answers are not given", "遅延応答には対応していません")


def _refuse_deferred(body: etree._Element, refusal: Refusal, stamp: Stamp) -> Payload | None:
    """MCCI_IN000002UV01 with AE and NS250, as the profile says it."""
    if not isinstance(refusal, Unsupported):
        return None
    try:
        wrapper = hl7v3.read_wrapper(body)
    except Refusal:
        return None
    detail = Detail(code="NS250", text="Deferred processing is not supported")
    return Payload(
        hl7v3.write_answer(_ACCEPT, wrapper, id=stamp.id, at=stamp.at, code="AE", details=[detail])
    )


ITI_55_DEFERRED = replace(
    ITI_55,
    actions={_DEFERRED: _ACTION + _ACCEPT},
    roots={_DEFERRED: _ROOT},
    decode=_decode_deferred,
    refuse=_refuse_deferred,
    response_schema={_ACTION + _ACCEPT: f"{_SCHEMAS}{_ACCEPT}.xsd"},
)
