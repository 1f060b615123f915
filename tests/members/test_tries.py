"""Tries at passwords that fail: counted together by every process, on both databases (K-01)."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from sqlalchemy import text

from gateway.members import sessions, tries
from gateway.store.database import Database
from tests.conftest import Clock

ME, HERE, THERE = "yamamoto01", "192.0.2.1", "192.0.2.2"
MINUTE = timedelta(minutes=1)


def take(database: Database, now: datetime, name: str = ME, address: str = HERE) -> float:
    """Minutes to wait; a connection of its own, as another process has."""
    with database.writing() as db:
        return tries.take(db, name, address, now).wait / MINUTE


def right(database: Database, now: datetime, name: str = ME, address: str = HERE) -> float:
    with database.writing() as db:
        taken = tries.take(db, name, address, now)
    if not taken.wait:
        with database.writing() as db:
            tries.give_back(db, taken, name)
            tries.trust(db, name, address, now)
    return taken.wait / MINUTE


def fail(database: Database, now: datetime, times: int, **whose: str) -> None:
    for _ in range(times):
        assert take(database, now, **whose) == 0


def test_an_id_and_an_address_wait_twice_as_long_each_time(
    database: Database, clock: Clock
) -> None:
    fail(database, clock.now, 5)
    assert take(database, clock.now) == 3
    assert take(database, clock.now, name="suzuki0001") == 3, "the address"
    assert take(database, clock.now, name=ME.upper(), address=THERE) == 3, "the id"
    for waited in (3, 6, 12, 24, 48, 60, 60):
        clock.advance(minutes=waited - 0.5)
        assert take(database, clock.now) == 0.5
        clock.advance(minutes=0.5)
        assert take(database, clock.now) == 0
    clock.advance(minutes=60 + 15)  # and then all is forgotten
    fail(database, clock.now, 5)
    assert take(database, clock.now) == 3


def test_tries_a_quarter_of_an_hour_apart_do_not_add_up(database: Database, clock: Clock) -> None:
    for _ in range(4):
        fail(database, clock.now, 4)
        clock.advance(minutes=15)
    fail(database, clock.now, 5)
    assert take(database, clock.now) == 3


def test_an_address_that_has_to_wait_locks_nobody_out(database: Database, clock: Clock) -> None:
    for number in range(8):
        take(database, clock.now, name=f"nobody{number}")
    assert take(database, clock.now) > 0
    assert take(database, clock.now, address=THERE) == 0


def test_what_was_right_does_not_count_and_buys_no_tries_at_others(
    database: Database, clock: Clock
) -> None:
    for _ in range(8):
        assert right(database, clock.now) == 0
    for _ in range(5):
        fail(database, clock.now, 1, name="victim0001")
        wait = right(database, clock.now)
    assert wait == 3, "the address has to wait, whosever right password comes from it"
    clock.advance(minutes=3)
    assert right(database, clock.now) == 0
    assert right(database, clock.now) == 0, "and having waited is enough"


def test_strangers_do_not_keep_out_whom_this_address_is_known_of(
    database: Database, clock: Clock
) -> None:
    assert right(database, clock.now) == 0
    for number in range(5):
        fail(database, clock.now, 1, address=f"198.51.100.{number}")
    assert take(database, clock.now, address=THERE) == 3
    assert right(database, clock.now) == 0, "from where they came in lately"
    assert take(database, clock.now, address=THERE) == 0, "and a right one clears the id"
    clock.advance(days=30)
    fail(database, clock.now, 5, address="198.51.100.9")
    assert take(database, clock.now) == 3, "not for ever"


def test_of_ipv6_the_network_counts(database: Database, clock: Clock) -> None:
    for number in range(5):
        fail(database, clock.now, 1, name=f"n{number}", address=f"2001:db8:1:2::{number:x}")
    assert take(database, clock.now, address="2001:db8:1:2:ffff::1") == 3
    assert take(database, clock.now, address="2001:db8:1:3::1") == 0
    assert take(database, clock.now, name="n", address="not an address") == 0


def test_tries_at_once_are_counted_one_by_one(database: Database, clock: Clock) -> None:
    with ThreadPoolExecutor(8) as pool:
        waits = list(pool.map(lambda _: take(database, clock.now), range(24)))
    assert sorted(waits) == [0] * 5 + [3] * 19


def test_a_clock_that_jumps_back_keeps_nobody_out(database: Database, clock: Clock) -> None:
    fail(database, clock.now, 5)
    clock.advance(days=-400)
    assert take(database, clock.now) == 3
    clock.advance(days=400, minutes=3)
    assert take(database, clock.now) == 0


@pytest.mark.parametrize("typed", ["pass word#1", "\ud800", "x" * 5000, ""])
def test_what_was_typed_is_not_kept_and_all_goes_in_time(
    database: Database, clock: Clock, typed: str
) -> None:
    assert take(database, clock.now, name=typed) == 0
    with database.writing() as db:
        kept = str(db.execute(text("SELECT * FROM login_try")).all())
        assert typed not in kept or not typed
        assert HERE not in kept
        sessions.forget_ended(db, clock.now + timedelta(minutes=15, seconds=1))
        assert db.execute(text("SELECT count(*) FROM login_try")).scalar_one() == 0
