"""Revocation lists on both databases: fetched when due, kept for good, missed before their end."""

import json
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import text

from gateway.audit.door import Door
from gateway.cli import demo_authority as make
from gateway.cli.demo_authority import Issued
from gateway.edge.listed import ListAges, warnings
from gateway.edge.sandbox import Sandbox
from gateway.edge.trusted import Archive
from gateway.errors import Busy, Inconsistent, Invalid, NotFound
from gateway.hpki.policy import ListSource, SignaturePolicy
from gateway.hpki.verify import verify
from gateway.intake.lists import Lists
from gateway.model.caller import Caller, CallerKind
from gateway.model.signature import Indication
from gateway.record import lists as room
from gateway.settings import HpkiSettings
from tests import pki
from tests.conftest import Clock

HERE = pki.hierarchy()
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
CEASED = x509.ReasonFlags.cessation_of_operation
FORGER = Issued(HERE.signing.certificate, pki.rogue().signing.key)
SIGN, SARL = "http://mirror.invalid/sign.crl", "sarl.crl"


def crl(
    number: int, since: datetime, *revoked: tuple[int, datetime], issuer: Issued = HERE.signing
) -> bytes:
    return make.revocation_list(
        issuer, since=since, until=since + 4 * DAY, number=number,
        revoked=[(serial, moment, CEASED) for serial, moment in revoked],
    ).public_bytes(Encoding.DER)  # fmt: skip


@dataclass
class World:
    """What the sources give, and the lists of one installation."""

    door: Door
    clock: Clock
    caller: Caller
    given: dict[str, bytes | Busy] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    grace: timedelta = timedelta(0)

    def fetch(self, source: ListSource) -> bytes:
        self.asked.append(source.name)
        found = self.given[source.name]
        if isinstance(found, Busy):
            raise found
        return found

    @property
    def policy(self) -> SignaturePolicy:
        sources = (
            ListSource(name=SIGN, remote=True, issuer=pki.parsed(HERE.signing), every=6 * HOUR),
            ListSource(name=SARL, remote=False, every=6 * HOUR, alarm=HOUR),
        )
        usual = pki.policy(lists=(HERE.tsa_crl,))
        return replace(usual, trust=replace(usual.trust, sources=sources), crl_grace=self.grace)

    @property
    def lists(self) -> Lists:
        return Lists(door=self.door, policy=self.policy, fetch=self.fetch, clock=self.clock)

    def refresh(self) -> list[str]:
        return [one.outcome for one in self.lists.refresh(lambda: self.caller)]

    def watch(self) -> list[str]:
        return [one.source.name for one in self.lists.watch(lambda: self.caller)]

    def archived(self) -> list[str]:
        return [row.number for row in self.door.snapshot(room.every, max_age=0.0)]

    def events(self) -> list[tuple[str, str, int]]:
        """Kind, code and outcome of every event, oldest first."""
        query = text("SELECT kind, content, outcome FROM audit_event ORDER BY id")
        found = self.door.snapshot(lambda db: list(db.execute(query)), max_age=0)
        return [(kind, json.loads(told).get("code", ""), code) for kind, told, code in found]

    def verdict(self, document: bytes, at: datetime) -> Indication:
        policy = Archive(self.door).policy(self.policy)
        return verify(document, policy, at=at, received=at).indication


@pytest.fixture
def world(door: Door, clock: Clock, caller: Caller) -> World:
    clock.now = pki.NOW
    made = World(door, clock, replace(caller, kind=CallerKind.JOB, facility="gateway"))
    made.given = {
        SIGN: crl(1, clock.now - HOUR), SARL: crl(1, clock.now - HOUR, issuer=HERE.root),
    }  # fmt: skip
    return made


def test_each_source_is_asked_when_it_is_due_and_by_one_process(world: World) -> None:
    assert world.refresh() == ["new", "new"]
    assert world.refresh() == [], "not due, and nobody else's turn either"
    row = world.door.snapshot(room.every, max_age=0.0)[0]
    assert (row.received, row.source, row.number) == (pki.NOW, SIGN, "1")
    world.clock.advance(hours=6)
    count = len(world.events())
    assert world.refresh() == ["same", "same"]
    assert len(world.events()) == count, "what is no news leaves no event"
    world.clock.advance(hours=6)
    world.given[SIGN] = crl(2, world.clock.now)
    assert world.refresh() == ["new", "same"]
    assert world.archived() == ["1", "1", "2"]


def test_one_that_fails_is_asked_ever_more_slowly_and_the_rest_goes_on(world: World) -> None:
    world.given[SIGN] = Busy("the address does not answer")
    assert world.refresh() == ["unanswered", "new"]
    pauses = []
    for _ in range(10):
        state = world.door.snapshot(room.sources, max_age=0.0)[SIGN]
        pauses.append(state.due - world.clock.now)
        world.clock.now = state.due
        world.refresh()
    minutes = [round(pause / timedelta(minutes=1)) for pause in pauses]
    assert minutes == [1, 2, 4, 8, 16, 32, 64, 128, 256, 360]
    state = world.door.snapshot(room.sources, max_age=0.0)[SIGN]
    assert (state.failures, state.problem) == (11, "the address does not answer")
    world.given[SIGN] = crl(1, world.clock.now)
    with pytest.raises(NotFound):
        world.lists.refresh(lambda: world.caller, named="http://elsewhere.invalid/")
    (found,) = world.lists.refresh(lambda: world.caller, named=SIGN)
    assert found.well
    assert world.door.snapshot(room.sources, max_age=0.0)[SIGN].failures == 0


@pytest.mark.parametrize(
    ("content", "code", "serious"),
    [
        pytest.param(
            lambda now: crl(9, now, issuer=FORGER),
            "PKI-REV", True, id="forged",
        ),
        pytest.param(lambda now: crl(9, now, issuer=HERE.login), "PKI-REV", True, id="another's"),
        pytest.param(lambda now: b"<html>", "", False, id="a page"),
        pytest.param(lambda now: crl(9, now - DAY), "PKI-REV", False, id="older by time"),
        pytest.param(lambda now: crl(0, now), "PKI-REV", False, id="older by number"),
    ],
)  # fmt: skip
def test_what_is_refused_changes_nothing_and_is_recorded(
    world: World, content: Callable[[datetime], bytes], code: str, serious: bool
) -> None:
    world.refresh()
    world.clock.advance(hours=6)
    world.given[SIGN] = content(world.clock.now)
    assert world.refresh() == ["refused", "same"]
    assert world.archived() == ["1", "1"]
    kind, told, outcome = world.events()[-1]
    assert told == code
    assert (kind == "security-alert", outcome == 8) == (serious, serious)
    assert world.verdict(pki.prescription(), world.clock.now) is Indication.VERIFIED


def test_an_entry_that_vanishes_is_noted_and_still_counts(world: World) -> None:
    document = pki.prescription(HERE.card(serial=pki.REVOKED))
    world.given[SIGN] = crl(1, world.clock.now, (pki.REVOKED, pki.BEFORE))
    world.refresh()
    assert world.verdict(document, world.clock.now) is Indication.INVALID
    for number in (2, 3):
        world.clock.advance(hours=6)
        world.given[SIGN] = crl(number, world.clock.now)
        assert world.refresh() == ["new", "same"]
    assert world.verdict(document, world.clock.now) is Indication.INVALID
    used = world.door.snapshot(room.in_use, max_age=0.0)
    assert [row.number for row in used if row.source == SIGN] == ["1", "3"]
    row = world.door.snapshot(room.every, max_age=0.0)[2]
    assert row.anomalies == [{"code": "entries-gone", "count": 1, "serials": [str(pki.REVOKED)]}]


def test_verdicts_need_no_network_until_the_window_ends_and_it_is_missed_before(
    world: World,
) -> None:
    world.refresh()
    document, end = pki.prescription(stamped=None), pki.NOW - HOUR + 4 * DAY
    world.given[SIGN] = world.given[SARL] = Busy("no network")
    world.clock.now = end - 2 * DAY - timedelta(seconds=1)
    world.refresh()
    assert world.watch() == []
    world.clock.now = end - 2 * DAY
    assert world.watch() == [SIGN], "half of the window, where nothing is said"
    assert world.watch() == [], "once a day"
    world.clock.now = end - HOUR
    assert world.watch() == [SIGN, SARL], "as the trust file says"
    told = warnings(world.lists)
    assert [SIGN in told[0]["text"], SARL in told[1]["text"]] == [True, True]
    assert all("失効リスト" in one["text_ja"] for one in told)
    counted = {
        (sample.name, sample.labels.get("source")): sample.value
        for metric in ListAges(world.lists).collect()
        for sample in metric.samples
    }
    assert counted["gateway_crl_left_seconds", SIGN] == 3600
    assert counted["gateway_crl_age_seconds", SIGN] == 4 * 24 * 3600 - 3600
    assert counted["gateway_crl_failures", SIGN] == counted["gateway_crl_alarm", SIGN] == 1
    world.clock.now = end
    assert world.verdict(document, end) is Indication.VERIFIED
    assert world.watch() == [SIGN, SARL], "once more at the end"
    assert world.events()[-1] == ("security-alert", "PKI-REV", 12)
    assert world.verdict(document, end + timedelta(seconds=1)) is Indication.UNVERIFIABLE
    world.grace = HOUR
    assert world.verdict(document, end + HOUR) is Indication.VERIFIED
    assert world.verdict(document, end + HOUR + timedelta(seconds=1)) is Indication.UNVERIFIABLE
    world.grace = timedelta(0)
    world.clock.now = end + DAY
    world.given = {
        SIGN: crl(2, world.clock.now), SARL: crl(2, world.clock.now, issuer=HERE.root),
    }  # fmt: skip
    world.lists.fetch_all(lambda: world.caller)
    assert world.watch() == []
    assert world.verdict(document, world.clock.now) is Indication.VERIFIED


def test_a_list_whose_window_has_ended_is_kept_and_verifies_nothing(world: World) -> None:
    world.given[SIGN] = crl(1, world.clock.now - 5 * DAY)
    assert world.refresh() == ["new", "new"]
    assert world.watch() == [SIGN]
    document = pki.prescription(stamped=None)
    assert world.verdict(document, world.clock.now) is Indication.UNVERIFIABLE
    world.clock.advance(hours=6)
    assert world.refresh() == ["same", "same"]
    assert world.watch() == [], "it was said, and the mirror has nothing newer"
    assert world.lists.standings()[0].alarming


def test_an_operator_without_network_loads_files(world: World) -> None:
    world.given[SIGN] = world.given[SARL] = Busy("no network")
    world.refresh()
    assert world.watch() == [SIGN, SARL], "there never was a list"
    load = world.lists.load
    content = crl(5, world.clock.now)
    assert ("admin", "", 0) not in world.events()
    assert load(content, world.caller, named=SIGN).outcome == "new"
    assert ("admin", "", 0) in world.events()  # the alarm's is written by another thread
    assert load(content, world.caller, named=SIGN).outcome == "same"
    standing = world.lists.standings()[0]
    assert (standing.alarming, standing.state.failures) == (False, 1)
    old = crl(2, world.clock.now - 30 * DAY, (pki.REVOKED, pki.BEFORE - 30 * DAY))
    with pytest.raises(Inconsistent, match="older"):
        load(old, world.caller)
    assert load(old, world.caller, older=True).outcome == "new"
    assert [row.number for row in world.door.snapshot(room.in_use, max_age=0.0)] == ["5", "2"]
    with pytest.raises(Invalid, match="not signed"):
        load(content[:-1] + bytes([content[-1] ^ 1]), world.caller)
    assert world.archived() == ["5", "2"]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_child_that_reads_documents_sees_new_lists_and_those_of_old_signatures(
    world: World, tmp_path: Path
) -> None:
    for name, issued in (("root", HERE.root), ("tsa", HERE.tsa_root), ("signing", HERE.signing)):
        (tmp_path / f"{name}.pem").write_bytes(issued.pem)
    (tmp_path / "tsa.crl").write_bytes(HERE.tsa_crl.crl.public_bytes(Encoding.DER))
    (tmp_path / "trust.toml").write_text(
        '[[anchor]]\nkind = "hpki"\nfile = "root.pem"\n[[anchor]]\nkind = "tsa"\nfile = "tsa.pem"\n'
        '[[certificate]]\nfile = "signing.pem"\n[[crl]]\nfile = "tsa.crl"\n'
    )
    ended = HERE.card(until=pki.SIGNED + DAY)
    (tmp_path / "document").write_bytes(pki.prescription(ended))
    archive = Archive(world.door)

    def ask() -> Indication:
        archive._asked = 0.0  # as if two seconds had gone by
        file, now = tmp_path / "document", world.clock.now
        return sandbox.verify(file, at=now, received=now)[0].indication

    sandbox = Sandbox(HpkiSettings(trust=tmp_path / "trust.toml"), archive=archive)
    with closing(sandbox):
        assert ask() is Indication.UNVERIFIABLE
        world.refresh()
        child = sandbox._process
        assert ask() is Indication.UNVERIFIABLE, "made after the card had ended: they prove nothing"
        then = crl(0, pki.SIGNED - HOUR)
        world.lists.load(then, world.caller, older=True)
        assert ask() is Indication.VERIFIED, "the list of the signature's time, by its digest"
        world.clock.advance(hours=6)
        world.given[SIGN] = crl(2, world.clock.now, (100, pki.BEFORE))
        world.refresh()
        assert ask() is Indication.INVALID
        assert sandbox._process is child, "no restart was needed"
