"""Every sample of `samples/standardize/` against its golden batches."""

import pytest

from gateway.standardize import FORMATS, recognise
from tests.standardize.conftest import FILES, readable, sample, sample_batches


@pytest.mark.parametrize("name", FILES, ids=lambda name: name.rpartition("/")[2])
def test_golden(name, golden):
    short = name.rpartition("/")[2] if name.startswith("ssmix2/") else name.replace("/", "-")
    golden(f"{short}.json", "".join(readable(batch) for batch in sample_batches(name)))


def test_there_are_samples_of_every_format():
    assert {recognise(sample(name)).name for name in FILES} == {one.name for one in FORMATS}
