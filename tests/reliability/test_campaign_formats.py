"""Every upload format, fed with its own samples made bad: no crash, no hang, all accounted for.

`INPUTS` says how many inputs each reader gets (200 000).
"""

import os
import random
import time
from collections import Counter
from dataclasses import replace

import pytest

from gateway.standardize import FORMATS, Format, Upload, recognise
from tests.conftest import ROOT
from tests.reliability import campaign
from tests.reliability.mutations import mutated
from tests.reliability.trees import changed
from tests.standardize.conftest import FILES, sample
from tests.standardize.test_fuzz import judge_all

pytestmark = pytest.mark.campaign
INPUTS = int(os.environ.get("INPUTS", "200000"))
SLOWEST = 2.0
"Seconds of CPU one input of at most 64 KiB may take (`security.md` R-12)."


def _seeds(wanted: Format) -> list[Upload]:
    """The samples that the format reads."""
    found = [
        upload
        for name in FILES
        if len((upload := sample(name)).content) <= 64 * 1024
        and recognise(upload).name == wanted.name
    ]
    assert found, f"no sample of {wanted.name}"
    return found


@pytest.mark.parametrize("name", [one.name for one in FORMATS])
def test_inputs(name: str, request: pytest.FixtureRequest) -> None:
    chosen = next(one for one in FORMATS if one.name == name)
    seeds = _seeds(chosen)
    contents = [one.content for one in seeds]
    outcomes: Counter[str] = Counter()
    slowest = 0.0
    with campaign.figure(request) as figure:
        rng = random.Random(f"{figure.seed}/{name}")
        for number in range(INPUTS):
            good = rng.choice(seeds)
            path = rng.choice(seeds).path if rng.random() < 0.05 else good.path
            # Of a tree half are changed as such: else the parser refuses nearly all of them.
            change = changed if rng.random() < 0.5 else mutated
            content = change(rng, good.content, contents)
            upload = replace(good, path=path, content=content)
            begun = time.process_time()
            try:
                outcomes[judge_all(upload, chosen)] += 1
            except BaseException:
                kept = ROOT / "build" / "fuzz" / f"{name.replace('/', '-')}-{number}.bin"
                kept.parent.mkdir(parents=True, exist_ok=True)
                kept.write_bytes(content)
                figure.say(f"input {number} as {path} kept in {kept.relative_to(ROOT)}")
                raise
            took = time.process_time() - begun
            slowest = max(slowest, took)
            assert took <= SLOWEST, f"input {number} took {took:.1f} s"
        told = ", ".join(f"{count} {what}" for what, count in sorted(outcomes.items()))
        figure.say(f"{INPUTS} inputs: {told}, 0 anything else, slowest {slowest * 1000:.0f} ms")
