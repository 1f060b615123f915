"""Ways to log in at the people door that have threads and limits of their own (K-01)."""

from concurrent.futures import Executor
from dataclasses import dataclass

from gateway.edge.account_logins import AccountLogins
from gateway.edge.limits import Rate
from gateway.edge.password_logins import Given, PasswordLogins
from gateway.edge.protocol import Client


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

    def take(self, given: Given, client: Client) -> float:
        """Take one try of the id and of the address; 0 where it may go on, else seconds to wait."""
        return max(self.rate.take(known) for known in _counted(given, client))

    def give_back(self, given: Given, client: Client) -> None:
        """Let a try that was right not count."""
        for known in _counted(given, client):
            self.rate.give_back(known)


def _counted(given: Given, client: Client) -> tuple[str, str]:
    return f"id {given.name.lower()}", f"address {client.address}"
