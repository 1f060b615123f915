"""What the disk is asked for: that it keeps names and bytes, and small files at once."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway.errors import Busy

_AT_ONCE = 64 * 1024


@contextmanager
def durable(what: str) -> Iterator[None]:
    """Turn a failing disk into `Busy`: a write or fsync that failed is never taken as done."""
    try:
        yield
    except OSError as error:
        raise Busy(
            f"{what} cannot be stored now", "今は保存できません", rule="R-06", log="LIMIT"
        ) from error


def is_alive(file: Path) -> bool:
    """Whether the process that a temporary file is named after is there."""
    try:
        os.kill(int(file.name.partition("-")[0]), 0)
    except ProcessLookupError:
        return False
    except (ValueError, PermissionError, OverflowError):
        return True
    return True


def fsync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def whole(name: str) -> bytes:
    """The bytes of a file. Small ones come by thousands: no stream is made for each."""
    handle = os.open(name, os.O_RDONLY | os.O_CLOEXEC)
    try:
        parts = []
        while content := os.read(handle, _AT_ONCE):
            parts.append(content)
        return b"".join(parts)
    finally:
        os.close(handle)
