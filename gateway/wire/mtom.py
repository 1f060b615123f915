"""MTOM/XOP packages: a push parser, and a writer (`wire/xop.py`).

RFC 2046 5.1, RFC 2387, XOP 1.0, ITI TF-2: V.8; `security.md` C-05 to C-08. The parser keeps the
root part in memory and hands every other part to a sink as it comes; it never holds more than one
chunk and one delimiter of it.
"""

import re
from collections.abc import Callable, Mapping
from enum import Enum, auto
from typing import Protocol

from gateway.errors import Malformed, OverLimit
from gateway.wire import faults, media, transfer
from gateway.wire.limits import DEFAULT, Limits
from gateway.wire.media import MediaType
from gateway.wire.xop import SOAP, XOP, Includes, Outgoing, Part, href, reference_error, write

__all__ = ["Includes", "Outgoing", "Parser", "Part", "Sink", "href", "write"]

_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,./:=?-]{1,70}")
_LONGEST_PADDING = 100
_UNDECIDED, _DATA = -2, -1


class Sink(Protocol):
    """Where a part's bytes go while they come."""

    def write(self, chunk: bytes) -> None:
        """Take the next bytes, decoded."""
        ...

    def close(self) -> None:
        """The part is whole."""
        ...

    def abort(self) -> None:
        """The message is refused or broke off: leave nothing behind (C-08)."""
        ...


class _State(Enum):
    PREAMBLE = auto()
    HEADERS = auto()
    BODY = auto()
    EPILOGUE = auto()


class _Memory:
    """The sink of the root part."""

    def __init__(self) -> None:
        self.content = bytearray()

    def write(self, chunk: bytes) -> None:
        self.content += chunk

    def close(self) -> None:
        """Whole."""

    def abort(self) -> None:
        self.content.clear()


class Parser:
    """Takes the body of one multipart/related message chunk by chunk, in any cut.

    Every refusal aborts all sinks. The root part must come first, so that it can be looked at
    before a document is taken in.
    """

    def __init__(
        self,
        content_type: str,
        *,
        limits: Limits | None = None,
        open_part: Callable[[Part], Sink],
    ) -> None:
        self._limits = limits or DEFAULT
        self._open_part = open_part
        kind = media.read(content_type)
        boundary = kind.get("boundary")
        if _BOUNDARY.fullmatch(boundary) is None:
            raise _frame("boundary missing or not valid")
        self._start = _bracketless(kind.get("start")) if "start" in kind.parameters else None
        self._actions = _check_kind(kind)
        self._delimiter = b"\r\n--" + boundary.encode("ascii")
        self._buffer = bytearray(b"\r\n")
        self._state = _State.PREAMBLE
        self._fed = 0
        self._skipped = 0
        self._fresh = False
        self._root_id = ""
        self._root = _Memory()
        self._charset = ""
        self._part: Part | None = None
        self._sink: Sink = self._root
        self._decoder: transfer.Decoder = transfer.decoder("")
        self._sinks: list[Sink] = []
        self._parts: dict[str, Part] = {}
        self._count = 0

    @property
    def root(self) -> bytes:
        """The root part's bytes, once the root part has ended."""
        return bytes(self._root.content)

    @property
    def charset(self) -> str:
        """The root part's charset parameter, for `xml.parse`."""
        return self._charset

    @property
    def action(self) -> str:
        """The SOAP action in the headers, if any; several must be equal."""
        actions = {action for action in self._actions if action}
        if len(actions) > 1:
            raise faults.action_mismatch()
        return actions.pop() if actions else ""

    @property
    def parts(self) -> Mapping[str, Part]:
        """The parts beside the root, by Content-ID."""
        return self._parts

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes; raises a Refusal, after which the parser is of no more use."""
        self._fed += len(chunk)
        try:
            if self._fed > self._limits.message_bytes:
                raise _over("message too large")
            self._buffer += chunk
            self._run(final=False)
        except BaseException:
            self.abort()
            raise

    def close(self) -> None:
        """No more bytes come: the closing boundary must have been there (MTOM-25)."""
        try:
            self._run(final=True)
            if self._state is not _State.EPILOGUE:
                raise _frame("closing boundary missing")
            if self._count == 0:
                raise _frame("no part")
        except BaseException:
            self.abort()
            raise

    def abort(self) -> None:
        """Let every sink forget what it took."""
        for sink in self._sinks:
            sink.abort()
        self._sinks.clear()

    def _run(self, *, final: bool) -> None:
        """Step until the buffer holds nothing that can be decided now."""
        while True:
            match self._state:
                case _State.HEADERS:
                    more = self._headers()
                case _State.EPILOGUE:
                    self._skip(len(self._buffer))
                    more = False
                case _:
                    more = self._content(final)
            if not more:
                return

    def _content(self, final: bool) -> bool:
        """Hand on data before the next delimiter; True where something was decided."""
        buffer = self._buffer
        if self._fresh:
            if len(buffer) < len(self._delimiter) and not final:
                return False
            if not buffer.startswith(self._delimiter):
                self._begin()
        place = buffer.find(self._delimiter)
        if place < 0:
            self._take(max(0, len(buffer) - len(self._delimiter) + 1))
            return False
        self._take(place)
        end, closing = self._after(final)
        if end == _UNDECIDED:
            return False
        if end == _DATA:
            if self._fresh:
                self._begin()
            else:
                self._take(2)
            return True
        del buffer[:end]
        if self._state is _State.BODY:
            self._write(self._decoder.finish())
            self._sink.close()
        self._fresh = False
        self._skipped = 0
        self._state = _State.EPILOGUE if closing else _State.HEADERS
        return True

    def _begin(self) -> None:
        """Drop the line end that closes the header: the first delimiter did not need it."""
        del self._buffer[:2]
        self._fresh = False

    def _after(self, final: bool) -> tuple[int, bool]:
        """Where the delimiter line at the buffer's start ends, and whether it closes.

        What only begins like a delimiter is data (MTOM-14); what may still become one waits.
        """
        start = len(self._delimiter)
        line = bytes(self._buffer[start : start + _LONGEST_PADDING + 4])
        if line == b"-" and not final:
            return _UNDECIDED, False
        closing = line.startswith(b"--")
        rest = line[2:] if closing else line
        after = rest.lstrip(b" \t")
        end = start + len(line) - len(after)
        if after.startswith(b"\r\n"):
            return end + 2, closing
        if after not in (b"", b"\r") or len(rest) > _LONGEST_PADDING:
            return _DATA, False
        if not final:
            return _UNDECIDED, False
        return (end + len(after), True) if closing else (_DATA, False)

    def _take(self, count: int) -> None:
        """Move `count` bytes out of the buffer: to the sink, or away."""
        if count == 0:
            return
        if self._state is not _State.BODY:
            self._skip(count)
            return
        chunk = bytes(self._buffer[:count])
        del self._buffer[:count]
        self._write(self._decoder.feed(chunk))

    def _write(self, chunk: bytes) -> None:
        """Hand decoded bytes to the sink, within the limit of this part."""
        if not chunk:
            return
        if self._part is None:
            if len(self._root.content) + len(chunk) > self._limits.xml_bytes:
                raise _over("root part too large")
        else:
            self._part.size += len(chunk)
            if self._part.size > self._limits.part_bytes:
                raise _over("part too large")
        self._sink.write(chunk)

    def _skip(self, count: int) -> None:
        """Forget preamble or epilogue, which are short or refused (MTOM-26)."""
        self._skipped += count
        if self._skipped > self._limits.around_bytes:
            raise _over("too much around the parts")
        del self._buffer[:count]

    def _headers(self) -> bool:
        """Read the header lines of the next part and open its sink."""
        most = self._limits.part_header_bytes
        if len(self._buffer) < 2:
            return False
        end = 0 if self._buffer.startswith(b"\r\n") else self._buffer.find(b"\r\n\r\n") + 2
        if end > most or (end == 1 and len(self._buffer) > most + 2):
            raise _over("part headers too large")
        if end == 1:
            return False
        found = media.headers(bytes(self._buffer[:end]), self._limits.part_headers)
        del self._buffer[:end]
        self._count += 1
        if self._count > self._limits.parts:
            raise _over("too many parts")
        self._decoder = transfer.decoder(found.get("content-transfer-encoding", ""))
        if self._count == 1:
            self._open_root(found)
        else:
            self._open(found)
        self._fresh = True
        self._state = _State.BODY
        return True

    def _open_root(self, found: Mapping[str, str]) -> None:
        """The first part: it must be the root, and be SOAP in XOP (RFC 2387 3.2, XOP 4.1)."""
        content_id = _bracketless(found.get("content-id", ""))
        if self._start is not None and content_id != self._start:
            raise reference_error("the start parameter does not name the first part")
        kind = media.read(found.get("content-type", "text/plain"))
        if kind.name != XOP or not kind.get("type").lower().startswith(SOAP):
            raise reference_error("the root part is not SOAP in XOP")
        self._actions += (kind.get("action"), _nested_action(kind.get("type")))
        self._charset = kind.get("charset")
        self._root_id = content_id
        self._sinks.append(self._root)

    def _open(self, found: Mapping[str, str]) -> None:
        """A part beside the root: whoever gave the parser says where it goes."""
        content_id = _bracketless(found.get("content-id", ""))
        if not content_id:
            raise reference_error("part without Content-ID")
        if content_id in self._parts or content_id == self._root_id:
            raise reference_error("two parts with one Content-ID")
        part = Part(
            content_id=content_id,
            mime_type=found.get("content-type", "application/octet-stream"),
        )
        self._part = part
        self._parts[content_id] = part
        self._sink = self._open_part(part)
        self._sinks.append(self._sink)


def _check_kind(kind: MediaType) -> tuple[str, ...]:
    """Refuse what is not an MTOM package (MTOM-12); the SOAP actions that the type names."""
    if kind.name != "multipart/related" or kind.get("type").lower() != XOP:
        raise faults.unsupported_media()
    start_info = kind.get("start-info")
    if start_info and media.read(start_info).name != SOAP:
        raise faults.unsupported_media()
    return (kind.get("action"), _nested_action(start_info))


def _nested_action(text: str) -> str:
    """The action inside `application/soap+xml; action="…"`, as some stacks write it."""
    return media.read(text).get("action") if text else ""


def _bracketless(content_id: str) -> str:
    """A Content-ID without its angle brackets (RFC 2392)."""
    text = content_id.strip(" \t")
    return text[1:-1] if text.startswith("<") and text.endswith(">") else text


def _frame(reason: str) -> Malformed:
    return Malformed(reason, "MIME の構成が正しくありません", rule="C-06", log="MTOM-FRAME")


def _over(reason: str) -> OverLimit:
    return OverLimit(reason, "電文が制限を超えています", rule="C-07", log="LIMIT")
