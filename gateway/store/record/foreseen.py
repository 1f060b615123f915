"""Statements on what a turn asks about all of its files at once."""

from collections.abc import Collection

from sqlalchemy import Connection

from gateway.model.identifiers import PatientId
from gateway.store import raw
from gateway.store.identity import pair_values

_CHARTS = (
    "WITH chart(domain, value) AS (VALUES {}) SELECT domain, value FROM chart WHERE EXISTS "
    "(SELECT 1 FROM staged_item s WHERE s.domain = chart.domain AND s.value = chart.value) "
    "OR EXISTS (SELECT 1 FROM item i WHERE i.domain = chart.domain AND i.value = chart.value)"
)
_TWINS = (
    "WITH file(id, sha256) AS (VALUES {}) SELECT sha256 FROM file WHERE EXISTS "
    "(SELECT 1 FROM upload_file u WHERE u.sha256 = file.sha256 AND u.id <> file.id)"
)


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
    return {row[0] for row in raw.rows(db, _TWINS.format(raw.pairs(len(files))), values)}


def select_charts(db: Connection, patients: Collection[PatientId]) -> set[tuple[str, str]]:
    """The charts, by domain and value, that have any item, staged or shared."""
    found = raw.rows(db, _CHARTS.format(raw.pairs(len(patients))), pair_values(patients))
    return {(domain, value) for domain, value in found}
