"""Logging in by id and password, and choosing one's own password (CRD-01 to CRD-05, K-01, K-02).

The password is compared before the Work that records what came of it: comparing takes long on
purpose, and nothing of the database waits for it.
"""

import secrets
from dataclasses import dataclass, replace

from gateway.audit.door import tried
from gateway.edge.logins import Begun, Logins
from gateway.edge.protocol import Client
from gateway.members import passwords, users
from gateway.members.passwords import Strength, Tried
from gateway.model.audit import EventKind
from gateway.model.caller import LevelOfAssurance


@dataclass(frozen=True, slots=True)
class Given:
    """What somebody typed."""

    name: str
    password: str

    def __repr__(self) -> str:
        """Without what was typed: some type their password where the id belongs."""
        return "Given()"


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordLogins:
    """Lets in who knows the password, and lets everybody choose their own."""

    logins: Logins
    strength: Strength

    def enter(self, client: Client, given: Given) -> Begun:
        """Log in.

        Raises `Unauthenticated` where id or password is wrong, or it must be changed first;
        `NotPermitted` where the user or the facility is suspended.
        """
        compared = self._compare(given)
        with self.logins.door.work(EventKind.LOGIN, self.logins.stranger(client)) as work:
            work.trail.detail["way"] = "password"
            user = passwords.require_right(work, compared)
            passwords.require_current(work, compared, self.strength)
            return self.logins.let_in(work, client, user, LevelOfAssurance.PASSWORD)

    def change(self, client: Client, given: Given, new: str) -> None:
        """Choose a new password; whoever is logged in as the user is out.

        Raises `Invalid` where it may not be chosen, and what `enter` raises but for its age.
        """
        compared = self._compare(given)
        door = self.logins.door
        chosen = None
        if compared.matched:
            salt = secrets.token_bytes(16)
            chosen = tried(
                lambda: passwords.choose(compared, new, door.policy, self.strength, salt=salt)
            )
        with door.work(EventKind.LOGIN, self.logins.stranger(client)) as work:
            work.trail.detail["way"] = "password"
            user = passwords.require_right(work, compared)
            caller = users.caller(  # only who is active chooses
                work, user.name, domains=frozenset(), request=work.caller.request
            )
            work.caller = replace(
                caller, assurance=LevelOfAssurance.PASSWORD, address=client.address,
                certificate=client.sha256,
            )  # fmt: skip
            if isinstance(chosen, Exception):
                raise chosen
            if chosen is not None:
                passwords.change(work, compared, chosen)
                work.trail.code = "LOGIN"

    def _compare(self, given: Given) -> Tried:
        row = None
        if users.is_name(given.name):
            row = self.logins.door.snapshot(lambda db: passwords.kept(db, given.name), max_age=0.0)
        return passwords.compare(given.name, row, given.password, self.strength)
