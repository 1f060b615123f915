"""Several files at a time: in order, all or nothing, within some memory."""

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from gateway.errors import Busy
from gateway.intake import keeping


def test_what_is_kept_comes_in_order() -> None:
    def slow(number: int) -> Callable[[], int]:
        def one() -> int:
            time.sleep(0.002 * (number % 3))
            return number

        return one

    assert list(keeping.keep((0, slow(number)) for number in range(100))) == list(range(100))


def test_several_are_kept_at_a_time() -> None:
    together = threading.Barrier(keeping.TOGETHER, timeout=20)
    found = keeping.keep((0, together.wait) for _ in range(keeping.TOGETHER))
    assert sorted(found) == list(range(keeping.TOGETHER))


def test_one_that_fails_ends_it() -> None:
    done: list[int] = []

    def fail() -> int:
        raise Busy("disk full", "空きがありません")

    def several() -> Iterator[tuple[int, Callable[[], int]]]:
        yield 0, lambda: 1
        yield 0, fail
        while True:
            done.append(1)
            yield 0, lambda: 2

    found = keeping.keep(several())
    assert next(found) == 1
    with pytest.raises(Busy):
        next(found)
    assert len(done) < 3 * keeping.TOGETHER


def test_large_ones_are_not_in_memory_together() -> None:
    running, most = 0, 0
    guard = threading.Lock()

    def large() -> None:
        nonlocal running, most
        with guard:
            running += 1
            most = max(most, running)
        time.sleep(0.01)
        with guard:
            running -= 1

    list(keeping.keep((12 * 1024 * 1024, large) for _ in range(6)))
    assert most == 1
