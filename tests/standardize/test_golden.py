"""Every sample of `samples/standardize/` against its golden batch."""

import pytest

from gateway.model.identifiers import Oid
from gateway.standardize import Upload, read
from tests.standardize.conftest import SAMPLES, readable

CASES = {
    path.relative_to(SAMPLES).as_posix(): path
    for path in sorted(SAMPLES.rglob("*"))
    if path.is_file()
}


@pytest.mark.parametrize("name", CASES, ids=lambda name: name.rpartition("/")[2])
def test_golden(name, golden):
    upload = Upload(
        path=name,
        content=CASES[name].read_bytes(),
        in_tree=name.startswith("ssmix2/"),
        domain=Oid("2.999.30.1"),
    )
    short = name.rpartition("/")[2] if name.startswith("ssmix2/") else name.replace("/", "-")
    golden(f"{short}.json", readable(read(upload)))


def test_there_are_samples_of_every_format():
    from gateway.standardize import FORMATS, recognise

    found = {
        recognise(Upload(path=name, content=path.read_bytes())).name for name, path in CASES.items()
    }
    assert found == {one.name for one in FORMATS}
