"""`kill -9` of the real server during intake, again and again (`security.md` R-01, G4).

Senders push uploads, files of a tree, documents and feeds over TLS; the whole process group is
killed at a moment drawn by seed, started again, and what the clients were told is compared with
what is there. The suite kills 8 times on SQLite and 4 times on
PostgreSQL; `make campaign` 40 times on each.
"""

import os
import random
import time

import pytest

from tests.reliability import campaign, compare
from tests.reliability.installation import Installation
from tests.reliability.load import Load

# A peer that is killed between connect and hand-shake lets CPython's SSLSocket leave its socket to
# the collector (ssl.SSLSocket._create raises what recv says, and does not close).
pytestmark = pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <ssl.SSLSocket:pytest.PytestUnraisableExceptionWarning"
)
KILLS = {"sqlite": 8, "postgresql": 4}
LONG = 40


def kills(made: Installation, seed: str, count: int) -> str:
    """Kill `count` times; the figures. Raises where something acknowledged is not as it was."""
    draw, load, starts = random.Random(seed), Load(seed), []
    for number in range(count + 1):
        server = made.start()
        starts.append(server.started)
        if number == 0:
            made.keep_ports(server)
        try:
            load.again(server)
            if number == count:
                compare.by_wire(server, load)
                assert server.terminate() == 0
                break
            threads = load.start(server)
            moment = draw.uniform(0.05, 0.6)
            time.sleep(moment)
            server.kill()
            load.stop(threads)
            answered = sum(sent.acked for sent in load.sent)
            print(
                f"  kill {number + 1} after {moment:.3f} s: {len(load.sent)} sent, {answered} acked"
            )
        finally:
            if server.process.poll() is None:
                server.kill()
    told = compare.in_store(made, load)
    return (
        f"{count} kills, {len(load.sent)} sent, {sum(one.acked for one in load.sent)} "
        "acknowledged and none of them lost or doubled, "
        f"{told['receipts']} receipts, {told['events']} audit events, slowest start "
        f"{max(starts):.1f} s"
    )


def test_what_was_acknowledged_survives_kills(installed: Installation) -> None:
    seed = os.environ.get("SEED", "2026")
    print(f"seed {seed}: {kills(installed, seed, KILLS[installed.kind])}")


@pytest.mark.campaign
def test_forty_kills(installed: Installation, request: pytest.FixtureRequest) -> None:
    with campaign.figure(request) as figure:
        figure.say(kills(installed, figure.seed, LONG))
