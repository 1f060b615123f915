"""UUIDs as text are those that the standard library reads and writes."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model import chance, uuids


@given(st.binary(min_size=16, max_size=40), st.integers(1, 8))
def test_as_the_standard_library_writes_them(digest: bytes, version: int) -> None:
    made = uuids.formatted(digest.hex(), version)
    read = uuid.UUID(made)
    assert str(read) == made
    assert (read.version, read.variant) == (version, uuid.RFC_4122)
    if version <= 5:
        assert made == str(uuid.UUID(bytes=digest[:16], version=version))


def test_fresh_ids_are_random_uuids_and_all_different() -> None:
    drawn = [chance.new_id() for _ in range(1000)]
    assert len({*drawn}) == 1000
    assert {uuid.UUID(one).version for one in drawn} == {4}
    assert all(str(uuid.UUID(one)) == one for one in drawn)


@pytest.mark.parametrize("digits", ["", "0" * 31])
def test_too_few_digits_make_no_uuid(digits: str) -> None:
    with pytest.raises((IndexError, ValueError)):
        uuid.UUID(uuids.formatted(digits, 4))
