"""What `gateway init --demo` puts into the database: facilities, contracts, people, `demo.json`."""

import json
from contextlib import closing
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from conformance.messages import Person
from gateway import app
from gateway.app import Gateway
from gateway.cli.certificates import der_of, fingerprint_of
from gateway.cli.demo_people import CHARTS, NEIGHBOUR, PATIENTS, SHARED, DemoPatient
from gateway.cli.intake import take_in
from gateway.consent import enrolment, ledger
from gateway.demo.files import Newcomer, notebook, storage
from gateway.demo.papers import referral, summary
from gateway.demo.sign import sign_pdf
from gateway.hpki import login
from gateway.identity import crossref, domains
from gateway.intake import Filing, OnDisk
from gateway.members import cards, facilities, users
from gateway.members.facilities import ContractKind
from gateway.model.audit import EventKind
from gateway.model.caller import Caller, CallerKind, LevelOfAssurance
from gateway.model.category import Category, ExclusionGroup, FacilityType, Source
from gateway.model.document import DocumentQuery
from gateway.model.identifiers import HomeCommunityId, PatientId
from gateway.record import disclose, erase, staging

_FACILITIES = (
    ("hospital-a", FacilityType.HOSPITAL, "見本病院"),
    ("clinic-b", FacilityType.CLINIC, "例示診療所"),
    ("pharmacy-c", FacilityType.PHARMACY, "見本薬局"),
    ("lab-d", FacilityType.LAB, "例示検査センター"),
)
_USERS = (
    ("doctor-a", "hospital-a", "doctor"),
    ("doctor-b", "clinic-b", "doctor"),
    ("pharmacist-c", "pharmacy-c", "pharmacist"),
)
_SINCE = date(2026, 4, 1)
_PEER = """\
# The neighbouring community of the demo. What is not named here is refused.
name: neighbour-n
home_community_id: "{home}"
issuer: "urn:oid:{home}"
assertion_certificates: [pki/xua/neighbour-n.pem]
client_certificates: ["{fingerprint}"]
agreement: {{from: {since}}}
facility_type: hospital
roles: {{"112247003": doctor}}
purposes: {{TREATMENT: TREATMENT}}
sender_fault_status: 500   # CXF clients cannot read a fault behind 400
"""


def fill(gateway: Gateway) -> None:
    """Fill a fresh installation; everything goes through the rooms, as an operator would do it."""
    folder = gateway.settings.folder
    _members(gateway, folder)
    _peer(folder)
    for person in PATIENTS:
        _deliver(gateway, person)
    shared = {person.label: _patient(gateway, person) for person in PATIENTS}
    _papers(gateway, PATIENTS[0])
    _write(gateway, folder, shared)


def _named(person: DemoPatient) -> Person:
    return Person(
        family=person.family, given=person.given, family_kana=person.family_kana,
        given_kana=person.given_kana, birth=f"{person.birth:%Y%m%d}",
        gender=person.gender.value, address="岐阜県岐阜市見本町1-2-3", phone="0580000000",
    )  # fmt: skip


def _deliver(gateway: Gateway, person: DemoPatient) -> None:
    """What the facilities delivered about one patient, before the demo begins."""
    names, charts = _named(person), person.charts
    hospital = Newcomer(names, charts["hospital-a"], "", "")
    _send(gateway, "hospital-a", Source.EMR, "storage.zip", storage(hospital, "20261101"))
    if person.label != "A":
        return
    # Patient A has two documents and items of each category: the clinic's own storage, and what
    # the pharmacy and the hospital's own dispensary handed out.
    clinic = Newcomer(names, charts["clinic-b"], "", "")
    _send(gateway, "clinic-b", Source.EMR, "storage.zip", storage(clinic, "20261102", "CLINIC-B"))
    for facility, place, day in (
        ("pharmacy-c", "見本薬局,21,4,9999999", "20261102"),
        ("hospital-a", "見本病院薬剤部,21,1,9999998", "20261101"),
    ):
        content = notebook(hospital, day, place)
        _send(gateway, facility, Source.DISPENSING, "notebook.csv", content, charts[facility])


def _send(
    gateway: Gateway, facility: str, source: Source, name: str, content: bytes, patient: str = ""
) -> None:
    """One delivery of one facility, as `gateway intake` takes it in."""
    path = gateway.settings.folder / name
    path.write_bytes(content)
    take_in(gateway, path, facility=facility, source=source, patient=patient)
    path.unlink()


def _papers(gateway: Gateway, person: DemoPatient) -> None:
    """Two documents as received: a referral signed by the doctor's card, and a CDA document."""
    now, folder, names = app.now(), gateway.settings.folder, _named(person)
    signed = sign_pdf(referral(names, now), folder, now)
    clinic = person.charts["clinic-b"]
    with closing(app.open_sandbox(gateway)) as sandbox:
        filing = Filing(
            door=gateway.door, blobs=gateway.blobs, verify=sandbox.verify, clock=app.now
        )
        _file(gateway, filing, "referral.pdf", signed, "hospital-a", person,
              ("57133-1", "診療情報提供書"), "application/pdf")  # fmt: skip
        _file(gateway, filing, "summary.xml",
              summary(names, CHARTS["clinic-b"], clinic, now), "clinic-b", person,
              ("34133-9", "診療経過要約"), "text/xml")  # fmt: skip


def _file(
    gateway: Gateway, filing: Filing, name: str, content: bytes, facility: str,
    person: DemoPatient, kind: tuple[str, str], mime_type: str,
) -> None:  # fmt: skip
    """File one document as the secretariat would for a facility."""
    code = {"code": kind[0], "system": "2.16.840.1.113883.6.1", "display": kind[1]}
    entry = {
        "patient": {"domain": CHARTS[facility], "value": person.charts[facility]},
        "title": kind[1], "category": Category.DIAGNOSIS.value, "class": code, "type": code,
        "format": {"code": "urn:ihe:iti:xds:2017:mimeTypeSufficient",
                   "system": "1.3.6.1.4.1.19376.1.2.3", "display": "mimeTypeSufficient"},
        "mime_type": mime_type, "language": "ja", "facility": facility,
        "created": "2026-11-01T10:00:00+09:00", "author": {"name": "見本医師"},
        "confidentiality": {"code": "N", "system": "2.16.840.1.113883.5.25", "display": "N"},
    }  # fmt: skip
    with TemporaryDirectory(dir=gateway.settings.folder) as place:
        file = Path(place) / name
        file.write_bytes(content)
        filing.receive(gateway.operator(), json.dumps(entry).encode(), OnDisk(file, gateway.blobs))


def _documents(gateway: Gateway, shared: PatientId) -> list[dict[str, Any]]:
    """What the neighbour may find, as a client of the demo may rely on it."""
    caller = Caller(
        network=gateway.policy.network, kind=CallerKind.NEIGHBOUR, facility="neighbour-n",
        facility_type=FacilityType.HOSPITAL, subject="demo", role="doctor",
        assurance=LevelOfAssurance.LOCAL, home=HomeCommunityId(NEIGHBOUR),
        categories=gateway.policy.access.neighbours,
    )  # fmt: skip
    with gateway.door.work(EventKind.GATEWAY_QUERY, caller, reading=True) as work:
        found = disclose.find_documents(work, DocumentQuery(patient=shared))
    return [
        {
            "unique_id": entry.unique_id, "hash": entry.hash_sha1, "size": entry.size,
            "type": entry.type_code.code, "category": entry.category.value, "title": entry.title,
            "repository_id": entry.repository,
        }
        for entry in found
    ]  # fmt: skip


def _members(gateway: Gateway, folder: Path) -> None:
    """Domains, facilities with their certificates, contracts, one doctor."""
    with gateway.door.work(EventKind.ADMIN, gateway.operator()) as work:
        domains.declare(work, SHARED, kind=domains.SHARED, pattern="[0-9]{16}")
        domains.declare(work, NEIGHBOUR, kind=domains.NEIGHBOUR)
        for name, kind, title in _FACILITIES:
            facilities.register(
                work, name=name, type=kind, title=title, administrator="見本管理者",
                basis="association_member",
            )  # fmt: skip
            certificate = folder / "pki" / "clients" / f"{name}.pem"
            facilities.bind_certificate(work, name, fingerprint_of(certificate))
        for name, oid in CHARTS.items():
            domains.declare(work, oid, kind=domains.CHART, facility=name)
            facilities.agree(work, ContractKind.CUSTODY, facility=name, starts=_SINCE)
        facilities.agree(
            work, ContractKind.PROVISION, facility="hospital-a", lab="lab-d", starts=_SINCE
        )
        for name, facility, position in _USERS:
            users.register(work, name=name, facility=facility, position=position)
        card, roles = login.to_register(der_of(folder / "pki" / "hpki" / "doctor-login.pem"))
        cards.bind(
            work, _USERS[0][0], key=card.key, number=card.number, subject=card.subject,
            authority=card.authority, roles=roles,
        )  # fmt: skip


def _peer(folder: Path) -> None:
    """The neighbour's file."""
    certificate = folder / "pki" / "clients" / "neighbour-n.pem"
    text = _PEER.format(home=NEIGHBOUR, fingerprint=fingerprint_of(certificate), since=_SINCE)
    (folder / "peers" / "neighbour-n.yaml").write_text(text, "utf-8")


def _patient(gateway: Gateway, person: DemoPatient) -> PatientId | None:
    """Feed one patient and do what the secretariat did; the shared id, if there is one."""
    with gateway.door.work(EventKind.PATIENT_FEED, gateway.operator()) as work:
        for name, chart in person.charts.items():
            crossref.register(work, PatientId(CHARTS[name], chart), person.demographics)
    if person.consent == "none":
        return None
    with gateway.door.work(EventKind.ENROL, gateway.operator()) as work:
        shared = enrolment.enrol(
            work, person.demographics, signed_by="person", basis="treated_at_member_facility"
        )
        for name, chart in person.charts.items():
            crossref.link(work, shared, PatientId(CHARTS[name], chart))
        who = crossref.person_of(work, shared)
        if person.label == "C":
            ledger.exclude(work, who, pairs=[(Category.PRESCRIPTION, ExclusionGroup.CLINIC)])
        staging.promote(work, who)
    if person.consent == "withdrawn":
        with gateway.door.work(EventKind.CONSENT_WITHDRAW, gateway.operator()) as work:
            withdrawal = ledger.withdraw(
                work, who, reason="patient_withdrawal", form="withdrawal form of the demo"
            )
            erase.erase(work, withdrawal)
    return shared


def _write(gateway: Gateway, folder: Path, shared: dict[str, PatientId | None]) -> None:
    """`demo.json`: what clients may rely on."""
    community = gateway.community
    value: dict[str, Any] = {
        "community": {"home_community_id": community.home, "repository_id": community.repository},
        "facilities": [
            {
                "name": name, "type": kind.value, "title": title, "domain": CHARTS.get(name, ""),
                "certificate": f"pki/clients/{name}.pem", "key": f"pki/clients/{name}.key",
            }
            for name, kind, title in _FACILITIES
        ],
        "users": [{"name": n, "facility": f, "position": p} for n, f, p in _USERS],
        "patients": [_told(gateway, person, shared[person.label]) for person in PATIENTS],
    }  # fmt: skip
    text = json.dumps(value, ensure_ascii=False, indent=1)
    (folder / "demo.json").write_text(text, "utf-8")


def _told(gateway: Gateway, person: DemoPatient, shared: PatientId | None) -> dict[str, Any]:
    """One patient as `demo.json` tells it."""
    identifiers = [{"domain": CHARTS[n], "value": chart} for n, chart in person.charts.items()]
    if shared is not None:
        identifiers.insert(0, {"domain": shared.domain, "value": shared.value})
    return {
        "label": person.label,
        "name": {
            "kanji": f"{person.family} {person.given}",
            "kana": f"{person.family_kana} {person.given_kana}",
        },
        "birth": person.birth.isoformat(),
        "gender": person.demographics.gender.fhir if person.demographics.gender else "unknown",
        "identifiers": identifiers,
        "consent": person.consent,
        "documents": _documents(gateway, shared) if shared is not None else [],
    }
