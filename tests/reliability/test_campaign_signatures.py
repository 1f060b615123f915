"""Mutated copies of signed XML of every form: nothing raised, nothing else verified.

`make campaign PYTEST_ARGS='-k signed_xml'`; 100 000 documents unless `FUZZ` says how many.
"""

import os
import random

import pytest

from tests.hpki.test_fuzz import hunt, signed_xml
from tests.reliability import campaign

COUNT = int(os.environ.get("FUZZ", "100000"))


@pytest.mark.campaign
def test_signed_xml(request: pytest.FixtureRequest) -> None:
    forms = signed_xml()
    each = -(-COUNT // len(forms))
    with campaign.figure(request) as figure:
        verified = sum(hunt(name, random.Random(f"{figure.seed} {name}"), each) for name in forms)
        figure.say(
            f"{each * len(forms)} mutated documents of {len(forms)} forms: nothing raised, "
            f"{verified} still verified, each covering what the original does"
        )
