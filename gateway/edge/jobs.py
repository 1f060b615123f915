"""Background jobs: what runs every so often, and what works a queue until it is empty.

A job that fails is logged and tried again at its next turn: it never ends the server.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from functools import partial
from typing import TypeVar

logger = logging.getLogger(__name__)
_PAUSE = 0.5
_Value = TypeVar("_Value")
Job = Callable[[asyncio.Event], Coroutine[None, None, None]]


async def _tried(name: str, do: Callable[[], _Value], pool: Executor) -> _Value | None:
    """Run a piece of a job on a worker thread; None where it failed: the job goes on."""
    try:
        return await asyncio.get_running_loop().run_in_executor(pool, do)
    except Exception as error:
        logger.error("job %s failed: %s", name, type(error).__name__)
        return None


def every(
    seconds: float, name: str, do: Callable[[], object], pool: Executor, *, last: bool = True
) -> Job:
    """A job that runs `do` on a worker thread every `seconds`, and `last` once more at the stop."""

    async def run(stopping: asyncio.Event) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), seconds)
            if last or not stopping.is_set():
                await _tried(name, do, pool)
            if stopping.is_set():
                return

    return run


def once(name: str, do: Callable[[], object], pool: Executor) -> Job:
    """A job that runs `do` on a worker thread as soon as the doors are open."""

    async def run(stopping: asyncio.Event) -> None:
        await _tried(name, do, pool)
        await stopping.wait()

    return run


def at_stop(do: Callable[[], None]) -> Job:
    """A job that does something as soon as the gateway begins to stop."""

    async def run(stopping: asyncio.Event) -> None:
        await stopping.wait()
        do()

    return run


class Bell:
    """Rung from any thread where work has come, so that the job need not look all the time."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    def ring(self) -> None:
        """Wake the job."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._event.set)

    async def wait(self, seconds: float) -> None:
        """Until somebody rings, at most so long."""
        self._loop = asyncio.get_running_loop()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._event.wait(), seconds)
        self._event.clear()


def until_empty(
    name: str, bell: Bell, work: Callable[[Callable[[], bool]], int], pool: Executor
) -> Job:
    """A job that runs `work` until it says 0, then waits for the bell or half a second.

    `work` is given a question that is true once the gateway stops, to end between two pieces.
    """

    async def run(stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            done = await _tried(name, partial(work, stopping.is_set), pool)
            if done is None:
                await asyncio.sleep(_PAUSE)
            if not done:
                await bell.wait(_PAUSE)

    return run
