"""Senders that push what facilities push, and the oracle: what was sent, and what was answered.

Everything is drawn by seed. What got no answer is sent again as it was, as a careful client would.
"""

import hashlib
import http.client
import io
import itertools
import json
import random
import threading
import time
import uuid
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from conformance import messages
from conformance.client import Answer, Client
from conformance.messages import Person
from conformance.submissions import LOINC, Given, include, provided
from gateway.demo.files import Newcomer, storage
from gateway.demo.page import one_page
from tests.reliability.installation import Server

DAY = "20261120"
CLINIC = "2.999.30.2"
HOSPITAL = "2.999.30.1"
_BROKEN = (OSError, http.client.HTTPException)


@dataclass
class Sent:
    """One thing that was sent, and everything that was answered to it."""

    kind: str
    "upload, file, document, submission or feed."
    who: str
    key: str
    "Chart id."
    send: Callable[[Client], Answer]
    hashes: tuple[str, ...] = ()
    "SHA-256 of each file as received, inside an archive of each entry."
    message: str = ""
    receipts: list[str] = field(default_factory=list)
    "Of every positive answer."
    refused: list[Answer] = field(default_factory=list)
    "Every answer that was not positive."
    acked: bool = False
    gives_up: bool = False
    "Is not sent again where no answer came: then it is there whole, or not at all."

    def take(self, answer: Answer) -> None:
        """Note an answer."""
        if self.kind == "feed":
            positive = answer.status == 200 and "CA" in answer.values(
                "//hl7:acknowledgement/hl7:typeCode/@code"
            )
        elif self.kind == "submission":
            outcome = answer.values("//rs:RegistryResponse/@status") if answer.status == 200 else []
            positive = [one.rpartition(":")[2] for one in outcome] == ["Success"]
        else:
            positive = answer.status in (201, 202)
            if positive:
                self.receipts.append(json.loads(answer.body)["receipt"])
        if positive:
            self.acked = True
        else:
            self.refused.append(answer)


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def form(fields: dict[str, bytes], files: list[tuple[str, str, bytes]]) -> tuple[str, bytes]:
    """A multipart/form-data body and its Content-Type."""
    boundary = uuid.uuid4().hex
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'.encode() + value
        for name, value in fields.items()
    ] + [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"; filename="{path}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n".encode()
        + content
        for name, path, content in files
    ]
    body = b"\r\n".join(parts) + f"\r\n--{boundary}--\r\n".encode()
    return f"multipart/form-data; boundary={boundary}", body


def newcomer(draw: random.Random) -> Newcomer:
    """Somebody new, with a chart number that is drawn."""
    number = f"{draw.randrange(10**7):07d}"
    person = Person(
        family="試験", given=f"太郎{number[:2]}", family_kana="シケン", given_kana="タロウ",
        birth="19600401", gender="M", address="岐阜県岐阜市見本町1", phone="0580000000",
    )  # fmt: skip
    return Newcomer(person, f"7{number}", f"B{number}", f"C{number}")


def upload(draw: random.Random) -> Sent:
    """A storage in an archive, with a file of some size that takes a while to send."""
    who = newcomer(draw)
    content = storage(who, DAY)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        hashes = tuple(digest(archive.read(name)) for name in archive.namelist())
    kind, body = form({"source": b"emr"}, [("file", "storage.zip", content)])
    return Sent("upload", "hospital-a", who.hospital, _post("/uploads", kind, body), hashes)


def tree_file(draw: random.Random) -> Sent:
    """One file of a tree at its own path: a laboratory result."""
    who = newcomer(draw)
    with zipfile.ZipFile(io.BytesIO(storage(who, DAY))) as archive:
        name = next(name for name in archive.namelist() if "OML-11" in name)
        content = archive.read(name)

    def send(client: Client) -> Answer:
        return client.request(
            "PUT", f"/uploads/files/{name}", content, {"Content-Type": "application/octet-stream"}
        )

    return Sent("file", "hospital-a", who.hospital, send, (digest(content),))


def document(draw: random.Random) -> Sent:
    """A PDF of some hundred KiB, every other one with a unique id of its own."""
    who = newcomer(draw)
    content = one_page(
        [f"検査報告 {who.hospital}", *(draw.randbytes(30).hex() for _ in range(600))]
    )
    loinc = {"code": "11502-2", "system": "2.16.840.1.113883.6.1", "display": "検査報告"}
    entry = {
        "patient": {"domain": HOSPITAL, "value": who.hospital}, "title": "検査報告書",
        "category": "lab_result", "mime_type": "application/pdf", "language": "ja",
        "facility": "hospital-a", "created": datetime(2026, 11, 20, tzinfo=UTC).isoformat(),
        "class": loinc, "type": loinc, "author": {"name": "見本医師"},
        "format": {
            "code": "urn:ihe:iti:xds:2017:mimeTypeSufficient",
            "system": "1.3.6.1.4.1.19376.1.2.3", "display": "mimeTypeSufficient",
        },
    }  # fmt: skip
    if draw.random() < 0.5:
        entry["unique_id"] = f"2.25.{draw.getrandbits(100)}"
    kind, body = form(
        {}, [("entry", "entry.json", json.dumps(entry).encode()), ("content", "r.pdf", content)]
    )
    return Sent("document", "hospital-a", who.hospital, _post("/documents", kind, body),
                (digest(content),))  # fmt: skip


def submission(draw: random.Random) -> Sent:
    """A PDF by ITI-41; sent again it is the same message under the same id."""
    who = newcomer(draw)
    content = one_page(
        [f"検査報告 {who.hospital}", *(draw.randbytes(30).hex() for _ in range(600))]
    )
    message = f"urn:uuid:{uuid.UUID(int=draw.getrandbits(128), version=4)}"
    one = Given(
        patient=f"{who.hospital}^^^&{HOSPITAL}&ISO", mime_type="application/pdf",
        unique_id=f"2.25.{draw.getrandbits(100)}", content=include("a@b"),
        codes={"type": (("11502-2", LOINC, "検査報告"),)},
    )  # fmt: skip
    kind, body = provided([one], {"a@b": ("application/pdf", content)}, message=message)
    return Sent("submission", "hospital-a", who.hospital, _post("/repository", kind, body),
                (digest(content),), message)  # fmt: skip


def feed(draw: random.Random) -> Sent:
    """ITI-44 by the clinic; sent again it is the same message under the same id."""
    who = newcomer(draw)
    message = f"urn:uuid:{uuid.UUID(int=draw.getrandbits(128), version=4)}"
    payload = messages.feed(CLINIC, who.clinic, who.person)

    def send(client: Client) -> Answer:
        return client.soap("/pix", messages.FEED_ADD, payload, message_id=message)

    return Sent("feed", "clinic-b", who.clinic, send, message=message)


def _post(path: str, kind: str, body: bytes) -> Callable[[Client], Answer]:
    return lambda client: client.request("POST", path, body, {"Content-Type": kind})


KINDS = (upload, tree_file, document, submission, feed)


class Load:
    """Senders in threads, one a kind, until they are told to stop or the server is gone."""

    def __init__(self, seed: str) -> None:
        self._seed = seed
        self._stop = threading.Event()
        self.sent: list[Sent] = []
        self._round = itertools.count()

    def start(self, server: Server) -> list[threading.Thread]:
        """Begin to send; each sender first sends again what it has no answer for."""
        self._stop.clear()
        turn = next(self._round)
        threads = [
            threading.Thread(target=self._run, args=(server, make, f"{self._seed}/{turn}"))
            for make in KINDS
        ]
        for thread in threads:
            thread.start()
        return threads

    def until(self, acknowledged: int) -> None:
        """Let the senders go on until so many things were acknowledged, however slow it is."""
        end = time.monotonic() + 120
        while sum(sent.acked for sent in tuple(self.sent)) < acknowledged:
            assert time.monotonic() < end, "hardly anything is acknowledged"
            time.sleep(0.05)

    def stop(self, threads: list[threading.Thread]) -> None:
        """Let every sender finish what it is sending."""
        self._stop.set()
        for thread in threads:
            thread.join(60)
            assert not thread.is_alive(), "a sender hangs"

    def again(self, server: Server) -> None:
        """Send again what got no positive answer."""
        for who in ("hospital-a", "clinic-b"):
            with server.client(who) as client:
                for sent in self.sent:
                    if sent.who == who and not sent.acked and not sent.gives_up:
                        sent.take(sent.send(client))

    def of(self, *kinds: str) -> Iterator[Sent]:
        """What was sent of these kinds."""
        return (sent for sent in self.sent if sent.kind in kinds)

    def _run(self, server: Server, make: Callable[[random.Random], Sent], seed: str) -> None:
        draw = random.Random(f"{seed}/{make.__name__}")
        who = make(random.Random(0)).who
        with server.client(who) as client:
            while not self._stop.is_set():
                sent = make(draw)
                sent.gives_up = draw.random() < 0.3
                self.sent.append(sent)
                try:
                    sent.take(sent.send(client))
                except _BROKEN:
                    return
                if not sent.acked:
                    self._stop.wait(0.3)
