"""`edge.people_ways`: which tries of a password count against whom (K-01)."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from gateway.edge.limits import Rate
from gateway.edge.logins import Logins
from gateway.edge.password_logins import Given, PasswordLogins
from gateway.edge.people_ways import PasswordDoor
from gateway.edge.protocol import Client
from gateway.members.passwords import Strength
from gateway.members.sessions import Lifetime
from tests.conftest import Clock

HERE, THERE = Client("192.0.2.1", b""), Client("192.0.2.2", b"")
MINE, OTHER = Given("yamamoto01", "x"), Given("suzuki0001", "x")


def door(clock: Clock) -> PasswordDoor:
    def never() -> str:
        raise AssertionError

    hours = timedelta(hours=1)
    logins = Logins(
        door=None, register=never, lifetime=Lifetime(idle=hours, longest=hours), cards=None,
        new_request=never, new_secret=never, clock=clock,
    )  # type: ignore[arg-type]  # fmt: skip
    return PasswordDoor(
        logins=PasswordLogins(logins=logins, strength=Strength(least=13, days=0)),
        rate=Rate(5 / 900, 5, lambda: clock().timestamp()),
        pool=ThreadPoolExecutor(1),
    )


def test_an_id_and_an_address_wait_and_only_for_a_time(clock: Clock) -> None:
    made = door(clock)
    assert [made.take(MINE, HERE) for _ in range(5)] == [0.0] * 5
    assert made.take(MINE, HERE) > 60
    assert made.take(OTHER, HERE) > 60  # the address
    assert made.take(MINE, THERE) > 60  # the id, in whatever letters
    assert made.take(Given("YAMAMOTO01", "x"), THERE) > 60
    clock.advance(minutes=3)
    assert made.take(MINE, HERE) == 0.0


def test_an_address_that_has_to_wait_locks_nobody_out(clock: Clock) -> None:
    made = door(clock)
    for number in range(30):
        made.take(Given(f"nobody{number}", "x"), HERE)
    for _ in range(30):
        assert made.take(MINE, HERE) > 0
    assert made.take(MINE, THERE) == 0.0


def test_what_was_right_does_not_count(clock: Clock) -> None:
    made = door(clock)
    for _ in range(50):
        assert made.take(MINE, HERE) == 0.0
        made.give_back(MINE, HERE)
