"""Bytes without a receipt: a process that was killed between the two leaves them behind (R-01).

Nothing refers to them, nobody was told of them, and no erasure would find them: they go.
"""

from collections.abc import Callable
from datetime import datetime
from itertools import islice

from gateway.audit.door import Door
from gateway.model.audit import EventKind
from gateway.model.caller import Caller
from gateway.record import removal
from gateway.store.blobs import Blobs

_AT_ONCE = 500


def unreferenced(door: Door, blobs: Blobs, job: Callable[[], Caller], before: datetime) -> int:
    """Remove what was placed before that moment and nothing refers to; how many there were.

    What was looked at once is not looked at again. An upload whose bytes go while its receipt is
    being made is refused with the word to send it again, never acknowledged.
    """
    gone = 0
    placed = blobs.untidied(before)
    while digests := list(islice(placed, _AT_ONCE)):
        loose = door.snapshot(lambda db: removal.loose(db, digests), max_age=0.0)
        if loose:
            with door.work(EventKind.JOB, job()) as work:
                removal.remove(work, loose, before)
            gone += len(loose)
    blobs.tidied(before)
    return gone
