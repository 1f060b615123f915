"""Parts of data that was split over several symbols: they wait until all of them are here.

A part that waits is a file that is set aside; which part it is stands in its `version`. The parts
of one whole are of one facility and about the same stated chart id.
"""

from collections.abc import Sequence

from gateway.model.batch import Finding
from gateway.model.identifiers import PatientId
from gateway.record import findings, staging
from gateway.record.staging import FileRow
from gateway.store.record import lock_unique, uploads
from gateway.store.work import Work

FORMAT = "split-symbol"
"Name of the format of a part that waits."


def arrive(
    work: Work,
    file_id: str,
    chart: PatientId | None,
    symbol: tuple[str, int, int],
    *,
    found: Finding,
    clash: Finding,
) -> tuple[FileRow, ...]:
    """Take a part in; all parts in their order once they are here, else nothing.

    `symbol` is the id of the whole, the part, and how many there are; `chart` is what its sender
    stated. A part that may not be kept is refused as the whole would be (CON-01).
    The same part again is a duplicate; another content under the same number is set aside alone.
    """
    whole, part, total = symbol
    file = staging.lock(work, file_id)
    lock_unique(work.db, f"{FORMAT}|{file.facility}|{whole}")
    if file.state != uploads.RECEIVED:
        return ()
    if uploads.select_twin(work.db, file) is not None:
        _put(work, file, uploads.DUPLICATE)
        return ()
    if not staging.may_keep(work, file.facility, chart):
        staging.refuse_file(work, file_id, (findings.NO_CONSENT,))
        return ()
    key = f"{whole}/{total}/"
    waiting = {
        int(one.version.removeprefix(key)): one
        for one in uploads.select_waiting_parts(work.db, file, FORMAT, key)
    }
    before = waiting.get(part)
    if before is not None:
        if before.sha256 == file.sha256:
            _put(work, file, uploads.DUPLICATE)
        else:
            staging.set_aside(work, file_id, (clash,))
        return ()
    waiting[part] = file
    if len(waiting) == total:
        return tuple(waiting[number] for number in sorted(waiting))
    file = file._replace(format=FORMAT, version=f"{key}{part}")
    if chart is not None:
        file = file._replace(domain=chart.domain, value=chart.value)  # erased with the patient
    _put(work, file, uploads.SET_ASIDE, found)
    return ()


def refuse(work: Work, parts: Sequence[FileRow], found: Finding) -> None:
    """All parts of a whole that is refused."""
    for part in parts:
        staging.refuse_file(work, part.id, (found,))


def lost(work: Work, part: FileRow, found: Finding) -> None:
    """The bytes of a part that waited are gone: it has to come again."""
    _put(work, part._replace(format="", version=""), uploads.SET_ASIDE, found)


def _put(work: Work, file: FileRow, state: str, *found: Finding) -> None:
    told = [findings.told(one) for one in found]
    uploads.update_file(work.db, file._replace(state=state, findings=told))
    work.trail.detail["state"] = state
