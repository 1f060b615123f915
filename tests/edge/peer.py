"""An MLLP sender with a client certificate, for tests and the bench; and messages for it."""

import socket
import ssl
from pathlib import Path

START, END = b"\x0b", b"\x1c\r"


def context(pki: Path, name: str) -> ssl.SSLContext:
    """TLS as a machine of the demo."""
    made = ssl.create_default_context(cafile=str(pki / "ca.pem"))
    made.load_cert_chain(pki / "clients" / f"{name}.pem", pki / "clients" / f"{name}.key")
    return made


class Sender:
    """One connection."""

    def __init__(self, pki: Path, port: int, name: str = "hospital-a", *, wait: float = 20) -> None:
        plain = socket.create_connection(("127.0.0.1", port), timeout=wait)
        self.connection = context(pki, name).wrap_socket(plain, server_hostname="localhost")
        self._held = b""

    def write(self, content: bytes) -> None:
        self.connection.sendall(content)

    def read(self) -> bytes:
        """The next acknowledgement; empty where the connection has ended."""
        while END not in self._held:
            try:
                block = self.connection.recv(65536)
            except (ConnectionError, ssl.SSLError):
                return b""
            if not block:
                return b""
            self._held += block
        frame, _, self._held = self._held.partition(END)
        assert frame.startswith(START)
        return frame[1:]

    def send(self, message: bytes) -> bytes:
        self.write(START + message + END)
        return self.read()

    def close(self) -> None:
        self.connection.close()


def code(answer: bytes) -> str:
    """MSA-1, and the error code: `AE 205`."""
    fields = {line[:3]: line.split(b"|") for line in answer.split(b"\r") if line}
    error = fields[b"ERR"][3].split(b"^")[0] if b"ERR" in fields else b""
    return b" ".join((fields[b"MSA"][1], error)).decode().strip()


def message(
    number: str, chart: str = "0000190001", *, kind: str = "ADT^A08^ADT_A01", facility: str = "FAC",
    name: str = "YAMADA^TARO", ask: str = "|", system: str = "HIS", time: str = "20261101090000",
) -> bytes:  # fmt: skip
    """A small message in the bytes a hospital writes; `ask` is MSH-15 and MSH-16."""
    return (
        f"MSH|^~\\&|{system}|{facility}|GW|HUB|{time}||{kind}|{number}|P|2.5|||{ask}||~ISO IR87\r"
        f"EVN||{time}\rPID|1||{chart}^^^^PI||{name}^^^^^L^A||19620304|F\rPV1|1|O\r"
    ).encode("iso2022_jp")


def result(number: str, chart: str = "0000190001", *, facility: str = "LAB", to: str = "HUB",
           authority: str = "", items: int = 3) -> bytes:  # fmt: skip
    """A laboratory's results."""
    rows = "".join(
        f"OBX|{n}|NM|3A01000000232710{n % 9}^総蛋白^JC10||7.{n % 10}|g/dL|6.7-8.3|N|||F\r"
        for n in range(1, items + 1)
    )
    return (
        f"MSH|^~\\&|LIS|{facility}|GW|{to}|20261104120000||OUL^R22^OUL_R22|{number}|P|2.5||||||"
        f"~ISO IR87\rPID|1||{chart}^^^{authority}^PI||架空^花子^^^^^L^I||19620304|F\r"
        f"SPM|1|S{number}||023^血清^JC10|||||||||||||20261104\r"
        f"OBR|1|L{number}||X^x^99L|||20261104|||||||||||||||||CH|F\rORC|RE|L{number}|||CM\r{rows}"
    ).encode("iso2022_jp")
