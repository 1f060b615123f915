"""The messages that the generator sends, as `Job`s."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from lxml import etree

from bench import documents, installation
from bench.generator import MESSAGE_ID, VALUE, Job
from bench.server import Server
from conformance import messages, saml
from conformance.client import envelope, multipart
from gateway.cli.demo_people import CHARTS, NEIGHBOUR, SHARED

HOME, REPOSITORY_ID = "2.999.10.1", "2.999.40.1"
"Who the demo is (`INTERFACES.md` section 5)."
_ENTRY = "urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1"
"Object type of a stable document entry."


def pix(server: Server, folder: Path, persons: int, *, path: str = "/pix") -> Job:
    """ITI-45 by hospital-a about one of its charts, asking for every other identifier."""
    payload = messages.pix_query(CHARTS["hospital-a"], VALUE)
    action = messages.PIX_QUERY
    body = envelope(action, payload, to=f"{server.url}{path}", message_id=f"urn:uuid:{MESSAGE_ID}")
    pki = folder / "pki"
    return Job(
        port=server.port, pid=server.pid, path=path, body=body.decode(), persons=persons,
        kind=f'application/soap+xml; charset=UTF-8; action="{action}"',
        marker='queryResponseCode code="OK"',
        certificate=str(pki / "clients" / "hospital-a.pem"),
        key=str(pki / "clients" / "hospital-a.key"), authority=str(pki / "ca.pem"),
    )  # fmt: skip


def echoed(job: Job, server: Server) -> Job:
    """The same body to a server that sends it back."""
    return replace(job, port=server.port, pid=server.pid, path="/pix", marker="queryByParameter")


def find(server: Server, folder: Path, *, path: str = "/xca/query") -> Job:
    """ITI-38 by the neighbour: the documents of the first person."""
    payload = messages.find_documents(SHARED, installation.shared(0))
    return _neighbour(server, folder, path, messages.GATEWAY_QUERY, payload, _ENTRY)


def retrieve(server: Server, folder: Path, *, number: int = 1, path: str = "/xca/retrieve") -> Job:
    """ITI-39 by the neighbour: one document of the first person."""
    wanted = [(REPOSITORY_ID, documents.unique_id(number))]
    payload = messages.retrieve(wanted, home=HOME)
    action = messages.GATEWAY_RETRIEVE
    return _neighbour(server, folder, path, action, payload, "ResponseStatusType:Success")


def _neighbour(
    server: Server, folder: Path, path: str, action: str, payload: str, marker: str
) -> Job:
    """A question with a signed assertion, the same for all questions of a window (ITI-40)."""
    to = f"{server.url}{path}"
    body = envelope(
        action, payload, to=to, assertion=_assertion(folder), message_id=f"urn:uuid:{MESSAGE_ID}"
    )
    kind = f'application/soap+xml; charset=UTF-8; action="{action}"'
    if action == messages.GATEWAY_RETRIEVE:
        kind, body = multipart(body)
    clients = folder / "pki" / "clients"
    return Job(
        port=server.port, pid=server.pid, path=path, body=body.decode(), kind=kind, marker=marker,
        certificate=str(clients / "neighbour-n.pem"), key=str(clients / "neighbour-n.key"),
        authority=str(folder / "pki" / "ca.pem"),
    )  # fmt: skip


def _assertion(folder: Path) -> bytes:
    """The neighbour's doctor, as its identity provider says it."""
    pki = folder / "pki" / "xua"
    urn = f"urn:oid:{NEIGHBOUR}"
    issuer = saml.Issuer(
        name=urn, key=saml.load_key((pki / "neighbour-n.key").read_bytes()),
        certificate=x509.load_pem_x509_certificate((pki / "neighbour-n.pem").read_bytes()),
    )  # fmt: skip
    statement = saml.Statement(audience=(f"urn:oid:{HOME}",), organization_id=urn, home=urn)
    return etree.tostring(saml.sign(saml.build(urn, statement, datetime.now(UTC)), issuer))
