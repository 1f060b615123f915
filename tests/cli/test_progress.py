"""Lines of progress where nobody watches a bar: what is done, how fast, how long it takes yet."""

import time

import pytest

from gateway.cli import common


def test_time_left_is_told_by_what_was_done_lately(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    with common.progress_left("intake") as tell:
        tell(50_000, 100_000)  # found done: it says nothing about the speed
        for second in range(1, 31):
            now = 1000.0 + second
            tell(50_000 + 100 * second, 100_000)
        lines = capsys.readouterr().err.splitlines()
        assert lines[-1] == "intake: 53000 of 100000, 100/s, 470 s left"
        assert len(lines) == 3
        for second in range(31, 131):  # slower now: what was before is forgotten
            now = 1000.0 + second
            tell(53_000 + 10 * (second - 30), 100_000)
    assert capsys.readouterr().err.splitlines()[-1].endswith("10/s, 4600 s left")


def test_time_left_is_not_made_up(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    with common.progress_left("intake") as tell:
        tell(7, 10)
        now = 1020.0
        tell(7, 10)
    assert capsys.readouterr().err == "intake: 7 of 10, 0/s, ?\n"
