"""Background jobs: sealing and checkpoints of the audit chain; later intake and retention.

A job that fails is logged and tried again at its next turn: it never ends the server.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor

logger = logging.getLogger(__name__)
Job = Callable[[asyncio.Event], Coroutine[None, None, None]]


def every(seconds: float, name: str, do: Callable[[], object], pool: Executor) -> Job:
    """A job that runs `do` on a worker thread every `seconds`, and once more at the stop."""

    async def run(stopping: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), seconds)
            try:
                await loop.run_in_executor(pool, do)
            except Exception as error:
                logger.error("job %s failed: %s", name, type(error).__name__)
            if stopping.is_set():
                return

    return run
