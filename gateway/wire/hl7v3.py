"""HL7 v3 messages: identifiers, dates and codes; the wrappers around a payload; acknowledgements.

HL7 v3 ITS XML 1.0, ITI TF-2: Appendix O and E.1. Names, addresses and the rest of a person are
in `pix/person.py`.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone

from lxml import etree

from gateway.errors import Invalid, Malformed
from gateway.model.identifiers import Oid, PatientId
from gateway.wire import xml
from gateway.wire.xml import EMPTY, Fragment, Template

NAMESPACE = xml.NAMESPACES["hl7"]

_INTERACTIONS = "2.16.840.1.113883.1.6"
_DETAIL_CODES = "2.16.840.1.113883.5.1100"
"AcknowledgementDetailCode; the numbers are those of HL7 table 0357."
_V2_CODES = "2.16.840.1.113883.12.357"


def tag(name: str) -> str:
    """The Clark name of an HL7 v3 element."""
    return f"{{{NAMESPACE}}}{name}"


_ID, _DEVICE = tag("id"), tag("device")
_RECEIVER, _SENDER = tag("receiver"), tag("sender")
_INTERACTION, _PROCESSING = tag("interactionId"), tag("processingCode")
_AGENT, _ORGANIZATION_ID = tag("asAgent"), f"{tag('representedOrganization')}/{_ID}"


@dataclass(frozen=True, slots=True)
class Instance:
    """An instance identifier (II) that is echoed, whatever kind it is (FN-203)."""

    root: str
    extension: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrapper:
    """What an answer needs of the request's transmission wrapper (ITI TF-2: O.1.1)."""

    id: Instance
    receiver: str
    "Root of the receiving device's identifier."
    sender: str
    sender_organization: str = ""
    "Root of the sender's represented organization: in ITI-55 its homeCommunityId."
    processing: str = "P"


def read_wrapper(body: etree._Element) -> Wrapper:
    """Read the transmission wrapper; the interaction must be the one that the root says."""
    name = etree.QName(body).localname
    interaction = next(body.iterchildren(_INTERACTION), None)
    if interaction is not None and interaction.get("extension") != name:
        at = f"/{name}/interactionId"
        raise Malformed("interactionId is another one", "interactionId が異なります", at=at)
    processing = next(body.iterchildren(_PROCESSING), None)
    mode = "P" if processing is None else processing.get("code", "P")
    sender = _device(body, _SENDER)
    agent = next(sender.iterchildren(_AGENT), None)
    organization = None if agent is None else agent.find(_ORGANIZATION_ID)
    return Wrapper(
        id=read_instance(_child(body, _ID)),
        receiver=_child(_device(body, _RECEIVER), _ID).get("root", ""),
        sender=_child(sender, _ID).get("root", ""),
        sender_organization="" if organization is None else organization.get("root", ""),
        processing=mode if mode in ("D", "T", "P") else "P",
    )


def _device(body: etree._Element, role: str) -> etree._Element:
    """The device of the one sender or receiver."""
    found = list(body.iterchildren(role))
    if len(found) != 1:
        raise _count(body, role, len(found))
    return _child(found[0], _DEVICE)


def _child(parent: etree._Element, name: str) -> etree._Element:
    """The first child of a name that must be there."""
    found = next(parent.iterchildren(name), None)
    if found is None:
        raise _count(parent, name, 0)
    return found


def _count(parent: etree._Element, name: str, count: int) -> Malformed:
    local = etree.QName(name).localname
    at = f"{xml.location(parent)}/{local}"
    if count:
        return Malformed(f"{local} more than once", f"{local} が複数あります", at=at)
    return Malformed(f"{local} missing", f"{local} がありません", at=at)


def read_instance(element: etree._Element) -> Instance:
    """An identifier to echo; a message or query id without root cannot be echoed."""
    root = element.get("root")
    if not root:
        raise Malformed("identifier without root", "root がありません", at=xml.location(element))
    return Instance(root, element.get("extension", ""))


def is_null(element: etree._Element) -> bool:
    """Whether the element says that it has no value (HL7 v3 null flavour)."""
    return element.get("nullFlavor") is not None


def read_ii(element: etree._Element) -> PatientId:
    """A patient identifier: root is its domain, extension its value (ITI TF-2: E.1).

    A root that is no OID, and a value that cannot be one, are `Invalid`: the schema allows
    them, so it is the content that is refused.
    """
    root, extension = element.get("root"), element.get("extension")
    if root is None or extension is None or is_null(element):
        at = xml.location(element)
        raise Invalid("identifier without root or extension", "IDが空です", at=at)
    try:
        return PatientId(Oid(root), extension)
    except Malformed as error:
        raise Invalid(error.english, error.japanese, at=xml.location(element)) from error


def read_oid(element: etree._Element) -> Oid:
    """An identifier that is a root OID alone: a domain, a device, a community."""
    if element.get("extension") is not None or is_null(element):
        at = xml.location(element)
        raise Malformed("root alone is expected here", "root のみを指定します", at=at)
    try:
        return Oid(element.get("root", ""))
    except Malformed as error:
        raise Invalid(error.english, error.japanese, at=xml.location(element)) from error


def read_date(element: etree._Element) -> date | None:
    """The day of a point in time (TS); one that is less exact than a day says nothing.

    Hours and zone are left out: a birth date is the date at the place of birth.
    """
    value = element.get("value")
    if value is None or is_null(element):
        return None
    digits = value[:8]
    if not (value.isascii() and digits.isdigit()) or len(digits) not in (4, 6, 8):
        raise _no_date(element)
    if len(digits) < 8:
        return None
    try:
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError as error:
        raise _no_date(element) from error


_MOMENT = re.compile(r"([0-9]{14})(?:\.[0-9]{1,6})?([+-][0-9]{4})?")
_JAPAN = timezone(timedelta(hours=9))


def read_moment(element: etree._Element) -> datetime | None:
    """A point in time (TS) to the second, in Japan's time where no zone stands; None if coarser."""
    found = _MOMENT.fullmatch(element.get("value", ""))
    if found is None:
        return None
    try:
        if found[2]:
            return datetime.strptime(found[1] + found[2], "%Y%m%d%H%M%S%z")
        return datetime.strptime(found[1], "%Y%m%d%H%M%S").replace(tzinfo=_JAPAN)
    except ValueError as error:
        raise _no_date(element) from error


def _no_date(element: etree._Element) -> Invalid:
    return Invalid("not a date", "日付として読めません", at=xml.location(element), rule="A-09")


def write_date(day: date) -> str:
    """A day as TS."""
    return f"{day.year:04}{day.month:02}{day.day:02}"


def write_moment(moment: datetime) -> str:
    """A moment as TS, in UTC with its zone."""
    at = moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    return f"{at:%Y%m%d%H%M%S}+0000"


_BARE_ID = Template('<id root="{root}"/>')
_FULL_ID = Template('<id root="{root}" extension="{extension}"/>')
_NAMED_ID = Template(
    '<id root="{root}" extension="{extension}" assigningAuthorityName="{authority}"/>'
)
_QUERY_ID = Template('<queryId root="{root}"/>')
_FULL_QUERY_ID = Template('<queryId root="{root}" extension="{extension}"/>')


def write_id(instance: Instance) -> Fragment:
    """An identifier as element `id`."""
    if instance.extension:
        return _FULL_ID.fill(root=instance.root, extension=instance.extension)
    return _BARE_ID.fill(root=instance.root)


def write_query_id(instance: Instance) -> Fragment:
    """An identifier as element `queryId`."""
    if instance.extension:
        return _FULL_QUERY_ID.fill(root=instance.root, extension=instance.extension)
    return _QUERY_ID.fill(root=instance.root)


def write_patient_id(patient: PatientId, authority: str = "") -> Fragment:
    """A patient identifier as element `id`; a PIX Manager names its authority (ITI TF-2: E.1)."""
    if authority:
        return _NAMED_ID.fill(root=patient.domain, extension=patient.value, authority=authority)
    return _FULL_ID.fill(root=patient.domain, extension=patient.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """One acknowledgementDetail: an error, its code, and where (ITI TF-2: O.1.2)."""

    code: str
    text: str
    location: str = ""
    "XPath in the request."

    @property
    def system(self) -> str:
        """The code system: numbers come from HL7 table 0357, words from v3."""
        return _V2_CODES if self.code.isdigit() else _DETAIL_CODES


_DETAIL = Template(
    """<acknowledgementDetail typeCode="E"><code code="{code}" codeSystem="{system}"/>
    <text>{text}</text>{location}</acknowledgementDetail>"""
)
_LOCATION = Template("<location>{location}</location>")


def write_details(details: Iterable[Detail]) -> Fragment:
    """The details of a refusal."""
    return xml.join(
        _DETAIL.fill(
            code=detail.code,
            system=detail.system,
            text=detail.text,
            location=_LOCATION.fill(location=detail.location) if detail.location else EMPTY,
        )
        for detail in details
    )


_ANSWER = Template(
    f"""<{{interaction}} xmlns="{NAMESPACE}" xmlns:xsi="{xml.NAMESPACES["xsi"]}"
      ITSVersion="XML_1.0"><id root="{{id}}"/><creationTime value="{{at}}"/>
    <interactionId root="{_INTERACTIONS}" extension="{{interaction}}"/>
    <processingCode code="{{processing}}"/><processingModeCode code="T"/>
    <acceptAckCode code="NE"/>
    <receiver typeCode="RCV"><device classCode="DEV" determinerCode="INSTANCE">
    <id root="{{receiver}}"/>{{receiver_agent}}</device></receiver>
    <sender typeCode="SND"><device classCode="DEV" determinerCode="INSTANCE">
    <id root="{{sender}}"/>{{sender_agent}}</device></sender>
    <acknowledgement><typeCode code="{{code}}"/><targetMessage>{{target}}</targetMessage>
    {{details}}</acknowledgement>{{process}}</{{interaction}}>"""
)
_AGENT_OUT = Template(
    """<asAgent classCode="AGNT"><representedOrganization classCode="ORG"
      determinerCode="INSTANCE"><id root="{root}"/></representedOrganization></asAgent>"""
)
_PROCESS = Template(
    f"""<controlActProcess classCode="CACT" moodCode="EVN">
    <code code="{{trigger}}" codeSystem="{_INTERACTIONS}"/>{{subjects}}{{issue}}
    <queryAck>{{query_id}}<statusCode code="deliveredResponse"/>
    <queryResponseCode code="{{response}}"/></queryAck>{{query}}</controlActProcess>"""
)


def write_answer(
    interaction: str,
    wrapper: Wrapper,
    *,
    id: str,
    at: datetime,
    code: str,
    details: Iterable[Detail] = (),
    home: str = "",
    process: Fragment = EMPTY,
) -> bytes:
    """An answer around `process`: an accept acknowledgement has none (ITI TF-2: O.1.2, O.1.3).

    The device that was addressed is the device that answers. With `home`, both sides name their
    communities (ITI TF-2: 3.55.4.2.2.4).
    """
    receiver_agent = EMPTY
    if home and wrapper.sender_organization:
        receiver_agent = _AGENT_OUT.fill(root=wrapper.sender_organization)
    return _ANSWER.fill(
        interaction=interaction,
        id=id,
        at=write_moment(at),
        processing=wrapper.processing,
        receiver=wrapper.sender,
        receiver_agent=receiver_agent,
        sender=wrapper.receiver,
        sender_agent=_AGENT_OUT.fill(root=home) if home else EMPTY,
        code=code,
        target=write_id(wrapper.id),
        details=write_details(details),
        process=process,
    ).encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What every query's answer repeats of its question."""

    wrapper: Wrapper
    query_id: Instance
    query: Fragment
    "The request's queryByParameter, verbatim (ITI TF-2: O.2.2)."


def read_asked(body: etree._Element) -> Asked:
    """Read wrapper, query id and the query itself."""
    query = xml.one(body, "hl7:controlActProcess/hl7:queryByParameter")
    return Asked(
        wrapper=read_wrapper(body),
        query_id=read_instance(xml.one(query, "hl7:queryId")),
        query=xml.fragment(query),
    )


def write_query_answer(
    interaction: str,
    asked: Asked,
    *,
    id: str,
    at: datetime,
    code: str,
    response: str,
    subjects: Fragment = EMPTY,
    issue: Fragment = EMPTY,
    details: Iterable[Detail] = (),
    home: str = "",
) -> bytes:
    """An answer to a query: `code` acknowledges the message, `response` is OK, NF or AE."""
    process = _PROCESS.fill(
        trigger=interaction.replace("_IN", "_TE"),
        response=response,
        query_id=write_query_id(asked.query_id),
        query=asked.query,
        subjects=subjects,
        issue=issue,
    )
    return write_answer(
        interaction,
        asked.wrapper,
        id=id,
        at=at,
        code=code,
        details=details,
        home=home,
        process=process,
    )
