"""Mutated copies of signed XML, CMS and PDF of every form: nothing raised, nothing else verified.

`make campaign PYTEST_ARGS='-k test_campaign_signatures'`: 100 000 documents of all XML forms, as
many of the others, and of those that other makers made, unless `FUZZ` says how many.
"""

import os
import random

import pytest

from tests.hpki import test_fuzz_cms, test_other_makers
from tests.hpki.test_fuzz import hunt, signed_xml
from tests.reliability import campaign

COUNT = int(os.environ.get("FUZZ", "100000"))
FORMS = signed_xml()
OTHERS = test_fuzz_cms.signed()
MADE = (*test_other_makers.MADE, *test_other_makers.PDFS)


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


@pytest.mark.campaign
@pytest.mark.parametrize("name", MADE)
def test_documents_of_other_makers(name: str, request: pytest.FixtureRequest) -> None:
    each = -(-COUNT // len(MADE))
    with campaign.figure(request) as figure:
        verified = test_other_makers.hunt(name, random.Random(f"{figure.seed} {name}"), each)
        figure.say(
            f"{each} mutated documents: nothing raised, {verified} still verified, each covering "
            "what the original does"
        )
