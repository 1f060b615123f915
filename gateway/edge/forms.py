"""multipart/form-data, streamed: small fields in memory, files into sinks as they come.

RFC 7578; `security.md` C-06 to C-08, C-11. File names are data: they are read here and judged by
whoever uses them. The parser runs on a worker thread, fed with a few hundred KiB at a time.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser

from gateway.errors import Malformed, OverLimit
from gateway.store.blobs import BlobWriter
from gateway.wire import media

_DISPOSITION = re.compile(
    rb'form-data; ?name="(?P<name>[a-z_]{1,40})"(?:; ?filename="(?P<file>[^"\r\n]{0,2000})")?', re.I
)
_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,./:=?-]{1,70}")
_FIELD_BYTES = 64 * 1024
_HEADER_BYTES = 8 * 1024
_HEADERS = 20
_PARTS = 1000


@dataclass(slots=True, kw_only=True)
class FilePart:
    """One part with a file name."""

    field: str
    name: str
    "As the client wrote it, UTF-8; data, never a path of ours."
    writer: BlobWriter
    size: int = 0


@dataclass(slots=True)
class Form:
    """What a form held, once it is whole."""

    fields: dict[str, bytes] = field(default_factory=dict)
    files: list[FilePart] = field(default_factory=list)

    def text(self, name: str) -> str:
        """A small field as text; absent is empty, anything but UTF-8 is `Malformed`."""
        try:
            return self.fields.get(name, b"").decode("utf-8")
        except UnicodeDecodeError as error:
            raise _frame("a field is not UTF-8", at=name) from error

    def abort(self) -> None:
        """Forget every file."""
        for part in self.files:
            part.writer.abort()


class FormReader:
    """Takes the body of one form chunk by chunk; any refusal leaves nothing behind."""

    def __init__(
        self,
        content_type: str,
        *,
        open_file: Callable[[], BlobWriter],
        file_bytes: int,
    ) -> None:
        kind = media.read(content_type)
        boundary = kind.get("boundary")
        if _BOUNDARY.fullmatch(boundary) is None:
            raise _frame("boundary missing or not valid")
        self.form = Form()
        self._open_file = open_file
        self._file_bytes = file_bytes
        self._header: dict[str, bytes] = {}
        self._name = self._value = b""
        self._header_bytes = self._parts = 0
        self._file: FilePart | None = None
        self._field = ""
        self._ended = False
        callbacks: dict[str, Any] = {
            "on_part_begin": self._on_part_begin,
            "on_header_field": self._on_header_field,
            "on_header_value": self._on_header_value,
            "on_header_end": self._on_header_end,
            "on_headers_finished": self._on_headers_finished,
            "on_part_data": self._on_part_data,
            "on_part_end": self._on_part_end,
            "on_end": self._on_end,
        }
        self._parser = MultipartParser(
            boundary.encode(), callbacks,  # type: ignore[arg-type]
            max_header_count=_HEADERS + 1, max_header_size=_HEADER_BYTES + 1,
        )  # fmt: skip

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes."""
        try:
            self._parser.write(chunk)
        except MultipartParseError as error:
            self.form.abort()
            raise _frame("not a form of parts") from error
        except BaseException:
            self.form.abort()
            raise

    def close(self) -> Form:
        """No more bytes come: the closing boundary must have been there (C-06)."""
        if not self._ended:
            self.form.abort()
            raise _frame("closing boundary missing")
        return self.form

    def _on_part_begin(self) -> None:
        self._parts += 1
        if self._parts > _PARTS:
            raise _over("too many parts")
        self._header = {}
        self._header_bytes = 0

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._count_header(end - start)
        self._name += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._count_header(end - start)
        self._value += data[start:end]

    def _count_header(self, size: int) -> None:
        self._header_bytes += size
        if self._header_bytes > _HEADER_BYTES:
            raise _over("part headers too large")

    def _on_header_end(self) -> None:
        name = self._name.decode("latin-1").lower()
        if name in self._header or len(self._header) >= _HEADERS:
            raise _frame("part header doubled, or too many")
        self._header[name] = self._value.strip(b" \t")
        self._name = self._value = b""

    def _on_headers_finished(self) -> None:
        found = _DISPOSITION.fullmatch(self._header.get("content-disposition", b""))
        coding = self._header.get("content-transfer-encoding", b"binary").lower()
        if found is None or coding not in (b"binary", b"8bit", b"7bit"):
            raise _frame("part without a form-data name")
        self._field = found["name"].decode("ascii")
        self._file = None
        if found["file"] is not None:
            try:
                name = found["file"].decode("utf-8")
            except UnicodeDecodeError as error:
                raise _frame("a file name is not UTF-8", at="filename") from error
            self._file = FilePart(field=self._field, name=name, writer=self._open_file())
            self.form.files.append(self._file)
        elif self._field in self.form.fields:
            raise _frame("a field stands twice", at=self._field)
        else:
            self.form.fields[self._field] = b""

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        chunk = data[start:end]
        if self._file is not None:
            self._file.size += len(chunk)
            if self._file.size > self._file_bytes:
                raise _over("file too large")
            self._file.writer.write(chunk)
            return
        value = self.form.fields[self._field] + chunk
        if len(value) > _FIELD_BYTES:
            raise _over("field too large")
        self.form.fields[self._field] = value

    def _on_part_end(self) -> None:
        self._file = None

    def _on_end(self) -> None:
        self._ended = True


def _frame(reason: str, *, at: str = "") -> Malformed:
    text = "フォームの構成が正しくありません"
    return Malformed(reason, text, at=at, rule="C-06", log="MTOM-FRAME")


def _over(reason: str) -> OverLimit:
    return OverLimit(reason, "フォームが制限を超えています", rule="C-07", log="LIMIT")
