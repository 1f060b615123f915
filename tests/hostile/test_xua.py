"""XUA over the wire: every row of `xua_mutations.jsonl` on /xcpd, /xca/query and /xca/retrieve."""

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from conformance.client import NAMESPACES, WSSE, Answer
from conformance.saml import SAML
from tests.hostile import xua
from tests.hostile.site import Site, is_fault
from tests.saml import ENVELOPE
from tests.shared import SHARED, needs_shared

_PAYLOADS = (SHARED or Path()) / "security" / "payloads"
_TABLE = _PAYLOADS / "gateway" / "xua_mutations.jsonl"
ROWS = [json.loads(line)["id"] for line in _TABLE.read_text("utf-8").splitlines()] if SHARED else []
DOORS = ("/xcpd", "/xca/query", "/xca/retrieve")
TWICE = ("SAML-27", "SAML-28")
"Rows of two messages."
PASSES = ("XSW-0",)
FILES = sorted(
    path.relative_to(_PAYLOADS).as_posix()
    for path in (_PAYLOADS / "saml").rglob("*") if path.is_file()
) if SHARED else []  # fmt: skip
PAYLOADS = {f"gateway/xua_mutations.jsonl#{row}" for row in ROWS} | set(FILES)

_FORGED = {"FailedCheck", "FailedAuthentication", "InvalidSecurity", "InvalidSecurityToken"}
_SUBCODES = {
    "SAML-06": {"UnsupportedAlgorithm", "FailedCheck"},
    "SAML-07": {"UnsupportedAlgorithm", "FailedCheck"},
    "SAML-08": {*_FORGED, "UnsupportedAlgorithm"},
    "SAML-09": {"UnsupportedAlgorithm"},
    "SAML-10": {"UnsupportedAlgorithm"},
    "SAML-11": {*_FORGED, "UnsupportedAlgorithm"},
    "SAML-15": {*_FORGED, ""},
    "SAML-19": {"FailedAuthentication", "MessageExpired"},
    "SAML-26": {"FailedAuthentication"},
    "SAML-30": {"FailedAuthentication"},
    "SAML-31": {""},
    "SAML-32": {"UnsupportedSecurityToken"},
    "SAML-33": {""},
}
"Where a row names its answer more narrowly, or denies without a word."
_NOTHING = f"<query:AdhocQueryRequest xmlns:query='{NAMESPACES['query']}'/>"
"A query that the transaction itself refuses."


def _refused(answer: Answer, row: str, message_id: str) -> None:
    subcode = xua.fault_subcode(answer)
    assert subcode in _SUBCODES.get(row, _FORGED), (row, subcode)
    status = 413 if row == "SAML-33" else 500  # the profile of this neighbour wants 500
    is_fault(answer, *answer.fault, status=status, relates_to=message_id)
    assert answer.fault[0] == "Sender"
    assert b"mallory" not in answer.body


@needs_shared
@pytest.mark.parametrize("row", [row for row in ROWS if row not in TWICE])
@pytest.mark.parametrize("door", DOORS)
def test_row(site: Site, door: str, row: str) -> None:
    client = site.client("neighbour-n")
    action, payload = xua.doors(site)[door]
    for envelope in xua.cases(row):
        content, message_id = xua.graft(envelope, action, payload)
        if row in PASSES:
            answer = xua.post(client, door, action, content)
            assert (answer.status, answer.fault) == (200, ())
            assert answer.text("soap:Header/wsa:RelatesTo") == message_id
            continue
        with site.nothing_left():
            answer = xua.post(client, door, action, content)
            _refused(answer, row, message_id)


def _ask(site: Site, who: str, assertion: bytes, door: str = "/xca/query") -> Answer:
    action, payload = xua.doors(site)[door]
    client = site.fresh(who)
    try:
        return client.soap(door, action, payload, assertion=assertion)
    finally:
        client.close()


@pytest.mark.parametrize("door", DOORS)
def test_saml_27_an_assertion_is_bound_to_the_machine_that_used_it_first(
    site: Site, door: str
) -> None:
    assertion = xua.token()
    assert _ask(site, "neighbour-n", assertion, door).status == 200
    with site.nothing_left("SAML-REPLAY"):
        answer = _ask(site, "neighbour-m", assertion, door)
        assert answer.fault == ("Sender", "FailedAuthentication")
    assert _ask(site, "neighbour-n", assertion, door).status == 200
    assert _ask(site, "neighbour-m", xua.token(), door).status == 200


def test_saml_27_a_refused_request_binds_its_assertion_too(site: Site) -> None:
    """The first use counts even where the transaction itself says no."""
    assertion = xua.token()
    action, _ = xua.doors(site)["/xca/query"]
    client = site.client("neighbour-n")
    first = client.soap("/xca/query", action, _NOTHING, assertion=assertion)
    assert first.values("//rs:RegistryError/@errorCode") or first.fault
    bound = site.query("SELECT count(*) FROM assertion_seen")[0][0]
    answer = _ask(site, "neighbour-m", assertion)
    assert answer.fault == ("Sender", "FailedAuthentication")
    assert site.query("SELECT count(*) FROM assertion_seen")[0][0] == bound


@pytest.mark.parametrize("door", DOORS)
def test_saml_28_one_time_means_once(site: Site, door: str) -> None:
    assertion = xua.token(one_time_use=True)
    assert _ask(site, "neighbour-n", assertion, door).status == 200
    with site.nothing_left("SAML-REPLAY"):
        answer = _ask(site, "neighbour-n", assertion, door)
        assert answer.fault == ("Sender", "FailedAuthentication")


def test_saml_28_a_refused_request_uses_up_a_one_time_assertion(site: Site) -> None:
    assertion = xua.token(one_time_use=True)
    action, _ = xua.doors(site)["/xca/query"]
    site.client("neighbour-n").soap("/xca/query", action, _NOTHING, assertion=assertion)
    assert _ask(site, "neighbour-n", assertion).fault == ("Sender", "FailedAuthentication")


def test_saml_28_of_many_at_once_one_is_answered(site: Site) -> None:
    assertion = xua.token(one_time_use=True)
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda _: _ask(site, "neighbour-n", assertion), range(24)))
    assert sorted(answer.status for answer in answers) == [200] + [500] * 23
    assert {answer.fault for answer in answers} == {(), ("Sender", "FailedAuthentication")}


@pytest.mark.parametrize("door", DOORS)
def test_an_assertion_is_due_and_only_for_machines_of_its_community(site: Site, door: str) -> None:
    action, payload = xua.doors(site)[door]
    for who, status in (("neighbour-n", 500), ("hospital-a", 400)):
        with site.nothing_left():
            answer = site.client(who).soap(door, action, payload)
            is_fault(answer, "Sender", "InvalidSecurity", status=status,
                     relates_to=answer.text("soap:Header/wsa:RelatesTo"))  # fmt: skip
    with site.nothing_left():
        answer = site.client("hospital-a").soap(door, action, payload, assertion=xua.token())
        assert answer.fault[0] == "Sender"


@needs_shared
@pytest.mark.parametrize("name", FILES)
def test_a_published_response_in_the_header_is_refused(site: Site, name: str) -> None:
    """Its first assertion, or where it has none or is no XML, the whole of it."""
    from tests.wire.test_saml_attacks import _content

    content = _content(_PAYLOADS / name)
    found: list[Any] = []
    with suppress(etree.XMLSyntaxError):
        found = list(etree.fromstring(content).iter(f"{{{SAML}}}Assertion"))
    within = etree.tostring(found[0]) if found else content
    action, payload = xua.doors(site)["/xca/query"]
    root = etree.fromstring(ENVELOPE)
    head, _ = xua.graft(root, action, payload)
    block = b'<s:Security xmlns:s="%s">%s</s:Security></env:Header>'
    security = block % (WSSE.encode(), within)
    with site.nothing_left():
        answer = xua.post(
            site.client("neighbour-n"), "/xca/query", action,
            head.replace(b"</env:Header>", security, 1),
        )  # fmt: skip
        assert answer.fault[0] == "Sender"
        assert answer.status in (500, 413)
