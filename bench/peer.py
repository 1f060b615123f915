"""IPF as the peer: measured in the same run where Java is, else as recorded."""

import sys
from contextlib import AbstractContextManager
from pathlib import Path

from bench import server
from bench.server import REPOSITORY, Server
from bench.windows import Series

RECORDED = {"iti45": 363.0, "iti38": 572.0, "iti39": 615.0}
"""Answers per second of server CPU that IPF 5.0.0 gave with its validation on, in the third window
of three of 20 s on two cores: canned answers, no database, 16 connections, mutual TLS."""


def responder(folder: Path, *, validate: bool = True) -> AbstractContextManager[Server]:
    """IPF's canned responder with an installation's certificates."""
    program = REPOSITORY / "conformance" / "peers" / "ipf" / "run.py"
    command = [
        sys.executable, str(program), "--respond", "0", "--demo", str(folder),
        "--validate", "on" if validate else "off",
    ]  # fmt: skip
    return server.running(command, folder / "ipf.log")


def rate(transaction: str, measured: Series | None) -> tuple[float, str]:
    """IPF's answers per second of CPU, and where the figure comes from."""
    if measured is None:
        return RECORDED[transaction], "IPF, validation on (recorded)"
    return 1e6 / measured.warm, "IPF, validation on (measured)"
