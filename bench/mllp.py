"""HL7 v2 over MLLP with TLS: messages a second of one connection and of four, on SQLite.

Each is durable before its acknowledgement: its bytes, its receipt, its control id, its audit event.
Beside it, what the disk alone takes for as many synced writes, one after the other.
"""

import os
import socket
import ssl
import statistics
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench import installation, server
from bench.figures import Figure
from bench.population import laboratory_message, population
from bench.run import Run

_COMMAND = "python -m bench --only mllp"
_START, _END = b"\x0b", b"\x1c\r"
_MESSAGES = 150
_SYNCED = 3
"Synced writes that one message takes at least: its bytes, their name, the transaction."


def _connected(place: Path, port: int) -> ssl.SSLSocket:
    pki = place / "pki"
    context = ssl.create_default_context(cafile=pki / "ca.pem")
    clients = pki / "clients"
    context.load_cert_chain(clients / "hospital-a.pem", clients / "hospital-a.key")
    plain = socket.create_connection(("127.0.0.1", port), timeout=60)
    return context.wrap_socket(plain, server_hostname="localhost")


def _send(connection: ssl.SSLSocket, messages: Sequence[bytes]) -> None:
    """One after the other, each after the acknowledgement of the one before."""
    for message in messages:
        connection.sendall(_START + message + _END)
        answer = b""
        while not answer.endswith(_END):
            block = connection.recv(65536)
            if not block:
                raise RuntimeError("the connection ended")
            answer += block
        if b"MSA|AA|" not in answer:
            raise RuntimeError(f"not taken: {answer!r}")


def _rate(place: Path, port: int, messages: Sequence[bytes], connections: int) -> float:
    """Messages a second of so many connections."""
    opened = [_connected(place, port) for _ in range(connections)]
    threads = [
        threading.Thread(target=_send, args=(one, messages[number::connections]))
        for number, one in enumerate(opened)
    ]
    begun = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.perf_counter() - begun
    for one in opened:
        one.close()
    return len(messages) / took


def _synced(place: Path, times: int = 60) -> float:
    """Synced writes a second of the disk, one after the other."""
    file = place / "synced"
    begun = time.perf_counter()
    with file.open("wb", buffering=0) as stream:
        for _ in range(times):
            stream.write(b"x" * 4096)
            os.fsync(stream.fileno())
    took = time.perf_counter() - begun
    file.unlink()
    return times / took


def measure(run: Run) -> Iterator[Figure]:
    """One connection, then four."""
    place = installation.make("mllp", folder=run.folder)
    config = place / "gateway.toml"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    plain = config.read_text("utf-8")
    config.write_text(f"{plain}\n[mllp]\nport = {port}\n", "utf-8")
    several = [laboratory_message(one, 5) for one in population(1, 2 * run.rounds * _MESSAGES)]
    try:
        with server.gateway(place):
            for connections in (1, 4):
                rates = []
                for _ in range(run.rounds):
                    now, several = several[:_MESSAGES], several[_MESSAGES:]
                    rates.append(_rate(place, port, now, connections))
                disk = _synced(place) / _SYNCED
                rate = statistics.median(rates)
                yield Figure(
                    name=f"mllp-{connections}-connections", figure=rate, unit="messages/s",
                    against="the disk, one after the other", floor=disk, ratio=rate / disk,
                    goal="", command=_COMMAND,
                )  # fmt: skip
    finally:
        config.write_text(plain, "utf-8")
