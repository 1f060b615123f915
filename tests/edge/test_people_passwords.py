"""Id and password at the people door over real TLS, by program and by page (CRD-01, K-01, K-05)."""

import json
import re
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest

from tests.edge.people import Answer, Site
from tests.served import Templates, serve

NAME, OWN = "yamamoto01", "own#Kd-rt5Xp2"
COLLEAGUES = ("suzuki0001", "tanaka0001")
JSON = {"Content_Type": "application/json"}
FORM = {
    "Content_Type": "application/x-www-form-urlencoded", "Accept": "text/html", "Origin": "null",
    "Sec_Fetch_Site": "same-origin",
}  # fmt: skip


@pytest.fixture(scope="module")
def site(templates: Templates, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    made = templates.copy("sqlite", tmp_path_factory.mktemp("passwords") / "installation")
    made.change("\ncards = true", "\ncards = true\npasswords = true")
    for name in (NAME, *COLLEAGUES):
        made.command("user", "add", name, "--facility", "hospital-a", "--position", "doctor")
    (policy,) = (made.folder / "policy").glob("*.yaml")
    text = policy.read_text("utf-8")
    policy.write_text(text.replace("reissue: facility_reset", "handover: manager", 1), "utf-8")
    with serve(made) as served:
        yield Site(served)


def post(site: Site, path: str, **fields: str) -> Answer:
    return site.ask("POST", path, body=json.dumps(fields).encode(), **JSON)


def submit(site: Site, path: str, cookie: str = "", **fields: str) -> Answer:
    """As a browser sends the form of a page that has no referrer."""
    return site.ask("POST", path, body=urlencode(fields).encode(), cookie=cookie, **FORM)


def test_a_doctor_gets_a_password_changes_it_and_logs_in(site: Site) -> None:
    command = site.served.installation.command
    refused = command(
        "user", "password", "doctor-a", "--in-person", exit_code=1
    )  # no such id in TGP (CRD-02)
    assert refused is None or refused.get("error")
    temporary = command("user", "password", NAME, "--in-person")["temporary"]
    first = post(site, "/login", user=NAME, password=temporary)
    assert (first.status, first.json["refused"][0]["field"]) == (401, "password-change")
    assert "Set-Cookie" not in first.headers
    for _ in range(5):  # a right password does not count against its owner
        weak = post(site, "/password", user=NAME, password=temporary, new="abcd1234")
    assert (weak.status, weak.json["refused"][0]["rule"]) == (422, "CRD-03")
    changed = post(site, "/password", user=NAME, password=temporary, new=OWN)
    assert changed.status == 204
    begun = post(site, "/login", user=NAME, password=OWN)
    assert begun.json["assurance"] == "password"
    told = site.ask("GET", "/session", cookie=begun.cookie).json
    assert (told["user"], told["facility"]) == (NAME, "hospital-a")
    kept = site.served.installation.folder
    for file in (*kept.glob("gateway.db*"), kept / "serve.log"):
        assert OWN.encode() not in file.read_bytes()
        assert temporary.encode() not in file.read_bytes()


def test_the_page_asks_and_lets_nothing_be_kept(site: Site) -> None:
    page = site.ask("GET", "/login", Accept="text/html,*/*")
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert page.headers["Cache-Control"] == "no-store"
    assert page.headers["Content-Security-Policy"] == (
        "default-src 'none'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    shown = page.body.decode()
    forms, inputs = re.findall(r"<form [^>]*>", shown), re.findall(r"<input [^>]*>", shown)
    assert len(forms) == 3
    assert all('autocomplete="off"' in one for one in forms + inputs)  # CRD-10
    assert "パスワード / Password" in shown
    assert "カードでログイン / Log in by card" in shown
    assert "<script" not in shown
    assert site.ask("GET", "/login").json == {"ways": ["card", "password"], "card": False}


def test_the_forms_of_the_page_work(site: Site) -> None:
    begun = submit(site, "/login", user=NAME, password=OWN)
    assert begun.status == 200
    shown = begun.body.decode()
    assert f"ログインしました: {NAME} (hospital-a)" in shown
    csrf, _ = re.findall(r'name="csrf" value="(\w+)"', shown)
    cookie = begun.cookie
    assert submit(site, "/logout", cookie, csrf="0" * 64).status == 403
    assert site.ask("GET", "/session", cookie=cookie).status == 200
    out = submit(site, "/logout", cookie, csrf=csrf)
    assert out.status == 200
    assert "ログアウトしました" in out.body.decode()
    assert site.ask("GET", "/session", cookie=cookie).status == 401


def test_a_manager_is_shown_what_to_hand_over_once(site: Site) -> None:
    prepared = [
        site.served.installation.command("user", "password", one, "--manager", NAME)
        for one in COLLEAGUES
    ]
    page = submit(site, "/login", user=NAME, password=OWN)
    assert "パスワードの引き渡し" in page.body.decode()
    (csrf, _) = re.findall(r'name="csrf" value="(\w+)"', page.body.decode())
    cookie, code = page.cookie, prepared[0]["code"]

    def show(code: str, cookie: str = cookie, token: str = csrf) -> Answer:
        body = json.dumps({"code": code}).encode()
        return site.ask("POST", "/handover", body=body, cookie=cookie, **JSON, X_CSRF_Token=token)

    assert show(code, token="0" * 64).status == 403
    assert show(code, cookie="").status == 401
    assert show("another").status == 404
    shown = show(code)
    assert (shown.status, shown.headers["Cache-Control"]) == (200, "no-store")
    assert (shown.json["user"], shown.json["login_id"]) == (COLLEAGUES[0], COLLEAGUES[0])
    again = show(code)
    assert (again.status, again.json["refused"][0]["rule"]) == (410, "CRD-07")
    assert shown.json["temporary"] not in again.body.decode()
    first = post(site, "/login", user=COLLEAGUES[0], password=shown.json["temporary"])
    assert (first.status, first.json["refused"][0]["field"]) == (401, "password-change")
    second = submit(site, "/handover", cookie, code=prepared[1]["code"], csrf=csrf)
    assert second.status == 200
    assert "一度しか表示されません" in second.body.decode()
    assert f"<code>{COLLEAGUES[1]}</code>" in second.body.decode()
    assert submit(site, "/handover", cookie, code=prepared[1]["code"], csrf=csrf).status == 410
    kinds = [
        one["what"]
        for one in site.served.installation.command("user", "show", COLLEAGUES[0])["history"]
    ]
    assert kinds == ["registered", "hand-over-prepared", "password-issued", "password-handed-over"]


@pytest.mark.parametrize(
    ("path", "fields", "status"),
    [
        ("/login", {"password": OWN}, 422),
        ("/login", {"user": NAME, "password": OWN, "next": "https://evil.example"}, 422),
        ("/password", {"user": NAME, "password": OWN}, 422),
        ("/password", {"password": OWN, "new": OWN}, 422),
        ("/password", {}, 422),
    ],
)
def test_what_is_no_log_in_is_refused(
    site: Site, path: str, fields: dict[str, str], status: int
) -> None:
    for answer in (post(site, path, **fields), submit(site, path, **fields)):
        assert answer.status == status
        assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize(
    "body", [b"user=a&user=b&password=c", b"user=%ff&password=x", b"user", b"&" * 20]
)
def test_what_is_no_form_is_refused(site: Site, body: bytes) -> None:
    assert site.ask("POST", "/login", body=body, **FORM).status == 400


def test_another_origin_neither_logs_in_nor_changes(site: Site) -> None:
    body = json.dumps({"user": NAME, "password": OWN, "new": "new#Zq-hs8Vb3"}).encode()
    for headers in (
        {"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec_Fetch_Site": "cross-site"},
        {"Origin": "null", "Sec_Fetch_Site": "cross-site"},
        {"Origin": "null", "Sec_Fetch_Site": "none"},
        {"Origin": "https://evil.example", "Sec_Fetch_Site": "same-origin"},
    ):  # fmt: skip
        for path in ("/login", "/password"):
            assert site.ask("POST", path, body=body, **JSON, **headers).status == 403
    assert site.ask("GET", "/password").status == 405


def test_who_tries_again_and_again_has_to_wait(site: Site) -> None:
    """Last, because this address has to wait too. Whether an id exists makes no difference."""
    answers = [post(site, "/login", user="nobody0001", password=f"x{n}") for n in range(2)]
    answers += [submit(site, "/login", user=NAME, password=f"<b>x{n}") for n in range(3)]
    assert [one.status for one in answers] == [401] * 5
    assert "IDまたはパスワードが違います" in answers[-1].body.decode()
    assert "<b>" not in answers[-1].body.decode()
    assert "IDまたはパスワードが違います" in answers[0].body.decode()
    late = post(site, "/login", user=NAME, password=OWN)
    assert late.status == 429
    assert int(late.headers["Retry-After"]) > 60
    assert site.ask("POST", "/login", card=site.card()).status == 200  # cards go on


def test_the_trail_has_every_try(site: Site) -> None:
    found = [one for one in site.events() if one["kind"] == "login" and one["outcome"] == 8]
    assert {one["code"] for one in found} == {"LOGIN-FAIL", "COOKIE"}
    assert {one["rule"] for one in found} >= {"CRD-01", "CRD-05"}
