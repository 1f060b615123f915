"""Ways to log in at the people door that have threads and limits of their own (K-01)."""

import asyncio
from concurrent.futures import Executor
from dataclasses import dataclass, field

from gateway.edge.account_logins import AccountLogins
from gateway.edge.limits import Rate
from gateway.edge.password_logins import Given, PasswordLogins
from gateway.edge.protocol import Client

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


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordDoor:
    """Log-in by password, on few threads: what is slow on purpose must not take every processor."""

    logins: PasswordLogins
    rate: Rate
    "Tries that fail, of one id or from one address."
    pool: Executor
    room: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_WAITING))

    def take(self, given: Given, client: Client) -> float:
        """Take one try of the address and of the id; 0 where it may go on, else seconds to wait.

        An address that has to wait uses up no try of anybody's id: it could lock others out.
        """
        for known in _counted(given, client):
            if wait := self.rate.take(known):
                return wait
        return 0.0

    def give_back(self, given: Given, client: Client) -> None:
        """Let a try that was right not count."""
        for known in _counted(given, client):
            self.rate.give_back(known)


def _counted(given: Given, client: Client) -> tuple[str, str]:
    return f"address {client.address}", f"id {given.name.lower()}"
