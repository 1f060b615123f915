"""Statements on what a turn asks about all of its files at once."""

from collections.abc import Collection, Iterable

from sqlalchemy import Connection

from gateway.model.identifiers import Oid, PatientId, PersonId
from gateway.store import raw

_CHARTS = (
    "WITH chart(domain, value) AS (VALUES {}) SELECT domain, value FROM chart WHERE EXISTS "
    "(SELECT 1 FROM staged_item s WHERE s.domain = chart.domain AND s.value = chart.value) "
    "OR EXISTS (SELECT 1 FROM item i WHERE i.domain = chart.domain AND i.value = chart.value)"
)
_TWINS = (
    "WITH file(id, sha256) AS (VALUES {}) SELECT sha256 FROM file WHERE EXISTS "
    "(SELECT 1 FROM upload_file u WHERE u.sha256 = file.sha256 AND u.id <> file.id)"
)


def _pairs(count: int) -> str:
    return ", ".join(["(?, ?)"] * count)


def select_file_states(db: Connection, files: Collection[str]) -> dict[str, tuple[str, int]]:
    """State and number of attempts of each file, kept from others until the transaction ends."""
    statement = (
        f"SELECT id, state, attempts FROM upload_file WHERE id IN ({raw.some(len(files))}) "  # noqa: S608
        f"ORDER BY id{raw.locking(db)}"
    )
    return {id: (state, attempts) for id, state, attempts in raw.rows(db, statement, [*files])}


def select_maybe_twins(db: Connection, files: Collection[tuple[str, str]]) -> set[str]:
    """The digests, of files by id and digest, that some other file has as well."""
    values = [one for file in files for one in file]
    return {row[0] for row in raw.rows(db, _TWINS.format(_pairs(len(files))), values)}


def select_persons(db: Connection, patients: Collection[PatientId]) -> dict[PatientId, PersonId]:
    """Whose these identifiers are, merged or not; those that are unknown are not among them."""
    statement = (
        "SELECT domain, value, person FROM identifier "  # noqa: S608
        f"WHERE (domain, value) IN (VALUES {_pairs(len(patients))})"
    )
    return {
        PatientId(Oid(domain), value): PersonId(person)
        for domain, value, person in raw.rows(db, statement, _values(patients))
    }


def select_charts(db: Connection, patients: Collection[PatientId]) -> set[tuple[str, str]]:
    """The charts, by domain and value, that have any item, staged or shared."""
    found = raw.rows(db, _CHARTS.format(_pairs(len(patients))), _values(patients))
    return {(domain, value) for domain, value in found}


def _values(patients: Iterable[PatientId]) -> list[str]:
    return [one for patient in patients for one in (str(patient.domain), patient.value)]
