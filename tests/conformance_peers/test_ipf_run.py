"""The starter of the IPF peer: what it says when something is missing, and what it leaves."""

import io
import subprocess
import sys
from pathlib import Path

import pytest

from conformance.peers.ipf import run

ROW = {"case": "add", "transaction": "ITI-44", "expected": "CA", "got": "CA", "held": True, "ms": 1}


def started(code: str, log: Path) -> "subprocess.Popen[str]":
    """A child that stands for a server."""
    with log.open("w") as errors:
        return subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=errors, text=True
        )


def ended(child: "subprocess.Popen[str]") -> None:
    run.stop(child)
    assert child.stdout is not None
    child.stdout.close()


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import sys; print('broken', file=sys.stderr); sys.exit(3)", r"(?s)exit 3.*broken"),
        ("print('almost ready https://localhost:1')", "exit 0"),
        ("import time; time.sleep(60)", "within 1 s"),
    ],
)
def test_a_server_that_is_not_ready_is_reported(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, code: str, said: str
) -> None:
    monkeypatch.setattr(run, "START_SECONDS", 1.0 if "within" in said else 60.0)
    child = started(code, tmp_path / "log")
    try:
        with pytest.raises(run.Unavailable, match=said):
            run.await_ready(child, tmp_path / "log")
    finally:
        ended(child)


def test_a_ready_server_is_found_and_stopped(tmp_path: Path) -> None:
    code = "import time; print('ready https://localhost:8', flush=True); time.sleep(60)"
    child = started(code, tmp_path / "log")
    try:
        assert run.await_ready(child, tmp_path / "log") == "https://localhost:8"
    finally:
        ended(child)
    assert child.returncode != 0


def test_the_fault_status_is_written_once(tmp_path: Path) -> None:
    profile = tmp_path / "neighbour-n.yaml"
    profile.write_text("name: neighbour-n\nsender_fault_status: 500   # why\n")
    run._set_fault_status(profile, "400")
    assert profile.read_text() == "name: neighbour-n\nsender_fault_status: 400\n"
    profile.write_text("name: neighbour-n\n")
    run._set_fault_status(profile, "500")
    assert profile.read_text() == "name: neighbour-n\nsender_fault_status: 500\n"


def test_all_three_ports_become_free_ones() -> None:
    before = "[http]\nport = 8443\npeople_port = 8444\noperator_port = 8445\n[mllp]\nport = 2575\n"
    after = run._on_free_ports(before)
    assert after.endswith("[mllp]\nport = 2575\n")
    assert not any(str(port) in after for port in (8443, 8444, 8445))


def test_the_table_repeats_in_full_what_did_not_hold() -> None:
    refused = {**ROW, "case": "no assertion", "got": "x" * 200, "held": False}
    text = run.table([ROW, refused])
    assert "NO" in text.splitlines()[3]
    assert "x" * 200 in text
    assert text.count("NOT HELD") == 1


def test_a_wrong_command_line_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["run.py", "--target", "https://localhost:1"])
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with pytest.raises(SystemExit) as stopped:
        run.main()
    assert stopped.value.code == 2
