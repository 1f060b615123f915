"""Installations to measure: `gateway init --demo`, and as many persons beside the demo's as wanted.

A person has a shared patient id, charts at hospital-a and clinic-b, what was stated under each,
the ledger's grant and the events of its links, in the store's own tables. Descriptions come from
`bench.population` and repeat after `_DESCRIBED` persons; identifiers never do.
"""

import hashlib
import random
import re
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import Table, insert
from sqlalchemy.dialects import sqlite

from bench.population import Patient, population
from bench.server import REPOSITORY
from gateway.cli.demo_people import CHARTS, SHARED
from gateway.identity import matching, statements
from gateway.model.person import Address, Demographics, Gender, PersonName, Script, Telecom
from gateway.store import consent, identity
from gateway.store.metadata import write_moment

FOLDER = REPOSITORY / "build" / "bench"
FIRST = 1_000_000_000
"Chart id of the first person."
DOMAINS = (SHARED, CHARTS["hospital-a"], CHARTS["clinic-b"])
SEED = 1
_DESCRIBED = 20_000
_BATCH = 50_000
_FRESH = "gateway.db.fresh"
"The database as it was made, before any server worked on it."
_SINCE = write_moment(datetime(2026, 4, 1, tzinfo=UTC))


def make(name: str, persons: int = 0, *, folder: Path | None = None) -> Path:
    """The folder of an installation; one that this program made before is used again, afresh."""
    place = (folder or FOLDER) / name
    stamp, made = f"{persons} {SEED} {_program()}", place / "made"
    if made.is_file() and made.read_text("ascii") == stamp:
        _afresh(place)
        _at_free_ports(place)
        return place
    shutil.rmtree(place, ignore_errors=True)
    begun = time.perf_counter()
    command = [sys.executable, "-m", "gateway", "init", str(place), "--demo"]
    subprocess.run(command, cwd=REPOSITORY, check=True, stdout=subprocess.DEVNULL)
    if persons:
        load(place / "gateway.db", persons)
    _at_free_ports(place)
    settings = place / "gateway.toml"
    limits = "\n[limits]\nrequests_per_second = 1e9\nburst = 1000000000\n"
    settings.write_text(settings.read_text("utf-8") + limits, "utf-8")
    shutil.copyfile(place / "gateway.db", place / _FRESH)
    made.write_text(stamp, "ascii")
    print(f"made {name} in {time.perf_counter() - begun:.0f} s", file=sys.stderr)
    return place


def _afresh(place: Path) -> None:
    """Forget what earlier runs did: their audit trail would be measured too, and it only grows."""
    for left in place.glob("gateway.db*"):
        if left.name != _FRESH:
            left.unlink()
    for left in place.glob("audit/checkpoints.jsonl"):
        left.unlink()
    shutil.copyfile(place / _FRESH, place / "gateway.db")


def with_schemas(place: Path, schemas: Path, *, beside: bool = False) -> Path:
    """Settings beside the others that name the published schemas; the same database.

    A server that is to run `beside` the other one has a folder of documents to itself.
    """
    twin = place / "with-schemas.toml"
    text = (place / "gateway.toml").read_text("utf-8")
    if beside:
        text = text.replace('/blobs"', '/more-blobs"')
    twin.write_text(f'{text}\n[ihe]\nschemas = "{schemas.as_posix()}"\n', "utf-8")
    return twin


def _program() -> str:
    """Changes when the schema or this program does."""
    digest = hashlib.sha256(Path(__file__).read_bytes())
    for file in sorted((REPOSITORY / "gateway" / "store" / "schema").rglob("*.py")):
        digest.update(file.read_bytes())
    for file in sorted((REPOSITORY / "gateway" / "cli").glob("demo*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def _at_free_ports(place: Path) -> None:
    """Let the system choose the ports."""
    settings = place / "gateway.toml"
    text = settings.read_text("utf-8")
    settings.write_text(re.sub(r"(?m)^(\w*port) = \d+$", r"\1 = 0", text), "utf-8")


def load(database: Path, persons: int) -> None:
    """Write the persons; indexes are built afterwards, in one go each."""
    with closing(sqlite3.connect(database, isolation_level=None)) as db:
        for pragma in ("journal_mode=OFF", "synchronous=OFF", "cache_size=-400000"):
            db.execute(f"PRAGMA {pragma}")
        tables = (
            identity.IDENTIFIER, identity.DEMOGRAPHICS, identity.PERSON_NAME, identity.LINK_EVENT,
            consent.ENTRY,
        )  # fmt: skip
        indexes = _drop_indexes(db, tables)
        db.execute("BEGIN")
        names = _persons(persons)
        ordered = sorted(range(persons), key=names.__getitem__)
        for domain in DOMAINS:
            _write(db, identity.IDENTIFIER, _identifiers(domain, names))
            _write(db, identity.DEMOGRAPHICS, _demographics(domain, persons))
            _write(db, identity.PERSON_NAME, _names(domain, persons))
        _write(db, identity.LINK_EVENT, _events(names))
        granted = orjson.dumps({"signed_by": "self", "basis": "", "form": ""}).decode()
        _write(db, consent.ENTRY, (
            {"person": names[number], "number": 1, "kind": "grant", "at": _SINCE,
             "actor": "secretariat/bench", "content": granted}
            for number in ordered
        ))  # fmt: skip
        db.execute("COMMIT")
        for statement in indexes:
            db.execute(statement)
        db.execute("ANALYZE")
        db.execute("PRAGMA journal_mode=WAL")


def _drop_indexes(db: sqlite3.Connection, tables: Sequence[Table]) -> list[str]:
    found: list[str] = []
    for table in tables:
        rows = db.execute(
            "SELECT name, sql FROM sqlite_master "
            "WHERE type = 'index' AND tbl_name = ? AND sql > ''",
            (table.name,),
        ).fetchall()
        for name, sql in rows:
            db.execute(f"DROP INDEX {name}")
            found.append(sql)
    return found


def _write(db: sqlite3.Connection, table: Table, rows: Iterable[dict[str, Any]]) -> None:
    """Insert by the statement that the table itself makes."""
    iterator = iter(rows)
    first = next(iterator)
    compiled = insert(table).compile(dialect=sqlite.dialect(), column_keys=list(first))
    order = compiled.positiontup or []
    db.execute(str(compiled), [first[key] for key in order])
    db.executemany(str(compiled), ([row[key] for key in order] for row in iterator))


def chart(number: int) -> str:
    """The chart id of one person, the same at each facility."""
    return str(FIRST + number)


def shared(number: int) -> str:
    """The shared patient id of one person."""
    return f"{FIRST + number:016d}"


def _value(domain: str, number: int) -> str:
    return shared(number) if domain == SHARED else chart(number)


def _persons(count: int) -> list[str]:
    """Person ids in the form of a UUID, by seed."""
    draw = random.Random(SEED)  # noqa: S311 - repeatable, not secret
    found = []
    for _ in range(count):
        text = f"{draw.getrandbits(128):032x}"
        found.append(f"{text[:8]}-{text[8:12]}-4{text[13:16]}-8{text[17:20]}-{text[20:]}")
    return found


def _identifiers(domain: str, persons: list[str]) -> Iterator[dict[str, Any]]:
    for number, person in enumerate(persons):
        yield {"domain": domain, "value": _value(domain, number), "person": person,
               "survivor": "", "since": _SINCE}  # fmt: skip


def described(patient: Patient) -> Demographics:
    """A patient as a source states the person."""
    person = patient.person
    birth = date.fromisoformat(f"{person.birth[:4]}-{person.birth[4:6]}-{person.birth[6:]}")
    return Demographics(
        names=(
            PersonName(person.family, person.given),
            PersonName(person.family_kana, person.given_kana, Script.KANA),
        ),
        birth=birth,
        gender=Gender(person.gender),
        addresses=(Address(text=person.address),),
        telecoms=(Telecom(person.phone),),
    )


def _descriptions(count: int) -> list[Demographics]:
    return [described(patient) for patient in population(SEED, min(count, _DESCRIBED))]


def _demographics(domain: str, count: int) -> Iterator[dict[str, Any]]:
    told = [orjson.dumps(statements.write(one)).decode() for one in _descriptions(count)]
    for number in range(count):
        yield {"domain": domain, "value": _value(domain, number),
               "content": told[number % len(told)]}  # fmt: skip


def _names(domain: str, count: int) -> Iterator[dict[str, Any]]:
    keys = []
    for one in _descriptions(count):
        assert one.birth is not None
        assert one.gender is not None
        keys.append((sorted(matching.name_keys(one)), one.birth.isoformat(), one.gender.value))
    for number in range(count):
        names, birth, gender = keys[number % len(keys)]
        for name in names:
            yield {"domain": domain, "value": _value(domain, number), "name": name,
                   "birth": birth, "gender": gender}  # fmt: skip


def _events(persons: list[str]) -> Iterator[dict[str, Any]]:
    """The shared id was issued, and each chart was linked to it."""
    row = {"at": _SINCE, "actor": "secretariat/bench"}
    for number, person in enumerate(persons):
        known = [SHARED, shared(number)]
        issued = orjson.dumps({"patient": known}).decode()
        yield {**row, "kind": "issued", "person": person, "content": issued}
        for domain in DOMAINS[1:]:
            linked = {"shared": known, "chart": [domain, chart(number)], "before": person}
            yield {**row, "kind": "linked", "person": person,
                   "content": orjson.dumps(linked).decode()}  # fmt: skip
