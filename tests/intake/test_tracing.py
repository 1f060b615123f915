"""Source lines of what parts of files and files of archives became; nobody else's lines."""

import io
import zipfile

from gateway.intake.uploads import Intake
from gateway.model.category import Source
from gateway.record import trace
from gateway.store.blobs import Blobs
from tests.intake.test_cutting import CHART, Sent, send, work_through
from tests.intake.test_replaying import message
from tests.record.house import House


def traced(house: House, kind: str) -> list[trace.Traced]:
    """Every staged resource of that type, traced."""
    from gateway.store.record import ITEM, STAGED
    from gateway.wire import fhir

    found = []
    with house.work() as work:
        for table in (STAGED, ITEM):
            for row in work.db.execute(table.select().order_by(table.c.id)).all():
                resource = fhir.loads(row.content)["resource"]
                if resource["resourceType"] == kind:
                    found.append(trace.trace(work, resource["id"]))
    return found


def test_a_part_shows_its_own_lines(house: House, intake: Intake) -> None:
    house.custody("hospital-a")
    send(house, intake)
    work_through(house, intake)
    lines = [one.versions[0].lines for one in traced(house, "Basic")]
    assert lines == ["I,1,胃炎".encode(), "I,2,高血圧".encode(), "I,1,喘息".encode()]


def test_lines_of_others_within_a_range_are_not_shown(house: House, intake: Intake) -> None:
    """A report may reach from a person's first row to the last, with others between."""
    from gateway.store.record import uploads

    house.custody("hospital-a")
    send(house, intake)
    work_through(house, intake)
    content = f"H,2026-11\r\nP,{CHART}\r\nI,1,胃炎\r\nI,2,高血圧\r\nP,9999\r\nI,1,喘息\r\n".encode()
    with house.work() as work:
        (one, *_) = uploads.select_files_of_chart(work.db, "2.999.30.1", "9999")
        lines = trace._lines(work, one, 0, len(content))
        assert lines == b"H,2026-11\r\nP,9999\r\n" + "I,1,喘息\r\n".encode()
        assert trace._lines(work, one._replace(spans=None), 0, 11) == b"H,2026-11\r\n"


def test_a_file_of_an_archive_shows_its_lines(house: House, intake: Intake, blobs: Blobs) -> None:
    house.custody("hospital-a")
    name = f"{CHART}_20261104_OML-11_000000000080001_20261104090000000_01_1"
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(name, message())
    sent = Sent(packed.getvalue(), blobs, path="a.zip")
    intake.receive(house.caller("hospital-a"), [sent], facility="hospital-a", source=Source.EMR)
    work_through(house, intake)
    found = [one.versions[0] for one in traced(house, "Observation")]
    assert [one.at for one in found] == ["OBX[1]", "OBX[2]"]
    assert [one.lines[:10] for one in found] == [b"OBX|1|NM|T", b"OBX|2|NM|3"]
