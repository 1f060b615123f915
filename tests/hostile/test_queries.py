"""`queries.jsonl` over the wire: consent at every query door; denied looks like absent (G8).

One more patient is enrolled, consents, is found, and withdraws while everybody watches.
"""

import json
import re
import uuid
from dataclasses import dataclass
from typing import Any

import pytest

from conformance import messages
from conformance.client import NAMESPACES, Answer
from conformance.messages import Person
from tests import forked
from tests.hostile import forms, xua
from tests.hostile.site import Site
from tests.shared import needs_shared

ROWS = {row["id"]: row for row in forms.rows("queries.jsonl")}
STORED = [row for row in ROWS.values() if row.get("uuid")]
LATER = {
    "QRY-28": "no deferred answer is offered", "QRY-29": "the console's pages are not built",
}  # fmt: skip
PAYLOADS = {f"gateway/queries.jsonl#{row}" for row in ROWS if row not in LATER}
SHARED_DOMAIN, HOME, REPOSITORY = "2.999.20.1", "2.999.10.1", "2.999.40.1"
ENTRY, FOLDER, SUBMISSION = "$XDSDocumentEntry", "$XDSFolder", "$XDSSubmissionSet"
_UNIQUE = ("string(rim:ExternalIdentifier[@identificationScheme="
           "'urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab']/@value)")  # fmt: skip


def command(site: Site, *words: str) -> Any:
    """What the secretariat types."""
    done = forked.run(*words, "--json", "--config", str(site.folder / "gateway.toml"))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout) if done.stdout.strip() else None


@dataclass
class Withdrawn:
    """Who withdrew, and the ids of a document that callers still know."""

    shared: str
    charts: dict[str, str]
    person: Person
    unique: str
    entry: str


@pytest.fixture(scope="module")
def gone(site: Site) -> Withdrawn:
    """A patient fed by two facilities, enrolled, with a document, found; who then withdraws."""
    person = Person(family="撤回", given="恵", family_kana="テッカイ", given_kana="メグミ",
                    birth="19550505", gender="F")  # fmt: skip
    charts = {"2.999.30.1": f"W-{uuid.uuid4().hex[:8]}", "2.999.30.2": f"W-{uuid.uuid4().hex[:8]}"}
    for who, (domain, chart) in zip(("hospital-a", "clinic-b"), charts.items(), strict=True):
        fed = messages.feed(domain, chart, person)
        answer = site.client(who).soap("/pix", messages.FEED_ADD, fed)
        assert answer.values("//hl7:acknowledgement/hl7:typeCode/@code") == ["CA"]
    shared = str(command(
        site, "patient", "enrol", "--name", "撤回 恵", "--kana", "テッカイ メグミ",
        "--birth", "19550505", "--gender", "F", "--signed-by", "person",
        "--basis", "treated_at_member_facility",
    )["shared_id"])  # fmt: skip
    for domain, chart in charts.items():
        command(site, "patient", "link", shared, f"{domain}/{chart}")
    described = forms.entry(site, "application/json")
    described["patient"] = {"domain": "2.999.30.1", "value": charts["2.999.30.1"]}
    filed = forms.document(site, b'{"a": 1}', json.dumps(described).encode(), name=b"a.json")
    assert filed.status == 201, filed.body
    found = ask(site, messages.find_documents(SHARED_DOMAIN, shared, home=HOME))
    (entry,) = found.xml().iterfind(".//rim:ExtrinsicObject", NAMESPACES)
    unique = str(entry.xpath(_UNIQUE, namespaces=NAMESPACES))
    linked = pix(site, "2.999.30.1", charts["2.999.30.1"])
    assert charts["2.999.30.2"] in linked.values("//hl7:patient//hl7:id/@extension")
    command(site, "consent", "withdraw", shared, "--reason", "patient_withdrawal", "--form", "f")
    return Withdrawn(shared, charts, person, unique, str(entry.get("id")))


def ask(site: Site, payload: str, assertion: bytes | None = None) -> Answer:
    """One XCA question."""
    retrieves = "RetrieveDocumentSet" in payload
    path = "/xca/retrieve" if retrieves else "/xca/query"
    action = messages.GATEWAY_RETRIEVE if retrieves else messages.GATEWAY_QUERY
    return site.client("neighbour-n").soap(
        path, action, payload, assertion=assertion or xua.token(), mtom=retrieves
    )


def pix(site: Site, domain: str, value: str, who: str = "hospital-a") -> Answer:
    return site.client(who).soap("/pix", messages.PIX_QUERY, messages.pix_query(domain, value))


def discover(site: Site, person: Person, *ids: tuple[str, str], **more: Any) -> Answer:
    payload = messages.discovery(person, ids=ids, **more)
    return site.client("neighbour-n").soap(
        "/xcpd", messages.DISCOVERY, payload, assertion=xua.token()
    )


def shape(answer: Answer, *own: str) -> tuple[int, str, tuple[str, ...]]:
    """An answer without ids, times and what the caller itself wrote: status, body, headers."""
    text = answer.body.decode()
    for word in own:
        text = text.replace(word, "OWN")
    text = re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}", "ID", text)
    text = re.sub(r"\d{14}(\.\d+)?[+-]\d{4}", "TIME", text)
    return answer.status, text, tuple(sorted(set(answer.headers) - {"date"}))


def size(answer: Answer) -> int:
    return len(answer.body)


def parameters(name: str, gone: Withdrawn, ids: tuple[str, str]) -> list[list[Any]]:
    """The parameters of a stored query, once for each way to name the document."""
    cx, approved = f"'{gone.shared}^^^&{SHARED_DOMAIN}&ISO'", f"('{messages.APPROVED}')"
    by_id = [
        [(f"{prefix}{kind}", [f"'{value}'"])]
        for prefix in (ENTRY, FOLDER, SUBMISSION)
        for kind, value in zip(("EntryUUID", "UniqueId"), ids, strict=True)
    ]
    if name == "GetAll":
        statuses = [(f"{p}Status", [approved]) for p in (ENTRY, FOLDER, SUBMISSION)]
        return [[("$patientId", [cx]), *statuses]]
    if name.startswith("Find"):
        kind = "SubmissionSet" if "Submission" in name else "Folder"
        prefix = f"$XDS{kind}" if "Documents" not in name else ENTRY
        return [[(prefix + "PatientId", [cx]), (prefix + "Status", [approved])]]
    if name in ("GetAssociations", "GetSubmissionSets"):
        return [[("$uuid", [f"'{ids[0]}'"])]]
    if name == "GetRelatedDocuments":
        return [[*given, ("$AssociationTypes", ["('urn:x')"])] for given in by_id[:2]]
    if "Folder" in name and "ForDocument" not in name:
        return by_id[2:4]
    return by_id[4:] if "SubmissionSet" in name else by_id[:2]


@needs_shared
@pytest.mark.parametrize("row", STORED, ids=lambda row: row["id"])
def test_a_stored_query_tells_nothing_of_a_patient_who_withdrew(
    site: Site, gone: Withdrawn, row: dict[str, str]
) -> None:
    never = (f"urn:uuid:{uuid.uuid4()}", f"2.25.{uuid.uuid4().int % 10 ** len(gone.unique[5:])}")
    for mine, other in zip(
        parameters(row["query"], gone, (gone.entry, gone.unique)),
        parameters(row["query"], gone, never), strict=True,
    ):  # fmt: skip
        answers = [
            ask(site, messages.stored_query(row["uuid"], given, home=HOME))
            for given in (mine, other)
        ]
        assert shape(answers[0]) == shape(answers[1])
        assert gone.unique.encode() not in answers[0].body
        assert not answers[0].values("//rim:ExtrinsicObject/@id | //rim:ObjectRef/@id")


def test_qry_15_and_16_a_document_is_not_there(site: Site, gone: Withdrawn) -> None:
    never = "2.25." + "7" * (len(gone.unique) - 5)
    answers = [
        ask(site, messages.retrieve([(REPOSITORY, one)], home=HOME)) for one in (gone.unique, never)
    ]
    assert shape(answers[0], gone.unique) == shape(answers[1], never)
    assert size(answers[0]) == size(answers[1])
    codes = answers[0].values("//rs:RegistryError/@errorCode")
    assert codes == ["XDSDocumentUniqueIdError"]
    mine = site.known["patients"][0]["documents"][0]["unique_id"]
    both = [(REPOSITORY, mine), (REPOSITORY, gone.unique)]
    answer = ask(site, messages.retrieve(both, home=HOME))
    assert answer.values("//rs:RegistryError/@errorCode") == ["XDSDocumentUniqueIdError"]
    assert answer.values("//rs:RegistryResponse/@status")[0].endswith("PartialSuccess")
    assert len(answer.parts) == 1


def test_qry_17_to_19_deprecated_or_named_by_its_id(site: Site, gone: Withdrawn) -> None:
    for status in ("Approved", "Deprecated"):
        wanted = messages.APPROVED.replace("Approved", status)
        payload = messages.find_documents(SHARED_DOMAIN, gone.shared, home=HOME, statuses=wanted)
        assert not ask(site, payload).values("//rim:ExtrinsicObject/@id")
    payload = messages.get_documents([gone.entry], home=HOME, by="EntryUUID")
    assert not ask(site, payload).values("//rim:ExtrinsicObject/@id")
    mine = site.known["patients"][0]["documents"][0]["unique_id"]
    theirs = site.known["patients"][2]["documents"][1]["unique_id"]
    answer = ask(site, messages.get_documents([mine, theirs], home=HOME))
    assert answer.values("//rs:RegistryError/@errorCode") == ["XDSResultNotSinglePatient"]
    answer = ask(site, messages.get_documents([mine, gone.unique], home=HOME))
    assert not answer.values("//rs:RegistryError/@errorCode")
    assert len(answer.values("//rim:ExtrinsicObject/@id")) == 1


def test_qry_20_and_21_other_communities_and_repositories(site: Site, gone: Withdrawn) -> None:
    patient = site.known["patients"][0]["identifiers"][0]["value"]
    for home in ("2.999.10.2", "2.999.10.99", HOME + " "):
        answer = ask(site, messages.find_documents(SHARED_DOMAIN, patient, home=home))
        assert answer.values("//rs:RegistryError/@errorCode") == ["XDSUnknownCommunity"]
    bare = messages.get_documents([gone.unique], home=HOME).replace("urn:oid:" + HOME, HOME)
    assert ask(site, bare).values("//rs:RegistryError/@errorCode")[0].startswith("XDS")
    missing = messages.get_documents([gone.unique], home="")
    codes = ask(site, missing).values("//rs:RegistryError/@errorCode")
    assert codes == ["XDSMissingHomeCommunityId"]
    unknown = [("2.999.40.9", site.known["patients"][0]["documents"][0]["unique_id"])]
    answer = ask(site, messages.retrieve(unknown, home=HOME))
    assert answer.values("//rs:RegistryError/@errorCode") == ["XDSUnknownRepositoryId"]


def test_qry_22_and_23_injected_doubled_and_endless_parameters(site: Site) -> None:
    status = (ENTRY + "Status", [f"('{messages.APPROVED}')"])
    patient = site.known["patients"][0]["identifiers"][0]["value"]
    whom = (ENTRY + "PatientId", [f"'{patient}^^^&{SHARED_DOMAIN}&ISO'"])
    for text in ("('1''^^^&1.2.3&ISO') or 1=1--", "'1' or '1'='1'", "'%^^^&2.999.20.1&ISO'"):
        given = [(ENTRY + "PatientId", [text]), status]
        answer = ask(site, messages.stored_query(messages.FIND_DOCUMENTS, given, home=HOME))
        assert not answer.values("//rim:ExtrinsicObject/@id")
        assert set(answer.values("//rs:RegistryError/@errorCode")) <= {"XDSRegistryError"}
    for count, codes in ((500, []), (501, ["XDSStoredQueryParamNumber"]),
                         (10_000, ["XDSStoredQueryParamNumber"])):  # fmt: skip
        many = (ENTRY + "ClassCode", ["(" + ",".join(["'x^^2.999.1'"] * count) + ")"])
        given = [whom, status, many]
        answer = ask(site, messages.stored_query(messages.FIND_DOCUMENTS, given, home=HOME))
        assert answer.values("//rs:RegistryError/@errorCode") == codes, count
    twice = [whom, whom, status]
    answer = ask(site, messages.stored_query(messages.FIND_DOCUMENTS, twice, home=HOME))
    assert answer.values("//rs:RegistryError/@errorCode") == ["XDSStoredQueryParamNumber"]


@pytest.mark.parametrize("family", ["撤", "%", "_", "*", "見本", "見%", "' OR 1=1--"])
def test_qry_24_a_name_alone_or_with_wildcards_lists_nobody(site: Site, family: str) -> None:
    person = Person(family=family, given="", family_kana="", given_kana="", birth="", gender="F")
    answer = discover(site, person)
    assert answer.fault or not answer.values("//hl7:subject1//hl7:patient/hl7:id/@extension")


def test_g8_pix_answers_alike_for_unknown_foreign_and_withdrawn(
    site: Site, gone: Withdrawn
) -> None:
    """QRY-25, QRY-26: an id that is not there, and one that the caller may not ask about."""
    other = "2.999.30.2"
    never_shared = site.known["patients"][1]["identifiers"][1]["value"]
    words = ("Z" * len(never_shared), never_shared, gone.charts[other])
    answers = [pix(site, other, word) for word in words]
    shapes = [shape(answer, word) for answer, word in zip(answers, words, strict=True)]
    assert shapes[0] == shapes[1] == shapes[2]
    assert size(answers[0]) == size(answers[1])
    assert answers[0].values("//hl7:queryResponseCode/@code") == ["AE"]
    unknown = pix(site, "2.999.30.1", words[0])
    assert shape(unknown, words[0], "2.999.30.1") == shape(answers[0], words[0], other)
    own = pix(site, "2.999.30.1", gone.charts["2.999.30.1"])
    assert own.values("//hl7:queryResponseCode/@code") == ["NF"]
    assert gone.charts["2.999.30.2"].encode() not in own.body
    assert gone.shared.encode() not in own.body


def test_g8_discovery_and_queries_answer_alike_for_unknown_and_withdrawn(
    site: Site, gone: Withdrawn
) -> None:
    """QRY-27 too: a question with an id stores nothing of it."""
    stranger = Person(family="不在", given="恵", family_kana="フザイイ", given_kana="メグミ",
                      birth="19550505", gender="F")  # fmt: skip
    never = "9" * 16
    before = site.state().rows
    first = discover(site, gone.person, (SHARED_DOMAIN, gone.shared))
    second = discover(site, stranger, (SHARED_DOMAIN, never))
    words = (gone.shared, "撤回", "テッカイ")
    assert shape(first, *words) == shape(second, never, "不在", "フザイイ")
    assert first.values("//hl7:queryResponseCode/@code") == ["NF"]
    foreign = discover(site, gone.person, ("2.999.10.2.1", "THEIR-ID"))
    assert foreign.values("//hl7:queryResponseCode/@code") in (["NF"], ["AE"])
    after = site.state().rows
    assert {k for k in after if after[k] != before[k]} <= {"assertion_seen"}
    for status in ("LeafClass", "ObjectRef"):
        answers = [
            ask(site, messages.find_documents(SHARED_DOMAIN, one, home=HOME, returns=status))
            for one in (gone.shared, never)
        ]
        assert shape(answers[0], gone.shared) == shape(answers[1], never)


def test_g8_receipts_and_documents_of_others_are_not_there(site: Site) -> None:
    answer = forms.upload(site, forms.laboratory("G8-1"))
    forms.done(site, answer)
    receipt = json.loads(answer.body)["receipt"]
    other = site.client("clinic-b").request("GET", f"/uploads/{receipt}")
    never = site.client("clinic-b").request("GET", f"/uploads/{uuid.uuid4()}")
    assert shape(other) == shape(never)
    assert (other.status, other.body) == (404, b"")


def test_qry_30_emergency_access_is_not_a_word_in_an_assertion(site: Site) -> None:
    coded = xua.issuing.Coded("ETREAT", "2.16.840.1.113883.1.11.20448", "emergency")
    patient = site.known["patients"][0]["identifiers"][0]["value"]
    for purposes in ((coded,), (xua.issuing.TREATMENT, coded)):
        with site.nothing_left("AUTHZ-DENY", "BREAKGLASS"):
            answer = ask(site, messages.find_documents(SHARED_DOMAIN, patient, home=HOME),
                         xua.token(purposes=purposes))  # fmt: skip
            assert answer.fault == ("Sender",)
