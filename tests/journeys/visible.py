"""The published samples of five transactions, as they are and re-rooted to the demo's domains."""

import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from lxml import etree

from conformance import messages, saml
from conformance.client import NAMESPACES, Answer, envelope
from tests.served import CHARTS, SHARED_DOMAIN, Served
from tests.shared import SHARED

NUMBERS = ("44", "45", "55", "38", "39")
HOME, NEIGHBOUR, REPOSITORY = "2.999.10.1", "2.999.10.2", "2.999.40.1"
HOSPITAL, CLINIC = CHARTS["hospital-a"], CHARTS["clinic-b"]
DOORS = {
    "PRPA_IN201301UV02": ("/pix", messages.FEED_ADD),
    "PRPA_IN201302UV02": ("/pix", messages.FEED_REVISE),
    "PRPA_IN201304UV02": ("/pix", messages.FEED_MERGE),
    "PRPA_IN201309UV02": ("/pix", messages.PIX_QUERY),
    "PRPA_IN201305UV02": ("/xcpd", messages.DISCOVERY),
    "AdhocQueryRequest": ("/xca/query", messages.GATEWAY_QUERY),
    "RetrieveDocumentSetRequest": ("/xca/retrieve", messages.GATEWAY_RETRIEVE),
}
_FILLED = {"gender": "F", "dob": "19610203"}
"What stands for variables of a toolkit's templates; for others their own names."
_STATUS = f"('{messages.APPROVED}')"
_SLOTS = {
    "$AssociationTypes": "('urn:ihe:iti:2007:AssociationType:RPLC')",
    "$XDSDocumentEntryStatus": _STATUS,
    "$XDSFolderStatus": _STATUS,
    "$XDSSubmissionSetStatus": _STATUS,
    "$XDSAssociationStatus": _STATUS,
}
_H = {"h": "urn:hl7-org:v3", **NAMESPACES}


def every() -> list[Path]:
    """Every file of the five folders."""
    if SHARED is None:
        return []
    visible = SHARED / "ihe" / "samples" / "visible"
    return [path for n in NUMBERS for path in sorted((visible / f"iti-{n}").iterdir())]


def payload(path: Path) -> etree._Element | None:
    """The question in a file, in an envelope or alone; None where it holds none of these."""
    try:
        root = etree.parse(path).getroot()
    except etree.XMLSyntaxError:
        return None
    return next((e for e in root.iter("{*}*") if etree.QName(e).localname in DOORS), None)


def name_of(body: etree._Element) -> str:
    return etree.QName(body).localname


@dataclass
class Neighbourhood:
    """The machines that post the samples, and what they know of the demo."""

    served: Served
    documents: dict[str, str] = field(default_factory=dict)
    "Unique id of each document of patient A to its entry's id."

    def __post_init__(self) -> None:
        self.shared = next(
            one["value"]
            for one in self.served.installation.patient("A")["identifiers"]
            if one["domain"] == SHARED_DOMAIN
        )
        self.clients = {
            name: self.served.client(name) for name in ("hospital-a", "clinic-b", "neighbour-n")
        }
        pki = self.served.installation.pki / "xua"
        self._issuer = saml.Issuer(
            name=f"urn:oid:{NEIGHBOUR}",
            key=saml.load_key((pki / "neighbour-n.key").read_bytes()),
            certificate=x509.load_pem_x509_certificate((pki / "neighbour-n.pem").read_bytes()),
        )

    def assertion(self) -> bytes:
        statement = saml.Statement(
            audience=(f"urn:oid:{HOME}",), organization_id=f"urn:oid:{NEIGHBOUR}",
            home=f"urn:oid:{NEIGHBOUR}",
        )  # fmt: skip
        built = saml.build(self._issuer.name, statement, datetime.now(UTC))
        return etree.tostring(saml.sign(built, self._issuer))

    def post(self, body: etree._Element) -> Answer:
        """One payload in a careful envelope, with an assertion where the door wants one."""
        path, action = DOORS[name_of(body)]
        abroad = path != "/pix"
        content = envelope(
            action, etree.tostring(body, with_tail=False).decode(),
            to=self.served.address + path, assertion=self.assertion() if abroad else None,
        )  # fmt: skip
        client = self.clients["neighbour-n" if abroad else "hospital-a"]
        kind = f'application/soap+xml; charset=UTF-8; action="{action}"'
        return client.request("POST", path, content, {"Content-Type": kind})

    def post_file(self, path: Path, door: str) -> Answer:
        """A file's own bytes."""
        client = self.clients["hospital-a" if door == "/pix" else "neighbour-n"]
        return client.request(
            "POST", door, path.read_bytes(), {"Content-Type": "application/soap+xml; charset=UTF-8"}
        )

    # --- making the demo know what a sample asks about ---

    def feed(
        self, facility: str, chart: str, person: messages.Person, *, known: bool = False
    ) -> None:
        """Register a chart id; `known`: it may be registered already, for somebody else."""
        payload = messages.feed(CHARTS[facility], chart, person, facility=facility)
        answer = self.clients[facility].soap("/pix", messages.FEED_ADD, payload)
        assert said(answer) == "CA" or (known and said(answer) == "CE 205")

    def enrol(self, person: messages.Person) -> str:
        """A shared id by the secretariat."""
        done = self.served.installation.command(
            "patient", "enrol", "--name", f"{person.family} {person.given}",
            "--kana", f"{person.family_kana} {person.given_kana}", "--birth", person.birth,
            "--gender", person.gender, "--basis", "treated_at_member_facility",
        )  # fmt: skip
        return str(done["shared_id"])

    def link(self, shared: str, facility: str, chart: str) -> None:
        self.served.installation.command("patient", "link", shared, f"{CHARTS[facility]}/{chart}")

    def know_documents(self) -> dict[str, str]:
        """What the neighbour may find of patient A."""
        if not self.documents:
            root = etree.fromstring(messages.find_documents(SHARED_DOMAIN, self.shared))
            for entry in self.post(root).xml().iterfind(".//rim:ExtrinsicObject", NAMESPACES):
                (unique,) = entry.xpath(
                    "rim:ExternalIdentifier[@identificationScheme="
                    "'urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab']/@value",
                    namespaces=NAMESPACES,
                )
                self.documents[str(unique)] = entry.get("id", "")
        return self.documents

    # --- re-rooting ---

    def reroot(self, body: etree._Element) -> etree._Element:
        """The same question about somebody of the demo."""
        return _REROOT[name_of(body)](self, body)

    def _feed(self, body: etree._Element) -> etree._Element:
        for one in body.iterfind(".//h:patient/h:id", _H):
            if one.get("extension"):
                one.set("root", HOSPITAL)
        prior = body.findall(".//h:priorRegisteredRole/h:id", _H)
        for one in prior:
            one.set("root", HOSPITAL)
        if name_of(body) == "PRPA_IN201304UV02":
            for one in (body.find(".//h:patient/h:id", _H), *prior):
                assert one is not None
                self.feed("hospital-a", one.get("extension", ""), _anybody(), known=True)
        return body

    def _pix(self, body: etree._Element) -> etree._Element:
        value = body.find(".//h:patientIdentifier/h:value", _H)
        assert value is not None
        value.set("root", HOSPITAL)
        for source in body.iterfind(".//h:dataSource/h:value", _H):
            source.set("root", CLINIC)
        return body

    def know(self, chart: str) -> str:
        """Let a chart id of hospital-a be linked to one of clinic-b; that id."""
        person, other = _anybody(), f"other-{chart}"
        self.feed("hospital-a", chart, person)
        self.feed("clinic-b", other, person)
        shared = self.enrol(person)
        self.link(shared, "hospital-a", chart)
        self.link(shared, "clinic-b", other)
        return other

    def _discovery(self, body: etree._Element) -> etree._Element:
        for organization in body.iterfind("h:sender//h:representedOrganization/h:id", _H):
            organization.set("root", NEIGHBOUR)
        for organization in body.iterfind("h:receiver//h:representedOrganization/h:id", _H):
            organization.set("root", HOME)
        for element in body.iter("{urn:hl7-org:v3}*"):
            for name, value in element.attrib.items():
                element.set(name, "TXT" if name == "representation" else _filled(value))
            element.text = element.text and _filled(element.text)
        return body

    def _query(self, body: etree._Element) -> etree._Element:
        known = self.know_documents()
        option = body.find("{*}ResponseOption")
        if option is not None and "$" in option.get("returnType", ""):
            option.set("returnType", "LeafClass")
        for query in body.iter("{*}AdhocQuery"):
            query.set("home", f"urn:oid:{HOME}")
            for slot in query.findall("rim:Slot", _H):
                name = slot.get("name", "")
                values = slot.findall(".//rim:Value", _H)
                if name.lower().endswith("patientid"):
                    values[0].text = f"'{self.shared}^^^&{SHARED_DOMAIN}&ISO'"
                elif name.endswith(("EntryUUID", "$uuid", "UniqueId")):
                    given = list(known if name.endswith("UniqueId") else known.values())
                    (first,) = given[:1]
                    text = values[0].text or ""
                    values[0].text = f"('{first}')" if text.startswith("(") else f"'{first}'"
                    for more in values[1:]:
                        _drop(more)
                elif name in _SLOTS:
                    values[0].text = _SLOTS[name]
                    for more in values[1:]:
                        _drop(more)
                elif any("$" in (value.text or "") for value in values):
                    _drop(slot)
                elif name == "$XDSDocumentEntryClassCode":
                    _drop(slot)  # `value^^scheme`: a placeholder that no document has
            by_entry = [name for name in _names(query) if name.endswith("EntryUUID")]
            for slot in query.findall("rim:Slot", _H) if by_entry else ():
                if slot.get("name", "").endswith("UniqueId"):
                    _drop(slot)  # exactly one of the two may stand (ITI TF-2: 3.18.4.1.2.3.7)
        return body

    def _retrieve(self, body: etree._Element) -> etree._Element:
        uniques = list(self.know_documents())
        for number, request in enumerate(body.findall("xds:DocumentRequest", NAMESPACES)):
            if number >= len(uniques):
                _drop(request)
                continue
            for name, text in (
                ("HomeCommunityId", f"urn:oid:{HOME}"),
                ("RepositoryUniqueId", REPOSITORY),
                ("DocumentUniqueId", uniques[number]),
            ):
                element = request.find(f"xds:{name}", NAMESPACES)
                if element is not None:
                    element.text = text
        return body


def _filled(text: str) -> str:
    return re.sub(r"\$([A-Za-z0-9]+)(_id)?\$", lambda found: _FILLED.get(found[1], found[1]), text)


def _drop(element: etree._Element) -> None:
    parent = element.getparent()
    assert parent is not None
    parent.remove(element)


def _names(query: etree._Element) -> set[str]:
    return {slot.get("name", "") for slot in query.findall("rim:Slot", _H)}


def _anybody() -> messages.Person:
    """Somebody whom nobody else matches."""
    word = uuid.uuid4().hex[:6]
    return messages.Person(
        family=f"標本{word}", given="一", family_kana="ヒョウホン", given_kana="ハジメ",
        birth="19610101", gender="F", address="岐阜県岐阜市見本町1", phone="0580000001",
    )  # fmt: skip


def person_of(body: etree._Element) -> messages.Person:
    """Whom a discovery describes."""
    name = body.find(".//h:livingSubjectName/h:value", _H)
    birth = body.find(".//h:livingSubjectBirthTime/h:value", _H)
    gender = body.find(".//h:livingSubjectAdministrativeGender/h:value", _H)
    assert name is not None
    assert birth is not None
    family = name.findtext("h:family", "", _H)
    given = " ".join(one.text or "" for one in name.iterfind("h:given", _H))
    day = re.sub(r"[^0-9]", "", birth.get("value", ""))[:8]
    return messages.Person(
        family=family, given=given, family_kana=family, given_kana=given, birth=day,
        gender="" if gender is None else gender.get("code", ""),
    )  # fmt: skip


_REROOT: dict[str, Callable[[Neighbourhood, etree._Element], etree._Element]] = {
    "PRPA_IN201301UV02": Neighbourhood._feed,
    "PRPA_IN201302UV02": Neighbourhood._feed,
    "PRPA_IN201304UV02": Neighbourhood._feed,
    "PRPA_IN201309UV02": Neighbourhood._pix,
    "PRPA_IN201305UV02": Neighbourhood._discovery,
    "AdhocQueryRequest": Neighbourhood._query,
    "RetrieveDocumentSetRequest": Neighbourhood._retrieve,
}


def said(answer: Answer) -> str:
    """What an answer says, in a few words: fault, or codes of the profile."""
    if answer.fault:
        return f"{answer.status} {'/'.join(answer.fault)}"
    root = answer.xml()
    status = root.xpath("//@status[contains(., 'ResponseStatusType')]")
    if status:
        errors = [str(e) for e in root.xpath("//rs:RegistryError/@errorCode", namespaces=_H)]
        count = len(
            root.xpath(
                "//rim:ExtrinsicObject | //rim:ObjectRef | //xds:DocumentResponse", namespaces=_H
            )
        )
        name = str(status[0]).rpartition(":")[2]
        return " ".join([name, str(count), *sorted(set(errors))])
    codes = root.xpath(
        "//h:acknowledgement/h:typeCode/@code | //h:queryAck/h:queryResponseCode/@code",
        namespaces=_H,
    )
    details = root.xpath("//h:acknowledgementDetail/h:code/@code", namespaces=_H)
    return " ".join(map(str, [*codes, *sorted(set(details))]))
