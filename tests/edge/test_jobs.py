"""Background jobs: one that fails is told and goes on; all of them end with the gateway."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from gateway.edge import jobs


class Piece:
    """Something that fails the first time, and is done the times after."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self, stopping: Callable[[], bool] | None = None) -> int:
        self.times += 1
        if self.times == 1:
            raise KeyError("a value that no log may hold")
        return 0


async def ended(make: Callable[[ThreadPoolExecutor], jobs.Job], over: Callable[[], bool]) -> None:
    """Run a job until something is so, and see that it ends when it is told to."""
    stopping = asyncio.Event()
    with ThreadPoolExecutor(1) as pool:
        task = asyncio.ensure_future(make(pool)(stopping))
        async with asyncio.timeout(20):
            while not over():
                await asyncio.sleep(0.01)
            stopping.set()
            await task


def failures(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [one.getMessage() for one in caplog.records if one.levelno == logging.ERROR]


def test_one_that_runs_every_so_often_runs_again_after_a_failure(
    caplog: pytest.LogCaptureFixture,
) -> None:
    piece = Piece()
    asyncio.run(
        ended(lambda pool: jobs.every(0.01, "sweep", piece, pool), lambda: piece.times >= 3)
    )
    assert failures(caplog) == ["job sweep failed: KeyError"]


def test_one_that_runs_once_is_not_run_again(caplog: pytest.LogCaptureFixture) -> None:
    piece = Piece()
    asyncio.run(ended(lambda pool: jobs.once("tidy", piece, pool), lambda: piece.times == 1))
    assert piece.times == 1
    assert failures(caplog) == ["job tidy failed: KeyError"]


def test_one_that_works_a_queue_looks_again_after_a_failure(
    caplog: pytest.LogCaptureFixture,
) -> None:
    piece = Piece()
    bell = jobs.Bell()
    asyncio.run(
        ended(lambda pool: jobs.until_empty("queue", bell, piece, pool), lambda: piece.times >= 2)
    )
    assert failures(caplog) == ["job queue failed: KeyError"]
