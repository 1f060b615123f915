"""Multipart packages for the tests of this folder, whole or spoilt."""

from gateway.wire.limits import Limits
from gateway.wire.mtom import Parser, Part

BOUNDARY = "uuid:ace202b5-cd34-4784-989e-1ac00e0dc109"
ROOT_TYPE = 'application/xop+xml; charset=UTF-8; type="application/soap+xml"'
START = "root.message@cxf.apache.org"


def content_type(boundary: str = BOUNDARY, rest: str = "") -> str:
    return (
        f'multipart/related; type="application/xop+xml"; boundary="{boundary}"; '
        f'start="<{START}>"; start-info="application/soap+xml"{rest}'
    )


def part(content: bytes, content_id: str, kind: str = "application/pdf", extra: str = "") -> bytes:
    return (
        f"Content-Type: {kind}\r\nContent-Transfer-Encoding: binary\r\n"
        f"Content-ID: <{content_id}>\r\n{extra}\r\n"
    ).encode() + content


def package(*parts: bytes, boundary: str = BOUNDARY, end: bool = True) -> bytes:
    line = b"\r\n--" + boundary.encode()
    return b"".join(line + b"\r\n" + item for item in parts) + (line + b"--" if end else b"")


def root(content: bytes = b"<a/>", kind: str = ROOT_TYPE) -> bytes:
    return part(content, START, kind)


class Memory:
    """A sink that remembers what happened to it."""

    def __init__(self) -> None:
        self.content = bytearray()
        self.closed = self.aborted = False

    def write(self, chunk: bytes) -> None:
        self.content += chunk

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.aborted = True


class Taken:
    """A parser and the sinks it opened."""

    def __init__(self, kind: str | None = None, limits: Limits | None = None) -> None:
        self.sinks: dict[str, Memory] = {}
        kind = content_type() if kind is None else kind
        self.parser = Parser(kind, limits=limits, open_part=self._open)

    def _open(self, part: Part) -> Memory:
        self.sinks[part.content_id] = Memory()
        return self.sinks[part.content_id]

    def feed(self, *chunks: bytes) -> "Taken":
        for chunk in chunks:
            self.parser.feed(chunk)
        self.parser.close()
        return self

    @property
    def contents(self) -> dict[str, bytes]:
        return {name: bytes(sink.content) for name, sink in self.sinks.items() if sink.closed}


def take(content: bytes, kind: str | None = None, limits: Limits | None = None) -> Taken:
    return Taken(kind, limits).feed(content)
