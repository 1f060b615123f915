"""Mutated copies of signed XML of every form: nothing raised, nothing else verified.

`make campaign PYTEST_ARGS='-k signed_xml'`; 100 000 documents in all unless `FUZZ` says how many.
"""

import os
import random

import pytest

from tests.hpki.test_fuzz import hunt, signed_xml
from tests.reliability import campaign

COUNT = int(os.environ.get("FUZZ", "100000"))


FORMS = signed_xml()


@pytest.mark.campaign
@pytest.mark.parametrize("form", FORMS)
def test_signed_xml(form: str, request: pytest.FixtureRequest) -> None:
    each = -(-COUNT // len(FORMS))
    with campaign.figure(request) as figure:
        verified = hunt(form, random.Random(f"{figure.seed} {form}"), each)
        figure.say(
            f"{each} mutated documents: nothing raised, {verified} still verified, each covering "
            "what the original does"
        )
