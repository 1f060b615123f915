"""What the HTTP parser lets through and this gateway does not (`security.md` C-01, C-06).

The parser refuses most tricks itself. Left are the request line's odd forms, transfer codings
other than exactly `chunked`, chunk extensions, trailers, and a missing or doubled Host.
"""

import re

_LINE = re.compile(rb"(?:[A-Z]{1,16} /[!-~]{0,8191}|CONNECT [!-~]{1,8192}) HTTP/1\.[01]\r?")
_SIZE = re.compile(rb"[0-9A-Fa-f]{1,12}")
_LONGEST_SIZE = 14
_SINGLE = frozenset({b"host", b"content-length", b"transfer-encoding", b"content-type", b"expect"})


def request_line_is_plain(line: bytes) -> bool:
    """One space between method, target and version; nothing before it; HTTP/1.0 or 1.1.

    The target is a path: one with a host in it is for proxies, and would name another host (C-03).
    """
    return _LINE.fullmatch(line) is not None


def headers_are_plain(headers: list[tuple[bytes, bytes]], version: str) -> bool:
    """One Host (RFC 9112 3.2), no doubled framing header, and no transfer coding but `chunked`."""
    seen: set[bytes] = set()
    for name, value in headers:
        if name in _SINGLE:
            if name in seen:
                return False
            seen.add(name)
            if name == b"transfer-encoding" and (value != b"chunked" or version != "1.1"):
                return False
    return b"host" in seen or version == "1.0"


class ChunkCheck:
    """Follows a chunked body: sizes without extensions, exact line ends, no trailers.

    It walks over the same bytes as the parser; where it says no, the request is refused.
    """

    __slots__ = ("_left", "_line", "_state", "done")

    def __init__(self) -> None:
        self._line = b""
        self._left = 0
        self._state = "size"
        self.done = False
        "The last chunk and its end were seen."

    def feed(self, data: bytes) -> bool:
        """Whether these bytes may follow; bytes behind the end may not."""
        place = 0
        while place < len(data):
            if self.done:
                return False
            if self._state == "content":
                taken = min(self._left, len(data) - place)
                self._left -= taken
                place += taken
                if not self._left:
                    self._state = "end"
                continue
            end = data.find(b"\n", place)
            piece = data[place:] if end < 0 else data[place : end + 1]
            self._line += piece
            place += len(piece)
            if len(self._line) > _LONGEST_SIZE:
                return False
            if end >= 0:
                if not self._take_line():
                    return False
                self._line = b""
        return True

    def _take_line(self) -> bool:
        """A size line, the end of a chunk, or the end of all."""
        line = self._line
        if not line.endswith(b"\r\n"):
            return False
        if self._state == "size":
            if not _SIZE.fullmatch(line[:-2]):
                return False
            self._left = int(line[:-2], 16)
            self._state = "content" if self._left else "last"
            return True
        if line != b"\r\n":
            return False
        self.done = self._state == "last"
        self._state = "size"
        return True
