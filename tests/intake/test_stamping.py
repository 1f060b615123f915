"""Archive time-stamps of our own: asked for, judged, kept beside the document, renewed, counted."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from asn1crypto import tsp

from gateway.cli.repeat import _archived
from gateway.demo.sign import stamper
from gateway.errors import Busy
from gateway.hpki.policy import Trust
from gateway.intake.signed import Signatures
from gateway.intake.stamping import Stamping
from gateway.intake.uploads import Intake
from gateway.record import evidence, stamps
from gateway.store.blobs import Blobs
from tests import pki
from tests.conftest import Clock
from tests.intake.test_cutting import work_through
from tests.intake.test_papers import documents, send
from tests.record.house import House
from tests.record.test_erase import withdraw

HERE = pki.hierarchy()


def verified(path, *, at, received):
    from gateway.hpki.verify import verify

    return verify(path.read_bytes(), pki.policy(), at=pki.SIGNED, received=pki.SIGNED), ()


class Authority:
    """A time-stamp authority in this process."""

    def __init__(self, clock: Clock) -> None:
        self.clock, self.asked, self.away, self.wrong = clock, 0, False, False

    def __call__(self, request: bytes) -> bytes:
        self.asked += 1
        if self.away:
            raise Busy("away", "応答がありません")
        found = tsp.TimeStampReq.load(request, strict=True)
        if self.wrong:
            found["nonce"] = 1
        made = stamper(HERE.tsa.certificate, HERE.tsa.key, self.clock())
        return bytes(made.request_tsa_response(found).dump())


@pytest.fixture
def authority(clock: Clock) -> Authority:
    clock.now = pki.SIGNED
    return Authority(clock)


@pytest.fixture
def stamping(house: House, authority: Authority, clock: Clock) -> Stamping:
    policy = pki.policy()
    policy = replace(policy, trust=policy.trust | Trust(crls=(HERE.tsa_crl,)))
    return Stamping(
        door=house.door, policy=lambda: policy, send=authority, nonce=lambda: 2**62 + 1, clock=clock
    )


@pytest.fixture
def filed(house: House, intake: Intake) -> str:
    """A signed document of the record, and an unsigned one."""
    intake = replace(intake, signatures=Signatures(verified, lambda: pki.SIGNED))
    house.enrol("hospital-a")
    send(house, intake, pki.pdf())
    send(house, intake, pki.page("x"), "看護サマリ.pdf")
    work_through(house, intake)
    (entry,) = [one for one in documents(house) if one.signatures]
    return entry.entry_uuid


def run(house: House, stamping: Stamping) -> tuple[int, int]:
    return stamping.run(lambda: house.caller("secretariat"))


def judged(house: House, stamping: Stamping, owner: str, clock: Clock) -> list[dict[str, Any]]:
    with house.work(reading=True) as work:
        kept = stamps.kept(work.db, owner)
        report = evidence.find(work, owner).report
    return list(_archived(kept, report, stamping.policy(), clock()))


def test_a_verified_document_is_stamped_once(
    house: House, stamping: Stamping, authority: Authority, filed: str, blobs: Blobs, clock: Clock
) -> None:
    (before,) = [one for one in documents(house) if one.signatures]
    assert run(house, stamping) == (1, 0)
    assert run(house, stamping) == (0, 0)
    assert authority.asked == 1
    (after,) = [one for one in documents(house) if one.signatures]
    assert after == before  # the document is as it was filed
    assert blobs.verify(after.sha256)
    (one,) = judged(house, stamping, filed, clock)
    assert (one["outcome"], one["number"]) == ("passed", 1)


def test_it_is_renewed_before_it_ends(
    house: House, stamping: Stamping, filed: str, clock: Clock
) -> None:
    assert run(house, stamping) == (1, 0)
    left = HERE.tsa.certificate.not_valid_after_utc - clock()
    early = replace(stamping, early=left + timedelta(days=1))
    assert run(house, early) == (1, 0)
    newest, oldest = judged(house, early, filed, clock)
    assert (newest["number"], newest["outcome"]) == (2, "passed")
    assert (oldest["number"], oldest["outcome"]) == (1, "passed")
    with house.work(reading=True) as work:
        first, second = stamps.kept(work.db, filed)
    assert first.token != second.token
    swapped = [replace(first, token=second.token, stamped=second.stamped), second]
    with house.work(reading=True) as work:
        report = evidence.find(work, filed).report
    (_, wrong) = _archived(swapped, report, early.policy(), clock())
    assert wrong["outcome"] == "failed"  # about something else
    altered = {**report, "verdict": "invalid"}
    assert {one["outcome"] for one in _archived([first], altered, early.policy(), clock())} == {
        "failed"
    }


def test_an_authority_that_is_away_is_asked_again_later(
    house: House, stamping: Stamping, authority: Authority, filed: str
) -> None:
    authority.away = True
    with pytest.raises(Busy):
        run(house, stamping)
    authority.away = False
    assert run(house, stamping) == (1, 0)


def test_a_token_that_is_not_believed_is_not_kept(
    house: House, stamping: Stamping, authority: Authority, filed: str
) -> None:
    authority.wrong = True
    assert run(house, stamping) == (0, 1)
    with house.work(reading=True) as work:
        assert stamps.kept(work.db, filed) == []


def test_the_stamps_go_with_the_document(house: House, stamping: Stamping, filed: str) -> None:
    run(house, stamping)
    withdraw(house)
    with house.work(reading=True) as work:
        assert stamps.kept(work.db, filed) == []
