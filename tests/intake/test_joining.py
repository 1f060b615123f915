"""Parts of a split notebook at the door: they wait, come together, and are erased together."""

from dataclasses import replace
from typing import Any

import pytest

from gateway.intake import Intake
from gateway.model.category import Source
from gateway.record import trace
from gateway.store.record.uploads import select_files_of_chart
from tests.intake.test_cutting import Sent, work_through
from tests.record.house import CHARTS, House
from tests.record.test_erase import withdraw
from tests.standardize import test_symbols as made

CHART = CHARTS["pharmacy-c"]
PERSON = "1,山田 花子,2,19500102,,,,,,,ﾔﾏﾀﾞ ﾊﾅｺ"


def content(number: int, **changes: Any) -> bytes:
    rows = (made.FIRST, made.SECOND, made.THIRD)[number - 1]
    return made.part([row.replace(made.PERSON, PERSON) for row in rows], number, **changes).content


def send(house: House, intake: Intake, *files: bytes, name: str = "qr.csv") -> str:
    found = intake.receive(
        house.caller("pharmacy-c"),
        [Sent(one, intake.blobs, path=f"{n}-{name}") for n, one in enumerate(files)],
        facility="pharmacy-c", source=Source.DISPENSING, patient=CHART.value,
    )  # fmt: skip
    work_through(house, intake)
    return str(found["receipt"])


def told(house: House, receipt: str) -> list[tuple[str, int, list[str]]]:
    files = house.receipt("pharmacy-c", receipt)["files"]
    return [
        (one["state"], sum(one["items"].values()), [each["code"] for each in one["findings"]])
        for one in files
    ]


def states(house: House, receipt: str) -> list[tuple[str, int]]:
    return [one[:2] for one in told(house, receipt)]


@pytest.mark.parametrize("order", [(1, 2, 3), (3, 1, 2), (2, 3, 1)])
def test_parts_of_one_upload_are_joined(
    house: House, intake: Intake, order: tuple[int, int, int]
) -> None:
    house.enrol("pharmacy-c")
    receipt = send(house, intake, *(content(number) for number in order))
    want = [("standardized", {1: 1, 2: 1, 3: 0}[number]) for number in order]
    assert states(house, receipt) == want


def test_parts_of_several_uploads_wait_for_the_last(house: House, intake: Intake) -> None:
    house.enrol("pharmacy-c")
    first = send(house, intake, content(1))
    assert told(house, first) == [("set-aside", 0, ["split-symbol"])]
    second = send(house, intake, content(3))
    assert states(house, second) == [("set-aside", 0)]
    third = send(house, intake, content(2))
    assert states(house, first) == [("standardized", 1)]
    assert states(house, second) == [("standardized", 0)]
    assert states(house, third) == [("standardized", 1)]
    again = send(house, intake, content(2))
    assert states(house, again) == [("duplicate", 0)]


def test_other_wholes_and_other_people_are_not_mixed_in(house: House, intake: Intake) -> None:
    house.enrol("pharmacy-c")
    send(house, intake, content(1), content(2))
    other = send(house, intake, content(3, identity="20261102000002"), content(3, total=4))
    assert states(house, other) == [("set-aside", 0)] * 2
    found = intake.receive(
        house.caller("pharmacy-c"), [Sent(content(3), intake.blobs, path="x.csv")],
        facility="pharmacy-c", source=Source.DISPENSING, patient="P-10",
    )  # fmt: skip
    work_through(house, intake)
    assert states(house, str(found["receipt"])) == [("refused", 0)]


def test_a_part_that_may_not_be_kept_is_not(house: House, intake: Intake) -> None:
    """Without consent and custody no part waits; a withdrawal takes one that does."""
    house.feed("pharmacy-c")
    alone = send(house, intake, content(1))
    assert told(house, alone) == [("refused", 0, ["no-consent"])]
    house.enrol("pharmacy-c")
    waits = send(house, intake, content(2))
    assert states(house, waits) == [("set-aside", 0)]
    withdraw(house)
    with house.work() as work:
        assert select_files_of_chart(work.db, CHART.domain, CHART.value) == []


def test_the_same_part_again_and_another_content_of_it(house: House, intake: Intake) -> None:
    house.enrol("pharmacy-c")
    send(house, intake, content(1))
    again = send(house, intake, content(1))
    assert states(house, again) == [("duplicate", 0)]
    clash = send(
        house, intake, content(1).replace("見本錠,3".encode("cp932"), "見本錠,4".encode("cp932"))
    )
    assert told(house, clash) == [("set-aside", 0, ["split-symbol-clash"])]
    last = send(house, intake, content(2), content(3))
    assert states(house, last) == [("standardized", 1), ("standardized", 0)]


def test_parts_that_do_not_fit_are_refused_together(house: House, intake: Intake) -> None:
    house.enrol("pharmacy-c")
    first = send(house, intake, content(1), content(2))
    wrong = send(house, intake, content(3).replace(b"JAHISTC08", b"JAHISTC07"))
    assert told(house, wrong) == [("refused", 0, ["malformed"])]
    assert states(house, first) == [("refused", 0)] * 2


def test_a_part_whose_bytes_are_gone_has_to_come_again(house: House, intake: Intake) -> None:
    house.enrol("pharmacy-c")
    first = send(house, intake, content(1))
    blob = intake.blobs.put(iter([content(1)]))
    intake.blobs.path(blob.sha256).write_bytes(b"x")
    rest = send(house, intake, content(2), content(3))
    assert told(house, first) == [("set-aside", 0, ["bytes-damaged"])]
    assert states(house, rest) == [("set-aside", 0)] * 2


def test_each_item_is_traced_to_its_part_and_erased_with_it(house: House, intake: Intake) -> None:
    house.enrol("pharmacy-c")
    send(house, intake, content(1), content(2), content(3))
    with house.work() as work:
        files = select_files_of_chart(work.db, CHART.domain, CHART.value)
        assert len(files) == 3
    batches = made.read_joined(
        [
            replace(one, domain=CHART.domain, patient=CHART.value, content=content(number))
            for number, one in enumerate(made.parts(), start=1)
        ]
    )
    resource = batches[1].items[0].resource
    with house.work(reading=True) as work:
        traced = trace.trace(work, str(resource["id"]))
    assert traced.versions[0].lines.startswith("201,2,見本散".encode("cp932"))
    assert traced.versions[0].path == "1-qr.csv"
    withdraw(house)
    with house.work() as work:
        assert select_files_of_chart(work.db, CHART.domain, CHART.value) == []
