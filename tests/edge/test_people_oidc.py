"""Log-in at a certified OpenID provider over real TLS, as a browser does it (SIG-03, SIG-04)."""

import json
import re
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any

import httpx2
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from conformance.peers.java import Unavailable
from conformance.peers.openid import run as peer
from tests.edge.openid import certificate, jwk, signing_key
from tests.edge.people import Site
from tests.served import Templates, serve

ACR = "urn:example:hpki"
SECRET = "a secret with & and : in it, of thirty-two"
NUMBERS = {"a-01": "123456", "b-02": "234567", "x-03": "345678"}


@dataclass
class House:
    """A gateway, the provider that it trusts, and browsers."""

    site: Site
    base: str
    issuer: str
    authorities: list[Path]

    def browser(self) -> httpx2.Client:
        context = ssl.create_default_context()
        for one in self.authorities:
            context.load_verify_locations(one)
        return httpx2.Client(verify=context, follow_redirects=True, timeout=20)

    def start(self, browser: httpx2.Client, client: str = "", **more: Any) -> httpx2.Response:
        """Where the browser is after it was sent away: the provider's log-in page."""
        fields = {"client": client} if client else {}
        return browser.post(f"{self.base}/login/oidc", data=fields, **more)


def submit(browser: httpx2.Client, page: httpx2.Response, **fields: str) -> httpx2.Response:
    """Fill the one form of a page in, and send it."""
    (action,) = re.findall(r'<form[^>]* action="([^"]+)" method="post"', page.text)
    hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="(\w+)"', page.text))
    return browser.post(unescape(action), data={**hidden, **fields})


def log_in(
    house: House, browser: httpx2.Client, account: str, client: str = "",
    last: Callable[[httpx2.Client], None] = lambda _: None,
) -> httpx2.Response:  # fmt: skip
    """The whole way: log-in page, consent page, and back; `last` happens before the way back."""
    page = submit(browser, house.start(browser, client), login=account, password="x")
    last(browser)
    return submit(browser, page)


def _free() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def house(templates: Templates, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("oidc")
    made = templates.copy("sqlite", folder / "installation")
    ca, pem = certificate(folder)
    port = _free()
    back = f"https://localhost:{port}/login/oidc/callback"
    order = {
        "pem": str(pem), "acr": ACR,
        "accounts": {name: {"registration_number": NUMBERS[name]} for name in NUMBERS},
        "clients": [
            {
                "client_id": name, "redirect_uris": [back],
                "token_endpoint_auth_method": "private_key_jwt",
                "token_endpoint_auth_signing_alg": "PS256",
                "jwks": {"keys": [jwk(signing_key(), "ours")]},
            }
            for name in ("FIDO", "JPKI")
        ],
    }  # fmt: skip
    key = made.folder / "pki" / "oidc.key"
    key.write_bytes(signing_key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    key.chmod(0o600)
    try:
        started = peer.provider(order, folder)
        issuer = started.__enter__()
    except Unavailable as missing:
        pytest.skip(str(missing))
    try:
        made.change("people_port = 8444", f"people_port = {port}")
        made.add(
            f'[oidc]\nissuer = "{issuer}"\nclient_ids = ["FIDO", "JPKI"]\n'
            f'redirect_uri = "{back}"\nauthentication = "private_key_jwt"\n'
            f'key = "pki/oidc.key"\nkey_id = "ours"\nca = "{ca}"\n'
            f'subject_claim = "registration_number"\nassurance = ["{ACR}=hpki"]\n'
        )
        made.command("user", "account", "add", "doctor-a", "123456")
        made.command("user", "account", "add", "doctor-b", "234567")
        with serve(made) as served:
            yield House(
                Site(served), f"https://localhost:{port}", issuer, [ca, made.pki / "ca.pem"]
            )
    finally:
        started.__exit__(None, None, None)


def test_the_ways_are_told(house: House) -> None:
    told = house.site.ask("GET", "/login").json
    assert told == {"ways": ["card", "oidc"], "card": False, "clients": ["FIDO", "JPKI"]}


def test_a_doctor_without_a_card_logs_in_and_out(house: House) -> None:
    with house.browser() as browser:
        sent = browser.post(f"{house.base}/login/oidc", follow_redirects=False)
        assert sent.status_code == 303
        attributes = sent.headers["Set-Cookie"].split("; ")
        assert attributes[0].startswith("__Host-login=")
        assert attributes[1:] == ["Path=/", "Secure", "HttpOnly", "SameSite=Lax", "Max-Age=600"]
        begun = log_in(house, browser, "a-01")
        assert begun.status_code == 200, begun.text
        told = begun.json()
        assert (told["user"], told["facility"], told["assurance"]) == (
            "doctor-a", "hospital-a", "hpki",
        )  # fmt: skip
        cookies = begun.headers.get_list("Set-Cookie")
        assert cookies[0].endswith("; Path=/; Secure; HttpOnly; SameSite=Strict")
        assert cookies[1].startswith("__Host-login=; ")
        assert browser.get(f"{house.base}/session").json() == told
        patient = next(
            one["value"]
            for one in house.site.served.installation.patient("A")["identifiers"]
            if one["domain"] == "2.999.20.1"
        )
        record = browser.get(f"{house.base}/records/{patient}").json()
        assert {one["category"] for one in record["items"]} >= {"lab_result", "prescription"}
        out = browser.post(f"{house.base}/logout", headers={"X-CSRF-Token": told["csrf"]})
        assert out.status_code == 204
        assert browser.get(f"{house.base}/session").status_code == 401


def test_another_way_at_the_provider_is_another_client(house: House) -> None:
    with house.browser() as browser:
        assert log_in(house, browser, "b-02", "JPKI").json()["user"] == "doctor-b"


def test_a_browser_gets_pages(house: House) -> None:
    with house.browser() as browser:
        browser.headers["Accept"] = "text/html"
        page = browser.get(f"{house.base}/login")
        assert f"form-action 'self' {house.issuer};" in page.headers["Content-Security-Policy"]
        assert page.text.count('action="/login/oidc"') == 2
        done = log_in(house, browser, "a-01")
    assert "ログインしました: doctor-a (hospital-a)" in done.text
    assert done.headers["Content-Type"] == "text/html; charset=utf-8"


def test_an_account_of_nobody_is_refused_and_recorded(house: House) -> None:
    with house.browser() as browser:
        refused = log_in(house, browser, "x-03")
    assert refused.status_code == 403
    assert refused.json()["refused"][0]["rule"] == "SIG-04"
    assert "__Host-session" not in str(refused.headers)
    told, until = [], time.monotonic() + 30
    while not told and time.monotonic() < until:
        told = [
            one for one in house.site.events()
            if one["kind"] == "security-alert" and "345678" in json.dumps(one["detail"])
        ]  # fmt: skip
    assert told[0]["detail"]["account"].endswith("/registration_number/345678")


def test_the_way_back_leads_in_once_and_only_here(house: House) -> None:
    with house.browser() as mine, house.browser() as other:
        page = submit(mine, house.start(mine), login="a-01", password="x")
        mine.follow_redirects = False
        answer = submit(mine, page)
        while not answer.headers["Location"].startswith(house.base):
            answer = mine.get(answer.headers["Location"])
        back = answer.headers["Location"]
        for wrong in (back, back.replace("state=", "state=x")):
            assert other.get(wrong).status_code == 401  # login CSRF: it is not that browser's
        house.start(other)
        assert other.get(back).status_code == 401
        assert mine.get(back).status_code == 200
        assert mine.get(back).status_code == 401  # and never again


def test_who_breaks_off_is_told_so(house: House) -> None:
    with house.browser() as browser:
        page = house.start(browser)
        (abort,) = re.findall(r'href="([^"]+/abort)"', page.text)
        refused = browser.get(unescape(abort))
    assert refused.status_code == 401
    assert refused.json()["refused"][0]["field"] == "error=access_denied"


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        ({"client": "HPKI"}, {}, 422),
        ({"return_to": "https://evil.example/"}, {}, 422),
        ({"client": "FIDO", "redirect_uri": "https://evil.example/"}, {}, 422),
        ({}, {"Origin": "https://evil.example"}, 403),
        ({}, {"Sec-Fetch-Site": "cross-site"}, 403),
        ({"client": "x" * 5000}, {}, 413),
    ],
)
def test_nobody_else_says_where_a_browser_goes(
    house: House, body: dict[str, str], headers: dict[str, str], status: int
) -> None:
    with house.browser() as browser:
        browser.follow_redirects = False
        answer = browser.post(f"{house.base}/login/oidc", data=body, headers=headers)
    assert answer.status_code == status
    assert "Location" not in answer.headers


def test_who_comes_from_nowhere_is_not_let_in_and_has_to_wait(house: House) -> None:
    queries = ("", "?code=x&state=y", "?code=%ff&state=a", *["?state=x"] * 10)
    answers = [
        house.site.ask("GET", f"/login/oidc/callback{query}", cookie="__Host-login=known")
        for query in queries
    ]
    assert [one.status for one in answers[:3]] == [401] * 3
    assert not any("Set-Cookie" in one.headers for one in answers)
    assert answers[-1].status == 429  # of one address so many, and no more (K-01)
    assert int(answers[-1].headers["Retry-After"]) >= 1
    assert house.site.ask("GET", "/login/oidc").status == 405
