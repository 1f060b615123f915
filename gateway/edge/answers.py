"""Small HTTP answers in plain ASGI, with the headers every answer carries (C-12, G11)."""

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

import orjson

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
Receive = Callable[[], Awaitable[Message]]

_ALWAYS = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
)


async def answer(
    send: Send,
    status: int,
    body: bytes = b"",
    *,
    media: str = "",
    headers: Iterable[tuple[str, str]] = (),
) -> None:
    """Send one whole answer."""
    fields = [*_ALWAYS, (b"content-length", str(len(body)).encode())]
    if media:
        fields.append((b"content-type", media.encode()))
    fields.extend(
        (name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers
    )
    await send({"type": "http.response.start", "status": status, "headers": fields})
    await send({"type": "http.response.body", "body": body})


async def answer_json(send: Send, status: int, value: object) -> None:
    """Send one JSON document."""
    await answer(send, status, orjson.dumps(value), media="application/json")


class BodyRefused(Exception):
    """The request's body cannot be taken; carries the HTTP status."""

    def __init__(self, status: int) -> None:
        super().__init__(f"body refused with {status}")
        self.status = status


async def read_body(receive: Receive, most: int, declared: int | None) -> bytes:
    """The whole body in memory; 413 over `most`, 400 where the client leaves or lies (C-08)."""
    if declared is not None and declared > most:
        raise BodyRefused(413)
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise BodyRefused(400)
        chunk: bytes = message.get("body", b"")
        size += len(chunk)
        if size > most:
            raise BodyRefused(413)
        chunks.append(chunk)
        if not message.get("more_body", False):
            break
    if declared is not None and size != declared:
        raise BodyRefused(400)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)
