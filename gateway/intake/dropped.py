"""A file of a folder on its way in: never one behind a link, never one that still changes."""

import os
import stat
from dataclasses import dataclass
from typing import BinaryIO

from gateway.errors import Busy
from gateway.standardize.folders import FolderFile
from gateway.store.blobs import Blob, Blobs

_LOOK = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Dropped:
    """A file on its way in; what changes while it is copied is not complete."""

    landed: FolderFile
    blobs: Blobs

    @property
    def path(self) -> str:
        """Its path below the folder."""
        return self.landed.path

    @property
    def in_tree(self) -> bool:
        """Whether it lies in a folder below."""
        return "/" in self.landed.path

    def reader(self) -> BinaryIO:
        """Its bytes, to look at; never those behind a link."""
        try:
            handle = os.open(self.landed.file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError as error:
            raise _changed() from error
        stream = os.fdopen(handle, "rb")
        if not self._is_same(os.fstat(handle)):
            stream.close()
            raise _changed()
        return stream

    def commit(self) -> Blob:
        """Copy its bytes into the store."""
        with self.reader() as stream:
            blob = self.blobs.put(iter(lambda: stream.read(_LOOK), b""))
            if not self._is_same(os.fstat(stream.fileno())):
                raise _changed()
        return blob

    def _is_same(self, found: os.stat_result) -> bool:
        known = (self.landed.size, self.landed.modified)
        return stat.S_ISREG(found.st_mode) and (found.st_size, found.st_mtime_ns) == known


def _changed() -> Busy:
    return Busy("the file is still being written", "書き込み中のファイルです", at="file")
