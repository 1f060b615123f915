"""Any bytes, and good files damaged anywhere, give a batch or a refusal: never a crash.

The short form; the long one raises `FUZZ` (examples a reader).
"""

import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.errors import Refusal
from gateway.standardize import FORMATS, Upload, batches, read
from gateway.wire import fhir
from tests.standardize.conftest import MAPPINGS, SAMPLES

# What only noise reaches is not covered; following it costs twice the time of the test.
pytestmark = pytest.mark.no_cover
EXAMPLES = int(os.environ.get("FUZZ", "150"))
FILES = [path for path in sorted(SAMPLES.rglob("*")) if path.is_file()]
BYTES = st.one_of(
    st.binary(max_size=12),
    st.sampled_from(
        [b"|", b"^", b"~", b"&", b"\\", b"\r", b"\n", b",", b"\x1b$B", b"\x1b(B", b"\x1b", b'""']
    ),
    st.sampled_from(
        [
            b'"',
            b"\t",
            b"A1",
            b"O1",
            b" " * 256,
            b"MSH|",
            b"OBX|",
            b"SPM|",
            b"PID|",
            b"201,",
            b"301,",
            b"5,",
            b"\r\nRE,",
            b"\r\nSI,60,",
            b"\r\nIY,,1,",
            b"\r\nGO,",
            b"\xff",
            b"\x00",
        ]
    ),
    st.integers(0, 10**20).map(lambda number: str(number).encode()),
)
CLAIM = b"IR,1,13,1,1234567,,x,202611,00,\r\nRE,1,1112,202610,x,1,19500101,,,,,,,1\r\nSI,60,1,"
CALM = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def judge(upload, chosen=None):
    judge_all(upload, chosen)
    try:
        judge_batch(upload, read(upload, format=chosen))
    except Refusal:
        return


def judge_all(upload, chosen):
    """Judge every batch of an upload; whether something was read or all of it was refused."""
    outcome = "refused"
    for batch in batches(upload, format=chosen):
        judge_batch(upload, batch)
        outcome = "read" if batch.format else outcome
    return outcome


def judge_batch(upload, batch):
    for item in batch.items:
        fhir.loads(fhir.dumps(item.resource))
        assert 0 <= item.source.start < item.source.end <= len(upload.content)
        assert item.source.at in batch.account
    assert len({item.key for item in batch.items}) == len(batch.items)
    assert all(batch.account.values())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
@CALM
@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 8), BYTES), min_size=1, max_size=6))
def test_damaged_files(path, changes):
    content = path.read_bytes()
    for where, cut, put in changes:
        place = int(where * len(content))
        content = content[:place] + put + content[place + cut :]
    judge(Upload(path=path.name, content=content, mappings=MAPPINGS))


@pytest.mark.parametrize("chosen", FORMATS, ids=lambda one: one.name)
@CALM
@given(st.lists(BYTES, max_size=40).map(b"".join), st.text(max_size=20))
def test_any_bytes(chosen, content, path):
    judge(Upload(path=path, content=content, mappings=MAPPINGS), chosen)
    judge(Upload(path=path, content=b"A1000123" + content), chosen)
    judge(Upload(path=path, content=CLAIM + content + b"\r\nGO,,,99\r\n"), chosen)
    judge(Upload(path=path, content=b"JAHISTC08,1\r\n1,x,1,S330303\r\n" + content), chosen)
