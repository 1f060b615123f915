"""Run IPF, a foreign IHE client in Java, against a running gateway and print what held.

`python -m conformance.peers.ipf.run`. Builds the peer with Maven when its sources changed, starts a
demo gateway unless `--target` names one, and exits 0 only if every case held. See README.md beside
this file.
"""

# ruff: noqa: S603 - every command is built here, none from input

import argparse
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from conformance.peers import java
from conformance.peers.java import Unavailable

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[2]
START_SECONDS, RUN_SECONDS, STOP_SECONDS = 60.0, 600.0, 45.0
# The client lives for seconds: the quick compiler alone halves its processor time.
CLIENT_FLAGS = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx512m")
PEER = java.Peer(name="IPF", folder=HERE, built=HERE / "target")


# --- the gateway --------------------------------------------------------------------------------


@contextmanager
def demo_gateway(folder: Path, fault_status: str) -> Iterator[str]:
    """A demo gateway in `folder` on free ports; yields its URL and stops it by SIGTERM."""
    gateway = [sys.executable, "-m", "gateway"]
    made = subprocess.run(
        [*gateway, "init", str(folder), "--demo"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode != 0:
        raise Unavailable(f"gateway init failed:\n{made.stdout}{made.stderr}")
    settings = folder / "gateway.toml"
    settings.write_text(_on_free_ports(settings.read_text("utf-8")), "utf-8")
    if fault_status != "any":
        _set_fault_status(folder / "peers" / "neighbour-n.yaml", fault_status)
    log = folder / "serve.log"
    with log.open("w", encoding="utf-8") as errors:
        serving = subprocess.Popen(
            [*gateway, "serve", "--config", str(settings)],
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        try:
            yield await_ready(serving, log)
        finally:
            stop(serving)


def _on_free_ports(settings: str) -> str:
    for key in ("port", "people_port", "operator_port"):
        settings = re.sub(rf"(?m)^({key}\s*=\s*)\d+", rf"\g<1>{free_port()}", settings, count=1)
    return settings


def free_port() -> int:
    """A port of the loopback address that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _set_fault_status(profile: Path, status: str) -> None:
    """Write `sender_fault_status` into the neighbour's profile."""
    text = profile.read_text("utf-8") if profile.is_file() else ""
    line = f"sender_fault_status: {status}"
    text, count = re.subn(r"(?m)^sender_fault_status:.*$", line, text)
    profile.write_text(text if count else f"{text.rstrip()}\n{line}\n", "utf-8")


def await_ready(process: "subprocess.Popen[str]", log: Path) -> str:
    """The URL of the `ready` line; Unavailable when the process ends or says nothing in time."""
    found: list[str] = []
    said = threading.Event()

    def read() -> None:
        assert process.stdout is not None  # noqa: S101 - opened as a pipe above
        for line in process.stdout:
            if line.startswith("ready ") and not found:
                found.append(line.split()[1])
                said.set()
        said.set()

    threading.Thread(target=read, daemon=True).start()
    said.wait(START_SECONDS)
    if not found:
        with suppress(subprocess.TimeoutExpired):
            process.wait(1)
        ended = process.poll()
        why = (
            f"within {START_SECONDS:.0f} s" if ended is None else f"before it ended (exit {ended})"
        )
        raise Unavailable(f"the server said no `ready` {why}:\n{java.tail(log)}")
    return found[0]


def stop(process: "subprocess.Popen[str]") -> None:
    """SIGTERM, and SIGKILL when that is not heeded."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        java.say("the server did not stop on SIGTERM; killed")
        process.kill()
        process.wait()


# --- the run ------------------------------------------------------------------------------------


def play(
    target: str, demo: Path, fault_status: str, *extra: str
) -> tuple[list[dict[str, Any]], int]:
    """Run every case against `target`: one object per case, and the exit code of the peer."""
    arguments = ["run", "--target", target, "--demo", str(demo), "--fault-status", fault_status]
    done = subprocess.run(
        PEER.command(CLIENT_FLAGS, [*arguments, *extra]),
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=RUN_SECONDS,
        check=False,
    )
    rows = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    if not rows or done.returncode not in (0, 1):
        raise Unavailable(f"the IPF peer broke (exit {done.returncode}):\n{done.stderr[-4000:]}")
    return rows, done.returncode


def table(rows: Sequence[dict[str, Any]]) -> str:
    """The cases as aligned text; what did not hold is repeated in full below."""
    heads = ("transaction", "case", "expected", "got", "held", "ms")
    cells = [
        (
            str(row["transaction"]),
            _cut(str(row["case"]), 44),
            _cut(str(row["expected"]), 44),
            _cut(str(row["got"]), 44),
            "yes" if row["held"] else "NO",
            f"{row['ms']:.0f}",
        )
        for row in rows
    ]
    widths = [max(len(line[at]) for line in (heads, *cells)) for at in range(len(heads))]
    lines = [
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
        for line in (heads, tuple("-" * width for width in widths), *cells)
    ]
    for row in rows:
        if not row["held"]:
            lines.append(f"NOT HELD {row['transaction']} {row['case']}")
            lines.append(f"    expected {row['expected']}\n    got      {row['got']}")
    return "\n".join(lines)


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", metavar="URL", help="use this running gateway")
    parser.add_argument("--demo", type=Path, metavar="DIR", help="the folder of that gateway")
    parser.add_argument(
        "--fault-status",
        choices=("any", "400", "500"),
        help="HTTP status that Sender faults must have; 500 leaves CXF as it comes "
        "(default: 500 for the gateway started here, else any)",
    )
    parser.add_argument("--json", action="store_true", help="print the cases as one JSON document")
    parser.add_argument("--build-only", action="store_true", help="resolve and build, then stop")
    parser.add_argument(
        "--respond",
        type=int,
        metavar="PORT",
        help="become IPF's responder with canned answers and the pki of --demo (0: any port)",
    )
    parser.add_argument("--validate", choices=("on", "off"), default="on", help="for --respond")
    return parser


def main() -> int:
    """Do what the command line says; 0 only if all held, 3 if something needed is missing."""
    parser = _options()
    options = parser.parse_args()
    if (options.target or options.respond is not None) and options.demo is None:
        parser.error("--target and --respond need --demo DIR")
    demo = options.demo.resolve() if options.demo else None
    try:
        if options.build_only:
            PEER.command((), ())
            return 0
        if options.respond is not None:
            where = ["respond", "--port", str(options.respond), "--demo", str(demo)]
            command = PEER.command((), [*where, "--validate", options.validate])
            os.execv(command[0], command)  # noqa: S606 - the process becomes the responder
        PEER.command((), ())  # before the gateway starts: a failure here should say so first
        started = time.monotonic()
        status = options.fault_status or ("any" if options.target else "500")
        if options.target and demo:
            rows, code = play(options.target, demo, status)
        else:
            with tempfile.TemporaryDirectory(prefix="interop-") as scratch:
                folder = Path(scratch) / "demo"
                with demo_gateway(folder, status) as target:
                    rows, code = play(target, folder, status)
                if code != 0 and (log := java.tail(folder / "serve.log")):
                    java.say(f"what the gateway logged last:\n{log}")
    except Unavailable as missing:
        java.say(str(missing))
        return 3
    held = sum(1 for row in rows if row["held"])
    if options.json:
        print(json.dumps({"cases": rows, "held": code == 0}, ensure_ascii=False, indent=2))
    else:
        print(table(rows))
        print(f"IPF 5.0.0: {held} of {len(rows)} cases held, {time.monotonic() - started:.1f} s")
    return 0 if code == 0 and held == len(rows) else 1


if __name__ == "__main__":
    sys.exit(main())
