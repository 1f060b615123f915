"""The shared fixtures: a real database of both kinds, a real door, a caller, a clock."""

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
import yaml
from hypothesis import HealthCheck, settings

from gateway.audit.door import Door
from gateway.model.caller import Caller, CallerKind
from gateway.model.category import FacilityType
from gateway.model.identifiers import HomeCommunityId, Oid
from gateway.model.network import NetworkPolicy
from gateway.store.blobs import blobs_from_url
from gateway.store.database import Database
from gateway.store.work import Community
from gateway.wire import hl7v2
from tests import postgres
from tests.served import Installation, Served, Templates, serve

ROOT = Path(__file__).resolve().parents[1]
# The suite draws the same examples each time; a campaign draws new ones.
# How long an example takes says how busy the machine is: no test is about that.
settings.register_profile(
    "suite", derandomize=True, database=None, deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)  # fmt: skip
settings.register_profile("campaign", print_blob=True)
settings.load_profile("campaign" if os.environ.get("CAMPAIGN") else "suite")

# `make compiled-check` means the compiled readers: sources that come first would hide them.
if os.environ.get("COMPILED") and not hl7v2.__file__.endswith((".so", ".pyd")):
    raise pytest.UsageError(f"the readers are not compiled: {hl7v2.__file__}")

COMMUNITY = Community(HomeCommunityId("2.999.10.1"), Oid("2.999.40.1"))


@dataclass
class Clock:
    """A clock that stands still until it is moved."""

    now: datetime = field(default_factory=lambda: datetime(2026, 11, 21, 0, 0, tzinfo=UTC))

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **by: float) -> None:
        self.now += timedelta(**by)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    with postgres.server() as url:
        yield url


@pytest.fixture(scope="session")
def postgres_template(postgres_server: str) -> str:
    """A database at the newest schema, copied for each test."""
    _create(postgres_server, "template_gateway", "template0")
    url = postgres_server.replace("/postgres?", "/template_gateway?")
    with closing(Database(url)) as database:
        database.migrate()
    return "template_gateway"


def _create(server: str, name: str, template: str) -> None:
    with psycopg.connect(_plain(server), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')


def _plain(url: str) -> str:
    return url.replace("postgresql+psycopg://", "postgresql://")


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database file at the newest schema, copied for each test."""
    path = tmp_path_factory.mktemp("template") / "gateway.db"
    with closing(Database(f"sqlite:///{path}")) as database:
        database.migrate()
    return path


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database at the newest schema; each test runs on both kinds."""
    if request.param == "sqlite":
        template_file: Path = request.getfixturevalue("sqlite_template")
        shutil.copy(template_file, tmp_path / "gateway.db")
        return f"sqlite:///{tmp_path / 'gateway.db'}"
    server: str = request.getfixturevalue("postgres_server")
    template: str = request.getfixturevalue("postgres_template")
    name = f"t{uuid.uuid4().hex}"
    _create(server, name, template)
    return server.replace("/postgres?", f"/{name}?")


@pytest.fixture(scope="session")
def templates(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Templates:
    return Templates(
        tmp_path_factory.mktemp("installations"),
        lambda: str(request.getfixturevalue("postgres_server")),
    )


@pytest.fixture(params=["sqlite", "postgresql"])
def installation(
    request: pytest.FixtureRequest, templates: Templates, tmp_path: Path
) -> Installation:
    """A demo installation of the test's own, on both kinds of database."""
    return templates.copy(request.param, tmp_path / "installation")


@pytest.fixture
def served(installation: Installation) -> Iterator[Served]:
    """A gateway in its own process that serves it."""
    with serve(installation) as gateway:
        yield gateway


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    with closing(Database(database_url)) as opened:
        yield opened


@pytest.fixture(scope="session")
def policy() -> NetworkPolicy:
    text = (ROOT / "gateway" / "policies" / "tgp.yaml").read_text("utf-8")
    return NetworkPolicy.from_mapping(yaml.safe_load(text))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def caller() -> Caller:
    """hospital-a's machine."""
    return Caller(
        network="tgp",
        kind=CallerKind.SYSTEM,
        facility="hospital-a",
        facility_type=FacilityType.HOSPITAL,
        subject="hospital-a",
        role="professional_user",
        domains=frozenset({Oid("2.999.30.1")}),
        certificate="aa" * 32,
        request="request-1",
    )


@pytest.fixture
def door(database: Database, policy: NetworkPolicy, clock: Clock, tmp_path: Path) -> Iterator[Door]:
    opened = Door(
        database=database,
        blobs=blobs_from_url((tmp_path / "blobs").as_uri()),
        policy=policy,
        community=COMMUNITY,
        clock=clock,
        new_id=lambda: str(uuid.uuid4()),
    )
    opened.open()
    with closing(opened):
        yield opened
