"""Blobs of several Works of one transaction: durable together, before its commit.

Each file is fsynced and each folder once, however many files came into it. What is not durable yet
lies among the temporary files, so that it never stands in the place of a copy that is.
"""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from gateway.store.blobs import Blob, Blobs, Folder
from gateway.store.files import durable

_MOST = 128
"Files that are open at a time."


class Together(Folder):
    """A `Folder` whose `put_bytes` is durable only after `settle`."""

    def __init__(self, folder: Folder) -> None:
        self.root, self._temporary = folder.root, folder._temporary
        self._waiting: dict[str, tuple[Path, BinaryIO]] = {}

    def put_bytes(self, content: bytes) -> Blob:
        """Keep bytes until they are settled."""
        blob = Blob(
            sha256=hashlib.sha256(content).hexdigest(),
            sha1=hashlib.sha1(content, usedforsecurity=False).hexdigest(),
            size=len(content),
        )
        if blob.sha256 not in self._waiting:
            with durable("a document"):
                file, stream = self._spool()
                self._waiting[blob.sha256] = file, stream
                stream.write(content)
                stream.flush()
        if len(self._waiting) >= _MOST:
            self.settle()
        return blob

    def _found(self, sha256: str) -> str:
        """Where a blob lies that is looked for, durable."""
        if sha256 in self._waiting:
            self.settle()
        return super()._found(sha256)

    def settle(self) -> None:
        """Make everything durable that was put; raises `Busy` where the disk fails."""
        with durable("a document"):
            for _, stream in self._waiting.values():
                os.fsync(stream.fileno())
                stream.close()
            self._place(*((file, sha256) for sha256, (file, _) in self._waiting.items()))
        self._waiting.clear()

    def abort(self) -> None:
        """Forget what was not settled; harmless after `settle`."""
        for file, stream in self._waiting.values():
            with suppress(OSError):
                stream.close()
            with suppress(OSError):
                file.unlink(missing_ok=True)
        self._waiting.clear()


@contextmanager
def together(blobs: Blobs) -> Iterator[Blobs]:
    """A store for a group of Works; what is put into it is durable when the block ends."""
    if not isinstance(blobs, Folder):
        yield blobs
        return
    found = Together(blobs)
    try:
        yield found
        found.settle()
    finally:
        found.abort()
