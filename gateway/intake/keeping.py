"""Several files made durable at a time: a disk waits for eight about as long as for one."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

_Kept = TypeVar("_Kept")
TOGETHER = 8
_WAITING = 2 * TOGETHER
_BYTES = 16 * 1024 * 1024
"Of files that are in memory meanwhile; a larger one is alone."


def keep(several: Iterable[tuple[int, Callable[[], _Kept]]]) -> Iterator[_Kept]:
    """What each of these gives, in their order; with each, the bytes of memory that it holds.

    The first that fails ends it; what was begun before is ended in order.
    """
    with ThreadPoolExecutor(TOGETHER, thread_name_prefix="keep") as pool:
        begun: deque[tuple[int, Future[_Kept]]] = deque()
        held = 0
        for size, one in several:
            while begun and (len(begun) >= _WAITING or held + size > _BYTES):
                before, first = begun.popleft()
                held -= before
                yield first.result()
            begun.append((size, pool.submit(one)))
            held += size
        while begun:
            yield begun.popleft()[1].result()
