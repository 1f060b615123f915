"""Waiting, on the event loop, for an audit event to be durable (G5).

All answers whose events are in one commit wait for one Future: one wake-up of the loop serves them.
"""

import asyncio
from concurrent.futures import Future


class Durable:
    """The answers that wait, by the commit they wait for; used on one event loop."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: dict[Future[None], list[asyncio.Future[None]]] = {}

    async def wait(self, recorded: "Future[None] | None") -> None:
        """Come back once the event is durable; raises what its commit raised."""
        if recorded is None:
            return
        if recorded.done():
            recorded.result()
            return
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[None] = loop.create_future()
        waiters = self._waiting.get(recorded)
        if waiters is not None:
            waiters.append(waiter)
        else:
            self._waiting[recorded] = [waiter]
            recorded.add_done_callback(lambda done: self._tell(loop, done))
        await waiter

    def _tell(self, loop: asyncio.AbstractEventLoop, done: "Future[None]") -> None:
        """On the writer's thread: wake the loop, unless it has ended meanwhile."""
        if not loop.is_closed():
            loop.call_soon_threadsafe(self._wake, done)

    def _wake(self, done: "Future[None]") -> None:
        """Let every answer of this commit go, or fail."""
        error = done.exception()
        for waiter in self._waiting.pop(done, ()):
            if waiter.done():  # its client has left
                continue
            if error is None:
                waiter.set_result(None)
            else:
                waiter.set_exception(error)
