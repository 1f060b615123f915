"""ITI-44, 45 and 55 through a real door, on both databases: the messages of the samples."""

import re
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from lxml import etree

from gateway.audit.door import Door
from gateway.dispatch import Answer, Dispatch, DispatchFault
from gateway.model.network import NetworkPolicy
from gateway.pix import TRANSACTIONS
from gateway.transaction import index
from gateway.wire import soap
from tests.pix.messages import SAMPLES, SCHEMAS, judged, value
from tests.record.house import CHARTS, HANAKO, House
from tests.shared import needs_shared


@dataclass
class Region:
    """The house of the record's tests, spoken to in messages."""

    house: House
    dispatch: Dispatch

    def send(self, who: str, name: str, *changes: tuple[str, str]) -> Answer:
        text = (SAMPLES / f"{name}.xml").read_text("utf-8")
        for old, new in changes:
            assert old in text, old
            text = text.replace(old, new)
        text = re.sub("(?<=<wsa:MessageID>)[^<]+", f"urn:uuid:{uuid.uuid4()}", text)
        message = soap.read(text.encode())
        endpoint = "/xcpd" if "iti55" in name else "/pix"
        transaction = self.dispatch.find(endpoint, message)
        answer = self.dispatch.answer(
            transaction, message, self.house.caller(who), content=text.encode()
        )
        if answer.recorded is not None:
            answer.recorded.result(timeout=10)
        return answer

    def ask(self, who: str, name: str, *changes: tuple[str, str]) -> tuple[str, str, list[str]]:
        """Acknowledgement, query response, and the identifiers found, of a judged answer."""
        root = judged(self.send(who, name, *changes).payload)
        ids = root.xpath("//h:patient/h:id/@extension", namespaces={"h": "urn:hl7-org:v3"})
        code = str(value(root, "string(h:acknowledgement/h:typeCode/@code)"))
        return code, str(value(root, "string(//h:queryResponseCode/@code)")), list(ids)

    def feed(self, who: str, name: str, *changes: tuple[str, str]) -> str:
        root = judged(self.send(who, name, *changes).payload)
        assert etree.QName(root).localname == "MCCI_IN000002UV01"
        return str(value(root, "string(h:acknowledgement/h:typeCode/@code)"))


@pytest.fixture
def region(door: Door, policy: NetworkPolicy) -> Region:
    house = House(door, policy)
    house.found()
    dispatch = Dispatch(
        door=door,
        table=index(TRANSACTIONS),
        new_id=lambda: str(uuid.uuid4()),
        schemas=SCHEMAS,
    )
    return Region(house, dispatch)


A, B = CHARTS["hospital-a"], CHARTS["clinic-b"]
ALL, TWO = "iti45-all-domains", "iti45-two-domains"


def of(chart: object, domain: str = A.domain) -> tuple[tuple[str, str], ...]:
    """A sample re-rooted to a chart of the house."""
    changes: tuple[tuple[str, str], ...] = (('extension="0012345"', f'extension="{chart}"'),)
    if domain != A.domain:
        changes += ((f'root="{A.domain}"', f'root="{domain}"'),)
    return changes


def test_before_consent_nothing_is_known_elsewhere(region: Region) -> None:
    assert region.feed("hospital-a", "iti44-add", *of(A.value)) == "CA"
    assert region.feed("clinic-b", "iti44-add", *of(B.value, B.domain)) == "CA"
    assert region.ask("hospital-a", ALL, *of(A.value)) == ("AA", "NF", [])
    assert region.ask("clinic-b", ALL, *of(A.value))[:2] == ("AE", "AE")  # PIX-04


def test_the_six_cases(region: Region) -> None:
    shared = region.house.enrol("hospital-a", "clinic-b")
    mine = of(A.value)
    assert region.ask("hospital-a", TWO, *mine) == ("AA", "OK", [shared.value, B.value])
    found = region.ask("hospital-a", ALL, *mine)
    assert found[:2] == ("AA", "OK")
    assert set(found[2]) == {shared.value, B.value}
    third = (('root="2.999.20.1"', 'root="2.999.30.3"'), ('root="2.999.30.2"', 'root="2.999.30.3"'))
    assert region.ask("hospital-a", TWO, *mine, *third) == ("AA", "NF", [])
    assert region.ask("hospital-a", TWO, *of("unknown")) == ("AE", "AE", [])
    nowhere = ('<value root="2.999.30.2"/>', '<value root="2.999.77"/>')
    assert region.ask("hospital-a", TWO, *mine, nowhere) == ("AE", "AE", [])


def test_unknown_foreign_and_forbidden_look_alike(region: Region) -> None:
    """G8: but for what the question itself says, the answers are equal byte for byte."""
    region.feed("hospital-a", "iti44-add", *of(A.value))
    answers = set()
    for chart in (A.value, "77777"):
        payload = region.send("clinic-b", ALL, *of(chart)).payload
        text = payload.xml.replace(chart.encode(), b"X")
        answers.add(etree.tostring(etree.fromstring(text).find("{*}acknowledgement")))
    assert len(answers) == 1


def test_a_feed_twice_changes_nothing_and_a_revise_something(region: Region) -> None:
    assert region.feed("hospital-a", "iti44-add", *of(A.value)) == "CA"
    person = region.house.person(A)
    assert region.feed("hospital-a", "iti44-add", *of(A.value)) == "CA"
    assert region.feed("hospital-a", "iti44-revise", *of(A.value)) == "CA"
    assert region.house.person(A) == person


def test_a_merge_lets_the_survivor_answer(region: Region) -> None:
    region.feed("hospital-a", "iti44-add")
    region.feed("hospital-a", "iti44-add", ("0012345", "0099999"))
    assert region.feed("hospital-a", "iti44-merge") == "CA"
    assert region.feed("hospital-a", "iti44-merge") == "CA"  # sent again, done once
    assert region.ask("hospital-a", ALL)[:2] == ("AA", "NF")
    assert region.ask("hospital-a", ALL, *of("0099999"))[:2] == ("AE", "AE")


@pytest.mark.parametrize(
    ("who", "name", "changes", "code"),
    [
        pytest.param("clinic-b", "iti44-add", (), "CE", id="another facility's domain (G-01)"),
        pytest.param(
            "hospital-a", "iti44-add", (('root="2.999.30.1" e', 'root="2.999.77" e'),), "CE",
            id="an undeclared domain (DOM-03)",
        ),
        pytest.param(
            "hospital-a", "iti44-add",
            (('"0012345"/>', '"0012345"/><id root="2.999.30.2" extension="1"/>'),), "CE",
            id="a second identifier of another's domain (G-01)",
        ),
        pytest.param(
            "hospital-a", "iti44-add", (('root="2.999.30.1" e', 'root="2.999.20.1" e'),), "CE",
            id="a shared id of another form (DOM-01)",
        ),
        pytest.param("hospital-a", "iti44-merge", (), "CE", id="a merge of nobody"),
        pytest.param(
            "hospital-a", "iti44-merge", (("0099999", "0012345"),), "CE", id="a circle (FN-401)"
        ),
    ],
)  # fmt: skip
def test_feeds_that_are_refused(
    region: Region, who: str, name: str, changes: tuple[tuple[str, str], ...], code: str
) -> None:
    assert region.feed(who, name, *changes) == code
    assert region.ask("hospital-a", ALL)[:2] == ("AE", "AE")  # nothing was kept


HANAKO_ASKED = (
    ("<family>見本</family>", "<family>山田</family>"),
    ('value="19800203"', 'value="19500102"'),
)


def test_a_neighbour_discovers_who_takes_part(region: Region) -> None:
    shared = region.house.enrol("hospital-a", "clinic-b")
    demo = "iti55-demographics"
    assert region.ask("neighbour-n", demo, *HANAKO_ASKED) == ("AA", "OK", [shared.value])
    by_id = ("1234567890123456", shared.value)
    assert region.ask("neighbour-n", "iti55-shared-id", by_id) == ("AA", "OK", [shared.value])
    assert region.ask("neighbour-n", demo) == ("AA", "NF", [])
    other = (*HANAKO_ASKED, ('<value code="F"/>', '<value code="M"/>'))
    assert region.ask("neighbour-n", demo, *other) == ("AA", "NF", [])


def test_a_neighbour_does_not_discover_who_does_not(region: Region) -> None:
    region.house.feed("hospital-a")
    assert region.ask("neighbour-n", "iti55-demographics", *HANAKO_ASKED) == ("AA", "NF", [])


def test_several_matches_ask_for_more(region: Region) -> None:
    region.house.enrol("hospital-a")
    region.house.enrol("clinic-b", demographics=HANAKO)
    root = judged(region.send("neighbour-n", "iti55-demographics", *HANAKO_ASKED).payload)
    assert value(root, "string(//h:queryResponseCode/@code)") == "OK"
    assert not list(root.iter("{*}registrationEvent"))
    assert value(root, "count(//h:actOrderRequired)") == 2.0


def test_another_communitys_question_is_refused(region: Region) -> None:
    foreign = (('<id root="2.999.10.2"/>\n            </rep', '<id root="2.999.10.9"/></rep'),)
    assert region.ask("neighbour-n", "iti55-demographics", *foreign)[:2] == ("AE", "AE")


@needs_shared
def test_what_does_not_fit_the_schema_is_a_fault(region: Region) -> None:
    with pytest.raises(DispatchFault) as caught:
        region.send("hospital-a", ALL, ("<parameterList>", "<parameterList><odd/>"))
    assert caught.value.fault.code == "env:Sender"
    assert caught.value.fault.relates_to


def test_the_answer_is_of_its_moment(region: Region) -> None:
    region.feed("hospital-a", "iti44-add")
    root = judged(region.send("hospital-a", ALL).payload)
    at = datetime(2026, 11, 21, tzinfo=UTC)
    assert value(root, "string(h:creationTime/@value)") == at.strftime("%Y%m%d%H%M%S+0000")
