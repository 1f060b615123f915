"""Payloads as a careful partner writes them: ITI-44, 45, 55, 38 and 39."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from xml.sax.saxutils import escape, quoteattr

HL7 = "urn:hl7-org:v3:"
FEED_ADD = HL7 + "PRPA_IN201301UV02"
FEED_REVISE = HL7 + "PRPA_IN201302UV02"
FEED_MERGE = HL7 + "PRPA_IN201304UV02"
PIX_QUERY = HL7 + "PRPA_IN201309UV02"
DISCOVERY = HL7 + "PRPA_IN201305UV02:CrossGatewayPatientDiscovery"
GATEWAY_QUERY = "urn:ihe:iti:2007:CrossGatewayQuery"
GATEWAY_RETRIEVE = "urn:ihe:iti:2007:CrossGatewayRetrieve"
FIND_DOCUMENTS = "urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d"
GET_DOCUMENTS = "urn:uuid:5c4f972b-d56b-40ac-a5fc-c8ca9b40b9d4"
APPROVED = "urn:oasis:names:tc:ebxml-regrep:StatusType:Approved"

RECEIVER = "2.999.10.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Whom a message is about."""

    family: str
    given: str
    family_kana: str
    given_kana: str
    birth: str
    "YYYYMMDD."
    gender: str
    "M or F."
    address: str = ""
    phone: str = ""


def _moment() -> str:
    return datetime.now(UTC).strftime("%Y%m%d%H%M%S+0000")


def _device(kind: str, code: str, oid: str, organization: str = "") -> str:
    agent = (
        '<asAgent classCode="AGNT"><representedOrganization classCode="ORG" '
        f'determinerCode="INSTANCE"><id root={quoteattr(organization)}/>'
        "</representedOrganization></asAgent>"
        if organization
        else ""
    )
    return (
        f'<{kind} typeCode="{code}"><device classCode="DEV" determinerCode="INSTANCE">'
        f"<id root={quoteattr(oid)}/>{agent}</device></{kind}>"
    )


def _interaction(
    name: str, control: str, *, sender: str, receiver: str, agents: bool = False
) -> str:
    """The transmission wrapper around a control act."""
    return (
        f'<{name} xmlns="urn:hl7-org:v3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
        f'ITSVersion="XML_1.0"><id root="{uuid.uuid4()}"/><creationTime value="{_moment()}"/>'
        f'<interactionId root="2.16.840.1.113883.1.6" extension="{name}"/>'
        '<processingCode code="T"/><processingModeCode code="T"/><acceptAckCode code="AL"/>'
        + _device("receiver", "RCV", receiver, receiver if agents else "")
        + _device("sender", "SND", sender, sender if agents else "")
        + f'<controlActProcess classCode="CACT" moodCode="EVN">'
        f'<code code="{name.replace("_IN", "_TE")}" codeSystem="2.16.840.1.113883.1.6"/>'
        f"{control}</controlActProcess></{name}>"
    )


def _names(person: Person) -> str:
    return (
        f'<name use="IDE"><family>{escape(person.family)}</family>'
        f"<given>{escape(person.given)}</given></name>"
        f'<name use="SYL"><family>{escape(person.family_kana)}</family>'
        f"<given>{escape(person.given_kana)}</given></name>"
    )


def _organization(domain: str, name: str) -> str:
    return (
        f'<providerOrganization classCode="ORG" determinerCode="INSTANCE"><id root="{domain}"/>'
        f'<name>{escape(name)}</name><contactParty classCode="CON">'
        '<telecom value="tel:+81-58-000-0000"/></contactParty></providerOrganization>'
    )


def _custodian(domain: str, name: str) -> str:
    return (
        f'<custodian typeCode="CST"><assignedEntity classCode="ASSIGNED"><id root="{domain}"/>'
        '<assignedOrganization classCode="ORG" determinerCode="INSTANCE">'
        f"<name>{escape(name)}</name></assignedOrganization></assignedEntity></custodian>"
    )


def feed(
    domain: str,
    value: str,
    person: Person,
    *,
    revise: bool = False,
    sender: str = "2.999.50.1",
    receiver: str = RECEIVER,
    facility: str = "Hospital",
    other_ids: Sequence[tuple[str, str]] = (),
) -> str:
    """ITI-44 add, or revise."""
    others = "".join(
        f'<asOtherIDs classCode="PAT"><id root="{root}" extension={quoteattr(extension)}/>'
        '<scopingOrganization classCode="ORG" determinerCode="INSTANCE">'
        f'<id root="{root}"/></scopingOrganization></asOtherIDs>'
        for root, extension in other_ids
    )
    telecom = f"<telecom value={quoteattr('tel:' + person.phone)}/>" if person.phone else ""
    address = (
        f"<addr><streetAddressLine>{escape(person.address)}</streetAddressLine></addr>"
        if person.address
        else ""
    )
    control = (
        '<subject typeCode="SUBJ"><registrationEvent classCode="REG" moodCode="EVN">'
        '<id nullFlavor="NA"/><statusCode code="active"/><subject1 typeCode="SBJ">'
        f'<patient classCode="PAT"><id root="{domain}" extension={quoteattr(value)}/>'
        '<statusCode code="active"/><patientPerson classCode="PSN" determinerCode="INSTANCE">'
        f"{_names(person)}{telecom}"
        f'<administrativeGenderCode code="{person.gender}" codeSystem="2.16.840.1.113883.5.1"/>'
        f'<birthTime value="{person.birth}"/>{address}{others}</patientPerson>'
        f"{_organization(domain, facility)}</patient></subject1>{_custodian(domain, facility)}"
        "</registrationEvent></subject>"
    )
    name = "PRPA_IN201302UV02" if revise else "PRPA_IN201301UV02"
    return _interaction(name, control, sender=sender, receiver=receiver)


def merge(
    domain: str,
    survivor: str,
    subsumed: str,
    person: Person,
    *,
    sender: str = "2.999.50.1",
    receiver: str = RECEIVER,
    facility: str = "Hospital",
) -> str:
    """ITI-44 resolve duplicates: `subsumed` is replaced by `survivor`."""
    control = (
        '<subject typeCode="SUBJ"><registrationEvent classCode="REG" moodCode="EVN">'
        '<id nullFlavor="NA"/><statusCode code="active"/><subject1 typeCode="SBJ">'
        f'<patient classCode="PAT"><id root="{domain}" extension={quoteattr(survivor)}/>'
        '<statusCode code="active"/><patientPerson classCode="PSN" determinerCode="INSTANCE">'
        f"{_names(person)}</patientPerson>{_organization(domain, facility)}</patient></subject1>"
        f"{_custodian(domain, facility)}"
        '<replacementOf typeCode="RPLC"><priorRegistration classCode="REG" moodCode="EVN">'
        '<statusCode code="obsolete"/><subject1 typeCode="SBJ">'
        f'<priorRegisteredRole classCode="PAT"><id root="{domain}" '
        f"extension={quoteattr(subsumed)}/></priorRegisteredRole></subject1>"
        "</priorRegistration></replacementOf></registrationEvent></subject>"
    )
    return _interaction("PRPA_IN201304UV02", control, sender=sender, receiver=receiver)


def pix_query(
    domain: str,
    value: str,
    *,
    domains: Sequence[str] = (),
    sender: str = "2.999.50.1",
    receiver: str = RECEIVER,
) -> str:
    """ITI-45: the other identifiers of one patient."""
    sources = "".join(
        f'<dataSource><value root="{root}"/><semanticsText>DataSource.id</semanticsText>'
        "</dataSource>"
        for root in domains
    )
    control = (
        f'<queryByParameter><queryId root="{sender}" extension="{uuid.uuid4()}"/>'
        '<statusCode code="new"/><responsePriorityCode code="I"/>'
        f"<parameterList>{sources}<patientIdentifier>"
        f'<value root="{domain}" extension={quoteattr(value)}/>'
        "<semanticsText>Patient.id</semanticsText></patientIdentifier></parameterList>"
        "</queryByParameter>"
    )
    return _interaction("PRPA_IN201309UV02", control, sender=sender, receiver=receiver)


def discovery(
    person: Person,
    *,
    ids: Sequence[tuple[str, str]] = (),
    home: str = "2.999.10.2",
    receiver: str = RECEIVER,
    with_name: bool = True,
) -> str:
    """ITI-55: the question whether a community knows this person."""
    identifiers = "".join(
        f'<livingSubjectId><value root="{root}" extension={quoteattr(extension)}/>'
        "<semanticsText>LivingSubject.id</semanticsText></livingSubjectId>"
        for root, extension in ids
    )
    name = (
        f'<livingSubjectName><value use="IDE"><family>{escape(person.family)}</family>'
        f"<given>{escape(person.given)}</given></value>"
        "<semanticsText>LivingSubject.name</semanticsText></livingSubjectName>"
        if with_name
        else ""
    )
    control = (
        f'<queryByParameter><queryId root="{home}" extension="{uuid.uuid4()}"/>'
        '<statusCode code="new"/><responseModalityCode code="R"/><responsePriorityCode code="I"/>'
        "<parameterList><livingSubjectAdministrativeGender>"
        f'<value code="{person.gender}"/>'
        "<semanticsText>LivingSubject.administrativeGender</semanticsText>"
        "</livingSubjectAdministrativeGender><livingSubjectBirthTime>"
        f'<value value="{person.birth}"/><semanticsText>LivingSubject.birthTime</semanticsText>'
        f"</livingSubjectBirthTime>{identifiers}{name}</parameterList></queryByParameter>"
    )
    return _interaction("PRPA_IN201305UV02", control, sender=home, receiver=receiver, agents=True)


def stored_query(
    query: str,
    parameters: Sequence[tuple[str, Sequence[str]]],
    *,
    returns: str = "LeafClass",
    home: str = "",
) -> str:
    """ITI-38: a stored query with its parameters as slots; values as the wire writes them."""
    slots = "".join(
        f"<rim:Slot name={quoteattr(name)}><rim:ValueList>"
        + "".join(f"<rim:Value>{escape(value)}</rim:Value>" for value in values)
        + "</rim:ValueList></rim:Slot>"
        for name, values in parameters
    )
    at = f' home="urn:oid:{home}"' if home else ""
    return (
        '<query:AdhocQueryRequest xmlns:query="urn:oasis:names:tc:ebxml-regrep:xsd:query:3.0" '
        'xmlns:rim="urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0">'
        f'<query:ResponseOption returnComposedObjects="true" returnType="{returns}"/>'
        f'<rim:AdhocQuery id="{query}"{at}>{slots}</rim:AdhocQuery></query:AdhocQueryRequest>'
    )


def find_documents(
    domain: str, value: str, *, returns: str = "LeafClass", home: str = "", statuses: str = APPROVED
) -> str:
    """FindDocuments for one patient."""
    return stored_query(
        FIND_DOCUMENTS,
        [
            ("$XDSDocumentEntryPatientId", [f"'{value}^^^&{domain}&ISO'"]),
            ("$XDSDocumentEntryStatus", [f"('{statuses}')"]),
        ],
        returns=returns,
        home=home,
    )


def get_documents(
    unique_ids: Sequence[str], *, home: str, by: str = "UniqueId", returns: str = "LeafClass"
) -> str:
    """GetDocuments by unique ids or entry UUIDs (`by`: UniqueId or EntryUUID)."""
    values = ",".join(f"'{unique_id}'" for unique_id in unique_ids)
    return stored_query(
        GET_DOCUMENTS, [(f"$XDSDocumentEntry{by}", [f"({values})"])], returns=returns, home=home
    )


def retrieve(documents: Sequence[tuple[str, str]], *, home: str) -> str:
    """ITI-39: documents as (repository, unique id)."""
    requests = "".join(
        f"<xds:DocumentRequest><xds:HomeCommunityId>urn:oid:{home}</xds:HomeCommunityId>"
        f"<xds:RepositoryUniqueId>{escape(repository)}</xds:RepositoryUniqueId>"
        f"<xds:DocumentUniqueId>{escape(unique_id)}</xds:DocumentUniqueId></xds:DocumentRequest>"
        for repository, unique_id in documents
    )
    return (
        '<xds:RetrieveDocumentSetRequest xmlns:xds="urn:ihe:iti:xds-b:2007">'
        f"{requests}</xds:RetrieveDocumentSetRequest>"
    )
