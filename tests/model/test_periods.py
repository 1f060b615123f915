"""Calendar counting of the Civil Code, at month ends and leap days (RET-01, RET-02, RET-05)."""

from datetime import UTC, date, datetime

import pytest

from gateway.model import network
from gateway.model.periods import is_expired, last_day, last_viewing_day


@pytest.mark.parametrize(
    ("event", "years", "months", "counts", "end"),
    [
        pytest.param("2021-04-01", 5, 0, False, "2026-04-01", id="TGP: first day not counted"),
        pytest.param("2021-04-01", 5, 0, True, "2026-03-31", id="IGT: first day counted"),
        pytest.param("2024-01-31", 0, 3, False, "2024-04-30", id="FKO: from a month's end"),
        pytest.param("2023-11-29", 0, 3, False, "2024-02-29", id="no 30 February, leap year"),
        pytest.param("2022-11-29", 0, 3, False, "2023-02-28", id="no 30 February"),
        pytest.param("2020-02-28", 5, 0, False, "2025-02-28", id="begins on a leap day"),
        pytest.param("2020-02-29", 5, 0, False, "2025-02-28", id="set off on a leap day"),
        pytest.param("2020-02-29", 4, 0, True, "2024-02-28", id="leap day to leap day"),
        pytest.param("2020-02-29", 5, 0, True, "2025-02-28", id="leap day counted, none at end"),
        pytest.param("2023-12-31", 5, 0, False, "2028-12-31", id="over the year's end"),
        pytest.param("2024-10-31", 0, 1, True, "2024-11-30", id="31st counted, 30-day month"),
        pytest.param("2024-01-30", 0, 1, False, "2024-02-29", id="31 January plus a month"),
        pytest.param("2023-01-30", 0, 1, False, "2023-02-28", id="the same, no leap year"),
    ],
)
def test_the_last_day_of_a_period(
    event: str, years: int, months: int, counts: bool, end: str
) -> None:
    found = last_day(date.fromisoformat(event), years=years, months=months, first_day_counts=counts)
    assert found == date.fromisoformat(end)


@pytest.mark.parametrize(
    ("left", "last"), [("2024-01-31", "2024-05-01"), ("2023-11-29", "2024-03-01")]
)
def test_fukuoka_views_end_the_day_after_three_months(left: str, last: str) -> None:
    policy = network.load(network.template("fko"))
    assert last_viewing_day(policy, date.fromisoformat(left)) == date.fromisoformat(last)


def test_most_networks_have_no_viewing_deadline() -> None:
    assert last_viewing_day(network.load(network.template("tgp")), date(2024, 1, 31)) is None


@pytest.mark.parametrize(
    ("code", "now", "expired"),
    [
        # The last moment of the day is the last moment in Japan, not in UTC.
        ("tgp", "2026-04-01T14:59:59+00:00", False),
        ("tgp", "2026-04-01T15:00:00+00:00", True),
        ("igt", "2026-03-31T14:59:59+00:00", False),
        ("igt", "2026-03-31T15:00:00+00:00", True),
        ("tkm", "2099-01-01T00:00:00+00:00", False),
    ],
)
def test_retention_expires_at_midnight_in_japan(code: str, now: str, expired: bool) -> None:
    policy = network.load(network.template(code))
    registered = datetime(2021, 4, 1, 3, 0, tzinfo=UTC)
    moment = datetime.fromisoformat(now)
    assert is_expired(policy.retention, registered, moment, policy.timezone) is expired
