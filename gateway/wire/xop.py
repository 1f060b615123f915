"""What `xop:Include` names, and packages that leave.

XOP 1.0 2 and 3, RFC 2387, RFC 2392, ITI TF-2: V.8; `security.md` C-05, C-06, C-11.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import quote, unquote

from lxml import etree

from gateway.errors import Malformed
from gateway.wire import xml

XOP = "application/xop+xml"
SOAP = "application/soap+xml"

_ROOT_ID = "root@gateway"
_INCLUDE = xml.clark("xop:Include")
_MIME = re.compile(r"[A-Za-z0-9][\w!#$&^.+-]*/[A-Za-z0-9][\w!#$&^.+-]*(; ?[\w-]+=[\w.+-]+)*")
_CHUNK = 256 * 1024


@dataclass(slots=True, kw_only=True)
class Part:
    """One part beside the root."""

    content_id: str
    "Without angle brackets; compared exactly."
    mime_type: str
    size: int = 0
    "Bytes so far, decoded."


class Includes:
    """The parts of one message, as its codec takes them: each once (MTOM-09)."""

    __slots__ = ("_parts", "_taken")

    def __init__(self, parts: Mapping[str, Part]) -> None:
        self._parts = parts
        self._taken: set[str] = set()

    def take(self, element: etree._Element) -> Part | bytes:
        """What a document element holds: the part it includes, or its base64 text decoded.

        `cid:` is percent-decoded once and then matched exactly (MTOM-03, MTOM-05, FN-702).
        """
        if len(element) == 0:
            return _inline(element.text or "")
        include = element[0]
        if len(element) > 1 or include.tag != _INCLUDE or len(include):
            raise reference_error("a document holds more than its content")
        if element.text or include.tail or include.text:
            raise reference_error("text beside an xop:Include")
        href = include.get("href", "")
        if not href.startswith("cid:"):
            raise reference_error("an xop:Include names no part")
        content_id = unquote(href[4:])
        part = self._parts.get(content_id)
        if part is None:
            raise reference_error("the part that is included is missing")
        if content_id in self._taken:
            raise reference_error("a part is included twice")
        self._taken.add(content_id)
        return part


def _inline(text: str) -> bytes:
    """Base64 text, white space left out (XML Schema part 2: 3.2.16)."""
    try:
        return base64.b64decode(text.encode("ascii").translate(None, b"\r\n\t "), validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise reference_error("document content is not base64") from error


class Outgoing(Protocol):
    """A document that leaves as a part; `transaction.Attachment` is one."""

    @property
    def content_id(self) -> str:
        """Without angle brackets."""
        ...

    @property
    def mime_type(self) -> str:
        """As its metadata says."""
        ...

    @property
    def size(self) -> int:
        """Bytes."""
        ...

    @property
    def path(self) -> Path:
        """The file that holds it."""
        ...


def href(content_id: str) -> str:
    """The `cid:` reference to a part, percent-encoded (RFC 2392)."""
    return "cid:" + quote(content_id, safe="@")


def write(
    root_xml: bytes, attachments: Sequence[Outgoing], *, boundary: str = ""
) -> tuple[str, int, Iterator[bytes]]:
    """The package: its Content-Type, its length, and its bytes, streamed from the files.

    The boundary, if none is given, comes from a digest of the root: the root carries a fresh
    random message id, so that nobody can put the boundary into a document beforehand (C-06).
    """
    boundary = boundary or f"part-{hashlib.sha256(root_xml).hexdigest()[:40]}"
    heads = [_head(boundary, f'{XOP}; charset=UTF-8; type="{SOAP}"', _ROOT_ID)]
    heads += [_head(boundary, _mime(part.mime_type), part.content_id) for part in attachments]
    tail = f"\r\n--{boundary}--\r\n".encode("ascii")
    length = sum(map(len, heads)) + len(root_xml) + len(tail)
    length += sum(part.size for part in attachments)
    content_type = (
        f'multipart/related; type="{XOP}"; boundary="{boundary}"; start="<{_ROOT_ID}>"; '
        f'start-info="{SOAP}"'
    )
    return content_type, length, _stream(root_xml, heads, attachments, tail)


def _head(boundary: str, content_type: str, content_id: str) -> bytes:
    """Delimiter and header lines of one part."""
    if not content_id.isascii() or not content_id.isprintable() or set("<> ") & set(content_id):
        raise ValueError("a Content-ID is not one")
    return (
        f"\r\n--{boundary}\r\nContent-Type: {content_type}\r\n"
        f"Content-Transfer-Encoding: binary\r\nContent-ID: <{content_id}>\r\n\r\n"
    ).encode("ascii")


def _mime(mime_type: str) -> str:
    """A media type that may stand in a header line; anything else is sent as bytes (C-11)."""
    return mime_type if _MIME.fullmatch(mime_type) else "application/octet-stream"


def _stream(
    root_xml: bytes, heads: Sequence[bytes], attachments: Sequence[Outgoing], tail: bytes
) -> Iterator[bytes]:
    """The package piece by piece; a file that is not as long as announced breaks it off."""
    yield heads[0] + root_xml
    for head, part in zip(heads[1:], attachments, strict=True):
        yield head
        left = part.size
        with part.path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                left -= len(chunk)
                yield chunk
        if left:
            raise OSError("a document's file is not as long as its metadata says")
    yield tail


def reference_error(reason: str) -> Malformed:
    """A reference between root and parts that does not hold (C-05)."""
    return Malformed(reason, "添付の参照が正しくありません", rule="C-05", log="MTOM-REF")
