"""The limits of `tests.pace` notice work, and only work."""

import os
import time

import pytest

from tests.pace import process_spends, thread_spends


def work(seconds: float) -> None:
    begun = time.thread_time()
    while time.thread_time() - begun < seconds:
        pass


def test_work_counts_and_waiting_does_not() -> None:
    with thread_spends(0.1), process_spends(os.getpid(), 1.0):
        time.sleep(0.2)
    with pytest.raises(AssertionError, match="of the processor"), thread_spends(0.1):
        work(0.15)
    with pytest.raises(AssertionError, match="of the processor"):
        with process_spends(os.getpid(), 0.1):
            work(0.15)
