"""The upload doors: a form with files, one file of a tree, and what became of them.

`INTERFACES.md` section 3; `security.md` 2.3, E-06, E-07. Bytes are spooled beside the blob store
while they come; they, and the receipt, are durable before the 202 leaves (G4).
"""

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, BinaryIO, TypeVar
from urllib.parse import parse_qs, unquote_to_bytes

import orjson

from gateway.audit.door import Defect, Door
from gateway.edge.answers import (
    BodyRefused,
    Receive,
    Scope,
    Send,
    answer,
    answer_early,
    answer_json,
    declared_length,
    header,
    pump,
)
from gateway.edge.authn import Authenticator, Peer
from gateway.edge.forms import FilePart, Form, FormReader
from gateway.edge.limits import Rate
from gateway.edge.metrics import Metrics
from gateway.edge.refusals import STATUS, headers_of, told
from gateway.errors import Invalid, Malformed, NotFound, NotPermitted, OverLimit, Refusal
from gateway.intake import Intake
from gateway.model.audit import EventKind, Outcome
from gateway.model.category import Source
from gateway.settings import LimitSettings
from gateway.store.blobs import Blob, Blobs, BlobWriter

logger = logging.getLogger(__name__)
_Value = TypeVar("_Value")
_NUMBER = re.compile(r"[0-9]{1,9}", re.ASCII)
_FILES = "/uploads/files/"
_RECEIPTS = "/uploads/"


@dataclass(frozen=True, slots=True)
class Spooled:
    """A file that came over a door and is not kept yet."""

    path: str
    writer: BlobWriter
    in_tree: bool = False

    def reader(self) -> BinaryIO:
        """Its bytes, to look at."""
        return self.writer.reader()

    def commit(self) -> Blob:
        """Make its bytes durable."""
        return self.writer.commit()


@dataclass(frozen=True, slots=True, kw_only=True)
class Doorway:
    """What the JSON doors of machines share: who calls, how often, how a *no* is said."""

    door: Door
    authenticator: Authenticator
    metrics: Metrics
    rate: Rate
    limits: LimitSettings
    new_id: Callable[[], str]
    pool: Executor

    async def enter(self, scope: Scope, receive: Receive, send: Send) -> Peer | None:
        """The peer, or None where it was refused already."""
        client, request = scope["state"]["client"], self.new_id()
        peer = self.authenticator.peer(client, request)
        if peer is None:
            stranger = self.authenticator.stranger(client, request)
            self._record("TLS", stranger, Outcome.SERIOUS, 403)
            await answer_early(send, receive, 403)
            return None
        wait = self.rate.take(peer.caller.certificate)
        if wait:
            self._record("LIMIT", peer.caller, Outcome.MINOR, 429)
            retry = str(max(1, round(wait)))
            await answer_early(send, receive, 429, headers=[("Retry-After", retry)])
            return None
        return peer

    @asynccontextmanager
    async def answering(self, peer: Peer, receive: Receive, send: Send) -> AsyncIterator[None]:
        """Answer what the block raises: a *no* by its kind, a defect by its number."""
        try:
            yield
        except BodyRefused as refused:
            await self.refuse_body(refused, peer, receive, send)
        except Refusal as refusal:
            await self.refuse_unread(refusal, peer, receive, send)
        except Defect as defect:  # the audit door told it
            await self._fail(defect.incident, send)
        except Exception as error:
            incident = self.new_id()[:8]
            logger.error("incident %s at an upload door: %s", incident, type(error).__name__)
            await self._fail(incident, send)

    async def _fail(self, incident: str, send: Send) -> None:
        """Something of ours: the incident number, and nothing else (G11)."""
        await answer_json(send, 500, {"error": "internal error", "incident": incident})

    async def run(self, do: Callable[[], _Value]) -> _Value:
        """Do something on a worker thread."""
        return await asyncio.get_running_loop().run_in_executor(self.pool, do)

    async def refuse_body(
        self, refused: BodyRefused, peer: Peer, receive: Receive, send: Send
    ) -> None:
        """A body that was not taken."""
        self._record("LIMIT", peer.caller, Outcome.MINOR, refused.status)
        await answer_early(send, receive, refused.status)

    async def turn_away(
        self, status: int, code: str, peer: Peer, receive: Receive, send: Send, *, allow: str = ""
    ) -> None:
        """A request that is none of this door's, answered by its status alone."""
        self._record(code, peer.caller, Outcome.MINOR, status)
        headers = [("Allow", allow)] if allow else []
        await answer_early(send, receive, status, headers=headers)

    async def refuse_unread(
        self, refusal: Refusal, peer: Peer, receive: Receive, send: Send
    ) -> None:
        """A refusal before the body was read to its end, as where the disk is full (R-06)."""
        status = STATUS[type(refusal)]
        self._record(refusal.log or "TYPE", peer.caller, Outcome.MINOR, status)
        body = b"" if status in (403, 404) else orjson.dumps(told(refusal))
        kind = "application/json" if body else ""
        await answer_early(send, receive, status, body, media=kind, headers=headers_of(status))

    async def refuse(
        self, refusal: Refusal, peer: Peer, send: Send, *, status: int = 0, recorded: bool = True
    ) -> None:
        """A refusal as JSON; `recorded` where a Work has left its event already."""
        status = status or STATUS[type(refusal)]
        if not recorded:
            self._record(refusal.log or "TYPE", peer.caller, Outcome.MINOR, status)
        self.metrics.refused(refusal.log)
        if isinstance(refusal, NotFound | NotPermitted):
            await answer(send, status)
            return
        await answer_json(send, status, told(refusal), headers=headers_of(status))

    def _record(self, code: str, caller: Any, outcome: Outcome, status: int) -> None:
        self.metrics.refused(code)
        self.door.refuse_at_edge(
            EventKind.SECURITY_ALERT, caller, code=code, outcome=outcome, detail={"status": status}
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Uploads:
    """`POST /uploads`, `PUT /uploads/files/<path>`, `GET /uploads/<receipt>`."""

    doorway: Doorway
    intake: Intake
    blobs: Blobs
    arrived: Callable[[], None] = field(default=lambda: None)
    "Told that files wait."

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request of these three."""
        peer = await self.doorway.enter(scope, receive, send)
        if peer is None:
            return
        path, method = scope["path"], scope["method"]
        async with self.doorway.answering(peer, receive, send):
            if path == "/uploads" and method == "POST":
                await self._post(scope, receive, send, peer)
            elif path.startswith(_FILES) and method == "PUT":
                await self._put(scope, receive, send, peer)
            elif path.startswith(_RECEIPTS) and method == "GET":
                await self._get(scope, path.removeprefix(_RECEIPTS), send, peer)
            else:
                await self.doorway.turn_away(
                    405, "HTTP-FRAME", peer, receive, send, allow=_allowed(path)
                )

    async def _post(self, scope: Scope, receive: Receive, send: Send, peer: Peer) -> None:
        """A form with one or more files."""
        form = await read_form(self.doorway, scope, receive, send, peer, self.blobs)
        if form is None:
            return
        try:
            source = _source(form.text("source"))
            files = [part for part in form.files if part.field == "file"]
            if not files or len(files) != len(form.files):
                raise Invalid("send one or more parts named file", "file が必要です", at="file")
            facility = form.text("facility") or peer.caller.facility
            spooled = [Spooled(part.name, part.writer, "/" in part.name) for part in files]
            patient = form.text("patient")
            await self._accept(spooled, facility, source, send, peer, patient=patient)
        finally:
            await self.doorway.run(form.abort)

    async def _put(self, scope: Scope, receive: Receive, send: Send, peer: Peer) -> None:
        """One file of a tree at its own path; the path is data (E-06)."""
        kind = header(scope, b"content-type").partition(";")[0].strip().lower()
        if header(scope, b"content-encoding") not in ("", "identity") or kind.startswith(
            ("multipart/", "message/")
        ):
            await self.doorway.turn_away(415, "TYPE", peer, receive, send)
            return
        name = _own_path(scope)
        writer = self.blobs.writer()
        try:
            await pump(
                receive,
                writer.write,
                self.doorway.pool,
                self.doorway.limits.file_bytes,
                declared_length(scope),
            )
            spooled = [Spooled(name, writer, in_tree=True)]
            await self._accept(spooled, peer.caller.facility, Source.EMR, send, peer)
        finally:
            writer.abort()

    async def _accept(
        self,
        spooled: list[Spooled],
        facility: str,
        source: Source,
        send: Send,
        peer: Peer,
        *,
        patient: str = "",
    ) -> None:
        """202 once bytes and receipt are durable."""
        try:
            receipt = await self.doorway.run(
                lambda: self.intake.receive(
                    peer.caller, spooled, facility=facility, source=source, patient=patient
                )
            )
        except Refusal as refusal:
            await self.doorway.refuse(refusal, peer, send)
            return
        self.arrived()
        place = [("Location", f"{_RECEIPTS}{receipt['receipt']}")]
        await answer_json(send, 202, receipt, headers=place)

    async def _get(self, scope: Scope, receipt: str, send: Send, peer: Peer) -> None:
        """What became of an upload."""
        try:
            first, most = _window(scope)
            found = await self.doorway.run(
                lambda: self.intake.receipt(peer.caller, receipt, first=first or 0, most=most)
            )
        except Refusal as refusal:
            await self.doorway.refuse(refusal, peer, send)
        else:
            await answer_json(send, 200, found)


async def read_form(
    doorway: Doorway, scope: Scope, receive: Receive, send: Send, peer: Peer, blobs: Blobs
) -> Form | None:
    """A multipart/form-data body; None where it was refused already."""
    declared_kind = header(scope, b"content-type")
    coding = header(scope, b"content-encoding")
    is_form = declared_kind.partition(";")[0].strip().lower() == "multipart/form-data"
    if not is_form or coding not in ("", "identity"):
        await doorway.turn_away(415, "TYPE", peer, receive, send)
        return None
    limits = doorway.limits
    try:
        length = declared_length(scope)
        reader = FormReader(declared_kind, open_file=blobs.writer, file_bytes=limits.file_bytes)
        try:
            await pump(receive, reader.feed, doorway.pool, limits.upload_bytes, length)
            return reader.close()
        except BaseException:  # a stop that has waited long enough cancels what still comes in
            reader.form.abort()
            raise
    except OverLimit as refusal:
        await doorway.refuse(refusal, peer, send, status=413, recorded=False)
    except Malformed as refusal:
        await doorway.refuse(refusal, peer, send, status=400, recorded=False)
    return None


def part_named(form: Form, name: str) -> FilePart | None:
    """The one file part of that name."""
    found = [part for part in form.files if part.field == name]
    return found[0] if len(found) == 1 else None


def _source(text: str) -> Source:
    """The declared source (STG-03)."""
    for source in Source:
        if source.value == text:
            return source
    raise Invalid(
        "declare a known source", "データ源(source)が不明です", at="source", rule="STG-03"
    )


def _window(scope: Scope) -> tuple[int | None, int | None]:
    """Which files of an upload are asked for: `first` and `most`."""
    asked = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    found = []
    for name in ("first", "most"):
        text = asked.get(name, [""])[-1]
        if text and not _NUMBER.fullmatch(text):
            raise Malformed("not a number", "数値ではありません", at=name)
        found.append(int(text) if text else None)
    return found[0], found[1]


def _own_path(scope: Scope) -> str:
    """The path behind `/uploads/files/`, percent-decoded once and strictly UTF-8."""
    raw: bytes = scope["raw_path"]
    try:
        return unquote_to_bytes(raw[len(_FILES) :]).decode("utf-8")
    except UnicodeDecodeError as error:
        raise Malformed("the path is not UTF-8", "パスが UTF-8 ではありません", at="path",
                        rule="E-06", log="PATH") from error  # fmt: skip


def _allowed(path: str) -> str:
    if path == "/uploads":
        return "POST"
    return "PUT" if path.startswith(_FILES) else "GET"
