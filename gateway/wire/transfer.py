"""Content-Transfer-Encoding of a part, decoded as it streams (RFC 2045 6; FN-704)."""

import binascii
from typing import Protocol

from gateway.errors import Malformed, OverLimit

_LONGEST_LINE = 64 * 1024


class Decoder(Protocol):
    """Bytes as sent in, bytes as meant out."""

    def feed(self, chunk: bytes) -> bytes:
        """What `chunk` completes."""
        ...

    def finish(self) -> bytes:
        """What is left at the part's end; refuses an incomplete encoding."""
        ...


def decoder(name: str) -> Decoder:
    """The decoder for a Content-Transfer-Encoding; an unknown one is `Malformed`."""
    match name.strip().lower():
        case "" | "binary" | "8bit" | "7bit":
            return _Plain()
        case "base64":
            return _Base64()
        case "quoted-printable":
            return _QuotedPrintable()
        case _:
            raise _malformed("transfer encoding not known")


class _Plain:
    """Bytes as they are."""

    def feed(self, chunk: bytes) -> bytes:
        return chunk

    def finish(self) -> bytes:
        return b""


class _Base64:
    """RFC 2045 6.8: line ends and blanks are skipped, everything else must be base64."""

    def __init__(self) -> None:
        self._rest = b""
        self._ended = False

    def feed(self, chunk: bytes) -> bytes:
        text = self._rest + chunk.translate(None, b"\r\n\t ")
        whole = len(text) - len(text) % 4
        text, self._rest = text[:whole], text[whole:]
        if not text:
            return b""
        if self._ended:
            raise _malformed("base64 goes on after its end")
        self._ended = text.endswith(b"=")
        try:
            return binascii.a2b_base64(text, strict_mode=True)
        except binascii.Error as error:
            raise _malformed("not base64") from error

    def finish(self) -> bytes:
        if self._rest:
            raise _malformed("base64 ends too early")
        return b""


class _QuotedPrintable:
    """RFC 2045 6.7, line by line."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, chunk: bytes) -> bytes:
        lines, end, rest = (self._rest + chunk).rpartition(b"\n")
        if len(rest) > _LONGEST_LINE:
            raise OverLimit("line too long", "行が長すぎます", rule="C-07", log="LIMIT")
        self._rest = rest
        return binascii.a2b_qp(lines + end)

    def finish(self) -> bytes:
        rest, self._rest = self._rest, b""
        return binascii.a2b_qp(rest)


def _malformed(reason: str) -> Malformed:
    return Malformed(reason, "転送符号化が正しくありません", rule="C-06", log="MTOM-FRAME")
