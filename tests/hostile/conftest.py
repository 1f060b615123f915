"""One installation for the whole folder, with schemas where they are; watched all the time."""

from collections.abc import Iterator

import pytest

from tests.hostile.site import UNLIMITED, Site, configure, free_port, install, serve
from tests.hostile.xua import equip

SENDERS = ["FAC_A=hospital-a", "FAC_B=clinic-b"]
"What MSH-4 of the published messages means here."


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A gateway on loopback; what it must never do is asked once more at the end."""
    folder = tmp_path_factory.mktemp("hostile") / "installation"
    install(folder, schemas=True)
    equip(folder)
    configure(folder, limits=UNLIMITED, mllp={"port": free_port(), "senders": SENDERS})
    with serve(folder) as made:
        yield made
        assert made.peak() < 700 * 1024
    assert not made.told()
    assert not made.defects()


@pytest.fixture(autouse=True)
def watched(request: pytest.FixtureRequest) -> Iterator[None]:
    """After every test: no connection out, no file elsewhere, no program, no defect, alive."""
    yield
    if "site" in request.fixturenames:
        made: Site = request.getfixturevalue("site")
        assert made.process.poll() is None
        assert not made.told()
        assert not made.defects()
