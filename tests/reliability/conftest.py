"""Demo installations on both kinds of database, made once and copied."""

import uuid
from pathlib import Path

import psycopg
import pytest

from tests.reliability import installation
from tests.reliability.installation import Installation
from tests.served import Templates


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory, templates: Templates) -> Installation:
    """A demo installation that nobody serves: it is copied."""
    return installation.make(tmp_path_factory.mktemp("demo") / "gateway", templates)


def new_database(server: str) -> str:
    """An empty database on the tests' PostgreSQL."""
    name = f"r{uuid.uuid4().hex}"
    with psycopg.connect(server.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "template0"')
    return server.replace("/postgres?", f"/{name}?")


@pytest.fixture
def sqlite_installation(demo: Installation, tmp_path: Path) -> Installation:
    return demo.copy(tmp_path / "gateway")


@pytest.fixture(params=["sqlite", "postgresql"])
def installed(request: pytest.FixtureRequest, templates: Templates, tmp_path: Path) -> Installation:
    """A demo installation of its own, on each kind of database."""
    return installation.make(tmp_path / "gateway", templates, request.param)
