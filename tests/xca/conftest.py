"""A region with documents, and a neighbour that asks it by whole messages."""

import uuid
from dataclasses import dataclass, field
from typing import Any

import pytest
from lxml import etree

from conformance import messages
from gateway import xca
from gateway.audit.door import Door
from gateway.dispatch import Answer, Dispatch
from gateway.model.identifiers import PatientId
from gateway.model.network import NetworkPolicy
from gateway.record import documents
from gateway.transaction import index
from gateway.wire import ebxml, soap, xml
from gateway.wire.schemas import Schemas
from tests.record.house import House, document, unsigned
from tests.shared import SHARED

HOME = "2.999.10.1"
REPOSITORY = "2.999.40.1"
ACTIONS = {"/xca/query": messages.GATEWAY_QUERY, "/xca/retrieve": messages.GATEWAY_RETRIEVE}


@dataclass
class Region:
    """One house, its documents, and the exchange with whoever asks."""

    house: House
    dispatch: Dispatch
    contents: dict[str, bytes] = field(default_factory=dict)
    "By unique id."

    def file(self, content: bytes = b"%PDF-1.7 a", **changes: Any) -> str:
        """File one document of hospital-a; its unique id."""
        made = document(content, **changes)
        with self.house.work(made.entry.facility) as work:
            entry = documents.file(work, made, unsigned(content))
        self.contents[entry.unique_id] = content
        return entry.unique_id

    def ask(self, payload: str | bytes, *, who: str = "neighbour-n", **changes: Any) -> Answer:
        """Put one payload through the dispatch, as its door would."""
        body = payload.encode() if isinstance(payload, str) else payload
        endpoint = "/xca/query" if b"AdhocQuery" in body else "/xca/retrieve"
        content = soap.write(
            action=ACTIONS[endpoint], message_id=str(uuid.uuid4()), payload=body, to="https://x/y"
        )
        message = soap.read(content)
        transaction = self.dispatch.find(endpoint, message)
        caller = self.house.caller(who, **changes)
        answer = self.dispatch.answer(transaction, message, caller, content=content)
        if answer.recorded is not None:
            answer.recorded.result(timeout=10)
        return answer

    def query(self, patient: PatientId | None = None, **options: Any) -> Answer:
        """FindDocuments."""
        asked = patient or self.house.shared
        options.setdefault("home", HOME)
        return self.ask(messages.find_documents(asked.domain, asked.value, **options))


def root(answer: Answer) -> etree._Element:
    return xml.parse(answer.payload.xml)


def outcome(answer: Answer) -> tuple[str, list[tuple[str, str]]]:
    """The status word, and code and location of each error."""
    element = root(answer)
    inner = element.find(xml.clark("rs:RegistryResponse"))
    found = ebxml.read_response(element if inner is None else inner)
    return found.status.name, [(error.code, error.location) for error in found.errors]


def unique_ids(answer: Answer) -> list[str]:
    """What was found, by unique id."""
    scheme = "urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab"
    path = f"{{*}}ExternalIdentifier[@identificationScheme='{scheme}']"
    return [
        str(item.get("value"))
        for entry in root(answer).iter(xml.clark("rim:ExtrinsicObject"))
        for item in entry.iterfind(path)
    ]


@pytest.fixture
def house(door: Door, policy: NetworkPolicy) -> House:
    made = House(door, policy)
    made.found()
    return made


@pytest.fixture
def region(house: House) -> Region:
    """One consented patient with one document."""
    dispatch = Dispatch(
        door=house.door,
        table=index(xca.TRANSACTIONS),
        new_id=lambda: str(uuid.uuid4()),
        schemas=Schemas(SHARED / "ihe" / "schema") if SHARED else None,
    )
    house.enrol("hospital-a", "clinic-b")
    made = Region(house, dispatch)
    made.file()
    return made
