"""Waiting, on the event loop, for an audit event to be durable (G5).

Events of answers that were made on the loop are held until it has nothing else to do, so that all
requests that lie there share one commit; a request that comes alone waits for two empty turns of
the loop. All answers of one commit wait for one Future: one wake-up of the loop serves them.
"""

import asyncio
from concurrent.futures import Future
from typing import Protocol

_QUIET = 2
"Turns of the loop without a new event: a request is read in one and answered in the next."
_MOST, _LONGEST = 64, 0.01
"Events, and seconds, after which no more are waited for."


class Holder(Protocol):
    """What holds events: the audit door."""

    @property
    def waiting(self) -> int:
        """How many there are."""

    def flush(self) -> None:
        """Let them be committed."""


class Durable:
    """The answers that wait, by the commit they wait for; used on one event loop."""

    __slots__ = ("_quiet", "_seen", "_since", "_waiting", "_watching")

    def __init__(self) -> None:
        self._waiting: dict[Future[None], list[asyncio.Future[None]]] = {}
        self._watching = False
        self._since, self._seen, self._quiet = 0.0, 0, 0

    def gather(self, holder: Holder) -> None:
        """An event is held: see to it that it is let go."""
        if not self._watching:
            loop = asyncio.get_running_loop()
            self._watching, self._since = True, loop.time()
            self._seen = self._quiet = 0
            loop.call_soon(self._look, loop, holder)

    def _look(self, loop: asyncio.AbstractEventLoop, holder: Holder) -> None:
        """Once in each turn of the loop, until no more come or they have waited enough."""
        count = holder.waiting
        self._quiet = self._quiet + 1 if count == self._seen else 0
        self._seen = count
        if self._quiet < _QUIET and count < _MOST and loop.time() - self._since < _LONGEST:
            loop.call_soon(self._look, loop, holder)
            return
        self._watching = False
        holder.flush()

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
