"""Several worker processes on one installation: one that is killed is replaced, nothing is lost."""

import os
import signal
import time
from pathlib import Path

import pytest

from tests.reliability import compare
from tests.reliability.installation import Installation, Server, descendants
from tests.reliability.load import Load

# A peer that is killed between connect and hand-shake lets CPython's SSLSocket leave its socket to
# the collector (ssl.SSLSocket._create raises what recv says, and does not close).
pytestmark = pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <ssl.SSLSocket:pytest.PytestUnraisableExceptionWarning"
)
SEED = "2026"


def workers(server: Server) -> set[int]:
    """The processes below the parent that serve; each has helpers of its own below it."""
    return {
        pid for pid in descendants(server.process.pid)
        if _parent(pid) == server.process.pid
    }  # fmt: skip


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[1])
    except OSError:
        return 0


def test_a_killed_worker_is_replaced_and_nothing_acknowledged_is_lost(
    installed: Installation,
) -> None:
    installed.add("\n[intake]\nworkers = 0\n")
    server, load = installed.start("--workers", "2"), Load(SEED)
    installed.keep_ports(server)
    try:
        before = workers(server)
        assert len(before) == 2
        threads = load.start(server)
        time.sleep(1.0)
        load.until(21)
        gone = min(before)
        os.kill(gone, signal.SIGKILL)
        until = time.monotonic() + 60
        while (now := workers(server)) == before or len(now) < 2:
            assert time.monotonic() < until, "nobody took its place"
            time.sleep(0.1)
        assert gone not in now
        time.sleep(1.0)
        load.stop(threads)
        load.again(server)
        server.becomes_ready(True)
        until = time.monotonic() + 90  # what a dead process left is swept within a minute (M-04)
        while left := list((installed.blobs / "temporary").iterdir()):
            assert time.monotonic() < until, left
            time.sleep(0.5)
        answered = sum(sent.acked for sent in load.sent)
        assert answered > 20
        assert server.terminate() == 0
    finally:
        if server.process.poll() is None:
            server.kill()
    with installed.served() as again:  # bytes without a receipt go at the next start
        compare.by_wire(again, load)
        assert again.terminate() == 0
    told = compare.in_store(installed, load)
    print(f"seed {SEED}: {len(load.sent)} sent, {answered} acknowledged, {told['events']} events")


@pytest.mark.parametrize("installed", ["sqlite"], indirect=True)
def test_workers_that_cannot_start_end_the_command(installed: Installation) -> None:
    installed.change(("host = ", 'names_wrong = "x"\nhost = '))
    with pytest.raises(AssertionError, match="did not start"):
        installed.start("--workers", "2")


def intake_workers(server: Server, count: int) -> set[int]:
    """The processes that work the queue through: children of the one child that starts them."""
    until = time.monotonic() + 60
    while True:
        below = workers(server)
        found = {pid for pid in descendants(server.process.pid) if _parent(pid) in below}
        if len(found) == count:
            return found
        assert time.monotonic() < until, f"{len(found)} intake workers instead of {count}"
        time.sleep(0.1)


def test_intake_workers_that_are_killed_are_replaced_and_lose_nothing(
    installed: Installation,
) -> None:
    installed.add("\n[intake]\nworkers = 2\n")
    server, load = installed.start(), Load(SEED)
    installed.keep_ports(server)
    try:
        threads = load.start(server)
        for _ in range(2):
            time.sleep(0.7)
            gone = min(intake_workers(server, 2))
            os.kill(gone, signal.SIGKILL)
            until = time.monotonic() + 60
            while gone in intake_workers(server, 2):
                assert time.monotonic() < until, "nobody took its place"
                time.sleep(0.1)
        load.until(11)
        load.stop(threads)
        load.again(server)
        assert sum(sent.acked for sent in load.sent) > 10
        compare.by_wire(server, load)
        assert server.terminate() == 0
    finally:
        if server.process.poll() is None:
            server.kill()
    compare.in_store(installed, load)


@pytest.mark.parametrize("installed", ["sqlite"], indirect=True)
def test_intake_workers_end_with_a_gateway_that_is_killed(installed: Installation) -> None:
    server = installed.start()
    below = descendants(server.process.pid)
    intake_workers(server, 1)
    os.kill(server.process.pid, signal.SIGKILL)
    server.process.wait(10)
    until = time.monotonic() + 60
    while left := {pid for pid in below if Path(f"/proc/{pid}").exists()}:
        assert time.monotonic() < until, left
        time.sleep(0.1)
    with installed.served() as again:
        assert again.terminate() == 0
    assert server.process.stdout is not None
    server.process.stdout.close()
