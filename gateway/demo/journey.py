"""The eight steps: what peers do goes over the wire, what the secretariat does by command line."""

import json
import secrets
import tempfile
import time
import tomllib
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from conformance import messages, saml
from conformance.client import NAMESPACES, Answer, Client, included
from conformance.messages import Person
from gateway.demo import files
from gateway.demo.files import Newcomer
from gateway.demo.outside import NotHeld, Step, command, require, served, step

SHARED = "2.999.20.1"
CHARTS = {"hospital-a": "2.999.30.1", "clinic-b": "2.999.30.2", "pharmacy-c": "2.999.30.3"}
Sign = Callable[[bytes, Path, datetime], bytes]
"Signs a prescription with the demo doctor's card in the demo folder, at a moment."
HOME, NEIGHBOUR = "2.999.10.1", "2.999.10.2"
_FEED_ACCEPTED = "//hl7:acknowledgement/hl7:typeCode/@code"
_QUERY_CODE = "//hl7:queryAck/hl7:queryResponseCode/@code"


class Journey:
    """One patient who is new, four facilities, one neighbour."""

    def __init__(self, folder: Path, address: str, stack: ExitStack, sign: Sign) -> None:
        self._folder = folder
        self._sign = sign
        self._config = ("--config", str(folder / "gateway.toml"))
        self._address = address
        self._clients = {
            name: stack.enter_context(self._client(name))
            for name in ("hospital-a", "clinic-b", "pharmacy-c", "lab-d", "neighbour-n")
        }
        number = f"{secrets.randbelow(10**6):06d}"
        self._day = f"{datetime.now(UTC):%Y%m%d}"
        self._person = Person(
            family="体験", given="道子", family_kana="タイケン", given_kana="ミチコ",
            birth="19480910", gender="F", address="岐阜県岐阜市見本町9", phone="0580000009",
        )  # fmt: skip
        self._newcomer = Newcomer(self._person, f"0009{number}", f"B-{number}", f"C-{number}")
        self._shared = ""
        self._documents: dict[str, tuple[str, str]] = {}
        settings = tomllib.loads((folder / "gateway.toml").read_text("utf-8"))
        self._audience = str(settings["xua"]["audience"])

    def _client(self, name: str) -> Client:
        pki = self._folder / "pki"
        return Client(
            self._address,
            certificate=pki / "clients" / f"{name}.pem",
            key=pki / "clients" / f"{name}.key",
            authority=pki / "ca.pem",
        )

    # --- step 1 ---

    def uploads(self) -> str:
        """Step 1: three facilities push; each file is staged."""
        newcomer, day = self._newcomer, self._day
        receipts = [
            self._upload("hospital-a", "emr", "storage.zip", files.storage(newcomer, day)),
            self._upload(
                "pharmacy-c", "dispensing", "notebook.csv", files.notebook(newcomer, day),
                patient=newcomer.pharmacy,
            ),
            self._upload(
                "lab-d", "lab", "result.hl7", files.laboratory(newcomer, day),
                facility="hospital-a",
            ),
        ]  # fmt: skip
        staged = promoted = 0
        for client, receipt in receipts:
            done = self._wait(client, receipt)
            for file in done["files"]:
                require(file["state"] == "standardized", f"{file['path']}: {file['state']}")
                staged += file["items"]["staged"]
                promoted += file["items"]["promoted"]
        require(staged > 0 and promoted == 0, f"staged {staged}, promoted {promoted}")
        return f"{len(receipts)} receipts, {staged} items staged, none visible"

    def _upload(
        self, client: str, source: str, name: str, content: bytes, **fields: str
    ) -> tuple[str, str]:
        boundary = secrets.token_hex(16)
        parts = [
            f'--{boundary}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'
            for key, value in {"source": source, **fields}.items()
        ]
        head = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n"
        )
        body = (
            "".join(parts).encode() + head.encode() + content + f"\r\n--{boundary}--\r\n".encode()
        )
        answer = self._clients[client].request(
            "POST", "/uploads", body, {"Content-Type": f"multipart/form-data; boundary={boundary}"}
        )
        require(answer.status == 202, f"upload of {client}: {answer.status}")
        return client, str(json.loads(answer.body)["receipt"])

    def _wait(self, client: str, receipt: str) -> Any:
        for _ in range(200):
            answer = self._clients[client].request("GET", f"/uploads/{receipt}")
            require(answer.status == 200, f"receipt: {answer.status}")
            found = json.loads(answer.body)
            if found["state"] == "done":
                return found
            time.sleep(0.05)
        raise NotHeld("the upload was not worked through within 10 s")

    # --- step 2 ---

    def feeds(self) -> str:
        """Step 2: two feeds; the query finds nothing elsewhere."""
        for facility, chart in (
            ("hospital-a", self._newcomer.hospital),
            ("clinic-b", self._newcomer.clinic),
            ("pharmacy-c", self._newcomer.pharmacy),
        ):
            payload = messages.feed(CHARTS[facility], chart, self._person, facility=facility)
            answer = self._soap(facility, "/pix", messages.FEED_ADD, payload)
            require(
                answer.values(_FEED_ACCEPTED) == ["CA"], f"feed: {answer.values(_FEED_ACCEPTED)}"
            )
        answer = self._pix()
        codes = answer.values(_FEED_ACCEPTED) + answer.values(_QUERY_CODE)
        require(codes == ["AA", "NF"], f"query: {codes}")
        return "ITI-44 CA; ITI-45 AA/NF"

    def _soap(self, client: str, path: str, action: str, payload: str, **more: Any) -> Answer:
        answer = self._clients[client].soap(path, action, payload, **more)
        require(answer.status == 200, f"{path}: {answer.status} {'/'.join(answer.fault)}")
        return answer

    def _pix(self) -> Answer:
        payload = messages.pix_query(CHARTS["hospital-a"], self._newcomer.hospital)
        return self._soap("hospital-a", "/pix", messages.PIX_QUERY, payload)

    # --- step 3 ---

    def consent(self) -> str:
        """Step 3: the secretariat enrols, accepts consent and links; the staged items move."""
        person = self._person
        enrolled = command(
            "patient", "enrol", "--name", f"{person.family} {person.given}",
            "--kana", f"{person.family_kana} {person.given_kana}", "--birth", person.birth,
            "--gender", person.gender, "--signed-by", "person",
            "--basis", "treated_at_member_facility", *self._config,
        )  # fmt: skip
        self._shared = str(enrolled["shared_id"])
        require(len(self._shared) == 16, f"shared id of {len(self._shared)} digits")
        moved = 0
        for facility, chart in (
            ("hospital-a", self._newcomer.hospital),
            ("clinic-b", self._newcomer.clinic),
            ("pharmacy-c", self._newcomer.pharmacy),
        ):
            linked = command(
                "patient", "link", self._shared, f"{CHARTS[facility]}/{chart}", *self._config
            )
            moved += int(linked["items"])
        answer = self._pix()
        found = answer.values("//hl7:patient//hl7:id/@extension")
        require(answer.values(_QUERY_CODE) == ["OK"], f"query: {answer.values(_QUERY_CODE)}")
        require(self._newcomer.clinic in found, "the clinic's chart id is missing")
        require(moved > 0, "no staged item moved")
        viewed = command("patient", "show", self._shared, "--as", "doctor-a", *self._config)
        require(len(viewed["items"]) >= moved, f"{len(viewed['items'])} items in the view")
        return f"shared id issued, 3 charts linked, {moved} items moved; ITI-45 resolves"

    # --- step 4 ---

    def signed(self) -> str:
        """Step 4: a signed prescription is filed; with one byte changed it is refused."""
        content = self._sign(b"1,EP1\r\n2,demo\r\n", self._folder, datetime.now(UTC))
        good = self._document(content)
        require(good.status == 201, f"signed document: {good.status}")
        report = json.loads(good.body)["signature"]
        role = report["signatures"][0]["signer"]["role"]
        require((report["verdict"], role) == ("verified", "Medical Doctor"), f"{report['verdict']}")
        at = content.index(b"</PrescriptionDocument>") - 8
        changed = content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]
        bad = self._document(changed)
        require(bad.status == 422, f"changed document: {bad.status}")
        return "201 verified, Medical Doctor; one byte changed: 422"

    def _document(self, content: bytes) -> Answer:
        entry = {
            "patient": {"domain": CHARTS["hospital-a"], "value": self._newcomer.hospital},
            "title": "院外処方箋", "category": "prescription", "mime_type": "application/xml",
            "language": "ja", "facility": "hospital-a", "created": datetime.now(UTC).isoformat(),
            "class": {"code": "57833-6", "system": "2.16.840.1.113883.6.1", "display": "処方箋"},
            "type": {"code": "57833-6", "system": "2.16.840.1.113883.6.1", "display": "処方箋"},
            "format": {
                "code": "urn:ihe:iti:xds:2017:mimeTypeSufficient",
                "system": "1.3.6.1.4.1.19376.1.2.3", "display": "mimeTypeSufficient",
            },
            "confidentiality": {"code": "N", "system": "2.16.840.1.113883.5.25", "display": "N"},
            "author": {"name": "見本医師"},
        }  # fmt: skip
        boundary = secrets.token_hex(16)
        body = (
            (
                f'--{boundary}\r\nContent-Disposition: form-data; name="entry"\r\n'
                f"Content-Type: application/json\r\n\r\n{json.dumps(entry)}\r\n--{boundary}\r\n"
                'Content-Disposition: form-data; name="content"; filename="prescription.xml"\r\n'
                "Content-Type: application/xml\r\n\r\n"
            ).encode()
            + content
            + f"\r\n--{boundary}--\r\n".encode()
        )
        return self._clients["hospital-a"].request(
            "POST", "/documents", body,
            {"Content-Type": f"multipart/form-data; boundary={boundary}"},
        )  # fmt: skip

    # --- steps 5 to 7 ---

    def _assertion(self) -> bytes:
        pki = self._folder / "pki" / "xua"
        from cryptography import x509

        issuer = saml.Issuer(
            name=f"urn:oid:{NEIGHBOUR}",
            key=saml.load_key((pki / "neighbour-n.key").read_bytes()),
            certificate=x509.load_pem_x509_certificate((pki / "neighbour-n.pem").read_bytes()),
        )
        statement = saml.Statement(
            audience=(self._audience,), organization_id=f"urn:oid:{NEIGHBOUR}",
            home=f"urn:oid:{NEIGHBOUR}",
        )  # fmt: skip
        from lxml import etree

        element = saml.build(issuer.name, statement, datetime.now(UTC))
        return etree.tostring(saml.sign(element, issuer))

    def _found(self) -> dict[str, tuple[str, str]]:
        """Unique id to hash and category-bearing title of what the neighbour sees."""
        payload = messages.find_documents(SHARED, self._shared)
        answer = self._soap(
            "neighbour-n", "/xca/query", messages.GATEWAY_QUERY, payload,
            assertion=self._assertion(),
        )  # fmt: skip
        found: dict[str, tuple[str, str]] = {}
        for entry in answer.xml().iterfind(".//rim:ExtrinsicObject", NAMESPACES):
            unique = entry.xpath(
                "string(rim:ExternalIdentifier[@identificationScheme="
                "'urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab']/@value)",
                namespaces=NAMESPACES,
            )
            digest = entry.xpath(
                "string(rim:Slot[@name='hash']/rim:ValueList/rim:Value)", namespaces=NAMESPACES
            )
            title = entry.xpath(
                "string(rim:Name/rim:LocalizedString/@value)", namespaces=NAMESPACES
            )
            found[str(unique)] = (str(digest), str(title))
        return found

    def neighbour(self) -> str:
        """Step 5: ITI-55, ITI-38, ITI-39 with an assertion; hash and size match."""
        import hashlib

        answer = self._soap(
            "neighbour-n", "/xcpd", messages.DISCOVERY,
            messages.discovery(self._person, ids=[(SHARED, self._shared)]),
            assertion=self._assertion(),
        )  # fmt: skip
        require(answer.values(_QUERY_CODE) == ["OK"], f"discovery: {answer.values(_QUERY_CODE)}")
        self._documents = self._found()
        require(self._documents, "no document was found")
        repository = "2.999.40.1"
        asked = [(repository, unique_id) for unique_id in self._documents]
        answer = self._soap(
            "neighbour-n", "/xca/retrieve", messages.GATEWAY_RETRIEVE,
            messages.retrieve(asked, home=HOME), assertion=self._assertion(), mtom=True,
        )  # fmt: skip
        matched = 0
        for response in answer.xml().iterfind(".//xds:DocumentResponse", NAMESPACES):
            unique = response.findtext("xds:DocumentUniqueId", "", NAMESPACES)
            document = response.find("xds:Document", NAMESPACES)
            content = included(document, answer) if document is not None else None
            require(content is not None, "a document has no bytes")
            digest = hashlib.sha1(content or b"", usedforsecurity=False).hexdigest()
            require(digest == self._documents[unique][0].lower(), "a hash differs")
            matched += 1
        require(matched == len(asked), f"{matched} of {len(asked)} documents came")
        return f"AA/OK; {len(asked)} entries; {matched} documents, every hash equal"

    def exclusion(self) -> str:
        """Step 6: prescription is excluded; the next query no longer shows it."""
        command("consent", "exclude", self._shared, "--item", "prescription", *self._config)
        left = self._found()
        require(0 < len(left) < len(self._documents), f"{len(left)} of {len(self._documents)} left")
        gone = set(self._documents) - set(left)
        answer = self._soap(
            "neighbour-n", "/xca/retrieve", messages.GATEWAY_RETRIEVE,
            messages.retrieve([("2.999.40.1", sorted(gone)[0])], home=HOME),
            assertion=self._assertion(), mtom=True,
        )  # fmt: skip
        codes = answer.values("//rs:RegistryError/@errorCode")
        require(codes == ["XDSDocumentUniqueIdError"], f"hidden document: {codes}")
        return f"{len(left)} entries left of {len(self._documents)}; the hidden ones are as absent"

    def withdrawal(self) -> str:
        """Step 7: consent is withdrawn; query and view are empty, a receipt remains."""
        receipt = command(
            "consent", "withdraw", self._shared, "--reason", "patient_withdrawal",
            "--form", "withdrawal-form", *self._config,
        )  # fmt: skip
        require(not self._found(), "documents are still found")
        viewed = command("patient", "show", self._shared, "--as", "doctor-a", *self._config)
        require(not viewed["items"] and not viewed["documents"], "the view is not empty")
        answer = self._pix()
        require(answer.values(_QUERY_CODE) == ["NF"], f"query: {answer.values(_QUERY_CODE)}")
        require(receipt["documents"] > 0 and receipt["items"] > 0, "the receipt counts nothing")
        return f"{receipt['items']} items and {receipt['documents']} documents erased; receipt kept"

    # --- step 8 ---

    def audit(self) -> str:
        """Step 8: the chain verifies; the neighbour's looks are on record."""
        verified = command("audit", "verify", *self._config)
        seen = command("audit", "who-saw", SHARED, self._shared, *self._config)
        looks = [row for row in seen if row["facility"] == "neighbour-n"]
        require(verified["good"], str(verified["reason"]))
        require(looks, "the neighbour's disclosure is not on record")
        return f"{verified['sealed']} records sealed and good; {len(seen)} about this patient"


def run(
    keep: Path | None, sign: Sign, *, database: str = "", tell: Callable[[Step], None] | None = None
) -> list[Step]:
    """Make a demo installation, serve it, and walk the journey; steps after a failed one too.

    `database` is the URL of an empty database other than the embedded one; `tell` hears each step
    as it ends.
    """
    with ExitStack() as stack:
        if keep is None:
            keep = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gateway-demo-")))
        folder = keep / "demo"
        command("init", str(folder), "--demo", *(("--database", database) if database else ()))
        address = stack.enter_context(served(folder))
        journey = Journey(folder, address, stack, sign)
        walk = (
            ("uploads are staged, nothing is visible", journey.uploads),
            ("feeds; nobody has consented, nothing is linked", journey.feeds),
            ("consent and links: staged items move", journey.consent),
            ("a doctor-signed document; a changed one is refused", journey.signed),
            ("a neighbour discovers, queries and retrieves", journey.neighbour),
            ("an exclusion hides a category without a trace", journey.exclusion),
            ("withdrawal: nothing to see, rows gone, a receipt", journey.withdrawal),
            ("the audit chain verifies and tells who saw what", journey.audit),
        )
        steps = []
        for name, do in walk:
            steps.append(step(name, do))
            if tell is not None:
                tell(steps[-1])
        return steps
