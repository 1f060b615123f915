"""Periods of months and years, counted as Japan's Civil Code counts them (RET-06, RD-22).

Article 140: the first day is not counted unless the rule says so. Article 143: the period ends on
the day before the day that corresponds to its first day; where the last month has no such day, on
that month's last day.
"""

import calendar
from collections.abc import Mapping
from datetime import date, datetime, timedelta, timezone
from functools import lru_cache
from types import MappingProxyType

from gateway.model.network import NetworkPolicy, RetentionPolicy

ZONES: Mapping[str, timezone] = MappingProxyType({"Asia/Tokyo": timezone(timedelta(hours=9))})
"Zones a policy may name; Japan has no summer time, so no zone database is needed."


@lru_cache(maxsize=256)
def day_of(moment: datetime, zone: str) -> date:
    """The day of a moment where the network is."""
    return moment.astimezone(ZONES[zone]).date()


def last_day(
    event: date, *, years: int = 0, months: int = 0, first_day_counts: bool = False
) -> date:
    """The last day of the period that `event` sets off."""
    first = event if first_day_counts else event + timedelta(days=1)
    year, month = divmod(first.year * 12 + first.month - 1 + years * 12 + months, 12)
    days = calendar.monthrange(year, month + 1)[1]
    if first.day > days:
        return date(year, month + 1, days)
    return date(year, month + 1, first.day) - timedelta(days=1)


def last_viewing_day(policy: NetworkPolicy, left: date) -> date | None:
    """The last day of viewing after a person left (RET-05, RD-17); None where there is no end."""
    rule = policy.view_deadline
    if rule is None:
        return None
    end = last_day(left, months=rule.months)
    return end + timedelta(days=1) if rule.inclusive_day else end


def is_expired(retention: RetentionPolicy, since: datetime, now: datetime, zone: str) -> bool:
    """Whether the retention period that began at `since` is over (RET-01, RET-02)."""
    if not retention.years:
        return False
    if (now - since).days < 365 * retention.years - 1:
        return False
    end = last_day(
        day_of(since, zone),
        years=retention.years,
        first_day_counts=retention.first_day_counts,
    )
    return day_of(now, zone) > end
