"""A disk that is full, an audit trail that cannot be written, a database that is locked or away.

`security.md` R-05, R-06, R-24, G5: refused with a time to come again, nothing disclosed that is not
on record, and well again without hands.
"""

import os
import random
import resource
import sqlite3
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from conformance import messages
from conformance.client import Answer
from gateway.errors import Busy
from gateway.store.blobs import RESERVE
from gateway.store.database import Database
from tests import postgres
from tests.reliability import compare, installation, load
from tests.reliability.conftest import new_database
from tests.reliability.installation import Installation, Server, logged
from tests.reliability.load import HOSPITAL, Load

_CODE = "//hl7:queryAck/hl7:queryResponseCode/@code"
_SIZE = RESERVE + 48 * 1024 * 1024


def ask(server: Server) -> Answer:
    """Patient A's other identifiers, asked by the hospital."""
    with server.client("hospital-a") as client:
        payload = messages.pix_query(HOSPITAL, "0000100001")
        return client.soap("/pix", messages.PIX_QUERY, payload)


def send(server: Server, word: str, make: object = load.tree_file) -> Answer:
    sent = make(random.Random(word))  # type: ignore[operator]
    with server.client(sent.who) as client:
        return sent.send(client)


def is_answered(answer: Answer) -> bool:
    """Answered with what was asked for."""
    return answer.status == 200 and answer.values(_CODE) == ["OK"]


def is_busy(answer: Answer) -> bool:
    """Refused for now: nothing told but when to come again."""
    told = b"2.999.20.1" in answer.body
    return answer.status == 503 and int(answer.headers["retry-after"]) > 0 and not told


def comes_again(answer: Answer) -> bool:
    """Refused for now, by the door or in the words of ITI-41 (`security.md` 2.1)."""
    if answer.status == 200:
        return answer.values("//rs:RegistryError/@errorCode") == ["XDSRepositoryBusy"]
    return int(answer.headers["retry-after"]) > 0


def becomes_well(server: Server, word: str) -> None:
    """Soon everything is as before."""
    server.becomes_ready(True)
    assert is_answered(ask(server))
    assert send(server, word).status == 202
    assert send(server, word, load.feed).status == 200


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of its own, a little larger than the reserve."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={_SIZE}", "tmpfs", str(place)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if mounted.returncode:
        pytest.skip(f"a file system of its own cannot be mounted here: {mounted.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def fill(place: Path, leave: int) -> Path:
    """Take all room but so much."""
    ballast = place / "ballast"
    until = time.monotonic() + 60
    while True:
        ballast.unlink(missing_ok=True)
        found = os.statvfs(place)
        try:
            with ballast.open("wb") as stream:
                os.posix_fallocate(stream.fileno(), 0, found.f_bavail * found.f_frsize - leave)
        except OSError:  # the server wrote something in between
            assert time.monotonic() < until, "the disk cannot be filled"
        else:
            return ballast


def test_a_full_disk_refuses_uploads_and_not_questions(
    demo: Installation, small_disk: Path
) -> None:
    made = demo.copy(small_disk / "gateway")
    with made.served() as server:
        assert is_answered(ask(server))
        ballast = fill(small_disk, RESERVE - 1_000_000)
        assert server.becomes_ready(False)["disk"] is False
        for make in (load.tree_file, load.upload, load.document, load.submission):
            assert is_busy(send(server, "full", make)), make
        assert is_answered(ask(server))
        assert send(server, "full", load.feed).status == 200
        fill(small_disk, 0)
        statuses = set()
        for number in range(12):  # what is in the write-ahead log already may be written over
            statuses.add(send(server, f"none/{number}", load.feed).status)
            answer = ask(server)
            assert is_answered(answer) or is_busy(answer)
        assert statuses <= {200, 503}
        assert 503 in statuses, "a disk without any room took everything"
        assert is_busy(ask(server))
        ballast.unlink()
        becomes_well(server, "after")
        assert not logged(server)
        assert server.terminate() == 0
    assert made.command("audit", "verify")["good"]


def _may_write(server: Server, size: int) -> None:
    """How long a file of the running server may become (soft; the hard limit stays)."""
    _, hard = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (size, hard))


def test_what_cannot_be_recorded_is_not_disclosed(sqlite_installation: Installation) -> None:
    """G5: the audit trail cannot be written, so no answer leaves."""
    with sqlite_installation.served() as server:
        assert is_answered(ask(server))
        _may_write(server, 0)
        for _ in range(3):
            assert is_busy(ask(server))
        assert is_busy(send(server, "unwritable"))
        assert is_busy(send(server, "unwritable", load.feed))
        assert server.becomes_ready(False)["audit"] is False
        _may_write(server, resource.RLIM_INFINITY)
        becomes_well(server, "writable")
        assert server.terminate() == 0
        assert not logged(server)
    made = sqlite_installation
    assert made.command("audit", "verify")["good"]
    with closing(sqlite3.connect(made.folder / "gateway.db")) as db:
        stopped = db.execute(
            "SELECT count(*) FROM audit_event WHERE content LIKE '%AUDIT-STOP%unrecorded%'"
        ).fetchone()
    assert stopped[0] == 1


def test_a_lock_is_waited_for(sqlite_installation: Installation) -> None:
    """Another program holds the database: whoever writes waits, and is answered."""
    with sqlite_installation.served() as server:
        path = sqlite_installation.folder / "gateway.db"
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            answers: list[int] = []
            waiting = [
                threading.Thread(target=lambda n=n: answers.append(send(server, f"l/{n}").status))
                for n in range(4)
            ]
            for thread in waiting:
                thread.start()
            time.sleep(0.7)
            assert not answers
            other.execute("COMMIT")
            for thread in waiting:
                thread.join()
        assert answers == [202] * 4


def test_a_lock_that_stays_is_busy(tmp_path: Path, sqlite_template: Path) -> None:
    path = tmp_path / "gateway.db"
    path.write_bytes(sqlite_template.read_bytes())
    with closing(Database(f"sqlite:///{path}", busy_seconds=0.2)) as database:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            for _ in range(2):
                with pytest.raises(Busy), database.writing():
                    pass
            other.execute("COMMIT")
        with database.writing() as db:
            assert db.exec_driver_sql("SELECT 1").scalar_one() == 1


def test_postgresql_dies_and_comes_back_under_load(demo: Installation, tmp_path: Path) -> None:
    """R-05: killed under senders, twice: only success, 503 or busy, and nothing lost or doubled."""
    with postgres.controlled() as (url, control):
        made = demo.copy(tmp_path / "gateway", new_database(url))
        installation.fill(made)
        sending = Load("postgresql")
        with made.served() as server:
            threads = sending.start(server)
            slowest = 0.0
            for _ in range(2):
                time.sleep(0.3)
                control("stop", "-m", "immediate")
                assert is_busy(ask(server))
                assert server.becomes_ready(False)["database"] is False
                control("start")
                back, asked = time.perf_counter(), 0
                while not is_answered(ask(server)):
                    asked += 1  # 100 times take five seconds, and more where the machine is busy
                    assert asked < 100, "no answer though the database is back"
                    time.sleep(0.05)
                slowest = max(slowest, time.perf_counter() - back)
            time.sleep(0.3)
            sending.stop(threads)
            server.becomes_ready(True)
            refused = [answer for sent in sending.sent for answer in sent.refused]
            assert refused
            assert {answer.status for answer in refused} <= {200, 503}
            assert all(map(comes_again, refused))
            for sent in sending.sent:
                sent.gives_up = False
            sending.again(server)
            compare.by_wire(server, sending)
            assert server.terminate() == 0
        told = compare.in_store(made, sending)
        print(
            f"2 restarts, {len(sending.sent)} sent, {len(refused)} answered busy, first answer "
            f"{slowest:.2f} s after the database was back, {told['receipts']} receipts"
        )
