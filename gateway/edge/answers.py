"""Bodies in, answers out, in plain ASGI, with the headers every answer carries (C-12, G11)."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import orjson

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
Receive = Callable[[], Awaitable[Message]]
Headers = Iterable[tuple[str, str]]

ALWAYS = ((b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"))
_CLOSE = (b"connection", b"close")
_DRAIN_SECONDS = 2.0
_PIECE = 512 * 1024


async def answer(
    send: Send, status: int, body: bytes = b"", *, media: str = "", headers: Headers = ()
) -> None:
    """Send one whole answer."""
    await send({"type": "http.response.start", "status": status,
                "headers": _fields(body, media, headers)})  # fmt: skip
    await send({"type": "http.response.body", "body": body})


async def answer_early(
    send: Send,
    receive: Receive,
    status: int,
    body: bytes = b"",
    *,
    media: str = "",
    headers: Headers = (),
) -> None:
    """Answer before the body came, and close; what still comes is read away for a moment.

    Closing at once would reset a client that is still sending, and it would not see the answer.
    """
    fields = [*_fields(body, media, headers), _CLOSE]
    await send({"type": "http.response.start", "status": status, "headers": fields})
    await send({"type": "http.response.body", "body": body, "more_body": True})
    try:
        async with asyncio.timeout(_DRAIN_SECONDS):
            more = True
            while more:
                message = await receive()
                more = message["type"] == "http.request" and message.get("more_body", False)
    except TimeoutError:
        pass
    await send({"type": "http.response.body", "body": b""})


async def answer_file(
    send: Send, path: Path, size: int, pool: Executor, *, media: str, headers: Headers = ()
) -> None:
    """Send a file, piece by piece, read on a worker thread."""
    loop = asyncio.get_running_loop()
    stream = await loop.run_in_executor(pool, path.open, "rb")
    try:
        fields = _fields(b"", media, headers)
        fields[len(ALWAYS)] = (b"content-length", b"%d" % size)
        await send({"type": "http.response.start", "status": 200, "headers": fields})
        while piece := await loop.run_in_executor(pool, stream.read, _PIECE):
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    finally:
        stream.close()


async def answer_json(send: Send, status: int, value: object, *, headers: Headers = ()) -> None:
    """Send one JSON document."""
    await answer(send, status, orjson.dumps(value), media="application/json", headers=headers)


def _fields(body: bytes, media: str, headers: Headers) -> list[tuple[bytes, bytes]]:
    fields = [*ALWAYS, (b"content-length", b"%d" % len(body))]
    if media:
        fields.append((b"content-type", media.encode("latin-1")))
    for name, value in headers:
        fields.append((name.lower().encode("latin-1"), value.encode("latin-1")))
    return fields


class BodyRefused(Exception):
    """The request's body cannot be taken; carries the HTTP status."""

    def __init__(self, status: int) -> None:
        super().__init__(f"body refused with {status}")
        self.status = status


def header(scope: Scope, name: bytes) -> str:
    """One header's value; empty where it is absent."""
    for key, value in scope["headers"]:
        if key == name:
            return str(value.decode("latin-1"))
    return ""


def declared_length(scope: Scope) -> int | None:
    """What Content-Length says; None where the body comes in chunks. 411 where nothing says."""
    length = header(scope, b"content-length")
    if length.isdigit():
        return int(length)
    if header(scope, b"transfer-encoding"):
        return None
    raise BodyRefused(411)


async def read_body(receive: Receive, most: int, declared: int | None) -> bytes:
    """The whole body in memory; 413 over `most`, 400 where the client leaves or lies (C-08)."""
    if declared is not None and declared > most:
        raise BodyRefused(413)
    message = await receive()
    if not message.get("more_body", False) and message["type"] == "http.request":
        body: bytes = message.get("body", b"")
        if len(body) > most:
            raise BodyRefused(413)
        return body
    chunks: list[bytes] = []
    size = 0
    while message["type"] == "http.request":
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if size > most:
            raise BodyRefused(413)
        if not message.get("more_body", False):
            return b"".join(chunks)
        message = await receive()
    raise BodyRefused(400)


async def pump(
    receive: Receive, feed: Callable[[bytes], None], pool: Executor, most: int, declared: int | None
) -> int:
    """The body, piece by piece, to `feed` on a worker thread; a few hundred KiB in memory."""
    if declared is not None and declared > most:
        raise BodyRefused(413)
    loop = asyncio.get_running_loop()
    size = 0
    piece = bytearray()
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise BodyRefused(400)
        chunk: bytes = message.get("body", b"")
        size += len(chunk)
        if size > most:
            raise BodyRefused(413)
        piece += chunk
        more = message.get("more_body", False)
        if len(piece) >= _PIECE or (piece and not more):
            await loop.run_in_executor(pool, feed, bytes(piece))
            piece.clear()
    return size
