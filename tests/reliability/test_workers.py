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
    server, load = installed.start("--workers", "2"), Load(SEED)
    installed.keep_ports(server)
    try:
        before = workers(server)
        assert len(before) == 2
        threads = load.start(server)
        time.sleep(1.0)
        gone = min(before)
        os.kill(gone, signal.SIGKILL)
        until = time.monotonic() + 20
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
