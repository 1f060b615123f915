"""SQLite or PostgreSQL through SQLAlchemy Core, and its transactions.

SQLite runs in WAL with `synchronous=FULL`; a writing transaction begins IMMEDIATE, so that it never
fails half-way for a lock. Reads run in AUTOCOMMIT on a connection that each thread keeps. What
differs between the two databases is a named function here and nowhere else. A database that is
away, locked, full or not writable is `Busy`: the same message may come again (R-05, R-06).
"""

import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import Connection, Engine, ExceptionContext, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import NullPool, QueuePool

from gateway.errors import Busy
from gateway.settings import SettingsError
from gateway.store import revisions
from gateway.store.connections import prepare_postgresql, prepare_sqlite

Kind = Literal["sqlite", "postgresql"]
_SEAL_LOCK = 0x5EA1
_MIGRATION_LOCK = 0x5C8E
_CONNECT_SECONDS = 5
_SQLITE_PASSING = frozenset({5, 6, 8, 9, 10, 13, 14})
"BUSY, LOCKED, READONLY, INTERRUPT, IOERR, FULL, CANTOPEN: the disk or a neighbour, not us."
_POSTGRESQL_PASSING = ("08", "53", "57", "58", "40", "55P03", "25006")
"Connection, resources, operator, system, serialization; lock not available, read-only."


class SchemaError(Exception):
    """The database's schema is not one this program knows (R-20): the start is refused."""


class Database:
    """One database; opened by the audit door and the composition root alone."""

    def __init__(
        self, url: str, *, busy_seconds: float = 10.0, pool: int = 16, cache: int = 16
    ) -> None:
        """Open lazily, `cache` MiB of pages a SQLite connection; `SettingsError` for other URLs."""
        try:
            parsed = make_url(url)
        except ArgumentError as error:
            raise SettingsError("[database] url is not a database URL") from error
        if parsed.drivername not in ("sqlite", "postgresql+psycopg"):
            raise SettingsError("[database] url must be sqlite:///… or postgresql+psycopg://…")
        self.kind: Kind = "sqlite" if parsed.drivername == "sqlite" else "postgresql"
        self._held = threading.local()
        self._holding: list[Connection] = []
        self._guard = threading.Lock()
        self._queue = threading.Lock()
        self._patience = busy_seconds
        self._generation = 0
        "Counts the times the database went away; connections of an older one are not used."
        if self.kind == "sqlite":
            arguments: dict[str, Any] = {
                "connect_args": {
                    "check_same_thread": False, "timeout": busy_seconds, "isolation_level": None,
                },
                "poolclass": NullPool,
            }  # fmt: skip
            self._engine = create_engine(parsed, **arguments)
            event.listen(self._engine, "connect", partial(prepare_sqlite, cache))
        else:
            self._engine = create_engine(
                parsed, poolclass=QueuePool, pool_size=pool, max_overflow=pool, pool_pre_ping=True,
                pool_timeout=_CONNECT_SECONDS, connect_args={"connect_timeout": _CONNECT_SECONDS},
            )  # fmt: skip
            event.listen(self._engine, "connect", prepare_postgresql)
        event.listen(self._engine, "handle_error", self._judge)
        self._reading = self._engine.execution_options(isolation_level="AUTOCOMMIT")
        self._writer: Connection | None = None
        self._appender: Connection | None = None

    @property
    def engine(self) -> Engine:
        """The engine, for migrations and comparisons of the schema."""
        return self._engine

    @property
    def folder(self) -> Path | None:
        """Where the database's file lies; None where the database is a server."""
        name = self._engine.url.database
        return Path(name).parent if self.kind == "sqlite" and name else None

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One transaction: commits at the end, rolls back on any exception."""
        if self.kind == "postgresql":
            connection = self._connected(self._engine)
            with connection, connection.begin():
                yield connection
            return
        # SQLite has one writer at a time: waiting here is fair and costs no busy loop.
        if not self._queue.acquire(timeout=self._patience):
            raise _away()
        try:
            with self._alone() as connection:
                yield connection
        finally:
            self._queue.release()

    @contextmanager
    def _alone(self) -> Iterator[Connection]:
        """SQLite's one writing transaction; what cannot end it in order starts afresh (R-06)."""
        if self._writer is None:
            self._writer = self._reading.connect()
        connection = self._writer
        try:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        except BaseException:
            self._drop_writer()
            raise
        try:
            yield connection
        except BaseException:
            try:
                connection.exec_driver_sql("ROLLBACK")
            except (Busy, DBAPIError):  # a full disk has rolled back already
                self._drop_writer()
            raise
        try:
            connection.exec_driver_sql("COMMIT")
        except BaseException:
            self._drop_writer()  # a failed commit is a failed request
            raise

    def _drop_writer(self) -> None:
        """Close SQLite's writing connection; what it had not committed is gone with it."""
        connection, self._writer = self._writer, None
        if connection is not None:
            _discard(connection)

    def appends_alone(self, schema: Sequence[str]) -> bool:
        """Whether `append` is to be used here; `schema` is what its statements need, once."""
        if self.kind != "sqlite":
            return False
        if self._appender is None:
            connection = self._reading.connect()
            for statement in schema:
                connection.exec_driver_sql(statement)
            self._appender = connection
        return True

    def append(self, statement: str, values: Sequence[object]) -> None:
        """One statement that is a transaction by itself, on SQLite."""
        if not self._queue.acquire(timeout=self._patience):
            raise _away()
        try:
            if self._appender is None:
                raise SchemaError("ask `appends_alone` first")
            execute(self._appender, statement, values)
        except BaseException:
            # As with any failed commit, the connection starts afresh.
            connection, self._appender = self._appender, None
            if connection is not None:
                connection.invalidate()
                connection.close()
            raise
        finally:
            self._queue.release()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Hand out the thread's own connection; each statement sees what is committed by then."""
        held: tuple[int, Connection] | None = getattr(self._held, "connection", None)
        if held is not None:
            generation, connection = held
            fresh = generation == self._generation
            if fresh and not connection.closed and not connection.invalidated:
                yield connection
                return
            self._forget(connection)
        connection = self._connected(self._reading)
        self._held.connection = (self._generation, connection)
        with self._guard:
            self._holding.append(connection)
        yield connection

    @contextmanager
    def still(self) -> Iterator[Connection]:
        """Hand out a connection that sees the database as of one moment, for a backup (R-19)."""
        if self.kind == "postgresql":
            options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
            with (
                self._connected(self._engine) as connection,
                connection.execution_options(**options).begin(),
            ):
                yield connection
            return
        with self._reading.connect() as connection:
            connection.exec_driver_sql("BEGIN")
            connection.exec_driver_sql("SELECT 1 FROM alembic_version")  # from here on, the moment
            try:
                yield connection
            finally:
                connection.exec_driver_sql("ROLLBACK")

    def _connected(self, engine: Engine) -> Connection:
        """A connection; `Busy` where all are in use for too long."""
        try:
            return engine.connect()
        except PoolTimeout as error:
            raise _away() from error

    def _forget(self, connection: Connection) -> None:
        """Close a held connection for good."""
        with self._guard:
            if connection in self._holding:
                self._holding.remove(connection)
        _discard(connection)

    def _judge(self, context: ExceptionContext) -> None:
        """Turn what passes by itself into `Busy`; everything else stays a defect of ours."""
        if context.is_pre_ping:
            return
        if context.is_disconnect:
            self._generation += 1
        if context.is_disconnect or _is_passing(context.original_exception):
            raise _away() from context.original_exception

    def close(self) -> None:
        """Close every connection; the database may be opened again."""
        with self._guard:
            for connection in self._holding:
                connection.close()
            self._holding.clear()
        with self._queue:
            for held in (self._writer, self._appender):
                if held is not None:
                    held.close()
            self._writer = self._appender = None
        self._held = threading.local()
        self._engine.dispose()

    def migrate(self) -> str:
        """Bring the schema to the newest revision and say which; two processes may try at once."""
        from alembic import command

        with self._engine.connect() as connection:
            if self.kind == "postgresql":
                connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _MIGRATION_LOCK})
            try:
                self._known(connection)
                command.upgrade(_alembic(connection), "head")
                connection.commit()
            finally:
                if self.kind == "postgresql":
                    connection.execute(
                        text("SELECT pg_advisory_unlock(:key)"), {"key": _MIGRATION_LOCK}
                    )
                    connection.commit()
        return self.schema_version()

    def schema_version(self) -> str:
        """The revision the database is at; empty where there is none yet."""
        with self._engine.connect() as connection:
            return self._known(connection)

    def check_schema(self) -> None:
        """Refuse to work on a schema that is older or newer than this program's (R-20)."""
        found = self.schema_version()
        if found != revisions.newest():
            raise SchemaError(f"schema is {found or 'empty'}: run `gateway migrate`")

    def _known(self, connection: Connection) -> str:
        """The revision, if it is one of ours."""
        found = revisions.current(connection)
        if found and found not in revisions.known():
            raise SchemaError(f"schema {found} is newer than this program: install the newer one")
        return found


def _discard(connection: Connection) -> None:
    """Close a connection for good, in whatever state it is."""
    if not connection.closed:
        if not connection.invalidated:
            connection.invalidate()
        connection.close()


def _is_passing(error: BaseException) -> bool:
    """Whether the database may take the same statement later."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is not None:
        return code & 0xFF in _SQLITE_PASSING
    import psycopg  # only who is on PostgreSQL has loaded it

    if isinstance(error, psycopg.OperationalError) and error.sqlstate is None:
        return True  # no server answered
    state = getattr(error, "sqlstate", None) or ""
    return state.startswith(_POSTGRESQL_PASSING)


def _away() -> Busy:
    return Busy(
        "the database cannot be used now: try again",
        "データベースを使用できません。再試行してください",
        rule="R-05",
        log="AUDIT-STOP",
    )


def execute(connection: Connection, statement: str, values: Sequence[object]) -> None:
    """Run a statement raw, on a measured hot path; what passes by itself is `Busy` here too."""
    with _Judged(connection) as raw:
        raw.execute(statement, values)


def execute_many(connection: Connection, statement: str, rows: Sequence[Sequence[object]]) -> None:
    """Run a statement raw for each row of values."""
    with _Judged(connection) as raw:
        raw.cursor().executemany(statement, rows)


def copy(connection: Connection, statement: str, rows: Iterable[Sequence[object]]) -> None:
    """Let PostgreSQL take rows by a `COPY … FROM STDIN`, in their order."""
    with _Judged(connection) as raw, raw.cursor().copy(statement) as into:
        for row in rows:
            into.write_row(row)


def fetch(connection: Connection, statement: str, values: Sequence[object]) -> list[Any]:
    """Every row of a statement that is run raw."""
    with _Judged(connection) as raw:
        found: list[Any] = raw.execute(statement, values).fetchall()
        return found


class _Judged:
    """The driver's own connection, whose errors are judged as those of the engine are."""

    __slots__ = ("_connection",)

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def __enter__(self) -> Any:
        return self._connection.connection.dbapi_connection

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is None:
            return
        connection = self._connection
        dialect = connection.dialect
        gone = isinstance(error, dialect.loaded_dbapi.Error) and dialect.is_disconnect(
            error, connection.connection.dbapi_connection, None
        )
        if gone:
            connection.invalidate()
        if gone or _is_passing(error):
            raise _away() from error


def sole_sealer(connection: Connection) -> bool:
    """Whether this transaction is the only one that seals the audit chain now."""
    if connection.dialect.name == "sqlite":
        return True  # a writing transaction on SQLite is alone
    taken = connection.execute(text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": _SEAL_LOCK})
    return bool(taken.scalar_one())


def commits_in_order(connection: Connection) -> bool:
    """Whether rows are numbered in the order in which they are committed.

    On SQLite a writing transaction is alone; on PostgreSQL a number is drawn before the commit, so
    that a smaller one may be seen later.
    """
    return connection.dialect.name == "sqlite"


def _alembic(connection: Connection) -> Any:
    """Alembic's configuration, without a file."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(revisions.FOLDER).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
