"""The documents of one SOAP message: parts spooled while they come, and base64 inside of it.

ITI TF-2: V.8; `security.md` C-05, C-08. Nothing is kept here: who takes a document in commits it.
"""

import hashlib
from collections.abc import Mapping

from lxml import etree

from gateway.edge.uploads import Spooled
from gateway.errors import OverLimit
from gateway.store.blobs import Blobs, BlobWriter
from gateway.wire import mtom
from gateway.wire.mtom import Includes, Part

_MOST_INLINE = 7 * 1024 * 1024


class Spool:
    """Where one part goes while it comes."""

    def __init__(self, writer: BlobWriter) -> None:
        self.writer = writer
        self.digest = hashlib.sha256()

    def write(self, chunk: bytes) -> None:
        """Append bytes; raises `Busy` where the disk is full (R-06)."""
        self.digest.update(chunk)
        self.writer.write(chunk)

    def close(self) -> None:
        """The part is whole; whether it is kept is decided later."""

    def abort(self) -> None:
        """Forget the bytes (C-08)."""
        self.writer.abort()


class Brought:
    """What came with one message."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs
        self._spools: dict[str, Spool] = {}
        self._inline: list[BlobWriter] = []
        self._includes = Includes({})
        self._left: set[str] = set()

    def open(self, part: Part) -> mtom.Sink:
        """Take a part in; the parser refuses a second one of its id."""
        spool = self._spools[part.content_id] = Spool(self._blobs.writer())
        return spool

    def came(self, parts: Mapping[str, Part]) -> None:
        """All parts are whole."""
        self._includes = Includes(parts)
        self._left = set(parts)

    @property
    def digests(self) -> bytes:
        """What tells these parts from others: a message sent again has the same (D-06)."""
        return b"".join(
            name.encode() + b"\0" + spool.digest.digest()
            for name, spool in sorted(self._spools.items())
        )

    def arrival(self, document: etree._Element, name: str) -> Spooled:
        """What one `xds:Document` holds; raises `Malformed` (C-05), `OverLimit`, `Busy`."""
        held = self._includes.take(document)
        if isinstance(held, Part):
            self._left.discard(held.content_id)
            return Spooled(name, self._spools[held.content_id].writer)
        if len(held) > _MOST_INLINE:
            raise OverLimit(
                "send a document of this size as an XOP part",
                "この大きさの文書はXOPの添付で送ってください", at=name, log="LIMIT",
            )  # fmt: skip
        writer = self._blobs.writer()
        self._inline.append(writer)
        writer.write(held)
        return Spooled(name, writer)

    def left(self) -> bool:
        """Whether a part came that no document holds."""
        return bool(self._left)

    def abort(self) -> None:
        """Forget what was not committed."""
        for writer in (*(spool.writer for spool in self._spools.values()), *self._inline):
            writer.abort()
