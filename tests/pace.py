"""Limits of time that hold on a busy machine too: the processor's seconds, not the clock's."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


@contextmanager
def thread_spends(seconds: float) -> Iterator[None]:
    """What this thread does inside takes less than so many seconds of the processor."""
    begun = time.thread_time()
    yield
    took = time.thread_time() - begun
    assert took < seconds, f"{took:.2f} s of the processor"


@contextmanager
def process_spends(pid: int, seconds: float) -> Iterator[None]:
    """What another process does meanwhile takes less than so many seconds of the processor.

    All its threads, and what it has waited for; counted in hundredths of a second.
    """
    begun = _spent(pid)
    yield
    took = _spent(pid) - begun
    assert took < seconds, f"{took:.2f} s of the processor"


def _spent(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return sum(int(ticks) for ticks in fields[11:15]) / _TICKS
