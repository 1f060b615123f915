"""Logging in by id and password, and choosing one's own password (CRD-01 to CRD-05, K-01, K-02).

The password is compared before the Work that records what came of it: comparing takes long on
purpose, and nothing of the database waits for it.
"""

import secrets
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from gateway.audit.door import tried
from gateway.edge.logins import Begun, Logins
from gateway.edge.protocol import Client
from gateway.members import handovers, passwords, users
from gateway.members.passwords import Issued, Strength, Tried
from gateway.model import chance
from gateway.model.audit import EventKind
from gateway.model.caller import LevelOfAssurance
from gateway.model.passwords import digest


@dataclass(frozen=True, slots=True)
class Given:
    """What somebody typed."""

    name: str
    password: str

    def __repr__(self) -> str:
        """Without what was typed: some type their password where the id belongs."""
        return "Given()"


@dataclass(frozen=True, slots=True)
class HandedOver:
    """A temporary password, for the one time that it is shown."""

    issued: Issued
    temporary: str

    def as_json(self) -> dict[str, Any]:
        """As the people door tells it."""
        return {
            "user": self.issued.user, "login_id": self.issued.login_id,
            "temporary": self.temporary, "ends": self.issued.ends,
        }  # fmt: skip

    def __repr__(self) -> str:
        """Without the password."""
        return f"HandedOver({self.issued!r})"


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordLogins:
    """Lets in who knows the password, and lets everybody choose their own."""

    logins: Logins
    strength: Strength
    holds: timedelta = timedelta(hours=72)
    "How long a temporary password may be used."

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

    def change(self, client: Client, given: Given, new: str, login_id: str = "") -> None:
        """Choose a new password, and an id in the place of a temporary one (CRD-05).

        Whoever is logged in as the user is out. Raises `Invalid` where it may not be chosen, and
        what `enter` raises but for its age.
        """
        compared = self._compare(given)
        door = self.logins.door
        chosen = None
        if compared.matched:
            salt = secrets.token_bytes(16)
            chosen = tried(
                lambda: passwords.choose(
                    compared, new, door.policy, self.strength, salt=salt, login_id=login_id
                )
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
        found = self.logins.door.snapshot(lambda db: passwords.kept(db, given.name), max_age=0.0)
        return passwords.compare(given.name, found, given.password, self.strength)

    @property
    def hands_over(self) -> bool:
        """Whether managers hand passwords over here (CRD-07)."""
        return self.logins.door.policy.credentials.handover == "manager"

    def hand_over(self, client: Client, cookie: str, code: str) -> HandedOver:
        """What the manager behind a cookie hands over, this once.

        Raises `NotFound` where there is nothing of theirs, `Gone` the second time.
        """
        self.logins.session(client, cookie)  # nothing is hashed for strangers
        temporary = chance.new_password()
        kept = digest(temporary, secrets.token_bytes(16), self.strength.cost)
        with self.logins.door.work(EventKind.ADMIN, self.logins.stranger(client)) as work:
            self.logins.act(work, client, cookie)
            return HandedOver(handovers.show(work, code, kept, holds=self.holds), temporary)
