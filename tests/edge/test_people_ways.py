"""`edge.people_ways`: which tries of a password count, and who has to wait (K-01)."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from gateway.audit.door import Door
from gateway.edge.logins import Logins
from gateway.edge.password_logins import Given, PasswordLogins
from gateway.edge.people_ways import Late, PasswordDoor
from gateway.edge.protocol import Client
from gateway.errors import Busy, NotPermitted, Unauthenticated
from gateway.members.passwords import Strength
from gateway.members.sessions import Lifetime
from tests.conftest import Clock

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
HERE, THERE = Client("192.0.2.1", b""), Client("192.0.2.2", b"")
MINE, OTHER = Given("yamamoto01", "x"), Given("suzuki0001", "x")


def never() -> str:
    raise AssertionError


def serving(door: Door, clock: Clock) -> PasswordDoor:
    """One process that serves."""
    hours = timedelta(hours=1)
    logins = Logins(
        door=door, register=never, lifetime=Lifetime(idle=hours, longest=hours), cards=None,
        new_request=never, new_secret=never, clock=clock,
    )  # type: ignore[arg-type]  # fmt: skip
    return PasswordDoor(
        logins=PasswordLogins(logins=logins, strength=Strength(least=13, days=0)),
        pool=ThreadPoolExecutor(1),
    )


def wrong() -> str:
    raise Unauthenticated("wrong", rule="CRD-01")


def test_processes_count_together_and_remember_after_a_restart(door: Door, clock: Clock) -> None:
    first, second = serving(door, clock), serving(door, clock)
    for made in (first, second, first, second, first):
        with pytest.raises(Unauthenticated):
            made.tried(HERE, MINE, wrong)
    asked = []
    for client, given in ((HERE, MINE), (HERE, OTHER), (THERE, MINE)):
        with pytest.raises(Late) as late:
            serving(door, clock).tried(client, given, lambda: asked.append(1))
        assert late.value.seconds == 180
    assert not asked, "nothing is compared meanwhile, not even a right password"
    clock.advance(minutes=3)
    assert second.tried(HERE, MINE, lambda: "in") == "in"


def test_a_right_password_that_leads_nowhere_does_not_count(door: Door, clock: Clock) -> None:
    made = serving(door, clock)

    def suspended() -> str:
        raise NotPermitted("suspended", rule="ACC-03")

    for _ in range(8):
        with pytest.raises(NotPermitted):
            made.tried(HERE, MINE, suspended)


def test_who_comes_when_too_many_wait_is_told_so(door: Door, clock: Clock) -> None:
    made = serving(door, clock)

    async def crowd() -> None:
        for _ in range(16):
            await made.room.acquire()
        with pytest.raises(Busy):
            await made.attempt(HERE, MINE, lambda: "in")
        made.room.release()
        assert await made.attempt(HERE, MINE, lambda: "in") == "in"

    asyncio.run(crowd())
