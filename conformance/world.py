"""What the cases run against: the target, the clients, the data, and the judges."""

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

from lxml import etree

from conformance import messages, saml
from conformance.case import NotTried, expect, expect_equal
from conformance.client import NAMESPACES, Answer, Client, new_message_id
from conformance.messages import Person

RESPONSES = {
    messages.FEED_ADD: "urn:hl7-org:v3:MCCI_IN000002UV01",
    messages.FEED_REVISE: "urn:hl7-org:v3:MCCI_IN000002UV01",
    messages.FEED_MERGE: "urn:hl7-org:v3:MCCI_IN000002UV01",
    messages.PIX_QUERY: "urn:hl7-org:v3:PRPA_IN201310UV02",
    messages.DISCOVERY: "urn:hl7-org:v3:PRPA_IN201306UV02:CrossGatewayPatientDiscovery",
    messages.GATEWAY_QUERY: messages.GATEWAY_QUERY + "Response",
    messages.GATEWAY_RETRIEVE: messages.GATEWAY_RETRIEVE + "Response",
}
"Request action to response action (ITI TF-2: V.3)."

_HL7 = "HL7V3/NE2008/multicacheschemas/"
SCHEMAS = {
    "MCCI_IN000002UV01": _HL7 + "MCCI_IN000002UV01.xsd",
    "PRPA_IN201310UV02": _HL7 + "PRPA_IN201310UV02.xsd",
    "PRPA_IN201306UV02": _HL7 + "PRPA_IN201306UV02.xsd",
    "AdhocQueryResponse": "ebRS/query.xsd",
    "RetrieveDocumentSetResponse": "IHE/XDS.b_DocumentRepository.xsd",
}
"Payload of an answer to the schema that judges it."


@dataclass(frozen=True, slots=True)
class Id:
    """An identifier in its domain."""

    domain: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """One patient that the target is said to know."""

    label: str
    person: Person
    ids: tuple[Id, ...]
    consent: str
    documents: tuple[dict[str, Any], ...]

    def id_in(self, domain: str) -> Id | None:
        """The patient's identifier in a domain."""
        return next((found for found in self.ids if found.domain == domain), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """What `demo.json` tells of the target."""

    home: str
    repository: str
    domains: Mapping[str, str]
    "Facility to the domain it owns."
    patients: tuple[Patient, ...]

    @classmethod
    def read(cls, path: Path) -> "Data":
        """Read the file; a key that is missing is a KeyError naming it."""
        told = json.loads(path.read_text("utf-8"))
        return cls(
            home=told["community"]["home_community_id"],
            repository=told["community"]["repository_id"],
            domains={item["name"]: item["domain"] for item in told["facilities"]},
            patients=tuple(_patient(item) for item in told["patients"]),
        )


def _patient(told: dict[str, Any]) -> Patient:
    family, _, given = told["name"]["kanji"].partition(" ")
    family_kana, _, given_kana = told["name"]["kana"].partition(" ")
    return Patient(
        label=told["label"],
        person=Person(
            family=family, given=given, family_kana=family_kana, given_kana=given_kana,
            birth=told["birth"].replace("-", ""),
            gender={"male": "M", "female": "F"}.get(told["gender"], "UN"),
        ),
        ids=tuple(Id(item["domain"], item["value"]) for item in told["identifiers"]),
        consent=told["consent"],
        documents=tuple(told.get("documents", ())),
    )  # fmt: skip


@dataclass(slots=True, kw_only=True)
class World:
    """Everything a case may use."""

    facility: Client | None
    neighbour: Client | None
    authority: Path
    "Whose server certificate the clients trust."
    data: Data
    facility_name: str
    issuer: saml.Issuer | None
    audience: str
    neighbour_home: str
    schemas: Path | None = None
    compiled: dict[str, etree.XMLSchema] = field(default_factory=dict)
    kept: dict[str, Any] = field(default_factory=dict)
    "What one case found and a later one uses."

    @property
    def home(self) -> str:
        """The target's homeCommunityId, bare."""
        return self.data.home

    @property
    def domain(self) -> str:
        """The domain that our facility owns."""
        return self.data.domains.get(self.facility_name) or _lacking("a facility with a domain")

    def at_facility(self) -> Client:
        """The client of a facility: Patient Identity Source and PIX Consumer."""
        return self.facility or _lacking("--cert and --key of a facility")

    def at_neighbour(self) -> Client:
        """The client of a neighbouring community: Initiating Gateway."""
        return self.neighbour or _lacking("--neighbour-cert and --neighbour-key")

    def linked(self) -> Patient:
        """A consented patient with an identifier of ours and another facility's."""
        for patient in self.data.patients:
            mine = patient.id_in(self.domain)
            others = set(self.data.domains.values()) & {found.domain for found in patient.ids}
            if patient.consent == "active" and mine and len(others) > 1:
                return patient
        raise NotTried("give a consented patient of two facilities in --data")

    def silent(self) -> Patient:
        """A patient that is known and has not consented."""
        for patient in self.data.patients:
            if patient.consent == "none" and patient.id_in(self.domain):
                return patient
        raise NotTried("give a patient without consent in --data")

    def mine(self, patient: Patient) -> Id:
        """The identifier our facility gave."""
        return patient.id_in(self.domain) or _lacking("an identifier in our domain")

    def shared(self, patient: Patient) -> Id:
        """The identifier by which neighbours know the patient: of no facility's domain."""
        owned = set(self.data.domains.values())
        found = [item for item in patient.ids if item.domain not in owned]
        return found[0] if found else _lacking("a shared identifier in --data")

    def documented(self) -> Patient:
        """A consented patient with documents."""
        for patient in self.data.patients:
            if patient.consent == "active" and patient.documents:
                return patient
        raise NotTried("give a consented patient with documents in --data")

    def shareable(self) -> Patient:
        """A consented patient that neighbours may ask about, with documents where there are."""
        for patient in sorted(self.data.patients, key=lambda one: not one.documents):
            if patient.consent == "active":
                return patient
        raise NotTried("give a consented patient in --data")

    def statement(self, **changes: Any) -> saml.Statement:
        """The usual assertion of the neighbour's doctor."""
        urn = f"urn:oid:{self.neighbour_home}"
        usual = saml.Statement(audience=(self.audience,), organization_id=urn, home=urn)
        return replace(usual, **changes)

    def token(
        self, stated: saml.Statement | None = None, *, by: saml.Issuer | None = None, **how: str
    ) -> etree._Element:
        """A signed assertion."""
        issuer = by or self.issuer or _lacking("--assertion-key")
        built = saml.build(issuer.name, stated or self.statement(), datetime.now(UTC))
        return saml.sign(built, issuer, **how)

    def assertion(self) -> bytes:
        """The bytes of a fresh good assertion."""
        return etree.tostring(self.token())

    def feed(self, action: str, payload: str) -> Answer:
        """ITI-44 or ITI-45 as our facility."""
        return self.ask(self.at_facility(), "/pix", action, payload)

    def discover(self, payload: str) -> Answer:
        """ITI-55 as the neighbour."""
        return self._across("/xcpd", messages.DISCOVERY, payload)

    def query(self, payload: str) -> Answer:
        """ITI-38 as the neighbour."""
        return self._across("/xca/query", messages.GATEWAY_QUERY, payload)

    def retrieve(self, payload: str) -> Answer:
        """ITI-39 as the neighbour."""
        return self._across("/xca/retrieve", messages.GATEWAY_RETRIEVE, payload, mtom=True)

    def _across(self, path: str, action: str, payload: str, *, mtom: bool = False) -> Answer:
        client = self.at_neighbour()
        return self.ask(client, path, action, payload, assertion=self.assertion(), mtom=mtom)

    def ask(
        self,
        client: Client,
        path: str,
        action: str,
        payload: str,
        *,
        assertion: bytes | None = None,
        mtom: bool = False,
    ) -> Answer:
        """Send, and judge what every good answer must have; a fault is given back as it is."""
        message_id = new_message_id()
        answer = client.soap(
            path, action, payload, assertion=assertion, mtom=mtom, message_id=message_id
        )
        if answer.fault or answer.status != 200:
            return answer
        self.judge(answer, action, message_id, mtom=mtom)
        return answer

    def judge(self, answer: Answer, action: str, message_id: str, *, mtom: bool = False) -> None:
        """ITI TF-2: V.3 and V.8, and the published schema."""
        kind = answer.headers.get("content-type", "")
        wanted = "multipart/related" if mtom else "application/soap+xml"
        expect(kind.lower().startswith(wanted), f"Content-Type is {kind!r}, not {wanted}")
        expect_equal(answer.text("soap:Header/wsa:RelatesTo"), message_id, "RelatesTo")
        expect_equal(answer.text("soap:Header/wsa:Action"), RESPONSES[action], "response action")
        expect(answer.text("soap:Header/wsa:MessageID") != message_id, "MessageID is the request's")
        payload = answer.payload()
        expect(payload is not None, "the SOAP Body is empty")
        if payload is not None:
            self._check_schema(payload)

    def _check_schema(self, payload: etree._Element) -> None:
        name = SCHEMAS.get(etree.QName(payload).localname)
        if self.schemas is None or name is None:
            return
        if name not in self.compiled:
            self.compiled[name] = etree.XMLSchema(etree.parse(str(self.schemas / name)))
        bare = etree.fromstring(etree.tostring(payload, with_tail=False))
        for include in list(bare.iter(f"{{{NAMESPACES['xop']}}}Include")):
            parent = include.getparent()
            if parent is not None:
                parent.remove(include)
        schema = self.compiled[name]
        if not schema.validate(bare):
            error = schema.error_log.last_error
            expect(False, f"not schema-valid: {error.message if error else ''}"[:300])


def _lacking(what: str) -> NoReturn:
    raise NotTried(f"give {what}")


def fresh_value() -> str:
    """An identifier that nobody has used."""
    return f"CF{uuid.uuid4().hex[:16].upper()}"
