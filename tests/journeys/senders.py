"""How a test sends what a facility sends: uploads, documents, and what the secretariat does."""

import io
import json
import secrets
import time
import zipfile
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from conformance import messages
from conformance.client import Answer, Client
from gateway.cli import group
from tests.served import CHARTS, Installation, Served

ANYBODY = messages.Person(
    family="標本", given="一", family_kana="ヒョウホン", given_kana="ハジメ", birth="19610101",
    gender="F", address="岐阜県岐阜市見本町1", phone="0580000001",
)  # fmt: skip


def form(parts: dict[str, str], files: dict[str, tuple[str, bytes]]) -> tuple[bytes, str]:
    """A multipart/form-data body and its media type; files: part name to file name and bytes."""
    boundary = secrets.token_hex(16)
    body = "".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'
        for key, value in parts.items()
    ).encode()
    for key, (name, content) in files.items():
        body += (
            f'--{boundary}\r\nContent-Disposition: form-data; name="{key}"; filename="{name}"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n"
        ).encode()
        body += content + b"\r\n"
    return body + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"


def upload(client: Client, name: str, content: bytes, **parts: str) -> Answer:
    """POST /uploads with one file."""
    body, kind = form(parts, {"file": (name, content)})
    return client.request("POST", "/uploads", body, {"Content-Type": kind})


def receipt(client: Client, identity: str) -> Any:
    """GET /uploads/<receipt>, once it is done."""
    for _ in range(2400):
        found = json.loads(client.request("GET", f"/uploads/{identity}").body)
        if found["state"] == "done":
            return found
        time.sleep(0.05)
    raise AssertionError("the upload was not worked through within two minutes")


def taken(client: Client, name: str, content: bytes, **parts: str) -> Any:
    """An upload that is accepted; its receipt, once it is done."""
    answer = upload(client, name, content, **parts)
    assert answer.status == 202, answer.body
    return receipt(client, json.loads(answer.body)["receipt"])


def archive(folder: Path) -> bytes:
    """A folder as a ZIP, with its paths."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as made:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                made.write(path, path.relative_to(folder).as_posix())
    return buffer.getvalue()


def say(installation: Installation, *words: str) -> Any:
    """A command of the secretariat, in this process; its JSON."""
    done = CliRunner().invoke(group, [*words, "--json", "--config", str(installation.config)])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def enrol_and_link(
    served: Served, facility: str, chart: str, person: messages.Person = ANYBODY
) -> int:
    """Feed a chart id by ITI-44, enrol its person, link; how many items moved."""
    payload = messages.feed(CHARTS[facility], chart, person, facility=facility)
    answer = served.client(facility).soap("/pix", messages.FEED_ADD, payload)
    assert answer.values("//hl7:acknowledgement/hl7:typeCode/@code") == ["CA"]
    installation = served.installation
    shared = say(
        installation, "patient", "enrol", "--name", f"{person.family} {person.given}",
        "--kana", f"{person.family_kana} {person.given_kana}", "--birth", person.birth,
        "--gender", person.gender, "--basis", "treated_at_member_facility",
    )["shared_id"]  # fmt: skip
    linked = say(installation, "patient", "link", str(shared), f"{CHARTS[facility]}/{chart}")
    return int(linked["items"])
