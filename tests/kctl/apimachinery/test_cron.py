"""When schedules fire, in time zones and around changes of the clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from kctl.apimachinery import cron


def times_of(schedule: str, start: str, count: int, zone: str = "UTC") -> list[str]:
    parsed, moment, found = cron.parse(schedule), datetime.fromisoformat(start).replace(tzinfo=UTC), []
    for _ in range(count):
        following = parsed.next(moment, ZoneInfo(zone))
        assert following is not None
        moment = following
        found.append(moment.astimezone(UTC).strftime("%m-%d %H:%M"))
    return found


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("* * * * *", ["01-01 00:01", "01-01 00:02"]),
        ("*/20 * * * *", ["01-01 00:20", "01-01 00:40"]),
        ("5/25 * * * *", ["01-01 00:05", "01-01 00:30"]),
        ("30 4 1,15 * 5", ["01-01 04:30", "01-02 04:30"]),  # either the day of the month or Friday (2 January 2026)
        ("0 0 13 * *", ["01-13 00:00", "02-13 00:00"]),
        ("0 12 * * mon-wed", ["01-05 12:00", "01-06 12:00"]),
        ("0 0 29 2 *", ["02-29 00:00"]),
        ("@hourly", ["01-01 01:00", "01-01 02:00"]),
        ("@weekly", ["01-04 00:00", "01-11 00:00"]),
        ("@yearly", ["01-01 00:00"]),
        ("@every 90m", ["01-01 01:30", "01-01 03:00"]),
        ("0 0 */2 * 0", ["01-11 00:00", "01-25 00:00"]),  # a star with a step is a star: both must hold
    ],
)
def test_times(schedule: str, expected: list[str]) -> None:
    assert times_of(schedule, "2026-01-01T00:00:00", len(expected)) == expected


def test_a_schedule_of_its_own_zone() -> None:
    assert times_of("TZ=Asia/Tokyo 0 9 * * *", "2026-01-01T00:00:30", 1) == ["01-02 00:00"]
    assert times_of("0 9 * * *", "2026-01-01T00:00:30", 1, "America/New_York") == ["01-01 14:00"]
    assert times_of("0 9 * * *", "2026-01-01T00:00:30", 1, "Asia/Kolkata") == ["01-01 03:30"]


def test_what_summer_time_leaves_out_is_skipped_and_what_it_repeats_is_done_twice() -> None:
    assert times_of("30 2 * * *", "2026-03-28T12:00:00", 1, "Europe/Berlin") == ["03-30 00:30"]
    assert times_of("30 2 * * *", "2026-10-24T12:00:00", 2, "Europe/Berlin") == ["10-25 00:30", "10-25 01:30"]
    assert times_of("0 0 * * *", "2026-10-24T12:00:00", 2, "Europe/Berlin") == ["10-24 22:00", "10-25 23:00"]


def test_what_never_comes() -> None:
    assert cron.parse("0 0 30 2 *").next(datetime(2026, 1, 1, tzinfo=UTC), UTC) is None


def test_every_minute_of_a_day_is_found_once() -> None:
    parsed, moment, count = cron.parse("* * * * *"), datetime(2026, 3, 29, tzinfo=UTC), 0
    while (moment := parsed.next(moment, ZoneInfo("Europe/Berlin")) or moment) <= datetime(2026, 3, 30, tzinfo=UTC):
        count += 1
    assert count == timedelta(days=1) // timedelta(minutes=1)
