"""Statements on what a scope states wholly: its items' newest versions, and who stated them."""

from typing import NamedTuple

from sqlalchemy import Connection, func, select

from gateway.store import raw
from gateway.store.record import ITEM, STAGED
from gateway.wire import fhir

_BOTH = ("staged_item", "item")
_SCOPE = (
    "SELECT key, version, cancelled, category FROM {} "
    "WHERE domain = ? AND value = ? AND substr(key, 1, ?) = ?"
)


def select_scope(
    db: Connection, domain: str, value: str, scope: str
) -> dict[str, tuple[str, bool, str]]:
    """Newest version, whether it is cancelled, and category of each key below a prefix."""
    newest: dict[str, tuple[str, bool, str]] = {}
    values: tuple[object, ...] = (str(domain), value, len(scope), scope)
    within = ""
    if db.dialect.name == "sqlite":  # whose text is ordered by its bytes: the index finds it
        within = " AND key >= ? AND key < ?"
        values = (*values, scope, scope + "\U0010ffff")
    statement = " UNION ALL ".join(f"{_SCOPE.format(table)}{within}" for table in _BOTH)
    for key, version, cancelled, category in raw.rows(db, statement, values * len(_BOTH)):
        if key not in newest or version >= newest[key][0]:
            newest[key] = (version, bool(cancelled), category)
    return newest


class Stated(NamedTuple):
    """One version of an item, and whether its file stated it as part of a scope."""

    key: str
    version: str
    cancelled: bool
    category: str
    file: str
    scoped: bool


def select_stated(db: Connection, domain: str, value: str, above: str, scope: str) -> list[Stated]:
    """Every version of the items below a prefix that some file stated as part of a scope."""
    said = fhir.dumps({"scope": scope}).decode().strip("{}")
    found: list[Stated] = []
    for table in ("staged_item", "item"):
        statement = (
            f"SELECT key, version, cancelled, category, file, content FROM {table} "  # noqa: S608
            "WHERE domain = ? AND value = ? AND substr(key, 1, ?) = ?"
        )
        for row in raw.rows(db, statement, (str(domain), value, len(above), above)):
            *plain, content = row
            key, version, cancelled, category, file = plain
            found.append(Stated(key, version, bool(cancelled), category, file, said in content))
    keys = {row.key for row in found if row.scoped}
    return [row for row in found if row.key in keys]


def select_statements(
    db: Connection, domain: str, value: str, scope: str, *, after: str
) -> dict[str, set[str]]:
    """Versions in which a file stated the whole of a scope, later than one, and their keys."""
    found: dict[str, set[str]] = {}
    whole = set()
    for table in (STAGED, ITEM):
        rows = db.execute(
            select(table.c.key, table.c.version, table.c.content).where(
                table.c.domain == domain,
                table.c.value == value,
                func.substr(table.c.key, 1, len(scope)) == scope,
                table.c.version > after,
            )
        )
        for key, version, content in rows:
            # A correction within one version (`1~1`) or a replay of it (`1!1`) is of the same one.
            stated = version.partition("~")[0].partition("!")[0]
            found.setdefault(stated, set()).add(key)
            if fhir.loads(content)["source"].get("scope") == scope:
                whole.add(stated)
    return {version: keys for version, keys in found.items() if version in whole}
