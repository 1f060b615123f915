"""Run IPF, a foreign IHE client in Java, against a running gateway and print what held.

Standard library only. Builds the peer with Maven when its sources changed, starts a demo gateway
unless `--target` names one, and exits 0 only if every case held. See README.md beside this file.
"""

# ruff: noqa: S603 - every command is built here, none from input

import argparse
import hashlib
import json
import os
import re
import shutil
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

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[2]
BUILT = HERE / "target"
START_SECONDS, RUN_SECONDS, STOP_SECONDS = 60.0, 600.0, 45.0
# The client lives for seconds: the quick compiler alone halves its processor time.
CLIENT_FLAGS = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx512m")
LOGGING = (
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=error",
    "-Djava.awt.headless=true",
    "-Dfile.encoding=UTF-8",
)


class Unavailable(Exception):
    """Something this program needs is not there; the text says what to do, in both languages."""


# --- building -----------------------------------------------------------------------------------


def _require_java() -> str:
    java = shutil.which("java")
    if java:
        said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False)
        found = re.search(r'version "(\d+)', said.stderr + said.stdout)
        if found and int(found[1]) >= 17:
            return java
    raise Unavailable(
        "Java 17 or newer is needed for the IPF peer: install a JDK (e.g. openjdk-17-jdk).\n"
        "IPF ピアには Java 17 以上の JDK が必要です。インストールしてください。"
    )


def _stamp() -> str:
    """Digest of everything the build depends on."""
    digest = hashlib.sha256()
    for file in (HERE / "pom.xml", *sorted((HERE / "src").rglob("*.java"))):
        digest.update(file.relative_to(HERE).as_posix().encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()


def class_path() -> str:
    """Build the peer if need be and return its class path."""
    stamp, listed = BUILT / "built.stamp", BUILT / "classpath.txt"
    if not (stamp.is_file() and stamp.read_text() == _stamp() and _complete(listed)):
        _build(listed)
        stamp.write_text(_stamp())
    return f"{BUILT / 'classes'}{os.pathsep}{listed.read_text().strip()}"


def _complete(listed: Path) -> bool:
    return listed.is_file() and all(
        Path(jar).is_file() for jar in listed.read_text().strip().split(os.pathsep)
    )


def _build(listed: Path) -> None:
    """Run Maven: off line if everything is there already, else by coordinates."""
    maven = shutil.which("mvn")
    if not maven or not shutil.which("javac"):
        raise Unavailable(
            "Maven and a JDK with javac are needed to build the IPF peer: install maven "
            "and e.g. openjdk-17-jdk-headless.\n"
            "IPF ピアのビルドには Maven と JDK(javac)が必要です。インストールしてください。"
        )
    BUILT.mkdir(exist_ok=True)
    shutil.rmtree(BUILT / "classes", ignore_errors=True)
    goals = ("compile", "dependency:build-classpath", f"-Dmdep.outputFile={listed}")
    log = BUILT / "maven.log"
    for mode in (("-o",), ()):
        _say("building the IPF peer" + (" (off line)" if mode else " (resolving with Maven)"))
        with log.open("w", encoding="utf-8") as out:
            done = subprocess.run(
                [maven, "-q", "-B", "-ntp", *mode, *goals],
                cwd=HERE,
                stdout=out,
                stderr=subprocess.STDOUT,
                check=False,
            )
        if done.returncode == 0:
            return
    raise Unavailable(
        f"Maven could not build the IPF peer; the reason is in {log}:\n{_tail(log)}\n"
        "IPF ピアをビルドできませんでした。上のログを確認してください。"
    )


def java_command(flags: Sequence[str], arguments: Sequence[str]) -> list[str]:
    """The command line that starts the peer's program."""
    java = _require_java()
    return [java, *flags, *LOGGING, "-cp", class_path(), "peer.Main", *arguments]


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
        raise Unavailable(f"the server said no `ready` {why}:\n{_tail(log)}")
    return found[0]


def stop(process: "subprocess.Popen[str]") -> None:
    """SIGTERM, and SIGKILL when that is not heeded."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        _say("the server did not stop on SIGTERM; killed")
        process.kill()
        process.wait()


# --- the run ------------------------------------------------------------------------------------


def play(
    target: str, demo: Path, fault_status: str, *extra: str
) -> tuple[list[dict[str, Any]], int]:
    """Run every case against `target`: one object per case, and the exit code of the peer."""
    arguments = ["run", "--target", target, "--demo", str(demo), "--fault-status", fault_status]
    done = subprocess.run(
        java_command(CLIENT_FLAGS, [*arguments, *extra]),
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


def _tail(file: Path, lines: int = 25) -> str:
    return "\n".join(file.read_text("utf-8", "replace").splitlines()[-lines:])


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


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
            java_command((), ())
            return 0
        if options.respond is not None:
            where = ["respond", "--port", str(options.respond), "--demo", str(demo)]
            command = java_command((), [*where, "--validate", options.validate])
            os.execv(command[0], command)  # noqa: S606 - the process becomes the responder
        java_command((), ())  # before the gateway starts: a failure here should say so first
        started = time.monotonic()
        status = options.fault_status or ("any" if options.target else "500")
        if options.target and demo:
            rows, code = play(options.target, demo, status)
        else:
            with tempfile.TemporaryDirectory(prefix="interop-") as scratch:
                folder = Path(scratch) / "demo"
                with demo_gateway(folder, status) as target:
                    rows, code = play(target, folder, status)
                if code != 0 and (log := _tail(folder / "serve.log")):
                    _say(f"what the gateway logged last:\n{log}")
    except Unavailable as missing:
        _say(str(missing))
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
