"""The people door over real TLS: log-in by card, the session, one person's record (K-04, K-05)."""

import json
import ssl
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.edge.people import Answer, Site
from tests.served import Templates, serve


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
        for name in ("9999999999999999", withdrawn, "x'%20OR%201=1", "%00", "a" * 300)
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
        (b"user=doctor-a", "text/plain", 415),
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
        ("POST", "/records/1", 401), ("GET", "/", 404), ("GET", "/login/", 404),
    ],
)  # fmt: skip
def test_other_methods_and_paths(site: Site, method: str, path: str, status: int) -> None:
    assert site.ask(method, path).status == status


def test_the_description_names_every_path(site: Site) -> None:
    paths = site.ask("GET", "/admin/openapi.json").json["paths"]
    assert {"/login", "/logout", "/session", "/records/{shared_id}"} <= set(paths)


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


def _documents(site: Site, patient: str) -> tuple[str, dict[str, str]]:
    """A session, and the unique ids of patient A's documents by what they are."""
    cookie = site.ask("POST", "/login", card=site.card()).cookie
    record = site.ask("GET", f"/records/{patient}", card=site.card(), cookie=cookie).json
    found = {}
    for one in record["documents"]:
        made = one["mime_type"] == "application/fhir+json"
        name = "signed" if one["signatures"] else f"{one['category']} of {one['facility']}"
        found[name if made or one["signatures"] else "unsigned"] = one["unique_id"]
    return cookie, found


def test_documents_are_looked_at_saved_by_exception_and_never_printed(
    site: Site, patient: str
) -> None:
    """HND-01, HND-02: what a doctor of hospital-a may do with patient A's documents."""
    cookie, found = _documents(site, patient)

    def ask(name: str, query: str = "") -> Answer:
        path = f"/records/{patient}/documents/{found[name]}{query}"
        return site.ask("GET", path, card=site.card(), cookie=cookie)

    saved = ("signed", "lab_result of hospital-a")
    refused = ("unsigned", "prescription of clinic-b", "dispensing of pharmacy-c")
    for name in (*saved, *refused):
        shown = ask(name)
        assert shown.status == 200
        assert shown.headers["Cache-Control"] == "no-store"
        assert shown.headers["Content-Disposition"] == "inline"
        assert "sandbox" in shown.headers["Content-Security-Policy"]
        assert int(shown.headers["Content-Length"]) == len(shown.body) > 0
        printed = ask(name, "?purpose=print")
        assert (printed.status, printed.json["refused"][0]["rule"]) == (403, "HND-01")
    for name in saved:
        kept = ask(name, "?purpose=save")
        assert (kept.status, kept.headers["Content-Disposition"]) == (200, "attachment")
        assert kept.body == ask(name).body
    for name in refused:
        assert ask(name, "?purpose=save").json["refused"][0]["rule"] == "HND-01"
    assert ask("signed").body.startswith(b"%PDF-")
    for query in ("?purpose=", "?purpose=steal", "?purpose=view&purpose=save", "?x=1", "?purpose"):
        assert ask("signed", query).status == 422
    views = [one for one in site.events() if one["kind"] == "view" and one["objects"]]
    told = {(one["detail"]["handling"], one["rule"], one["outcome"]) for one in views}
    assert {("save", "HND-02", 0), ("save", "HND-01", 8), ("print", "HND-01", 8)} <= told


def test_a_record_is_not_saved_or_printed(site: Site, patient: str) -> None:
    cookie = site.ask("POST", "/login", card=site.card()).cookie
    for purpose, status in (("view", 200), ("save", 403), ("print", 403)):
        path = f"/records/{patient}?purpose={purpose}"
        assert site.ask("GET", path, card=site.card(), cookie=cookie).status == status


def test_no_document_is_public(site: Site, patient: str) -> None:
    """HND-03: an address opens nothing by itself, and no other patient's documents."""
    cookie, found = _documents(site, patient)
    path = f"/records/{patient}/documents/{found['signed']}"
    for end in ("", "/fhir", "?purpose=save"):
        assert site.ask("GET", path + end).status == 401
        assert site.ask("GET", path + end, cookie=cookie).status == 401
        assert site.ask("GET", path + end, card=site.card()).status == 401
    other = f"/records/9999999999999999/documents/{found['signed']}"
    absent = f"/records/{patient}/documents/2.25.1"
    for where in (other, absent, other + "/fhir", absent + "/fhir?", f"/records/%00/documents/{1}"):
        assert site.ask("GET", where, card=site.card(), cookie=cookie).status == 404


def test_the_signature_of_a_document_in_fhir(site: Site, patient: str) -> None:
    cookie, found = _documents(site, patient)

    def told(name: str) -> list[dict[str, Any]]:
        path = f"/records/{patient}/documents/{found[name]}/fhir"
        answer = site.ask("GET", path, card=site.card(), cookie=cookie)
        assert answer.headers["Content-Type"] == "application/fhir+json"
        return [one["resource"] for one in answer.json["entry"]]

    reference, provenance = told("signed")
    assert provenance["target"] == [{"reference": f"urn:uuid:{reference['id']}"}]
    (signature,) = provenance["signature"]
    assert signature["targetFormat"] == "application/pdf"
    assert signature["who"]["display"] == reference["authenticator"]["display"]
    assert [one["resourceType"] for one in told("unsigned")] == ["DocumentReference"]
