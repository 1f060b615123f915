"""Mutated copies of signed XML, CMS and PDF of every form: nothing raised, nothing else verified.

`make campaign PYTEST_ARGS='-k test_signed_xml'`, and `test_signed_cms_and_pdf`: 100 000 documents
of all XML forms, and as many of the others, unless `FUZZ` says how many.
"""

import os
import random

import pytest

from tests.hpki import test_fuzz_cms
from tests.hpki.test_fuzz import hunt, signed_xml
from tests.reliability import campaign

COUNT = int(os.environ.get("FUZZ", "100000"))
FORMS = signed_xml()
OTHERS = test_fuzz_cms.signed()


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


@pytest.mark.campaign
@pytest.mark.parametrize("form", OTHERS)
def test_signed_cms_and_pdf(form: str, request: pytest.FixtureRequest) -> None:
    each = -(-COUNT // len(OTHERS))
    with campaign.figure(request) as figure:
        verified = test_fuzz_cms.hunt(form, random.Random(f"{figure.seed} {form}"), each)
        figure.say(
            f"{each} mutated documents: nothing raised, {verified} still verified, each covering "
            "what the original does"
        )
