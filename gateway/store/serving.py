"""One server for one folder of documents: a second one would sweep away what comes in (M-04)."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from gateway.settings import SettingsError
from gateway.store.blobs import blobs_from_url

_LOCK = "serving.lock"


@contextmanager
def sole_server(url: str) -> Iterator[None]:
    """Hold the folder's lock, or refuse to start.

    The lock goes with the process, however that ends; worker processes share their parent's.
    """
    folder = blobs_from_url(url).root
    handle = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise SettingsError(
                f"[blobs] url: another gateway serves {folder.name}: stop it first"
            ) from error
        yield
    finally:
        os.close(handle)
