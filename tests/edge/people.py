"""A client of the people door, and an authority that issues cards for a test."""

import http.client
import json
import sqlite3
import ssl
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.cli import demo_authority as make
from tests.served import Served

LOGIN_POLICY = "1.2.392.100495.1.5.1.2.0.1"


@dataclass
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def cookie(self) -> str:
        return self.headers["Set-Cookie"].partition(";")[0]


@dataclass
class Site:
    served: Served

    @property
    def pki(self) -> Path:
        return self.served.installation.pki

    def ask(
        self, method: str, path: str, *, card: Path | None = None, cookie: str = "",
        body: bytes | None = None, **headers: str,
    ) -> Answer:  # fmt: skip
        context = ssl.create_default_context(cafile=str(self.pki / "ca.pem"))
        if card is not None:
            context.load_cert_chain(card, card.with_suffix(".key"))
        port = self.served.ports["people"]
        connection = http.client.HTTPSConnection("localhost", port, context=context, timeout=20)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if cookie:
            sent["Cookie"] = cookie
        try:
            connection.request(method, path, body=body, headers=sent)
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read())
        finally:
            connection.close()

    def card(self, name: str = "doctor-login") -> Path:
        return self.pki / "hpki" / f"{name}.pem"

    def events(self) -> list[dict[str, Any]]:
        """What the audit trail has of log-ins and of what followed."""
        with closing(sqlite3.connect(self.served.installation.folder / "gateway.db")) as database:
            found = database.execute("SELECT kind, outcome, content FROM audit_event ORDER BY key")
            return [
                {"kind": kind, "outcome": outcome, **json.loads(content)}
                for kind, outcome, content in found
            ]


class Cards:
    """An authentication authority below a root of its own, in the place of the demo's."""

    def __init__(self, hpki: Path, folder: Path) -> None:
        self._hpki, self._folder = hpki, folder
        now = datetime.now(UTC).replace(microsecond=0)
        self.since, self.until = now.replace(year=now.year - 1), now.replace(year=now.year + 1)
        self.root = make.issue(
            make.name("Own Root"), make.rsa_key(), None, make.authority(), serial=1,
            since=self.since, until=self.until,
        )  # fmt: skip
        self._point, self._scope = make.authorities_only(self.root)
        self.authority = make.issue(
            make.name("Own forAuthentication-forIndividual"), make.rsa_key(), self.root,
            (*make.authority(), make.policies(LOGIN_POLICY), make.points(self._point)),
            serial=2, since=self.since, until=self.until,
        )  # fmt: skip

    def publish(self, revoked: tuple[int, ...] = ()) -> None:
        """Trust the authority, with fresh lists."""
        (self._hpki / "root.pem").write_bytes(self.root.pem)
        (self._hpki / "authentication-ca.pem").write_bytes(self.authority.pem)
        lists = {
            "sarl": make.revocation_list(
                self.root, since=self.since, until=self.until, scope=self._scope
            ),
            "authentication": make.revocation_list(
                self.authority, since=self.since, until=self.until,
                revoked=[(one, self.since, x509.ReasonFlags.key_compromise) for one in revoked],
            ),
        }  # fmt: skip
        for name, crl in lists.items():
            (self._hpki / "crl" / f"{name}.crl").write_bytes(crl.public_bytes(Encoding.DER))

    def write(
        self, name: str, *, number: str, serial: int = 50, policy: str = LOGIN_POLICY,
        role: str = "Medical Doctor",
    ) -> Path:  # fmt: skip
        card = make.issue(
            make.name("Own Doctor", "Own Hospital", number), make.rsa_key(), self.authority,
            (make.usage("digital_signature"), make.policies(policy), make.role(role)),
            serial=serial, since=self.since, until=self.until,
        )  # fmt: skip
        path = self._folder / f"{name}.pem"
        path.write_bytes(card.pem)
        path.with_suffix(".key").write_bytes(card.key_pem)
        return path
