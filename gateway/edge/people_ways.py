"""Ways to log in at the people door that have threads and limits of their own (K-01)."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import TypeVar

from sqlalchemy import Connection

from gateway.edge.account_logins import AccountLogins
from gateway.edge.limits import Rate
from gateway.edge.password_logins import Given, PasswordLogins
from gateway.edge.protocol import Client
from gateway.errors import Busy, Refusal
from gateway.members import tries
from gateway.members.tries import Taken

_Value = TypeVar("_Value")
_WAITING = 16
"Passwords that are compared or wait for it; whoever comes then is told to come again."


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountDoor:
    """Log-in at an OpenID provider, on threads of its own: nobody else waits for the provider."""

    logins: AccountLogins
    rate: Rate
    "How often one address may be sent there."
    pool: Executor

    @property
    def origins(self) -> frozenset[str]:
        """Where a browser that is sent to log in may go."""
        return self.logins.conversation.provider.origins


class Late(Exception):
    """An id or an address has to wait."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordDoor:
    """Log-in by password, on few threads: what is slow on purpose must not take every processor."""

    logins: PasswordLogins
    pool: Executor
    room: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_WAITING))

    async def attempt(self, client: Client, given: Given, do: Callable[[], _Value]) -> _Value:
        """What a password leads to; only wrong ones count.

        Raises `Late` before anything is compared, `Busy` where too many come at once.
        """
        if self.room.locked():
            raise Busy("too many log in now: try again", "混み合っています。再度お試しください")
        async with self.room:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self.pool, lambda: self.tried(client, given, do))

    def tried(self, client: Client, given: Given, do: Callable[[], _Value]) -> _Value:
        """The same, on a thread that may wait."""
        logins = self.logins.logins
        taken: Taken = logins.door.keep(
            lambda db: tries.take(db, given.name, client.address, logins.clock())
        )
        if taken.wait:
            raise Late(taken.wait.total_seconds())
        try:
            found = do()
        except Refusal as refusal:
            if refusal.rule != "CRD-01":
                logins.door.keep(lambda db: tries.give_back(db, taken, given.name))
            raise
        moment = logins.clock()

        def right(db: Connection) -> None:
            tries.give_back(db, taken, given.name)
            tries.trust(db, given.name, client.address, moment)

        logins.door.keep(right)
        return found
