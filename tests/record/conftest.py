"""The region that the record's tests live in."""

import pytest

from gateway.audit.door import Door
from gateway.model.network import NetworkPolicy
from tests.record.house import House


@pytest.fixture
def house(door: Door, policy: NetworkPolicy) -> House:
    made = House(door, policy)
    made.found()
    return made
