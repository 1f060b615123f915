"""What the Works of a turn ask about their files, asked once for all of them.

A turn has its facility's lane, and the rows of its files locked: nobody else writes what stands
here until it ends. What its own Works write is asked for again: such an answer is given once. A
Work for which nothing was foreseen asks the database by itself.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from gateway.identity import crossref
from gateway.model.identifiers import PatientId, PersonId
from gateway.store.raw import writes_alone
from gateway.store.record import foreseen as rows
from gateway.store.record import uploads
from gateway.store.work import Work


@dataclass(slots=True)
class _Foreseen:
    states: dict[str, tuple[str, int]]
    "State and attempts of each file, until it is asked for."
    maybe_twins: set[str]
    "Digests that more than one file has."
    persons: dict[PatientId, PersonId | None]
    new: set[tuple[str, str]]
    "Charts that have no item yet."
    nobodys: list[PatientId]
    "Charts that no feed told us of, where one may while this is written."


def foresee(
    memory: dict[Any, Any],
    db: Connection,
    files: Sequence[uploads.FileRow],
    patients: Iterable[PatientId],
) -> None:
    """Ask all of it for the Works that share this memory; the files are locked from then on."""
    states = rows.select_file_states(db, [file.id for file in files])
    twins = rows.select_maybe_twins(db, [(file.id, file.sha256) for file in files])
    persons: dict[PatientId, PersonId | None] = {}
    new: set[tuple[str, str]] = set()
    nobodys: list[PatientId] = []
    named = sorted(set(patients), key=lambda one: (one.domain, one.value))
    if named:
        new = {(str(one.domain), one.value) for one in named} - rows.select_charts(db, named)
        known = crossref.persons(db, named)
        persons = {one: known.get(one) for one in named}
        if not writes_alone(db):
            # A person is who it is once it is locked, and of who is nobody yet see `told_since`.
            persons = {one: None for one, person in persons.items() if person is None}
            nobodys = list(persons)
    memory[_Foreseen] = _Foreseen(states, twins, persons, new, nobodys)


def _foreseen(work: Work) -> _Foreseen | None:
    found: _Foreseen | None = work.memory.get(_Foreseen)
    return found


def person(work: Work, patient: PatientId) -> PersonId | None:
    """Whose chart this is; None where no feed has told us yet."""
    foreseen = _foreseen(work)
    if foreseen is not None and patient in foreseen.persons:
        return foreseen.persons[patient]
    return crossref.known(work, patient)


def is_locked(work: Work, file: str) -> bool:
    """Whether a file's row is locked since before its person was asked for."""
    foreseen = _foreseen(work)
    return foreseen is not None and file in foreseen.states


def told_since(memory: dict[Any, Any], db: Connection) -> list[PersonId]:
    """Of whom a feed told us while a turn was written that knew their charts as nobody's.

    Asked once it is committed: who shared what was staged for them in between did not see what this
    turn wrote; who does it from now on will.
    """
    foreseen: _Foreseen | None = memory.get(_Foreseen)
    if foreseen is None or not foreseen.nobodys:
        return []
    return sorted({*crossref.persons(db, foreseen.nobodys).values()})


def again(work: Work, known: uploads.FileRow) -> uploads.FileRow | None:
    """A file as it is now, kept from others until this Work ends; only its state may be new."""
    foreseen = _foreseen(work)
    state = None if foreseen is None else foreseen.states.pop(known.id, None)
    if state is None:
        return uploads.select_again(work.db, known)
    return known if state == (known.state, known.attempts) else known._replace(
        state=state[0], attempts=state[1]
    )  # fmt: skip


def has_twin(work: Work, file: uploads.FileRow) -> bool:
    """Whether the same file of the facility was standardized before (STG-04)."""
    foreseen = _foreseen(work)
    if foreseen is not None and file.sha256 not in foreseen.maybe_twins:
        return False
    return uploads.select_twin(work.db, file) is not None


def is_new(work: Work, file: uploads.FileRow) -> bool:
    """Whether a file's chart is known to have no item; said once: who asks is to write some."""
    foreseen = _foreseen(work)
    chart = (str(file.domain), file.value)
    if foreseen is None or chart not in foreseen.new:
        return False
    foreseen.new.remove(chart)
    return True
