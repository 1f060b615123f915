"""The people door over real TLS: a doctor's card logs in, nobody else does (SIG-01 to SIG-04)."""

import http.client
import json
import os
import shutil
import sqlite3
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from gateway.cli import demo_authority as make
from tests.served import Served, Templates, serve

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


@pytest.fixture(scope="module")
def site(templates: Templates, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    made = templates.copy("sqlite", tmp_path_factory.mktemp("people") / "installation")
    with serve(made) as served:
        yield Site(served)


@pytest.fixture(scope="module")
def patient(site: Site) -> str:
    found = site.served.installation.patient("A")["identifiers"]
    return next(one["value"] for one in found if one["domain"] == "2.999.20.1")


def test_the_ways_are_told(site: Site) -> None:
    assert site.ask("GET", "/login").json == {"ways": ["card"], "card": False}
    assert site.ask("GET", "/login", card=site.card()).json == {"ways": ["card"], "card": True}


def test_a_doctor_logs_in_sees_a_record_and_logs_out(site: Site, patient: str) -> None:
    card = site.card()
    begun = site.ask("POST", "/login", card=card)
    assert begun.status == 200
    told = begun.json
    assert (told["user"], told["facility"], told["position"]) == (
        "doctor-a", "hospital-a", "doctor",
    )  # fmt: skip
    assert told["assurance"] == "hpki"
    assert told["roles"] == ["Medical Doctor"]
    attributes = begun.headers["Set-Cookie"].split("; ")
    assert attributes[0].startswith("__Host-session=")
    assert attributes[1:] == ["Path=/", "Secure", "HttpOnly", "SameSite=Strict"]
    assert begun.headers["Cache-Control"] == "no-store"

    cookie = begun.cookie
    assert site.ask("GET", "/session", card=card, cookie=cookie).json == told
    record = site.ask("GET", f"/records/{patient}", card=card, cookie=cookie)
    assert record.status == 200
    assert {one["category"] for one in record.json["items"]} >= {"lab_result", "prescription"}
    assert len(record.json["documents"]) >= 2
    assert all(one["reference_copy"] for one in record.json["items"])

    ended = site.ask(
        "POST", "/logout", card=card, cookie=cookie, X_CSRF_Token=told["csrf"]
    )  # fmt: skip
    assert ended.status == 204
    assert "Max-Age=0" in ended.headers["Set-Cookie"]
    assert site.ask("GET", "/session", card=card, cookie=cookie).status == 401
    assert site.ask("GET", f"/records/{patient}", card=card, cookie=cookie).status == 401


def test_each_log_in_has_a_key_of_its_own(site: Site) -> None:
    first, second = (site.ask("POST", "/login", card=site.card()) for _ in range(2))
    assert first.cookie != second.cookie
    assert len(first.cookie.partition("=")[2]) >= 43
    fixed = site.ask("POST", "/login", card=site.card(), cookie="__Host-session=known")
    assert fixed.cookie != "__Host-session=known"


def test_a_record_that_may_not_be_seen_looks_as_one_that_is_not_there(site: Site) -> None:
    cookie = site.ask("POST", "/login", card=site.card()).cookie
    withdrawn = next(
        one["value"]
        for one in site.served.installation.patient("D")["identifiers"]
        if one["domain"] == "2.999.20.1"
    )
    answers = [
        site.ask("GET", f"/records/{name}", card=site.card(), cookie=cookie)
        for name in ("9999999999999999", withdrawn, "x' OR 1=1", "%00", "a" * 300)
    ]
    for one in answers:
        assert (one.status, one.json) == (200, {"items": [], "documents": []})


@pytest.mark.parametrize("path", ["/session", "/records/1", "/records/1/2", "/admin/users"])
def test_nobody_is_let_in_without_a_session(site: Site, path: str) -> None:
    for cookie in ("", "__Host-session=", "__Host-session=x", "session=x", '__Host-session="\\'):
        assert site.ask("GET", path, card=site.card(), cookie=cookie).status == 401


def test_a_cookie_without_its_card_is_worth_nothing(site: Site) -> None:
    cookie = site.ask("POST", "/login", card=site.card()).cookie
    assert site.ask("GET", "/session", cookie=cookie).status == 401


def test_without_a_card_nobody_logs_in(site: Site) -> None:
    answer = site.ask("POST", "/login")
    assert answer.status == 401
    assert answer.json["error"] == "not logged in"
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("name", ["doctor-sign", "pharmacist-sign", "tsa"])
def test_a_signing_card_does_not_log_in(site: Site, name: str) -> None:
    """OpenSSL refuses what is not for a client; what it lets through our policy refuses."""
    try:
        answer = site.ask("POST", "/login", card=site.card(name))
    except (ssl.SSLError, ConnectionError):
        return
    assert answer.status == 401
    assert "the card is refused" in answer.json["error"]


def test_a_machines_certificate_does_not_log_in(site: Site) -> None:
    with pytest.raises((ssl.SSLError, ConnectionError)):
        site.ask("POST", "/login", card=site.pki / "clients" / "hospital-a.pem")


def test_the_account_that_is_named_must_be_the_cards(site: Site) -> None:
    kind = {"Content_Type": "application/json"}
    right = site.ask("POST", "/login", card=site.card(), body=b'{"user": "doctor-a"}', **kind)
    assert right.status == 200
    for name in ("doctor-b", "nobody", ""):
        body = json.dumps({"user": name}).encode()
        answer = site.ask("POST", "/login", card=site.card(), body=body, **kind)
        assert answer.status == 403
        assert answer.json["refused"][0]["rule"] == "SIG-04"
        assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b"[]", "application/json", 422),
        (b'{"user": 1}', "application/json", 422),
        (b'{"password": "x"}', "application/json", 422),
        (b"user=doctor-a", "application/x-www-form-urlencoded", 415),
        (b"x" * 5000, "application/json", 413),
    ],
)
def test_what_is_no_log_in_is_refused(site: Site, body: bytes, kind: str, status: int) -> None:
    answer = site.ask("POST", "/login", card=site.card(), body=body, Content_Type=kind)
    assert answer.status == status
    assert "Set-Cookie" not in answer.headers


def test_another_origin_changes_nothing(site: Site) -> None:
    begun = site.ask("POST", "/login", card=site.card())
    cookie, csrf = begun.cookie, begun.json["csrf"]
    port = site.served.ports["people"]
    ours = f"https://localhost:{port}"
    for headers in (
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
    ):
        assert site.ask("POST", "/login", card=site.card(), **headers).status == 403
        out = site.ask(
            "POST", "/logout", card=site.card(), cookie=cookie, X_CSRF_Token=csrf, **headers
        )
        assert out.status == 403
    for wrong in ({}, {"X_CSRF_Token": ""}, {"X_CSRF_Token": "0" * 64}):
        out = site.ask("POST", "/logout", card=site.card(), cookie=cookie, **wrong)
        assert out.status == 403
    assert site.ask("GET", "/session", card=site.card(), cookie=cookie).status == 200
    ended = site.ask(
        "POST", "/logout", card=site.card(), cookie=cookie, X_CSRF_Token=csrf, Origin=ours,
        Sec_Fetch_Site="same-origin",
    )  # fmt: skip
    assert ended.status == 204


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/logout", 405), ("PUT", "/login", 405), ("DELETE", "/session", 405),
        ("POST", "/records/1", 405), ("GET", "/", 404), ("GET", "/login/", 404),
    ],
)  # fmt: skip
def test_other_methods_and_paths(site: Site, method: str, path: str, status: int) -> None:
    assert site.ask(method, path).status == status


def test_the_description_names_every_path(site: Site) -> None:
    paths = site.ask("GET", "/admin/openapi.json").json["paths"]
    assert {"/login", "/logout", "/session", "/records/{shared_id}"} <= set(paths)


# --- cards made for a test --------------------------------------------------------------------


REVOKED = 66


@pytest.fixture(scope="module")
def own(
    templates: Templates, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Site, "Cards"]]:
    """An installation whose authentication authority is the tests' own."""
    folder = tmp_path_factory.mktemp("own")
    made = templates.copy("sqlite", folder / "installation")
    cards = Cards(made.pki / "hpki", folder)
    cards.publish(revoked=(REVOKED,))
    made.command("user", "card", "add", "doctor-b", str(cards.write("doctor-b", number="T-B")))
    with serve(made) as served:
        yield Site(served), cards


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
        self.authority = make.issue(
            make.name("Own forAuthentication-forIndividual"), make.rsa_key(), self.root,
            (*make.authority(), make.policies(LOGIN_POLICY)), serial=2, since=self.since,
            until=self.until,
        )  # fmt: skip

    def publish(self, revoked: tuple[int, ...] = ()) -> None:
        """Trust the authority, with fresh lists."""
        (self._hpki / "root.pem").write_bytes(self.root.pem)
        (self._hpki / "authentication-ca.pem").write_bytes(self.authority.pem)
        point, scope = make.authorities_only(self.root)
        del point
        lists = {
            "sarl": make.revocation_list(
                self.root, since=self.since, until=self.until, scope=scope
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


def test_cards_of_others_and_bad_cards(own: tuple[Site, Cards]) -> None:
    site, cards = own
    mine = site.ask("POST", "/login", card=cards.write("mine", number="T-B", serial=60))
    assert mine.json["user"] == "doctor-b"  # a renewed card of the same holder
    unknown = site.ask("POST", "/login", card=cards.write("unknown", number="T-X", serial=61))
    assert unknown.status == 403
    assert "not registered" in unknown.json["error"]
    other = cards.write("policy", number="T-B", serial=62, policy="1.2.3.4")
    assert site.ask("POST", "/login", card=other).status == 401
    strange = cards.write("role", number="T-B", serial=63, role="Wizard")
    assert "role" in site.ask("POST", "/login", card=strange).json["error"]


def test_a_suspended_user_is_out_on_the_next_request(own: tuple[Site, Cards]) -> None:
    site, cards = own
    card = cards.write("mine", number="T-B", serial=60)
    cookie = site.ask("POST", "/login", card=card).cookie
    assert site.ask("GET", "/session", card=card, cookie=cookie).status == 200
    site.served.installation.command("user", "suspend", "doctor-b", "--reason", "leave")
    assert site.ask("GET", "/session", card=card, cookie=cookie).status == 401
    assert site.ask("POST", "/login", card=card).status == 403
    site.served.installation.command("user", "resume", "doctor-b", "--reason", "back")
    assert site.ask("GET", "/session", card=card, cookie=cookie).status == 401


def test_log_ins_of_one_card_are_limited(own: tuple[Site, Cards]) -> None:
    site, cards = own
    card = cards.write("unknown", number="T-X", serial=61)
    answers = [site.ask("POST", "/login", card=card) for _ in range(12)]
    assert [one.status for one in answers[:10]] == [403] * 10
    assert answers[-1].status == 429
    assert int(answers[-1].headers["Retry-After"]) >= 1
    mine = cards.write("mine", number="T-B", serial=60)
    assert site.ask("POST", "/login", card=mine).status == 200  # another card is not held up


def test_a_revoked_card_stays_out(own: tuple[Site, Cards]) -> None:
    site, cards = own
    answer = site.ask("POST", "/login", card=cards.write("gone", number="T-B", serial=REVOKED))
    assert answer.status == 401
    assert "revoked" in answer.json["error"]


def test_where_cards_do_not_log_in_none_is_asked_for(templates: Templates, tmp_path: Path) -> None:
    made = templates.copy("sqlite", tmp_path / "installation")
    made.change("cards = true", "cards = false")
    with serve(made) as served:
        site = Site(served)
        assert site.ask("GET", "/login", card=site.card()).json == {"ways": [], "card": False}
        assert site.ask("POST", "/login", card=site.card()).status == 401


# --- a card in a token ------------------------------------------------------------------------


_NO_PSS = ":".join(
    f"-SIGN-RSA-PSS{kind}-SHA{size}" for kind in ("", "-RSAE") for size in (256, 384, 512)
)


def _tools() -> list[str]:
    wanted = ("softhsm2-util", "pkcs11-tool", "gnutls-cli")
    return [name for name in wanted if shutil.which(name) is None]


def _module() -> Path | None:
    places = ("/usr/lib/softhsm", "/usr/lib/x86_64-linux-gnu/softhsm", "/usr/lib64/softhsm",
              "/usr/local/lib/softhsm", "/opt/homebrew/lib/softhsm")  # fmt: skip
    return next(
        (file for place in places if (file := Path(place) / "libsofthsm2.so").exists()), None
    )


@pytest.mark.skipif(
    bool(_tools()) or _module() is None,
    reason="a simulated card wants softhsm2, opensc and gnutls-bin (Debian's names)",
)
def test_a_card_in_a_token_logs_in(site: Site, tmp_path: Path) -> None:
    """The key stays in a PKCS #11 token that can do what real cards can: CKM_RSA_PKCS alone.

    The client leaves RSA-PSS out, as the middleware of such a card does.
    """
    module = _module()
    (tmp_path / "tokens").mkdir()
    configuration = tmp_path / "softhsm2.conf"
    configuration.write_text(f"directories.tokendir = {tmp_path / 'tokens'}\n", "utf-8")
    environment = {**os.environ, "SOFTHSM2_CONF": str(configuration), "GNUTLS_PIN": "1234"}

    def run(*words: str) -> None:
        done = subprocess.run(
            words, capture_output=True, text=True, check=False, timeout=60, env=environment
        )
        assert done.returncode == 0, done.stderr + done.stdout

    pem, key = site.card(), site.card().with_suffix(".key")
    der, pkcs8 = tmp_path / "card.der", tmp_path / "key.pem"
    certificate = x509.load_pem_x509_certificate(pem.read_bytes())
    der.write_bytes(certificate.public_bytes(Encoding.DER))
    pkcs8.write_bytes(
        load_pem_private_key(key.read_bytes(), None).private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
        )
    )
    label = "HPKI Application"
    run("softhsm2-util", "--init-token", "--free", "--label", label, "--so-pin", "12345678",
        "--pin", "1234")  # fmt: skip
    run("softhsm2-util", "--import", str(pkcs8), "--token", label, "--label", "login", "--id", "01",
        "--pin", "1234")  # fmt: skip
    run("pkcs11-tool", "--module", str(module), "--login", "--pin", "1234", "--write-object",
        str(der), "--type", "cert", "--label", "login", "--id", "01")  # fmt: skip
    configuration.write_text(
        configuration.read_text("utf-8") + "slots.mechanisms = CKM_RSA_PKCS\n", "utf-8"
    )
    port = site.served.ports["people"]
    request = (
        f"POST /login HTTP/1.1\r\nHost: localhost:{port}\r\nContent-Length: 0\r\n"
        "Connection: close\r\n\r\n"
    )
    place = "pkcs11:token=HPKI%20Application;object=login"
    client = subprocess.Popen(
        ["gnutls-cli", "--provider", str(module), "--x509cafile", str(site.pki / "ca.pem"),
         "--x509certfile", f"{place};type=cert", "--x509keyfile", f"{place};type=private",
         "--priority", f"NORMAL:{_NO_PSS}", "-p", str(port), "localhost"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment,
    )  # fmt: skip
    with client:
        assert client.stdin is not None
        assert client.stdout is not None
        client.stdin.write(request.encode())
        client.stdin.flush()  # and left open: its end would end the connection before the answer
        told = client.stdout.read().decode()
    assert "TLS1.2" in told
    assert "HTTP/1.1 200 OK" in told
    assert '"user":"doctor-a"' in told
    assert '"assurance":"hpki"' in told


def test_the_trail_tells_every_log_in(site: Site) -> None:
    site.ask("POST", "/login", card=site.card())
    site.ask(
        "POST", "/login", card=site.card(), body=b'{"user": "doctor-b"}',
        Content_Type="application/json",
    )  # fmt: skip
    told, until = [], time.monotonic() + 30
    while not any(one["kind"] == "security-alert" for one in told) and time.monotonic() < until:
        told = [one for one in site.events() if one["kind"] in ("login", "security-alert")]
    good = next(one for one in reversed(told) if one["code"] == "LOGIN")
    assert good["outcome"] == 0
    assert (good["actor"]["subject"], good["actor"]["assurance"]) == ("doctor-a", "hpki")
    assert good["actor"]["certificate"]
    assert "Jiro Demo" in good["actor"]["tls_subject"]
    assert good["detail"]["checks"]["revocation"] == "passed"
    assert len(good["detail"]["evidence"]) >= 4
    bad = [one for one in told if "SIG-04" in (one["rule"], one["detail"].get("rule"))]
    assert {one["kind"] for one in bad} == {"login", "security-alert"}
    assert all(one["outcome"] == 8 and one["code"] == "LOGIN-FAIL" for one in bad)
